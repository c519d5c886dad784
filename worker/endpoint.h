/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_ENDPOINT_H
#define WORKER_ENDPOINT_H

#include <stdint.h>

#include "common/proto.h"

/* Where somebody is. */
struct endpoint {
	uint8_t addr[16]; /* IPv6 or v4-mapped */
	uint16_t port;    /* 0: none */
};

#define UDP_LISTENER_ANY PROTO_LISTENER_ANY

/* By which way a datagram came, and what is sent back goes. */
struct path {
	struct endpoint far; /* the other end */
	uint8_t near[16];    /* ours; zero: as the socket is bound */
	uint32_t listener;   /* or UDP_LISTENER_ANY */
};

#endif /* WORKER_ENDPOINT_H */
