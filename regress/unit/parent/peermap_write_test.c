/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/counters.h"
#include "parent/peermap_write.h"
#include "regress/unit/test.h"

#define MODEL_NODES 20000
#define RACE_STABLE 16
#define RACE_CHURN  1000
#define RACE_READS  2000000

static uint32_t
session(struct pmap *map, uint32_t node, uint32_t worker)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_add(map, node, 0);
	if (number == PEERMAP_NONE)
		return (number);
	entry = *pmap_entry(map, number);
	entry.generation = pmap_next_generation(map);
	entry.worker = (uint8_t)worker;
	entry.slot = node * 3;
	pmap_store(map, number, &entry);
	return (number);
}

static void
clear(struct pmap *map, uint32_t node)
{
	struct peermap_entry entry;

	memset(&entry, 0, sizeof(entry));
	pmap_store(map, pmap_find(map, node), &entry);
}

static void
test_one_entry(void)
{
	struct peermap_entry entry;
	struct pmap map;
	uint32_t number;

	CHECK(pmap_create(&map) == 0);
	CHECK(pmap_find(&map, 7) == PEERMAP_NONE);
	CHECK(pmap_add(&map, 0, 0) == PEERMAP_NONE);
	number = session(&map, 7, 1);
	CHECK(number == 0 && map.live == 1 && pmap_used(&map) == 1);
	CHECK(session(&map, 7, 2) == number && map.live == 1);
	CHECK(peermap_lookup(&map.view, 7, &entry) == 1);
	CHECK(entry.node == 7 && entry.worker == 2 && entry.slot == 21);
	CHECK(entry.generation == 2 && map.header->sessions == 1);
	clear(&map, 7);
	CHECK(peermap_lookup(&map.view, 7, &entry) == 0);
	CHECK(map.live == 0 && map.header->sessions == 0);
	pmap_destroy(&map);
}

/* An entry stays as long as any transport knows the node. */
static void
test_kept_while_used(void)
{
	struct peermap_entry entry;
	struct pmap map;
	uint32_t number;

	CHECK(pmap_create(&map) == 0);
	number = session(&map, 9, 0);
	entry = *pmap_entry(&map, number);
	entry.port = 4000;
	entry.beacon = 3;
	pmap_store(&map, number, &entry);
	CHECK(map.endpoints == 1);
	entry.generation = 0;
	pmap_store(&map, number, &entry);
	CHECK(pmap_find(&map, 9) == number && map.header->sessions == 0);
	entry.port = 0;
	pmap_store(&map, number, &entry);
	CHECK(pmap_find(&map, 9) == number && map.endpoints == 0);
	entry.beacon = 0;
	pmap_store(&map, number, &entry);
	CHECK(pmap_find(&map, 9) == PEERMAP_NONE && map.live == 0);
	pmap_destroy(&map);
}

static void
test_free_entries_serve_again(void)
{
	struct pmap map;
	uint32_t i;

	CHECK(pmap_create(&map) == 0);
	for (i = 1; i <= 10; i++)
		CHECK(session(&map, i, 0) == i - 1);
	clear(&map, 3);
	clear(&map, 8);
	CHECK(session(&map, 100, 0) == 7);
	CHECK(session(&map, 101, 0) == 2);
	CHECK(session(&map, 102, 0) == 10);
	CHECK(pmap_used(&map) == 11 && map.live == 11);
	pmap_destroy(&map);
}

/* Logins and ends for a long time must not use anything up. */
static void
test_churn_leaves_nothing(void)
{
	struct pmap map;
	uint32_t i;

	CHECK(pmap_create(&map) == 0);
	for (i = 1; i <= 300000; i++) {
		CHECK(session(&map, i, 0) == 0);
		clear(&map, i);
	}
	CHECK(pmap_used(&map) == 1 && map.live == 0);
	CHECK(PEERMAP_INDEX_SHIFT(map.header->index) == PEERMAP_SHIFT_MIN);
	pmap_destroy(&map);
}

/* Random additions and removals against an array. */
static void
test_against_a_model(void)
{
	static uint32_t model[MODEL_NODES + 1];
	struct peermap_entry entry;
	struct pmap map;
	uint32_t i, live, node;
	unsigned int seed;

	CHECK(pmap_create(&map) == 0);
	memset(model, 0, sizeof(model));
	live = 0;
	seed = 1;
	for (i = 0; i < 400000; i++) {
		node = (uint32_t)rand_r(&seed) % MODEL_NODES + 1;
		if (model[node] != 0 && rand_r(&seed) % 3 != 0) {
			clear(&map, node);
			model[node] = 0;
			live--;
		} else {
			live += model[node] == 0;
			CHECK(session(&map, node, 5) != PEERMAP_NONE);
			model[node] = map.generation;
		}
		CHECK(map.live == live && map.header->sessions == live);
	}
	for (node = 1; node <= MODEL_NODES; node++) {
		CHECK(peermap_lookup(&map.view, node, &entry) ==
		      (model[node] != 0));
		CHECK(model[node] == 0 || entry.generation == model[node]);
	}
	pmap_destroy(&map);
}

static void
test_full(void)
{
	struct peermap_entry entry;
	struct pmap map;
	uint32_t i, node;

	CHECK(pmap_create(&map) == 0);
	for (i = 1; i <= PEERMAP_NODES_MAX - PMAP_RESERVE_LOGIN; i++)
		CHECK(session(&map, i * 7, 0) == i - 1);
	node = i * 7;
	CHECK(pmap_add(&map, node, PMAP_RESERVE_LOGIN) == PEERMAP_NONE);
	CHECK(pmap_add(&map, 7, PMAP_RESERVE_LOGIN) == 0);
	for (; i <= PEERMAP_NODES_MAX; i++)
		CHECK(session(&map, i * 7, 0) == i - 1);
	CHECK(pmap_add(&map, i * 7, 0) == PEERMAP_NONE);
	CHECK(map.live == PEERMAP_NODES_MAX);
	for (i = 1; i <= PEERMAP_NODES_MAX; i++)
		CHECK(peermap_lookup(&map.view, i * 7, &entry) == 1);
	/* At its fullest it still takes changes without end. */
	for (i = 1; i <= PEERMAP_NODES_MAX; i++) {
		clear(&map, i * 7);
		CHECK(session(&map, i * 7 + 1, 0) == i - 1);
	}
	CHECK(peermap_lookup(&map.view, 8, &entry) == 1);
	CHECK(peermap_lookup(&map.view, 14, &entry) == 0);
	CHECK(map.filled < (1U << PEERMAP_SHIFT_MAX) / 4 * 3 + 1);
	pmap_destroy(&map);
}

static void
test_generation_is_never_zero(void)
{
	struct pmap map;

	CHECK(pmap_create(&map) == 0);
	map.generation = UINT32_MAX - 1;
	CHECK(pmap_next_generation(&map) == UINT32_MAX);
	CHECK(pmap_next_generation(&map) == 1);
	pmap_destroy(&map);
}

static void
test_loads(void)
{
	struct pmap map;
	uint32_t i;

	CHECK(pmap_create(&map) == 0);
	for (i = 0; i < PROTO_WORKERS_MAX; i++)
		CHECK(map.header->load[i] == UINT32_MAX);
	pmap_load(&map, 63, 17);
	CHECK(map.header->load[63] == 17);
	pmap_destroy(&map);
}

/* What a child is given lets it read, and nothing else, ever. */
static void
test_sealed(void)
{
	char path[64];
	struct pmap map;
	struct peermap view;
	void *base;
	int fd;

	CHECK(pmap_create(&map) == 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", map.fd);
	base = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map.fd, 0);
	CHECK(base == MAP_FAILED && errno == EPERM);
	CHECK(pwrite(map.fd, "x", 1, 0) == -1 && errno == EPERM);
	CHECK(ftruncate(map.fd, 0) == -1 && errno == EPERM);
	CHECK(ftruncate(map.fd, 2 * PEERMAP_BYTES) == -1 && errno == EPERM);
	CHECK(fcntl(map.fd, F_ADD_SEALS, F_SEAL_WRITE) == -1);
	fd = open(path, O_RDWR);
	CHECK(fd != -1);
	base = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(base == MAP_FAILED && errno == EPERM);
	base = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(base != MAP_FAILED);
	CHECK(mprotect(base, 4096, PROT_READ | PROT_WRITE) == -1);
	CHECK(peermap_open(&view, fd) == 0);
	CHECK(session(&map, 12, 0) == 0 && peermap_find(&view, 12) == 0);
	pmap_destroy(&map);
}

/* An address of ours by its number; the same bytes for all but node. */
static uint8_t
near(struct pmap *map, uint32_t n, uint32_t node)
{
	struct peermap_entry entry;
	uint8_t addr[16];
	uint32_t number;

	memset(addr, 0xfd, sizeof(addr));
	memcpy(addr, &n, sizeof(n));
	if (node == 0)
		return (pmap_near(map, addr));
	number = pmap_add(map, node, 0);
	entry = *pmap_entry(map, number);
	entry.port = 1;
	entry.near = pmap_near(map, addr);
	pmap_store(map, number, &entry);
	return (entry.near);
}

static void
test_near(void)
{
	static const uint8_t zero[16];
	struct pmap map;
	uint64_t full;
	uint32_t i;
	uint8_t addr[16];

	CHECK(pmap_create(&map) == 0);
	CHECK(pmap_near(&map, zero) == 0);
	for (i = 1; i < PEERMAP_NEAR_MAX; i++)
		CHECK(near(&map, i, i) == i && near(&map, i, 1000 + i) == i);
	full = counters_read(counters, COUNTER_NEAR_FULL);
	CHECK(near(&map, i, 0) == 0 && near(&map, 1, 0) == 1);
	CHECK(counters_read(counters, COUNTER_NEAR_FULL) == full + 1);
	/* As long as one node has it, it stays. */
	clear(&map, 7);
	CHECK(near(&map, i, 0) == 0);
	clear(&map, 1007);
	CHECK(near(&map, i, 7) == 7 && near(&map, i + 1, 0) == 0);
	peermap_near(&map.view, 7, addr);
	CHECK(memcmp(addr, &i, sizeof(i)) == 0);
	/* Another address of ours frees the old one. */
	CHECK(near(&map, 8, 7) == 8 && near(&map, i + 2, 0) == 7);
	pmap_destroy(&map);
}

/* What the two processes of a race tell each other. */
struct race {
	_Atomic uint64_t reads;
	_Atomic uint32_t rebuilds;
	_Atomic uint32_t torn;
	_Atomic uint32_t missed;
	_Atomic uint32_t seen; /* last generation that the reader has read */
};

/* All fields of a race's entries follow from node and generation. */
static void
race_fill(struct peermap_entry *entry, uint32_t node, uint32_t generation)
{
	memset(entry, 0, sizeof(*entry));
	entry->generation = generation;
	entry->slot = generation ^ node;
	entry->worker = (uint8_t)generation;
	entry->since = ~generation;
	entry->keyid = (uint64_t)generation << 32 | node;
	memset(entry->addr, (int)(generation & 0xff), sizeof(entry->addr));
	entry->port = (uint16_t)(generation | 1);
	entry->seen = generation * 3;
	entry->moved = generation * 5;
	entry->rwindow = generation * 7;
}

static int
race_whole(const struct peermap_entry *entry)
{
	struct peermap_entry want;

	race_fill(&want, entry->node, entry->generation);
	return (memcmp(&want.generation, &entry->generation,
		    sizeof(want) -
			offsetof(struct peermap_entry, generation)) == 0);
}

static void
race_reader(struct race *race, int fd)
{
	struct peermap_entry entry;
	struct peermap view;
	uint32_t node;

	if (peermap_open(&view, fd) == -1)
		_exit(1);
	for (node = 1;; node = node % RACE_STABLE + 1) {
		if (!peermap_lookup(&view, node, &entry))
			race->missed++;
		else if (!race_whole(&entry))
			race->torn++;
		else
			race->seen = entry.generation;
		race->reads++;
	}
}

static void
race_set(struct pmap *map, uint32_t node)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_add(map, node, 0);
	race_fill(&entry, node, pmap_next_generation(map));
	pmap_store(map, number, &entry);
}

static void
race_write(struct race *race, struct pmap *map)
{
	uint32_t i, index;

	index = map->header->index;
	for (i = 0; race->reads < RACE_READS; i++) {
		race_set(map, i % RACE_STABLE + 1);
		race_set(map, RACE_STABLE + 1 + i);
		if (map->header->index != index) {
			index = map->header->index;
			race->rebuilds++;
		}
		if (i >= RACE_CHURN)
			clear(map, RACE_STABLE + 1 + i - RACE_CHURN);
	}
}

/*
 * One process writes, another reads: no entry is ever seen half written, and
 * those that stay are found while others come and go and the index is built
 * anew.
 */
static void
test_racing_reader(void)
{
	struct race *race;
	struct pmap map;
	uint32_t i;
	pid_t pid;

	race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(race != MAP_FAILED && pmap_create(&map) == 0);
	for (i = 1; i <= RACE_STABLE; i++)
		race_set(&map, i);
	pid = fork();
	CHECK(pid != -1);
	if (pid == 0)
		race_reader(race, map.fd);
	(void)alarm(60);
	race_write(race, &map);
	(void)alarm(0);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	CHECK(race->torn == 0);
	CHECK(race->missed == 0);
	CHECK(race->rebuilds > 10 && race->seen > RACE_STABLE);
	pmap_destroy(&map);
}

static const struct pmap *interrupted;
static volatile sig_atomic_t interrupts, half_written, unmarked;

/* In the midst of the writer: is an entry marked whenever it is not whole? */
static void
interrupt(int number)
{
	const struct peermap_entry *entry;

	entry = pmap_entry(interrupted, 0);
	interrupts++;
	if (race_whole(entry))
		return;
	half_written++;
	if ((entry->seq & 1) == 0)
		unmarked++;
}

/* A cache line changes hands as a whole, so another process proves little. */
static void
test_interrupted_writer(void)
{
	struct itimerval often, never;
	struct pmap map;

	CHECK(pmap_create(&map) == 0);
	race_set(&map, 1);
	interrupted = &map;
	memset(&often, 0, sizeof(often));
	memset(&never, 0, sizeof(never));
	often.it_interval.tv_usec = often.it_value.tv_usec = 50;
	CHECK(signal(SIGALRM, interrupt) != SIG_ERR);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (interrupts < 1000 || (half_written < 20 && interrupts < 200000))
		race_set(&map, 1);
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(half_written >= 20);
	CHECK(unmarked == 0);
	pmap_destroy(&map);
}

static void
test_a_session_is_found_as_it_is(void)
{
	struct peermap_entry entry;
	struct pmap m;
	uint32_t number;

	CHECK(pmap_create(&m) == 0);
	number = pmap_add(&m, 7, 0);
	entry = *pmap_entry(&m, number);
	entry.generation = 9;
	entry.worker = 3;
	entry.slot = 40;
	pmap_store(&m, number, &entry);
	CHECK(pmap_session(&m, 7, 9, 3, 40) == pmap_entry(&m, number));
	CHECK(pmap_session(&m, 8, 9, 3, 40) == NULL);
	CHECK(pmap_session(&m, 7, 8, 3, 40) == NULL);
	CHECK(pmap_session(&m, 7, 9, 2, 40) == NULL);
	CHECK(pmap_session(&m, 7, 9, 3, 41) == NULL);
	/* That of a node without a session is none. */
	entry.generation = entry.worker = entry.slot = 0;
	entry.port = 1;
	pmap_store(&m, number, &entry);
	CHECK(pmap_session(&m, 7, 0, 0, 0) == NULL);
	pmap_destroy(&m);
}

int
main(void)
{
	RUN(test_one_entry);
	RUN(test_kept_while_used);
	RUN(test_free_entries_serve_again);
	RUN(test_churn_leaves_nothing);
	RUN(test_against_a_model);
	RUN(test_full);
	RUN(test_generation_is_never_zero);
	RUN(test_loads);
	RUN(test_near);
	RUN(test_sealed);
	RUN(test_racing_reader);
	RUN(test_interrupted_writer);
	RUN(test_a_session_is_found_as_it_is);
	return (test_failed());
}
