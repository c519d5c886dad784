/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_REGISTRY_WIRE_H
#define AUTH_REGISTRY_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"

/*
 * What is said on a connection to the registry (doc/protocol.md 6), in either
 * framing.  Nothing here knows of a connection: bytes in, bytes out.
 */
#define WIRE_HELLO_LEN   5
#define WIRE_HEADER_LEN  4
#define WIRE_OBJECT_MAX  512 /* bytes of a request in JSON */
#define WIRE_REQUEST_MAX (WIRE_HEADER_LEN + 1 + WIRE_OBJECT_MAX)
#define WIRE_ANSWER_MAX  (64U << 10) /* its length field; that of a list: */
#define WIRE_LIST_MAX    (1024U << 10)

enum wire_framing { WIRE_BINARY, WIRE_JSON };

enum wire_kind {
	WIRE_MORE,  /* the answer is not there in full yet */
	WIRE_BAD,   /* no answer is like that: the connection is of no use */
	WIRE_FOUND, /* the node is there; see `key` */
	WIRE_GONE,  /* the registry says that it is not */
	WIRE_ERROR, /* it says nothing of the node */
	WIRE_ALIVE, /* the answer to a heartbeat */
	WIRE_OBJECT /* some other JSON object; see `object` */
};

enum wire_key { WIRE_KEY_GOOD, WIRE_KEY_NONE, WIRE_KEY_UNFIT };

struct wire_answer {
	enum wire_kind kind;
	size_t len;        /* bytes of it, header included */
	int named;         /* boolean: it names a node, that is */
	uint32_t node;     /* this one */
	enum wire_key has; /* WIRE_FOUND: is there a key that can be one? */
	uint8_t key[PROTO_KEY_LEN];
	const char *object; /* WIRE_OBJECT: its text, in the caller's bytes */
	size_t object_len;
	char error[64]; /* WIRE_ERROR, WIRE_GONE: for the log, cut */
};

void wire_init(void);
size_t wire_hello(uint8_t *);
size_t wire_lookup(enum wire_framing, uint32_t, uint8_t *);
size_t wire_alive(enum wire_framing, uint8_t *);
size_t wire_object(enum wire_framing, const char *, size_t, uint8_t *);
void wire_parse(enum wire_framing, const uint8_t *, size_t len, size_t max,
    struct wire_answer *);

#endif /* AUTH_REGISTRY_WIRE_H */
