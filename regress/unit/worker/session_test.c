/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <sys/wait.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/loop.h"
#include "regress/unit/worker/parts.h"

/* The table of sessions, how they begin and how they end. */

static struct imsgbuf parent;
static int client; /* of the session that was made last */

/* A new session in that state, from 192.0.2.host. */
static struct session *
made(enum session_state state, uint8_t host)
{
	struct session *s;
	struct endpoint at;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	client = pair[1];
	at = parts_endpoint(host, 4000);
	s = session_new(&w, pair[0], NULL, at.addr, at.port);
	if (s != NULL && state != SESSION_HEAD) {
		s->state = (uint8_t)state;
		w.nupgraded += (uint32_t)session_is_upgraded(s);
	}
	return (s);
}

/* What its client has got. */
static const char *
got(void)
{
	static char bytes[200];
	ssize_t n;

	n = recv(client, bytes, sizeof(bytes) - 1, 0);
	bytes[n < 0 ? 0 : n] = '\0';
	return (bytes);
}

static void
end(struct session *s)
{
	struct msg_closed msg;

	broken_mark(&w, s);
	session_reap(&w);
	(void)parts_told(&w.parent, &parent, WP_CLOSED, &msg, sizeof(msg));
	(void)close(client);
}

static void
test_places_are_used_again_and_serials_grow(void)
{
	struct session *s[PARTS_SESSIONS];
	uint32_t i, serial;
	char byte;

	for (i = 0; i < PARTS_SESSIONS; i++) {
		s[i] = made(SESSION_HEAD, 1);
		CHECK(s[i] != NULL && session_slot(&w, s[i]) == i);
		CHECK(s[i]->peer.slot == i && s[i]->peer.at.port == 4000);
	}
	CHECK(w.load == PARTS_SESSIONS &&
	      counters->own[OWN_CONNECTIONS] == w.load);
	/* Full: refused, and its descriptor with it. */
	CHECK(made(SESSION_HEAD, 1) == NULL);
	CHECK(recv(client, &byte, 1, 0) == 0 && w.load == PARTS_SESSIONS);
	serial = s[2]->serial;
	end(s[2]);
	CHECK(w.load == PARTS_SESSIONS - 1);
	CHECK(session_find(&w, 2, serial, ~0U & ~1U) == NULL);
	CHECK(made(SESSION_HEAD, 1) == s[2] && s[2]->serial == serial + 1);
	for (i = 0; i < PARTS_SESSIONS; i++)
		end(s[i]);
	CHECK(w.load == 0 && w.strangers.all.tqh_first == NULL);
}

static void
test_found_by_slot_serial_and_state(void)
{
	struct session *s;
	uint32_t slot;

	s = made(SESSION_VERIFY, 1);
	slot = session_slot(&w, s);
	CHECK(session_find(
		  &w, slot, s->serial, SESSION_STATE_BIT(SESSION_VERIFY)) == s);
	CHECK(session_find(&w, slot, s->serial,
		  SESSION_STATE_BIT(SESSION_OPEN)) == NULL);
	CHECK(session_find(&w, slot, s->serial + 1, ~0U) == NULL);
	CHECK(session_find(&w, w.nslots, s->serial, ~0U) == NULL);
	CHECK(session_find(&w, UINT32_MAX, s->serial, ~0U) == NULL);
	end(s);
}

/* The end of an open one is told, of a login counted, of a head neither. */
static void
test_what_its_end_means_to_others(void)
{
	struct msg_closed msg;
	struct session *s;
	uint64_t failed;

	failed = COUNTED(AUTH_FAIL);
	s = made(SESSION_OPEN, 1);
	s->peer.node = 7;
	s->peer.generation = 9;
	broken_mark(&w, s);
	session_reap(&w);
	CHECK(
	    parts_told(&w.parent, &parent, WP_CLOSED, &msg, sizeof(msg)) == 1);
	CHECK(msg.node == 7 && msg.generation == 9);
	s = made(SESSION_REPLY, 1);
	broken_mark(&w, s);
	session_reap(&w);
	CHECK(COUNTED(AUTH_FAIL) == failed + 1);
	s = made(SESSION_HEAD, 1);
	broken_mark(&w, s);
	session_reap(&w);
	CHECK(
	    parts_told(&w.parent, &parent, WP_CLOSED, &msg, sizeof(msg)) == -1);
	CHECK(COUNTED(AUTH_FAIL) == failed + 1 && w.nupgraded == 0);
}

/* An open session of a node, which has used so much of this second, ends. */
static void
spends(uint32_t node, uint32_t packets, uint32_t bytes)
{
	struct session *s;

	s = made(SESSION_OPEN, 1);
	s->peer.node = node;
	s->packets.second = w.now;
	s->packets.used = packets;
	s->bytes.second = bytes != 0 ? w.now : 0;
	s->bytes.used = bytes;
	end(s);
}

/* What of this second a node's next session begins with. */
static int
has_spent(uint32_t node, uint32_t packets, uint32_t bytes)
{
	static const struct session none;
	struct session s;

	s = none;
	s.peer.node = node;
	spent_resume(spent_set(&w, node), &s, w.now);
	return (s.packets.used == packets && s.bytes.used == bytes &&
		(packets == 0 || s.packets.second == w.now));
}

/* Its budget is not begun anew by its next session. */
static void
test_what_it_has_used_outlives_it(void)
{
	struct session *s;

	w.now = 50;
	spends(7, 3, 500);
	CHECK(has_spent(7, 3, 500) && has_spent(8, 0, 0));
	spends(7, 4, 0);
	CHECK(has_spent(7, 4, 0));
	/* Also by a close. */
	s = made(SESSION_OPEN, 1);
	s->peer.node = 8;
	s->bytes.second = w.now;
	s->bytes.used = 9;
	session_close(&w, s, WS_STATUS_NORMAL, "");
	CHECK(has_spent(8, 0, 9) && has_spent(7, 4, 0));
	end(s);
	CHECK(has_spent(8, 0, 9));
	w.now++;
	CHECK(has_spent(7, 0, 0) && has_spent(8, 0, 0));
}

/* The oldest makes room, and who was quiet needs none. */
static void
test_so_many_that_share_a_set(void)
{
	uint32_t node, others[SPENT_WAYS + 2];
	struct session *s;
	size_t n;

	w.now += 10;
	for (n = 0, node = 1; n < SPENT_WAYS + 2; node++)
		if (spent_set(&w, node) == spent_set(&w, 1))
			others[n++] = node;
	for (n = 0; n < SPENT_WAYS; n++)
		spends(others[n], (uint32_t)n + 1, 0);
	s = made(SESSION_OPEN, 1);
	s->peer.node = others[SPENT_WAYS + 1];
	end(s);
	for (n = 0; n < SPENT_WAYS; n++)
		CHECK(has_spent(others[n], (uint32_t)n + 1, 0));
	spends(others[SPENT_WAYS], 9, 0);
	CHECK(has_spent(others[SPENT_WAYS], 9, 0));
	for (n = 1; n < SPENT_WAYS; n++)
		CHECK(has_spent(others[n], (uint32_t)n + 1, 0));
	w.now++;
	spends(others[1], 7, 0);
	spends(others[0], 8, 0);
	CHECK(has_spent(others[0], 8, 0) && has_spent(others[1], 7, 0));
}

/* Descriptors that libev's epoll watches. */
static int
watched(void)
{
	char line[128], path[64], name[32];
	ssize_t len;
	FILE *f;
	int fd, n;

	n = 0;
	for (fd = 0; fd < 64; fd++) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, name, sizeof(name) - 1);
		name[len < 0 ? 0 : len] = '\0';
		if (strcmp(name, "anon_inode:[eventpoll]") != 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		f = fopen(path, "r");
		while (f != NULL && fgets(line, sizeof(line), f) != NULL)
			n += strncmp(line, "tfd:", 4) == 0;
		if (f != NULL)
			(void)fclose(f);
	}
	return (n);
}

static void
reads(struct ev_loop *loop, ev_io *io, int revents)
{
}

/*
 * Who had the session before may hold its descriptor longer than we: it is not
 * watched here any more for that.
 */
static void
test_nobody_watches_what_another_process_has(void)
{
	struct session *s;
	int before, other;

	(void)ev_run(w.loop, EVRUN_NOWAIT);
	before = watched();
	s = made(SESSION_HEAD, 1);
	ev_set_cb(&s->io, reads);
	ev_io_start(w.loop, &s->io);
	(void)ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(watched() == before + 1);
	other = dup(s->io.fd);
	end(s);
	CHECK(watched() == before);
	(void)close(other);
}

/* Told once: when it leaves the map, not again when it is gone. */
static void
test_a_close_leaves_the_map_at_once(void)
{
	struct msg_closed msg;
	struct session *s;

	s = made(SESSION_OPEN, 1);
	s->peer.node = 7;
	session_close(&w, s, WS_STATUS_NORMAL, "bye");
	CHECK(s->state == SESSION_CLOSING);
	CHECK(s->deadline == w.tick + CLOSE_TICKS);
	CHECK(strcmp(got(), "\x88\5\x03\xe8"
			    "bye") == 0);
	CHECK(
	    parts_told(&w.parent, &parent, WP_CLOSED, &msg, sizeof(msg)) == 1);
	session_close(&w, s, WS_STATUS_NORMAL, "bye");
	CHECK(strcmp(got(), "") == 0);
	broken_mark(&w, s);
	session_reap(&w);
	CHECK(
	    parts_told(&w.parent, &parent, WP_CLOSED, &msg, sizeof(msg)) == -1);
	/* Who is no WebSocket yet has nothing to close. */
	s = made(SESSION_HEAD, 1);
	session_close(&w, s, WS_STATUS_NORMAL, "bye");
	CHECK(s->state == SESSION_HEAD && strcmp(got(), "") == 0);
	end(s);
}

static void
test_a_violation_is_answered_and_no_longer_heard(void)
{
	struct session *s;
	uint64_t errors, big;

	errors = COUNTED(PROTOCOL_ERRORS);
	big = COUNTED(TOO_BIG);
	s = made(SESSION_OPEN, 1);
	memcpy(w.pongs.bytes, "\x8a\1x", 3);
	w.pongs.len = 3;
	session_violation(&w, s, WHY_CLOSE_FRAME);
	CHECK(s->skip == SKIP_ALL && s->state == SESSION_CLOSING);
	/* Pings that came before get their pongs. */
	CHECK(strcmp(got(), "\x8a\1x\x88\21\x03\xea"
			    "bad close frame") == 0);
	CHECK(w.pongs.len == 0);
	end(s);
	s = made(SESSION_OPEN, 1);
	session_violation(&w, s, WHY_TOO_BIG);
	end(s);
	CHECK(COUNTED(PROTOCOL_ERRORS) == errors + 1);
	CHECK(COUNTED(TOO_BIG) == big + 1);
}

/* The oldest of a source makes room for its newer ones, after its time. */
static void
test_so_many_strangers_of_a_source(void)
{
	struct session *s[3];
	uint32_t i;

	w.settings.source_upgrade_limit = 2;
	for (i = 0; i < 3; i++)
		s[i] = made(SESSION_HEAD, 5);
	CHECK(session_join_source(&w, s[0]) && session_join_source(&w, s[1]));
	CHECK(!session_join_source(&w, s[2]) && w.nbroken == 0);
	w.tick += STRANGER_TICKS;
	end(s[2]);
	s[2] = made(SESSION_HEAD, 5);
	CHECK(session_join_source(&w, s[2]));
	CHECK(s[0]->state == SESSION_BROKEN && s[1]->state == SESSION_HEAD);
	CHECK(session_join_source(&w, s[2])); /* once is enough */
	session_reap(&w);
	w.settings.source_upgrade_limit = 0;
	s[0] = made(SESSION_HEAD, 5);
	CHECK(session_join_source(&w, s[0]) && s[0]->stranger->source == NULL);
	for (i = 0; i < 3; i++)
		end(s[i]);
	CHECK(!session_make_room(&w, NULL));
}

static void
test_the_map_says_whose_it_is(void)
{
	struct peermap_entry *entry;
	struct session *s;
	uint64_t replaced, revoked;

	replaced = COUNTED(REPLACED);
	revoked = COUNTED(REVOKED);
	entry = parts_know(7);
	entry->generation = 9;
	s = made(SESSION_OPEN, 1);
	s->peer.node = 7;
	s->peer.generation = 9;
	s->map_number = 7;
	CHECK(session_current(&w, s));
	entry->generation = 10;
	CHECK(!session_current(&w, s));
	session_superseded(&w, s);
	CHECK(COUNTED(REPLACED) == replaced + 1);
	CHECK(strcmp(got(), "\x88\x0a\x03\xe8replaced") == 0);
	end(s);
	s = made(SESSION_OPEN, 1);
	s->peer.node = 7;
	s->map_number = 7;
	entry->generation = 0;
	session_superseded(&w, s);
	CHECK(COUNTED(REVOKED) == revoked + 1);
	CHECK(strcmp(got(), "\x88\x0d\x03\xf0"
			    "auth failed") == 0);
	end(s);
}

/* In a map that is new the entries have other numbers. */
static void
test_entries_are_looked_for_again(void)
{
	struct session *s;
	uint32_t slot;

	(void)parts_know(7);
	s = made(SESSION_OPEN, 1);
	slot = session_slot(&w, s);
	s->peer.node = 7;
	s->map_number = 12;
	session_find_all(&w);
	CHECK(w.sessions[slot].map_number == 7);
	s->peer.node = 8;
	session_find_all(&w);
	CHECK(s->map_number == PEERMAP_NONE);
	s->state = SESSION_CLOSING;
	s->map_number = 12;
	session_find_all(&w);
	CHECK(s->map_number == 12);
	s->state = SESSION_OPEN;
	end(s);
}

static void
test_a_frame_for_a_generation_that_is_there(void)
{
	uint8_t bytes[FRAME_HEADROOM + 3] = "____abc";
	struct session *s;
	uint32_t slot;

	s = made(SESSION_OPEN, 1);
	slot = session_slot(&w, s);
	s->peer.generation = 9;
	CHECK(!session_write_frame(&w, slot, 8, bytes + FRAME_HEADROOM, 3));
	CHECK(!session_write_frame(&w, 9999, 9, bytes + FRAME_HEADROOM, 3));
	CHECK(session_write_frame(&w, slot, 9, bytes + FRAME_HEADROOM, 3));
	gather_flush(&w);
	CHECK(strcmp(got(), "\x82\3abc") == 0 && s->frames_out == 1);
	session_close(&w, s, WS_STATUS_NORMAL, "");
	CHECK(!session_write_frame(&w, slot, 9, bytes + FRAME_HEADROOM, 3));
	end(s);
}

/* What was gathered for it leaves before its close frame. */
static void
test_frames_before_the_close(void)
{
	uint8_t bytes[FRAME_HEADROOM + 3] = "____abc";
	struct session *s;

	s = made(SESSION_OPEN, 1);
	s->peer.generation = 9;
	CHECK(session_write_frame(
	    &w, session_slot(&w, s), 9, bytes + FRAME_HEADROOM, 3));
	session_goodbye(&w, s);
	CHECK(strcmp(got(), "\x82\3abc\x88\x16\x03\xe9" DRAIN_GOODBYE) == 0);
	end(s);
}

/* A turn may end some and begin others with its frames still gathered. */
static void
test_frames_are_not_for_who_has_the_place_next(void)
{
	uint8_t bytes[FRAME_HEADROOM + 3] = "____abc";
	struct session *next, *s;
	int old;

	s = made(SESSION_OPEN, 1);
	old = client;
	s->peer.generation = 9;
	CHECK(session_write_frame(
	    &w, session_slot(&w, s), 9, bytes + FRAME_HEADROOM, 3));
	broken_mark(&w, s);
	session_reap(&w);
	next = made(SESSION_HEAD, 2);
	CHECK(next == s);
	gather_flush(&w);
	CHECK(strcmp(got(), "") == 0 && next->frames_out == 0);
	end(next);
	(void)close(old);
}

/* Nor for nobody: a place that is free does not break. */
static void
test_frames_are_not_for_a_place_that_is_free(void)
{
	uint8_t bytes[FRAME_HEADROOM + 3] = "____abc";
	struct session *s;
	uint32_t load;

	s = made(SESSION_OPEN, 1);
	s->peer.generation = 9;
	CHECK(session_write_frame(
	    &w, session_slot(&w, s), 9, bytes + FRAME_HEADROOM, 3));
	broken_mark(&w, s);
	session_reap(&w);
	load = w.load;
	gather_flush(&w);
	CHECK(w.nbroken == 0 && s->state == SESSION_FREE);
	session_reap(&w);
	CHECK(w.load == load);
	(void)close(client);
}

static void
test_crowded_out_it_gives_back_what_it_holds(void)
{
	struct session *largest, *s;
	uint64_t crowded;

	crowded = COUNTED(REFUSED_CROWDED);
	s = made(SESSION_OPEN, 1);
	CHECK(
	    inbound_keep(&w, s, (const uint8_t *)"x", 1, 5000, &largest) == 0);
	session_crowded_out(&w, s);
	CHECK(s->pending == NULL && w.inbound[INBOUND_PEERS].bytes == 0);
	CHECK(s->state == SESSION_CLOSING && s->skip == SKIP_ALL);
	CHECK(COUNTED(REFUSED_CROWDED) == crowded + 1);
	end(s);
	s = made(SESSION_HEAD, 1);
	CHECK(inbound_keep(&w, s, (const uint8_t *)"x", 1, 0, &largest) == 0);
	session_try_later(&w, s);
	CHECK(s->state == SESSION_BROKEN);
	session_reap(&w);
	CHECK(w.inbound[INBOUND_STRANGERS].bytes == 0);
}

int
main(void)
{
	parts_loop();
	/* As a worker has it: its epoll is known. */
	ev_loop_destroy(w.loop);
	w.loop = loop_open(0);
	parts_channel(&w.parent, &parent);
	(void)parts_map();
	w.tick = 1000;
	w.settings.max_sockets = PARTS_SESSIONS;
	w.settings.write_timeout = w.settings.idle_timeout = 60;
	w.settings.ping_interval = 30;
	w.settings.head_timeout = 5;
	session_init(&w);
	wheel_init(&w);
	RUN(test_places_are_used_again_and_serials_grow);
	RUN(test_found_by_slot_serial_and_state);
	RUN(test_what_its_end_means_to_others);
	RUN(test_what_it_has_used_outlives_it);
	RUN(test_so_many_that_share_a_set);
	RUN(test_nobody_watches_what_another_process_has);
	RUN(test_a_close_leaves_the_map_at_once);
	RUN(test_a_violation_is_answered_and_no_longer_heard);
	RUN(test_so_many_strangers_of_a_source);
	RUN(test_the_map_says_whose_it_is);
	RUN(test_entries_are_looked_for_again);
	RUN(test_a_frame_for_a_generation_that_is_there);
	RUN(test_frames_before_the_close);
	RUN(test_frames_are_not_for_a_place_that_is_free);
	RUN(test_frames_are_not_for_who_has_the_place_next);
	RUN(test_crowded_out_it_gives_back_what_it_holds);
	return (test_failed());
}
