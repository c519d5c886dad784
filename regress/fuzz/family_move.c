/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <string.h>
#include <unistd.h>

#include "common/proto_park.h"
#include "regress/fuzz/family.h"

/* Sessions that move, without their bytes: what both ends tell the parent. */

static struct opened *
opened_of(uint32_t generation)
{
	uint32_t i;

	for (i = 0; i < nopened; i++)
		if (opened[i].msg.generation == generation)
			break;
	REQUIRE(i < nopened);
	return (&opened[i]);
}

/* Returns how many rows there are; they stand still from now on. */
static uint32_t
stand_still(const struct imsg *imsg, struct msg_move *msg,
    struct msg_move_session rows[MOVE_SESSIONS_MAX])
{
	uint32_t i;

	REQUIRE(imsg_has_fd(imsg) && imsg_get_len(imsg) >= sizeof(*msg));
	memcpy(msg, imsg->data, sizeof(*msg));
	REQUIRE(msg->ticket != 0 && msg->worker < PROTO_PLACES_MAX);
	REQUIRE(msg->count > 0 && msg->count <= MOVE_SESSIONS_MAX);
	REQUIRE(
	    imsg_get_len(imsg) == sizeof(*msg) + msg->count * sizeof(rows[0]));
	memcpy(rows, (const uint8_t *)imsg->data + sizeof(*msg),
	    msg->count * sizeof(rows[0]));
	for (i = 0; i < msg->count; i++) {
		REQUIRE(
		    rows[i].node == opened_of(rows[i].generation)->msg.node);
		opened_of(rows[i].generation)->moves = 1;
	}
	return (msg->count);
}

/* PW_MOVE_OUT */
void
child_gives(const struct imsg *imsg)
{
	struct msg_move_session rows[MOVE_SESSIONS_MAX];
	struct msg_move msg;
	uint32_t i, n;

	n = stand_still(imsg, &msg, rows);
	for (i = 0; i < n; i++)
		REQUIRE(
		    rows[i].slot == opened_of(rows[i].generation)->msg.slot);
}

/* Sessions of another parent, which nobody here has heard of. */
static void
expect(const struct child_play *c, const struct imsg *imsg)
{
	struct msg_move_session row;
	struct opened *o;
	size_t at;

	for (at = sizeof(struct msg_move); at < imsg_get_len(imsg);
	     at += sizeof(row)) {
		REQUIRE(nopened < OPENED);
		memcpy(&row, (const uint8_t *)imsg->data + at, sizeof(row));
		o = &opened[nopened++];
		memset(o, 0, sizeof(*o));
		o->msg.node = row.node;
		o->msg.generation = row.generation;
		o->worker = c->number;
		o->epoch = c->epoch;
	}
}

static void
say_ready(struct child_play *c, uint64_t mask, uint32_t slot)
{
	struct msg_move_ready ready;
	uint32_t i;

	memset(&ready, 0, sizeof(ready));
	ready.ticket = c->coming.ticket;
	ready.mask = mask;
	for (i = 0; i < MOVE_SESSIONS_MAX; i++)
		ready.slot[i] = i + slot;
	child_say(c, WP_MOVE_READY, -1, &ready, sizeof(ready));
}

static uint64_t
all_of(const struct child_play *c)
{
	return (UINT64_MAX >> (MOVE_SESSIONS_MAX - c->coming.count));
}

/* PW_MOVE_IN: slots are those of the batch. */
void
child_takes(struct child_play *c, struct imsg *imsg)
{
	struct msg_move_session rows[MOVE_SESSIONS_MAX];
	uint32_t i, n;

	memcpy(&c->coming, imsg->data, sizeof(c->coming));
	if (c->coming.worker == c->number)
		expect(c, imsg);
	n = stand_still(imsg, &c->coming, rows);
	for (i = 0; i < n; i++)
		c->generations[i] = rows[i].generation;
	if (c->coming.worker == c->number) {
		c->here = 0;
		family_open(&c->kept, imsg);
	} else if (habits & HABIT_MOVE)
		say_ready(c, all_of(c), 0);
}

/* Which of the descriptors that were kept is it? */
static uint32_t
number_of(struct imsg *imsg)
{
	struct stat st;
	int fd;

	fd = imsg_get_fd(imsg);
	REQUIRE(fd != -1 && fstat(fd, &st) == 0 && st.st_size > 0);
	(void)close(fd);
	return ((uint32_t)st.st_size - 1);
}

/* Each is the one's whose record it belongs to. */
static void
hear_state(struct child_play *c, struct imsg *imsg)
{
	struct msg_move_state state;

	REQUIRE(imsg_get_len(imsg) >= sizeof(state));
	REQUIRE(imsg_get_len(imsg) <= sizeof(state) + MOVE_STATE_MORE);
	memcpy(&state, imsg->data, sizeof(state));
	REQUIRE(state.session < c->coming.count);
	REQUIRE((c->here >> state.session & 1) == 0);
	c->here |= UINT64_C(1) << state.session;
	REQUIRE(opened_of(c->generations[state.session])->msg.node ==
		family_kept_node(number_of(imsg)));
}

static void
hear_kept(struct child_play *c, struct imsg *imsg)
{
	struct msg_move_bytes head;

	if (c->coming.ticket == 0) /* too late */
		return;
	switch (imsg_get_type(imsg)) {
	case WM_STATE:
		hear_state(c, imsg);
		break;
	case WM_BYTES:
		REQUIRE(imsg_get_len(imsg) > sizeof(head));
		REQUIRE(imsg_get_len(imsg) <= sizeof(head) + MOVE_CHUNK);
		memcpy(&head, imsg->data, sizeof(head));
		REQUIRE(head.session < c->coming.count);
		break;
	case WM_END:
		if (habits & HABIT_MOVE)
			say_ready(c, c->here, 0);
		break;
	default:
		REQUIRE(imsg_get_type(imsg) == WM_LAST);
		break;
	}
}

/* Returns how much it was told of a batch that was kept. */
int
child_hears_kept(struct child_play *c)
{
	struct imsg imsg;
	int n, r;

	if (c->kept.fd == -1)
		return (0);
	n = 0;
	r = imsgbuf_read(&c->kept);
	while (c->kept.fd != -1 && imsgbuf_get(&c->kept, &imsg) == 1) {
		n++;
		hear_kept(c, &imsg);
		imsg_free(&imsg);
	}
	if (r != 1 && c->coming.ticket == 0)
		family_hang_up(&c->kept);
	return (n);
}

/* Of any sessions of a batch, and in any order. */
void
child_says_moved(struct child_play *c, struct input *input)
{
	struct msg_move_done done;
	uint8_t how;

	how = input_u8(input);
	c->wild = 1;
	if (how & 0x40)
		say_ready(c, input_u8(input), how & 0x80 ? MAX_SOCKETS : 0);
	else {
		done.ticket = c->coming.ticket + (how & 0x80 ? 1 : 0);
		child_say(c, WP_MOVE_DONE, -1, &done, sizeof(done));
	}
}

/* PW_FORGET: another parent has it still, or again. */
void
child_forgets(const struct child_play *c, const struct imsg *imsg)
{
	struct msg_forget msg;
	struct opened *o;

	REQUIRE(imsg_get_data(imsg, &msg, sizeof(msg)) == 0);
	o = opened_of(msg.generation);
	REQUIRE(o->worker == c->number && o->epoch == c->epoch && !o->told);
	o->over = 1;
}

static void
arrived(const struct child_play *c, uint32_t i)
{
	struct opened *o;

	o = opened_of(c->generations[i]);
	o->worker = c->number;
	o->epoch = c->epoch;
	o->msg.slot = i;
	o->over = !family_owns(c->number, o->msg.node, o->msg.generation);
}

/* PW_MOVED, at either end. */
void
child_moved(struct child_play *c, const struct imsg *imsg)
{
	struct msg_move_done done;
	struct msg_moved msg;
	uint32_t i;

	REQUIRE(imsg_get_data(imsg, &msg, sizeof(msg)) == 0);
	if (msg.ticket != c->coming.ticket)
		return;
	for (i = 0; i < c->coming.count; i++) {
		opened_of(c->generations[i])->moves = 0;
		if (msg.mask >> i & 1)
			arrived(c, i);
		else if (c->coming.worker == c->number)
			opened_of(c->generations[i])->over = 1;
	}
	done.ticket = c->coming.ticket;
	memset(&c->coming, 0, sizeof(c->coming));
	if (msg.mask != 0)
		child_say(c, WP_MOVE_DONE, -1, &done, sizeof(done));
}
