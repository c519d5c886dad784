/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <ev.h>

/* libev's loop, of which a process has one. */
struct ev_loop *loop_open(int);
void loop_later(struct ev_loop *, struct ev_io *);
void loop_stop(struct ev_loop *, struct ev_io *);
void loop_close(struct ev_loop *, struct ev_io *);

/*
 * Was w's handler called only because the kernel has no memory to watch its
 * descriptor with (or the user has too many, fs.epoll.max_user_watches)?  libev
 * has stopped w then, and says no more.  Returns 1 if so, and tries again in a
 * moment.
 */
static inline int
loop_deaf(struct ev_loop *loop, struct ev_io *w, int revents)
{
	if ((revents & EV_ERROR) == 0)
		return (0);
	loop_later(loop, w);
	return (1);
}

#endif /* COMMON_LOOP_H */
