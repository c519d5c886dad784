/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/memory.h"
#include "parent/parent.h"

/*
 * A fresh page of counters for p's next child; p->page_fd is what that gets.
 * Returns 0, or -1 with the reason logged.
 */
int
metrics_page(struct process *p)
{
	void *page;
	int fd;

	metrics_fold(p);
	fd = memory_shared(p->place->name, COUNTERS_BYTES);
	if (fd == -1) {
		log_warn("%s: memory for counters", p->place->name);
		return (-1);
	}
	page = mmap(NULL, COUNTERS_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		log_warn("%s: mmap", p->place->name);
		(void)close(fd);
		return (-1);
	}
	p->page = page;
	p->page_fd = fd;
	return (0);
}

/* What a child that is gone has counted is kept; its page is not. */
void
metrics_fold(struct process *p)
{
	if (p->page == NULL)
		return;
	counters_sum(&p->parent->base, p->page);
	(void)munmap(p->page, COUNTERS_BYTES);
	(void)close(p->page_fd);
	p->page = NULL;
	p->page_fd = -1;
}

/* Over all processes, those included that are gone. */
void
metrics_sum(struct parent *parent, struct counters *sum)
{
	struct place *place;
	uint32_t i;

	memset(sum, 0, sizeof(*sum));
	counters_sum(sum, &parent->base);
	counters_sum(sum, counters);
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		if (place->child != NULL && place->child->page != NULL)
			counters_sum(sum, place->child->page);
}

/* What a child says of itself, which may be a lie. */
uint64_t
metrics_own(const struct process *p, enum own own)
{
	if (p->page == NULL)
		return (0);
	return (__atomic_load_n(&p->page->own[own], __ATOMIC_RELAXED));
}

/* Open connections of a worker, as it says. */
uint32_t
metrics_load(const struct process *p)
{
	uint64_t load;

	load = metrics_own(p, OWN_CONNECTIONS);
	return (load < UINT32_MAX ? (uint32_t)load : UINT32_MAX - 1);
}

/* A worker cannot say that it has less to do than we have given it. */
static uint32_t
metrics_true_load(const struct process *p)
{
	uint32_t load;

	if (p == NULL || p->state != CHILD_RUNNING || p->place->leaving ||
	    p->place->candidate)
		return (UINT32_MAX);
	load = metrics_load(p);
	return (load > p->sessions ? load : p->sessions);
}

/* Tells every worker, through the map, how busy the others are. */
void
metrics_publish_loads(struct parent *parent)
{
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++)
		pmap_load(&parent->map, i,
		    metrics_true_load(parent->workers[i].child));
}
