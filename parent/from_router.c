/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <string.h>

#include "parent/parent.h"

/* What the router says to the parent, beacond-frame(7). */

#define ROUTER_SLOW "does not read"

static int
from_router_answer(
    struct router *r, enum parent_to_router type, const void *data, size_t len)
{
	return (channel_send(&r->channel, type, 0, -1, data, len));
}

static int
from_router_welcome(struct router *r, uint32_t version)
{
	struct msg_frame_welcome msg;
	const struct config *conf;
	int fd;

	conf = r->parent->conf;
	memset(&msg, 0, sizeof(msg));
	msg.version = version;
	msg.max_in = conf->max_frame;
	msg.max_out = PROTO_DELIVERY_MAX;
	msg.drop = conf->router_drop != 0;
	fd = fcntl(r->parent->map.fd, F_DUPFD_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	return (
	    channel_send(&r->channel, FRAME_WELCOME, 0, fd, &msg, sizeof(msg)));
}

static int
from_router_addresses(struct router *r)
{
	const struct listener *listener;
	struct msg_frame_address msg;

	TAILQ_FOREACH(listener, &r->parent->listeners, entry) {
		if (listener->kind != LISTENER_WEBSOCKET)
			continue;
		memset(&msg, 0, sizeof(msg));
		msg.port = address_of(&listener->ss, msg.addr);
		if (from_router_answer(r, FRAME_ADDRESS, &msg, sizeof(msg)) ==
		    -1)
			return (-1);
	}
	return (0);
}

static const char *
from_router_hello(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_frame_hello *hello;
	struct msg_frame_not_welcome msg;
	struct router *r;

	r = owner;
	hello = data;
	if (hello->version != FRAME_VERSION &&
	    hello->version != FRAME_VERSION_PLAIN) {
		msg.reason = FRAME_OTHER_VERSION;
		(void)from_router_answer(
		    r, FRAME_NOT_WELCOME, &msg, sizeof(msg));
		(void)channel_flush(&r->channel);
		return ("of another version");
	}
	if (from_router_welcome(r, hello->version) == -1 ||
	    from_router_addresses(r) == -1)
		return ("cannot be told of the map");
	router_attach(r, hello->version);
	return (from_router_answer(r, FRAME_ATTACHED, NULL, 0) == -1
		    ? ROUTER_SLOW
		    : NULL);
}

/* Metrics() of the package that the WebSocket half replaces. */
static const char *
from_router_metrics(void *owner, const void *data, size_t len, int fd)
{
	struct msg_frame_metrics msg;
	struct counters sum;
	struct router *r;

	r = owner;
	metrics_sum(r->parent, &sum);
	msg.upgrade_ok = sum.value[COUNTER_UPGRADE_OK];
	msg.upgrade_fail = sum.value[COUNTER_UPGRADE_FAIL];
	msg.auth_ok = sum.value[COUNTER_AUTH_OK];
	msg.auth_fail = sum.value[COUNTER_AUTH_FAIL];
	msg.frames_in = sum.value[COUNTER_FRAMES_IN];
	msg.frames_out = sum.value[COUNTER_FRAMES_OUT];
	msg.idle_disconns = sum.value[COUNTER_IDLE_DISCONNS];
	msg.active_peers = atomic_load_explicit(
	    &r->parent->map.header->sessions, memory_order_relaxed);
	return (
	    from_router_answer(r, FRAME_METRICS_ARE, &msg, sizeof(msg)) == -1
		? ROUTER_SLOW
		: NULL);
}

const struct channel_rule from_router_rules[] = {
	CHANNEL_RULE(FRAME_HELLO, sizeof(struct msg_frame_hello), ROUTER_NEW,
	    from_router_hello),
	CHANNEL_RULE(FRAME_METRICS, 0, ROUTER_ATTACHED, from_router_metrics),
};
const size_t from_router_nrules =
    sizeof(from_router_rules) / sizeof(from_router_rules[0]);
