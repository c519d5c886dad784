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

#endif /* REGRESS_UNIT_RESIDENT_H */
