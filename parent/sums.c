/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/self.h"
#include "common/sums.h"
#include "parent/parent.h"

#define SUMS_GAP 1024 /* numbers of descriptors */

/*
 * Memory for the sums, which from here on nobody, we included, can map writable
 * again.  Returns 0, or -1 with the reason logged.
 */
int
sums_create(struct parent *parent)
{
	void *base;
	int fd;

	fd = memfd_create("sums", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1) {
		log_warn("sums: memfd_create");
		return (-1);
	}
	if (ftruncate(fd, SUMS_BYTES) == -1) {
		log_warn("sums: ftruncate");
		goto fail;
	}
	base =
	    mmap(NULL, SUMS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		log_warn("sums: mmap");
		goto fail;
	}
	if (fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE |
		    F_SEAL_SEAL) == -1) {
		log_warn("sums: fcntl ADD_SEALS");
		(void)munmap(base, SUMS_BYTES);
		goto fail;
	}
	parent->sums = base;
	parent->sums_fd = fd;
	return (0);
fail:
	(void)close(fd);
	return (-1);
}

static void
sums_registry(
    const struct msg_registry_status *status, uint64_t gauge[GAUGE_MAX])
{
	gauge[GAUGE_REGISTRY_UP] = status->link == REGISTRY_UP;
	gauge[GAUGE_REGISTRY_WAITING] = status->waiting;
	gauge[GAUGE_REGISTRY_QUEUED] = status->queued;
	gauge[GAUGE_REGISTRY_BUDGET] = status->budget;
	gauge[GAUGE_REGISTRY_KEYS] = status->keys;
	gauge[GAUGE_REGISTRY_LATENCY] = status->latency_mean;
	gauge[GAUGE_REGISTRY_LATENCY_MAX] = status->latency_max;
	gauge[GAUGE_SNAPSHOT_KEYS] = status->snapshot;
	if (status->written != 0)
		gauge[GAUGE_SNAPSHOT_AGE] = clock_seconds() - status->written;
}

static void
sums_gauges(const struct parent *parent, uint64_t gauge[GAUGE_MAX])
{
	gauge[GAUGE_PEERS] = atomic_load_explicit(
	    &parent->map.header->sessions, memory_order_relaxed);
	gauge[GAUGE_MAX_PEERS] = parent->conf->max_peers;
	gauge[GAUGE_NODES] = parent->map.live;
	gauge[GAUGE_BEACONS] = gossip_heard(parent);
	gauge[GAUGE_KEYS] = parent->keys;
	gauge[GAUGE_KEY_LINES_BAD] = parent->key_lines_bad;
	sums_registry(&parent->registry.status, gauge);
	gauge[GAUGE_MAX_FDS] = parent->max_files;
	gauge[GAUGE_DRAINING] = parent_is_ending(parent);
	gauge[GAUGE_START] = clock_wall_at(parent->started);
	gauge[GAUGE_RELOAD_OK] = !parent->reload_failed;
	gauge[GAUGE_RELOADED] = clock_wall_at(
	    parent->reloaded != 0 ? parent->reloaded : parent->started);
	gauge[GAUGE_PUBLISHED] = clock_wall();
}

/*
 * How many descriptors the parent has: they are given out from below, so there
 * are none above a gap that is this long.
 */
static uint64_t
sums_descriptors(void)
{
	uint64_t n;
	int fd, last;

	n = 0;
	last = 0;
	for (fd = 0; fd < last + SUMS_GAP; fd++)
		if (fcntl(fd, F_GETFD) != -1) {
			n++;
			last = fd;
		}
	return (n);
}

static void
sums_self(const struct parent *parent, struct sums_process *sum)
{
	int i;

	sum->role = ROLE_PARENT;
	sum->pid = (uint64_t)getpid();
	sum->value[PROCESS_UP] = 1;
	sum->value[PROCESS_STARTED] = clock_wall_at(parent->started);
	sum->value[PROCESS_CPU] = clock_cpu(getpid()) / 1000;
	self_tell(sums_descriptors());
	for (i = 0; i < OWN_MAX; i++)
		sum->value[PROCESS_CONNECTIONS + i] = counters->own[i];
}

static void
sums_place(const struct place *place, struct sums_process *sum)
{
	const struct process *p;
	int i;

	sum->role = place->role->id;
	sum->number = place_share(place);
	sum->value[PROCESS_RESTARTS] = place->restarts;
	p = place->child;
	if (p == NULL)
		return;
	sum->pid = (uint64_t)p->pid;
	sum->value[PROCESS_UP] = p->state == CHILD_RUNNING;
	sum->value[PROCESS_STARTED] = clock_wall_at(p->started);
	sum->value[PROCESS_CPU] = clock_cpu(p->pid) / 1000;
	sum->value[PROCESS_SESSIONS] = p->sessions;
	for (i = 0; i < OWN_MAX; i++)
		sum->value[PROCESS_CONNECTIONS + i] = metrics_own(p, i);
}

static void
sums_beacon(const struct parent *parent, const struct counters *sum,
    uint32_t column, struct sums_beacon *beacon)
{
	const struct source *source;
	int way;

	for (way = 0; way < BEACON_WAYS; way++)
		beacon->value[BEACON_VALUE_IN + way] = sum->beacon[way][column];
	if (column >= parent->gossip.nsources || column >= COUNTERS_BEACONS)
		return;
	source = &parent->gossip.sources[column];
	memcpy(beacon->addr, source->addr, sizeof(beacon->addr));
	beacon->port = source->port;
	beacon->value[BEACON_VALUE_UP] = source->heard != 0;
	for (way = 0; way < BEACON_WAYS; way++)
		beacon->value[BEACON_VALUE_IN + way] -= source->base[way];
}

/* Tells the metrics process, if there is one, how things are. */
void
sums_publish(struct parent *parent)
{
	struct sums_data data;
	struct counters sum;
	struct place *place;
	uint32_t i;

	if (parent->metrics.child == NULL)
		return;
	memset(&data, 0, sizeof(data));
	metrics_sum(parent, &sum);
	memcpy(data.counter, sum.value, sizeof(data.counter));
	memcpy(data.histogram, sum.histogram, sizeof(data.histogram));
	for (i = 0; i < BEACON_COLUMNS; i++)
		sums_beacon(parent, &sum, i, &data.beacon[i]);
	sums_gauges(parent, data.gauge);
	sums_self(parent, &data.process[0]);
	data.nprocesses = 1;
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		if (!place->leaving && !place->candidate)
			sums_place(place, &data.process[data.nprocesses++]);
	sums_write(parent->sums, &data);
}
