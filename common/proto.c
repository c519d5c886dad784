/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/log.h"
#include "common/proto.h"

/* Says of which build this program is; the rest of hello is the caller's. */
void
proto_fill_hello(struct msg_hello *hello)
{
	memset(hello, 0, sizeof(*hello));
	(void)strlcpy(hello->version, BEACOND_VERSION, sizeof(hello->version));
	hello->layout = PROTO_LAYOUT;
}

/* Boolean: does hello come from a program of this build? */
int
proto_same_build(const struct msg_hello *hello)
{
	return (hello->layout == PROTO_LAYOUT &&
		strncmp(hello->version, BEACOND_VERSION,
		    sizeof(hello->version)) == 0);
}

/* In a child that calls itself program: fatal if the parent is of another. */
void
proto_check_hello(const struct msg_hello *hello, const char *program)
{
	if (!proto_same_build(hello))
		fatalx("beacond is %.*s (layout %08x), this %s %s (%08x): "
		       "install all programs from one build",
		    (int)sizeof(hello->version), hello->version, hello->layout,
		    program, BEACOND_VERSION, PROTO_LAYOUT);
}
