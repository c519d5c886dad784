/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_DIAL_H
#define PARENT_DIAL_H

#include <sys/socket.h>

#include <ev.h>

/*
 * A connection that is being made, without waiting for it.  The owner hears of
 * its end once for each dial_start(), and never from within that.
 */
#define DIAL_SECONDS 5.

/* fd: connected and the callee's; or -1, and error is an errno. */
typedef void (*dial_done_fn)(void *owner, int fd, int error);

struct dial {
	struct ev_loop *loop;
	dial_done_fn done;
	void *owner;
	int fd;    /* -1: none */
	int error; /* that was met at once; 0: none */
	ev_io writable;
	ev_timer limit;
};

void dial_init(struct dial *, struct ev_loop *, dial_done_fn, void *);
void dial_start(struct dial *, const struct sockaddr_storage *, socklen_t);
void dial_stop(struct dial *);
int dial_busy(const struct dial *);

#endif /* PARENT_DIAL_H */
