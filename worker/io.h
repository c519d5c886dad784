/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_IO_H
#define WORKER_IO_H

#include <ev.h>

/* What libev calls when a descriptor is ready. */
typedef void (*io_cb)(struct ev_loop *, ev_io *, int);

#endif /* WORKER_IO_H */
