/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <signal.h>

#include "parent/notify.h"
#include "regress/unit/parent/parts.h"

/* Who ends in which order. */

static int closed, notified, control_stopped;
static int cache_busy; /* boolean: the cache of keys is being written */
static void (*when_written)(struct parent *);

void
move_cancel_all(struct parent *of)
{
}

void
listen_close(struct parent *of)
{
	closed++;
}

void
notify_stopping(void)
{
	notified++;
}

void
control_stop(struct parent *of)
{
	control_stopped++;
}

void
keys_cache_last(struct parent *of, void (*then)(struct parent *))
{
	when_written = then;
}

int
keys_cache_busy(const struct parent *of)
{
	return (cache_busy);
}

static void
reaped(struct ev_loop *loop, ev_child *w, int revents)
{
}

static void
process_that_waits(struct process *p)
{
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0) {
		(void)pause();
		_exit(0);
	}
	ev_child_init(&p->reaper, reaped, p->pid, 0);
	ev_child_start(parent.loop, &p->reaper);
}

static int
is_told(uint32_t i)
{
	return (parts_told(i, PARTS_SHUTDOWN, NULL, 0) == 1);
}

static void
begin(void)
{
	uint32_t i;

	for (i = 0; i < 4; i++)
		process_that_waits(parts_child(i));
	parent.stopping = 0;
	closed = notified = cache_busy = 0;
}

static void
put_away(void)
{
	struct place *place;
	uint32_t i;

	for (i = 0; (place = process_place(&parent, i)) != NULL; i++)
		if (place->child != NULL) {
			(void)kill(place->child->pid, SIGKILL);
			(void)waitpid(place->child->pid, NULL, 0);
		}
	ev_timer_stop(parent.loop, &parent.stop_timer);
}

/* Workers say goodbye first; auth is needed until they have. */
static void
test_workers_then_the_rest_then_we(void)
{
	struct process *p;

	begin();
	shutdown_begin(&parent);
	CHECK(parent.stopping == 1 && closed == 1 && notified == 1);
	CHECK(ev_is_active(&parent.stop_timer));
	CHECK(is_told(1) && is_told(2) && !is_told(0) && !is_told(3));
	p = parent.workers[0].child;
	parent.workers[0].child = NULL;
	shutdown_reaped(&parent);
	CHECK(!is_told(0));
	parent.workers[0].child = p;
	put_away();
	parent.workers[0].child = parent.workers[1].child = NULL;
	shutdown_reaped(&parent);
	CHECK(is_told(0) && is_told(3));
	parent.auth.child = parent.metrics.child = NULL;
	shutdown_reaped(&parent);
	/* ev_run() would not come back but for ev_break(). */
	CHECK(closed == 1);
}

/* What was learned of the registry is kept, if there is time for it. */
static void
test_the_cache_is_waited_for(void)
{
	begin();
	cache_busy = 1;
	shutdown_begin(&parent);
	put_away();
	parent.workers[0].child = parent.workers[1].child = NULL;
	shutdown_reaped(&parent);
	CHECK(!is_told(0) && when_written == shutdown_reaped);
	cache_busy = 0;
	when_written(&parent);
	CHECK(is_told(0));
	cache_busy = 1;
	parent.stopping = 2;
	shutdown_reaped(&parent);
	CHECK(is_told(0));
}

static int
all_killed(void)
{
	struct place *place;
	uint32_t i;
	int status;

	for (i = 0; (place = process_place(&parent, i)) != NULL; i++)
		if (waitpid(place->child->pid, &status, 0) == -1 ||
		    !WIFSIGNALED(status))
			return (0);
	ev_timer_stop(parent.loop, &parent.stop_timer);
	return (parent.stopping == 2);
}

static void
test_asked_again_or_too_late_all_are_killed(void)
{
	begin();
	shutdown_begin(&parent);
	shutdown_begin(&parent);
	CHECK(all_killed() && notified == 1);
	begin();
	shutdown_begin(&parent);
	CHECK(ev_timer_remaining(parent.loop, &parent.stop_timer) > 3.);
	ev_feed_event(parent.loop, &parent.stop_timer, EV_TIMER);
	ev_invoke_pending(parent.loop);
	CHECK(all_killed());
}

/* Its number may be another's already. */
static void
test_who_is_buried_is_not_killed(void)
{
	struct process *p;
	int status;

	begin();
	p = parent.workers[0].child;
	ev_child_stop(parent.loop, &p->reaper);
	shutdown_begin(&parent);
	shutdown_begin(&parent);
	CHECK(waitpid(parent.workers[1].child->pid, &status, 0) != -1);
	CHECK(waitpid(p->pid, &status, WNOHANG) == 0);
	put_away();
}

static void
is_fatal(void)
{
	shutdown_fatal(&parent, "%s", "no more");
}

static void
is_told_to_end(void)
{
	shutdown_begin(&parent);
}

/* Sessions are somebody else's still, who goes on. */
static void
test_who_has_not_taken_over_ends_alone(void)
{
	begin();
	parent.successor.pending = parent.successor.asks = 1;
	CHECK(parts_apart(is_told_to_end) == 1);
	CHECK(notified == 0);
	parent.successor.pending = parent.successor.asks = 0;
	put_away();
}

static void
test_fatal_ends_with_an_error(void)
{
	begin();
	CHECK(parts_apart(is_fatal) == 1);
	parent.stopping = 2;
	CHECK(all_killed());
}

int
main(void)
{
	parts_init();
	RUN(test_workers_then_the_rest_then_we);
	RUN(test_the_cache_is_waited_for);
	RUN(test_asked_again_or_too_late_all_are_killed);
	RUN(test_who_is_buried_is_not_killed);
	RUN(test_who_has_not_taken_over_ends_alone);
	RUN(test_fatal_ends_with_an_error);
	return (test_failed());
}
