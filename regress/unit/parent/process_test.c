/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <signal.h>

#include "regress/unit/parent/parts.h"

/* A child: sent to, killed, lost. */

static int lost; /* how often what it held was let go */

static void
let_go(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	lost++;
}

/* A new child in worker 0's place, with a process of its own. */
static struct process *
begin(void)
{
	struct process *p;

	if (parent.workers[0].child != NULL) {
		channel_close(&parent.workers[0].child->channel);
		process_free(parent.workers[0].child);
	}
	p = parts_child(1);
	ev_init(&p->lost, let_go);
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0) {
		(void)pause();
		_exit(0);
	}
	lost = 0;
	parent.stopping = 0;
	return (p);
}

/* Was it killed? */
static int
is_killed(struct process *p)
{
	int status;

	if (waitpid(p->pid, &status, p->killed ? 0 : WNOHANG) != p->pid)
		return (0);
	return (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
put_away(struct process *p)
{
	(void)kill(p->pid, SIGKILL);
	(void)waitpid(p->pid, NULL, 0);
}

static void
test_each_child_of_a_place_has_a_number(void)
{
	struct process *p;
	uint32_t epoch;

	parent.workers[0].child = NULL;
	epoch = parent.workers[0].epoch;
	p = process_new(&parent.workers[0]);
	CHECK(p != NULL && p->epoch == epoch + 1 && p->page_fd == -1);
	CHECK(parent.workers[0].child == p && p->parent == &parent);
	CHECK(process_of(&parent.workers[0], epoch) == NULL);
	p->state = CHILD_RUNNING;
	CHECK(process_of(&parent.workers[0], epoch + 1) == p);
	p->state = CHILD_DOWN;
	CHECK(process_of(&parent.workers[0], epoch + 1) == NULL);
	process_free(p);
	CHECK(process_of(&parent.workers[0], epoch + 1) == NULL);
}

static void
test_every_place_once(void)
{
	CHECK(process_place(&parent, 0) == &parent.auth);
	CHECK(process_place(&parent, 1) == &parent.workers[0]);
	CHECK(process_place(&parent, 2) == &parent.workers[1]);
	CHECK(process_place(&parent, 3) == &parent.metrics);
	CHECK(process_place(&parent, 4) == NULL);
	parent.metrics.role = NULL;
	CHECK(process_place(&parent, 3) == NULL);
}

/* Not in the middle of its caller's walk. */
static void
test_what_it_held_is_let_go_later_and_once(void)
{
	struct process *p;

	p = begin();
	process_lost(p);
	CHECK(p->state == CHILD_DOWN && lost == 0);
	process_lost(p);
	ev_invoke_pending(parent.loop);
	CHECK(lost == 1);
	put_away(p);
	/* Freed before that: nobody calls about it. */
	p = begin();
	process_lost(p);
	put_away(p);
	channel_close(&p->channel);
	process_free(p);
	ev_invoke_pending(parent.loop);
	CHECK(lost == 0);
}

static void
test_killed_once(void)
{
	struct process *p;
	uint64_t security;

	security = COUNTED(SECURITY);
	p = begin();
	p->channel.state = PROCESS_RUNNING;
	process_kill(p, "lies");
	CHECK(is_killed(p) && p->state == CHILD_DOWN);
	CHECK(COUNTED(SECURITY) == security + 1);
	/* What else it has said is not heard any more. */
	CHECK(p->channel.state == 0);
	process_kill(p, "lies");
	CHECK(COUNTED(SECURITY) == security + 1);
	p = begin();
	process_end(p, "no memory");
	CHECK(is_killed(p) && COUNTED(SECURITY) == security + 1);
	/* While all are killed anyway, it is no news. */
	p = begin();
	parent.stopping = 2;
	process_kill(p, "lies");
	CHECK(!p->killed && COUNTED(SECURITY) == security + 1);
	put_away(p);
}

static void
test_sent_while_it_is_up(void)
{
	struct process *p;
	uint32_t n;
	int fd;

	p = begin();
	n = 5;
	process_send(p, PW_PING, -1, &n, sizeof(n));
	CHECK(parts_told(1, PW_PING, &n, sizeof(n)) == 1 && n == 5);
	/* A descriptor goes nowhere, and is closed. */
	p->state = CHILD_DOWN;
	fd = open("/dev/null", O_RDONLY);
	process_send(p, PW_PING, fd, NULL, 0);
	CHECK(fcntl(fd, F_GETFD) == -1);
	CHECK(parts_told(1, PW_PING, NULL, 0) == -1);
	fd = open("/dev/null", O_RDONLY);
	process_send(NULL, PW_PING, fd, NULL, 0);
	CHECK(fcntl(fd, F_GETFD) == -1);
	process_send(NULL, PW_PING, -1, NULL, 0);
	put_away(p);
}

static void
test_a_copy_is_sent(void)
{
	struct process *p;
	int fd;

	p = begin();
	fd = open("/dev/null", O_RDONLY);
	process_send_copy(p, PW_PING, fd, NULL, 0);
	CHECK(fcntl(fd, F_GETFD) != -1 && p->state == CHILD_RUNNING);
	(void)close(fd);
	/* There is none: better a new child than one that errs. */
	process_send_copy(p, PW_PING, fd, NULL, 0);
	CHECK(is_killed(p));
}

static void
test_one_that_does_not_read_is_killed(void)
{
	static uint8_t bytes[8000];
	struct process *p;
	int i;

	p = begin();
	for (i = 0; i < 1000 && p->state == CHILD_RUNNING; i++)
		process_send(p, PW_PING, -1, bytes, sizeof(bytes));
	CHECK(is_killed(p) && i > 400);
}

int
main(void)
{
	parts_init();
	RUN(test_each_child_of_a_place_has_a_number);
	RUN(test_every_place_once);
	RUN(test_what_it_held_is_let_go_later_and_once);
	RUN(test_killed_once);
	RUN(test_sent_while_it_is_up);
	RUN(test_a_copy_is_sent);
	RUN(test_one_that_does_not_read_is_killed);
	return (test_failed());
}
