/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/budget.h"
#include "common/clock.h"

/* Begins full; rate is 1 to 1,000,000,000. */
void
budget_init(struct budget *b, uint32_t rate, uint32_t burst)
{
	b->rate = rate;
	b->burst = burst;
	b->left = burst;
	b->time = clock_ns();
}

/* Adds what has grown since it was last looked at. */
static void
budget_grow(struct budget *b)
{
	uint64_t elapsed, now;

	now = clock_ns();
	elapsed = now - b->time;
	/* Long enough to fill it: also keeps the product below 2^64. */
	if (elapsed / CLOCK_SECOND > b->burst / b->rate) {
		b->left = b->burst;
		b->time = now;
		return;
	}
	elapsed = elapsed * b->rate / CLOCK_SECOND;
	b->time += elapsed * CLOCK_SECOND / b->rate;
	b->left = b->burst - b->left < elapsed ? b->burst
					       : b->left + (uint32_t)elapsed;
}

/*
 * Takes n.  Returns 1, or 0 if they are not there.  The clock is read only if
 * it seems so.
 */
int
budget_take(struct budget *b, uint32_t n)
{
	if (b->left < n)
		budget_grow(b);
	if (b->left < n)
		return (0);
	b->left -= n;
	return (1);
}

/* What could be taken now. */
uint32_t
budget_left(struct budget *b)
{
	budget_grow(b);
	return (b->left);
}

/* Other limits from now on; what was used up stays so. */
void
budget_change(struct budget *b, uint32_t rate, uint32_t burst)
{
	budget_grow(b);
	b->rate = rate;
	b->burst = burst;
	if (b->left > burst)
		b->left = burst;
}
