/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>

#include "regress/unit/test.h"
#include "worker/worker.h"

#define SESSIONS 25000

static struct worker w;
static struct session sessions[SESSIONS];
static struct session *largest;

static const uint8_t bytes[64];

static int no_memory; /* boolean */

void *__real_malloc(size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_realloc(void *, size_t);

/* Which the compiler makes of a realloc(3) of nothing. */
void *
__wrap_malloc(size_t size)
{
	if (!no_memory)
		return (__real_malloc(size));
	errno = ENOMEM;
	return (NULL);
}

void *
__wrap_realloc(void *old, size_t size)
{
	if (!no_memory)
		return (__real_realloc(old, size));
	errno = ENOMEM;
	return (NULL);
}

/* So many sessions, all logged in or none, that hold nothing. */
static void
begin(enum session_state state)
{
	int i;

	w.sessions = sessions;
	w.settings.max_frame = 65536;
	for (i = 0; i < SESSIONS; i++) {
		free(inbound_take_pending(&w, &sessions[i]));
		free(inbound_take_message(&w, &sessions[i]));
		sessions[i].state = (uint8_t)state;
	}
}

/* Does session i get room for a frame that makes `size` bytes in all? */
static int
keep(int i, size_t size)
{
	int r;

	r = inbound_keep(&w, &sessions[i], bytes, sizeof(bytes),
	    size - sizeof(struct pending), &largest);
	if (r != 0 && r != -1)
		abort();
	return (r == 0);
}

/* Session `first` and those after it want so much; the first to get nothing. */
static int
crowd(int first, size_t size)
{
	while (first < SESSIONS && keep(first, size))
		first++;
	return (first);
}

static void
test_holdings_are_bounded_in_all(void)
{
	int n;

	begin(SESSION_OPEN);
	n = crowd(0, 65536);
	CHECK(n == INBOUND_PEERS_MAX / 65536 - INBOUND_PART + 1);
	n = crowd(n, INBOUND_FLOOR);
	CHECK(n < SESSIONS);
	CHECK(w.inbound[INBOUND_PEERS].bytes == INBOUND_PEERS_MAX);
	begin(SESSION_OPEN);
	CHECK(w.inbound[INBOUND_PEERS].bytes == 0);
}

static void
test_what_one_gets_shrinks(void)
{
	size_t size;
	int i, n;

	begin(SESSION_OPEN);
	n = 0;
	for (size = 65536; size > INBOUND_FLOOR; size /= 2)
		for (i = n + 1; keep(i, size); i++)
			n = i;
	/* There is room for what everybody gets. */
	CHECK(INBOUND_PEERS_MAX - w.inbound[INBOUND_PEERS].bytes >=
	      INBOUND_FLOOR * INBOUND_PART);
	CHECK(keep(0, INBOUND_FLOOR) && keep(n + 1, INBOUND_FLOOR));
	/* A byte more is not the floor. */
	n = crowd(n + 2, INBOUND_FLOOR + 1);
	CHECK(INBOUND_PEERS_MAX - w.inbound[INBOUND_PEERS].bytes >
	      INBOUND_FLOOR * INBOUND_PART / 2);
	CHECK(keep(n, INBOUND_FLOOR));
}

/* The sizes are told apart by steps of 2 KiB, up to a class of all above. */
static void
test_which_are_equals(void)
{
	begin(SESSION_OPEN);
	CHECK(keep(0, 4095) && keep(1, 4096) && crowd(2, 4094) < SESSIONS);
	CHECK(largest == &sessions[1]);
	begin(SESSION_OPEN);
	CHECK(keep(0, 63 * 2048 - 1) && keep(1, 63 * 2048));
	CHECK(crowd(2, 60000) < SESSIONS && largest == &sessions[1]);
	begin(SESSION_OPEN);
	CHECK(keep(0, 63 * 2048) && keep(1, 3 << 20));
	CHECK(crowd(2, 60000) < SESSIONS && largest == &sessions[0]);
	begin(SESSION_OPEN);
	CHECK(keep(0, 3 << 20));
	CHECK(crowd(1, 60000) < SESSIONS && largest == &sessions[0]);
}

static void
test_the_largest_makes_room(void)
{
	int n;

	begin(SESSION_OPEN);
	CHECK(keep(0, 32768));
	CHECK(keep(1, 65536));
	n = crowd(2, 32768);
	CHECK(n > 2000 && largest == &sessions[1]);
	free(inbound_take_pending(&w, largest));
	n = crowd(n, 32768);
	/* Among equals, the oldest. */
	CHECK(largest == &sessions[0]);
	free(inbound_take_pending(&w, largest));
	CHECK(keep(n, 32768));
	/* Who wants more than anybody has gets it from nobody. */
	CHECK(!keep(n + 1, 65536) && largest == NULL);
}

static void
test_everybody_gets_the_floor(void)
{
	int n;

	begin(SESSION_OPEN);
	n = crowd(0, INBOUND_FLOOR / 2);
	CHECK(n == INBOUND_PEERS_MAX / (INBOUND_FLOOR / 2));
	CHECK(!keep(n, INBOUND_FLOOR + 1) && largest == NULL);
	/* From who has less, if nobody has more. */
	CHECK(!keep(n, INBOUND_FLOOR) && largest == &sessions[0]);
	free(inbound_take_pending(&w, largest));
	CHECK(!keep(n, INBOUND_FLOOR) && largest == &sessions[1]);
	free(inbound_take_pending(&w, largest));
	CHECK(keep(n, INBOUND_FLOOR));
}

static void
test_strangers_are_apart(void)
{
	int n;

	begin(SESSION_REPLY);
	n = crowd(0, 4096);
	CHECK(n == INBOUND_STRANGERS_MAX / 4096 && largest == &sessions[0]);
	sessions[n + 1].state = SESSION_OPEN;
	CHECK(keep(n + 1, 65536));
	/* What it holds from before its login stays where it was counted. */
	sessions[0].state = SESSION_OPEN;
	free(inbound_take_pending(&w, &sessions[0]));
	CHECK(keep(n, 4096));
	begin(SESSION_OPEN);
	CHECK(w.inbound[INBOUND_STRANGERS].bytes == 0);
}

static void
test_a_message_holds_max_frame_at_most(void)
{
	struct session *s;
	uint32_t size;
	int i;

	begin(SESSION_OPEN);
	s = &sessions[0];
	CHECK(inbound_room(&w, s, 65534, &largest) == 0);
	s->message->len = 65534;
	for (i = 0; i < 2; i++) {
		CHECK(inbound_room(&w, s, 1, &largest) == 0);
		s->message->len++;
	}
	size = s->message->held.size;
	CHECK(size == sizeof(struct message) + MESSAGE_HEADROOM + 65536);
	CHECK(w.inbound[INBOUND_PEERS].bytes == size);
}

/* Twice as much as is needed, if a message may be so long. */
static void
test_how_a_message_grows(void)
{
	struct session *s;
	size_t most, size;

	begin(SESSION_OPEN);
	s = &sessions[0];
	size = sizeof(struct message) + MESSAGE_HEADROOM;
	most = size + w.settings.max_frame;
	CHECK(inbound_room(&w, s, 1000, &largest) == 0);
	CHECK(s->message->held.size == size + 1000);
	CHECK(s->message->len == 0 && s->message->utf8 == 0);
	s->message->len = 1000;
	CHECK(inbound_room(&w, s, 0, &largest) == 0);
	CHECK(s->message->held.size == size + 1000);
	CHECK(inbound_room(&w, s, 1, &largest) == 0);
	CHECK(s->message->held.size == 2 * (size + 1001));
	s->message->len = 40000;
	CHECK(inbound_room(&w, s, 1, &largest) == 0);
	CHECK(s->message->held.size == most);
}

static void
test_without_memory_all_is_as_before(void)
{
	struct session *s;

	begin(SESSION_OPEN);
	s = &sessions[0];
	CHECK(inbound_room(&w, s, 1000, &largest) == 0);
	s->message->len = 1000;
	no_memory = 1;
	CHECK(!keep(0, 1000) && largest == NULL && s->pending == NULL);
	CHECK(inbound_room(&w, s, 1, &largest) == -1 && largest == NULL);
	no_memory = 0;
	CHECK(s->message != NULL);
	CHECK(w.inbound[INBOUND_PEERS].bytes == s->message->held.size);
}

static void
test_what_is_kept(void)
{
	struct pending *p;

	begin(SESSION_OPEN);
	CHECK(inbound_keep(
		  &w, &sessions[0], bytes, sizeof(bytes), 0, &largest) == 0);
	p = sessions[0].pending;
	CHECK(p->len == sizeof(bytes) && p->total == 0);
	CHECK(p->checked == 0 && p->utf8 == 0);
}

/* Nobody can have it thrown out meanwhile. */
static void
test_what_is_set_aside(void)
{
	struct session *s;
	size_t all;

	begin(SESSION_OPEN);
	s = &sessions[0];
	inbound_set_aside(&w, s);
	inbound_take_back(&w, s);
	CHECK(keep(0, 5000) && inbound_room(&w, s, 9000, &largest) == 0);
	all = w.inbound[INBOUND_PEERS].bytes;
	inbound_set_aside(&w, s);
	CHECK(w.inbound[INBOUND_PEERS].bytes == 0);
	CHECK(w.inbound[INBOUND_PEERS].classes == 0);
	inbound_take_back(&w, s);
	CHECK(w.inbound[INBOUND_PEERS].bytes == all);
	free(inbound_take_pending(&w, s));
	CHECK(w.inbound[INBOUND_PEERS].bytes == s->message->held.size);
}

/* A close frame may be under way, and what is longer is skipped. */
static void
test_what_is_given_up(void)
{
	struct session *s;
	size_t most;

	begin(SESSION_OPEN);
	s = &sessions[0];
	inbound_give_up(&w, s);
	CHECK(s->skip == 0);
	most = WS_HEADER_MAX + WS_CONTROL_MAX;
	CHECK(inbound_room(&w, s, 9000, &largest) == 0);
	CHECK(inbound_keep(&w, s, bytes, 20, most, &largest) == 0);
	inbound_give_up(&w, s);
	CHECK(s->message == NULL && s->pending != NULL && s->skip == 0);
	free(inbound_take_pending(&w, s));
	CHECK(inbound_keep(&w, s, bytes, 20, most + 1, &largest) == 0);
	inbound_give_up(&w, s);
	CHECK(s->pending == NULL && s->skip == most + 1 - 20);
	CHECK(w.inbound[INBOUND_PEERS].bytes == 0);
}

static void
test_a_message_that_grows_counts_once(void)
{
	struct session *s;

	begin(SESSION_OPEN);
	s = &sessions[0];
	CHECK(inbound_room(&w, s, 30000, &largest) == 0);
	s->message->len = 30000;
	memset(s->message->data, 7, MESSAGE_HEADROOM + 30000);
	CHECK(crowd(1, 30000) < SESSIONS);
	/* It would be larger than any other. */
	CHECK(inbound_room(&w, s, 30000, &largest) == -1 && largest == NULL);
	/* What it has is room for it already. */
	CHECK(inbound_room(&w, s, 100, &largest) == 0);
	CHECK(s->message->data[MESSAGE_HEADROOM + 29999] == 7);
}

int
main(void)
{
	RUN(test_holdings_are_bounded_in_all);
	RUN(test_what_one_gets_shrinks);
	RUN(test_which_are_equals);
	RUN(test_the_largest_makes_room);
	RUN(test_everybody_gets_the_floor);
	RUN(test_strangers_are_apart);
	RUN(test_a_message_holds_max_frame_at_most);
	RUN(test_how_a_message_grows);
	RUN(test_a_message_that_grows_counts_once);
	RUN(test_without_memory_all_is_as_before);
	RUN(test_what_is_kept);
	RUN(test_what_is_set_aside);
	RUN(test_what_is_given_up);
	return (test_failed());
}
