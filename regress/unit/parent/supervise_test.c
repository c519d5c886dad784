/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/prctl.h>

#include <signal.h>

#include "common/sums.h"
#include "parent/notify.h"
#include "regress/unit/still_clock.h"

#include "regress/unit/parent/parts.h"

/* Children are started, looked after, buried and started again. */

static int spawns, fails; /* spawn(): calls; boolean: it can't */
static int introduced, connected, reaped_told, ready_told, lost, dead;

/* Times that all were ready to take over from another parent. */
static int took_over;
static int gossips;

static void
let_go(struct process *p)
{
	lost++;
}

static void
is_dead(struct process *p)
{
	dead++;
}

static void
introduce(struct process *p)
{
}

static const struct role_rules all_roles[ROLE_MAX] = {
	[ROLE_AUTH] = { .id = ROLE_AUTH,
	    .name = "auth",
	    .deaths = 2,
	    .start = 5,
	    .ping = 6,
	    .introduce = introduce },
	[ROLE_WORKER] = { .id = ROLE_WORKER,
	    .name = "worker",
	    .start = 5,
	    .ping = 6,
	    .introduce = introduce,
	    .lost = let_go,
	    .dead = is_dead },
	[ROLE_METRICS] = { .id = ROLE_METRICS,
	    .name = "metrics",
	    .start = 5,
	    .ping = 6,
	    .introduce = introduce,
	    .shutdown = 7,
	    .alone = 1 },
};

int
spawn(struct process *p, channel_end_fn end)
{
	static const struct channel_rule no_rules[1];
	int pair[2];
	pid_t test;

	spawns++;
	test = getpid();
	if (fails)
		return (-1);
	if (channel_pair(pair) == -1 ||
	    channel_open(&p->channel, parent.loop, pair[0], "child", no_rules,
		0, end, p) == -1)
		abort();
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0) {
		/* A test that fails, or is to be fatal, leaves nobody. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != test)
			_exit(0);
		(void)close(pair[0]);
		(void)pause();
		_exit(0);
	}
	(void)close(pair[1]);
	return (0);
}

static void
go(struct parent *of)
{
	took_over++;
}

void
gossip_send_start(struct parent *of)
{
	gossips++;
}

void
wiring_introduce(struct process *p)
{
	introduced++;
}

static struct process *joined[2]; /* of wiring_connect() */

void
wiring_connect(struct process *a, struct process *b)
{
	if (a != NULL && b != NULL && a != b)
		connected++;
	joined[0] = a;
	joined[1] = b;
}

void
logfd_close(struct process *p)
{
}

void
metrics_fold(struct process *p)
{
}

void
metrics_publish_loads(struct parent *of)
{
}

void
shutdown_reaped(struct parent *of)
{
	reaped_told++;
}

void
shutdown_fatal(struct parent *of, const char *fmt, ...)
{
	_exit(33);
}

void
notify_ready(const char *status)
{
	ready_told++;
}

static void
kill_all(void)
{
	struct place *place;
	uint32_t i;

	parent.stopping = 2;
	for (i = 0; (place = process_place(&parent, i)) != NULL; i++) {
		if (place->child != NULL)
			(void)kill(place->child->pid, SIGKILL);
		ev_timer_stop(parent.loop, &place->restart);
	}
	for (i = 0; (place = process_place(&parent, i)) != NULL; i++)
		while (place->child != NULL)
			ev_run(parent.loop, EVRUN_ONCE);
}

static void
begin(void)
{
	kill_all();
	parent.stopping = parent.ready = fails = 0;
	spawns = introduced = connected = reaped_told = ready_told = 0;
	lost = dead = took_over = gossips = 0;
	parent.successor.pending = parent.successor.asks = 0;
	parent.successor.go = go;
	parent.park.stage = PARK_NOT;
	supervise_start_all(&parent);
}

static const char *
is_ready(struct place *place)
{
	struct msg_hello hello;

	proto_fill_hello(&hello);
	hello.worker = place->number;
	hello.epoch = place->child->epoch;
	return (supervise_ready(place->child, &hello));
}

static int
all_are_ready(void)
{
	struct place *place;
	uint32_t i;

	for (i = 0; (place = process_place(&parent, i)) != NULL; i++)
		if (is_ready(place) != NULL)
			return (0);
	return (1);
}

/* The child dies by that signal, and is buried. */
static void
dies(struct place *place, int number)
{
	(void)kill(place->child->pid, number);
	while (place->child != NULL)
		ev_run(parent.loop, EVRUN_ONCE);
}

/* Its time has come, if it is to come back at all. */
static void
comes_back(struct place *place)
{
	ev_timer_stop(parent.loop, &place->restart);
	ev_feed_event(parent.loop, &place->restart, EV_TIMER);
	ev_invoke_pending(parent.loop);
}

static void
test_all_at_once(void)
{
	begin();
	/* Auth with two workers, and they with each other; metrics alone. */
	CHECK(spawns == 4 && introduced == 4 && connected == 3);
	CHECK(strcmp(parent.workers[1].name, "worker[1]") == 0);
	CHECK(parent.auth.child->state == CHILD_STARTING);
	CHECK(parent.auth.child->channel.state == PROCESS_STARTING);
}

static void
test_ready_when_the_last_is(void)
{
	begin();
	CHECK(is_ready(&parent.auth) == NULL && !parent.ready);
	CHECK(is_ready(&parent.workers[0]) == NULL);
	CHECK(is_ready(&parent.metrics) == NULL && ready_told == 0);
	CHECK(is_ready(&parent.workers[1]) == NULL);
	CHECK(parent.ready && ready_told == 1 && gossips == 1);
	CHECK(parent.auth.child->channel.state == PROCESS_RUNNING);
}

/* Then its sessions come first. */
static void
test_who_takes_over_does_not_serve_yet(void)
{
	begin();
	parent.successor.pending = 1;
	CHECK(all_are_ready() && took_over == 1);
	CHECK(!parent.ready && ready_told == 0 && gossips == 0);
	supervise_serve(&parent);
	CHECK(parent.ready && ready_told == 1 && gossips == 1);
}

static void
dies_too_early(void)
{
	ev_loop_fork(parent.loop);
	begin();
	parent.successor.pending = parent.successor.asks = 1;
	if (!all_are_ready())
		_exit(2);
	dies(&parent.workers[0], SIGSEGV);
}

/* Whoever runs has all sessions still. */
static void
test_a_child_that_dies_before_we_have_taken_over(void)
{
	kill_all();
	CHECK(parts_apart(dies_too_early) == 33);
}

/* Auth is not listened to then, and its answer would be missed. */
static void
test_no_pings_while_all_stand_still(void)
{
	begin();
	CHECK(all_are_ready());
	parent.park.stage = PARK_STILL;
	ev_feed_event(parent.loop, &parent.ping, EV_TIMER);
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	CHECK(parent.auth.child->unanswered == 0);
	parent.park.stage = PARK_LISTENERS;
	ev_feed_event(parent.loop, &parent.ping, EV_TIMER);
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	CHECK(parent.auth.child->unanswered == 1);
}

static void
test_a_child_that_is_confused(void)
{
	struct msg_hello hello;

	begin();
	proto_fill_hello(&hello);
	hello.worker = 1;
	hello.epoch = parent.workers[0].child->epoch;
	CHECK(supervise_ready(parent.workers[0].child, &hello) != NULL);
	hello.worker = 0;
	hello.epoch++;
	CHECK(supervise_ready(parent.workers[0].child, &hello) != NULL);
	hello.epoch--;
	hello.layout++;
	CHECK(supervise_ready(parent.workers[0].child, &hello) != NULL);
	hello.layout--;
	CHECK(supervise_ready(parent.workers[0].child, &hello) == NULL);
}

/* The first time at once, then later and later, until it has lived. */
static void
test_started_again_and_later_each_time(void)
{
	struct place *place;
	double last;
	int i;

	begin();
	CHECK(all_are_ready());
	place = &parent.workers[0];
	place->backoff = 0.;
	dies(place, SIGKILL);
	CHECK(lost == 1 && dead == 1 && ev_is_active(&place->restart));
	CHECK(ev_timer_remaining(parent.loop, &place->restart) <= 0.01);
	while (place->child == NULL)
		ev_run(parent.loop, EVRUN_ONCE);
	CHECK(place->restarts == 1 && spawns == 5 && introduced == 5);
	CHECK(connected == 5);
	for (i = 0, last = 0.; i < 12; i++) {
		place->backoff = i == 0 ? BACKOFF_FIRST : place->backoff;
		dies(place, SIGKILL);
		last = ev_timer_remaining(parent.loop, &place->restart);
		comes_back(place);
	}
	CHECK(last > BACKOFF_MAX - 1. && last <= BACKOFF_MAX + 0.1);
	still_pass(BACKOFF_RESET);
	dies(place, SIGKILL);
	CHECK(place->backoff == BACKOFF_FIRST);
}

/* Without memory or descriptors: it is tried again. */
static void
test_one_that_cannot_be_started(void)
{
	struct place *place;

	begin();
	CHECK(all_are_ready());
	place = &parent.workers[0];
	dies(place, SIGKILL);
	fails = 1;
	comes_back(place);
	CHECK(place->child == NULL && ev_is_active(&place->restart));
	fails = 0;
}

static void
test_deaths_of_a_break_in(void)
{
	static const int security[] = { SIGSYS, SIGSEGV, SIGABRT };
	uint64_t was;
	size_t i;

	begin();
	CHECK(all_are_ready());
	was = COUNTED(SECURITY);
	for (i = 0; i < sizeof(security) / sizeof(security[0]); i++) {
		dies(&parent.workers[0], security[i]);
		CHECK(COUNTED(SECURITY) == was + i + 1);
		comes_back(&parent.workers[0]);
	}
	dies(&parent.workers[0], SIGTERM);
	CHECK(COUNTED(SECURITY) == was + 3);
}

/* Counted by what it did not answer, not by the clock. */
static void
test_one_that_hangs(void)
{
	struct process *p;
	int i;

	begin();
	CHECK(all_are_ready());
	p = parent.workers[0].child;
	for (i = 0; i < 100 && !p->killed; i++) {
		parent.workers[1].child->unanswered = 0;
		parent.auth.child->unanswered = 0;
		parent.metrics.child->unanswered = 0;
		ev_feed_event(parent.loop, &parent.ping, EV_TIMER);
		ev_invoke_pending(parent.loop);
	}
	CHECK(i == CHILD_HANG_TIMEOUT / CHILD_PING_INTERVAL + 1);
	CHECK(!parent.workers[1].child->killed);
}

static void
auth_keeps_dying(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		dies(&parent.auth, SIGKILL);
		comes_back(&parent.auth);
	}
}

static void
auth_dies_now_and_then(void)
{
	int i;

	for (i = 0; i < 5; i++) {
		still_pass(DEATHS_WINDOW / 2.);
		dies(&parent.auth, SIGKILL);
		comes_back(&parent.auth);
	}
}

/* A child of this process is no child of a fork of it: begin there. */
static void
start_and_keep_dying(void)
{
	ev_loop_fork(parent.loop);
	begin();
	(void)all_are_ready();
	parent.auth.deaths_since = 0;
	auth_keeps_dying();
}

static void
start_and_die_now_and_then(void)
{
	ev_loop_fork(parent.loop);
	begin();
	(void)all_are_ready();
	parent.auth.deaths_since = 0;
	auth_dies_now_and_then();
	kill_all();
}

static void
start_and_die_at_once(void)
{
	ev_loop_fork(parent.loop);
	begin();
	parent.auth.was_ready = 0;
	dies(&parent.auth, SIGKILL);
}

static void
test_what_cannot_be_done_without_ends_it_all(void)
{
	kill_all();
	CHECK(parts_apart(start_and_keep_dying) == 33);
	CHECK(parts_apart(start_and_die_now_and_then) == 0);
	/* One that has never come up never will. */
	CHECK(parts_apart(start_and_die_at_once) == 33);
}

static void
test_nobody_is_started_while_we_end(void)
{
	begin();
	CHECK(all_are_ready());
	parent.stopping = 1;
	dies(&parent.workers[0], SIGKILL);
	CHECK(reaped_told == 1 && !ev_is_active(&parent.workers[0].restart));
	comes_back(&parent.workers[0]);
	CHECK(parent.workers[0].child == NULL);
}

/* Metrics that a reload has put an end to, or wants again. */
static void
test_metrics_come_and_go(void)
{
	struct place *place;
	size_t was;

	begin();
	CHECK(all_are_ready());
	place = &parent.metrics;
	was = channel_queued(&place->child->channel);
	supervise_metrics(&parent, 0);
	/* It is told, and nobody comes after it. */
	CHECK(channel_queued(&place->child->channel) > was && place->retired);
	dies(place, SIGTERM);
	CHECK(place->role == NULL && !ev_is_active(&place->restart));
	CHECK(process_place(&parent, 3) == NULL);
	supervise_metrics(&parent, 0);
	CHECK(place->role == NULL);
	supervise_metrics(&parent, 1);
	CHECK(place->role == &all_roles[ROLE_METRICS]);
	CHECK(ev_is_active(&place->restart));
	comes_back(place);
	CHECK(place->child != NULL && is_ready(place) == NULL);
	/* Wanted again before it has ended. */
	supervise_metrics(&parent, 0);
	supervise_metrics(&parent, 1);
	dies(place, SIGTERM);
	CHECK(place->role != NULL && ev_is_active(&place->restart));
	/* Not wanted any more while there is none: at once. */
	supervise_metrics(&parent, 0);
	CHECK(place->role == NULL && !ev_is_active(&place->restart));
	supervise_metrics(&parent, 1);
}

static void
test_new_workers_ask_the_new_auth(void)
{
	struct place *beside, *worker;

	begin();
	CHECK(all_are_ready());
	beside = &parent.auth_beside;
	worker = &parent.workers[PROTO_WORKERS_MAX];
	supervise_worker(&parent, worker, 1);
	supervise_beside(&parent, beside, ROLE_AUTH);
	CHECK(beside->candidate && strcmp(beside->name, "auth") == 0);
	connected = 0;
	comes_back(worker);
	CHECK(connected == 2);
	comes_back(beside);
	CHECK(connected == 3 && joined[0] == beside->child);
	CHECK(joined[1] == worker->child);
	/* An old worker goes on with the old one. */
	worker->candidate = beside->candidate = 0;
	beside->leaving = parent.workers[0].leaving = 1;
	dies(&parent.auth, SIGTERM);
	connected = 0;
	comes_back(&parent.auth);
	CHECK(connected == 2 && joined[1] == worker->child);
	/* Without an upgrade it is all the same. */
	beside->retired = worker->retired = 1;
	dies(beside, SIGTERM);
	dies(worker, SIGTERM);
	CHECK(beside->role == NULL && worker->role == NULL);
	dies(&parent.auth, SIGTERM);
	connected = 0;
	comes_back(&parent.auth);
	CHECK(connected == 2);
	parent.workers[0].leaving = 0;
}

/* Ours has a place that no worker of another parent has. */
static void
test_a_place_beside(void)
{
	static struct parent another;

	another.loop = parent.loop;
	another.roles = parent.roles;
	another.nworkers = 2;
	another.successor.adopt.likely = 1;
	another.successor.places[0] = 1U << 1;
	supervise_init(&another);
	CHECK(another.workers[0].role != NULL);
	CHECK(another.workers[1].role == NULL);
	CHECK(another.workers[1 + PROTO_WORKERS_MAX].role != NULL);
	CHECK(strcmp(another.workers[1 + PROTO_WORKERS_MAX].name,
		  "worker[1]") == 0);
	ev_timer_stop(another.loop, &another.ping);
}

/* One that another parent has started: it is what that one said it is. */
static void
test_one_that_is_adopted(void)
{
	struct msg_ctl_ward ward = { ROLE_WORKER, 7, 5, 1234, 30 };
	struct process *p;

	p = supervise_adopt(&parent, &parent.workers[7], &ward);
	CHECK(p != NULL && p->place == &parent.workers[7] && p->epoch == 5);
	CHECK(parent.workers[7].number == 7 && p->state == CHILD_DOWN);
	CHECK(clock_seconds() - p->started - 30 <= 1 && p->watcher.fd == -1);
	CHECK(process_of(&parent.workers[7], 5) == NULL);
	process_free(p);
	parent.workers[7].role = NULL;
}

int
main(void)
{
	static struct sums sums;

	/* Not the sanitizer's, which would have a child exit. */
	(void)signal(SIGSEGV, SIG_DFL);
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	if (parent.loop == NULL)
		return (1);
	parent.nworkers = 2;
	parent.roles = all_roles;
	parent.sums = &sums;
	supervise_init(&parent);
	RUN(test_all_at_once);
	RUN(test_ready_when_the_last_is);
	RUN(test_who_takes_over_does_not_serve_yet);
	RUN(test_a_child_that_dies_before_we_have_taken_over);
	RUN(test_no_pings_while_all_stand_still);
	RUN(test_a_child_that_is_confused);
	RUN(test_started_again_and_later_each_time);
	RUN(test_one_that_cannot_be_started);
	RUN(test_deaths_of_a_break_in);
	RUN(test_one_that_hangs);
	RUN(test_what_cannot_be_done_without_ends_it_all);
	RUN(test_nobody_is_started_while_we_end);
	RUN(test_metrics_come_and_go);
	RUN(test_new_workers_ask_the_new_auth);
	kill_all();
	RUN(test_a_place_beside);
	RUN(test_one_that_is_adopted);
	return (test_failed());
}
