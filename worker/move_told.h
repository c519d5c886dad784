/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_MOVE_TOLD_H
#define WORKER_MOVE_TOLD_H

#include "common/bytes.h"
#include "worker/move.h"
#include "worker/worker.h"

/* What move_in.c and move_told.c share. */

/* States of the channel to where they were. */
#define MOVE_COMING 0x1 /* they are being told */
#define MOVE_AFTER  0x2 /* they all are; what still comes for them */

/* What has become of one of them. */
enum coming { COMING_NOT, COMING_PART, COMING_WHOLE };

struct arriving {
	enum coming state;
	uint32_t slot;
	struct msg_move_session row;
	uint32_t frame_left; /* of the frame that its queue begins with */
	struct msg_move_state told;
	struct msg_move_close close; /* code 0: it is to stay */
};

struct arrival {
	struct worker *worker;
	struct channel channel;
	char name[32];
	uint32_t ticket;
	uint32_t from;
	uint32_t count;
	uint32_t since;    /* tick */
	uint32_t filling;  /* whose bytes are in part */
	uint64_t ended;    /* those whose peers had gone already */
	size_t promised;   /* bytes that are said to wait for them */
	struct bytes part; /* of a frame */
	int settled;       /* boolean: the parent has said which are ours */
	int over;          /* boolean: nothing more comes from there */
	struct arriving sessions[MOVE_SESSIONS_MAX];
};

/* move_told.c */
extern const struct channel_rule move_told_rules[];
extern const size_t move_told_nrules;

struct session *move_told_session(struct arrival *, uint32_t session);
void move_told_drop(struct arrival *, uint32_t session);
void move_told_ready(struct arrival *);

#endif /* WORKER_MOVE_TOLD_H */
