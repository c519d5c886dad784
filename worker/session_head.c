/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/log.h"
#include "worker/http.h"
#include "worker/limit.h"
#include "worker/report.h"
#include "worker/worker.h"

/* The HTTP side of a connection, doc/protocol.md 1. */

/*
 * Sends an HTTP answer other than 101 and waits for the client to hang up, as
 * it is asked to: closing while something comes in would cut the answer off.
 * shutdown(2), which would say that nothing follows, is not ours to call; the
 * answer's length says it.
 */
static void
session_respond(struct worker *w, struct session *s,
    const struct http_request *request, int status)
{
	struct iovec iov;
	char answer[HTTP_RESPONSE_MAX];

	iov.iov_base = answer;
	iov.iov_len = http_response_build(answer, sizeof(answer), status,
	    request, http_date(&w->head.date, clock_wall()));
	s->state = SESSION_LINGER;
	stranger_done(&w->strangers, s->stranger);
	s->deadline = w->tick + LINGER_TICKS;
	/* A fresh connection takes this much, or it is not worth keeping. */
	if (send(s->io.fd, iov.iov_base, iov.iov_len, MSG_NOSIGNAL) !=
	    (ssize_t)iov.iov_len)
		broken_mark(w, s);
	wheel_set(w, s);
}

/* A request that is no upgrade was refused with this status. */
static enum event_kind
session_request_event(int status)
{
	switch (status) {
	case 404:
		return (EVENT_REQUEST_PATH);
	case 405:
		return (EVENT_REQUEST_METHOD);
	case 408:
		return (EVENT_REQUEST_TIMEOUT);
	case 414:
	case 431:
		return (EVENT_REQUEST_LARGE);
	default:
		return (EVENT_REQUEST_BAD);
	}
}

/* So was an upgrade, for what it is. */
static enum event_kind
session_upgrade_event(int status)
{
	switch (status) {
	case 403:
		return (EVENT_UPGRADE_ORIGIN);
	case 426:
		return (EVENT_UPGRADE_VERSION);
	default:
		return (EVENT_UPGRADE_BAD);
	}
}

/* An answer to a head that did not come in, or not whole. */
void
session_answer(struct worker *w, struct session *s, int status)
{
	struct http_request request;

	counters_add(COUNTER_HTTP_ERRORS, 1);
	report_refused(s, session_request_event(status), status, NULL, 0);
	memset(&request, 0, sizeof(request));
	session_respond(w, s, &request, status);
}

/* A proxy that is trusted says whom it speaks for; nobody else is believed. */
static void
session_forwarded(
    struct worker *w, struct session *s, const struct http_request *request)
{
	char text[ADDRESS_TEXT_LEN];
	enum forwarded_kind kind;

	kind = w->settings.forwarded ? FORWARDED : FORWARDED_FOR;
	if (request->forwarded[kind].n == 0 || !session_is_proxy(w, s))
		return;
	s->peer.at.port = 0;
	if (http_forwarded(
		&request->forwarded[kind], kind, &w->proxies, s->peer.at.addr))
		return;
	counters_add(COUNTER_FORWARDED_UNKNOWN, 1);
	log_limited(&w->disbelieved, w->now,
	    "proxy %s: no address of a client in %s",
	    address_host(s->peer.at.addr, text),
	    kind == FORWARDED ? "Forwarded" : "X-Forwarded-For");
}

/*
 * 101, or the status with which this upgrade that is well-formed is refused all
 * the same, and *event.
 */
static int
session_admission(struct worker *w, struct session *s, enum event_kind *event)
{
	uint32_t connected;

	if (!drain_takes_peers(w)) {
		*event = EVENT_UPGRADE_SHUTDOWN;
		return (503);
	}
	if (blocked(w, s->peer.at.addr)) {
		counters_add(COUNTER_REFUSED_BLOCKED, 1);
		*event = EVENT_UPGRADE_BLOCKED;
		return (403);
	}
	connected = atomic_load_explicit(
	    &w->map.header->sessions, memory_order_relaxed);
	if (w->settings.max_peers != 0 && connected >= w->settings.max_peers) {
		counters_add(COUNTER_REFUSED_CAPACITY, 1);
		*event = EVENT_UPGRADE_CAPACITY;
		return (503);
	}
	/* Said now, as nothing but a 101 may come before a close frame. */
	if (!login_has_room(w)) {
		counters_add(COUNTER_REFUSED_BUSY, 1);
		*event = EVENT_UPGRADE_BUSY;
		return (503);
	}
	/* All clients of a proxy that names none would share one limit. */
	if (!session_is_proxy(w, s) &&
	    (!limit_customer(w->head.upgrades, s->peer.at.addr, w->now,
		 w->settings.source_upgrade_limit) ||
		!session_join_source(w, s))) {
		counters_add(COUNTER_REFUSED_RATE, 1);
		*event = EVENT_UPGRADE_RATE;
		return (429);
	}
	return (101);
}

static void
session_upgrade(
    struct worker *w, struct session *s, const struct http_request *request)
{
	char answer[HTTP_RESPONSE_MAX];
	size_t len;

	counters_add(COUNTER_UPGRADE_OK, 1);
	len = http_response_build(answer, sizeof(answer), 101, request, NULL);
	s->state = SESSION_NONCE;
	w->nupgraded++;
	s->deadline = w->tick + TICKS(w->settings.auth_timeout);
	wheel_set(w, s);
	login_begin(w, s, answer, len);
}

/*
 * Takes the head of a new connection's request.  Returns how many bytes of it
 * were dealt with: 0 if more are needed.
 */
size_t
session_head(
    struct worker *w, struct session *s, const uint8_t *bytes, size_t len)
{
	struct http_request request;
	enum event_kind event;
	int status;

	if (!http_request_parse(bytes, len, &request))
		return (0);
	session_forwarded(w, s, &request);
	status = request.status;
	event = request.upgrade ? session_upgrade_event(status)
				: session_request_event(status);
	if (status == 101)
		status = session_admission(w, s, &event);
	if (status == 200 && !drain_is_healthy(w))
		status = 503;
	if (status == 101) {
		session_upgrade(w, s, &request);
		return (request.head_len);
	}
	if (request.upgrade)
		counters_add(COUNTER_UPGRADE_FAIL, 1);
	else if (request.probe)
		counters_add(COUNTER_HTTP_PROBES, 1);
	else
		counters_add(COUNTER_HTTP_ERRORS, 1);
	if (request.upgrade || !request.probe)
		report_refused(s, event, status, bytes, len);
	session_respond(w, s, &request, status);
	return (len);
}
