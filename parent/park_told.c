/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/park.h"
#include "parent/park_file.h"
#include "parent/park_session.h"
#include "parent/parent.h"

/*
 * What a worker says of its sessions while they stand still.  Which of them it
 * has, the map says; the rest is for the other parent's workers to check.
 */

/* States of the channel: what is to come. */
#define TOLD_NEXT  0x1 /* a session, or the end */
#define TOLD_STATE 0x2
#define TOLD_BYTES 0x4 /* or the next */

/* More than a worker may have of all its sessions (worker/outq.h). */
#define TOLD_BYTES_MAX (512U << 20)

struct parking {
	struct process *p;
	struct channel channel;
	char name[40];
	size_t bytes;  /* that waited for or from its peers */
	uint32_t left; /* sessions that it may still tell of */
	int gone;      /* boolean: the map has lost this one meanwhile */
	int told;      /* boolean: it has told of all */
};

/* That it cannot be kept is not the worker's fault. */
static const char *
park_told_record(
    struct parking *parking, enum park_type type, const void *data, size_t len)
{
	struct iovec iov;
	struct park *park;

	park = &parking->p->parent->park;
	iov.iov_base = (void *)(uintptr_t)data;
	iov.iov_len = len;
	if (park->wrong == NULL &&
	    park_file_add(park->file, type, &iov, 1) == -1)
		park->wrong = "see above";
	return (NULL);
}

/* WM_PARK */
static const char *
park_told_session(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_move_session *row;
	const struct peermap_entry *entry;
	struct park_session session;
	struct parking *parking;
	struct parent *parent;

	parking = owner;
	row = data;
	parent = parking->p->parent;
	entry = pmap_session(&parent->map, row->node, row->generation,
	    parking->p->place->number, row->slot);
	/* So many has a worker at most, whatever auth has said. */
	if (row->slot >= parent->max_sockets)
		entry = NULL;
	parking->gone = entry == NULL && parent->park.stage == PARK_AHEAD;
	if ((entry == NULL && !parking->gone) || parking->left == 0)
		return ("session that it does not have");
	parking->left--;
	parking->channel.state = TOLD_STATE;
	if (parking->gone)
		return (NULL);
	park_session_of(&session, entry);
	if (parent->park.stage == PARK_AHEAD) {
		session.ahead =
		    park_ahead_add(parent, parking->p->place->number, row);
		if (session.ahead == 0)
			parent->park.wrong = "see above";
	}
	return (
	    park_told_record(parking, PARK_SESSION, &session, sizeof(session)));
}

/*
 * WM_GONE.  The map may have lost it before, and even before it was told of:
 * then there is nothing to call off.
 */
static const char *
park_told_gone(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_park_gone *gone;
	const struct process *p;
	struct park *park;

	p = ((struct parking *)owner)->p;
	park = &p->parent->park;
	gone = data;
	if (park->stage == PARK_AHEAD)
		return ("end of a session while all goes on");
	if (park->wrong == NULL &&
	    park_ahead_changed(p->parent, p->place->number, gone->slot) == -1)
		park->wrong = "see above";
	return (NULL);
}

/* WM_STATE */
static const char *
park_told_state(void *owner, const void *data, size_t len, int fd)
{
	struct parking *parking;
	struct park *park;

	parking = owner;
	park = &parking->p->parent->park;
	/* Of those at rest there are no bytes. */
	parking->channel.state =
	    park->stage == PARK_AHEAD ? TOLD_NEXT : TOLD_NEXT | TOLD_BYTES;
	if (parking->gone) {
		(void)close(fd);
		return (NULL);
	}
	if (park->wrong != NULL)
		(void)close(fd);
	else if (park_file_add_fd(park->file, fd) == -1)
		park->wrong = "see above";
	return (park_told_record(parking, PARK_STATE, data, len));
}

/* WM_BYTES */
static const char *
park_told_bytes(void *owner, const void *data, size_t len, int fd)
{
	struct parking *parking;

	parking = owner;
	parking->bytes += len;
	if (parking->bytes > TOLD_BYTES_MAX)
		return ("sessions without an end");
	return (park_told_record(parking, PARK_BYTES, data, len));
}

/* WM_END */
static const char *
park_told_last(void *owner, const void *data, size_t len, int fd)
{
	struct parking *parking;

	parking = owner;
	parking->channel.state = 0;
	parking->told = 1;
	/* The channel is in the caller's hands still. */
	ev_feed_event(parking->p->parent->loop, &parking->p->parent->park.timer,
	    EV_TIMER);
	return (NULL);
}

static const struct channel_rule park_told_rules[] = {
	CHANNEL_RULE(WM_PARK, sizeof(struct msg_move_session), TOLD_NEXT,
	    park_told_session),
	CHANNEL_RULE(WM_GONE, sizeof(struct msg_park_gone),
	    TOLD_NEXT | TOLD_BYTES, park_told_gone),
	{ WM_STATE, "WM_STATE", sizeof(struct msg_move_state),
	    sizeof(struct msg_move_state) + MOVE_STATE_MORE, CHANNEL_FD,
	    TOLD_STATE, 1, park_told_state },
	CHANNEL_RULE_RANGE(WM_BYTES, sizeof(struct msg_move_bytes) + 1,
	    sizeof(struct msg_move_bytes) + MOVE_CHUNK, TOLD_BYTES,
	    park_told_bytes),
	CHANNEL_RULE(WM_END, 0, TOLD_NEXT, park_told_last),
};

static void
park_told_free(struct parking *parking)
{
	parking->p->parent->park.from = NULL;
	channel_close(&parking->channel);
	free(parking);
}

/* It lies, or is dead, which the parent hears of by itself. */
static void
park_told_ended(void *owner, const char *reason)
{
	struct parking *parking;
	struct process *p;

	parking = owner;
	p = parking->p;
	park_told_free(parking);
	if (reason != NULL)
		process_kill(p, reason);
	p->parent->park.wrong = "a worker does not tell of its own";
	ev_feed_event(p->parent->loop, &p->parent->park.timer, EV_TIMER);
}

/*
 * PW_PARK: most: sessions at rest; 0: all.  Returns 0, or -1 with the reason
 * logged.
 */
int
park_told_begin(struct process *p, uint32_t most)
{
	struct parking *parking;
	struct msg_park msg;
	int pair[2];

	parking = calloc(1, sizeof(*parking));
	if (parking == NULL || channel_pair(pair) == -1) {
		log_warn("parking");
		free(parking);
		return (-1);
	}
	process_buffers(pair);
	(void)snprintf(parking->name, sizeof(parking->name), "%s, parking",
	    p->place->name);
	parking->p = p;
	parking->left = most > 0 ? most : p->sessions;
	if (channel_open(&parking->channel, p->parent->loop, pair[0],
		parking->name, park_told_rules,
		sizeof(park_told_rules) / sizeof(park_told_rules[0]),
		park_told_ended, parking) == -1) {
		log_warn("parking");
		free(parking);
		(void)close(pair[1]);
		return (-1);
	}
	parking->channel.state = TOLD_NEXT;
	p->parent->park.from = parking;
	msg.most = most;
	process_send(p, PW_PARK, pair[1], &msg, sizeof(msg));
	return (0);
}

/* Boolean: it has told of all. */
int
park_told_is_over(const struct parent *parent)
{
	return (parent->park.from != NULL && parent->park.from->told);
}

void
park_told_end(struct parent *parent)
{
	if (parent->park.from != NULL)
		park_told_free(parent->park.from);
}
