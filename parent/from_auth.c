/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "parent/parent.h"

/*
 * Boolean: it is the one that is asked, and not one beside it (beside.c).  What
 * that one says of keys and of the registry is passed over.
 */
static int
from_auth_is_asked(const struct process *p)
{
	return (p->place == &p->parent->auth);
}

static const char *
from_auth_ready(void *owner, const void *data, size_t len, int fd)
{
	const char *reason;

	reason = supervise_ready(owner, data);
	if (reason == NULL && from_auth_is_asked(owner))
		reload_lost(((struct process *)owner)->parent);
	return (reason);
}

static const char *
from_auth_admit(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_admit *admit;
	struct process *p;

	p = owner;
	admit = data;
	return (admit_login(p->parent, admit));
}

/*
 * Boolean: may the time of a key be over though auth has read no others?  What
 * a registry knows may change at any time, and what a snapshot has replaced
 * serves for a grace.
 */
static int
from_auth_keys_end(const struct parent *parent)
{
	return (parent->registry.target.name[0] != '\0' ||
		parent->conf_start->keys_snapshot[0] != '\0');
}

/*
 * What auth takes away is given by the keys of before: no session that today's
 * have admitted, and so no session twice; but where keys end by themselves.
 * Nor all of them at once; those that are left over end at one of auth's next
 * looks.
 */
static const char *
from_auth_revoke(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_closed *revoke;
	struct budget *budget;
	struct process *p;

	p = owner;
	revoke = data;
	if (!from_auth_is_asked(p) || !admit_is_open(p->parent, revoke))
		return (channel_charge(&p->channel, 1));
	budget = &p->parent->revocations;
	if ((int32_t)(revoke->generation - p->parent->keys_generation) > 0) {
		/* An auth with other keys may still let them in. */
		if (!from_auth_keys_end(p->parent) &&
		    p->parent->auth_beside.role == NULL)
			return ("revocation without new keys");
		budget = &p->parent->unlearned;
	}
	if (!budget_take(budget, 1)) {
		counters_add(COUNTER_REVOKE_LATER, 1);
		return (channel_charge(&p->channel, 1));
	}
	(void)admit_revoke(p->parent, revoke);
	return (NULL);
}

static const char *
from_auth_keys(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_keys_read *keys;
	struct process *p;

	/* Each is a line in the log, so none goes without a question. */
	p = owner;
	if (!from_auth_is_asked(p))
		return (NULL);
	if (p->parent->keys_asked == 0)
		return ("keys that it was not given");
	p->parent->keys_asked--;
	logfd_drain(p);
	keys = data;
	if (keys->result > KEYS_SUPERSEDED)
		return ("keys with a result that there is not");
	if (keys->result == KEYS_READ) {
		p->parent->keys_missed = 0;
		p->parent->keys = keys->keys;
		p->parent->key_lines_bad = keys->bad;
		p->parent->keys_generation = p->parent->map.generation;
		log_info("%u keys read from %s, %u lines skipped", keys->keys,
		    p->parent->conf->keys_file, keys->bad);
	}
	if (p->parent->keys_asked == 0)
		reload_over(p->parent, keys->result == KEYS_READ);
	return (NULL);
}

/* Auth has caught a worker at something; the parent judges whether it can. */
static const char *
from_auth_hostile(void *owner, const void *data, size_t len, int fd)
{
	char reason[PROTO_REASON_LEN + sizeof("auth says: ")];
	const struct msg_hostile *hostile;
	struct process *p, *worker;
	struct place *place;

	p = owner;
	hostile = data;
	if (memchr(hostile->reason, '\0', sizeof(hostile->reason)) == NULL)
		return ("malformed message");
	if (hostile->worker >= PROTO_PLACES_MAX ||
	    p->parent->workers[hostile->worker].epoch == 0)
		return ("complaint about no worker");
	place = &p->parent->workers[hostile->worker];
	if (hostile->epoch > place->epoch)
		return ("complaint about a worker yet to come");
	if (hostile->epoch != place->epoch)
		return (NULL);
	/* Workers are not caught without end: rather it is auth that lies. */
	if (!budget_take(&p->complaints, COMPLAINT_COST))
		return ("complaints without end");
	worker = process_of(place, hostile->epoch);
	if (worker == NULL)
		return (NULL);
	(void)snprintf(
	    reason, sizeof(reason), "auth says: %s", hostile->reason);
	process_kill(worker, reason);
	return (NULL);
}

static const char *
from_auth_pong(void *owner, const void *data, size_t len, int fd)
{
	struct process *p;

	p = owner;
	p->unanswered = 0;
	return (NULL);
}

static const char *
from_auth_registry(void *owner, const void *data, size_t len, int fd)
{
	struct process *p;

	p = owner;
	return (from_auth_is_asked(p) ? registry_ended(p->parent, data) : NULL);
}

static const char *
from_auth_beacon(void *owner, const void *data, size_t len, int fd)
{
	struct process *p;

	p = owner;
	return (from_auth_is_asked(p) ? beacons_row(p->parent, data) : NULL);
}

static const char *
from_auth_snapshot(void *owner, const void *data, size_t len, int fd)
{
	struct process *p;

	p = owner;
	return (from_auth_is_asked(p) ? keys_snapshot_answer(p->parent, data)
				      : NULL);
}

static const char *
from_auth_cache(void *owner, const void *data, size_t len, int fd)
{
	struct process *p;

	p = owner;
	return (
	    from_auth_is_asked(p) ? keys_cache_answer(p->parent, data) : NULL);
}

static const char *
from_auth_status(void *owner, const void *data, size_t len, int fd)
{
	struct process *p;

	p = owner;
	return (
	    from_auth_is_asked(p) ? registry_status(p->parent, data) : NULL);
}

#define STARTING PROCESS_STARTING
#define ANY      (PROCESS_STARTING | PROCESS_RUNNING)

/* An auth that was started anew finds logins under way and sessions to end. */
const struct channel_rule from_auth_rules[] = {
	CHANNEL_RULE(
	    AP_READY, sizeof(struct msg_hello), STARTING, from_auth_ready),
	CHANNEL_RULE(AP_ADMIT, sizeof(struct msg_admit), ANY, from_auth_admit),
	/* Charged when it ends nothing. */
	{ AP_REVOKE, "AP_REVOKE", sizeof(struct msg_closed),
	    sizeof(struct msg_closed), CHANNEL_NO_FD, ANY, 0,
	    from_auth_revoke },
	CHANNEL_RULE(
	    AP_KEYS, sizeof(struct msg_keys_read), ANY, from_auth_keys),
	CHANNEL_RULE(
	    AP_HOSTILE, sizeof(struct msg_hostile), ANY, from_auth_hostile),
	CHANNEL_RULE(AP_PONG, 0, ANY, from_auth_pong),
	CHANNEL_RULE(AP_REGISTRY, sizeof(struct msg_registry_end), ANY,
	    from_auth_registry),
	CHANNEL_RULE(AP_SNAPSHOT, sizeof(struct msg_snapshot_read), ANY,
	    from_auth_snapshot),
	CHANNEL_RULE(
	    AP_CACHE, sizeof(struct msg_cache_written), ANY, from_auth_cache),
	CHANNEL_RULE(
	    AP_BEACON, sizeof(struct msg_beacon_row), ANY, from_auth_beacon),
	CHANNEL_RULE(AP_STATUS, sizeof(struct msg_registry_status), ANY,
	    from_auth_status),
};
const size_t from_auth_nrules =
    sizeof(from_auth_rules) / sizeof(from_auth_rules[0]);
