/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/proto_park.h"
#include "regress/fuzz/world.h"

/*
 * The worker stands still, and tells the parent of its sessions: of each that
 * is open once, with just as much as its state says.
 */

static struct msg_still still; /* what it was told last */
static int is_still;           /* boolean: it has said so */
static int marked; /* boolean: the sibling has all that it has passed on */

static struct imsgbuf parking = { .fd = -1 };
static int goes_on;    /* boolean: it is asked for those at rest, ... */
static uint32_t left;  /* ... for so many more */
static uint64_t ahead; /* opened sessions that were told of so */
static int ended;      /* boolean: it has told of all that it was asked for */
static struct msg_move_state state; /* of the session that it tells of */
static size_t told[MOVE_QUEUE + 1]; /* bytes of that, by their kind */
static uint64_t known;              /* opened sessions that it has told of */
static uint64_t were;               /* that there were */
_Static_assert(OPENED <= 64, "a bit for each");

static void
end_parking(void)
{
	int fd;

	fd = parking.fd;
	if (fd == -1)
		return;
	imsgbuf_clear(&parking);
	(void)close(fd);
	parking.fd = -1;
}

static void
say(uint32_t stage)
{
	is_still = marked = 0;
	end_parking();
	if (stage == STILL_NOT)
		ahead = 0;
	still.stage = stage;
	still.ticket++;
	world_tell(PW_STILL, -1, &still, sizeof(still));
}

/* Which sessions are open, as far as the parent knows. */
static uint64_t
open_now(void)
{
	uint64_t mask;
	uint32_t i;

	mask = 0;
	for (i = 0; i < world.nopened; i++)
		if (!world.opened[i].closed)
			mask |= UINT64_C(1) << i;
	return (mask);
}

/* PW_PARK is for one that has said that it stands still, or that goes on. */
static void
say_park(uint8_t how)
{
	struct msg_park msg;
	int pair[2];

	if (parking.fd != -1 && (!goes_on || !ended))
		return;
	if (still.stage != STILL_NOT && !is_still)
		return;
	end_parking();
	goes_on = still.stage == STILL_NOT;
	left = goes_on ? 1U + how : 0;
	ended = 0;
	REQUIRE(channel_pair(pair) == 0);
	REQUIRE(imsgbuf_init(&parking, pair[0]) == 0);
	imsgbuf_allow_fdrecv(&parking);
	known = 0;
	memset(&state, 0, sizeof(state));
	memset(told, 0, sizeof(told));
	msg.most = left;
	world_tell(PW_PARK, pair[1], &msg, sizeof(msg));
}

/* One stage comes after the other, and none is left but for the first. */
void
world_still_says(uint8_t how)
{
	uint32_t stage;

	stage = how & 3;
	if (stage > STILL_ALL)
		say_park(how >> 2);
	else if (stage != STILL_NOT && goes_on && parking.fd != -1 && !ended)
		return; /* it is called off, or comes to its end */
	else if (stage == STILL_NOT || stage > still.stage) {
		were = open_now();
		say(stage);
	}
}

/* All goes on. */
void
world_still_over(void)
{
	if (still.stage != STILL_NOT || parking.fd != -1)
		say(STILL_NOT);
}

/* WP_STILL: nothing is on its way any more, if it is what was asked last. */
void
world_still_heard(const struct imsg *imsg)
{
	struct msg_still msg;

	REQUIRE(imsg_get_data(imsg, &msg, sizeof(msg)) == 0);
	REQUIRE(msg.ticket <= still.ticket && msg.stage == STILL_ALL);
	if (msg.ticket != still.ticket)
		return;
	REQUIRE(still.stage == STILL_ALL && !is_still);
	is_still = 1;
}

/* WW_MARK, and what comes to the sibling behind it. */
void
world_still_marks(const struct imsg_header *header)
{
	REQUIRE(header->type == WW_MARK);
	REQUIRE(header->peerid <= still.ticket);
	if (still.stage == STILL_ALL && header->peerid == still.ticket)
		marked = 1;
	sibling_marked(header->peerid);
}

void
world_still_passes(void)
{
	REQUIRE(!marked);
}

/* All that its state says has come. */
static void
check_whole(void)
{
	REQUIRE(told[MOVE_PENDING] == state.pending);
	REQUIRE(told[MOVE_MESSAGE] == state.message);
	REQUIRE(told[MOVE_QUEUE] == state.queue);
}

/* The one in that slot that was told of.  Returns 0: none was. */
static int
forget_ahead(uint32_t slot)
{
	uint32_t i;

	for (i = 0; i < world.nopened; i++)
		if ((ahead >> i & 1) != 0 && world.opened[i].msg.slot == slot) {
			ahead &= ~(UINT64_C(1) << i);
			return (1);
		}
	return (0);
}

static void
hear_session(const struct imsg *imsg)
{
	struct msg_move_session row;
	uint32_t i;

	check_whole();
	REQUIRE(imsg_get_data(imsg, &row, sizeof(row)) == 0);
	for (i = 0; i < world.nopened; i++)
		if (world.opened[i].msg.generation == row.generation)
			break;
	REQUIRE(i < world.nopened && (known >> i & 1) == 0);
	REQUIRE((ahead >> i & 1) == 0);
	known |= UINT64_C(1) << i;
	if (goes_on) {
		REQUIRE(left-- > 0);
		(void)forget_ahead(row.slot);
		ahead |= UINT64_C(1) << i;
	}
	REQUIRE(world.opened[i].msg.node == row.node);
	REQUIRE(world.opened[i].msg.slot == row.slot);
	memset(&state, 0, sizeof(state));
	memset(told, 0, sizeof(told));
}

static void
hear_state(const struct imsg *imsg)
{
	REQUIRE(imsg_has_fd(imsg) && state.magic == 0);
	REQUIRE(imsg_get_data(imsg, &state, sizeof(state)) == 0);
	REQUIRE(state.magic == MOVE_STATE_MAGIC && state.session == 0);
	REQUIRE(!goes_on || (state.pending == 0 && state.message_opcode == 0 &&
				state.queue == 0 && state.control_len == 0));
}

/* It was told of ahead, and has changed or ended since; once. */
static void
hear_gone(const struct imsg *imsg)
{
	struct msg_park_gone gone;

	check_whole();
	REQUIRE(!goes_on && imsg_get_data(imsg, &gone, sizeof(gone)) == 0);
	REQUIRE(forget_ahead(gone.slot));
}

static void
hear_bytes(const struct imsg *imsg)
{
	struct msg_move_bytes head;

	REQUIRE(imsg_get_len(imsg) > sizeof(head));
	memcpy(&head, imsg->data, sizeof(head));
	REQUIRE(head.session == 0 && head.kind <= MOVE_QUEUE);
	told[head.kind] += imsg_get_len(imsg) - sizeof(head);
}

static void
hear_parking(const struct imsg *imsg)
{
	switch (imsg_get_type(imsg)) {
	case WM_PARK:
		hear_session(imsg);
		break;
	case WM_STATE:
		hear_state(imsg);
		break;
	case WM_BYTES:
		hear_bytes(imsg);
		break;
	case WM_GONE:
		hear_gone(imsg);
		break;
	default:
		REQUIRE(imsg_get_type(imsg) == WM_END && !ended);
		check_whole();
		ended = 1;
		/* But for those that have ended since. */
		REQUIRE(goes_on || (were & open_now() & ~known & ~ahead) == 0);
		break;
	}
}

/* Returns how much it has told of its sessions. */
int
world_still_hear(void)
{
	struct imsg imsg;
	int n;

	if (parking.fd == -1)
		return (0);
	n = 0;
	REQUIRE(imsgbuf_read(&parking) == 1);
	while (imsgbuf_get(&parking, &imsg) == 1) {
		hear_parking(&imsg);
		imsg_free(&imsg);
		n++;
	}
	return (n);
}
