/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/limit.h"
#include "worker/worker.h"

/* What the parent and auth say to a worker, and what it says to the parent. */

static const char *parent_hello(struct channel *, struct imsg *);
static const char *parent_settings(struct channel *, struct imsg *);
static const char *parent_map(struct channel *, struct imsg *);
static const char *parent_counters(struct channel *, struct imsg *);
static const char *parent_listener(struct channel *, struct imsg *);
static const char *parent_udp(struct channel *, struct imsg *);
static const char *parent_exempt(struct channel *, struct imsg *);
static const char *parent_beacon(struct channel *, struct imsg *);
static const char *parent_sync(struct channel *, struct imsg *);
static const char *parent_auth(struct channel *, struct imsg *);
static const char *parent_sibling(struct channel *, struct imsg *);
static const char *parent_start(struct channel *, struct imsg *);
static const char *parent_open(struct channel *, struct imsg *);
static const char *parent_refuse(struct channel *, struct imsg *);
static const char *parent_close(struct channel *, struct imsg *);
static const char *parent_stat(struct channel *, struct imsg *);
static const char *parent_ping(struct channel *, struct imsg *);
static const char *parent_shutdown(struct channel *, struct imsg *);
static const char *auth_nonces(struct channel *, struct imsg *);
static const char *auth_refused(struct channel *, struct imsg *);
static const char *auth_granted(struct channel *, struct imsg *);

#define ROW(type, data, fd, states, handler)                 \
	{                                                    \
		type, #type, data, data, fd, states, handler \
	}
#define ANY_TIME (WORKER_SETUP | WORKER_RUNNING)

static const struct channel_rule from_parent[] = {
	ROW(PW_HELLO, sizeof(struct msg_hello), CHANNEL_NO_FD, WORKER_NEW,
	    parent_hello),
	ROW(PW_SETTINGS, sizeof(struct msg_settings), CHANNEL_NO_FD, ANY_TIME,
	    parent_settings),
	ROW(PW_MAP, 0, CHANNEL_FD, WORKER_SETUP, parent_map),
	ROW(PW_COUNTERS, 0, CHANNEL_FD, WORKER_SETUP, parent_counters),
	ROW(PW_LISTENER, 0, CHANNEL_FD, WORKER_SETUP, parent_listener),
	ROW(PW_UDP, sizeof(struct msg_udp), CHANNEL_FD, ANY_TIME, parent_udp),
	ROW(PW_EXEMPT, sizeof(struct msg_address), CHANNEL_NO_FD, ANY_TIME,
	    parent_exempt),
	ROW(PW_BEACON, sizeof(struct msg_address), CHANNEL_NO_FD, ANY_TIME,
	    parent_beacon),
	{ PW_SYNC, "PW_SYNC", sizeof(struct msg_sync),
	    sizeof(struct msg_sync) + PROTO_SYNC_CHUNK * sizeof(uint32_t),
	    CHANNEL_NO_FD, WORKER_RUNNING, parent_sync },
	ROW(PW_AUTH, 0, CHANNEL_FD, ANY_TIME, parent_auth),
	ROW(PW_SIBLING, sizeof(struct msg_sibling), CHANNEL_FD, ANY_TIME,
	    parent_sibling),
	ROW(PW_START, 0, CHANNEL_NO_FD, WORKER_SETUP, parent_start),
	ROW(PW_OPEN, sizeof(struct msg_open), CHANNEL_NO_FD, WORKER_RUNNING,
	    parent_open),
	ROW(PW_REFUSE, sizeof(struct msg_refuse), CHANNEL_NO_FD, WORKER_RUNNING,
	    parent_refuse),
	ROW(PW_CLOSE, sizeof(struct msg_close), CHANNEL_NO_FD, WORKER_RUNNING,
	    parent_close),
	ROW(PW_STAT, sizeof(struct msg_stat), CHANNEL_NO_FD, WORKER_RUNNING,
	    parent_stat),
	ROW(PW_PING, 0, CHANNEL_NO_FD, ANY_TIME, parent_ping),
	ROW(PW_SHUTDOWN, 0, CHANNEL_NO_FD, ANY_TIME, parent_shutdown),
};

static const struct channel_rule from_auth[] = {
	{ AW_NONCES, "AW_NONCES", sizeof(struct msg_nonces) + PROTO_NONCE_LEN,
	    sizeof(struct msg_nonces) + PROTO_NONCES_MAX *PROTO_NONCE_LEN,
	    CHANNEL_NO_FD, ~0U, auth_nonces },
	ROW(AW_REFUSED, sizeof(struct msg_refused), CHANNEL_NO_FD, ~0U,
	    auth_refused),
	ROW(AW_GRANTED, sizeof(struct msg_granted), CHANNEL_NO_FD, ~0U,
	    auth_granted),
};

#define NROWS(table) (sizeof(table) / sizeof((table)[0]))

/* The parent is gone, or this process is to go: nothing is left to do. */
static void
parent_end(struct channel *ch, const char *reason)
{
	(void)ch;
	if (reason != NULL)
		fatalx("parent: %s", reason);
	exit(0);
}

static void
auth_end(struct channel *ch, const char *reason)
{
	if (reason != NULL)
		log_warnx("auth: %s: channel closed", reason);
	login_auth_lost(ch->owner);
}

/* Begins to serve the parent's channel. */
void
dispatch_init(struct worker *w)
{
	if (channel_open(&w->parent, w->loop, CHILD_PARENT_FD, "parent",
		from_parent, NROWS(from_parent), parent_end, w) == -1)
		fatal("parent's channel");
	w->parent.state = WORKER_NEW;
}

/* Tells the parent that an open session has ended. */
void
dispatch_closed(struct worker *w, uint32_t node, uint32_t generation)
{
	struct msg_closed msg;

	msg.node = node;
	msg.generation = generation;
	/* Unsaid, the map would keep a ghost: better no worker than that. */
	if (channel_send(&w->parent, WP_CLOSED, 0, -1, &msg, sizeof(msg)) == -1)
		fatal("parent's channel");
}

static const char *
parent_hello(struct channel *ch, struct imsg *imsg)
{
	struct worker *w;

	w = ch->owner;
	if (imsg_get_data(imsg, &w->hello, sizeof(w->hello)) == -1)
		return ("unreadable");
	w->hello.version[sizeof(w->hello.version) - 1] = '\0';
	if (strcmp(w->hello.version, BEACOND_VERSION) != 0)
		fatalx("beacond is %s, this beacond-worker %s: install both "
		       "from one build",
		    w->hello.version, BEACOND_VERSION);
	if (w->hello.nworkers > PROTO_WORKERS_MAX ||
	    w->hello.worker >= w->hello.nworkers)
		return ("no such worker");
	ch->state = WORKER_SETUP;
	return (NULL);
}

static const char *
parent_settings(struct channel *ch, struct imsg *imsg)
{
	struct worker *w;

	w = ch->owner;
	if (imsg_get_data(imsg, &w->settings, sizeof(w->settings)) == -1)
		return ("unreadable");
	if (w->sessions == NULL)
		session_init(w);
	return (NULL);
}

static const char *
parent_map(struct channel *ch, struct imsg *imsg)
{
	struct worker *w;
	int fd, r;

	w = ch->owner;
	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	r = peermap_open(&w->map, fd);
	(void)close(fd);
	return (r == -1 ? "no peer map" : NULL);
}

static const char *
parent_counters(struct channel *ch, struct imsg *imsg)
{
	int fd, r;

	(void)ch;
	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	r = counters_open(fd);
	(void)close(fd);
	return (r == -1 ? "no page of counters" : NULL);
}

static const char *
parent_listener(struct channel *ch, struct imsg *imsg)
{
	int fd;

	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	return (accept_listen(ch->owner, fd));
}

static const char *
parent_udp(struct channel *ch, struct imsg *imsg)
{
	struct msg_udp msg;
	int fd;

	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	return (udp_open(ch->owner, &msg, fd));
}

static const char *
parent_exempt(struct channel *ch, struct imsg *imsg)
{
	struct msg_address msg;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	return (punch_exempt(ch->owner, &msg));
}

static const char *
parent_beacon(struct channel *ch, struct imsg *imsg)
{
	struct msg_address msg;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	return (beacons_set(ch->owner, &msg));
}

static const char *
parent_sync(struct channel *ch, struct imsg *imsg)
{
	struct msg_sync msg;
	struct ibuf ibuf;

	if (imsg_get_ibuf(imsg, &ibuf) == -1 ||
	    ibuf_get(&ibuf, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	return (beacons_send_sync(
	    ch->owner, &msg, ibuf_data(&ibuf), ibuf_size(&ibuf)));
}

static const char *
parent_auth(struct channel *ch, struct imsg *imsg)
{
	struct worker *w;
	int fd;

	w = ch->owner;
	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	if (w->auth.open) {
		channel_close(&w->auth);
		login_auth_lost(w);
	}
	if (channel_open(&w->auth, w->loop, fd, "auth", from_auth,
		NROWS(from_auth), auth_end, w) == -1)
		fatal("auth's channel");
	login_top_up(w);
	return (NULL);
}

static const char *
parent_sibling(struct channel *ch, struct imsg *imsg)
{
	struct msg_sibling msg;
	int fd;

	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	return (route_open(ch->owner, msg.worker, fd));
}

static const char *
parent_start(struct channel *ch, struct imsg *imsg)
{
	struct msg_hello ready;
	struct worker *w;

	(void)imsg;
	w = ch->owner;
	if (w->sessions == NULL || w->map.header == NULL)
		return ("started without settings or map");
	ch->state = WORKER_RUNNING;
	accept_start(w);
	udp_start(w);
	ready = w->hello;
	if (channel_send(ch, WP_READY, 0, -1, &ready, sizeof(ready)) == -1)
		fatal("parent's channel");
	return (NULL);
}

static const char *
parent_open(struct channel *ch, struct imsg *imsg)
{
	struct msg_open msg;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	login_open(ch->owner, &msg);
	return (NULL);
}

static const char *
parent_refuse(struct channel *ch, struct imsg *imsg)
{
	struct msg_refuse msg;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	login_refuse(ch->owner, &msg);
	return (NULL);
}

/* The open session in slot of that generation, or NULL. */
static struct session *
dispatch_session(struct worker *w, uint32_t slot, uint32_t generation)
{
	struct session *s;

	if (slot >= w->nslots)
		return (NULL);
	s = &w->sessions[slot];
	if (s->state != SESSION_OPEN || s->generation != generation)
		return (NULL);
	return (s);
}

static const char *
parent_close(struct channel *ch, struct imsg *imsg)
{
	struct msg_close msg;
	struct session *s;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	s = dispatch_session(ch->owner, msg.slot, msg.generation);
	if (s != NULL)
		session_removed(ch->owner, s, msg.reason);
	return (NULL);
}

static const char *
parent_stat(struct channel *ch, struct imsg *imsg)
{
	struct msg_stat_reply reply;
	struct msg_stat msg;
	struct session *s;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	memset(&reply, 0, sizeof(reply));
	reply.request = msg.request;
	s = dispatch_session(ch->owner, msg.slot, msg.generation);
	if (s != NULL) {
		reply.known = 1;
		reply.frames_in = s->frames_in;
		reply.frames_out = s->frames_out;
		memcpy(reply.addr, s->addr, sizeof(reply.addr));
		reply.port = s->port;
		reply.queued = s->outq == NULL ? 0 : s->outq->len;
	}
	if (channel_send(ch, WP_STAT, 0, -1, &reply, sizeof(reply)) == -1)
		fatal("parent's channel");
	return (NULL);
}

static const char *
parent_ping(struct channel *ch, struct imsg *imsg)
{
	(void)imsg;
	if (channel_send(ch, WP_PONG, 0, -1, NULL, 0) == -1)
		fatal("parent's channel");
	return (NULL);
}

static const char *
parent_shutdown(struct channel *ch, struct imsg *imsg)
{
	struct worker *w;

	(void)imsg;
	w = ch->owner;
	w->draining = 1;
	if (w->sessions != NULL)
		session_close_all(
		    w, WS_STATUS_GOING_AWAY, "beacon shutting down");
	dispatch_drained(w);
	return (NULL);
}

/*
 * While draining: the last WebSocket is gone, and so is this process.  Until
 * then new connections are still told that they come too late (503).
 */
void
dispatch_drained(struct worker *w)
{
	if (w->draining && w->nupgraded == 0)
		exit(0);
}

static const char *
auth_nonces(struct channel *ch, struct imsg *imsg)
{
	uint8_t values[PROTO_NONCES_MAX * PROTO_NONCE_LEN];
	struct msg_nonces msg;
	struct ibuf ibuf;

	if (imsg_get_ibuf(imsg, &ibuf) == -1 ||
	    ibuf_get(&ibuf, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	if (msg.count == 0 || msg.count > PROTO_NONCES_MAX ||
	    ibuf_size(&ibuf) != (size_t)msg.count * PROTO_NONCE_LEN)
		return ("count does not fit size");
	if (ibuf_get(&ibuf, values, (size_t)msg.count * PROTO_NONCE_LEN) == -1)
		return ("unreadable");
	return (login_nonces(ch->owner, &msg, values));
}

static const char *
auth_refused(struct channel *ch, struct imsg *imsg)
{
	struct msg_refused msg;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	login_refused(ch->owner, &msg);
	return (NULL);
}

static const char *
auth_granted(struct channel *ch, struct imsg *imsg)
{
	struct msg_granted msg;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	punch_granted(ch->owner, &msg);
	return (NULL);
}
