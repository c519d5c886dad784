/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_BUDGET_H
#define COMMON_BUDGET_H

#include <stdint.h>

/* What may be used up: `burst` at once, and then `rate` a second. */
struct budget {
	uint32_t rate;
	uint32_t burst;
	uint32_t left;
	uint64_t time; /* clock_ns() up to which `left` holds */
};

void budget_init(struct budget *, uint32_t rate, uint32_t burst);
int budget_take(struct budget *, uint32_t n);
uint32_t budget_left(struct budget *);
void budget_change(struct budget *, uint32_t rate, uint32_t burst);

/* So many in a second, counted anew with each. */
struct persecond {
	uint32_t second; /* clock_seconds() */
	uint32_t used;   /* in it */
};

/* Takes n of `most` in second `now`.  Returns 1, or 0 if that is too much. */
static inline int
persecond_take(struct persecond *p, uint32_t now, uint32_t n, uint32_t most)
{
	if (p->second != now) {
		p->second = now;
		p->used = 0;
	}
	if (p->used >= most || most - p->used < n)
		return (0);
	p->used += n;
	return (1);
}

#endif /* COMMON_BUDGET_H */
