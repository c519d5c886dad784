/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_LISTEN_CHANGE_H
#define PARENT_LISTEN_CHANGE_H

#include "parent/parent.h"

/* The listeners as they are to be, in the order of the configuration. */
struct listen_change {
	int n;
	struct {
		const struct conf_address *address;
		struct listener *listener; /* NULL: not bound yet */
	} rows[LISTENER_KINDS * PROTO_LISTENERS_MAX];
};

/* listen_change.c */
void listen_change_undo(struct parent *, struct listen_change *);
int listen_change_prepare(
    struct parent *, const struct config *, struct listen_change *);
void listen_change_commit(struct parent *, struct listen_change *,
    void (*)(struct parent *, const struct listener *));

#endif /* PARENT_LISTEN_CHANGE_H */
