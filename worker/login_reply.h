/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_LOGIN_REPLY_H
#define WORKER_LOGIN_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"

/* A client's answer to its challenge, doc/protocol.md 3. */
#define LOGIN_REPLY_MAX 4096 /* bytes of JSON */

struct login_reply {
	uint32_t node; /* never 0 */
	uint8_t sig[PROTO_SIG_LEN];
};

int login_reply_parse(const char *, size_t, struct login_reply *);

#endif /* WORKER_LOGIN_REPLY_H */
