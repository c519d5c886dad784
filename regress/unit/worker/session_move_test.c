/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/proto_move.h"
#include "regress/unit/worker/parts.h"

/* A session stands still, goes or goes on, and comes. */

static int load;
static int full;      /* boolean: the table is */
static int no_memory; /* boolean */
static int client = -1;

void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);

void *
__wrap_calloc(size_t n, size_t size)
{
	if (!no_memory)
		return (__real_calloc(n, size));
	errno = ENOMEM;
	return (NULL);
}

static void
reads(struct ev_loop *loop, ev_io *io, int revents)
{
}

struct session *
session_place(struct worker *of)
{
	return (full ? NULL : &of->sessions[1]);
}

void
session_leave_place(struct worker *of, struct session *s)
{
	s->state = SESSION_FREE;
}

void
session_count_load(struct worker *of, int change)
{
	load += change;
}

static int
is_open(int fd)
{
	return (fcntl(fd, F_GETFD) != -1);
}

/* One that is open, with half a frame from its client. */
static struct session *
begin(void)
{
	struct session *largest, *s;
	int pair[2];

	(void)close(client);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	client = pair[1];
	s = parts_session(0, SESSION_OPEN);
	s->peer.node = 7;
	s->peer.generation = 9;
	s->since = s->heard = w.tick;
	ev_io_init(&s->io, reads, pair[0], EV_READ);
	s->io.data = &w;
	ev_io_start(w.loop, &s->io);
	wheel_set(&w, s);
	if (inbound_keep(
		&w, s, (const uint8_t *)"\x82\xe4", 2, 106, &largest) == -1)
		abort();
	w.nupgraded = 1;
	load = 1;
	full = 0;
	return (s);
}

static void
end(struct session *s)
{
	ev_io_stop(w.loop, &s->io);
	wheel_clear(&w, s);
	session_return(&w, s);
}

static void
test_it_stands_still_and_goes_on(void)
{
	struct session *s;

	s = begin();
	CHECK(session_freeze(&w, s) == 0);
	CHECK(!ev_is_active(&s->io) && s->due == 0 && s->outq != NULL);
	/* Nobody throws out what it holds. */
	CHECK(w.inbound[INBOUND_PEERS].bytes == 0 && s->pending != NULL);
	session_thaw(&w, s);
	CHECK(ev_is_active(&s->io) && s->due != 0 && s->outq == NULL);
	CHECK(w.inbound[INBOUND_PEERS].bytes > 0 && is_open(s->io.fd));
	end(s);
	CHECK(w.inbound[INBOUND_PEERS].bytes == 0);
}

/* With all others: it has no queue before there is something to wait. */
static void
test_what_comes_waits_while_all_stand_still(void)
{
	uint8_t frame[] = { 0x82, 2, 'h', 'i' }, got[16];
	struct iovec iov = { frame, sizeof(frame) };
	struct session *s;

	s = begin();
	w.still.stage = STILL_ALL;
	session_stop(&w, s);
	CHECK(!ev_is_active(&s->io) && s->due == 0 && s->outq == NULL);
	CHECK(outq_frames(&w, s, &iov, 1, sizeof(frame), 1) == 1);
	outq_control(&w, s, (const uint8_t *)"\x8a", 2);
	CHECK(s->outq != NULL && s->outq->data.len == sizeof(frame));
	CHECK(s->outq->control_len == 2 && s->due == 0);
	CHECK(!ev_is_active(&s->io) && recv(client, got, 16, 0) == -1);
	w.still.stage = STILL_NOT;
	session_thaw(&w, s);
	CHECK(ev_is_active(&s->io) && s->io.events == (EV_READ | EV_WRITE));
	outq_write(&w, s);
	CHECK(recv(client, got, 16, 0) == 6 && got[0] == 0x8a);
	CHECK(memcmp(got + 2, frame, sizeof(frame)) == 0 && s->outq == NULL);
	end(s);
}

static void
test_without_memory_it_goes_on(void)
{
	struct session *s;

	s = begin();
	no_memory = 1;
	CHECK(session_freeze(&w, s) == -1);
	no_memory = 0;
	CHECK(s->state == SESSION_OPEN && ev_is_active(&s->io));
	CHECK(s->due != 0 && s->outq == NULL);
	CHECK(w.inbound[INBOUND_PEERS].bytes > 0);
	end(s);
}

/* Its socket is the other's: closed here, and not shut down. */
static void
test_it_is_gone(void)
{
	struct session *s;
	char byte;
	int fd, other;

	s = begin();
	fd = s->io.fd;
	other = dup(fd);
	CHECK(session_freeze(&w, s) == 0);
	session_gone(&w, s);
	CHECK(s->state == SESSION_MOVED && !is_open(fd));
	CHECK(s->pending == NULL && w.inbound[INBOUND_PEERS].bytes == 0);
	CHECK(w.nupgraded == 0 && load == 0);
	CHECK(recv(client, &byte, 1, 0) == -1 && errno == EAGAIN);
	CHECK(send(client, "x", 1, 0) == 1 && recv(other, &byte, 1, 0) == 1);
	session_forget(&w, s);
	CHECK(s->state == SESSION_FREE && s->outq == NULL);
	(void)close(other);
}

static void
test_what_is_packed_comes(void)
{
	static const struct msg_move_session row = { 7, 9, 0 };
	struct msg_move_state again, state;
	struct session *s;
	int pair[2];

	s = begin();
	s->frames_in = 1;
	s->frames_out = 2;
	s->bytes_in = 3;
	s->bytes_out = 1ULL << 40;
	s->since = w.tick - 900;
	s->heard = w.tick - 5;
	s->ping_due = w.tick + 7;
	s->packets.second = s->bytes.second = w.now;
	s->packets.used = 8;
	s->bytes.used = 9;
	s->peer.at = parts_endpoint(3, 4000);
	CHECK(session_freeze(&w, s) == 0);
	memset(&state, 0, sizeof(state));
	session_pack(&w, s, &state);
	CHECK(state.pending == 2 && state.pending_total == 106);
	end(s);
	state.pending = state.pending_total = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	w.sessions[1].serial = 41;
	s = session_adopt(&w, pair[0], reads, &row, &state);
	CHECK(s == &w.sessions[1] && s->state == SESSION_OPEN);
	CHECK(s->serial == 42 && s->peer.slot == 1 && s->peer.node == 7);
	CHECK(s->peer.generation == 9 && s->since == w.tick - 900);
	/* It is found, but neither read nor written yet. */
	CHECK(session_open_at(&w, 1, 9) == s && !ev_is_active(&s->io));
	CHECK(s->due == 0 && s->outq->holds);
	memset(&again, 0, sizeof(again));
	session_pack(&w, s, &again);
	CHECK(memcmp(&again, &state, sizeof(state)) == 0);
	session_begin(&w, s);
	CHECK(ev_is_active(&s->io) && s->due != 0);
	CHECK((s->io.events & EV_WRITE) == 0);
	end(s);
	CHECK(!is_open(pair[0]));
	(void)close(pair[1]);
}

static void
test_there_is_no_place_for_it(void)
{
	static const struct msg_move_session row = { 7, 9, 0 };
	static const struct msg_move_state state;
	int fd;

	fd = dup(client);
	full = 1;
	load = 0;
	CHECK(session_adopt(&w, fd, reads, &row, &state) == NULL);
	CHECK(!is_open(fd) && load == 0);
}

int
main(void)
{
	parts_loop();
	(void)parts_sessions();
	(void)parts_map();
	w.tick = 1000;
	w.now = 100;
	w.settings.write_timeout = w.settings.idle_timeout = 60;
	w.settings.ping_interval = 30;
	wheel_init(&w);
	RUN(test_it_stands_still_and_goes_on);
	RUN(test_what_comes_waits_while_all_stand_still);
	RUN(test_without_memory_it_goes_on);
	RUN(test_it_is_gone);
	RUN(test_what_is_packed_comes);
	RUN(test_there_is_no_place_for_it);
	return (test_failed());
}
