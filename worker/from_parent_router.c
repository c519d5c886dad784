/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "worker/worker.h"

/* What the parent says of the router; see worker/from_parent.c. */

const char *
from_parent_window(void *owner, const void *data, size_t len, int fd)
{
	router_share(owner, fd);
	return (NULL);
}

const char *
from_parent_router(void *owner, const void *data, size_t len, int fd)
{
	router_recv_open(owner, fd);
	return (NULL);
}

const char *
from_parent_router_end(void *owner, const void *data, size_t len, int fd)
{
	router_recv_last(owner);
	return (NULL);
}
