/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <unistd.h>

#include "parent/parent.h"
#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

/*
 * The rules by which the parent writes sessions to the map, with two workers
 * whose ends of the channels are in our hands.
 */
static struct parent parent;
static struct imsgbuf ends[2];

static const struct channel_rule no_rules[1];

static void
ended(void *owner, const char *reason)
{
}

static int kept; /* sessions that are not to move any more */

void
move_keep(struct parent *of, const struct peermap_entry *entry)
{
	kept++;
}

static int
set_up(void)
{
	struct process *p;
	uint32_t i;
	int pair[2];

	free(parent.blocks);
	memset(&parent, 0, sizeof(parent));
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	parent.conf = conf_new();
	parent.conf->max_peers = 3;
	parent.nworkers = 2;
	parent.blocks = blocks_new();
	if (parent.blocks == NULL || pmap_create(&parent.map) == -1)
		return (-1);
	for (i = 0; i < 2; i++) {
		parent.workers[i].parent = &parent;
		parent.workers[i].number = i;
		parent.workers[i].epoch = 4;
		p = process_new(&parent.workers[i]);
		if (p == NULL)
			return (-1);
		p->state = CHILD_RUNNING;
		if (channel_pair(pair) == -1 ||
		    channel_open(&p->channel, parent.loop, pair[0], "test",
			no_rules, 0, ended, p) == -1 ||
		    imsgbuf_init(&ends[i], pair[1]) == -1)
			return (-1);
	}
	return (0);
}

static void
tear_down(void)
{
	uint32_t i;

	for (i = 0; i < 2; i++) {
		channel_close(&parent.workers[i].child->channel);
		process_free(parent.workers[i].child);
		(void)close(ends[i].fd);
		imsgbuf_clear(&ends[i]);
	}
	conf_free(parent.conf);
	pmap_destroy(&parent.map);
}

/* The next message to a worker; 0: there is none. */
static uint32_t
told(uint32_t worker, void *data, size_t len)
{
	struct imsg imsg;

	(void)channel_flush(&parent.workers[worker].child->channel);
	if (imsgbuf_get(&ends[worker], &imsg) != 1) {
		(void)imsgbuf_read(&ends[worker]);
		if (imsgbuf_get(&ends[worker], &imsg) != 1)
			return (0);
	}
	if (imsg_get_data(&imsg, data, len) == -1)
		return (UINT32_MAX);
	return (imsg_get_type(&imsg));
}

static const char *
login(uint32_t worker, uint32_t slot, uint32_t node)
{
	struct msg_admit admit;

	memset(&admit, 0, sizeof(admit));
	admit.worker = worker;
	admit.epoch = 5;
	admit.slot = slot;
	admit.serial = slot + 100;
	admit.node = node;
	admit.keyid = node * 11;
	return (admit_login(&parent, &admit));
}

/* What a worker is told of a login, and only that it is refused; 0: not so. */
static uint32_t
refused(uint32_t worker, uint32_t slot, uint32_t node)
{
	struct msg_refuse refuse;
	struct msg_open more;

	memset(&refuse, 0, sizeof(refuse));
	if (login(worker, slot, node) != NULL ||
	    told(worker, &refuse, sizeof(refuse)) != PW_REFUSE ||
	    refuse.slot != slot || refuse.serial != slot + 100 ||
	    told(worker, &more, sizeof(more)) != 0)
		return (0);
	return (refuse.reason);
}

/* The generation of a login that is let in; 0: it is not. */
static uint32_t
let_in(uint32_t worker, uint32_t slot, uint32_t node)
{
	struct msg_open msg;

	memset(&msg, 0, sizeof(msg));
	if (login(worker, slot, node) != NULL ||
	    told(worker, &msg, sizeof(msg)) != PW_OPEN)
		return (0);
	return (msg.generation);
}

/* A node that was heard by UDP, and has no session. */
static uint32_t
heard(uint32_t node)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_add(&parent.map, node, 0);
	entry = *pmap_entry(&parent.map, number);
	entry.port = 4000;
	pmap_store(&parent.map, number, &entry);
	return (number);
}

static void
test_login(void)
{
	struct peermap_entry entry;
	struct msg_open msg;

	CHECK(set_up() == 0);
	CHECK(login(1, 7, 77) == NULL);
	CHECK(told(1, &msg, sizeof(msg)) == PW_OPEN);
	CHECK(msg.slot == 7 && msg.serial == 107 && msg.node == 77);
	CHECK(peermap_lookup(&parent.map.view, 77, &entry) == 1);
	CHECK(entry.worker == 1 && entry.slot == 7 && entry.keyid == 847);
	CHECK(entry.generation == msg.generation);
	CHECK(entry.since == clock_seconds());
	CHECK(entry.replaced == 0 && parent.loads_old == 1);
	CHECK(told(0, &msg, sizeof(msg)) == 0);
	tear_down();
}

static void
test_newest_wins(void)
{
	struct msg_close end;
	struct msg_open first, second;
	struct msg_closed closed;
	struct peermap_entry entry;

	CHECK(set_up() == 0);
	CHECK(login(0, 1, 77) == NULL && login(1, 2, 77) == NULL);
	CHECK(told(0, &first, sizeof(first)) == PW_OPEN);
	CHECK(told(0, &end, sizeof(end)) == PW_CLOSE);
	CHECK(end.slot == 1 && end.generation == first.generation);
	CHECK(end.reason == CLOSE_REPLACED && kept == 1);
	CHECK(told(1, &second, sizeof(second)) == PW_OPEN);
	CHECK(second.generation != first.generation);
	/* The clean-up of the old one leaves its successor alone. */
	closed.node = 77;
	closed.generation = first.generation;
	CHECK(admit_closed(parent.workers[0].child, &closed) == NULL);
	CHECK(peermap_lookup(&parent.map.view, 77, &entry) == 1);
	CHECK(entry.worker == 1 && entry.generation == second.generation);
	/* The end of the new one is its owner's to tell, nobody else's. */
	closed.generation = second.generation;
	CHECK(admit_closed(parent.workers[0].child, &closed) != NULL);
	CHECK(peermap_lookup(&parent.map.view, 77, &entry) == 1);
	CHECK(admit_closed(parent.workers[1].child, &closed) == NULL);
	CHECK(peermap_lookup(&parent.map.view, 77, &entry) == 0);
	tear_down();
}

/* The slot was used again before its old session's end was told. */
static void
test_same_slot(void)
{
	struct msg_open first, second;

	CHECK(set_up() == 0);
	CHECK(login(0, 1, 77) == NULL && login(0, 1, 77) == NULL);
	CHECK(told(0, &first, sizeof(first)) == PW_OPEN);
	CHECK(told(0, &second, sizeof(second)) == PW_OPEN);
	CHECK(second.generation != first.generation);
	tear_down();
}

static void
test_capacity(void)
{
	uint32_t i;

	CHECK(set_up() == 0);
	for (i = 1; i <= 3; i++)
		CHECK(let_in(0, i, i) != 0);
	CHECK(refused(0, 4, 4) == REFUSE_CAPACITY && parent.map.live == 3);
	/* Nor a node that has an entry, but no session. */
	(void)heard(5);
	CHECK(refused(0, 5, 5) == REFUSE_CAPACITY);
	/* Who is in may come again: that takes no more room. */
	CHECK(let_in(1, 9, 1) != 0);
	CHECK(parent.map.header->sessions == 3);
	CHECK(parent.workers[0].child->sessions == 2);
	CHECK(parent.workers[1].child->sessions == 1);
	tear_down();
}

static void
test_capacity_of_one_and_of_any(void)
{
	CHECK(set_up() == 0);
	parent.conf->max_peers = 1;
	CHECK(let_in(0, 1, 1) != 0);
	CHECK(refused(0, 2, 2) == REFUSE_CAPACITY);
	parent.conf->max_peers = 0;
	CHECK(let_in(0, 2, 2) != 0);
	tear_down();
}

/* The map is full of nodes without sessions; the last entry is had, too. */
static void
test_full_map(void)
{
	CHECK(set_up() == 0);
	parent.map.live = PEERMAP_NODES_MAX - 1;
	CHECK(let_in(0, 1, 1) != 0);
	CHECK(parent.map.live == PEERMAP_NODES_MAX);
	CHECK(refused(0, 2, 2) == REFUSE_CAPACITY);
	CHECK(let_in(1, 1, 1) != 0);
	tear_down();
}

static void
test_blocked(void)
{
	uint8_t addr[16];

	CHECK(set_up() == 0);
	blocks_node(addr, 77);
	CHECK(blocks_add(parent.blocks, addr, BLOCKS_NODE) != NULL);
	CHECK(refused(0, 1, 77) == REFUSE_BLOCKED && parent.map.live == 0);
	CHECK(let_in(0, 1, 78) != 0);
	tear_down();
}

/* In the same place of another worker, or in another place of the same. */
static void
test_replaced_next_door(void)
{
	struct msg_close end;
	struct msg_open msg;

	CHECK(set_up() == 0);
	CHECK(login(0, 5, 77) == NULL);
	CHECK(told(0, &msg, sizeof(msg)) == PW_OPEN);
	CHECK(login(1, 5, 77) == NULL);
	CHECK(told(0, &end, sizeof(end)) == PW_CLOSE && end.slot == 5);
	CHECK(told(1, &msg, sizeof(msg)) == PW_OPEN);
	CHECK(login(1, 6, 77) == NULL);
	CHECK(told(1, &end, sizeof(end)) == PW_CLOSE && end.slot == 5);
	CHECK(told(1, &msg, sizeof(msg)) == PW_OPEN);
	tear_down();
}

static void
test_flapping(void)
{
	struct msg_close end;
	struct msg_open msg;
	uint32_t i;

	CHECK(set_up() == 0);
	for (i = 0; i <= REPLACE_MAX; i++) {
		CHECK(login(i & 1, i, 77) == NULL);
		if (i > 1)
			CHECK(told(i & 1, &end, sizeof(end)) == PW_CLOSE);
		CHECK(told(i & 1, &msg, sizeof(msg)) == PW_OPEN);
	}
	/* That the last session was replaced is told first. */
	CHECK(told(1, &end, sizeof(end)) == PW_CLOSE);
	CHECK(refused(0, 50, 77) == REFUSE_FLAPPING);
	still_pass(REPLACE_WINDOW - 1);
	CHECK(refused(0, 51, 77) == REFUSE_FLAPPING);
	still_pass(1);
	CHECK(let_in(1, 52, 77) != 0);
	tear_down();
}

static void
test_revoked(void)
{
	struct msg_close end;
	struct msg_closed revoke;

	CHECK(set_up() == 0);
	revoke.node = 77;
	revoke.generation = let_in(0, 1, 77) + 1;
	CHECK(admit_revoke(&parent, &revoke) == 0);
	CHECK(pmap_find(&parent.map, 77) != PEERMAP_NONE);
	revoke.generation--;
	parent.loads_old = 0;
	CHECK(admit_revoke(&parent, &revoke) == 1 && parent.loads_old == 1);
	CHECK(pmap_find(&parent.map, 77) == PEERMAP_NONE);
	CHECK(told(0, &end, sizeof(end)) == PW_CLOSE);
	CHECK(end.reason == CLOSE_REVOKED && end.slot == 1);
	CHECK(admit_revoke(&parent, &revoke) == 0);
	tear_down();
}

/* As if it had never been here: nobody tells its peer. */
static void
test_another_parent_has_it_again(void)
{
	struct msg_closed session;
	struct msg_forget forget;

	CHECK(set_up() == 0);
	session.node = 77;
	session.generation = let_in(0, 1, 77) + 1;
	CHECK(admit_forget(&parent, &session) == 0);
	session.generation--;
	CHECK(admit_forget(&parent, &session) == 1);
	CHECK(pmap_find(&parent.map, 77) == PEERMAP_NONE);
	CHECK(told(0, &forget, sizeof(forget)) == PW_FORGET);
	CHECK(forget.slot == 1 && forget.generation == session.generation);
	CHECK(admit_forget(&parent, &session) == 0);
	tear_down();
}

static void
test_is_open(void)
{
	struct msg_closed session;

	CHECK(set_up() == 0);
	session.node = 77;
	session.generation = let_in(0, 1, 77);
	CHECK(admit_is_open(&parent, &session));
	session.generation++;
	CHECK(!admit_is_open(&parent, &session));
	session.node = 78;
	CHECK(!admit_is_open(&parent, &session));
	/* That of no session is not the generation of one. */
	(void)heard(78);
	session.generation = 0;
	CHECK(!admit_is_open(&parent, &session));
	tear_down();
}

static void
test_dropped(void)
{
	struct msg_close end;
	uint32_t generation;

	CHECK(set_up() == 0);
	generation = let_in(0, 1, 77);
	(void)heard(78);
	CHECK(admit_drop(&parent, 76) == 0 && admit_drop(&parent, 78) == 0);
	CHECK(told(0, &end, sizeof(end)) == 0);
	CHECK(admit_drop(&parent, 77) == 1);
	CHECK(told(0, &end, sizeof(end)) == PW_CLOSE);
	CHECK(end.reason == CLOSE_DROPPED && end.slot == 1);
	CHECK(end.generation == generation);
	/* It is there until its worker has closed it. */
	CHECK(parent.map.header->sessions == 1);
	tear_down();
}

/* Nothing of the session stays with the node that is still heard by UDP. */
static void
test_endpoint_stays(void)
{
	const struct peermap_entry *entry;
	struct msg_closed closed;

	CHECK(set_up() == 0);
	entry = pmap_entry(&parent.map, heard(77));
	closed.node = 77;
	closed.generation = let_in(1, 1, 77);
	CHECK(admit_closed(parent.workers[1].child, &closed) == NULL);
	CHECK(entry->node == 77 && entry->port == 4000);
	CHECK(entry->generation == 0 && entry->slot == 0);
	CHECK(entry->worker == 0 && entry->since == 0 && entry->keyid == 0);
	tear_down();
}

static void
test_dead_worker(void)
{
	CHECK(set_up() == 0);
	CHECK(login(0, 1, 71) == NULL && login(1, 1, 72) == NULL);
	CHECK(login(0, 2, 73) == NULL);
	(void)heard(74);
	pmap_load(&parent.map, 0, 3);
	pmap_load(&parent.map, 1, 1);
	admit_worker_lost(parent.workers[0].child);
	CHECK(parent.map.header->load[0] == UINT32_MAX);
	CHECK(parent.map.header->load[1] == 1);
	CHECK(pmap_find(&parent.map, 71) == PEERMAP_NONE);
	CHECK(pmap_find(&parent.map, 72) != PEERMAP_NONE);
	CHECK(pmap_find(&parent.map, 73) == PEERMAP_NONE);
	CHECK(parent.map.header->sessions == 1);
	CHECK(parent.workers[0].child->sessions == 0);
	CHECK(parent.workers[1].child->sessions == 1);
	tear_down();
}

/* What auth cannot mean is a breach; what came too late is not. */
static void
test_hostile_auth(void)
{
	struct msg_admit admit;
	struct msg_open msg;

	CHECK(set_up() == 0);
	CHECK(login(2, 1, 77) != NULL && login(UINT32_MAX, 1, 77) != NULL);
	CHECK(login(PROTO_PLACES_MAX, 1, 77) != NULL);
	CHECK(login(0, 1, 0) != NULL);
	memset(&admit, 0, sizeof(admit));
	admit.node = 77;
	admit.epoch = 6;
	CHECK(admit_login(&parent, &admit) != NULL);
	admit.epoch = 4;
	CHECK(admit_login(&parent, &admit) == NULL);
	CHECK(told(0, &msg, sizeof(msg)) == 0 && parent.map.live == 0);
	admit.epoch = 5;
	admit.pad = 1;
	CHECK(admit_login(&parent, &admit) != NULL);
	parent.workers[0].child->state = CHILD_DOWN;
	CHECK(login(0, 1, 77) == NULL && parent.map.live == 0);
	tear_down();
}

/* Places that nobody has held yet, the first child of one, and the last one. */
static void
test_hostile_place(void)
{
	struct msg_admit admit;

	CHECK(set_up() == 0);
	memset(&admit, 0, sizeof(admit));
	admit.node = 77;
	admit.worker = 2;
	CHECK(admit_login(&parent, &admit) != NULL);
	parent.workers[2].epoch = admit.epoch = 1;
	CHECK(admit_login(&parent, &admit) == NULL);
	parent.workers[PROTO_PLACES_MAX - 1].epoch = 5;
	CHECK(login(PROTO_PLACES_MAX - 1, 1, 77) == NULL);
	/* What stands behind the last of them is none. */
	parent.auth.epoch = 5;
	CHECK(login(PROTO_PLACES_MAX, 1, 77) != NULL);
	tear_down();
}

static void
test_hostile_worker(void)
{
	struct msg_closed closed;

	CHECK(set_up() == 0);
	closed.node = 0;
	closed.generation = 1;
	CHECK(admit_closed(parent.workers[0].child, &closed) != NULL);
	closed.node = 77;
	closed.generation = 0;
	CHECK(admit_closed(parent.workers[0].child, &closed) != NULL);
	closed.generation = 9;
	CHECK(admit_closed(parent.workers[0].child, &closed) == NULL);
	tear_down();
}

int
main(void)
{
	RUN(test_login);
	RUN(test_newest_wins);
	RUN(test_same_slot);
	RUN(test_capacity);
	RUN(test_capacity_of_one_and_of_any);
	RUN(test_full_map);
	RUN(test_blocked);
	RUN(test_replaced_next_door);
	RUN(test_flapping);
	RUN(test_revoked);
	RUN(test_another_parent_has_it_again);
	RUN(test_is_open);
	RUN(test_dropped);
	RUN(test_endpoint_stays);
	RUN(test_dead_worker);
	RUN(test_hostile_auth);
	RUN(test_hostile_place);
	RUN(test_hostile_worker);
	return (test_failed());
}
