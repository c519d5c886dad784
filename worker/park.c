/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/imsg.h"
#include "common/log.h"
#include "worker/move_say.h"

/*
 * All sessions are told to the parent, which keeps them for the next one
 * (doc/moving.md).  They stay as they are here, and can go on at any time.
 * Those at rest are told of ahead, while all goes on; when all stand still, of
 * these those only that are not any more what they were.
 */

#define PARK_UNREAD (1U << 20) /* bytes that wait to be read by the parent */
#define PARK_FDS    16         /* descriptors likewise */

#define PARK_EVERY 0.001 /* seconds: while all goes on, so many at a time */
#define PARK_TURN  32

struct parking {
	struct departure of; /* of one session at a time */
	uint32_t next;       /* slot */
	uint32_t fds;        /* that may still wait */
	uint32_t left;       /* sessions at rest that may be told of */
	int ahead;           /* boolean: of no others */
	int told;            /* boolean: WM_END is said */
	ev_timer turn;
};

/* A session of which the parent was told ahead. */
struct park_ahead {
	uint32_t generation; /* 0: none */
	uint64_t bytes;      /* that had come and gone until then */
};

/* The parent has all, or wants no more. */
static void
park_ended(void *owner, const char *reason)
{
	struct parking *parking;

	parking = owner;
	if (reason != NULL)
		log_warnx("parking: %s", reason);
	park_end(parking->of.worker);
}

void
park_end(struct worker *w)
{
	if (w->still.parking == NULL)
		return;
	ev_timer_stop(w->loop, &w->still.parking->turn);
	channel_close(&w->still.parking->of.channel);
	free(w->still.parking);
	w->still.parking = NULL;
}

/* Of nobody the parent was told. */
void
park_forget(struct worker *w)
{
	free(w->still.ahead);
	w->still.ahead = NULL;
	w->still.nahead = 0;
}

/* A place for each session that there is.  Returns 0, or -1 without memory. */
static int
park_remember(struct worker *w)
{
	struct park_ahead *ahead;
	uint32_t n;

	n = w->nslots;
	if (n <= w->still.nahead)
		return (0);
	ahead = reallocarray(w->still.ahead, n, sizeof(*ahead));
	if (ahead == NULL)
		return (-1);
	memset(
	    ahead + w->still.nahead, 0, (n - w->still.nahead) * sizeof(*ahead));
	w->still.ahead = ahead;
	w->still.nahead = n;
	return (0);
}

/* There is a turn of the loop: still_turn() does the rest. */
static void
park_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
}

/*
 * PW_PARK: fd leads to the parent.  Returns NULL, or what is wrong with it.
 */
const char *
park_begin(struct worker *w, const struct msg_park *msg, int fd)
{
	struct parking *parking;

	/* That the parent has closed the one before may come later. */
	if (w->still.parking != NULL && w->still.parking->told)
		park_end(w);
	if (w->still.stage != (msg->most > 0 ? STILL_NOT : STILL_ALL) ||
	    w->still.parking != NULL) {
		(void)close(fd);
		return ("parking out of turn");
	}
	parking = calloc(1, sizeof(*parking));
	if (parking == NULL)
		fatal(NULL);
	if (channel_open(&parking->of.channel, w->loop, fd, "parking", NULL, 0,
		park_ended, parking) == -1)
		fatal("parking");
	imsgbuf_set_limit(&parking->of.channel.imsgbuf, MOVE_QUEUE_MAX);
	parking->of.worker = w;
	parking->of.count = 1;
	parking->left = msg->most;
	parking->ahead = msg->most > 0;
	ev_timer_init(&parking->turn, park_again, 0., PARK_EVERY);
	w->still.parking = parking;
	/* Without memory of nobody, now. */
	if (parking->ahead && park_remember(w) == -1)
		parking->next = w->nslots;
	if (parking->ahead)
		ev_timer_start(w->loop, &parking->turn);
	return (NULL);
}

/* Returns 0, or -1: the channel takes no more, ever. */
static int
park_say(struct parking *parking, const struct session *s)
{
	struct msg_move_session row;
	struct departure *d;

	d = &parking->of;
	row.node = s->peer.node;
	row.generation = s->peer.generation;
	row.slot = session_slot(d->worker, s);
	d->sessions[0].slot = row.slot;
	if (channel_send(&d->channel, WM_PARK, 0, -1, &row, sizeof(row)) == -1)
		return (-1);
	parking->fds++;
	return (move_say_all(d, 0));
}

/* Is there room for more?  0: the parent is behind; or all is over. */
static int
park_has_room(struct worker *w)
{
	struct parking *parking;

	parking = w->still.parking;
	if (parking->fds < PARK_FDS &&
	    channel_queued(&parking->of.channel) < PARK_UNREAD)
		return (1);
	if (channel_flush(&parking->of.channel) == -1)
		return (0);
	if (channel_queued(&parking->of.channel) > 0)
		return (0);
	parking->fds = 0;
	return (1);
}

/* Grows with everything that changes a session at rest, but for its age. */
static uint64_t
park_bytes(const struct session *s)
{
	return (s->bytes_in + s->bytes_out);
}

/* Boolean: nothing waits for it or of it. */
static int
park_rests(const struct session *s)
{
	return (s->state == SESSION_OPEN && s->pending == NULL &&
		s->message == NULL &&
		(s->outq == NULL ||
		    (outq_waiting(s->outq) == 0 && s->outq->control_len == 0)));
}

/* Boolean: is it the one of which the parent was told, and as it was? */
static int
park_is_as_told(const struct park_ahead *told, const struct session *s)
{
	return (park_rests(s) && told->generation == s->peer.generation &&
		told->bytes == park_bytes(s));
}

/* While all goes on.  Returns 1: of that one the parent is to be told. */
static int
park_wants_ahead(struct worker *w, uint32_t slot)
{
	struct park_ahead *told;
	struct session *s;

	s = &w->sessions[slot];
	/* One that comes or goes, to or from another worker, has a queue. */
	if (slot >= w->still.nahead || !park_rests(s) || s->outq != NULL)
		return (0);
	told = &w->still.ahead[slot];
	if (told->generation == s->peer.generation)
		return (0);
	told->generation = s->peer.generation;
	told->bytes = park_bytes(s);
	return (1);
}

/* When all stand still.  Returns likewise. */
static int
park_wants(struct worker *w, uint32_t slot)
{
	struct msg_park_gone gone;
	struct park_ahead *told;
	struct session *s;

	s = &w->sessions[slot];
	if (slot < w->still.nahead && w->still.ahead[slot].generation != 0) {
		told = &w->still.ahead[slot];
		if (park_is_as_told(told, s))
			return (0);
		told->generation = 0;
		gone.slot = slot;
		(void)channel_send(&w->still.parking->of.channel, WM_GONE, 0,
		    -1, &gone, sizeof(gone));
	}
	/* One that does not stand still has come since. */
	return (s->state == SESSION_OPEN && session_stands_still(w, s));
}

/*
 * The next of them is told of, if there is something to tell.  Returns 1, or 0
 * if this is not the time: the parent is behind, or the turn is over.
 */
static int
park_next(struct worker *w, uint32_t *turn)
{
	struct parking *parking;
	uint32_t slot;

	parking = w->still.parking;
	if (!park_has_room(w) || (parking->ahead && *turn == PARK_TURN))
		return (0);
	slot = parking->next;
	if (parking->ahead ? park_wants_ahead(w, slot) : park_wants(w, slot)) {
		if (park_say(parking, &w->sessions[slot]) == -1) {
			log_warn("parking");
			/* The parent notices, and all goes on. */
			park_end(w);
			return (0);
		}
		++*turn;
		if (parking->ahead && --parking->left == 0)
			parking->next = w->nslots;
	}
	if (parking->next < w->nslots)
		parking->next++;
	return (1);
}

/* As many as the parent reads. */
void
park_turn(struct worker *w)
{
	struct parking *parking;
	uint32_t turn;

	parking = w->still.parking;
	turn = 0;
	while (parking->next < w->nslots)
		if (!park_next(w, &turn))
			return;
	if (parking->told || (!parking->ahead && udp_waiting(w) > 0))
		return;
	parking->told = 1;
	ev_timer_stop(w->loop, &parking->turn);
	(void)channel_send(&parking->of.channel, WM_END, 0, -1, NULL, 0);
}
