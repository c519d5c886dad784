/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "parent/adopt.h"
#include "regress/unit/parent/parts.h"

/* A child of another parent as it comes to us, and what is none. */

static struct process *came;   /* what supervise_adopt() has made */
static struct process *all[8]; /* of these nobody lets go */
static int adopted, dead, ended;
static pid_t child;

struct process *
supervise_adopt(
    struct parent *of, struct place *place, const struct msg_ctl_ward *msg)
{
	struct process *p;

	place->role =
	    msg->role == ROLE_AUTH ? parent.auth.role : parent.workers[0].role;
	place->parent = of;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		abort();
	p->parent = of;
	p->place = place;
	p->page_fd = p->watcher.fd = -1;
	came = all[adopted++] = p;
	return (p);
}

void
supervise_channel_end(void *owner, const char *reason)
{
	ended++;
}

void
supervise_gone(struct process *p)
{
	dead += p == came;
}

static const char *
comes(uint32_t role, uint32_t number, uint32_t epoch, uint32_t pid)
{
	struct msg_ctl_ward msg = { role, number, epoch, pid, 10 };
	int pair[2];

	if (channel_pair(pair) == -1)
		abort();
	(void)close(pair[1]);
	return (adopt_ward(&parent, &msg, sizeof(msg), pair[0]));
}

static void
test_what_is_no_child(void)
{
	fflush(stdout);
	child = fork();
	if (child == 0) {
		(void)pause();
		_exit(0);
	}
	CHECK(comes(ROLE_METRICS, 0, 1, (uint32_t)child) != NULL);
	CHECK(comes(ROLE_AUTH, 1, 1, (uint32_t)child) != NULL);
	CHECK(comes(ROLE_WORKER, PROTO_PLACES_MAX, 1, (uint32_t)child) != NULL);
	/* Ours has that place. */
	CHECK(comes(ROLE_WORKER, 1, 1, (uint32_t)child) != NULL);
	CHECK(comes(ROLE_WORKER, 2, 0, (uint32_t)child) != NULL);
	CHECK(comes(ROLE_WORKER, 2, 1, 1) != NULL);
	CHECK(comes(ROLE_WORKER, 2, 1, UINT32_MAX) != NULL);
	CHECK(adopted == 0 && parent.successor.adopt.nwards == 0);
}

static void
test_what_is_of_nobody(void)
{
	CHECK(adopt_ward_page(&parent, NULL, 0, dup(0)) != NULL);
	CHECK(adopt_ward_log(&parent, NULL, 0, dup(0)) != NULL);
	CHECK(adopt_ward_words(&parent, NULL, 0, dup(0)) != NULL);
}

static int
page(off_t size)
{
	int fd;

	fd = memfd_create("page", 0);
	if (fd == -1 || ftruncate(fd, size) == -1)
		abort();
	return (fd);
}

static void
test_a_worker(void)
{
	const struct ward *ward;

	CHECK(comes(ROLE_WORKER, 2 + PROTO_WORKERS_MAX, 4, (uint32_t)child) ==
	      NULL);
	CHECK(adopted == 1 && parent.successor.adopt.nwards == 1);
	ward = &parent.successor.adopt.wards[0];
	CHECK(ward->process == came && ward->log == -1 && ward->words == -1);
	CHECK(came->pid == child && came->state == CHILD_DOWN);
	/* It is not ours yet: nothing is read, nor is its death heard of. */
	CHECK(came->channel.open && came->channel.paused &&
	      came->channel.state == PROCESS_RUNNING);
	CHECK(came->watcher.fd != -1 && !ev_is_active(&came->watcher));
	CHECK(adopt_ward_page(&parent, NULL, 0, page(COUNTERS_BYTES - 1)) !=
	      NULL);
	CHECK(adopt_ward_page(&parent, NULL, 0, page(COUNTERS_BYTES)) == NULL);
	CHECK(came->page != NULL && came->page_fd != -1);
	CHECK(adopt_ward_page(&parent, NULL, 0, page(COUNTERS_BYTES)) != NULL);
	CHECK(adopt_ward_log(&parent, NULL, 0, dup(0)) == NULL);
	CHECK(ward->log != -1 && ward->words == -1);
	CHECK(adopt_ward_log(&parent, NULL, 0, dup(0)) != NULL);
	CHECK(adopt_ward_words(&parent, NULL, 0, dup(0)) == NULL);
	CHECK(ward->words != -1);
	CHECK(adopt_ward_words(&parent, NULL, 0, dup(0)) != NULL);
}

/* Who has started it is asked to kill it, and it is seen to be dead. */
static void
test_its_end(void)
{
	int pair[2];
	uint32_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	parent.successor.nurse = pair[0];
	ev_io_start(parent.loop, &came->watcher);
	process_kill_at_once(came);
	CHECK(recv(pair[1], &pid, sizeof(pid), 0) == sizeof(pid) &&
	      pid == (uint32_t)child);
	CHECK(kill(child, SIGKILL) == 0);
	while (dead == 0)
		(void)ev_run(parent.loop, EVRUN_ONCE);
	CHECK(dead == 1 && came->watcher.fd == -1);
	CHECK(parent.successor.adopt.nwards == 0);
	CHECK(parent.successor.nurse == -1 &&
	      recv(pair[1], &pid, sizeof(pid), 0) == 0);
	/* The loop may have waited for it already. */
	CHECK(waitpid(child, NULL, 0) == child || errno == ECHILD);
}

/* What is dead already, and nobody waits for, cannot be watched. */
static void
test_one_that_is_gone(void)
{
	CHECK(comes(ROLE_AUTH, 0, 1, (uint32_t)child) != NULL);
	CHECK(parent.successor.adopt.nwards == 0);
}

static void
test_auth(void)
{
	parent.auth_beside.role = NULL;
	CHECK(comes(ROLE_AUTH, 0, 1, (uint32_t)getpid()) == NULL);
	CHECK(parent.successor.adopt.nwards == 1);
	CHECK(came->place == &parent.auth_beside);
	CHECK(comes(ROLE_AUTH, 0, 1, (uint32_t)getpid()) != NULL);
	CHECK(ended == 0);
}

int
main(void)
{
	static const struct channel_rule no_rules[1];
	static const size_t none;
	static struct role_rules rules[2];
	uint32_t i;

	parts_init();
	for (i = 0; i < 2; i++) {
		rules[i].id = i == 0 ? ROLE_AUTH : ROLE_WORKER;
		rules[i].rules = no_rules;
		rules[i].nrules = &none;
	}
	parent.auth.role = &rules[0];
	parent.workers[0].role = &rules[1];
	RUN(test_what_is_no_child);
	RUN(test_what_is_of_nobody);
	RUN(test_a_worker);
	RUN(test_its_end);
	RUN(test_one_that_is_gone);
	RUN(test_auth);
	return (test_failed());
}
