/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/auth.h"
#include "auth/beacon_list.h"

/*
 * This beacon on the registry's list, and that list to the parent: again and
 * again, or the registry forgets it (doc/protocol.md 6).
 */
#define ENROLL_EVERY 30 /* seconds */

static void
enroll_trouble(struct auth *auth, const char *what)
{
	log_limited(&auth->troubles, clock_seconds(),
	    "registry: beacon not registered: %s", what);
}

/* Asks to be on the list, and for it, when it is time to. */
void
enroll_turn(struct auth *auth)
{
	static const char list[] = "{\"type\":\"beacon_list\"}";
	char object[WIRE_OBJECT_MAX];
	size_t len;
	uint32_t now;

	now = clock_seconds();
	if (!auth->conf.enroll || now < auth->enroll_due ||
	    !registry_may_ask(&auth->registry))
		return;
	len = beacon_list_request(&auth->conf, object, sizeof(object));
	if (len == 0) {
		enroll_trouble(auth, "token or address is no text");
		auth->enroll_due = now + ENROLL_EVERY;
		return;
	}
	if (registry_object(&auth->registry, REGISTRY_ENROLL, object, len) ==
		-1 ||
	    registry_object(
		&auth->registry, REGISTRY_LIST, list, sizeof(list) - 1) == -1)
		return;
	auth->enroll_due = now + ENROLL_EVERY;
}

static void
enroll_row(void *arg, const struct msg_beacon_row *row)
{
	tell_parent(arg, AP_BEACON, row, sizeof(*row));
}

/* The answer to a request that is not about a node. */
void
enroll_answer(
    struct auth *auth, enum registry_kind kind, const struct wire_answer *a)
{
	if (kind == REGISTRY_ENROLL && a->kind == WIRE_OBJECT)
		auth->enrolled = clock_seconds();
	else if (kind == REGISTRY_ENROLL)
		enroll_trouble(auth, a->error);
	else if (kind == REGISTRY_LIST && a->kind == WIRE_OBJECT &&
		 beacon_list_parse(a->object, a->object_len,
		     auth->conf.beacon_id, enroll_row, auth,
		     &auth->beacons) == -1)
		enroll_trouble(auth, "the list of beacons is none");
}
