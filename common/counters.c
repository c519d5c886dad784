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
