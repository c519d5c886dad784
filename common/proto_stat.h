/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PROTO_STAT_H
#define COMMON_PROTO_STAT_H

#include <stdint.h>

#define PROTO_STAT_MAX 240 /* sessions in one PW_STAT: one WP_STAT is full */

/* The head of a PW_STAT, and of the WP_STAT that answers it. */
struct msg_stat {
	uint32_t request; /* comes back in the answer */
	uint32_t count;   /* rows that follow; the answer has the same order */
};
_Static_assert(sizeof(struct msg_stat) == 8, "msg_stat has padding");

/* A row of PW_STAT: which session. */
struct msg_stat_session {
	uint32_t slot;
	uint32_t generation;
};
_Static_assert(sizeof(struct msg_stat_session) == 8, "it has padding");

/* A row of WP_STAT: what only its worker knows of a session. */
struct msg_stat_row {
	uint32_t known; /* boolean: it is open; else the rest is zero */
	uint32_t port;
	uint8_t addr[16]; /* of the client, as the proxy reported it */
	uint64_t frames_in;
	uint64_t frames_out;
	uint64_t bytes_in; /* of the connection, all there is to it */
	uint64_t bytes_out;
	uint32_t queued; /* bytes that wait for the peer to read */
	uint32_t pad;
};
_Static_assert(sizeof(struct msg_stat_row) == 64, "msg_stat_row has padding");

#endif /* COMMON_PROTO_STAT_H */
