/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_RESIZE_H
#define PARENT_RESIZE_H

#include <stdint.h>

struct parent;

int resize_prepare(struct parent *, uint32_t nworkers);
void resize_commit(struct parent *, uint32_t nworkers);
void resize_tell(struct parent *);

#endif /* PARENT_RESIZE_H */
