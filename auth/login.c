/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/counters.h"

#include "auth/auth.h"
#include "auth/verify.h"

/*
 * A reply to a challenge (doc/architecture.md 4), from the worker's message to
 * what the parent or the worker is told.  Where the registry has to be asked
 * the login waits in between, and is judged by what is known then.
 */
static const struct {
	enum counter counter;
	uint32_t refused; /* enum refused_reason; 0: it is admitted */
} login_results[] = { [VERIFY_OK] = { COUNTER_VERIFY_OK, 0 },
	[VERIFY_OK_LEGACY] = { COUNTER_VERIFY_OK, 0 },
	[VERIFY_NO_NONCE] = { COUNTER_VERIFY_NONCE, REFUSED_NONCE },
	[VERIFY_BAD_TIME] = { COUNTER_VERIFY_AGE, REFUSED_AGE },
	[VERIFY_NO_KEY] = { COUNTER_VERIFY_UNKNOWN, REFUSED_UNKNOWN },
	[VERIFY_WRONG_SIG] = { COUNTER_VERIFY_SIGNATURE, REFUSED_SIGNATURE },
	[VERIFY_UNANSWERED] = {
	    COUNTER_VERIFY_UNANSWERED, REFUSED_UNANSWERED } };

static void
login_admit(
    struct auth_worker *w, const struct msg_verify *verify, uint64_t keyid)
{
	struct msg_admit msg;

	msg.worker = w->number;
	msg.epoch = w->epoch;
	msg.slot = verify->slot;
	msg.serial = verify->serial;
	msg.node = verify->node;
	msg.pad = 0;
	msg.keyid = keyid;
	tell_parent(w->auth, AP_ADMIT, &msg, sizeof(msg));
}

static int
login_refuse(
    struct auth_worker *w, const struct msg_verify *verify, uint32_t reason)
{
	struct msg_refused msg;

	msg.slot = verify->slot;
	msg.serial = verify->serial;
	msg.reason = reason;
	return (
	    channel_send(&w->channel, AW_REFUSED, 0, -1, &msg, sizeof(msg)));
}

/* Returns 0, or -1 if the worker does not read. */
static int
login_conclude(struct auth_worker *w, const struct msg_verify *msg,
    enum verify_result result, uint64_t keyid)
{
	uint32_t refused;

	counters_add(login_results[result].counter, 1);
	if (result == VERIFY_OK_LEGACY)
		counters_add(COUNTER_VERIFY_LEGACY, 1);
	refused = login_results[result].refused;
	if (refused != 0)
		return (login_refuse(w, msg, refused));
	login_admit(w, msg, keyid);
	return (0);
}

/* Nothing is known of the node: takes as long as if there were. */
static enum verify_result
login_unknown(const struct auth *auth, const struct lookup_login *login)
{
	return (verify_reply(&login->msg, login->nonce, NULL,
	    auth->settings.legacy_signatures != 0));
}

/* By what is known of the node now. */
static enum verify_result
login_judge(const struct auth *auth, const struct lookup_login *login,
    const struct keystore_key *found, uint64_t *keyid)
{
	enum verify_result result;
	const uint8_t *key;
	int legacy;

	legacy = auth->settings.legacy_signatures != 0;
	key = found->key;
	*keyid = 0;
	result = verify_reply(&login->msg, login->nonce, key, legacy);
	if (result == VERIFY_WRONG_SIG && found->previous != NULL) {
		key = found->previous;
		result = verify_reply(&login->msg, login->nonce, key, legacy);
	}
	if (result == VERIFY_OK || result == VERIFY_OK_LEGACY)
		*keyid = keycache_id(key);
	return (result);
}

/* The registry is to say more.  Returns as login_conclude(). */
static int
login_wait(struct auth_worker *w, const struct lookup_login *login)
{
	struct auth *auth;

	auth = w->auth;
	if (lookup_wait(&auth->lookups, login, clock_ns()) == -1) {
		/* What was not asked is to be asked the next time. */
		keystore_unforce(&auth->store, login->msg.node);
		return (login_conclude(w, &login->msg, VERIFY_UNANSWERED, 0));
	}
	registry_pump(&auth->registry, &auth->lookups);
	turn_pulse(auth);
	return (0);
}

/* Somebody came in by a key that was learned: it is in use. */
static void
login_used(struct auth *auth, const struct keystore_key *found, uint32_t node)
{
	if (found->source == KEYSTORE_FILE)
		return;
	counters_add(COUNTER_KEYS_HIT, 1);
	keystore_use(&auth->store, node);
	if (!found->old)
		return;
	counters_add(COUNTER_KEYS_STALE, 1);
	if (!registry_up(&auth->registry) ||
	    lookup_refresh(&auth->lookups, node) == -1)
		return;
	registry_pump(&auth->registry, &auth->lookups);
	turn_pulse(auth);
}

/* Its key is known. */
static int
login_known(struct auth_worker *w, const struct lookup_login *login,
    const struct keystore_key *found, uint64_t now)
{
	enum verify_result result;
	struct auth *auth;
	uint64_t keyid;

	auth = w->auth;
	result = login_judge(auth, login, found, &keyid);
	if (result != VERIFY_WRONG_SIG)
		login_used(auth, found, login->msg.node);
	else if (found->source != KEYSTORE_FILE &&
		 keystore_force(&auth->store, login->msg.node, now)) {
		counters_add(COUNTER_LOOKUP_FORCED, 1);
		return (login_wait(w, login));
	}
	return (login_conclude(w, &login->msg, result, keyid));
}

/* WA_VERIFY.  Returns 0, or -1 if the worker does not read its answers. */
int
login_verify(struct auth_worker *w, const struct msg_verify *msg)
{
	enum verify_result result;
	struct lookup_login login;
	struct keystore_key found;
	struct auth *auth;
	uint64_t now;

	auth = w->auth;
	now = clock_ns();
	result = verify_begin(&w->challenge, msg, now, login.nonce);
	if (result != VERIFY_OK)
		return (login_conclude(w, msg, result, 0));
	login.worker = w->number;
	login.epoch = w->epoch;
	login.msg = *msg;
	if (keystore_find(&auth->store, msg->node,
		(uint32_t)(now / CLOCK_SECOND), &found))
		return (login_known(w, &login, &found, now));
	if (auth->store.asks && msg->node != 0 &&
	    !keystore_absent(&auth->store, msg->node, now))
		return (login_wait(w, &login));
	return (login_conclude(w, msg, login_unknown(auth, &login), 0));
}

/* It has waited.  Its worker may be another by now, or none. */
static void
login_resume(struct auth *auth, const struct lookup_login *login,
    enum lookup_outcome outcome)
{
	enum verify_result result;
	struct keystore_key found;
	struct auth_worker *w;
	uint64_t keyid;

	keyid = 0;
	if (outcome == LOOKUP_UNANSWERED)
		keystore_unforce(&auth->store, login->msg.node);
	w = auth->workers[login->worker];
	if (w == NULL || w->epoch != login->epoch)
		return;
	result = VERIFY_UNANSWERED;
	if (outcome == LOOKUP_ANSWERED)
		result = keystore_find(&auth->store, login->msg.node,
			     clock_seconds(), &found)
			     ? login_judge(auth, login, &found, &keyid)
			     : login_unknown(auth, login);
	/* One that does not read is found out by its next message. */
	(void)login_conclude(w, &login->msg, result, keyid);
}

/* A turn's share of those that have waited; returns whether there are more. */
int
login_work(struct auth *auth)
{
	enum lookup_outcome outcome;
	struct lookup_login login;
	int i;

	for (i = 0; i < AUTH_TURN; i++) {
		if (!lookup_ready(&auth->lookups, &login, &outcome))
			return (0);
		login_resume(auth, &login, outcome);
	}
	return (auth->lookups.nready > 0);
}
