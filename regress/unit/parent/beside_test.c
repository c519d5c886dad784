/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/parent/parts.h"

/* A new auth and new metrics beside the old ones, and then in their places. */

static char did[128];
static struct process new_auth, new_metrics;
static struct role_rules rules[2];

static void
say(const char *what)
{
	(void)strlcat(did, what, sizeof(did));
}

static void
lost(struct process *p)
{
	say(p->place == &parent.auth ? "lost " : "of another ");
}

void
supervise_beside(struct parent *of, struct place *beside, enum role role)
{
	struct process *p;

	p = role == ROLE_AUTH ? &new_auth : &new_metrics;
	beside->parent = of;
	beside->role = &rules[role != ROLE_AUTH];
	beside->candidate = 1;
	beside->child = p;
	p->parent = of;
	p->place = beside;
	say(role == ROLE_AUTH ? "auth " : "metrics ");
}

void
supervise_retire(struct place *place)
{
	place->role = NULL;
	say("retired ");
}

void
wiring_auth_takes_over(struct process *p)
{
	say(p == &new_auth ? "new " : "old ");
}

void
wiring_unlisten(struct process *p, const struct listener *listener)
{
	say(p == &new_metrics ? "new-unlisten " : "unlisten ");
}

/* An old one of each, as at the start. */
static void
begin(void)
{
	did[0] = '\0';
	parent.places.renewal.awaited = 0;
	memset(&parent.auth_beside, 0, sizeof(parent.auth_beside));
	memset(&parent.metrics_beside, 0, sizeof(parent.metrics_beside));
	parent.auth.restarts = 7;
	beside_begin(&parent);
}

static void
test_new_ones_take_over(void)
{
	static struct listener web = { .kind = LISTENER_WEBSOCKET };
	static struct listener metrics = { .kind = LISTENER_METRICS };
	struct process *old;

	TAILQ_INSERT_TAIL(&parent.listeners, &web, entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &metrics, entry);
	old = parent.auth.child;
	begin();
	CHECK(strcmp(did, "auth metrics ") == 0);
	CHECK(parent.places.renewal.awaited == 2 && beside_is_busy(&parent));
	CHECK(parent.auth_beside.restarts == 7);
	CHECK(process_place(&parent, 4) == &parent.auth_beside);
	CHECK(process_place(&parent, 5) == &parent.metrics_beside);
	CHECK(process_place(&parent, 6) == NULL);
	did[0] = '\0';
	beside_take_over(&parent);
	CHECK(strcmp(did, "lost new unlisten ") == 0);
	CHECK(parent.auth.child == &new_auth && new_auth.place == &parent.auth);
	CHECK(parent.auth_beside.child == old);
	CHECK(old->place == &parent.auth_beside);
	CHECK(parent.auth_beside.retired && parent.auth_beside.leaving &&
	      !parent.auth_beside.candidate);
	CHECK(parent.metrics.child == &new_metrics);
	/* They are told to end, and have. */
	beside_end(&parent);
	parent.auth.child = old;
	CHECK(parts_told(0, PARTS_SHUTDOWN, NULL, 0) == 1);
	old->place = &parent.auth;
	parent.metrics.child = parent.metrics_beside.child;
	parent.metrics.child->place = &parent.metrics;
}

static void
test_an_old_one_that_is_dead(void)
{
	struct process *old;

	old = parent.auth.child;
	begin();
	parent.auth.child = NULL;
	ev_timer_set(&parent.auth.restart, 100., 0.);
	ev_timer_start(parent.loop, &parent.auth.restart);
	did[0] = '\0';
	parent.metrics_beside.candidate = 0;
	beside_take_over(&parent);
	CHECK(strcmp(did, "retired new ") == 0);
	CHECK(!ev_is_active(&parent.auth.restart));
	CHECK(parent.auth_beside.role == NULL);
	CHECK(parent.auth.child == &new_auth);
	parent.auth.child = old;
}

/* Metrics that a reload has ended meanwhile. */
static void
test_metrics_that_nobody_wants_any_more(void)
{
	begin();
	parent.metrics.retired = 1;
	beside_take_over(&parent);
	CHECK(parent.metrics.child != &new_metrics);
	/* It is told to end, as it is one that leaves. */
	CHECK(parent.metrics_beside.retired && parent.metrics_beside.leaving);
	did[0] = '\0';
	begin();
	CHECK(strcmp(did, "auth ") == 0);
	parent.metrics.retired = 0;
}

static void
no_restart(struct ev_loop *loop, ev_timer *w, int revents)
{
}

int
main(void)
{
	parts_init();
	rules[0] = *parent.auth.role;
	rules[0].lost = lost;
	rules[1] = *parent.metrics.role;
	parent.auth.role = &rules[0];
	parent.metrics.role = &rules[1];
	rules[1].id = ROLE_METRICS;
	ev_timer_init(&parent.auth.restart, no_restart, 0., 0.);
	ev_timer_init(&parent.metrics.restart, no_restart, 0., 0.);
	RUN(test_new_ones_take_over);
	RUN(test_an_old_one_that_is_dead);
	RUN(test_metrics_that_nobody_wants_any_more);
	return (test_failed());
}
