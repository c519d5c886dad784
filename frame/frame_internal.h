/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef FRAME_FRAME_INTERNAL_H
#define FRAME_FRAME_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/peermap.h"
#include "common/proto_frame.h"

#include "frame/frame.h"
#include "frame/link.h"

/* What the files of the library have in common, see beacond-frame(7). */

#define WORKERS_MAX   PROTO_PLACES_MAX
#define CONTROL       WORKERS_MAX /* its number among the links */
#define ADDRESSES_MAX PROTO_LISTENERS_MAX
#define WAIT_MS       10000 /* for what the beacon answers at once */

struct beacond_frame {
	struct beacond_frame_calls calls;
	void *arg;
	int epoll;
	struct peermap map;
	struct link links[WORKERS_MAX + 1];
	uint64_t lost[WORKERS_MAX]; /* ms; when its channel ended; 0: not */
	uint32_t joining;           /* channels without FRAME_JOINED */
	uint32_t staying;           /* while leaving: without FRAME_LEFT */
	int attached;
	int closing; /* boolean: each channel is left, also one that comes */
	int opened;  /* boolean: the caller has us, and hears of frames */
	int error;   /* what ended it; 0: nothing has */
	struct beacond_frame_metrics metrics;
	uint32_t metrics_asked;
	/* The frame that a call has just now, if it lies in a window. */
	struct {
		const uint8_t *bytes; /* NULL: it does not */
		struct msg_frame_at is;
		uint32_t number; /* of the link */
	} held;
	uint8_t *windows[WORKERS_MAX]; /* for channels that are to come */
	uint32_t naddresses;
	struct msg_frame_address addresses[ADDRESSES_MAX];
};

/* frame.c */
int frame_watch(struct beacond_frame *, uint32_t number, int op, int writing);
int frame_link(struct beacond_frame *, uint32_t number, int fd);
void frame_lost(struct beacond_frame *, uint32_t number);
int frame_send(struct beacond_frame *, uint32_t number, uint32_t type,
    uint32_t node, uint32_t other, const void *data, size_t len);
int frame_wait(struct beacond_frame *, const uint32_t *left);
int frame_again(struct beacond_frame *, uint32_t from, uint32_t dest,
    const uint8_t *frame, size_t);

/* frame_open.c */
void frame_leave_link(struct beacond_frame *, uint32_t number);

/* frame_recv.c */
int frame_readable(struct beacond_frame *, uint32_t number);
int frame_take(struct beacond_frame *, uint32_t number);
void frame_news(struct beacond_frame *);
void frame_unmap(uint8_t **window);

#endif /* FRAME_FRAME_INTERNAL_H */
