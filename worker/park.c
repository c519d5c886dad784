/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <unistd.h>

#include "common/imsg.h"
#include "common/log.h"
#include "worker/move_say.h"

/*
 * All sessions are told to the parent, which keeps them for the next one
 * (doc/moving.md).  They stay as they are here, and can go on at any time.
 */

#define PARK_AHEAD (1U << 20) /* bytes that wait to be read by the parent */
#define PARK_FDS   16         /* descriptors likewise */

struct parking {
	struct departure of; /* of one session at a time */
	uint32_t next;       /* slot */
	uint32_t fds;        /* that may still wait */
	int told;            /* boolean: WM_END is said */
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
	channel_close(&w->still.parking->of.channel);
	free(w->still.parking);
	w->still.parking = NULL;
}

/*
 * PW_PARK: fd leads to the parent.  Returns NULL, or what is wrong with it.
 */
const char *
park_begin(struct worker *w, int fd)
{
	struct parking *parking;

	if (w->still.stage != STILL_ALL || w->still.parking != NULL) {
		(void)close(fd);
		return ("nothing stands still");
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
	w->still.parking = parking;
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
	    channel_queued(&parking->of.channel) < PARK_AHEAD)
		return (1);
	if (channel_flush(&parking->of.channel) == -1)
		return (0);
	if (channel_queued(&parking->of.channel) > 0)
		return (0);
	parking->fds = 0;
	return (1);
}

/* As many as the parent reads. */
void
park_turn(struct worker *w)
{
	struct parking *parking;
	struct session *s;

	parking = w->still.parking;
	while (parking->next < w->nslots) {
		s = &w->sessions[parking->next];
		/* One without a queue has come since all stand still. */
		if (s->state == SESSION_OPEN && s->outq != NULL) {
			if (!park_has_room(w))
				return;
			if (park_say(parking, s) == -1) {
				log_warn("parking");
				/* The parent notices, and all goes on. */
				park_end(w);
				return;
			}
		}
		parking->next++;
	}
	if (parking->told || udp_waiting(w) > 0)
		return;
	parking->told = 1;
	(void)channel_send(&parking->of.channel, WM_END, 0, -1, NULL, 0);
}
