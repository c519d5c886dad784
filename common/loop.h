/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

struct ev_io;
struct ev_loop;

/* libev's loop, of which a process has one. */
struct ev_loop *loop_open(int);
void loop_close(struct ev_loop *, struct ev_io *);

#endif /* COMMON_LOOP_H */
