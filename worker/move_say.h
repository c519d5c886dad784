/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_MOVE_SAY_H
#define WORKER_MOVE_SAY_H

#include "worker/move.h"
#include "worker/worker.h"

/* What move_out.c and move_say.c share. */

/* What has become of one of them. */
enum leaving { LEAVING_NOT, LEAVING_FROZEN, LEAVING_GONE };

struct departure {
	struct worker *worker;
	struct channel channel; /* to where they go */
	char name[32];
	uint32_t ticket;
	uint32_t count;
	struct places unmarked; /* who may still have something of them */
	struct places fenced;   /* who has nothing more for them, and, */
	struct places unfenced; /* when all were asked, who may have */
	int told;               /* boolean: WM_END is said */
	int asked;              /* boolean: all were asked for fences */
	int settled;            /* boolean: PW_MOVED has come */
	int last;               /* boolean: WM_LAST is said */
	struct {
		enum leaving state;
		uint32_t node;
		uint32_t generation;
		uint32_t slot;
		size_t said; /* bytes of its queue, before it had gone */
		struct msg_move_close close; /* code 0: it is to stay */
	} sessions[MOVE_SESSIONS_MAX];
};

/* move_say.c */
int move_say_all(struct departure *, uint32_t session);
int move_say_queue(struct departure *, uint32_t session, size_t from);

#endif /* WORKER_MOVE_SAY_H */
