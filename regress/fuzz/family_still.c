/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/proto_park.h"
#include "regress/fuzz/family.h"

/* Workers that stand still, and tell the parent of their sessions. */

/* Lets go of a channel that is no child's own. */
void
family_hang_up(struct imsgbuf *imsgbuf)
{
	int fd;

	fd = imsgbuf->fd;
	if (fd == -1)
		return;
	imsgbuf_clear(imsgbuf);
	(void)close(fd);
	imsgbuf->fd = -1;
}

/* From now on what comes and goes by that descriptor of a message's. */
void
family_open(struct imsgbuf *imsgbuf, struct imsg *imsg)
{
	int fd;

	family_hang_up(imsgbuf);
	fd = imsg_get_fd(imsg);
	REQUIRE(fd != -1 && imsgbuf_init(imsgbuf, fd) == 0);
	imsgbuf_allow_fdrecv(imsgbuf);
	imsgbuf_allow_fdsend(imsgbuf);
}

static void
say_still(struct child_play *c, uint32_t stage, uint32_t ticket)
{
	struct msg_still msg;

	msg.stage = stage;
	msg.ticket = ticket;
	child_say(c, WP_STILL, -1, &msg, sizeof(msg));
}

static void
goes_on(struct child_play *c)
{
	uint32_t i;

	family_hang_up(&c->parking);
	for (i = 0; i < nopened; i++)
		opened[i].ahead = 0;
}

/* PW_STILL */
void
child_stands_still(struct child_play *c, const struct imsg *imsg)
{
	struct msg_still msg;

	REQUIRE(imsg_get_data(imsg, &msg, sizeof(msg)) == 0);
	REQUIRE(msg.stage <= STILL_ALL);
	c->still = msg.ticket;
	if (msg.stage == STILL_NOT)
		goes_on(c);
	/* Ticket 0: from the beginning on. */
	if (msg.stage == STILL_ALL && msg.ticket != 0 && c->ready &&
	    habits & HABIT_STILL)
		say_still(c, STILL_ALL, msg.ticket);
}

static void
tell(struct child_play *c, uint32_t type, int fd, const void *data, size_t len)
{
	if (c->parking.fd == -1 ||
	    imsg_compose(&c->parking, type, 0, 0, fd, data, len) == -1) {
		if (fd != -1)
			(void)close(fd);
		return;
	}
	(void)imsgbuf_write(&c->parking);
	imsgbuf_drop_queue(&c->parking);
}

/* A descriptor, of whatever. */
static int
some_fd(const struct child_play *c)
{
	return (fcntl(c->log, F_DUPFD_CLOEXEC, 0));
}

static void
tell_session(struct child_play *c, const struct opened *o, int ahead)
{
	struct msg_move_session row;
	struct msg_move_state state;
	struct {
		struct msg_move_bytes head;
		uint8_t bytes[8];
	} bytes;

	row.node = o->msg.node;
	row.generation = o->msg.generation;
	row.slot = o->msg.slot;
	tell(c, WM_PARK, -1, &row, sizeof(row));
	memset(&state, 0, sizeof(state));
	state.magic = MOVE_STATE_MAGIC;
	state.version = MOVE_STATE_VERSION;
	state.len = sizeof(state);
	tell(c, WM_STATE, some_fd(c), &state, sizeof(state));
	memset(&bytes, 0, sizeof(bytes));
	if (row.node & 1 && !ahead)
		tell(c, WM_BYTES, -1, &bytes, sizeof(bytes));
}

/* While all goes on, of each once. */
static void
tell_ahead(struct child_play *c, struct opened *o)
{
	if (o->ahead)
		return;
	o->ahead = 1;
	tell_session(c, o, 1);
}

/* When all stand still, of some of these again. */
static void
tell_last(struct child_play *c, struct opened *o)
{
	struct msg_park_gone gone;

	if (o->ahead && o->msg.node & 2)
		return;
	gone.slot = o->msg.slot;
	if (o->ahead)
		tell(c, WM_GONE, -1, &gone, sizeof(gone));
	o->ahead = 0;
	tell_session(c, o, 0);
}

/* PW_PARK */
void
child_parks(struct child_play *c, struct imsg *imsg)
{
	struct msg_park msg;
	uint32_t i;

	REQUIRE(imsg_get_data(imsg, &msg, sizeof(msg)) == 0);
	REQUIRE(msg.most <= PARK_ROUND);
	family_open(&c->parking, imsg);
	if ((habits & HABIT_STILL) == 0)
		return;
	for (i = 0; i < nopened; i++) {
		if (opened[i].over ||
		    !family_owns(c->number, opened[i].msg.node,
			opened[i].msg.generation))
			continue;
		if (msg.most > 0)
			tell_ahead(c, &opened[i]);
		else
			tell_last(c, &opened[i]);
	}
	tell(c, WM_END, -1, NULL, 0);
}

/* The parent may be asked for it, or not; it may be said once. */
void
child_says_still(struct child_play *c, struct input *input)
{
	uint8_t how;

	how = input_u8(input);
	if ((how & 3) == 3 || ((how & 2) == 0 && how >> 4 != STILL_ALL))
		c->wild = 1;
	say_still(
	    c, how & 2 ? STILL_ALL : how >> 4, c->still + (how & 1 ? 0 : how));
}

static void
tells_of(struct child_play *c, uint8_t how)
{
	struct msg_move_session row;

	memset(&row, 0, sizeof(row));
	if (nopened > 0) {
		row.node = opened[how % nopened].msg.node;
		row.generation = opened[how % nopened].msg.generation;
		row.slot = opened[how % nopened].msg.slot + (how >> 7);
	}
	tell(c, WM_PARK, -1, &row, sizeof(row));
}

/* Whatever it says of its sessions out of turn it may be killed for. */
void
child_says_parked(struct child_play *c, struct input *input)
{
	static uint8_t state[sizeof(struct msg_move_state) + 1];
	struct msg_park_gone gone;
	const uint8_t *data;
	uint8_t how;
	size_t len;

	how = input_u8(input);
	c->wild = 1;
	switch (how & 7) {
	case 0:
		tells_of(c, how >> 3);
		break;
	case 1:
		gone.slot = how >> 3;
		tell(c, WM_GONE, -1, &gone, sizeof(gone));
		break;
	case 2:
	case 3:
		tell(c, WM_STATE, how & 0x80 ? -1 : some_fd(c), state,
		    sizeof(state) - (how >> 6 & 1));
		break;
	case 4:
		data = input_bytes(input, input_u8(input), &len);
		tell(c, WM_BYTES, -1, data, len);
		break;
	case 5:
		tell(c, WM_END, -1, NULL, 0);
		break;
	case 6:
		data = input_bytes(input, input_u8(input), &len);
		if (c->parking.fd != -1)
			(void)send(c->parking.fd, data, len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	default:
		family_hang_up(&c->parking);
		break;
	}
}
