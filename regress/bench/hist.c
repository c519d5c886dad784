/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <stdio.h>

#include "regress/bench/load.h"

/*
 * Nanoseconds in buckets of 1/32 of their power of two, so that a percentile
 * is exact within three per cent.
 */
static unsigned int
hist_bucket(uint64_t ns)
{
	unsigned int shift;

	if (ns < 32)
		return ((unsigned int)ns);
	shift = 63 - (unsigned int)__builtin_clzll(ns) - 5;
	return ((shift + 1) * 32 + (unsigned int)(ns >> shift) - 32);
}

/* The largest value that falls into a bucket. */
static uint64_t
hist_value(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < 32)
		return (bucket);
	shift = bucket / 32 - 1;
	return ((((uint64_t)bucket % 32 + 33) << shift) - 1);
}

void
hist_add(struct hist *h, uint64_t ns)
{
	h->n++;
	if (ns > h->max)
		h->max = ns;
	h->bucket[hist_bucket(ns)]++;
}

/* Microseconds below which permille of the values lie. */
double
hist_quantile(const struct hist *h, unsigned int permille)
{
	uint64_t rank, seen = 0;
	unsigned int i;

	rank = h->n * permille / 1000;
	for (i = 0; i < HIST_SIZE; i++) {
		seen += h->bucket[i];
		if (seen > rank && hist_value(i) < h->max)
			return ((double)hist_value(i) / 1000);
	}
	return ((double)h->max / 1000);
}

/* Prints one member of a JSON object, times in microseconds. */
void
hist_print(const char *name, const struct hist *h)
{
	printf("\"%s\": {\"n\": %llu, \"p50\": %.1f, \"p90\": %.1f, "
	       "\"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}",
	    name, (unsigned long long)h->n, hist_quantile(h, 500),
	    hist_quantile(h, 900), hist_quantile(h, 990), hist_quantile(h, 999),
	    (double)h->max / 1000);
}
