/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/ws_accept.h"

#include "regress/unit/test.h"

/* The example of RFC 6455 section 1.3. */
static void
test_example(void)
{
	char accept[WS_ACCEPT_LEN];

	ws_accept("dGhlIHNhbXBsZSBub25jZQ==", 24, accept);
	CHECK(strcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == 0);
	ws_accept("dGhlIHNhbXBsZSBub25jZQ==", 23, accept);
	CHECK(strcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != 0);
}

int
main(void)
{
	RUN(test_example);
	return (test_failed());
}
