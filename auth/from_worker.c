/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/counters.h"

#include "auth/auth.h"
#include "auth/grant.h"

#define WORKER_STATE 1U /* there is but one */

static const char from_worker_deaf[] = "does not read its answers";

/* Ends the worker's turn when it has had its share, or there is no room. */
static void
from_worker_spend(struct auth_worker *w)
{
	if (++w->turn < AUTH_TURN && !tell_congested(w->auth))
		return;
	channel_pause(&w->channel);
	turn_wake(w->auth);
}

static const char *
from_worker_nonces(void *owner, const void *data, size_t len, int fd)
{
	uint8_t nonces[PROTO_NONCES_MAX * PROTO_NONCE_LEN];
	const struct msg_nonces_wanted *wanted;
	struct auth_worker *w;
	struct msg_nonces msg;
	struct iovec iov[2];
	uint32_t now;

	w = owner;
	wanted = data;
	if (wanted->count == 0 || wanted->count > PROTO_NONCES_MAX)
		return ("number of nonces out of range");
	now = clock_seconds();
	if (!persecond_take(
		&w->nonces, now, wanted->count, AUTH_NONCES_PER_SECOND))
		return ("asks for nonces without end");
	challenge_wall(&w->challenge, clock_wall_offset());
	msg.first = challenge_issue(&w->challenge, wanted->count, now, nonces);
	msg.count = wanted->count;
	msg.wall = w->challenge.wall;
	iov[0].iov_base = &msg;
	iov[0].iov_len = sizeof(msg);
	iov[1].iov_base = nonces;
	iov[1].iov_len = wanted->count * PROTO_NONCE_LEN;
	if (channel_sendv(&w->channel, AW_NONCES, 0, iov, 2) == -1)
		return (from_worker_deaf);
	from_worker_spend(w);
	return (NULL);
}

static const char *
from_worker_verify(void *owner, const void *data, size_t len, int fd)
{
	if (login_verify(owner, data) == -1)
		return (from_worker_deaf);
	from_worker_spend(owner);
	return (NULL);
}

/*
 * The table is full: nodes that nobody has heard of for long make room, or
 * whoever makes up enough of them would shut all later ones out for good.
 */
static void
from_worker_first_keys_full(struct auth *auth)
{
	uint32_t now;

	counters_add(COUNTER_FIRST_KEYS_FULL, 1);
	now = clock_seconds();
	if (now - auth->pruned < AUTH_PRUNE_EVERY)
		return;
	auth->pruned = now;
	if (firstkey_prune(&auth->first, &auth->store.file, &auth->map) == -1)
		log_warn("first keys not pruned");
}

static const char *
from_worker_first_key(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_first_key *msg;
	struct keystore_key found;
	struct auth_worker *w;

	w = owner;
	msg = data;
	if (!keystore_find(
		&w->auth->store, msg->node, clock_seconds(), &found) &&
	    firstkey_add(&w->auth->first, msg->node, msg->key) == -1)
		from_worker_first_keys_full(w->auth);
	from_worker_spend(w);
	return (NULL);
}

static const char *
from_worker_grant(void *owner, const void *data, size_t len, int fd)
{
	struct auth_worker *w;
	struct msg_granted answer;
	const struct msg_grant *msg;

	w = owner;
	msg = data;
	answer.request = msg->request;
	answer.ok = (uint32_t)grant_verify(
	    &w->auth->store, &w->auth->first, msg, clock_wall());
	if (channel_send(
		&w->channel, AW_GRANTED, 0, -1, &answer, sizeof(answer)) == -1)
		return (from_worker_deaf);
	from_worker_spend(w);
	return (NULL);
}

static const struct channel_rule from_worker_rules[] = {
	CHANNEL_RULE(WA_NONCES, sizeof(struct msg_nonces_wanted), WORKER_STATE,
	    from_worker_nonces),
	CHANNEL_RULE(WA_VERIFY, sizeof(struct msg_verify), WORKER_STATE,
	    from_worker_verify),
	CHANNEL_RULE(WA_FIRST_KEY, sizeof(struct msg_first_key), WORKER_STATE,
	    from_worker_first_key),
	CHANNEL_RULE(
	    WA_GRANT, sizeof(struct msg_grant), WORKER_STATE, from_worker_grant)
};

static void
from_worker_drop(struct auth_worker *w)
{
	channel_close(&w->channel);
	w->auth->workers[w->number] = NULL;
	free(w);
}

static void
from_worker_end(void *owner, const char *reason)
{
	struct auth_worker *w;
	struct msg_hostile msg;

	w = owner;
	if (reason != NULL) {
		memset(&msg, 0, sizeof(msg));
		msg.worker = w->number;
		msg.epoch = w->epoch;
		(void)strlcpy(msg.reason, reason, sizeof(msg.reason));
		tell_parent(w->auth, AP_HOSTILE, &msg, sizeof(msg));
	}
	from_worker_drop(w);
}

/*
 * Begins to serve a worker (msg->worker is in range) on fd, which is taken
 * over; an earlier channel to it ends.  Nobody is served before the first keys
 * are there: their nodes would be refused.  Returns 0, or -1 with errno.
 */
int
from_worker_open(struct auth *auth, const struct msg_worker *msg, int fd)
{
	struct auth_worker *w;

	if (auth->workers[msg->worker] != NULL)
		from_worker_drop(auth->workers[msg->worker]);
	w = calloc(1, sizeof(*w));
	if (w == NULL) {
		(void)close(fd);
		return (-1);
	}
	w->auth = auth;
	w->number = msg->worker;
	w->epoch = msg->epoch;
	(void)snprintf(w->name, sizeof(w->name), "worker %u", msg->worker);
	challenge_init(&w->challenge);
	if (channel_open(&w->channel, auth->loop, fd, w->name,
		from_worker_rules,
		sizeof(from_worker_rules) / sizeof(from_worker_rules[0]),
		from_worker_end, w) == -1) {
		free(w);
		return (-1);
	}
	w->channel.state = WORKER_STATE;
	auth->workers[msg->worker] = w;
	if (!auth->ready)
		channel_pause(&w->channel);
	return (0);
}

/* A new turn for all that wait for one. */
void
from_worker_resume_all(struct auth *auth)
{
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		if (auth->workers[i] == NULL)
			continue;
		auth->workers[i]->turn = 0;
		channel_resume(&auth->workers[i]->channel);
	}
}
