/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <fcntl.h>
#include <unistd.h>

#include "regress/unit/worker/parts.h"
#include "worker/move_told.h"

/* What the other end of a move says of its sessions, and its lies. */

static struct arrival arrival;
static struct imsgbuf other;
static struct msg_move_state state;
static const char *why; /* the channel has ended; NULL: it has not */
static int adopted, returned;
static int full; /* boolean: there is no place for one more */
static int readies;
static struct msg_move_ready ready;

void
session_io(struct ev_loop *loop, ev_io *io, int revents)
{
}

struct session *
session_adopt(struct worker *of, int fd, io_cb reader,
    const struct msg_move_session *row, const struct msg_move_state *told)
{
	struct session *s;

	if (full) {
		(void)close(fd);
		return (NULL);
	}
	s = parts_session((uint32_t)adopted++, SESSION_OPEN);
	s->peer.generation = row->generation;
	ev_io_init(&s->io, reader, fd, EV_READ);
	if (outq_unpack(of, s, told) == -1)
		abort();
	return (s);
}

void
session_return(struct worker *of, struct session *s)
{
	free(inbound_take_message(of, s));
	free(inbound_take_pending(of, s));
	outq_free(of, s);
	(void)close(s->io.fd);
	s->state = SESSION_FREE;
	returned++;
}

void
tell_parent(struct worker *of, uint32_t type, const void *data, size_t len)
{
	if (type != WP_MOVE_READY || len != sizeof(ready))
		abort();
	memcpy(&ready, data, len);
	readies++;
}

static void
ended(void *owner, const char *reason)
{
	why = reason == NULL ? "closed" : reason;
}

/* A batch of two sessions is about to come. */
static void
begin(void)
{
	uint32_t i;
	int pair[2];

	channel_close(&arrival.channel);
	if (other.fd > 0) {
		(void)close(other.fd);
		imsgbuf_clear(&other);
	}
	for (i = 0; i < PARTS_SESSIONS; i++)
		if (w.sessions[i].state == SESSION_OPEN)
			session_return(&w, &w.sessions[i]);
	bytes_free(&arrival.part);
	memset(&arrival, 0, sizeof(arrival));
	arrival.worker = &w;
	arrival.ticket = 77;
	arrival.count = 2;
	for (i = 0; i < 2; i++) {
		arrival.sessions[i].row.node = 10 + i;
		arrival.sessions[i].row.generation = 20 + i;
	}
	if (channel_pair(pair) == -1 ||
	    channel_open(&arrival.channel, w.loop, pair[0], "move",
		move_told_rules, move_told_nrules, ended, &arrival) == -1 ||
	    imsgbuf_init(&other, pair[1]) == -1)
		abort();
	imsgbuf_allow_fdsend(&other);
	arrival.channel.state = MOVE_COMING;
	why = NULL;
	adopted = returned = full = readies = 0;
	w.queued = 0;
	memset(&state, 0, sizeof(state));
	state.magic = MOVE_STATE_MAGIC;
	state.version = MOVE_STATE_VERSION;
	state.len = sizeof(state);
}

/* Takes fd, -1 for none. */
static void
say(uint32_t type, int fd, const void *data, size_t len)
{
	int i;

	if (imsg_compose(&other, type, 0, 0, fd, data, len) == -1)
		abort();
	while (imsgbuf_queuelen(&other) > 0 && why == NULL)
		if (imsgbuf_write(&other) == -1)
			break;
		else
			ev_run(w.loop, EVRUN_NOWAIT);
	for (i = 0; i < 3; i++)
		ev_run(w.loop, EVRUN_NOWAIT);
}

/* One end of a TCP connection as a session's is. */
static int
connection(int flags)
{
	static int listener = -1;
	struct sockaddr_in at;
	socklen_t len;
	int fd, client;

	memset(&at, 0, sizeof(at));
	len = sizeof(at);
	at.sin_family = AF_INET;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener == -1) {
		listener = socket(AF_INET, SOCK_STREAM, 0);
		if (listener == -1 ||
		    bind(listener, (struct sockaddr *)&at, len) == -1 ||
		    listen(listener, 64) == -1)
			abort();
	}
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (client == -1 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) == -1 ||
	    connect(client, (struct sockaddr *)&at, len) == -1)
		abort();
	fd = accept4(listener, NULL, NULL, flags);
	if (fd == -1)
		abort();
	/* The other end is closed: half of a connection is one still. */
	(void)close(client);
	return (fd);
}

static void
tell(uint32_t session)
{
	state.session = session;
	say(WM_STATE, connection(SOCK_NONBLOCK), &state, sizeof(state));
}

static void
tell_bytes(uint32_t session, uint32_t kind, const void *data, size_t len)
{
	static struct {
		struct msg_move_bytes head;
		uint8_t bytes[MOVE_CHUNK];
	} msg;

	msg.head.session = session;
	msg.head.kind = kind;
	memcpy(msg.bytes, data, len);
	say(WM_BYTES, -1, &msg, sizeof(msg.head) + len);
}

static void
test_whole_sessions_are_ready(void)
{
	begin();
	tell(1);
	CHECK(why == NULL && adopted == 1);
	tell(0);
	say(WM_END, -1, NULL, 0);
	CHECK(why == NULL && readies == 1 && ready.ticket == 77);
	CHECK(ready.mask == 3 && ready.slot[1] == 0 && ready.slot[0] == 1);
	CHECK(arrival.channel.state == MOVE_AFTER);
	/* One for which there is no place stays where it is. */
	begin();
	tell(0);
	full = 1;
	tell(1);
	tell_bytes(1, MOVE_QUEUE, "\x82\1x", 3);
	say(WM_END, -1, NULL, 0);
	CHECK(why == NULL && ready.mask == 1);
	/* Likewise with too much that waits. */
	begin();
	w.queued = WORKER_QUEUE_MAX;
	state.queue = 3;
	tell(0);
	say(WM_END, -1, NULL, 0);
	CHECK(why == NULL && ready.mask == 0 && adopted == 0);
}

static void
test_a_state_that_is_none(void)
{
	begin();
	tell(2);
	CHECK(why != NULL && adopted == 0);
	begin();
	state.required = 0x40000000;
	tell(0);
	CHECK(why != NULL && adopted == 0);
	begin();
	state.len++;
	tell(0);
	CHECK(why != NULL && adopted == 0);
	begin();
	tell(0);
	tell(0);
	CHECK(why != NULL && adopted == 1);
	/* And one without a descriptor. */
	begin();
	say(WM_STATE, -1, &state, sizeof(state));
	CHECK(why != NULL && adopted == 0);
}

static void
test_a_longer_state_of_a_later_version(void)
{
	static uint8_t later[sizeof(state) + MOVE_STATE_MORE + 8];

	begin();
	state.version = 9;
	state.len = sizeof(state) + 40;
	memcpy(later, &state, sizeof(state));
	say(WM_STATE, connection(SOCK_NONBLOCK), later, state.len);
	say(WM_END, -1, NULL, 0);
	CHECK(why == NULL && ready.mask == 1);
	begin();
	state.len = sizeof(later);
	memcpy(later, &state, sizeof(state));
	say(WM_STATE, connection(SOCK_NONBLOCK), later, sizeof(later));
	CHECK(why != NULL && adopted == 0);
}

static void
is_refused(int fd)
{
	begin();
	CHECK(fd != -1);
	say(WM_STATE, fd, &state, sizeof(state));
	CHECK(why != NULL && adopted == 0);
}

static void
test_what_is_no_connection(void)
{
	int fd, pair[2];

	if (pipe2(pair, O_NONBLOCK) == -1)
		abort();
	is_refused(pair[0]);
	(void)close(pair[1]);
	if (test_bad ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		return;
	is_refused(pair[0]);
	(void)close(pair[1]);
	if (!test_bad)
		is_refused(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (test_bad || listen(fd, 1) == -1)
		return;
	is_refused(fd);
	/* It would hold up all sessions. */
	if (!test_bad)
		is_refused(connection(0));
	if (!test_bad)
		is_refused(open("/dev/null", O_RDWR | O_NONBLOCK));
}

/* Its peer has reset it meanwhile: the others come all the same. */
static void
test_one_that_has_ended(void)
{
	begin();
	state.session = 1;
	state.queue = 4;
	say(WM_STATE, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), &state,
	    sizeof(state));
	CHECK(why == NULL && adopted == 0);
	tell_bytes(1, MOVE_QUEUE, "\x82\2ab", 4);
	state.queue = 0;
	tell(0);
	say(WM_END, -1, NULL, 0);
	CHECK(why == NULL && adopted == 1);
	CHECK(ready.mask == 1 && ready.ended == 2);
}

/* One that arrives is not thrown out for the sake of those that are here. */
static void
test_nobody_takes_its_room(void)
{
	struct session *largest, *other_one;
	size_t bytes;

	begin();
	bytes = w.inbound[INBOUND_PEERS].bytes;
	state.message = 60000;
	state.message_opcode = WS_BINARY;
	tell(0);
	CHECK(why == NULL && adopted == 1);
	CHECK(w.sessions[0].message->held.aside);
	CHECK(w.inbound[INBOUND_PEERS].bytes == bytes);
	other_one = parts_session(1, SESSION_OPEN);
	CHECK(inbound_keep(&w, other_one, (const uint8_t *)"x", 1,
		  INBOUND_PEERS_MAX + 1, &largest) == -1);
	CHECK(largest == NULL);
	inbound_take_back(&w, &w.sessions[0]);
	CHECK(w.inbound[INBOUND_PEERS].bytes > bytes);
	other_one->state = SESSION_FREE;
}

/* What waits for all of them together has a bound. */
static void
test_promises_have_an_end(void)
{
	begin();
	w.queued = WORKER_QUEUE_MAX - 6;
	state.queue = 4;
	tell(0);
	tell(1);
	CHECK(why == NULL && adopted == 1);
}

/* What waits, cut as it likes. */
static void
test_the_queue_as_it_was(void)
{
	static uint8_t frame[60004] = { 0x82, 126, 60000 >> 8, 60000 & 0xff };
	struct session *s;
	size_t off, n;

	begin();
	state.queue = 2 + sizeof(frame) + 3;
	state.frame_left = 2;
	tell(0);
	tell_bytes(0, MOVE_QUEUE, "yz", 2);
	for (off = 0; off < sizeof(frame); off += n) {
		n = sizeof(frame) - off < MOVE_CHUNK ? sizeof(frame) - off
						     : MOVE_CHUNK;
		tell_bytes(0, MOVE_QUEUE, frame + off, n);
	}
	tell_bytes(0, MOVE_QUEUE, "\x82", 1);
	tell_bytes(0, MOVE_QUEUE, "\1x", 2);
	say(WM_END, -1, NULL, 0);
	s = &w.sessions[0];
	CHECK(why == NULL && ready.mask == 1);
	CHECK(s->outq->data.len == state.queue && s->outq->frame_left == 2);
	CHECK(s->outq->holds && w.queued == s->outq->data.size);
	/* What came for it meanwhile follows, behind the end. */
	tell_bytes(0, MOVE_QUEUE, "\x82\1u", 3);
	CHECK(why == NULL && s->outq->data.len == state.queue + 3);
	say(WM_LAST, -1, NULL, 0);
	CHECK(why == NULL && arrival.over);
}

static void
test_lies_about_a_queue(void)
{
	/* More than was said, before the end. */
	begin();
	state.queue = 3;
	tell(0);
	tell_bytes(0, MOVE_QUEUE, "\x82\1x", 3);
	CHECK(why == NULL);
	tell_bytes(0, MOVE_QUEUE, "\x82\1x", 3);
	CHECK(why != NULL && w.sessions[0].outq->data.len == 3);
	/* Less. */
	begin();
	state.queue = 6;
	tell(0);
	tell_bytes(0, MOVE_QUEUE, "\x82\1x", 3);
	say(WM_END, -1, NULL, 0);
	CHECK(why != NULL && readies == 0);
	/* Half a frame. */
	begin();
	state.queue = 3;
	tell(0);
	tell_bytes(0, MOVE_QUEUE, "\x82\1", 2);
	say(WM_END, -1, NULL, 0);
	CHECK(why != NULL && readies == 0);
	/* Half a frame, and then another's. */
	begin();
	state.queue = 3;
	tell(0);
	tell(1);
	tell_bytes(0, MOVE_QUEUE, "\x82\1", 2);
	tell_bytes(1, MOVE_QUEUE, "\x82\1x", 3);
	CHECK(why != NULL);
	/* None of ours. */
	begin();
	state.queue = 3;
	tell(0);
	tell_bytes(0, MOVE_QUEUE, "\x89\1x", 3);
	CHECK(why != NULL);
}

static void
test_bytes_of_nothing(void)
{
	begin();
	tell(0);
	tell_bytes(1, MOVE_QUEUE, "\x82\1x", 3);
	CHECK(why != NULL);
	begin();
	tell_bytes(2, MOVE_QUEUE, "\x82\1x", 3);
	CHECK(why != NULL);
	begin();
	tell(0);
	tell_bytes(0, MOVE_QUEUE + 1, "x", 1);
	CHECK(why != NULL);
	begin();
	tell(0);
	tell_bytes(0, MOVE_PENDING, "x", 1);
	CHECK(why != NULL);
	begin();
	tell(0);
	tell_bytes(0, MOVE_MESSAGE, "x", 1);
	CHECK(why != NULL);
	begin();
	tell(0);
	tell_bytes(0, MOVE_QUEUE, "", 0);
	CHECK(why != NULL);
}

/* A frame of 100 bytes, masked, of which 6 are there. */
static void
half_a_frame(void)
{
	begin();
	state.pending = 6;
	state.pending_total = 106;
	tell(0);
}

static void
test_what_has_begun_to_come(void)
{
	half_a_frame();
	tell_bytes(0, MOVE_PENDING, "\x82\xe4", 2);
	tell_bytes(0, MOVE_PENDING, "abcd", 4);
	say(WM_END, -1, NULL, 0);
	CHECK(why == NULL && ready.mask == 1);
	CHECK(w.sessions[0].pending->len == 6);
	half_a_frame();
	tell_bytes(0, MOVE_PENDING,
	    "\x82\xe4"
	    "abcde",
	    7);
	CHECK(why != NULL);
	half_a_frame();
	tell_bytes(0, MOVE_PENDING,
	    "\x82\xe4"
	    "abc",
	    5);
	say(WM_END, -1, NULL, 0);
	CHECK(why != NULL && readies == 0);
	/* Another length than it says itself, ... */
	half_a_frame();
	tell_bytes(0, MOVE_PENDING,
	    "\x82\xe5"
	    "abcd",
	    6);
	say(WM_END, -1, NULL, 0);
	CHECK(why != NULL && readies == 0);
	/* ... or the rest of a message that there is not. */
	half_a_frame();
	tell_bytes(0, MOVE_PENDING,
	    "\x80\xe4"
	    "abcd",
	    6);
	say(WM_END, -1, NULL, 0);
	CHECK(why != NULL && readies == 0);
}

static void
test_a_message_in_fragments(void)
{
	begin();
	state.message = 5;
	state.message_opcode = WS_BINARY;
	tell(0);
	tell_bytes(0, MOVE_MESSAGE, "hel", 3);
	tell_bytes(0, MOVE_MESSAGE, "lo", 2);
	say(WM_END, -1, NULL, 0);
	CHECK(why == NULL && ready.mask == 1);
	CHECK(w.sessions[0].message->len == 5);
	CHECK(memcmp(w.sessions[0].message->data + MESSAGE_HEADROOM, "hello",
		  5) == 0);
	tell_bytes(0, MOVE_MESSAGE, "x", 1);
	CHECK(why != NULL);
	begin();
	state.message = 5;
	state.message_opcode = WS_BINARY;
	tell(0);
	tell_bytes(0, MOVE_MESSAGE, "hello!", 6);
	CHECK(why != NULL);
	begin();
	state.message = 5;
	state.message_opcode = WS_BINARY;
	tell(0);
	tell_bytes(0, MOVE_MESSAGE, "hell", 4);
	say(WM_END, -1, NULL, 0);
	CHECK(why != NULL && readies == 0);
}

/* What a router wanted is noted for when the session is ours. */
static void
test_close(void)
{
	struct msg_move_close close = { 0, 4000, "enough" };

	begin();
	say(WM_CLOSE, -1, &close, sizeof(close));
	CHECK(why != NULL);
	begin();
	tell(0);
	say(WM_END, -1, NULL, 0);
	say(WM_CLOSE, -1, &close, sizeof(close));
	CHECK(why == NULL && arrival.sessions[0].close.code == 4000);
	close.code = 1005;
	say(WM_CLOSE, -1, &close, sizeof(close));
	CHECK(why != NULL && arrival.sessions[0].close.code == 4000);
	begin();
	say(WM_END, -1, NULL, 0);
	close.code = 4000;
	close.session = MOVE_SESSIONS_MAX;
	say(WM_CLOSE, -1, &close, sizeof(close));
	CHECK(why != NULL);
	begin();
	say(WM_END, -1, NULL, 0);
	close.session = 0;
	memset(close.text, 'x', sizeof(close.text));
	say(WM_CLOSE, -1, &close, sizeof(close));
	CHECK(why != NULL);
	begin();
	say(WM_END, -1, NULL, 0);
	(void)strlcpy(close.text, "\xff", sizeof(close.text));
	say(WM_CLOSE, -1, &close, sizeof(close));
	CHECK(why != NULL);
}

static void
test_what_is_out_of_turn(void)
{
	begin();
	say(WM_LAST, -1, NULL, 0);
	CHECK(why != NULL && !arrival.over);
	begin();
	say(WM_END, -1, NULL, 0);
	CHECK(why == NULL && ready.mask == 0);
	say(WM_END, -1, NULL, 0);
	CHECK(why != NULL && readies == 1);
	begin();
	say(WM_END, -1, NULL, 0);
	tell(0);
	CHECK(why != NULL && adopted == 0);
	begin();
	tell(0);
	say(WM_END, -1, NULL, 0);
	tell_bytes(0, MOVE_QUEUE, "\x82\1", 2);
	say(WM_LAST, -1, NULL, 0);
	CHECK(why != NULL && !arrival.over);
	begin();
	say(WM_LAST + 1, -1, NULL, 0);
	CHECK(why != NULL);
}

int
main(void)
{
	parts_loop();
	(void)parts_sessions();
	w.tick = 1000;
	RUN(test_whole_sessions_are_ready);
	RUN(test_a_state_that_is_none);
	RUN(test_a_longer_state_of_a_later_version);
	RUN(test_what_is_no_connection);
	RUN(test_one_that_has_ended);
	RUN(test_nobody_takes_its_room);
	RUN(test_promises_have_an_end);
	RUN(test_the_queue_as_it_was);
	RUN(test_lies_about_a_queue);
	RUN(test_bytes_of_nothing);
	RUN(test_what_has_begun_to_come);
	RUN(test_a_message_in_fragments);
	RUN(test_close);
	RUN(test_what_is_out_of_turn);
	return (test_failed());
}
