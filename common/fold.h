/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_FOLD_H
#define COMMON_FOLD_H

#include <stdint.h>

/*
 * Multiply and fold: the halves of the product, of 128 bits, one upon the
 * other.  What the hashes of tables that strangers fill are made of (the
 * construction of wyhash).
 */

/* By halves of 32 bits, for CPUs that have no more. */
static inline uint64_t
fold_halves(uint64_t a, uint64_t b)
{
	uint64_t high, low, middle, other;

	low = (a & UINT32_MAX) * (b & UINT32_MAX);
	middle = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
	other = (a & UINT32_MAX) * (b >> 32) + (middle & UINT32_MAX);
	high = (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
	return (high ^ (other << 32 | (low & UINT32_MAX)));
}

static inline uint64_t
fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 product;

	product = (unsigned __int128)a * b;
	return ((uint64_t)product ^ (uint64_t)(product >> 64));
#else
	return (fold_halves(a, b));
#endif
}

#endif /* COMMON_FOLD_H */
