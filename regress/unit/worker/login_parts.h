/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_WORKER_LOGIN_PARTS_H
#define REGRESS_UNIT_WORKER_LOGIN_PARTS_H

#include <sys/socket.h>

#include <unistd.h>

#include "regress/unit/counted.h"
#include "regress/unit/still_clock.h"
#include "regress/unit/worker/parts.h"

/* What a login needs, with auth and clients that the test plays. */
static struct imsgbuf auth;
static struct stranger strangers[PARTS_SESSIONS];
static int clients[PARTS_SESSIONS];
static int later, broken, freed;
static int closed; /* code */
static struct msg_closed told;
static char ok_frame[64]; /* what a session was told when it was open */

void
session_send_pongs(struct worker *of, struct session *s)
{
}

void
session_close(struct worker *of, struct session *s, int code, const char *why)
{
	closed = code;
	s->state = SESSION_CLOSING;
}

void
session_try_later(struct worker *of, struct session *s)
{
	later++;
	s->state = SESSION_CLOSING;
}

struct session *
session_find(struct worker *of, uint32_t slot, uint32_t serial, uint32_t states)
{
	struct session *s;

	if (slot >= w.nslots)
		return (NULL);
	s = &w.sessions[slot];
	if (s->serial != serial || (SESSION_STATE_BIT(s->state) & states) == 0)
		return (NULL);
	return (s);
}

void
broken_mark(struct worker *of, struct session *s)
{
	broken++;
	s->state = SESSION_BROKEN;
}

uint32_t
outq_frames(struct worker *of, struct session *s, struct iovec *iov, int n,
    size_t len, uint32_t frames)
{
	if (n != 1 || frames != 1)
		abort();
	memcpy(ok_frame, iov->iov_base, len);
	ok_frame[len] = '\0';
	return (frames);
}

void
stranger_free(struct strangers *all, struct stranger *x)
{
	freed++;
}

void
tell_closed(struct worker *of, uint32_t node, uint32_t generation)
{
	told.node = node;
	told.generation = generation;
}

void
wheel_set(struct worker *of, struct session *s)
{
}

/* Session i was just upgraded, and its login begins. */
static inline struct session *
comes(uint32_t i)
{
	struct session *s;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	clients[i] = pair[1];
	s = parts_session(i, SESSION_NONCE);
	s->io.fd = pair[0];
	s->stranger = &strangers[i];
	login_begin(&w, s, "101\n", 4);
	return (s);
}

static inline void
goes(uint32_t i)
{
	(void)close(w.sessions[i].io.fd);
	(void)close(clients[i]);
	w.sessions[i].state = SESSION_FREE;
}

/* What client i has got; "" for nothing. */
static inline const char *
got(uint32_t i)
{
	static char bytes[1000];
	ssize_t n;

	n = recv(clients[i], bytes, sizeof(bytes) - 1, 0);
	bytes[n < 0 ? 0 : n] = '\0';
	return (bytes);
}

/* How many nonces auth was asked for, since the last time. */
static inline uint32_t
asked(void)
{
	struct msg_nonces_wanted msg;
	uint32_t n;

	for (n = 0;
	     parts_told(&w.auth, &auth, WA_NONCES, &msg, sizeof(msg)) == 1;)
		n += msg.count;
	return (n);
}

/* Auth sends count nonces; the first byte of each is its number. */
static inline const char *
nonces(uint32_t first, uint32_t count)
{
	static uint8_t values[NONCES_MAX * PROTO_NONCE_LEN];
	struct msg_nonces msg;
	uint32_t i;

	msg.first = first;
	msg.count = count;
	msg.wall = clock_wall_offset();
	for (i = 0; i < count; i++)
		memset(values + (size_t)i * PROTO_NONCE_LEN, (int)(first + i),
		    PROTO_NONCE_LEN);
	return (login_nonces(&w, &msg, values));
}

static inline void
begin(void)
{
	memset(&w.login.nnonces, 0, sizeof(w.login.nnonces));
	login_auth_lost(&w);
	w.login.nwaiters = 0;
	(void)asked();
	later = broken = closed = freed = 0;
	memset(&told, 0, sizeof(told));
	memset(ok_frame, 0, sizeof(ok_frame));
	(void)counted_all();
}

static inline void
login_parts_init(void)
{
	parts_loop();
	parts_channel(&w.auth, &auth);
	(void)parts_sessions();
	(void)parts_map();
	w.tick = 1000;
	w.settings.ping_interval = 30;
	login_init(&w);
}

#endif /* REGRESS_UNIT_WORKER_LOGIN_PARTS_H */
