/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_RESIDENT_H
#define REGRESS_UNIT_RESIDENT_H

#include <stddef.h>
#include <stdio.h>

/* Bytes of memory that this process has touched and still has. */
static inline size_t
resident(void)
{
	unsigned long pages;
	FILE *f;

	pages = 0;
	f = fopen("/proc/self/statm", "r");
	if (f == NULL || fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f != NULL)
		(void)fclose(f);
	return (pages * 4096);
}

/* What n bytes of its own come to: AddressSanitizer notes each eight. */
static inline size_t
resident_of(size_t n)
{
#if defined(__SANITIZE_ADDRESS__)
	return (n + n / 8);
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return (n + n / 8);
#endif
#endif
	return (n);
}

#endif /* REGRESS_UNIT_RESIDENT_H */
