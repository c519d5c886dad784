/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <stddef.h>

#include "common/counters.h"
#include "common/fdstat.h"

static struct counters counters_private;
struct counters *counters = &counters_private;

static const struct {
	const char *name;
	const char *help;
} counters_texts[COUNTER_MAX] = {
#define X(id, name, help) [COUNTER_##id] = { name, help },
	COUNTER_LIST(X)
#undef X
};

/*
 * Maps the page that the parent sent and counts in it from now on.  Returns 0,
 * or -1 with errno.  fd stays the caller's.
 */
int
counters_open(int fd)
{
	struct stat st;
	void *page;

	if (fdstat(fd, &st) == -1)
		return (-1);
	if (st.st_size != COUNTERS_BYTES) {
		errno = EINVAL;
		return (-1);
	}
	page = mmap(
	    NULL, COUNTERS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return (-1);
	counters = page;
	return (0);
}

uint64_t
counters_read(const struct counters *page, enum counter c)
{
	return (__atomic_load_n(&page->value[c], __ATOMIC_RELAXED));
}

/* The metric's name, with labels, as Prometheus writes it. */
const char *
counters_name(enum counter c)
{
	return (counters_texts[c].name);
}

/* What it counts, in a few words. */
const char *
counters_help(enum counter c)
{
	return (counters_texts[c].help);
}
