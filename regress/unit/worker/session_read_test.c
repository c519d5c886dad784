/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <unistd.h>

#include "regress/unit/worker/parts.h"

/*
 * What is read, kept and handed on.  Here a frame is a digit, and as many bytes
 * as that says behind it.
 */

static struct session *s;
static int client;
static char frames[200]; /* those that were whole */
static int proxies, heads, grown, broken, superseded, bursts, later, crowded;
static int current = 1; /* boolean: the map has this session */

/* It begins with a header if it begins with a P; that ends with a full stop. */
size_t
session_proxy(
    struct worker *of, struct session *x, const uint8_t *bytes, size_t len)
{
	const uint8_t *end;

	proxies++;
	end = memchr(bytes, '.', len);
	if (end == NULL)
		return (0);
	x->state = bytes[0] == 'P' ? SESSION_HEAD : SESSION_BROKEN;
	return (bytes[0] == 'P' ? (size_t)(end + 1 - bytes) : len);
}

size_t
session_head(
    struct worker *of, struct session *x, const uint8_t *bytes, size_t len)
{
	const uint8_t *end;

	heads++;
	end = memchr(bytes, '\n', len);
	if (end == NULL)
		return (0);
	x->state = SESSION_OPEN;
	return ((size_t)(end + 1 - bytes));
}

size_t
session_frames(struct worker *of, struct session *x, uint8_t *bytes, size_t len,
    size_t *total)
{
	size_t n, off;

	*total = 0;
	for (off = 0; off < len; off += n) {
		n = (size_t)(bytes[off] - '0') + 1;
		if (n > len - off) {
			*total = n;
			break;
		}
		(void)strncat(frames, (char *)bytes + off, n);
		(void)strncat(frames, ",", 2);
	}
	return (off);
}

void
session_frame_grows(struct worker *of, struct session *x)
{
	grown++;
}

int
session_current(struct worker *of, const struct session *x)
{
	return (current);
}

/* As session_close() does, which gives up what is kept. */
void
session_superseded(struct worker *of, struct session *x)
{
	superseded++;
	x->state = SESSION_CLOSING;
	if (x->pending != NULL) {
		x->skip = x->pending->total - x->pending->len;
		free(inbound_take_pending(of, x));
	}
}

void
session_send_pongs(struct worker *of, struct session *x)
{
}

void
session_stop_listening(struct worker *of, struct session *x)
{
}

void
session_try_later(struct worker *of, struct session *x)
{
	later++;
}

void
session_crowded_out(struct worker *of, struct session *x)
{
	crowded++;
	free(inbound_take_pending(of, x));
}

void
burst_end(struct worker *of)
{
	bursts++;
}

void
broken_mark(struct worker *of, struct session *x)
{
	broken++;
}

void
outq_write(struct worker *of, struct session *x)
{
}

void
wheel_set(struct worker *of, struct session *x)
{
}

static void
begin(enum session_state state)
{
	int pair[2];

	if (s != NULL) {
		free(inbound_take_pending(&w, s));
		(void)close(s->io.fd);
	}
	(void)close(client);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	client = pair[1];
	s = parts_session(0, state);
	ev_io_init(&s->io, session_io, pair[0], EV_READ);
	s->io.data = &w;
	memset(frames, 0, sizeof(frames));
	proxies = heads = grown = broken = superseded = 0;
	bursts = later = crowded = 0;
	current = 1;
	w.tick++;
}

/* The client sends that, and it is read. */
static const char *
come(const char *bytes)
{
	size_t len;

	len = strlen(bytes);
	if (send(client, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
	session_io(w.loop, &s->io, EV_READ);
	return (frames);
}

#define COME(bytes, whole) (strcmp(come(bytes), whole) == 0)

static void
test_the_head_and_what_comes_along(void)
{
	begin(SESSION_HEAD);
	CHECK(COME("GET", "") && s->state == SESSION_HEAD && heads == 1);
	CHECK(s->pending != NULL && s->pending->total == 0);
	CHECK(COME(" /\n2ab1", "2ab,") && s->state == SESSION_OPEN);
	CHECK(COME("c", "2ab,1c,") && s->pending == NULL);
}

static void
test_a_proxys_header_comes_first(void)
{
	begin(SESSION_PROXY);
	CHECK(COME("P.GET /\n1a", "1a,") && proxies == 1 && heads == 1);
	begin(SESSION_PROXY);
	CHECK(COME("P", "") && s->pending != NULL && heads == 0);
	CHECK(COME(".", "") && s->state == SESSION_HEAD);
	CHECK(s->pending == NULL && proxies == 2);
	CHECK(COME("GET", "") && COME(" /\n1a", "1a,") && proxies == 2);
	begin(SESSION_PROXY);
	CHECK(COME("P.GET", "") && s->state == SESSION_HEAD);
	CHECK(s->pending != NULL && s->pending->len == 3);
	CHECK(COME(" /\n1a", "1a,") && proxies == 1);
	begin(SESSION_PROXY);
	CHECK(COME("X.GET /\n", "") && heads == 0 && s->pending == NULL);
}

static void
test_whatever_the_pieces_frames_are_whole(void)
{
	static const char all[] = "3abc1x9123456789"
				  "0"
				  "2yz";
	char piece[sizeof(all)];
	size_t i, size;

	for (size = 1; size < sizeof(all); size++) {
		begin(SESSION_OPEN);
		for (i = 0; i < sizeof(all) - 1; i += size) {
			memset(piece, 0, sizeof(piece));
			memcpy(piece, all + i,
			    size < sizeof(all) - 1 - i ? size
						       : sizeof(all) - 1 - i);
			(void)come(piece);
		}
		CHECK(strcmp(frames, "3abc,1x,9123456789,0,2yz,") == 0);
		CHECK(s->pending == NULL && w.inbound[0].bytes == 0);
		CHECK(s->heard == w.tick && bursts > 0);
	}
}

static void
test_a_part_is_not_a_sign_of_life(void)
{
	begin(SESSION_OPEN);
	CHECK(COME("9123", "") && s->heard != w.tick && grown == 1);
	CHECK(s->pending->total == 10 && s->pending->len == 4);
	CHECK(COME("4567", "") && s->heard != w.tick && grown == 2);
	CHECK(COME("89", "9123456789,") && s->heard == w.tick);
}

static void
test_the_end_breaks_it_and_no_news_do_not(void)
{
	begin(SESSION_OPEN);
	session_io(w.loop, &s->io, EV_READ);
	CHECK(broken == 0);
	(void)close(client);
	client = -1;
	session_io(w.loop, &s->io, EV_READ);
	CHECK(broken == 1);
}

static void
test_what_is_skipped(void)
{
	begin(SESSION_CLOSING);
	s->skip = 5;
	CHECK(COME("xxx", "") && s->skip == 2 && s->heard == w.tick);
	CHECK(COME("xx1a", "1a,") && s->skip == 0);
	begin(SESSION_CLOSING);
	s->skip = SKIP_ALL;
	CHECK(COME("1a2bc", "") && s->skip == SKIP_ALL && s->pending == NULL);
}

/* The node has connected again, and the map says so before the parent does. */
static void
test_no_frame_of_a_session_that_was_replaced(void)
{
	begin(SESSION_OPEN);
	current = 0;
	(void)come("1a");
	CHECK(superseded == 1 && s->state == SESSION_CLOSING);
	/* In the middle of a frame: its rest is not taken for one. */
	begin(SESSION_OPEN);
	CHECK(COME("9123", ""));
	current = 0;
	CHECK(COME("4567", "") && superseded == 1 && s->skip == 2);
	CHECK(COME("89"
		   "1a",
		  "1a,") &&
	      s->skip == 0);
	begin(SESSION_OPEN);
	CHECK(COME("9123", ""));
	current = 0;
	CHECK(COME("456789"
		   "1a",
		  "1a,") &&
	      s->skip == 0);
}

/* The largest holder makes room, or nobody does. */
static void
test_no_room_for_what_is_incomplete(void)
{
	struct session *largest, *other;
	static uint8_t bytes[1];
	uint32_t i;

	begin(SESSION_OPEN);
	other = parts_session(1, SESSION_OPEN);
	CHECK(inbound_keep(&w, other, bytes, 1, 20000, &largest) == 0);
	i = (uint32_t)w.inbound[INBOUND_PEERS].bytes;
	w.inbound[INBOUND_PEERS].bytes = INBOUND_PEERS_MAX;
	(void)come("91");
	CHECK(crowded == 1 && later == 0 && s->pending != NULL);
	free(inbound_take_pending(&w, s));
	w.inbound[INBOUND_PEERS].bytes = INBOUND_PEERS_MAX;
	(void)come("91");
	CHECK(crowded == 1 && later == 1 && s->pending == NULL);
	w.inbound[INBOUND_PEERS].bytes = 0;
	CHECK(i > 20000);
}

int
main(void)
{
	static uint8_t rx[RX_SIZE];

	(void)parts_sessions();
	w.rx = rx;
	client = -1;
	RUN(test_the_head_and_what_comes_along);
	RUN(test_a_proxys_header_comes_first);
	RUN(test_whatever_the_pieces_frames_are_whole);
	RUN(test_a_part_is_not_a_sign_of_life);
	RUN(test_the_end_breaks_it_and_no_news_do_not);
	RUN(test_what_is_skipped);
	RUN(test_no_frame_of_a_session_that_was_replaced);
	RUN(test_no_room_for_what_is_incomplete);
	return (test_failed());
}
