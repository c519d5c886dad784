/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_AGAIN_H
#define COMMON_AGAIN_H

#include <errno.h>

/*
 * Boolean: nothing was sent, and the socket is as good as before: it is full,
 * or the kernel is short of memory, or too many descriptors are on their way.
 */
static inline int
again_sends(int error)
{
	return (error == EAGAIN || error == EINTR || error == ENOBUFS ||
		error == ENOMEM || error == ETOOMANYREFS);
}

#endif /* COMMON_AGAIN_H */
