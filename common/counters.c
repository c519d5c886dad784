/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <stddef.h>
#include <string.h>

#include "common/counters.h"
#include "common/fdstat.h"

static struct counters counters_private;
struct counters *counters = &counters_private;

static const uint64_t counters_bounds[] = { HISTOGRAM_BOUNDS };

_Static_assert(sizeof(counters_bounds) / sizeof(counters_bounds[0]) ==
		   HISTOGRAM_BUCKETS - 1,
    "and one bucket above the last");

enum counters_kind { FLOW, LOSS };

static const struct {
	enum counters_kind kind;
	const char *name;
	const char *help;
} counters_rows[COUNTER_MAX] = {
#define X(id, kind, name, help) [COUNTER_##id] = { kind, name, help },
	COUNTER_LIST(X)
#undef X
};

/*
 * Maps the page that the parent sent and counts in it from now on.  Returns 0,
 * or -1 with errno.  Closes fd.
 */
int
counters_open(int fd)
{
	void *page;

	page = fdstat_map(fd, COUNTERS_BYTES, PROT_READ | PROT_WRITE);
	if (page == NULL)
		return (-1);
	counters = page;
	return (0);
}

uint64_t
counters_read(const struct counters *page, enum counter c)
{
	return (__atomic_load_n(&page->value[c], __ATOMIC_RELAXED));
}

/* Adds all of a page that adds up. */
void
counters_sum(struct counters *sum, const struct counters *page)
{
	const uint64_t *from;
	uint64_t *to;
	size_t i;

	from = (const uint64_t *)page;
	to = (uint64_t *)sum;
	for (i = 0; i < offsetof(struct counters, own) / sizeof(*to); i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* The upper end of a bucket but the last, which has none: nanoseconds. */
uint64_t
counters_bound(size_t bucket)
{
	return (counters_bounds[bucket]);
}

/* Something took so many nanoseconds. */
void
counters_observe(enum histogram_id id, uint64_t ns)
{
	struct histogram *h;
	size_t i;

	h = &counters->histogram[id];
	for (i = 0; i < HISTOGRAM_BUCKETS - 1; i++)
		if (ns <= counters_bounds[i])
			break;
	__atomic_store_n(&h->bucket[i], h->bucket[i] + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&h->sum, h->sum + ns, __ATOMIC_RELAXED);
}

/* The metric's name, with labels, as Prometheus writes it. */
const char *
counters_name(enum counter c)
{
	return (counters_rows[c].name);
}

/* What it counts, in a few words. */
const char *
counters_help(enum counter c)
{
	return (counters_rows[c].help);
}

/* Boolean: does it count what was refused, or failed, or was dropped? */
int
counters_is_loss(enum counter c)
{
	return (counters_rows[c].kind == LOSS);
}

/* Bytes of its name before the labels, which is its family's name. */
size_t
counters_family_len(enum counter c)
{
	return (strcspn(counters_name(c), "{"));
}

static int
counters_related(enum counter a, enum counter b)
{
	return (counters_family_len(a) == counters_family_len(b) &&
		strncmp(counters_name(a), counters_name(b),
		    counters_family_len(a)) == 0);
}

/* Boolean: is it the first of its family?  The others follow. */
int
counters_begins(enum counter c)
{
	return (c == 0 || !counters_related(c, c - 1));
}

/*
 * What the family counts that begins with `first`, each with its labels, into
 * buf, COUNTERS_HELP_MAX bytes; returns it.
 */
const char *
counters_family_help(enum counter first, char *buf, size_t size)
{
	const char *labels;
	enum counter c;

	buf[0] = '\0';
	for (c = first; c < COUNTER_MAX && counters_related(c, first); c++) {
		labels = counters_name(c) + counters_family_len(c);
		if (c != first)
			(void)strlcat(buf, "; ", size);
		(void)strlcat(buf, labels, size);
		if (*labels != '\0')
			(void)strlcat(buf, " ", size);
		(void)strlcat(buf, counters_help(c), size);
	}
	return (buf);
}
