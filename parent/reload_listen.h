/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_RELOAD_LISTEN_H
#define PARENT_RELOAD_LISTEN_H

#include "parent/listen_change.h"

/* reload_listen.c */
int reload_listen_prepare(
    struct parent *, const struct config *, struct listen_change *);
void reload_listen_commit(struct parent *, struct listen_change *);
void reload_listen_tell(struct parent *);

#endif /* PARENT_RELOAD_LISTEN_H */
