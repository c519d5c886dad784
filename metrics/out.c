/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdarg.h>
#include <stdio.h>

#include "metrics/out.h"

/* Adds to it; what does not fit whole is left out, and so is all after it. */
void
out_printf(struct out *out, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	if (out->full)
		return;
	room = out->size - out->len;
	va_start(ap, fmt);
	n = vsnprintf(out->data + out->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		out->full = 1;
	else
		out->len += (size_t)n;
}
