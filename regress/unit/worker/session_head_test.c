/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <unistd.h>

#include "regress/unit/worker/parts.h"
#include "worker/limit.h"

/* What becomes of a request, by what it is and by what there is room for. */

static struct peermap_header *header;
static struct session *s;
static int client;
static int begun;        /* logins */
static int has_room = 1; /* what login_has_room() says */
static int upgrades = 1; /* what limit_customer() says */
static int joins = 1;    /* what session_join_source() says */
static int asked;        /* limit_customer() */
static int broken;

void
login_begin(struct worker *of, struct session *x, const char *answer, size_t n)
{
	begun++;
	if (memcmp(answer, "HTTP/1.1 101 ", 13) != 0)
		abort();
}

int
login_has_room(struct worker *of)
{
	return (has_room);
}

int
limit_customer(struct source_table *table, const uint8_t addr[16], uint32_t now,
    uint32_t most)
{
	asked++;
	return (upgrades);
}

int
session_join_source(struct worker *of, struct session *x)
{
	return (joins);
}

void
stranger_done(struct strangers *all, struct stranger *x)
{
}

void
wheel_set(struct worker *of, struct session *x)
{
}

void
broken_mark(struct worker *of, struct session *x)
{
	broken++;
}

/* A connection of 192.0.2.1, or of a proxy. */
static void
begin(int of_proxy)
{
	int pair[2];

	if (s != NULL)
		(void)close(s->io.fd);
	(void)close(client);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	client = pair[1];
	s = parts_session(0, SESSION_HEAD);
	s->io.fd = pair[0];
	s->peer.at = parts_endpoint(1, 4000);
	if (of_proxy)
		memcpy(s->peer.at.addr + 12, "\x7f\0\0\1", 4);
	begun = asked = broken = 0;
}

/* The status that the request gets; 101 without an answer of its own here. */
static int
status_of(const char *request)
{
	char answer[HTTP_RESPONSE_MAX + 1];
	ssize_t n;

	if (session_head(&w, s, (const uint8_t *)request, strlen(request)) == 0)
		return (0);
	if (begun == 1)
		return (s->state == SESSION_NONCE ? 101 : -1);
	n = recv(client, answer, sizeof(answer) - 1, 0);
	if (n < 13 || s->state != SESSION_LINGER)
		return (-1);
	answer[n] = '\0';
	return ((int)strtol(answer + 9, NULL, 10));
}

#define UPGRADE(more)                                   \
	"GET /v1/compat HTTP/1.1\r\nHost: a\r\n"        \
	"Connection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\n"                 \
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" more "\r\n"
#define HEALTH "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

static void
test_an_upgrade_begins_a_login(void)
{
	uint64_t ok;

	ok = COUNTED(UPGRADE_OK);
	begin(0);
	w.nupgraded = 0;
	w.settings.auth_timeout = 5;
	CHECK(status_of(UPGRADE("")) == 101 && w.nupgraded == 1);
	CHECK(COUNTED(UPGRADE_OK) == ok + 1 && asked == 1);
	CHECK(s->deadline == w.tick + TICKS(5));
}

static void
test_a_head_that_is_not_whole(void)
{
	begin(0);
	CHECK(status_of("GET /v1/compat HTTP/1.1\r\nHost: a\r\n") == 0);
	CHECK(s->state == SESSION_HEAD && broken == 0);
}

static void
test_other_requests_are_answered(void)
{
	uint64_t errors, probes;

	errors = COUNTED(HTTP_ERRORS);
	probes = COUNTED(HTTP_PROBES);
	begin(0);
	CHECK(status_of(HEALTH) == 200 && COUNTED(HTTP_PROBES) == probes + 1);
	CHECK(s->deadline == w.tick + LINGER_TICKS);
	begin(0);
	CHECK(status_of("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n") == 404);
	CHECK(COUNTED(HTTP_ERRORS) == errors + 1);
	begin(0);
	session_answer(&w, s, 408);
	CHECK(s->state == SESSION_LINGER && COUNTED(HTTP_ERRORS) == errors + 2);
}

static void
test_while_draining_nobody_comes_in(void)
{
	w.drain.phase = DRAIN_CLOSING;
	begin(0);
	CHECK(status_of(UPGRADE("")) == 503 && asked == 0);
	begin(0);
	CHECK(status_of(HEALTH) == 503);
	w.drain.phase = DRAIN_NOT;
}

static void
test_no_more_peers_than_there_may_be(void)
{
	uint64_t refused;

	refused = COUNTED(REFUSED_CAPACITY);
	header->sessions = 7;
	w.settings.max_peers = 7;
	begin(0);
	CHECK(status_of(UPGRADE("")) == 503);
	CHECK(COUNTED(REFUSED_CAPACITY) == refused + 1);
	w.settings.max_peers = 8;
	begin(0);
	CHECK(status_of(UPGRADE("")) == 101);
	w.settings.max_peers = 0;
	begin(0);
	CHECK(status_of(UPGRADE("")) == 101);
}

static void
test_without_room_for_a_login(void)
{
	uint64_t busy;

	busy = COUNTED(REFUSED_BUSY);
	has_room = 0;
	begin(0);
	CHECK(status_of(UPGRADE("")) == 503);
	CHECK(COUNTED(REFUSED_BUSY) == busy + 1 && asked == 0);
	has_room = 1;
}

static void
test_a_source_that_comes_too_often(void)
{
	uint64_t rate;

	rate = COUNTED(REFUSED_RATE);
	upgrades = 0;
	begin(0);
	CHECK(status_of(UPGRADE("")) == 429);
	upgrades = 1;
	joins = 0;
	begin(0);
	CHECK(status_of(UPGRADE("")) == 429);
	CHECK(COUNTED(REFUSED_RATE) == rate + 2);
	joins = 1;
}

/* Only a proxy that is trusted is believed about whom it speaks for. */
static void
test_whom_the_proxy_names(void)
{
	begin(1);
	CHECK(status_of(UPGRADE("X-Forwarded-For: 192.0.2.9\r\n")) == 101);
	CHECK(s->peer.at.addr[15] == 9 && s->peer.at.port == 0 && asked == 1);
	begin(0);
	CHECK(status_of(UPGRADE("X-Forwarded-For: 192.0.2.9\r\n")) == 101);
	CHECK(s->peer.at.addr[15] == 1 && s->peer.at.port == 4000);
	begin(1);
	CHECK(status_of(UPGRADE("Forwarded: for=192.0.2.9\r\n")) == 101);
	CHECK(s->peer.at.addr[12] == 127 && s->peer.at.port == 4000);
	w.settings.forwarded = 1;
	begin(1);
	CHECK(status_of(UPGRADE("X-Forwarded-For: 192.0.2.8\r\n"
				"Forwarded: for=192.0.2.9\r\n")) == 101);
	CHECK(s->peer.at.addr[15] == 9 && s->peer.at.port == 0);
	w.settings.forwarded = 0;
}

/* Or all of its clients would have one. */
static void
test_no_limit_for_a_proxy_that_names_nobody(void)
{
	uint64_t unknown;

	unknown = COUNTED(FORWARDED_UNKNOWN);
	upgrades = 0;
	begin(1);
	CHECK(status_of(UPGRADE("")) == 101 && asked == 0);
	begin(1);
	CHECK(status_of(UPGRADE("X-Forwarded-For: 127.0.0.9\r\n")) == 101);
	CHECK(asked == 0 && s->peer.at.addr[15] == 9);
	CHECK(COUNTED(FORWARDED_UNKNOWN) == unknown);
	begin(1);
	CHECK(status_of(UPGRADE("X-Forwarded-For: unknown\r\n")) == 101);
	CHECK(asked == 0 && COUNTED(FORWARDED_UNKNOWN) == unknown + 1);
	begin(1);
	CHECK(status_of(UPGRADE("X-Forwarded-For: 192.0.2.9\r\n")) == 429);
	upgrades = 1;
}

static void
test_who_takes_no_answer_is_broken(void)
{
	begin(0);
	(void)close(client);
	client = -1;
	(void)session_head(&w, s, (const uint8_t *)HEALTH, strlen(HEALTH));
	CHECK(broken == 1);
}

int
main(void)
{
	(void)parts_sessions();
	parts_trust_loopback();
	header = parts_map();
	client = -1;
	RUN(test_an_upgrade_begins_a_login);
	RUN(test_a_head_that_is_not_whole);
	RUN(test_other_requests_are_answered);
	RUN(test_while_draining_nobody_comes_in);
	RUN(test_no_more_peers_than_there_may_be);
	RUN(test_without_room_for_a_login);
	RUN(test_a_source_that_comes_too_often);
	RUN(test_whom_the_proxy_names);
	RUN(test_no_limit_for_a_proxy_that_names_nobody);
	RUN(test_who_takes_no_answer_is_broken);
	return (test_failed());
}
