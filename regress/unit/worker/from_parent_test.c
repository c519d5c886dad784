/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/wait.h>

#include <unistd.h>

#include "regress/unit/worker/parts.h"
#include "worker/limit.h"
#include "worker/udp.h"

/*
 * In which order the parent may say what.  A worker that hears something else
 * ends, so each case is a process of its own: what it hands on is seen in its
 * status.
 */

#define TO_PARENT CHILD_PARENT_FD

enum { ENDED = 0, DIED = 1, ALIVE = 10, BEGAN = 11 };

static struct imsgbuf parent;
static int began;   /* accept_start() and udp_start() */
static int removed; /* sessions */
static int closed_all;

const char *
accept_listen(struct worker *of, const struct msg_listener *msg, int fd)
{
	(void)close(fd);
	return (NULL);
}

const char *
accept_unlisten(struct worker *of, uint32_t number)
{
	return (NULL);
}

void
udp_close(struct worker *of, uint32_t listener)
{
}

static int stopped; /* times that nobody was accepted any more */

void
accept_start(struct worker *of)
{
	began++;
}

void
accept_stop(struct worker *of)
{
	stopped++;
}

uint32_t
accept_descriptors(const struct worker *of)
{
	return (1);
}

const char *
beacons_set(struct worker *of, const struct msg_beacon *msg)
{
	return (msg->number == 9 ? "bad beacon" : NULL);
}

const char *
beacons_send_sync(struct worker *of, const struct msg_sync *msg,
    const uint8_t *ids, size_t len)
{
	return (len == 4 * (size_t)msg->count ? NULL : "bad chunk");
}

void
discover_noted(struct worker *of, const struct msg_endpoint *msg)
{
}

void
from_auth_open(struct worker *of, int fd)
{
	(void)close(fd);
}

void
login_init(struct worker *of)
{
}

void
login_open(struct worker *of, const struct msg_open *msg)
{
}

void
login_refuse(struct worker *of, const struct msg_refuse *msg)
{
}

const char *
punch_exempt(struct worker *of, const struct msg_address *msg)
{
	return (NULL);
}

const char *
blocked_set(struct worker *of, const struct msg_address *msg)
{
	return (NULL);
}

const char *
route_recv_open(struct worker *of, uint32_t number, int fd)
{
	(void)close(fd);
	return (NULL);
}

static char moved[64]; /* what of moving was handed on, in this order */

const char *
move_out_begin(
    struct worker *of, const struct msg_move *msg, const void *rows, int fd)
{
	(void)close(fd);
	(void)strlcat(moved, "out ", sizeof(moved));
	return (msg->ticket == 9 ? "bad move" : NULL);
}

const char *
move_in_begin(
    struct worker *of, const struct msg_move *msg, const void *rows, int fd)
{
	(void)close(fd);
	(void)strlcat(moved, "in ", sizeof(moved));
	return (NULL);
}

void
move_settled(struct worker *of, const struct msg_moved *msg)
{
	(void)strlcat(moved, "moved ", sizeof(moved));
}

void
move_fence(struct worker *of, const struct msg_moved *msg)
{
	(void)strlcat(moved, "fence ", sizeof(moved));
}

const char *
still_set(struct worker *of, const struct msg_still *msg)
{
	(void)strlcat(moved, "still ", sizeof(moved));
	of->still.stage = msg->stage;
	return (msg->stage > STILL_ALL ? "no such stillness" : NULL);
}

const char *
park_begin(struct worker *of, const struct msg_park *msg, int fd)
{
	char text[32];

	(void)close(fd);
	(void)snprintf(text, sizeof(text), "park %u ", msg->most);
	(void)strlcat(moved, text, sizeof(moved));
	return (NULL);
}

const char *
still_forget(struct worker *of, const struct msg_forget *msg)
{
	(void)strlcat(moved, "forget ", sizeof(moved));
	return (msg->slot == 1 && msg->generation == 2 ? NULL : "another");
}

void
move_out_keep(struct worker *of, const struct session *s)
{
	(void)strlcat(moved, "keep ", sizeof(moved));
}

const struct upper relay_upper, router_drop;

void
router_otherwise(struct worker *of, const struct upper *otherwise)
{
	w.router.otherwise = otherwise;
}

void
router_recv_open(struct worker *of, int fd)
{
	(void)close(fd);
}

void
router_share(struct worker *of, int fd)
{
	(void)close(fd);
}

const char *
drain_set(struct worker *of, const struct msg_drain *msg)
{
	closed_all += msg->phase == DRAIN_CLOSING && msg->seconds == 0;
	return (NULL);
}

void
router_recv_last(struct worker *of)
{
}

void
session_init(struct worker *of)
{
	(void)parts_sessions();
}

static int found_again;

void
session_find_all(struct worker *of)
{
	found_again++;
}

void
session_removed(struct worker *of, struct session *s, uint32_t reason)
{
	removed++;
}

void
tell_parent(
    struct worker *of, enum worker_to_parent type, const void *data, size_t len)
{
	if (channel_send(&w.parent, type, 0, -1, data, len) == -1)
		abort();
}

const char *
udp_recv_open(struct worker *of, const struct msg_udp *msg, int fd)
{
	(void)close(fd);
	return (NULL);
}

void
udp_start(struct worker *of)
{
	began++;
}

struct sibling *
router_channel(struct worker *of)
{
	return (NULL);
}

uint64_t
udp_waiting(const struct worker *of)
{
	return (10);
}

uint32_t
udp_descriptors(const struct worker *of)
{
	return (2);
}

static int flushed;

void
route_flush(struct worker *of)
{
	flushed++;
}

uint64_t
route_waiting(const struct worker *of)
{
	return (20);
}

uint32_t
route_descriptors(const struct worker *of)
{
	return (4);
}

/* Says that, with a descriptor or without; data may be NULL. */
static void
say(uint32_t type, const void *data, size_t len, int fd)
{
	if (imsg_compose(&parent, type, 0, 0, fd == -1 ? -1 : dup(fd), data,
		len) == -1 ||
	    imsgbuf_write(&parent) == -1)
		abort();
	ev_run(w.loop, EVRUN_NOWAIT);
}

static void
hello(uint32_t worker)
{
	struct msg_hello msg;

	memset(&msg, 0, sizeof(msg));
	proto_fill_hello(&msg);
	msg.worker = worker;
	say(PW_HELLO, &msg, sizeof(msg), -1);
}

static void
settings(void)
{
	static struct msg_settings msg = { .max_sockets = PARTS_SESSIONS };

	say(PW_SETTINGS, &msg, sizeof(msg), -1);
}

/* The map is the test's own, not one that came in. */
static void
map(void)
{
	(void)parts_map();
}

static void
start(void)
{
	hello(1);
	settings();
	map();
	say(PW_START, NULL, 0, -1);
}

/* The status of a worker that was told so. */
static int
worker_that(void (*hears)(void))
{
	int pair[2], status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid != 0) {
		if (pid == -1 || waitpid(pid, &status, 0) == -1)
			abort();
		return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	}
	if (channel_pair(pair) == -1)
		abort();
	/* Away from where the worker's end belongs. */
	if (pair[1] == TO_PARENT)
		pair[1] = dup(pair[1]);
	if (pair[0] != TO_PARENT && dup2(pair[0], TO_PARENT) == -1)
		abort();
	if (imsgbuf_init(&parent, pair[1]) == -1)
		abort();
	imsgbuf_allow_fdsend(&parent);
	parts_loop();
	from_parent_init(&w);
	hears();
	_exit(began == 2 ? BEGAN : ALIVE);
}

static void
hears_nothing_before_hello(void)
{
	settings();
}

static void
hears_hello_twice(void)
{
	hello(0);
	hello(0);
}

static void
hears_it_is_no_worker(void)
{
	hello(PROTO_PLACES_MAX);
}

static void
test_hello_comes_first_and_once(void)
{
	CHECK(worker_that(hears_nothing_before_hello) == DIED);
	CHECK(worker_that(hears_hello_twice) == DIED);
	CHECK(worker_that(hears_it_is_no_worker) == DIED);
}

static void
hears_start_without_settings(void)
{
	hello(0);
	map();
	say(PW_START, NULL, 0, -1);
}

static void
hears_start_without_map(void)
{
	hello(0);
	settings();
	say(PW_START, NULL, 0, -1);
}

static void
hears_start_twice(void)
{
	start();
	say(PW_START, NULL, 0, -1);
}

static void
hears_start(void)
{
	struct msg_hello msg;

	start();
	if (parts_told(&w.parent, &parent, WP_READY, &msg, sizeof(msg)) != 1 ||
	    msg.worker != 1 || w.parent.state != WORKER_RUNNING)
		_exit(ALIVE);
}

static void
test_start_needs_all_that_was_promised(void)
{
	CHECK(worker_that(hears_start_without_settings) == DIED);
	CHECK(worker_that(hears_start_without_map) == DIED);
	CHECK(worker_that(hears_start_twice) == DIED);
	CHECK(worker_that(hears_start) == BEGAN);
}

static void
hears_of_a_map_while_it_runs(void)
{
	start();
	say(PW_MAP, NULL, 0, 0);
}

static void
hears_of_a_session_too_early(void)
{
	static const struct msg_open msg;

	hello(0);
	settings();
	say(PW_OPEN, &msg, sizeof(msg), -1);
}

static void
hears_of_a_map_that_is_none(void)
{
	hello(0);
	say(PW_MAP, NULL, 0, 0);
}

static void
hears_what_a_handler_refuses(void)
{
	static const struct msg_beacon msg = { .number = 9 };

	start();
	say(PW_BEACON, &msg, sizeof(msg), -1);
}

static void
test_what_comes_out_of_turn_ends_it(void)
{
	CHECK(worker_that(hears_of_a_map_while_it_runs) == DIED);
	CHECK(worker_that(hears_of_a_session_too_early) == DIED);
	CHECK(worker_that(hears_of_a_map_that_is_none) == DIED);
	CHECK(worker_that(hears_what_a_handler_refuses) == DIED);
}

/* So many rows as it says, of one message for either way. */
static void
says_move(uint32_t type, uint32_t ticket, uint32_t count, uint32_t rows)
{
	static struct {
		struct msg_move head;
		struct msg_move_session rows[MOVE_SESSIONS_MAX];
	} msg;

	msg.head.ticket = ticket;
	msg.head.count = count;
	say(type, &msg, sizeof(msg.head) + rows * sizeof(msg.rows[0]), 0);
}

static void
hears_of_moves(void)
{
	static const struct msg_moved msg;

	start();
	says_move(PW_MOVE_OUT, 1, 1, 1);
	says_move(PW_MOVE_IN, 1, MOVE_SESSIONS_MAX, MOVE_SESSIONS_MAX);
	say(PW_MOVED, &msg, sizeof(msg), -1);
	say(PW_FENCE, &msg, sizeof(msg), -1);
	if (strcmp(moved, "out in moved fence ") != 0)
		_exit(ALIVE);
}

static void
hears_of_a_move_that_is_refused(void)
{
	start();
	says_move(PW_MOVE_OUT, 9, 1, 1);
}

static void
hears_of_stillness(void)
{
	struct msg_still msg = { STILL_ALL, 0 };
	struct msg_forget forget = { 1, 2 };
	struct msg_park park = { 5 };
	int pair[2];

	/* Before the start, too. */
	hello(0);
	say(PW_STILL, &msg, sizeof(msg), -1);
	start();
	say(PW_STILL, &msg, sizeof(msg), -1);
	if (channel_pair(pair) == -1)
		_exit(ALIVE);
	say(PW_PARK, &park, sizeof(park), pair[0]);
	say(PW_FORGET, &forget, sizeof(forget), -1);
	if (strcmp(moved, "still still park 5 forget ") != 0 || stopped != 2)
		_exit(ALIVE);
	msg.stage++;
	say(PW_STILL, &msg, sizeof(msg), -1);
}

static void
test_stillness(void)
{
	CHECK(worker_that(hears_of_stillness) == DIED);
}

static void
hears_of_fewer_to_go_than_said(void)
{
	start();
	says_move(PW_MOVE_OUT, 1, 2, 1);
}

static void
hears_of_more_to_come_than_said(void)
{
	start();
	says_move(PW_MOVE_IN, 1, 1, 2);
}

static void
hears_of_none_to_come(void)
{
	start();
	says_move(PW_MOVE_IN, 1, 0, 0);
}

static void
test_moves_are_as_long_as_they_say(void)
{
	CHECK(worker_that(hears_of_moves) == BEGAN);
	CHECK(worker_that(hears_of_a_move_that_is_refused) == DIED);
	CHECK(worker_that(hears_of_fewer_to_go_than_said) == DIED);
	CHECK(worker_that(hears_of_more_to_come_than_said) == DIED);
	CHECK(worker_that(hears_of_none_to_come) == DIED);
}

/* By slot and generation; of any other, nothing happens. */
static void
hears_of_the_end_of_sessions(void)
{
	struct msg_close msg;

	start();
	parts_session(1, SESSION_OPEN)->peer.generation = 5;
	parts_session(2, SESSION_CLOSING)->peer.generation = 5;
	memset(&msg, 0, sizeof(msg));
	msg.reason = CLOSE_REPLACED;
	msg.generation = 5;
	for (msg.slot = 2; msg.slot < 2 * PARTS_SESSIONS; msg.slot++)
		say(PW_CLOSE, &msg, sizeof(msg), -1);
	msg.slot = UINT32_MAX;
	say(PW_CLOSE, &msg, sizeof(msg), -1);
	msg.slot = 1;
	msg.generation = 4;
	say(PW_CLOSE, &msg, sizeof(msg), -1);
	if (removed != 0 || moved[0] != '\0')
		_exit(DIED);
	msg.generation = 5;
	say(PW_CLOSE, &msg, sizeof(msg), -1);
	/* It ends here, even if it was about to move. */
	if (removed != 1 || strcmp(moved, "keep ") != 0)
		_exit(DIED);
}

/* A stat is answered whether the session is there or not. */
static void
asks_for_a_session(void)
{
	struct {
		struct msg_stat head;
		struct msg_stat_row rows[2];
	} reply;
	struct {
		struct msg_stat head;
		struct msg_stat_session of[2];
	} msg;
	struct msg_hello ready;
	struct session *s;

	start();
	if (parts_told(&w.parent, &parent, WP_READY, &ready, sizeof(ready)) !=
	    1)
		_exit(DIED);
	s = parts_session(1, SESSION_OPEN);
	s->peer.generation = 5;
	s->frames_in = 3;
	s->frames_out = 4;
	s->bytes_in = 30;
	s->bytes_out = 40;
	s->peer.at = parts_endpoint(7, 70);
	msg.head.request = 99;
	msg.head.count = 2;
	msg.of[0] = (struct msg_stat_session){ 1, 6 };
	msg.of[1] = (struct msg_stat_session){ 1, 5 };
	say(PW_STAT, &msg, sizeof(msg), -1);
	if (parts_told(&w.parent, &parent, WP_STAT, &reply, sizeof(reply)) !=
		1 ||
	    reply.head.request != 99 || reply.head.count != 2)
		_exit(DIED);
	if (reply.rows[0].known || reply.rows[0].frames_in != 0)
		_exit(DIED);
	if (!reply.rows[1].known || reply.rows[1].frames_in != 3 ||
	    reply.rows[1].frames_out != 4 || reply.rows[1].bytes_in != 30 ||
	    reply.rows[1].bytes_out != 40 || reply.rows[1].port != 70 ||
	    reply.rows[1].queued != 0)
		_exit(DIED);
}

static void
test_a_session_is_meant_by_slot_and_generation(void)
{
	CHECK(worker_that(hears_of_the_end_of_sessions) == BEGAN);
	CHECK(worker_that(asks_for_a_session) == BEGAN);
}

static void
is_pinged(void)
{
	hello(0);
	say(PW_PING, NULL, 0, -1);
	if (parts_told(&w.parent, &parent, WP_PONG, NULL, 0) != 1)
		_exit(DIED);
}

static void
is_to_end_before_it_began(void)
{
	hello(0);
	say(PW_SHUTDOWN, NULL, 0, -1);
	if (!w.draining)
		_exit(DIED);
}

static void
is_to_end_with_sessions(void)
{
	start();
	w.nupgraded = 1;
	say(PW_SHUTDOWN, NULL, 0, -1);
	if (!w.draining || closed_all != 1 || flushed != 1)
		_exit(DIED);
}

static void
is_left_by_its_parent(void)
{
	start();
	(void)close(parent.fd);
	ev_run(w.loop, EVRUN_NOWAIT);
}

static void
test_life_and_end(void)
{
	CHECK(worker_that(is_pinged) == ALIVE);
	CHECK(worker_that(is_to_end_before_it_began) == ALIVE);
	CHECK(worker_that(is_to_end_with_sessions) == BEGAN);
	CHECK(worker_that(is_left_by_its_parent) == ENDED);
}

int
main(void)
{
	RUN(test_hello_comes_first_and_once);
	RUN(test_start_needs_all_that_was_promised);
	RUN(test_what_comes_out_of_turn_ends_it);
	RUN(test_stillness);
	RUN(test_moves_are_as_long_as_they_say);
	RUN(test_a_session_is_meant_by_slot_and_generation);
	RUN(test_life_and_end);
	return (test_failed());
}
