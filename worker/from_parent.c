/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/self.h"
#include "worker/limit.h"
#include "worker/udp.h"
#include "worker/worker.h"

/*
 * What the parent says.  The table at the end has proved sizes, states and
 * descriptors before a handler sees a message.
 */

#define ANY_TIME (WORKER_SETUP | WORKER_RUNNING)

static const char *
from_parent_hello(void *owner, const void *data, size_t len, int fd)
{
	struct worker *w;

	w = owner;
	memcpy(&w->hello, data, sizeof(w->hello));
	proto_check_hello(&w->hello, "beacond-worker");
	if (w->hello.worker >= PROTO_PLACES_MAX)
		return ("no such worker");
	w->parent.state = WORKER_SETUP;
	return (NULL);
}

static const char *
from_parent_settings(void *owner, const void *data, size_t len, int fd)
{
	struct worker *w;

	w = owner;
	memcpy(&w->settings, data, sizeof(w->settings));
	log_set_level((int)w->settings.log_level);
	router_otherwise(
	    w, w->settings.router_drop ? &router_drop : &relay_upper);
	if (w->sessions == NULL) {
		session_init(w);
		login_init(w);
	}
	return (NULL);
}

static const char *
from_parent_map(void *owner, const void *data, size_t len, int fd)
{
	struct peermap map;
	struct worker *w;

	w = owner;
	if (peermap_open(&map, fd) == -1)
		return ("no peer map");
	/* After the first it is another parent's, which has taken over. */
	peermap_replace(&w->map, &map);
	session_find_all(w);
	return (NULL);
}

static const char *
from_parent_counters(void *owner, const void *data, size_t len, int fd)
{
	return (counters_open(fd) == -1 ? "no page of counters" : NULL);
}

static const char *
from_parent_listener(void *owner, const void *data, size_t len, int fd)
{
	return (accept_listen(owner, data, fd));
}

static const char *
from_parent_udp(void *owner, const void *data, size_t len, int fd)
{
	return (udp_recv_open(owner, data, fd));
}

static const char *
from_parent_unlisten(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_unlisten *msg;

	msg = data;
	if (!msg->udp)
		return (accept_unlisten(owner, msg->number));
	/* Not every worker has a socket of each. */
	udp_close(owner, msg->number);
	return (NULL);
}

static const char *
from_parent_exempt(void *owner, const void *data, size_t len, int fd)
{
	return (punch_exempt(owner, data));
}

static const char *
from_parent_proxy(void *owner, const void *data, size_t len, int fd)
{
	struct worker *w;

	w = owner;
	return (networks_take(&w->proxies, data));
}

static const char *
from_parent_beacon(void *owner, const void *data, size_t len, int fd)
{
	return (beacons_set(owner, data));
}

static const char *
from_parent_endpoint(void *owner, const void *data, size_t len, int fd)
{
	discover_noted(owner, data);
	return (NULL);
}

static const char *
from_parent_sync(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_sync *msg;

	msg = data;
	return (beacons_send_sync(
	    owner, msg, (const uint8_t *)(msg + 1), len - sizeof(*msg)));
}

static const char *
from_parent_auth(void *owner, const void *data, size_t len, int fd)
{
	from_auth_open(owner, fd);
	return (NULL);
}

static const char *
from_parent_sibling(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_sibling *msg;

	msg = data;
	return (route_recv_open(owner, msg->worker, fd));
}

static const char *
from_parent_drain(void *owner, const void *data, size_t len, int fd)
{
	return (drain_set(owner, data));
}

static const char *
from_parent_start(void *owner, const void *data, size_t len, int fd)
{
	struct worker *w;

	w = owner;
	if (w->sessions == NULL || w->map.header == NULL)
		return ("started without settings or map");
	w->parent.state = WORKER_RUNNING;
	accept_start(w);
	udp_start(w);
	tell_parent(w, WP_READY, &w->hello, sizeof(w->hello));
	return (NULL);
}

static const char *
from_parent_open(void *owner, const void *data, size_t len, int fd)
{
	login_open(owner, data);
	return (NULL);
}

static const char *
from_parent_refuse(void *owner, const void *data, size_t len, int fd)
{
	login_refuse(owner, data);
	return (NULL);
}

static const char *
from_parent_close(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_close *msg;
	struct session *s;

	msg = data;
	s = session_open_at(owner, msg->slot, msg->generation);
	if (s == NULL)
		return (NULL);
	move_out_keep(owner, s);
	session_removed(owner, s, msg->reason);
	return (NULL);
}

static const char *
from_parent_block(void *owner, const void *data, size_t len, int fd)
{
	return (blocked_set(owner, data));
}

/* Of a PW_MOVE_OUT or PW_MOVE_IN: as long as it says? */
static int
from_parent_is_move(const struct msg_move *msg, size_t len)
{
	return (
	    msg->count > 0 && msg->count <= MOVE_SESSIONS_MAX &&
	    len == sizeof(*msg) + msg->count * sizeof(struct msg_move_session));
}

static const char *
from_parent_move_out(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_move *msg;

	msg = data;
	if (from_parent_is_move(msg, len))
		return (move_out_begin(owner, msg, msg + 1, fd));
	(void)close(fd);
	return ("move of wrong size");
}

static const char *
from_parent_move_in(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_move *msg;

	msg = data;
	if (from_parent_is_move(msg, len))
		return (move_in_begin(owner, msg, msg + 1, fd));
	(void)close(fd);
	return ("move of wrong size");
}

static const char *
from_parent_moved(void *owner, const void *data, size_t len, int fd)
{
	move_settled(owner, data);
	return (NULL);
}

static const char *
from_parent_fence(void *owner, const void *data, size_t len, int fd)
{
	move_fence(owner, data);
	return (NULL);
}

static const char *
from_parent_still(void *owner, const void *data, size_t len, int fd)
{
	struct worker *w;
	const char *wrong;

	w = owner;
	wrong = still_set(w, data);
	if (still_holds(w, STILL_LISTENERS))
		accept_stop(w);
	else if (w->parent.state == WORKER_RUNNING)
		accept_start(w);
	return (wrong);
}

static const char *
from_parent_park(void *owner, const void *data, size_t len, int fd)
{
	return (park_begin(owner, data, fd));
}

static const char *
from_parent_forget(void *owner, const void *data, size_t len, int fd)
{
	return (still_forget(owner, data));
}

static void
from_parent_stat_row(struct worker *w, const struct msg_stat_session *of,
    struct msg_stat_row *row)
{
	const struct session *s;

	s = session_open_at(w, of->slot, of->generation);
	if (s == NULL)
		return;
	row->known = 1;
	row->port = s->peer.at.port;
	memcpy(row->addr, s->peer.at.addr, sizeof(row->addr));
	row->frames_in = s->frames_in;
	row->frames_out = s->frames_out;
	row->bytes_in = s->bytes_in;
	row->bytes_out = s->bytes_out;
	row->queued = s->outq == NULL ? 0 : (uint32_t)outq_waiting(s->outq);
}

static const char *
from_parent_stat(void *owner, const void *data, size_t len, int fd)
{
	struct {
		struct msg_stat head;
		struct msg_stat_row rows[PROTO_STAT_MAX];
	} reply;
	const struct msg_stat_session *of;
	const struct msg_stat *msg;
	uint32_t i;

	msg = data;
	of = (const struct msg_stat_session *)(msg + 1);
	if (msg->count > PROTO_STAT_MAX ||
	    len != sizeof(*msg) + msg->count * sizeof(*of))
		return ("stat of wrong size");
	memset(&reply, 0, sizeof(reply));
	reply.head = *msg;
	for (i = 0; i < msg->count; i++)
		from_parent_stat_row(owner, &of[i], &reply.rows[i]);
	tell_parent(owner, WP_STAT, &reply,
	    sizeof(reply.head) + msg->count * sizeof(reply.rows[0]));
	return (NULL);
}

/* Tells how much of what the worker holds just now. */
static void
from_parent_self(struct worker *w)
{
	counters_own(OWN_STRANGERS, stranger_count(&w->strangers));
	counters_own(OWN_QUEUED_PEERS, w->queued);
	counters_own(OWN_QUEUED_WORKERS, route_waiting(w));
	counters_own(OWN_QUEUED_UDP, udp_waiting(w));
	self_tell(w->load + accept_descriptors(w) + udp_descriptors(w) +
		  route_descriptors(w) + (w->auth.open != 0) +
		  (router_channel(w) != NULL));
}

static const char *
from_parent_ping(void *owner, const void *data, size_t len, int fd)
{
	from_parent_self(owner);
	tell_parent(owner, WP_PONG, NULL, 0);
	return (NULL);
}

static const char *
from_parent_shutdown(void *owner, const void *data, size_t len, int fd)
{
	static const struct msg_drain at_once = { DRAIN_CLOSING, 0 };
	struct worker *w;

	w = owner;
	w->draining = 1;
	/* It may be over at once, see router_keeps(). */
	route_flush(w);
	(void)drain_set(w, &at_once);
	return (NULL);
}

static const struct channel_rule from_parent_rules[] = {
	CHANNEL_RULE(
	    PW_HELLO, sizeof(struct msg_hello), WORKER_NEW, from_parent_hello),
	CHANNEL_RULE(PW_SETTINGS, sizeof(struct msg_settings), ANY_TIME,
	    from_parent_settings),
	CHANNEL_RULE_FD(PW_MAP, 0, ANY_TIME, from_parent_map),
	CHANNEL_RULE_FD(PW_COUNTERS, 0, WORKER_SETUP, from_parent_counters),
	CHANNEL_RULE_FD(PW_LISTENER, sizeof(struct msg_listener), ANY_TIME,
	    from_parent_listener),
	CHANNEL_RULE_FD(
	    PW_UDP, sizeof(struct msg_udp), ANY_TIME, from_parent_udp),
	CHANNEL_RULE(PW_UNLISTEN, sizeof(struct msg_unlisten), ANY_TIME,
	    from_parent_unlisten),
	CHANNEL_RULE(PW_EXEMPT, sizeof(struct msg_address), ANY_TIME,
	    from_parent_exempt),
	CHANNEL_RULE(
	    PW_PROXY, sizeof(struct msg_address), ANY_TIME, from_parent_proxy),
	CHANNEL_RULE(
	    PW_BEACON, sizeof(struct msg_beacon), ANY_TIME, from_parent_beacon),
	CHANNEL_RULE_RANGE(PW_SYNC, sizeof(struct msg_sync),
	    sizeof(struct msg_sync) + PROTO_SYNC_CHUNK * sizeof(uint32_t),
	    WORKER_RUNNING, from_parent_sync),
	CHANNEL_RULE(PW_ENDPOINT, sizeof(struct msg_endpoint), WORKER_RUNNING,
	    from_parent_endpoint),
	CHANNEL_RULE_FD(PW_AUTH, 0, ANY_TIME, from_parent_auth),
	CHANNEL_RULE_FD(PW_SIBLING, sizeof(struct msg_sibling), ANY_TIME,
	    from_parent_sibling),
	CHANNEL_RULE_FD(PW_WINDOW, 0, ANY_TIME, from_parent_window),
	CHANNEL_RULE_FD(PW_ROUTER, 0, ANY_TIME, from_parent_router),
	CHANNEL_RULE(PW_ROUTER_END, 0, ANY_TIME, from_parent_router_end),
	CHANNEL_RULE(
	    PW_DRAIN, sizeof(struct msg_drain), ANY_TIME, from_parent_drain),
	CHANNEL_RULE(PW_START, 0, WORKER_SETUP, from_parent_start),
	CHANNEL_RULE(
	    PW_OPEN, sizeof(struct msg_open), WORKER_RUNNING, from_parent_open),
	CHANNEL_RULE(PW_REFUSE, sizeof(struct msg_refuse), WORKER_RUNNING,
	    from_parent_refuse),
	CHANNEL_RULE(PW_CLOSE, sizeof(struct msg_close), WORKER_RUNNING,
	    from_parent_close),
	CHANNEL_RULE(
	    PW_BLOCK, sizeof(struct msg_address), ANY_TIME, from_parent_block),
	CHANNEL_RULE_RANGE(PW_STAT, sizeof(struct msg_stat),
	    sizeof(struct msg_stat) +
		PROTO_STAT_MAX * sizeof(struct msg_stat_session),
	    WORKER_RUNNING, from_parent_stat),
	{ PW_MOVE_OUT, "PW_MOVE_OUT", sizeof(struct msg_move),
	    sizeof(struct msg_move) +
		MOVE_SESSIONS_MAX * sizeof(struct msg_move_session),
	    CHANNEL_FD, WORKER_RUNNING, 1, from_parent_move_out },
	{ PW_MOVE_IN, "PW_MOVE_IN", sizeof(struct msg_move),
	    sizeof(struct msg_move) +
		MOVE_SESSIONS_MAX * sizeof(struct msg_move_session),
	    CHANNEL_FD, WORKER_RUNNING, 1, from_parent_move_in },
	CHANNEL_RULE(PW_MOVED, sizeof(struct msg_moved), WORKER_RUNNING,
	    from_parent_moved),
	CHANNEL_RULE(PW_FENCE, sizeof(struct msg_moved), WORKER_RUNNING,
	    from_parent_fence),
	CHANNEL_RULE(
	    PW_STILL, sizeof(struct msg_still), ANY_TIME, from_parent_still),
	CHANNEL_RULE_FD(
	    PW_PARK, sizeof(struct msg_park), WORKER_RUNNING, from_parent_park),
	CHANNEL_RULE(PW_FORGET, sizeof(struct msg_forget), WORKER_RUNNING,
	    from_parent_forget),
	CHANNEL_RULE(PW_PING, 0, ANY_TIME, from_parent_ping),
	CHANNEL_RULE(PW_SHUTDOWN, 0, ANY_TIME, from_parent_shutdown),
};

/* The parent is gone, or this process is to go: nothing is left to do. */
static void
from_parent_end(void *owner, const char *reason)
{
	if (reason != NULL)
		fatalx("parent: %s", reason);
	exit(0);
}

/* Begins to serve the parent's channel. */
void
from_parent_init(struct worker *w)
{
	if (channel_open(&w->parent, w->loop, CHILD_PARENT_FD, "parent",
		from_parent_rules,
		sizeof(from_parent_rules) / sizeof(from_parent_rules[0]),
		from_parent_end, w) == -1)
		fatal("parent's channel");
	w->parent.state = WORKER_NEW;
}
