/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <fcntl.h>

#include "regress/unit/parent/parts.h"

static uint32_t loads[PROTO_PLACES_MAX]; /* as the map would have them */

void
pmap_load(struct pmap *map, uint32_t worker, uint32_t load)
{
	loads[worker] = load;
}

/* The page as its child has it. */
static struct counters *
page_of(const struct process *p)
{
	void *page;

	page = mmap(NULL, COUNTERS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
	    p->page_fd, 0);
	return (page == MAP_FAILED ? NULL : page);
}

static uint64_t
sum(void)
{
	struct counters all;

	metrics_sum(&parent, &all);
	return (all.value[COUNTER_FRAMES_IN]);
}

/* A child could otherwise end us with a SIGBUS. */
static void
test_a_page_that_nobody_can_cut(void)
{
	struct process *p;

	p = parent.workers[0].child;
	CHECK(metrics_page(p) == 0 && p->page != NULL);
	CHECK(ftruncate(p->page_fd, 0) == -1);
	CHECK(ftruncate(p->page_fd, 2 * COUNTERS_BYTES) == -1);
	CHECK(fcntl(p->page_fd, F_ADD_SEALS, F_SEAL_WRITE) == -1);
	CHECK(page_of(p) != NULL);
}

/* What a dead child has counted is not lost, and not counted twice. */
static void
test_sums_outlive_children(void)
{
	struct process *p;
	uint64_t before;

	before = sum();
	p = parent.workers[0].child;
	page_of(p)->value[COUNTER_FRAMES_IN] = 5;
	CHECK(metrics_page(parent.auth.child) == 0);
	page_of(parent.auth.child)->value[COUNTER_FRAMES_IN] = 7;
	counters_add(COUNTER_FRAMES_IN, 100);
	CHECK(sum() == before + 112);
	metrics_fold(p);
	CHECK(p->page == NULL && p->page_fd == -1 && sum() == before + 112);
	metrics_fold(p);
	CHECK(sum() == before + 112);
	/* A new page begins with nothing. */
	CHECK(metrics_page(p) == 0 && sum() == before + 112);
	page_of(p)->value[COUNTER_FRAMES_IN] = 1;
	CHECK(metrics_page(p) == 0 && sum() == before + 113);
}

/* It may say what it likes, but not that it has less than we gave to it. */
static void
test_loads(void)
{
	struct process *p;

	p = parent.workers[0].child;
	p->sessions = 10;
	page_of(p)->own[OWN_CONNECTIONS] = 15;
	CHECK(metrics_load(p) == 15);
	metrics_publish_loads(&parent);
	CHECK(loads[0] == 15 && loads[1] == 0);
	page_of(p)->own[OWN_CONNECTIONS] = 3;
	metrics_publish_loads(&parent);
	CHECK(loads[0] == 10);
	/* Not even as one that is not there. */
	page_of(p)->own[OWN_CONNECTIONS] = UINT64_MAX;
	metrics_publish_loads(&parent);
	CHECK(loads[0] == UINT32_MAX - 1);
	p->state = CHILD_STARTING;
	parent.workers[1].child = NULL;
	metrics_publish_loads(&parent);
	CHECK(loads[0] == UINT32_MAX && loads[1] == UINT32_MAX);
}

int
main(void)
{
	parts_init();
	RUN(test_a_page_that_nobody_can_cut);
	RUN(test_sums_outlive_children);
	RUN(test_loads);
	return (test_failed());
}
