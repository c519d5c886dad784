/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_COUNTED_H
#define REGRESS_UNIT_COUNTED_H

#include <stddef.h>
#include <string.h>

#include "common/counters.h"

/* What the counters are to be; a test adds to it what it expects. */
static struct counters counted_page;

/* Are they?  It begins anew with what there is, each time. */
static inline int
counted_all(void)
{
	int r;

	r = memcmp(&counted_page, counters, offsetof(struct counters, own));
	counted_page = *counters;
	return (r == 0);
}

/* Has this one gone up by one, and no other? */
static inline int
counted(enum counter c)
{
	counted_page.value[c]++;
	return (counted_all());
}

#endif /* REGRESS_UNIT_COUNTED_H */
