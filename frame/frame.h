/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef FRAME_FRAME_H
#define FRAME_FRAME_H

#include <stddef.h>
#include <stdint.h>

/*
 * Routes the frames of a beacond's WebSocket peers (beacond-frame(3)), and
 * tells it the keys of nodes.  One thread at a time; nothing blocks unless it
 * says so.
 */

#define BEACOND_FRAME_MAX     65536 /* bytes of a frame from a peer */
#define BEACOND_FRAME_OUT_MAX 32768 /* and of one to a peer */

struct beacond_frame;

/* Why a frame came back. */
enum beacond_frame_reason {
	BEACOND_FRAME_NOT_CONNECTED = 1,
	BEACOND_FRAME_QUEUE_FULL = 2,
	BEACOND_FRAME_TOO_LARGE = 3
};

/*
 * What is called by beacond_frame_dispatch().  A frame lasts until the call
 * returns, and may be written into before it is forwarded.
 */
struct beacond_frame_calls {
	void (*frame)(void *arg, uint32_t sender, uint8_t *frame, size_t len);
	/* The next two may be NULL. */
	void (*refused)(void *arg, uint32_t dest, enum beacond_frame_reason,
	    const uint8_t *frame, size_t len);
	void (*peer)(void *arg, uint32_t node, uint32_t generation, int came);
};

/* Since the beacond was started, but for active_peers. */
struct beacond_frame_metrics {
	uint64_t upgrade_ok;
	uint64_t upgrade_fail;
	uint64_t auth_ok;
	uint64_t auth_fail;
	uint64_t frames_in;
	uint64_t frames_out;
	uint64_t idle_disconns;
	uint64_t active_peers;
};

struct beacond_frame *beacond_frame_open(
    const char *path, const struct beacond_frame_calls *, void *arg);
int beacond_frame_fd(const struct beacond_frame *);
int beacond_frame_dispatch(struct beacond_frame *, int timeout_ms);
int beacond_frame_write(
    struct beacond_frame *, uint32_t dest, const uint8_t *frame, size_t len);
int beacond_frame_forward(
    struct beacond_frame *, uint32_t dest, const uint8_t *frame, size_t len);
int beacond_frame_flush(struct beacond_frame *);
int beacond_frame_close_peer(struct beacond_frame *, uint32_t node,
    uint32_t generation, int code, const char *reason);
int beacond_frame_is_connected(const struct beacond_frame *, uint32_t node);
uint32_t beacond_frame_peer_count(const struct beacond_frame *);
int beacond_frame_metrics(
    struct beacond_frame *, struct beacond_frame_metrics *);
int beacond_frame_address(const struct beacond_frame *, unsigned int number,
    uint8_t addr[16], uint16_t *port);
void beacond_frame_close(struct beacond_frame *);

struct beacond_keys;

/* Writes node's key and returns 1, or 0: there is no such node. */
typedef int (*beacond_keys_lookup)(void *arg, uint32_t node, uint8_t key[32]);

struct beacond_keys *beacond_keys_open(
    const char *path, beacond_keys_lookup, void *arg);
int beacond_keys_fd(const struct beacond_keys *);
int beacond_keys_dispatch(struct beacond_keys *, int timeout_ms);
void beacond_keys_close(struct beacond_keys *);

#endif /* FRAME_FRAME_H */
