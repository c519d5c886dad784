/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"

/*
 * A fresh page of counters for p's next child; p->page_fd is what that gets.
 * Sealed, so that a child cannot cut it off under the parent's eyes.  Returns
 * 0, or -1 with the reason logged.
 */
int
metrics_page(struct process *p)
{
	void *page;
	int fd;

	metrics_fold(p);
	fd = memfd_create(p->place->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1) {
		log_warn("%s: memfd_create", p->place->name);
		return (-1);
	}
	if (ftruncate(fd, COUNTERS_BYTES) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
		-1) {
		log_warn("%s: ftruncate, fcntl ADD_SEALS", p->place->name);
		goto fail;
	}
	page = mmap(NULL, COUNTERS_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		log_warn("%s: mmap", p->place->name);
		goto fail;
	}
	p->page = page;
	p->page_fd = fd;
	return (0);
fail:
	(void)close(fd);
	return (-1);
}

/* What a child that is gone has counted is kept; its page is not. */
void
metrics_fold(struct process *p)
{
	int i;

	if (p->page == NULL)
		return;
	for (i = 0; i < COUNTER_MAX; i++)
		p->parent->base.value[i] += counters_read(p->page, i);
	(void)munmap(p->page, COUNTERS_BYTES);
	(void)close(p->page_fd);
	p->page = NULL;
	p->page_fd = -1;
}

static void
metrics_add(const struct counters *page, uint64_t sum[COUNTER_MAX])
{
	int i;

	if (page == NULL)
		return;
	for (i = 0; i < COUNTER_MAX; i++)
		sum[i] += counters_read(page, i);
}

static void
metrics_add_child(const struct place *place, uint64_t sum[COUNTER_MAX])
{
	if (place->child != NULL)
		metrics_add(place->child->page, sum);
}

/* Over all processes, those included that are gone. */
void
metrics_sum(struct parent *parent, uint64_t sum[COUNTER_MAX])
{
	struct place *place;
	uint32_t i;

	for (i = 0; i < COUNTER_MAX; i++)
		sum[i] = 0;
	metrics_add(&parent->base, sum);
	metrics_add(counters, sum);
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		metrics_add_child(place, sum);
}

/* Open connections of a worker, as it says. */
uint32_t
metrics_load(const struct process *p)
{
	uint64_t load;

	if (p->page == NULL)
		return (0);
	load = __atomic_load_n(&p->page->load, __ATOMIC_RELAXED);
	return (load < UINT32_MAX ? (uint32_t)load : UINT32_MAX - 1);
}

/* A worker cannot say that it has less to do than we have given it. */
static uint32_t
metrics_true_load(const struct process *p)
{
	uint32_t load;

	if (p == NULL || p->state != CHILD_RUNNING)
		return (UINT32_MAX);
	load = metrics_load(p);
	return (load > p->sessions ? load : p->sessions);
}

/* Tells every worker, through the map, how busy the others are. */
void
metrics_publish_loads(struct parent *parent)
{
	uint32_t i;

	for (i = 0; i < parent->nworkers; i++)
		pmap_load(&parent->map, i,
		    metrics_true_load(parent->workers[i].child));
}
