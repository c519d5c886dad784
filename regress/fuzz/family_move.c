/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

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

/* PW_MOVE_IN: slots are those of the batch. */
void
child_takes(struct child_play *c, const struct imsg *imsg)
{
	struct msg_move_session rows[MOVE_SESSIONS_MAX];
	struct msg_move_ready ready;
	uint32_t i, n;

	n = stand_still(imsg, &c->coming, rows);
	memset(&ready, 0, sizeof(ready));
	ready.ticket = c->coming.ticket;
	for (i = 0; i < n; i++) {
		c->generations[i] = rows[i].generation;
		ready.mask |= UINT64_C(1) << i;
		ready.slot[i] = i;
	}
	if (habits & HABIT_MOVE)
		child_say(c, WP_MOVE_READY, -1, &ready, sizeof(ready));
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
	}
	done.ticket = c->coming.ticket;
	memset(&c->coming, 0, sizeof(c->coming));
	if (msg.mask != 0)
		child_say(c, WP_MOVE_DONE, -1, &done, sizeof(done));
}
