/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <fcntl.h>

#include "common/sums.h"
#include "regress/unit/still_clock.h"

#include "regress/unit/parent/parts.h"

static struct peermap_header header;

uint32_t
gossip_heard(const struct parent *of)
{
	return (6);
}

void
metrics_sum(struct parent *of, struct counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	sum->value[COUNTER_FRAMES_IN] = 4711;
	sum->histogram[HISTOGRAM_LOGIN].sum = 99;
	sum->beacon[BEACON_OUT][0] = 8;
}

uint64_t
metrics_own(const struct process *p, enum own own)
{
	return (p->place->role->id == ROLE_WORKER ? 33U + own : 0);
}

static struct sums_data data;

static int
published(void)
{
	sums_publish(&parent);
	memset(&data, 0, sizeof(data));
	return (sums_read(parent.sums, &data) == 0);
}

/* Whoever is sent it can read it, and nobody write it. */
static void
test_memory_that_only_we_write(void)
{
	CHECK(sums_create(&parent) == 0);
	CHECK(ftruncate(parent.sums_fd, 0) == -1);
	CHECK(mmap(NULL, SUMS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		  parent.sums_fd, 0) == MAP_FAILED);
	CHECK(mmap(NULL, SUMS_BYTES, PROT_READ, MAP_SHARED, parent.sums_fd,
		  0) != MAP_FAILED);
	CHECK(sums_read(parent.sums, &data) == -1);
}

static void
test_how_things_are(void)
{
	header.sessions = 12;
	parent.map.header = &header;
	parent.started = clock_seconds() - 100;
	parts_conf.max_peers = 500;
	CHECK(published());
	CHECK(data.counter[COUNTER_FRAMES_IN] == 4711);
	CHECK(data.gauge[GAUGE_PEERS] == 12);
	CHECK(data.gauge[GAUGE_MAX_PEERS] == 500);
	CHECK(data.gauge[GAUGE_BEACONS] == 6);
	CHECK(data.gauge[GAUGE_RELOAD_OK] == 1);
	CHECK(data.gauge[GAUGE_RELOADED] == data.gauge[GAUGE_START]);
	CHECK(data.gauge[GAUGE_PUBLISHED] == data.gauge[GAUGE_START] + 100);
	CHECK(data.gauge[GAUGE_DRAINING] == 0);
	/* Without a snapshot it has no age. */
	CHECK(data.gauge[GAUGE_SNAPSHOT_AGE] == 0);
	parent.registry.status.written = clock_seconds() - 7;
	parent.registry.status.link = REGISTRY_PROBED;
	parent.reloaded = clock_seconds() - 3;
	parent.reload_failed = 1;
	parent.stopping = 1;
	CHECK(published());
	CHECK(data.gauge[GAUGE_SNAPSHOT_AGE] == 7);
	CHECK(data.gauge[GAUGE_REGISTRY_UP] == 0);
	CHECK(data.gauge[GAUGE_RELOAD_OK] == 0);
	CHECK(data.gauge[GAUGE_RELOADED] == data.gauge[GAUGE_PUBLISHED] - 3);
	CHECK(data.gauge[GAUGE_DRAINING] == 1);
	parent.registry.status.link = REGISTRY_UP;
	CHECK(published() && data.gauge[GAUGE_REGISTRY_UP] == 1);
	parent.stopping = 0;
}

static void
test_each_process(void)
{
	const struct sums_process *p;

	parent.workers[0].child->pid = 17;
	parent.workers[0].child->sessions = 5;
	parent.workers[0].restarts = 2;
	parent.workers[1].child->state = CHILD_DOWN;
	parent.auth.child = NULL;
	CHECK(published() && data.nprocesses == 5);
	CHECK(data.process[0].role == ROLE_PARENT);
	CHECK(data.process[0].pid == (uint64_t)getpid());
	p = &data.process[1];
	CHECK(p->role == ROLE_AUTH && p->pid == 0 && !p->value[PROCESS_UP]);
	p = &data.process[2];
	CHECK(p->role == ROLE_WORKER && p->number == 0 && p->pid == 17);
	CHECK(p->value[PROCESS_UP] && p->value[PROCESS_SESSIONS] == 5);
	CHECK(p->value[PROCESS_RESTARTS] == 2);
	CHECK(p->value[PROCESS_CONNECTIONS] == 33);
	CHECK(p->value[PROCESS_QUEUED_UDP] == 33 + OWN_QUEUED_UDP);
	p = &data.process[0];
	CHECK(p->value[PROCESS_MEMORY] != 0 && p->value[PROCESS_FDS] > 3);
	p = &data.process[3];
	CHECK(p->number == 1 && !p->value[PROCESS_UP]);
	p = &data.process[4];
	CHECK(p->role == ROLE_METRICS && p->value[PROCESS_CONNECTIONS] == 0);
}

/* What an earlier beacon of its number had done is not its own. */
static void
test_other_beacons(void)
{
	struct source source;

	CHECK(published() && data.beacon[0].port == 0);
	CHECK(data.histogram[HISTOGRAM_LOGIN].sum == 99);
	memset(&source, 0, sizeof(source));
	source.addr[15] = 1;
	source.port = 9001;
	source.heard = 1;
	source.base[BEACON_OUT] = 5;
	parent.gossip.sources = &source;
	parent.gossip.nsources = 1;
	CHECK(published() && data.beacon[0].port == 9001);
	CHECK(memcmp(data.beacon[0].addr, source.addr, 16) == 0);
	CHECK(data.beacon[0].value[BEACON_VALUE_UP] == 1);
	CHECK(data.beacon[0].value[BEACON_VALUE_OUT] == 3);
	parent.gossip.nsources = 0;
}

/* There is nobody whom it could be told. */
static void
test_nothing_without_a_reader(void)
{
	uint64_t seq;

	seq = parent.sums->seq;
	parent.metrics.child = NULL;
	sums_publish(&parent);
	CHECK(parent.sums->seq == seq);
}

int
main(void)
{
	parts_init();
	RUN(test_memory_that_only_we_write);
	RUN(test_how_things_are);
	RUN(test_each_process);
	RUN(test_other_beacons);
	RUN(test_nothing_without_a_reader);
	return (test_failed());
}
