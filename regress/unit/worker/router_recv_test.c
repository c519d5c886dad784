/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <unistd.h>

#include "regress/unit/counted.h"
#include "regress/unit/worker/parts.h"

/* The router's channel, from both ends; sessions are played. */

static int program = -1; /* the router's end */
static uint8_t out[2 << 20];
static size_t out_len;
static int written, closed, relayed;
static int full; /* boolean: nothing more may wait for the peer */
static int close_code;
static char close_reason[128];

int lookup_anew(struct worker *, uint32_t, uint32_t *, struct peermap_entry *);

/*
 * 7 is here, 8 at the other worker; 6 has gone there with the generation that
 * it has here; 5 has no session, but was there; of 3 and 4 nothing is known.
 */
int
lookup_anew(struct worker *of, uint32_t node, uint32_t *hint,
    struct peermap_entry *entry)
{
	static const uint32_t generations[10] = {
		[3] = 78, [4] = 77, [6] = 77, [7] = 77, [8] = 78
	};

	memset(entry, 0, sizeof(*entry));
	entry->node = node;
	entry->generation = node < 10 ? generations[node] : 0;
	if (node == 7)
		entry->generation = w.sessions[1].peer.generation;
	entry->worker = node == 8 || node == 6 || node == 5 || node == 3;
	entry->slot = 1;
	return (node >= 5 && node < 10);
}

static int endless; /* boolean: the program has ever more to say */
static int reads;   /* of that */

ssize_t __real_recv(int, void *, size_t, int);
ssize_t __wrap_recv(int, void *, size_t, int);

ssize_t
__wrap_recv(int fd, void *bytes, size_t len, int flags)
{
	struct {
		struct imsg_header header;
		char text[16];
	} msg = { { FRAME_WRITE, sizeof(msg), 7, 0 }, "" };
	size_t at;

	if (!endless)
		return (__real_recv(fd, bytes, len, flags));
	reads++;
	for (at = 0; at + sizeof(msg) <= len; at += sizeof(msg))
		memcpy((uint8_t *)bytes + at, &msg, sizeof(msg));
	return ((ssize_t)at);
}

int
outq_has_room(const struct worker *of, const struct session *s, size_t len)
{
	return (!full);
}

int
session_write_frame(struct worker *of, uint32_t slot, uint32_t generation,
    uint8_t *frame, size_t len)
{
	written += slot == 1 && frame[len - 1] == 'x' &&
		   generation == w.sessions[1].peer.generation;
	return (1);
}

/* Is it about to go elsewhere? */
static int leaves;

int
move_end(struct worker *of, uint32_t node, uint32_t generation, uint32_t code,
    const char *why)
{
	return (leaves);
}

/* Has it just gone there? */
static int gone;

int
move_out_late(struct worker *of, uint32_t node, uint32_t generation,
    uint8_t *frame, size_t len)
{
	written +=
	    gone && frame[0] == 'x' && generation == (node == 6 ? 77 : 78);
	return (gone);
}

void
session_close(struct worker *of, struct session *s, int code, const char *why)
{
	closed++;
	close_code = code;
	(void)strlcpy(close_reason, why, sizeof(close_reason));
}

static int bursts;

void
burst_end(struct worker *of)
{
	bursts++;
}

static void
relay(struct worker *of, struct origin *peer, uint8_t *packet, size_t len)
{
	relayed++;
}

static const struct upper otherwise = { relay, parts_peer };

/* What the program gets: the next message, and its data. */
static uint32_t
next(struct imsg_header *header, const uint8_t **data)
{
	ssize_t n;

	route_flush(&w);
	n = recv(program, out + out_len, sizeof(out) - out_len, MSG_DONTWAIT);
	if (n > 0)
		out_len += (size_t)n;
	memset(header, 0, sizeof(*header));
	if (out_len < sizeof(*header))
		return (0);
	memcpy(header, out, sizeof(*header));
	if (out_len < header->len)
		return (0);
	*data = out + sizeof(*header);
	return (header->type);
}

static void
taken(const struct imsg_header *header)
{
	out_len -= header->len;
	memmove(out, out + header->len, out_len);
}

static void
begin(void)
{
	int pair[2];

	(void)close(program);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	program = pair[1];
	out_len = 0;
	written = closed = relayed = full = 0;
	(void)parts_session(1, SESSION_OPEN);
	w.sessions[1].peer.generation = 77;
	w.sessions[1].peer.node = 7;
	router_end(&w, NULL);
	router_otherwise(&w, &otherwise);
	router_recv_open(&w, pair[0]);
}

/* The program says it; the worker hears it. */
static void
say(uint32_t type, uint32_t node, uint32_t number, const void *data, size_t len)
{
	struct imsg_header header;
	int i;

	header.type = type;
	header.len = (uint32_t)(sizeof(header) + len);
	header.peerid = node;
	header.pid = number;
	if (send(program, &header, sizeof(header), MSG_NOSIGNAL) == -1 ||
	    (len > 0 && send(program, data, len, MSG_NOSIGNAL) == -1))
		abort();
	for (i = 0; i < 3; i++)
		ev_run(w.loop, EVRUN_NOWAIT);
}

static int
is_there(void)
{
	return (router_channel(&w) != NULL);
}

static void
test_what_peers_send_goes_to_it(void)
{
	struct origin peer = { .node = 7, .generation = 77 };
	struct imsg_header header;
	const uint8_t *data;
	uint8_t packet[] = { 1, 2, 3 };

	begin();
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	w.upper.peer(&w, &peer, 0);
	CHECK(next(&header, &data) == FRAME_JOINED);
	taken(&header);
	CHECK(next(&header, &data) == FRAME_FRAME && header.peerid == 7 &&
	      header.pid == 77 && header.len == sizeof(header) + 3 &&
	      memcmp(data, packet, 3) == 0);
	taken(&header);
	CHECK(next(&header, &data) == FRAME_GONE && header.pid == 77);
	CHECK(relayed == 0);
	router_end(&w, NULL);
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	CHECK(relayed == 1 && !is_there());
}

static void
test_what_it_writes(void)
{
	static uint8_t large[FRAME_DATA_MAX];
	static const struct {
		uint32_t node;
		size_t len;
		int full, gone;
		uint32_t refused; /* 0: it is delivered */
	} cases[] = { { 7, 1, 0, 0, 0 }, { 7, 1, 0, 1, 0 }, { 8, 1, 0, 1, 0 },
		{ 7, PROTO_DELIVERY_MAX, 0, 0, 0 },
		{ 8, PROTO_DELIVERY_MAX, 0, 1, 0 }, { 6, 1, 0, 1, 0 },
		{ 6, 1, 0, 0, FRAME_NOT_CONNECTED },
		{ 5, 1, 0, 1, FRAME_NOT_CONNECTED },
		{ 4, 1, 0, 1, FRAME_NOT_CONNECTED },
		{ 3, 1, 0, 1, FRAME_NOT_CONNECTED },
		{ 7, FRAME_DATA_MAX, 0, 0, FRAME_TOO_LARGE },
		{ 8, 1, 0, 0, FRAME_NOT_CONNECTED },
		{ 8, PROTO_DELIVERY_MAX + 1, 0, 1, FRAME_NOT_CONNECTED },
		{ 9, 1, 0, 1, FRAME_NOT_CONNECTED },
		{ 10, 1, 0, 1, FRAME_NOT_CONNECTED },
		{ 7, PROTO_DELIVERY_MAX + 1, 0, 0, FRAME_TOO_LARGE },
		{ 7, 1, 1, 0, FRAME_QUEUE_FULL } };
	struct imsg_header header;
	const uint8_t *data;
	size_t i;

	memset(large, 'x', sizeof(large));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		CHECK(next(&header, &data) == FRAME_JOINED);
		taken(&header);
		full = cases[i].full;
		gone = cases[i].gone;
		say(FRAME_WRITE, cases[i].node, 0,
		    cases[i].len == 1 ? (const uint8_t *)"x" : large,
		    cases[i].len);
		CHECK(is_there());
		CHECK(written == (cases[i].refused == 0));
		if (cases[i].refused == 0) {
			CHECK(next(&header, &data) == 0);
			continue;
		}
		CHECK(next(&header, &data) == FRAME_REFUSED &&
		      header.peerid == cases[i].node &&
		      header.pid == cases[i].refused &&
		      header.len == sizeof(header) + cases[i].len);
	}
}

/* The first session that there ever was. */
static void
test_what_it_writes_to_generation_one(void)
{
	begin();
	gone = 0;
	w.sessions[1].peer.generation = 1;
	say(FRAME_WRITE, 7, 0, "x", 1);
	CHECK(is_there() && written == 1);
	w.sessions[1].peer.generation = 77;
}

/* A close of 7 with that reason, as it comes: was it done? */
static int
closes(const char *text)
{
	uint8_t data[4 + FRAME_TEXT_MAX + 1] = { 1000 & 0xff, 1000 >> 8 };
	size_t len;

	begin();
	(void)counted_all();
	leaves = 0;
	len = strlen(text);
	memcpy(data + 4, text, len);
	say(FRAME_CLOSE, 7, 0, data, 4 + len);
	return (closed == 1 && is_there() && strcmp(close_reason, text) == 0 &&
		w.sessions[1].why == WHY_ROUTER &&
		counted(COUNTER_ROUTER_CLOSED));
}

static void
test_reasons_to_close(void)
{
	char text[FRAME_TEXT_MAX + 2];

	memset(text, 'a', sizeof(text));
	text[FRAME_TEXT_MAX] = '\0';
	CHECK(closes("") && closes("why") && closes(text));
	text[FRAME_TEXT_MAX] = 'a';
	text[FRAME_TEXT_MAX + 1] = '\0';
	CHECK(!closes(text) && !is_there());
	CHECK(!closes("\xff") && !is_there());
	CHECK(!closes("\xc3") && !is_there());
	CHECK(closes("\xc3\xbc"));
}

/* So many bytes of a message come. */
static void
piece(const void *bytes, size_t len)
{
	if (send(program, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
	ev_run(w.loop, EVRUN_NOWAIT);
}

static void
test_it_comes_in_pieces(void)
{
	struct {
		struct imsg_header header;
		char text[16];
	} msg = { { FRAME_WRITE, sizeof(msg), 7, 0 }, "..............x" };
	size_t at;

	begin();
	msg.text[15] = 'x';
	for (at = 0; at < sizeof(msg); at++) {
		CHECK(is_there() && written == 0);
		memset(w.rx, 0xff, sizeof(msg)); /* of something else */
		piece((uint8_t *)&msg + at, 1);
	}
	CHECK(is_there() && written == 1);
}

/* It is known at once that there is no such message. */
static void
test_lengths_that_none_has(void)
{
	struct imsg_header header = { FRAME_WRITE, sizeof(header) - 1, 7, 0 };

	begin();
	piece(&header, sizeof(header));
	CHECK(!is_there());
	begin();
	header.len = sizeof(header) + FRAME_DATA_MAX + 1;
	piece(&header, sizeof(header));
	CHECK(!is_there());
}

/* As begin(), with memory that is shared. */
static void
begin_with_window(void)
{
	int fd;

	fd = memfd_create("test", MFD_CLOEXEC);
	if (fd == -1 || ftruncate(fd, FRAME_WINDOW_BYTES) == -1)
		abort();
	router_share(&w, fd);
	gone = 0;
	begin();
}

/* What a peer has sent goes to others by its place alone, until it is freed. */
static void
test_what_lies_in_the_window(void)
{
	static uint8_t packet[PROTO_DELIVERY_MAX];
	struct origin peer = { .node = 7, .generation = 77 };
	struct {
		struct imsg_header header;
		struct msg_frame_at at;
	} says[20];
	struct window *window;
	size_t i;

	begin_with_window();
	window = router_window(&w);
	memset(packet, 'x', sizeof(packet));
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	CHECK(window->put == sizeof(packet));
	for (i = 0; i < 20; i++) {
		memset(&says[i], 0, sizeof(says[i]));
		says[i].header.type = FRAME_WRITE_AT;
		says[i].header.len = sizeof(says[i]);
		says[i].header.peerid = 7;
		says[i].at.len = sizeof(packet);
	}
	/* More than there is room for copies: of seven, and the rest. */
	bursts = 0;
	piece(says, sizeof(says));
	CHECK(is_there() && written == 20 && bursts == 3);
	say(FRAME_FREE, 0, sizeof(packet), NULL, 0);
	CHECK(is_there() && window->got == window->put);
	/* It is not there any more. */
	piece(says, sizeof(says[0]));
	CHECK(!is_there() && written == 20);
	begin_with_window();
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	say(FRAME_WRITE_AT, 7, 0, packet, 200);
	CHECK(!is_there() && written == 0);
}

static void
test_so_much_in_one_turn(void)
{
	begin();
	endless = 1;
	reads = 0;
	ev_feed_event(w.loop, &router_channel(&w)->reader, EV_READ);
	ev_invoke_pending(w.loop);
	CHECK(reads == 16);
	reads = 0;
	router_recv_last(&w);
	endless = 0;
	CHECK(reads == 64 && !is_there());
	/* Without one there is nothing to read. */
	router_recv_last(&w);
	CHECK(reads == 64);
}

static void
test_whom_it_closes(void)
{
	static const struct {
		uint32_t node, generation, code;
		int leaves, done;
	} cases[] = { { 7, 0, 1000, 0, 1 }, { 7, 77, 4999, 0, 1 },
		{ 7, 76, 1000, 0, 0 }, { 9, 0, 1000, 0, 0 },
		{ 7, 0, 1000, 1, 0 } };
	uint8_t data[4 + 3];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		leaves = cases[i].leaves;
		memcpy(data, &cases[i].code, 4);
		memcpy(data + 4, "why", 3);
		say(FRAME_CLOSE, cases[i].node, cases[i].generation, data,
		    sizeof(data));
		CHECK(closed == cases[i].done && is_there());
		if (closed)
			CHECK(close_code == (int)cases[i].code &&
			      strcmp(close_reason, "why") == 0);
	}
	leaves = 0;
}

static void
test_what_it_must_not_say(void)
{
	static const struct {
		uint32_t type;
		uint32_t code; /* the first bytes of its data */
		size_t len;
	} cases[] = { { FRAME_WRITE, 0, 0 }, { FRAME_LEAVE, 0, 1 },
		{ FRAME_WRITE_AT, 0, 4 }, { FRAME_WRITE_AT, 0, 8 },
		{ FRAME_WRITE_AT, 0, 9 }, { FRAME_FREE, 0, 1 },
		{ FRAME_FRAME, 0, 4 }, { 0, 0, 4 }, { FRAME_CLOSE, 1000, 3 },
		{ FRAME_CLOSE, 999, 4 }, { FRAME_CLOSE, 1005, 4 },
		{ FRAME_CLOSE, 5000, 4 }, { FRAME_CLOSE, 1000, 5 },
		{ FRAME_CLOSE, 1000 + (1U << 16), 4 },
		{ FRAME_CLOSE, 1000, 4 + FRAME_TEXT_MAX + 1 } };
	uint8_t data[256];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		memset(data, 0, sizeof(data)); /* text with a NUL in it */
		memcpy(data, &cases[i].code, 4);
		say(cases[i].type, 7, 0, data, cases[i].len);
		CHECK(!is_there() && closed == 0 && written == 0);
	}
}

static void
test_it_leaves(void)
{
	struct origin peer = { .node = 7, .generation = 77 };
	struct imsg_header header;
	const uint8_t *data;
	uint8_t packet[1] = { 0 };

	begin();
	say(FRAME_LEAVE, 0, 0, NULL, 0);
	CHECK(next(&header, &data) == FRAME_JOINED);
	taken(&header);
	CHECK(next(&header, &data) == FRAME_LEFT);
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	CHECK(relayed == 1 && is_there());
	/* What it was given before it may still answer, to the very last. */
	say(FRAME_WRITE, 7, 0, "x", 1);
	CHECK(written == 1);
	router_recv_last(&w);
	CHECK(!is_there());
}

/* The type of what it is told next. */
static uint32_t
told_next(void)
{
	struct imsg_header header;
	const uint8_t *data;
	uint32_t type;

	type = next(&header, &data);
	if (type != 0)
		taken(&header);
	return (type);
}

/* A worker that is about to end says so once, and waits for an answer. */
static void
test_the_worker_leaves(void)
{
	struct origin peer = { .node = 7, .generation = 77 };
	uint8_t packet[1] = { 0 };

	begin();
	CHECK(told_next() == FRAME_JOINED);
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	CHECK(router_stays(&w) && router_stays(&w));
	CHECK(told_next() == FRAME_FRAME && told_next() == FRAME_LEFT);
	CHECK(told_next() == 0);
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	CHECK(relayed == 1);
	say(FRAME_WRITE, 7, 0, "x", 1);
	CHECK(written == 1 && is_there());
	say(FRAME_LEAVE, 0, 0, NULL, 0);
	CHECK(is_there() && !router_stays(&w));
	/* What comes back to it is waited for. */
	w.router.channel->queue.len = 1;
	CHECK(router_stays(&w));
	w.router.channel->queue.len = 0;
	CHECK(!router_stays(&w));
	/* The next one is told, too. */
	begin();
	CHECK(router_stays(&w));
	CHECK(told_next() == FRAME_JOINED && told_next() == FRAME_LEFT);
	w.tick += TICKS(2) - 1;
	router_tick(&w);
	CHECK(is_there());
	w.tick++;
	router_tick(&w);
	CHECK(!is_there() && !router_stays(&w));
}

/* Bytes that the program can read, as nobody flushes. */
static size_t
told(void)
{
	static uint8_t bytes[1 << 20];
	ssize_t n;

	n = recv(program, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	return (n == -1 ? 0 : (size_t)n);
}

/* While there is more to be read, what it is told may become more. */
static void
test_it_is_told_when_nothing_else_comes(void)
{
	struct origin peer = { .node = 7, .generation = 77 };
	uint8_t packet[1] = { 0 };
	int i;

	begin();
	CHECK(router_keeps(&w) && told() == 0);
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	CHECK(router_keeps(&w) && told() == 0);
	/* Nothing does, and all of it leaves. */
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(told() == 2 * sizeof(struct imsg_header) + sizeof(packet));
	CHECK(!router_keeps(&w));
	/* There is ever more. */
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	for (i = 0; i < 100 && router_keeps(&w); i++)
		continue;
	CHECK(i > 1 && i < 100);
	/* The worker may end at any moment. */
	w.draining = 1;
	CHECK(!router_keeps(&w));
	w.draining = 0;
	/* Nobody waits for what is not there any more. */
	CHECK(router_keeps(&w) && ev_is_active(&w.router.dry));
	router_end(&w, NULL);
	CHECK(!router_keeps(&w) && !ev_is_active(&w.router.dry));
}

static void
test_it_does_not_read(void)
{
	static uint8_t packet[16384];
	struct origin peer = { .node = 7, .generation = 77 };
	uint64_t before;
	int i;

	begin();
	before = COUNTED(DROP_ROUTER_FULL);
	for (i = 0; i < 400; i++)
		w.upper.frame(&w, &peer, packet, sizeof(packet));
	route_flush(&w);
	CHECK(COUNTED(DROP_ROUTER_FULL) > before);
	/* Events have room of their own. */
	before = COUNTED(DROP_ROUTER_FULL);
	for (i = 0; i < 1000; i++)
		w.upper.peer(&w, &peer, 1);
	route_flush(&w);
	CHECK(COUNTED(DROP_ROUTER_FULL) == before);
	w.tick += TICKS(10) - 1;
	router_tick(&w);
	CHECK(is_there());
	w.tick++;
	router_tick(&w);
	CHECK(!is_there() && COUNTED(DROP_ROUTER_LOST) > 0);
}

/* What has its room in the window is told of, or nobody gives that back. */
static void
test_it_does_not_read_its_window(void)
{
	static uint8_t packet[1024];
	struct origin peer = { .node = 7, .generation = 77 };
	uint64_t before;
	int i;

	begin_with_window();
	before = COUNTED(DROP_ROUTER_FULL);
	while (COUNTED(DROP_ROUTER_FULL) == before) {
		/* Too short for the window. */
		w.upper.frame(&w, &peer, packet, 255);
		route_flush(&w);
	}
	before = COUNTED(DROP_ROUTER_FULL);
	for (i = 0; i < 32; i++)
		w.upper.frame(&w, &peer, packet, sizeof(packet));
	route_flush(&w);
	CHECK(COUNTED(DROP_ROUTER_FULL) == before);
	CHECK(router_window(&w)->put != router_window(&w)->got);
}

static void
test_without_one(void)
{
	struct origin peer = { .node = 7 };
	uint64_t before;
	uint8_t packet[1] = { 0 };

	begin();
	router_end(&w, NULL);
	router_otherwise(&w, &router_drop);
	before = COUNTED(DROP_ROUTER_AWAY);
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	w.upper.peer(&w, &peer, 1);
	CHECK(COUNTED(DROP_ROUTER_AWAY) == before + 1);
	router_otherwise(&w, &otherwise);
	w.upper.frame(&w, &peer, packet, sizeof(packet));
	CHECK(relayed == 1);
}

int
main(void)
{
	static uint8_t rx[RX_SIZE + RX_HEADROOM];

	parts_loop();
	(void)parts_sessions();
	(void)parts_map();
	w.rx = rx + RX_HEADROOM;
	w.router.otherwise = &otherwise;
	RUN(test_what_peers_send_goes_to_it);
	RUN(test_what_it_writes);
	RUN(test_what_it_writes_to_generation_one);
	RUN(test_whom_it_closes);
	RUN(test_reasons_to_close);
	RUN(test_it_comes_in_pieces);
	RUN(test_lengths_that_none_has);
	RUN(test_what_lies_in_the_window);
	RUN(test_so_much_in_one_turn);
	RUN(test_what_it_must_not_say);
	RUN(test_it_leaves);
	RUN(test_the_worker_leaves);
	RUN(test_it_is_told_when_nothing_else_comes);
	RUN(test_it_does_not_read);
	RUN(test_it_does_not_read_its_window);
	RUN(test_without_one);
	return (test_failed());
}
