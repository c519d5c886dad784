/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>

#include "common/clock.h"
#include "parent/adopt.h"
#include "parent/park_file.h"
#include "regress/unit/parent/parts.h"

/* Our children come to rest, are given to another parent, and waited for. */

static struct imsgbuf other; /* the other parent's end of the channel */
static struct channel to_other;
static struct imsg imsg;

static void
ends(void *owner, const char *reason)
{
}

/* Do all four ends say of a channel that it is (not) paused? */
static int
all_paused(int paused)
{
	return (parent.auth.child->channel.paused == paused &&
		parent.workers[0].child->channel.paused == paused &&
		parent.workers[1].child->channel.paused == paused);
}

static void
test_at_rest_all_are_paused(void)
{
	CHECK(all_paused(0));
	CHECK(entrust_rests(&parent) && all_paused(1));
	entrust_undo(&parent);
	CHECK(all_paused(0));
}

static void
test_what_is_on_its_way_arrives_first(void)
{
	struct process *p;
	struct msg_still msg;

	p = parent.workers[1].child;
	memset(&msg, 0, sizeof(msg));
	process_send(p, PW_STILL, -1, &msg, sizeof(msg));
	CHECK(entrust_rests(&parent));
	CHECK(parts_told(2, PW_STILL, &msg, sizeof(msg)) == 1);
	entrust_undo(&parent);
}

/* Also what is said while they wait for the other one; unless they hang. */
static void
test_what_is_said_last_has_left(void)
{
	static const uint8_t much[8192];
	struct process *p;
	struct msg_still msg;
	int i;

	CHECK(entrust_rests(&parent));
	p = parent.workers[0].child;
	memset(&msg, 0, sizeof(msg));
	process_send(p, PW_STILL, -1, &msg, sizeof(msg));
	CHECK(entrust_can_end(&parent));
	CHECK(parts_told(1, PW_STILL, &msg, sizeof(msg)) == 1);
	for (i = 0; i < 100; i++)
		process_send(p, PW_STILL, -1, much, sizeof(much));
	CHECK(!entrust_can_end(&parent));
	while (parts_told(1, PW_STILL, (void *)(uintptr_t)much, 1) != -1)
		continue;
	CHECK(entrust_can_end(&parent));
	entrust_undo(&parent);
}

static void
test_a_move_and_a_sync_are_waited_for(void)
{
	struct process *p;
	struct move move;

	p = parent.workers[0].child;
	p->move = &move;
	CHECK(!entrust_rests(&parent) && all_paused(0));
	p->move = NULL;
	p->sync.open = 1;
	CHECK(!entrust_rests(&parent) && all_paused(0));
	p->sync.open = 0;
	p->state = CHILD_STARTING;
	CHECK(!entrust_rests(&parent) && all_paused(0));
	p->state = CHILD_RUNNING;
	CHECK(entrust_rests(&parent));
	entrust_undo(&parent);
}

/* One of which the first bytes have come only. */
static void
test_half_a_message_is_waited_for(void)
{
	struct imsg_header header;
	struct process *p;

	p = parent.workers[0].child;
	memset(&header, 0, sizeof(header));
	header.len = sizeof(header) + 4;
	CHECK(
	    write(parts_ends[1].fd, &header, sizeof(header)) == sizeof(header));
	(void)ev_run(parent.loop, EVRUN_ONCE);
	CHECK(p->channel.open && !entrust_rests(&parent) && all_paused(0));
	p->channel.imsgbuf.rpos = p->channel.imsgbuf.rlen;
	CHECK(entrust_rests(&parent));
	entrust_undo(&parent);
}

/* Of what is written: a session, and what those have counted that stay. */
static void
test_what_is_written(void)
{
	struct peermap_entry entry;
	struct park_header header;
	struct park_record *record;
	struct park_held *held;
	struct counters *sum;
	uint32_t now, number;
	uint8_t *bytes;

	now = clock_seconds();
	number = pmap_add(&parent.map, 7, 0);
	memset(&entry, 0, sizeof(entry));
	entry.generation = 9;
	entry.worker = 1;
	entry.slot = 3;
	entry.since = now - 5;
	entry.keyid = 11;
	entry.replaced = 2;
	entry.rwindow = now - 6;
	pmap_store(&parent.map, number, &entry);
	number = pmap_add(&parent.map, 8, 0);
	memset(&entry, 0, sizeof(entry));
	entry.port = 1;
	pmap_store(&parent.map, number, &entry);
	parent.base.value[COUNTER_AUTH_OK] = 40;
	counters_add(COUNTER_AUTH_OK, 2);
	parent.park.file = park_file_new();
	CHECK(entrust_write(&parent) == 0);
	memset(&header, 0, sizeof(header));
	CHECK(park_file_seal(parent.park.file, &header) == 0);
	bytes = mmap(NULL, header.bytes, PROT_READ, MAP_PRIVATE,
	    parent.park.file->fd, 0);
	CHECK(bytes != MAP_FAILED);
	record = (void *)(bytes + sizeof(header));
	CHECK(record->type == PARK_HELD && record->len == sizeof(*held));
	held = (void *)(record + 1);
	CHECK(held->session.node == 7 && held->generation == 9 &&
	      held->worker == 1 && held->slot == 3 &&
	      held->session.keyid == 11 && held->session.replaced == 2);
	CHECK(held->session.since - 5 <= 1 && held->session.rwindow - 6 <= 1);
	record = (void *)(held + 1);
	CHECK(record->type == PARK_COUNTERS && record->len == sizeof(*sum));
	sum = (void *)(record + 1);
	CHECK(sum->value[COUNTER_AUTH_OK] == 42);
	CHECK((uint8_t *)(record + 1) + sizeof(*sum) <= bytes + header.bytes);
	park_file_free(parent.park.file);
	parent.park.file = NULL;
}

static int
next(uint32_t type)
{
	(void)channel_flush(&to_other);
	while (imsgbuf_get(&other, &imsg) != 1)
		if (imsgbuf_read(&other) != 1)
			return (0);
	return (imsg_get_type(&imsg) == type && imsg_has_fd(&imsg));
}

static int
a_child(enum role role, uint32_t number)
{
	struct msg_ctl_ward ward;

	if (!next(CTL_WARD) || imsg_get_data(&imsg, &ward, sizeof(ward)) == -1)
		return (0);
	imsg_free(&imsg);
	if (ward.role != role || ward.number != number || ward.epoch != 1 ||
	    ward.pid != 1000 + number || ward.age != 20)
		return (0);
	if (!next(CTL_WARD_PAGE))
		return (0);
	imsg_free(&imsg);
	if (!next(CTL_WARD_LOG))
		return (0);
	imsg_free(&imsg);
	if (!next(CTL_WARD_WORDS))
		return (0);
	imsg_free(&imsg);
	return (1);
}

static void
has_all(struct process *p, pid_t pid)
{
	p->pid = pid;
	p->started = clock_seconds() - 20;
	p->page_fd = p->log.fd = p->words.fd = STDIN_FILENO;
}

static void
test_all_are_given(void)
{
	int pair[2];

	CHECK(channel_pair(pair) == 0 &&
	      channel_open(&to_other, parent.loop, pair[0], "other", NULL, 0,
		  ends, NULL) == 0 &&
	      imsgbuf_init(&other, pair[1]) == 0);
	imsgbuf_allow_fdrecv(&other);
	has_all(parent.workers[0].child, 1000);
	has_all(parent.workers[1].child, 1001);
	has_all(parent.auth.child, 1000);
	CHECK(entrust_give(&parent, &to_other) == 0);
	CHECK(a_child(ROLE_WORKER, 0) && a_child(ROLE_WORKER, 1) &&
	      a_child(ROLE_AUTH, 0));
	/* One without a descriptor cannot be given. */
	parent.workers[1].child->page_fd = -1;
	CHECK(entrust_give(&parent, &to_other) == -1);
}

/* Its child has ended, and so has what it had. */
static void
wait_for_a_child(void)
{
	int pair[2];
	char c;

	if (pipe(pair) == -1)
		_exit(2);
	if (fork() == 0) {
		(void)close(pair[1]);
		/* Until the other end is closed: by entrust_wait(). */
		(void)!read(pair[0], &c, 1);
		_exit(5);
	}
	entrust_wait(&parent, STDIN_FILENO);
}

/* One that does not end is killed when the other parent says so. */
static void
wait_for_one_that_hangs(void)
{
	uint32_t pid;
	pid_t child;
	int pair[2];

	/* What is said of its death goes there. */
	if (open("/dev/null", O_WRONLY) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		_exit(2);
	child = fork();
	if (child == 0)
		for (;;)
			(void)pause();
	parent.workers[1].child->pid = child;
	/* Whom it does not have it does not kill. */
	pid = (uint32_t)getppid();
	(void)!write(pair[1], &pid, sizeof(pid));
	pid = (uint32_t)child;
	(void)!write(pair[1], &pid, sizeof(pid));
	entrust_wait(&parent, pair[0]);
}

static void
test_one_that_hangs_is_killed(void)
{
	CHECK(parts_apart(wait_for_one_that_hangs) == 0);
}

static void
test_they_are_waited_for(void)
{
	CHECK(parts_apart(wait_for_a_child) == 0);
}

int
main(void)
{
	parts_init();
	if (pmap_create(&parent.map) == -1)
		return (1);
	RUN(test_at_rest_all_are_paused);
	RUN(test_what_is_on_its_way_arrives_first);
	RUN(test_what_is_said_last_has_left);
	RUN(test_a_move_and_a_sync_are_waited_for);
	RUN(test_half_a_message_is_waited_for);
	RUN(test_what_is_written);
	RUN(test_all_are_given);
	RUN(test_they_are_waited_for);
	RUN(test_one_that_hangs_is_killed);
	return (test_failed());
}
