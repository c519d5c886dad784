/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <stdlib.h>

#include "worker/login_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct login_reply reply;

	if (login_reply_parse((const char *)data, size, &reply) == 0 &&
	    (reply.node == 0 || size > LOGIN_REPLY_MAX))
		abort();
	return (0);
}
