/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "auth/auth.h"

static enum registry_link
status_link(const struct auth *auth)
{
	if (auth->conf.rate == 0)
		return (REGISTRY_NONE);
	if (auth->registry.fd == -1)
		return (REGISTRY_DOWN);
	return (auth->registry.answered ? REGISTRY_UP : REGISTRY_PROBED);
}

static void
status_latency(const struct registry *r, struct msg_registry_status *msg)
{
	const struct registry_latency *of[] = { &r->now, &r->before };
	uint32_t count, i;
	uint64_t sum;

	msg->latency_last = r->latency;
	for (i = count = 0, sum = 0; i < 2; i++) {
		if (of[i]->minute + 1 < clock_seconds() / 60)
			continue;
		count += of[i]->count;
		sum += of[i]->sum;
		if (of[i]->max > msg->latency_max)
			msg->latency_max = of[i]->max;
	}
	if (count > 0)
		msg->latency_mean = (uint32_t)(sum / count);
}

/* Tells the parent how things are with the registry, if they have changed. */
void
status_tell(struct auth *auth)
{
	struct msg_registry_status msg;

	memset(&msg, 0, sizeof(msg));
	msg.link = status_link(auth);
	msg.json = auth->registry.framing == WIRE_JSON;
	msg.waiting = auth->lookups.nwaiting;
	msg.queued = lookup_queued(&auth->lookups);
	msg.outstanding = auth->registry.count;
	msg.budget = budget_left(&auth->registry.budget);
	msg.keys = auth->store.learned.count;
	msg.keys_max = keystore_room(&auth->store);
	msg.snapshot = auth->store.snapshot.count;
	msg.written = auth->store.written;
	msg.enrolled = auth->enrolled;
	msg.beacons = auth->beacons;
	status_latency(&auth->registry, &msg);
	if (memcmp(&msg, &auth->told, sizeof(msg)) == 0)
		return;
	auth->told = msg;
	tell_parent(auth, AP_STATUS, &msg, sizeof(msg));
}
