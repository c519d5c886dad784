/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_PROXY_HEADER_H
#define WORKER_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#define PROXY_V1_MAX     107  /* bytes with CRLF, as the protocol has it */
#define PROXY_HEADER_MAX 4096 /* bytes of a version 2 header that we take */

/* With what a proxy begins a connection. */
struct proxy_header {
	size_t len;     /* what follows it is the client's */
	int has_client; /* boolean: else the proxy speaks for itself */
	uint8_t addr[16];
	uint16_t port;
	const char *bad; /* what is wrong with it */
};

int proxy_header_parse(const uint8_t *, size_t, struct proxy_header *);

#endif /* WORKER_PROXY_HEADER_H */
