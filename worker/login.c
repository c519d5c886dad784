/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/http.h"
#include "worker/login_reply.h"
#include "worker/report.h"
#include "worker/worker.h"

/*
 * The worker's part of a login (doc/architecture.md 4): it carries the
 * challenge to the client and the reply to auth, and decides nothing. Nonces
 * come from auth ahead of need, so that a challenge leaves together with the
 * 101.
 */

#define CHALLENGE "{\"type\":\"auth_challenge\",\"nonce\":\"%s\",\"ts\":%u}"

/* With the nonce, and the ten digits of 32 bits. */
#define CHALLENGE_MAX (sizeof(CHALLENGE) + 2 * PROTO_NONCE_LEN + 10)

/* Once, when the settings are known. */
void
login_init(struct worker *w)
{
	w->login.waiters = calloc(w->slots_max, sizeof(*w->login.waiters));
	if (w->login.waiters == NULL)
		fatal(NULL);
}

static int
login_has_nonce(struct worker *w)
{
	if (w->login.nnonces > 0 &&
	    w->tick - w->login.nonces[w->login.nnonces - 1].fetched <
		NONCE_TICKS_MAX)
		return (1);
	/* What lies below is older still. */
	w->login.nnonces = 0;
	return (0);
}

/* Hands out the next nonce, which there is. */
static const struct nonce *
login_next_nonce(struct worker *w)
{
	return (&w->login.nonces[--w->login.nnonces]);
}

/* NULL: there is none that is fresh enough. */
static const struct nonce *
login_take_nonce(struct worker *w)
{
	return (login_has_nonce(w) ? login_next_nonce(w) : NULL);
}

/* Can a client be upgraded now?  If not, login_begin() is not to be called. */
int
login_has_room(struct worker *w)
{
	return (login_has_nonce(w) || w->login.nwaiters < w->slots_max);
}

/* Asks auth for nonces: those that are waited for and some in hand. */
void
login_top_up(struct worker *w)
{
	static const struct msg_nonces_wanted wanted = { PROTO_NONCES_MAX };

	while (w->login.nnonces + w->login.nonces_asked <
	       NONCES_LOW + w->login.nwaiters) {
		/* The pool has room for so many and no more. */
		if (w->login.nnonces + w->login.nonces_asked +
			PROTO_NONCES_MAX >
		    NONCES_MAX)
			return;
		if (channel_send(&w->auth, WA_NONCES, 0, -1, &wanted,
			sizeof(wanted)) == -1)
			return;
		w->login.nonces_asked += PROTO_NONCES_MAX;
	}
}

/* Writes the challenge as a text frame; returns its length. */
static size_t
login_challenge(struct session *s, const struct nonce *nonce, uint8_t *frame)
{
	char hex[PROTO_NONCE_LEN * 2 + 1], json[CHALLENGE_MAX];
	size_t header;
	int len;

	counters_add(COUNTER_CHALLENGES, 1);
	s->state = SESSION_REPLY;
	s->stranger->nonce = nonce->number;
	s->stranger->ts = (uint32_t)((clock_ns() + nonce->wall) / CLOCK_SECOND);
	(void)sodium_bin2hex(
	    hex, sizeof(hex), nonce->value, sizeof(nonce->value));
	len = snprintf(json, sizeof(json), CHALLENGE, hex, s->stranger->ts);
	header = ws_header_build(frame, WS_TEXT, (size_t)len);
	memcpy(frame + header, json, (size_t)len);
	return (header + (size_t)len);
}

/*
 * A client was just upgraded: sends the 101 and, in the same write, the
 * challenge; without a nonce the session stands in line for one.
 */
void
login_begin(struct worker *w, struct session *s, const char *answer, size_t len)
{
	uint8_t bytes[HTTP_RESPONSE_MAX + CHALLENGE_MAX + WS_HEADER_MAX];
	const struct nonce *nonce;
	struct waiter *waiter;

	memcpy(bytes, answer, len);
	nonce = login_take_nonce(w);
	if (nonce != NULL)
		len += login_challenge(s, nonce, bytes + len);
	else {
		waiter = &w->login.waiters[(w->login.waiters_head +
					       w->login.nwaiters++) %
					   w->slots_max];
		waiter->slot = session_slot(w, s);
		waiter->serial = s->serial;
	}
	login_top_up(w);
	/* A fresh connection takes this much, or it is not worth keeping. */
	if (send(s->io.fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		broken_mark(w, s);
}

/* The challenge to a session that had to wait for it. */
static void
login_serve_waiter(
    struct worker *w, struct session *s, const struct nonce *nonce)
{
	uint8_t frame[CHALLENGE_MAX + WS_HEADER_MAX];
	size_t len;

	len = login_challenge(s, nonce, frame);
	if (send(s->io.fd, frame, len, MSG_NOSIGNAL) != (ssize_t)len)
		broken_mark(w, s);
}

/* AW_NONCES.  Returns NULL, or what is wrong with it. */
const char *
login_nonces(
    struct worker *w, const struct msg_nonces *msg, const uint8_t *values)
{
	struct waiter *waiter;
	struct session *s;
	struct nonce *nonce;
	uint32_t i;

	if (msg->count > w->login.nonces_asked)
		return ("nonces that were not asked for");
	w->login.nonces_asked -= msg->count;
	/* For what was asked for there is room: login_top_up(). */
	for (i = 0; i < msg->count; i++) {
		nonce = &w->login.nonces[w->login.nnonces++];
		nonce->number = msg->first + i;
		nonce->fetched = w->tick;
		nonce->wall = msg->wall;
		memcpy(nonce->value, values + (size_t)i * PROTO_NONCE_LEN,
		    PROTO_NONCE_LEN);
	}
	while (w->login.nwaiters > 0 && login_has_nonce(w)) {
		waiter = &w->login.waiters[w->login.waiters_head];
		w->login.waiters_head =
		    (w->login.waiters_head + 1) % w->slots_max;
		w->login.nwaiters--;
		s = session_find(w, waiter->slot, waiter->serial,
		    SESSION_STATE_BIT(SESSION_NONCE));
		if (s != NULL)
			login_serve_waiter(w, s, login_next_nonce(w));
	}
	login_top_up(w);
	return (NULL);
}

/* Whatever was wrong with it, the client hears the same. */
void
login_fail(struct worker *w, struct session *s, enum session_why why)
{
	s->why = (uint8_t)why;
	session_close(w, s, WS_STATUS_POLICY, "auth failed");
}

/* A message before auth_ok: the one reply, or a reason to fail. */
void
login_message(struct worker *w, struct session *s, int opcode,
    const uint8_t *payload, size_t len)
{
	struct login_reply reply;
	struct msg_verify verify;

	session_send_pongs(w, s);
	if (s->state != SESSION_REPLY || opcode != WS_TEXT) {
		login_fail(w, s, WHY_MALFORMED);
		return;
	}
	if (login_reply_parse((const char *)payload, len, &reply) == -1) {
		if (errno == ENOMEM)
			session_try_later(w, s);
		else
			login_fail(w, s, WHY_MALFORMED);
		return;
	}
	verify.slot = session_slot(w, s);
	verify.serial = s->serial;
	verify.nonce = s->stranger->nonce;
	verify.node = reply.node;
	verify.ts = s->stranger->ts;
	memcpy(verify.sig, reply.sig, sizeof(verify.sig));
	s->stranger->replied = clock_ns();
	s->peer.node = reply.node;
	s->state = SESSION_VERIFY;
	if (channel_send(&w->auth, WA_VERIFY, 0, -1, &verify, sizeof(verify)) ==
	    -1)
		session_try_later(w, s);
}

/*
 * PW_OPEN: the session is in the peer map, frames for it can be delivered, and
 * only now the client is told.
 */
void
login_open(struct worker *w, const struct msg_open *msg)
{
	static const char json[] = "{\"type\":\"auth_ok\"}";
	uint8_t frame[sizeof(json) + WS_HEADER_MAX];
	struct session *s;
	struct iovec iov;
	size_t header;

	s = session_find(
	    w, msg->slot, msg->serial, SESSION_STATE_BIT(SESSION_VERIFY));
	if (s == NULL || s->peer.node != msg->node) {
		/* It went away while auth and the parent were at it. */
		tell_closed(w, msg->node, msg->generation);
		return;
	}
	counters_add(COUNTER_AUTH_OK, 1);
	counters_observe(HISTOGRAM_LOGIN, clock_ns() - s->stranger->replied);
	stranger_free(&w->strangers, s->stranger);
	s->stranger = NULL;
	s->state = SESSION_OPEN;
	s->since = w->tick;
	s->peer.generation = msg->generation;
	s->map_number = peermap_find(&w->map, s->peer.node);
	s->peer.hint = PEERMAP_NONE;
	spent_resume(spent_set(w, msg->node), s, w->now);
	w->upper.peer(w, &s->peer, 1);
	/* Spread over the interval, as a whole fleet may have come at once. */
	s->ping_due =
	    w->tick + 1 + msg->slot % TICKS(w->settings.ping_interval);
	header = ws_header_build(frame, WS_TEXT, sizeof(json) - 1);
	memcpy(frame + header, json, sizeof(json) - 1);
	iov.iov_base = frame;
	iov.iov_len = header + sizeof(json) - 1;
	(void)outq_frames(w, s, &iov, 1, iov.iov_len, 1);
	wheel_set(w, s);
	report_login(s);
}

/*
 * AW_REFUSED: auth did not believe the client, or could not learn whether to.
 * Returns NULL, or what is wrong with the message.
 */
const char *
login_refused(struct worker *w, const struct msg_refused *msg)
{
	static const enum session_why why[REFUSED_MAX] = {
		[REFUSED_NONCE] = WHY_NONCE,
		[REFUSED_AGE] = WHY_AGE,
		[REFUSED_UNKNOWN] = WHY_UNKNOWN,
		[REFUSED_SIGNATURE] = WHY_SIGNATURE,
		[REFUSED_UNANSWERED] = WHY_UNANSWERED,
	};
	struct session *s;

	if (msg->reason == 0 || msg->reason >= REFUSED_MAX)
		return ("refusal without a reason");
	s = session_find(
	    w, msg->slot, msg->serial, SESSION_STATE_BIT(SESSION_VERIFY));
	if (s == NULL)
		return (NULL);
	if (msg->reason != REFUSED_UNANSWERED) {
		login_fail(w, s, why[msg->reason]);
		return (NULL);
	}
	counters_add(COUNTER_REFUSED_UNANSWERED, 1);
	s->why = (uint8_t)why[msg->reason];
	session_close(w, s, WS_STATUS_TRY_LATER, "try again later");
	return (NULL);
}

/* PW_REFUSE: auth believed the client, but the parent does not let it in. */
void
login_refuse(struct worker *w, const struct msg_refuse *msg)
{
	struct session *s;

	s = session_find(
	    w, msg->slot, msg->serial, SESSION_STATE_BIT(SESSION_VERIFY));
	if (s == NULL)
		return;
	if (msg->reason == REFUSE_BLOCKED) {
		counters_add(COUNTER_REFUSED_BLOCKED, 1);
		login_fail(w, s, WHY_BLOCKED);
		return;
	}
	counters_add(msg->reason == REFUSE_CAPACITY ? COUNTER_REFUSED_CAPACITY
						    : COUNTER_REFUSED_FLAPPING,
	    1);
	s->why = msg->reason == REFUSE_CAPACITY ? WHY_CAPACITY : WHY_FLAPPING;
	session_close(w, s, WS_STATUS_TRY_LATER, "try again later");
}

/*
 * Auth is gone, and with it its nonces: what depends on them is told to try
 * again, which for a daemon is a quarter of a second.
 */
void
login_auth_lost(struct worker *w)
{
	struct session *s;
	uint32_t i;

	w->login.nnonces = 0;
	w->login.nonces_asked = 0;
	for (i = 0; i < w->nslots; i++) {
		s = &w->sessions[i];
		if (s->state == SESSION_REPLY || s->state == SESSION_VERIFY)
			session_try_later(w, s);
	}
}
