/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/control.h"
#include "parent/parent.h"
#include "parent/unpark_batch.h"
#include "parent/unpark_file.h"
#include "regress/fuzz/family.h"
#include "regress/fuzz/loop.h"

/* The one file that looks into a parent. */

struct parent *family;

static int conf_file, keys_file;
static char conf_path[32];
static uint8_t conf_now = CONFS;
static jmp_buf fatal_end;
static void (*act_all)(void);
static int gave_up; /* boolean: this life has ended in the middle of a thing */

int parent_main(int, char **);

/* What is different in a configuration that is read later. */
static const char *const confs[CONFS] = {
	"max peers 3\nbeacon id 1\npeer beacon 192.0.2.1 port 4001\n"
	"peer beacon 2001:db8::1 port 4001\npunch exempt 10.0.0.0/8\n",
	"accept gossip from any\ndefault beacon 192.0.2.9 port 4001\n",
	"beacon id 2\npeer beacon 192.0.2.9 port 4001\nidle timeout 20\n"
	"ping interval 5\n",
	"max peers many\n",
};

static const struct {
	uint8_t addr[16];
	uint16_t port;
} addresses[ADDRESSES] = {
	{ { [10] = 0xff, 0xff, 192, 0, 2, 1 }, 4001 },
	{ { [10] = 0xff, 0xff, 192, 0, 2, 9 }, 4001 },
	{ { [10] = 0xff, 0xff, 192, 0, 2, 1 }, 4002 },
	{ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, 4001 },
	{ { [10] = 0xff, 0xff, 203, 0, 113, 1 }, 5000 },
	{ { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, 5000 },
};

void
family_address(uint32_t i, uint8_t addr[16], uint16_t *port)
{
	memcpy(addr, addresses[i % ADDRESSES].addr, 16);
	*port = addresses[i % ADDRESSES].port;
}

/* May worker `number` speak for that source?  port 0: for any of it. */
int
family_reaches(uint32_t number, const uint8_t addr[16], uint32_t port)
{
	struct process *p;

	p = family->workers[number].child;
	return (p != NULL && steer_reaches(p, addr, port));
}

uint32_t
family_keys_generation(void)
{
	return (family->keys_generation);
}

/* Is it in the map? */
int
family_has_session(uint32_t node, uint32_t generation)
{
	uint32_t number;

	number = pmap_find(&family->map, node);
	return (number != PEERMAP_NONE && generation != 0 &&
		pmap_entry(&family->map, number)->generation == generation);
}

/* Is it in the map, and that worker's? */
int
family_owns(uint32_t worker, uint32_t node, uint32_t generation)
{
	uint32_t number;

	if (!family_has_session(node, generation))
		return (0);
	number = pmap_find(&family->map, node);
	return (pmap_entry(&family->map, number)->worker == worker);
}

/* One that may be called off before it has done anything. */
int
family_is_candidate(int pid)
{
	const struct place *place;
	uint32_t i;

	for (i = 0; (place = process_place(family, i)) != NULL; i++)
		if (place->child != NULL && place->child->pid == pid)
			return (place->candidate);
	return (0);
}

/* It was told twice to stop, or children took too long. */
int
family_kills_all(void)
{
	return (family->stopping > 1);
}

/* The configuration file is another one from now on. */
void
family_conf(uint8_t which)
{
	char text[1024];
	int len;

	which %= CONFS;
	if (which == conf_now)
		return;
	conf_now = which;
	len = snprintf(text, sizeof(text),
	    "listen on 127.0.0.1 port 8443\nlisten udp on 127.0.0.1 port 8443\n"
	    "workers %d\nkeys file \"/proc/self/fd/%d\"\n"
	    "control socket \"/nonexistent/socket\"\n%s",
	    WORKERS, keys_file, confs[which]);
	REQUIRE(len > 0 && (size_t)len < sizeof(text));
	REQUIRE(ftruncate(conf_file, 0) == 0);
	REQUIRE(pwrite(conf_file, text, (size_t)len, 0) == len);
}

static int
memory_file(void)
{
	int fd;

	fd = memfd_create("fuzz", MFD_CLOEXEC);
	REQUIRE(fd != -1 && fchmod(fd, 0600) == 0);
	return (fd);
}

/* The daemon gives up, or (status 0) another has all that it had. */
static void
gives_up(int status)
{
	gave_up = status != 0;
	if (!gave_up && operator_may_connect())
		control_stop(family);
	longjmp(fatal_end, 1);
}

static void
closed(int fd)
{
	operator_closed(fd);
	family_old_closed(fd);
}

/* Once. */
void
family_start(void)
{
	conf_file = memory_file();
	keys_file = memory_file();
	/* One without a byte would be none, once there are keys. */
	REQUIRE(write(keys_file, "#", 1) == 1);
	(void)snprintf(
	    conf_path, sizeof(conf_path), "/proc/self/fd/%d", conf_file);
	family_sockets();
	fuzz_on_exit = gives_up;
	fuzz_on_close = closed;
}

/* What it would have taken, and what it would have left to another. */
static void
clean_up_successor(struct successor *s)
{
	uint32_t i;

	channel_close(&s->channel);
	/* It may have ended over one of these. */
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (s->unpark.to[i] != NULL) {
			channel_close(&s->unpark.to[i]->channel);
			free(s->unpark.to[i]);
		}
	unpark_file_close(&s->unpark.file);
	unpark_ahead_free(family);
	(void)close(s->file);
	if (operator_may_connect())
		(void)close(family->control->socket.fd);
}

/* What is left to the end of the process, beside what it began with. */
static void
clean_up(void)
{
	struct place *place;
	uint32_t i;

	/* It may have ended over the death of one. */
	for (i = 0; (place = process_place(family, i)) != NULL; i++) {
		REQUIRE(place->child == NULL || gave_up);
		if (place->child == NULL)
			continue;
		metrics_fold(place->child);
		process_free(place->child);
	}
	listen_close(family);
	if (family->successor.pending)
		clean_up_successor(&family->successor);
	for (i = 0; i < family->gossip.nsources; i++)
		free(family->gossip.sources[i].ids);
	free(family->gossip.ids);
	if (family->conf != family->conf_start)
		conf_free(family->conf);
	holders_free(family->holders);
	pmap_destroy(&family->map);
	(void)close(family->devnull);
	memset(family, 0, sizeof(*family));
	loop_forget();
	family_memory_end();
}

/* It has ended before it had anything but descriptors. */
static void
clean_up_early(void)
{
	family_old_end();
	family_keep_end();
	family_memory_end();
	fuzz_descriptors_close();
}

static void
serve(void)
{
	family_memory_starting(0);
	act_all();
}

/*
 * One life of a parent: act() is called once it serves, and may return as soon
 * as it likes.
 */
void
family_run(uint8_t how, void (*act)(void))
{
	static char name[] = "beacond", options[] = "-df", asks[] = "-u";
	static char *argv[] = { name, options, conf_path, asks, NULL };

	act_all = act;
	loop_run = serve;
	family_steered(how & 1);
	family_manager(how & 2, how & 4);
	family_conf(0);
	optind = 1;
	family_memory_starting(1);
	family = NULL;
	gave_up = 0;
	if (setjmp(fatal_end) == 0)
		(void)parent_main(family_old_is_there() ? 4 : 3, argv);
	if (family == NULL) {
		clean_up_early();
		return;
	}
	/* It has ended, and does not do so again. */
	family->successor.asks = 0;
	children_end();
	clean_up();
	family_old_end();
}

/* Its children were ready, and are getting the sessions of another parent. */
int
family_takes_over(void)
{
	REQUIRE(!family->ready ||
		(!family->successor.pending && !family_old_serves()));
	return (family->successor.begun && family->successor.pending);
}

/* It has all that it says, and each session is one that the map has. */
void
family_check_file(int fd, const int *queues, uint32_t nqueues, int ahead)
{
	struct park_session session;
	struct unpark_record r;
	struct unpark_file f;
	uint32_t number;
	int of_session;

	memset(&f, 0, sizeof(f));
	memcpy(f.queues, queues, nqueues * sizeof(queues[0]));
	f.nqueues = nqueues;
	REQUIRE(unpark_file_open(&f, fd) == 0);
	while (unpark_file_next(&f, &r)) {
		if (r.type != PARK_SESSION)
			continue;
		REQUIRE(r.len == sizeof(session) && f.left-- > 0);
		memcpy(&session, r.data, sizeof(session));
		/* What came ahead may have ended since. */
		number = pmap_find(&family->map, session.node);
		REQUIRE(ahead ||
			(number != PEERMAP_NONE &&
			    pmap_entry(&family->map, number)->generation != 0));
		REQUIRE((session.ahead != 0) == (ahead != 0));
		of_session = unpark_file_take_fd(&f);
		REQUIRE(of_session != -1);
		(void)close(of_session);
	}
	REQUIRE(f.left == 0 && unpark_file_take_fd(&f) == -1);
	unpark_file_close(&f);
}

static int
is_open(const struct peermap_entry *entry)
{
	uint32_t i;

	for (i = 0; i < nopened; i++)
		if (opened[i].msg.generation == entry->generation)
			break;
	return (i < nopened && opened[i].msg.node == entry->node &&
		opened[i].msg.slot == entry->slot &&
		opened[i].worker == entry->worker && !opened[i].over);
}

static int
order(const void *a, const void *b)
{
	uint32_t x, y;

	x = *(const uint32_t *)a;
	y = *(const uint32_t *)b;
	return ((x > y) - (x < y));
}

/* It leads to a beacon that has told of the node, and not taken that back. */
static void
check_beacon(const struct peermap_entry *entry)
{
	const struct source *source;

	REQUIRE(entry->beacon <= family->gossip.nsources);
	source = &family->gossip.sources[entry->beacon - 1];
	REQUIRE(source->port != 0 && source->nodes > 0);
	REQUIRE(bsearch(&entry->node, source->ids, source->nodes,
		    sizeof(entry->node), order) != NULL);
}

static void
check_entry(const struct peermap_entry *entry)
{
	const struct process *p;

	if (entry->generation != 0) {
		REQUIRE(entry->worker < PROTO_PLACES_MAX);
		p = family->workers[entry->worker].child;
		REQUIRE(p != NULL && p->state != CHILD_DOWN);
		REQUIRE(is_open(entry));
	}
	if (entry->beacon != 0)
		check_beacon(entry);
	REQUIRE(
	    entry->generation != 0 || entry->port != 0 || entry->beacon != 0);
}

/* Sums that must be right, and names that must lead somewhere, at rest. */
void
family_check(void)
{
	const struct peermap_entry *entry;
	uint32_t endpoints, i, live, sessions, told;

	endpoints = live = sessions = told = 0;
	for (i = 0; i < pmap_used(&family->map); i++) {
		entry = pmap_entry(&family->map, i);
		if (entry->node == 0)
			continue;
		check_entry(entry);
		live++;
		sessions += entry->generation != 0;
		endpoints += entry->port != 0;
	}
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (family->workers[i].child != NULL)
			told += family->workers[i].child->sessions;
	REQUIRE(live == family->map.live && endpoints == family->map.endpoints);
	REQUIRE(sessions == told);
	REQUIRE(sessions == atomic_load(&family->map.header->sessions));
}
