/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/wait.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/event.h"
#include "common/log.h"
#include "parent/notify.h"
#include "parent/parent.h"

/* They are not waited for. */
void
shutdown_kill_all(struct parent *parent)
{
	struct place *place;
	uint32_t i;

	parent->stopping = 2;
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		/* It may be that one has just died, or is not ours yet. */
		if (place->child != NULL &&
		    (ev_is_active(&place->child->reaper) ||
			ev_is_active(&place->child->watcher)))
			process_kill_at_once(place->child);
}

static void
shutdown_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	log_warnx("children did not end within %.0f s: killed", STOP_SECONDS);
	shutdown_kill_all(w->data);
}

/* Tells a child to end; 0: it has. */
static int
shutdown_end(struct place *place)
{
	if (place->child == NULL)
		return (0);
	process_send(place->child, place->role->shutdown, -1, NULL, 0);
	return (1);
}

/*
 * Ends the daemon: workers say goodbye to their peers, then auth ends.  Called
 * again: at once.
 */
void
shutdown_begin(struct parent *parent)
{
	uint32_t i;

	if (parent->stopping) {
		shutdown_kill_all(parent);
		return;
	}
	if (successor_can_go_back(&parent->successor))
		shutdown_fatal(parent,
		    "told to end before it has taken over: the beacond that "
		    "runs goes on");
	log_info("stopping");
	notify_stopping();
	parent->stopping = 1;
	move_cancel_all(parent);
	listen_close(parent);
	ev_timer_init(&parent->stop_timer, shutdown_timeout, STOP_SECONDS, 0.);
	parent->stop_timer.data = parent;
	ev_timer_start(parent->loop, &parent->stop_timer);
	keys_cache_last(parent, shutdown_reaped);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		(void)shutdown_end(&parent->workers[i]);
	shutdown_reaped(parent);
}

void
shutdown_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	shutdown_begin(w->data);
}

/*
 * A child is gone while we end, or the cache of keys is written: the next in
 * line goes, and last the loop.
 */
void
shutdown_reaped(struct parent *parent)
{
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].child != NULL)
			return;
	if (keys_cache_busy(parent) && parent->stopping == 1)
		return;
	if (shutdown_end(&parent->auth) + shutdown_end(&parent->metrics) +
		shutdown_end(&parent->auth_beside) +
		shutdown_end(&parent->metrics_beside) ==
	    0)
		ev_break(parent->loop, EVBREAK_ALL);
}

/*
 * The children end without a word to their peers, whom others have by now.  The
 * rest is the caller's.
 */
void
shutdown_silently(struct parent *parent)
{
	struct place *place;
	uint32_t i;

	shutdown_kill_all(parent);
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		/* One that cannot be killed dies when we do. */
		if (place->child != NULL &&
		    kill(place->child->pid, SIGKILL) == 0)
			(void)waitpid(place->child->pid, NULL, 0);
	event_flush(1);
}

/* Ends the daemon with an error; the kernel ends the children (PDEATHSIG). */
void
shutdown_fatal(struct parent *parent, const char *fmt, ...)
{
	char text[LOG_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	shutdown_kill_all(parent);
	control_stop(parent);
	fatalx("%s", text);
}
