/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stddef.h>

#include "parent/parent.h"

#define ROLES_AUTH_DEATHS 10

static void
roles_worker_dead(struct process *p)
{
	struct parent *parent;
	uint32_t i;

	parent = p->parent;
	gossip_forget(p);
	if (listen_check(p) == 0 || !parent->steered)
		return;
	steer_no_more(parent);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].child != NULL)
			wiring_settings(parent->workers[i].child);
}

static void
roles_worker_lost(struct process *p)
{
	move_lost(p);
	unpark_lost(p);
	park_lost(p);
	admit_worker_lost(p);
}

static void
roles_worker_left(struct place *place)
{
	int candidate;

	candidate = place->candidate;
	places_left(place);
	if (candidate)
		renew_failed(place->parent, "one has died");
}

/* Auth or metrics, of which one beside another is gone; see beside.c. */
static void
roles_beside_left(struct place *place)
{
	int candidate;

	candidate = place->candidate;
	place->candidate = 0;
	place->leaving = 0;
	if (candidate)
		renew_failed(place->parent, "one has died");
}

static void
roles_auth_lost(struct process *p)
{
	/* What another one has is not lost with it. */
	if (p->place != &p->parent->auth)
		return;
	if (p->parent->park.stage == PARK_ENTRUSTED)
		park_fail(p->parent, "auth has died");
	registry_lost(p);
	keys_cache_lost(p);
}

/* The parent itself has no row: nobody starts it. */
const struct role_rules roles[ROLE_MAX] = {
	[ROLE_AUTH] = {
		.id = ROLE_AUTH,
		.name = "auth",
		.program = "beacond-auth",
		.user = offsetof(struct config, auth_user),
		/* Without it nobody gets in: better to begin anew. */
		.deaths = ROLES_AUTH_DEATHS,
		.rules = from_auth_rules,
		.nrules = &from_auth_nrules,
		.hello = PA_HELLO,
		.settings = PA_SETTINGS,
		.map = PA_MAP,
		.counters = PA_COUNTERS,
		.start = PA_START,
		.ping = PA_PING,
		.shutdown = PA_SHUTDOWN,
		.introduce = wiring_introduce_auth,
		.lost = roles_auth_lost,
		.ready = renew_ready,
		.left = roles_beside_left,
	},
	[ROLE_METRICS] = {
		.id = ROLE_METRICS,
		.name = "metrics",
		.program = "beacond-metrics",
		.user = offsetof(struct config, metrics_user),
		.rules = from_metrics_rules,
		.nrules = &from_metrics_nrules,
		.hello = PM_HELLO,
		.counters = PM_COUNTERS,
		.start = PM_START,
		.ping = PM_PING,
		.shutdown = PM_SHUTDOWN,
		.introduce = wiring_introduce_metrics,
		.ready = renew_ready,
		.left = roles_beside_left,
		.alone = 1,
	},
	[ROLE_WORKER] = {
		.id = ROLE_WORKER,
		.name = "worker",
		.program = "beacond-worker",
		.user = offsetof(struct config, worker_user),
		.rules = from_worker_rules,
		.nrules = &from_worker_nrules,
		.hello = PW_HELLO,
		.settings = PW_SETTINGS,
		.map = PW_MAP,
		.counters = PW_COUNTERS,
		.start = PW_START,
		.ping = PW_PING,
		.shutdown = PW_SHUTDOWN,
		.introduce = wiring_introduce_worker,
		.lost = roles_worker_lost,
		.dead = roles_worker_dead,
		.ready = renew_ready,
		.left = roles_worker_left,
	},
};
