/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>

#include "common/clock.h"
#include "parent/adopt.h"
#include "parent/park_file.h"
#include "regress/unit/parent/parts.h"

/*
 * Which parent is like us, and what of it becomes ours.  Worker 0 and auth are
 * the other one's, worker 1 our own.
 */

static struct listener listeners[2];
static struct park_file *file;
static struct park_header header;
static int maps, connected, told_beacons, left, moved, ended, opened;
static int told_networks, shown;

/* ---- in the place of what it calls ---- */

void
unpark_map(struct parent *of, const struct unpark_record *r)
{
	maps += r->type == PARK_NODE;
}

void
gossip_source_introduce(struct process *worker)
{
	told_beacons++;
}

void
gossip_source_tell_default(struct process *worker)
{
	told_beacons++;
}

void
wiring_networks(struct process *p)
{
	told_networks++;
}

void
block_introduce(struct process *worker)
{
	told_networks++;
}

void
keys_show(struct process *auth)
{
	shown += auth == parent.auth.child;
}

/* Our own comes first: it is the one that ends if it cannot be. */
void
wiring_connect(struct process *a, struct process *b)
{
	connected +=
	    a == parent.workers[1].child && b == parent.workers[0].child;
}

void
places_leave(struct place *place)
{
	left++;
	place->parent->places.leaving++;
}

void
places_moved(struct parent *of)
{
	moved += !of->places.renewal.taking_over;
}

void
beside_end(struct parent *of)
{
	ended++;
}

void
logfd_open(struct process *p, int fd, int words)
{
	opened += fd == 100 && words == 101;
}

/* ---- */

static void
listen_at(int i, enum listener_kind kind, uint16_t port)
{
	struct sockaddr_in *sin;

	listeners[i].kind = kind;
	sin = (void *)&listeners[i].ss;
	sin->sin_family = AF_INET;
	sin->sin_port = htons(port);
	TAILQ_INSERT_TAIL(&parent.listeners, &listeners[i], entry);
}

static void
test_who_is_alike(void)
{
	uint64_t before;

	before = adopt_alike(&parent);
	CHECK(adopt_alike(&parent) == before);
	/* In whatever order, and whatever there is of metrics. */
	TAILQ_REMOVE(&parent.listeners, &listeners[0], entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &listeners[0], entry);
	CHECK(adopt_alike(&parent) == before);
	listeners[0].kind = LISTENER_METRICS;
	CHECK(adopt_alike(&parent) != before);
	listeners[0].kind = LISTENER_WEBSOCKET;
	listeners[1].number++;
	CHECK(adopt_alike(&parent) != before);
	listeners[1].number--;
	listeners[0].proxy_protocol = 1;
	CHECK(adopt_alike(&parent) != before);
	listeners[0].proxy_protocol = 0;
	((struct sockaddr_in *)(void *)&listeners[0].ss)->sin_port++;
	CHECK(adopt_alike(&parent) != before);
	((struct sockaddr_in *)(void *)&listeners[0].ss)->sin_port--;
	parent.nworkers++;
	CHECK(adopt_alike(&parent) != before);
	parent.nworkers--;
	parent.max_sockets++;
	CHECK(adopt_alike(&parent) != before);
	parent.max_sockets--;
	CHECK(adopt_alike(&parent) == before);
}

static void
test_where_our_workers_go(void)
{
	int pair[2];

	parent.successor.places[0] = 1U << 3;
	parent.successor.places[1] = 1U << 5;
	parent.successor.alike = adopt_alike(&parent);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	parent.successor.fd = pair[0];
	adopt_decide(&parent);
	CHECK(!parent.successor.adopt.likely);
	CHECK(successor_place(&parent.successor, 3) == 3);
	parent.successor.asks = 1;
	adopt_decide(&parent);
	CHECK(parent.successor.adopt.likely);
	CHECK(successor_place(&parent.successor, 2) == 2 &&
	      successor_place(&parent.successor, 5) == 5);
	CHECK(successor_place(&parent.successor, 3) == 3 + PROTO_WORKERS_MAX);
	parent.successor.alike++;
	adopt_decide(&parent);
	CHECK(!parent.successor.adopt.likely);
	/* Nor one of which we cannot tell who it is. */
	parent.successor.alike--;
	parent.successor.fd = -1;
	adopt_decide(&parent);
	CHECK(!parent.successor.adopt.likely);
}

static struct park_held
held_by(uint32_t node, uint32_t worker, uint32_t slot, uint32_t generation)
{
	struct park_held held;

	memset(&held, 0, sizeof(held));
	held.session.node = node;
	held.session.since = 7;
	held.session.keyid = 8;
	held.session.replaced = 3;
	held.session.rwindow = 9;
	held.worker = worker;
	held.slot = slot;
	held.generation = generation;
	return (held);
}

static void
add(enum park_type type, const void *data, size_t len)
{
	struct iovec iov;

	iov.iov_base = (void *)(uintptr_t)data;
	iov.iov_len = len;
	if (park_file_add(file, type, &iov, 1) == -1)
		abort();
}

static void
begin(void)
{
	file = park_file_new();
	if (file == NULL)
		abort();
	memset(&header, 0, sizeof(header));
	header.generation = 70;
	header.tickets = 50;
}

static const char *
reads(void)
{
	const char *wrong;

	if (park_file_seal(file, &header) == -1)
		abort();
	wrong = adopt_read(&parent, file->fd);
	park_file_free(file);
	return (wrong);
}

/* With that session alone. */
static int
reads_no(struct park_held held)
{
	begin();
	add(PARK_HELD, &held, sizeof(held));
	return (reads() != NULL);
}

static void
test_what_is_no_session_of_theirs(void)
{
	CHECK(reads_no(held_by(5, 1, 2, 60)));
	CHECK(reads_no(held_by(5, PROTO_PLACES_MAX, 2, 60)));
	CHECK(reads_no(held_by(5, 2, 2, 60)));
	CHECK(reads_no(held_by(5, 0, parent.max_sockets, 60)));
	CHECK(reads_no(held_by(5, 0, 2, 0)));
	CHECK(reads_no(held_by(0, 0, 2, 60)));
	CHECK(pmap_used(&parent.map) == 0);
}

static void
test_what_becomes_ours(void)
{
	const struct peermap_entry *entry;
	struct park_held held;
	struct counters sum;
	struct park_node node;

	begin();
	held = held_by(5, 0, 2, 60);
	add(PARK_HELD, &held, sizeof(held));
	held = held_by(6, 0, 3, 61);
	add(PARK_HELD, &held, sizeof(held));
	memset(&sum, 0, sizeof(sum));
	sum.value[COUNTER_AUTH_OK] = 30;
	add(PARK_COUNTERS, &sum, sizeof(sum));
	memset(&node, 0, sizeof(node));
	add(PARK_NODE, &node, sizeof(node));
	parent.tickets = 3;
	CHECK(reads() == NULL && maps == 1);
	CHECK(parent.tickets == 50 && parent.map.generation == 70 &&
	      parent.keys_generation == 70);
	CHECK(parent.base.value[COUNTER_AUTH_OK] == 30);
	CHECK(parent.workers[0].child->sessions == 2 &&
	      parent.successor.unpark.taken == 2);
	entry = pmap_session(&parent.map, 5, 60, 0, 2);
	CHECK(entry != NULL && entry->keyid == 8 && entry->replaced == 3);
	CHECK(clock_seconds() - entry->since - 7 <= 1 &&
	      clock_seconds() - entry->rwindow - 9 <= 1);
	CHECK(pmap_session(&parent.map, 6, 61, 0, 3) != NULL);
	CHECK(reads_no(held_by(5, 0, 4, 62)));
	/* Our own numbers are not given out twice either. */
	parent.tickets = 90;
	begin();
	CHECK(reads() == NULL && parent.tickets == 90);
}

static void
test_not_all_of_them(void)
{
	struct adopt *adopt;

	adopt = &parent.successor.adopt;
	adopt->wards[0].log = -1;
	begin();
	CHECK(reads() != NULL);
	adopt->wards[0].log = 100;
	adopt->wards[1].words = -1;
	begin();
	CHECK(reads() != NULL);
	adopt->wards[1].words = 101;
	adopt->wards[1].process->page = NULL;
	begin();
	CHECK(reads() != NULL);
	adopt->wards[1].process->page = counters;
	/* Without auth, or with nobody at all. */
	adopt->nwards = 1;
	begin();
	CHECK(reads() != NULL);
	adopt->nwards = 2;
	begin();
	CHECK(reads() == NULL);
}

static void
test_all_are_heard_and_leave(void)
{
	struct process *p;

	adopt_over(&parent);
	p = parent.workers[0].child;
	CHECK(p->state == CHILD_RUNNING && !p->channel.paused);
	CHECK(ev_is_active(&p->watcher) &&
	      ev_is_active(&parent.auth.child->watcher));
	CHECK(left == 1 && moved == 1 && ended == 0 && opened == 2);
	CHECK(connected == 1 && told_beacons == 2 && told_networks == 2);
	CHECK(shown == 1 && p->unanswered == 1);
	CHECK(parent.auth.leaving && parent.auth.retired);
	CHECK(parts_told(1, PW_MAP, NULL, 0) == 1);
	CHECK(parts_told(1, PW_ROUTER_END, NULL, 0) == 1);
	CHECK(parts_told(1, PW_PING, NULL, 0) == 1);
	CHECK(parts_told(1, 0, NULL, 0) == -1);
	CHECK(parts_told(0, PA_MAP, NULL, 0) == 1);
	CHECK(parts_told(0, 0, NULL, 0) == -1);
	CHECK(parts_told(2, 0, NULL, 0) == -1);
}

/* As adopt_ward.c has it. */
static void
ward(uint32_t i, struct process *p)
{
	static struct role_rules rules[2];

	rules[i] = *p->place->role;
	rules[i].map = i == 0 ? PW_MAP : PA_MAP;
	rules[i].ping = PW_PING;
	p->place->role = &rules[i];
	p->state = CHILD_DOWN;
	p->page = counters;
	channel_pause(&p->channel);
	ev_io_init(&p->watcher, NULL, dup(STDIN_FILENO), EV_READ);
	parent.successor.adopt.wards[i].process = p;
	parent.successor.adopt.wards[i].log = 100;
	parent.successor.adopt.wards[i].words = 101;
	parent.successor.adopt.nwards++;
}

int
main(void)
{
	parts_init();
	parent.max_sockets = 100;
	parent.workers[0].number = 0;
	listen_at(0, LISTENER_WEBSOCKET, 1000);
	listen_at(1, LISTENER_UDP, 1000);
	if (pmap_create(&parent.map) == -1)
		return (1);
	ward(0, parent.workers[0].child);
	ward(1, parent.auth.child);
	RUN(test_who_is_alike);
	RUN(test_where_our_workers_go);
	RUN(test_what_is_no_session_of_theirs);
	RUN(test_what_becomes_ours);
	RUN(test_not_all_of_them);
	RUN(test_all_are_heard_and_leave);
	return (test_failed());
}
