/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/notify.h"
#include "parent/parent.h"

/* Deaths that speak of a break-in rather than of bad luck. */
static const struct {
	int number;
	const char *name;
	int security; /* boolean */
} supervise_signals[] = {
	{ SIGSYS, "SIGSYS", 1 },
	{ SIGSEGV, "SIGSEGV", 1 },
	{ SIGBUS, "SIGBUS", 1 },
	{ SIGILL, "SIGILL", 1 },
	{ SIGABRT, "SIGABRT", 1 },
	{ SIGKILL, "SIGKILL", 0 },
	{ SIGTERM, "SIGTERM", 0 },
};

/* The child's sessions are over, whether or not it is dead already. */
static void
supervise_lost(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct process *p;

	p = w->data;
	if (p->role->lost != NULL)
		p->role->lost(p);
}

/* The channel has ended: the child is dead, dying, or hostile. */
static void
supervise_channel_end(void *owner, const char *reason)
{
	struct process *p;

	p = owner;
	if (reason != NULL)
		process_kill(p, reason);
	else if (p->pid != 0 && !p->parent->stopping)
		(void)kill(p->pid, SIGKILL);
	process_lost(p);
}

static void
supervise_log_signal(const struct process *p, int number)
{
	size_t i;

	for (i = 0;
	     i < sizeof(supervise_signals) / sizeof(supervise_signals[0]); i++)
		if (supervise_signals[i].number == number) {
			log_warnx("%s%s (pid %d) died of %s",
			    supervise_signals[i].security ? "security: " : "",
			    p->name, p->pid, supervise_signals[i].name);
			return;
		}
	log_warnx("%s (pid %d) died of signal %d", p->name, p->pid, number);
}

static void
supervise_log_death(const struct process *p, int status)
{
	if (p->killed || p->parent->stopping > 1)
		return;
	if (WIFSIGNALED(status))
		supervise_log_signal(p, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0 || !p->parent->stopping)
		log_warnx("%s (pid %d) exited with status %d", p->name, p->pid,
		    WEXITSTATUS(status));
}

static void
supervise_later(struct process *p)
{
	struct ev_loop *loop;

	loop = p->parent->loop;
	if (clock_seconds() - p->started >= BACKOFF_RESET)
		p->backoff = 0.;
	ev_timer_set(&p->restart, p->backoff, 0.);
	ev_timer_start(loop, &p->restart);
	if (p->backoff == 0.)
		p->backoff = BACKOFF_FIRST;
	else if (p->backoff < BACKOFF_MAX / 2)
		p->backoff *= 2;
	else
		p->backoff = BACKOFF_MAX;
}

/* A role that keeps dying may end the daemon. */
static void
supervise_deaths(struct process *p)
{
	uint32_t now;

	if (p->role->deaths == 0)
		return;
	now = clock_seconds();
	if (now - p->deaths_since >= DEATHS_WINDOW) {
		p->deaths_since = now;
		p->deaths = 0;
	}
	if (++p->deaths > p->role->deaths)
		shutdown_fatal(p->parent, "%s died %u times within %d s",
		    p->name, p->deaths, DEATHS_WINDOW);
}

static void
supervise_reaped(struct ev_loop *loop, ev_child *w, int revents)
{
	struct process *p;

	(void)revents;
	p = w->data;
	ev_child_stop(loop, w);
	logfd_close(p);
	channel_close(&p->channel);
	process_lost(p);
	metrics_fold(p);
	supervise_log_death(p, w->rstatus);
	if (p->role->dead != NULL)
		p->role->dead(p);
	p->pid = 0;
	if (p->parent->stopping) {
		shutdown_reaped(p->parent);
		return;
	}
	if (!p->was_ready && !p->parent->ready)
		shutdown_fatal(
		    p->parent, "%s could not start; see above", p->name);
	supervise_deaths(p);
	supervise_later(p);
}

/* Starts a child; its place in the mesh comes later. */
static int
supervise_spawn(struct process *p)
{
	uint32_t n;

	p->epoch++;
	p->killed = 0;
	p->unanswered = 0;
	budget_init(&p->budget, MESSAGE_RATE, MESSAGE_BURST);
	n = COMPLAINTS_MAX * p->parent->nworkers;
	budget_init(&p->complaints, n, n * COMPLAINT_COST);
	p->started = clock_seconds();
	if (spawn(p, supervise_channel_end) == -1)
		return (-1);
	p->channel.state = PROCESS_STARTING;
	p->channel.budget = &p->budget;
	p->state = CHILD_STARTING;
	ev_child_init(&p->child, supervise_reaped, p->pid, 0);
	p->child.data = p;
	ev_child_start(p->parent->loop, &p->child);
	return (0);
}

static void
supervise_connect(struct process *p)
{
	struct parent *parent;
	uint32_t i;

	parent = p->parent;
	wiring_connect(p, &parent->auth);
	for (i = 0; i < parent->nworkers; i++)
		wiring_connect(p, &parent->workers[i]);
}

static void
supervise_restart(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct process *p;

	(void)loop;
	(void)revents;
	p = w->data;
	if (p->parent->stopping)
		return;
	p->restarts++;
	if (supervise_spawn(p) == -1) {
		supervise_later(p);
		return;
	}
	wiring_introduce(p);
	supervise_connect(p);
	process_send(p, p->role->start, -1, NULL, 0);
}

static void
supervise_place(
    struct parent *parent, struct process *p, enum role role, uint32_t number)
{
	p->parent = parent;
	p->role = &parent->roles[role];
	p->number = number;
	p->page_fd = -1;
	if (role == ROLE_WORKER)
		(void)snprintf(p->name, sizeof(p->name), "worker[%u]", number);
	else
		(void)strlcpy(p->name, p->role->name, sizeof(p->name));
	ev_timer_init(&p->restart, supervise_restart, 0., 0.);
	p->restart.data = p;
	ev_prepare_init(&p->lost, supervise_lost);
	p->lost.data = p;
}

static void
supervise_ping_one(struct process *p)
{
	if (p->state == CHILD_DOWN)
		return;
	/* Counted, not timed: we may have been stopped meanwhile ourselves. */
	if (p->unanswered >= CHILD_HANG_TIMEOUT / CHILD_PING_INTERVAL) {
		process_kill(p, "hung");
		return;
	}
	p->unanswered++;
	process_send(p, p->role->ping, -1, NULL, 0);
}

static void
supervise_ping(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *parent;
	uint32_t i;

	(void)loop;
	(void)revents;
	parent = w->data;
	if (parent->stopping)
		return;
	supervise_ping_one(&parent->auth);
	for (i = 0; i < parent->nworkers; i++)
		supervise_ping_one(&parent->workers[i]);
}

/* Prepares a place for each child; once, with the loop at hand. */
void
supervise_init(struct parent *parent)
{
	uint32_t i;

	budget_init(&parent->revocations, REVOKE_RATE, REVOKE_BURST);
	supervise_place(parent, &parent->auth, ROLE_AUTH, 0);
	for (i = 0; i < parent->nworkers; i++)
		supervise_place(parent, &parent->workers[i], ROLE_WORKER, i);
	ev_timer_init(&parent->ping, supervise_ping, CHILD_PING_INTERVAL,
	    CHILD_PING_INTERVAL);
	parent->ping.data = parent;
	ev_timer_start(parent->loop, &parent->ping);
}

/* All children at once: none waits for another to be ready. */
void
supervise_start_all(struct parent *parent)
{
	uint32_t i, j;

	if (supervise_spawn(&parent->auth) == -1)
		shutdown_fatal(parent, "auth could not be started");
	for (i = 0; i < parent->nworkers; i++)
		if (supervise_spawn(&parent->workers[i]) == -1)
			shutdown_fatal(parent, "%s could not be started",
			    parent->workers[i].name);
	wiring_introduce(&parent->auth);
	for (i = 0; i < parent->nworkers; i++) {
		wiring_introduce(&parent->workers[i]);
		wiring_connect(&parent->workers[i], &parent->auth);
		for (j = 0; j < i; j++)
			wiring_connect(
			    &parent->workers[i], &parent->workers[j]);
	}
	process_send(&parent->auth, parent->auth.role->start, -1, NULL, 0);
	for (i = 0; i < parent->nworkers; i++)
		process_send(&parent->workers[i],
		    parent->workers[i].role->start, -1, NULL, 0);
}

/* Once all children serve, so does the daemon. */
static void
supervise_all_ready(struct parent *parent)
{
	uint32_t i;

	if (parent->auth.state != CHILD_RUNNING)
		return;
	for (i = 0; i < parent->nworkers; i++)
		if (parent->workers[i].state != CHILD_RUNNING)
			return;
	parent->ready = 1;
	log_info("ready");
	notify_ready();
}

/*
 * A child's first word: it is of our build, knows who it is, and does its work
 * from now on.  Returns NULL, or what is wrong with it.
 */
const char *
supervise_ready(struct process *p, const struct msg_hello *hello)
{
	if (!proto_same_build(hello))
		return ("program of another version; install all of them");
	if (hello->worker != p->number || hello->epoch != p->epoch)
		return ("confused about who it is");
	p->channel.state = PROCESS_RUNNING;
	p->state = CHILD_RUNNING;
	p->was_ready = 1;
	metrics_publish_loads(p->parent);
	if (p->parent->ready)
		log_info("%s (pid %d) is back", p->name, p->pid);
	else
		supervise_all_ready(p->parent);
	return (NULL);
}
