/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "worker/proxy_header.h"
#include "worker/report.h"
#include "worker/worker.h"

/*
 * Whom a connection is from.  A proxy that is trusted may say for whom it
 * speaks; what it is not believed in, and what it does not say, leaves its own
 * address, for which no limit of a single source holds.
 */

/* Boolean: no more than a proxy is known of whose s is. */
int
session_is_proxy(const struct worker *w, const struct session *s)
{
	return (networks_have(&w->proxies, s->peer.at.addr));
}

/* The address of s is as good as it gets before its request is there. */
void
session_client_known(struct worker *w, struct session *s)
{
	if (session_is_proxy(w, s))
		return;
	if (blocked(w, s->peer.at.addr)) {
		counters_add(COUNTER_REFUSED_BLOCKED, 1);
		s->why = WHY_BLOCKED;
	} else if (session_join_source(w, s))
		return;
	else {
		counters_add(COUNTER_REFUSED_HALF_OPEN, 1);
		s->why = WHY_HALF_OPEN;
	}
	broken_mark(w, s);
}

/*
 * Nothing is said: what the proxy then tells its client is about itself, as it
 * should be.
 */
static void
session_proxy_refuse(
    struct worker *w, struct session *s, enum event_kind why, const char *what)
{
	report_noted(why, &s->peer.at, what);
	broken_mark(w, s);
}

/* s has come where connections begin with a header of the PROXY protocol. */
void
session_proxy_expect(struct worker *w, struct session *s)
{
	if (!session_is_proxy(w, s)) {
		session_proxy_refuse(
		    w, s, EVENT_PROXY_UNTRUSTED, "not of a trusted proxy");
		return;
	}
	s->state = SESSION_PROXY;
	s->deadline = w->tick + PROXY_TICKS;
	wheel_set(w, s);
}

/*
 * Takes that header.  Returns how many bytes of it were dealt with; s stays in
 * SESSION_PROXY if more are needed.
 */
size_t
session_proxy(
    struct worker *w, struct session *s, const uint8_t *bytes, size_t len)
{
	struct proxy_header header;
	int got;

	got = proxy_header_parse(bytes, len, &header);
	if (got == -1)
		session_proxy_refuse(w, s, EVENT_PROXY_BAD, header.bad);
	if (got != 1)
		return (got == -1 ? len : 0);
	if (header.has_client) {
		memcpy(s->peer.at.addr, header.addr, sizeof(header.addr));
		s->peer.at.port = header.port;
	}
	s->state = SESSION_HEAD;
	s->deadline = w->tick + TICKS(w->settings.head_timeout);
	wheel_set(w, s);
	session_client_known(w, s);
	return (header.len);
}

/* It has not come in time. */
void
session_proxy_late(struct worker *w, struct session *s)
{
	session_proxy_refuse(w, s, EVENT_PROXY_TIMEOUT, "not whole in time");
}
