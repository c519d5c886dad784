/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <syslog.h>

#include "parent/control.h"
#include "parent/inherit.h"
#include "regress/unit/still_clock.h"

#include "regress/unit/parent/operator.h"
#include "regress/unit/parent/parts.h"

/* An operator asks a parent of which the test does the work. */
static struct control control;
static struct imsgbuf end;
static int reload_error, stopped, level, drains;
static uint32_t keys_to_ask;
static const char *why; /* the channel has ended; NULL: it has not */

int
reload(struct parent *of)
{
	of->keys_asked = keys_to_ask;
	return (reload_error);
}

static int renew_error;
static uint32_t renewed; /* the last that was to be */

int
renew_worker(struct parent *of, uint32_t share)
{
	renewed = share;
	return (renew_error);
}

int
renew_all(struct parent *of)
{
	return (renew_error);
}

void
shutdown_begin(struct parent *of)
{
	stopped++;
}

void
wiring_log(struct parent *of, int to)
{
	level = to;
}

void
drain_begin(struct parent *of, uint32_t seconds)
{
	drains++;
}

void
drain_end(struct parent *of)
{
	drains--;
}

uint32_t
gossip_heard(const struct parent *of)
{
	return (5);
}

uint32_t
gossip_peer(const struct parent *of, const uint8_t addr[16])
{
	return (GOSSIP_CONFIGURED);
}

const char *
control_peers(struct control_client *client)
{
	return (control_done(client, 0));
}

const char *
control_peer(struct control_client *client, const struct peermap_entry *entry)
{
	return (control_done(client, entry->node == 2 ? 0 : EINVAL));
}

/* parent/from_ctl_block.c, of which no request comes here. */
int
inherit_take_local(const struct sockaddr_un *sun)
{
	return (-1);
}

const char *
from_ctl_sockets(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_ahead(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_adopt(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_take(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_taken(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_park(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_drop(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_block(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_unblock(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_show_blocked(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

const char *
from_ctl_show_workers(void *owner, const void *data, size_t len, int fd)
{
	return ("not of this test");
}

static void
client_ended(void *owner, const char *reason)
{
	why = reason == NULL ? "closed" : reason;
	control_drop(owner);
}

static struct control_client *
client(void)
{
	return (TAILQ_FIRST(&control.clients));
}

static void
begin(void)
{
	struct control_client *new;
	int pair[2];

	control.parent = &parent;
	parent.control = &control;
	TAILQ_INIT(&control.clients);
	control.nclients = 1;
	new = calloc(1, sizeof(*new));
	if (new == NULL || channel_pair(pair) == -1 ||
	    channel_open(&new->channel, parent.loop, pair[0], "client",
		from_ctl_rules, from_ctl_nrules, client_ended, new) == -1 ||
	    imsgbuf_init(&end, pair[1]) == -1)
		abort();
	new->channel.state = CONTROL_READY;
	new->control = &control;
	new->timer.data = new;
	TAILQ_INSERT_TAIL(&control.clients, new, entry);
	why = NULL;
}

static void
over(void)
{
	if (client() != NULL)
		control_drop(client());
	(void)close(end.fd);
	imsgbuf_clear(&end);
}

/* With which errno the answer ends; -1: it has not. */
static int
ended(void)
{
	struct msg_ctl_end last;

	if (!told(&end, CTL_END, &last, sizeof(last)))
		return (-1);
	return ((int)last.error);
}

/* The beacon itself, auth, the workers, metrics. */
static void
test_summary(void)
{
	struct msg_ctl_summary sum;
	struct msg_ctl_child child;
	struct process *lost;
	int i;

	begin();
	parent.keys = 7;
	parent.key_lines_bad = 3;
	parts_conf.max_peers = 100;
	parent.workers[1].restarts = 4;
	lost = parent.workers[1].child;
	parent.workers[1].child = NULL;
	ask(&end, CTL_SHOW_SUMMARY, NULL, 0);
	parent.workers[1].child = lost;
	CHECK(told(&end, CTL_SUMMARY, &sum, sizeof(sum)));
	CHECK(strcmp(sum.version, BEACOND_VERSION) == 0);
	CHECK(sum.keys == 7 && sum.key_lines_bad == 3 && sum.beacons == 5);
	CHECK(sum.max_peers == 100 && sum.nodes == 2 && sum.peers == 1);
	CHECK(sum.now == clock_wall() && !sum.draining);
	CHECK(told(&end, CTL_CHILD, &child, sizeof(child)));
	CHECK(child.pid == (uint32_t)getpid() && child.state == CHILD_RUNNING);
	for (i = 0; i < 4; i++) {
		CHECK(told(&end, CTL_CHILD, &child, sizeof(child)));
		if (child.role == ROLE_WORKER && child.worker == 1)
			CHECK(child.state == CHILD_DOWN && child.pid == 0 &&
			      child.restarts == 4);
		else
			CHECK(child.state == CHILD_RUNNING);
	}
	CHECK(ended() == 0);
	over();
}

static void
test_nodes(void)
{
	struct msg_ctl_entry entry;
	struct msg_ctl_node node;

	begin();
	node.node = 1;
	ask(&end, CTL_SHOW_NODE, &node, sizeof(node));
	CHECK(told(&end, CTL_NODE, &entry, sizeof(entry)));
	CHECK(entry.node == 1 && entry.generation == 0 && ended() == 0);
	/* It is known, and not connected. */
	ask(&end, CTL_SHOW_PEER, &node, sizeof(node));
	CHECK(ended() == ENOENT);
	node.node = 2;
	ask(&end, CTL_SHOW_PEER, &node, sizeof(node));
	CHECK(ended() == 0);
	node.node = 3;
	ask(&end, CTL_SHOW_NODE, &node, sizeof(node));
	CHECK(ended() == ENOENT);
	ask(&end, CTL_SHOW_NODES, NULL, 0);
	CHECK(told(&end, CTL_NODE, &entry, sizeof(entry)) && entry.node == 1);
	CHECK(told(&end, CTL_NODE, &entry, sizeof(entry)) && entry.node == 2);
	CHECK(ended() == 0 && client()->job == JOB_NONE);
	over();
}

/* What the registry has not confirmed for a minute it has forgotten. */
static void
test_listed_as_long_as_the_registry_remembers(void)
{
	static const uint32_t ages[] = { 0, 60, 61, 3600 };
	struct msg_ctl_registry row;
	uint32_t i;

	for (i = 0; i < 4; i++) {
		begin();
		parent.registry.status.enrolled = clock_seconds() - ages[i];
		ask(&end, CTL_SHOW_REGISTRY, NULL, 0);
		CHECK(told(&end, CTL_REGISTRY, &row, sizeof(row)));
		CHECK(row.enrolled == (i < 2 ? clock_wall() - ages[i] : 0));
		CHECK(ended() == 0);
		over();
	}
}

static void
test_levels_and_seconds_have_a_range(void)
{
	struct msg_ctl_level to;
	struct msg_ctl_drain drain;

	begin();
	to.level = LOG_INFO;
	ask(&end, CTL_LOG_LEVEL, &to, sizeof(to));
	CHECK(ended() == 0 && level == LOG_INFO);
	to.level = LOG_DEBUG;
	ask(&end, CTL_LOG_LEVEL, &to, sizeof(to));
	CHECK(ended() == EINVAL && level == LOG_INFO);
	to.level = LOG_CRIT;
	ask(&end, CTL_LOG_LEVEL, &to, sizeof(to));
	CHECK(ended() == EINVAL && level == LOG_INFO);
	drain.seconds = DRAIN_SECONDS_MAX + 1;
	ask(&end, CTL_DRAIN, &drain, sizeof(drain));
	CHECK(ended() == EINVAL && drains == 0);
	drain.seconds = DRAIN_SECONDS_MAX;
	ask(&end, CTL_DRAIN, &drain, sizeof(drain));
	CHECK(ended() == 0 && drains == 1);
	ask(&end, CTL_UNDRAIN, NULL, 0);
	CHECK(ended() == 0 && drains == 0);
	over();
}

static void
test_a_reload(void)
{
	begin();
	reload_error = EBUSY;
	ask(&end, CTL_RELOAD, NULL, 0);
	CHECK(ended() == EBUSY && client()->job == JOB_NONE);
	reload_error = 0;
	ask(&end, CTL_RELOAD, NULL, 0);
	CHECK(ended() == 0);
	/* That something waits for a restart is a word of its own. */
	parent.reload_waits = 1;
	ask(&end, CTL_RELOAD, NULL, 0);
	CHECK(ended() == ERESTART && client()->job == JOB_NONE);
	parent.reload_waits = 0;
	/* Auth is to read the keys: the end comes with its answer, ... */
	keys_to_ask = 1;
	ask(&end, CTL_RELOAD, NULL, 0);
	CHECK(ended() == -1 && client()->job == JOB_RELOAD);
	control_reloaded(&parent, 1);
	turn();
	CHECK(ended() == 0);
	ask(&end, CTL_RELOAD, NULL, 0);
	parent.reload_waits = 1;
	control_reloaded(&parent, 1);
	parent.reload_waits = 0;
	turn();
	CHECK(ended() == ERESTART);
	/* ... or after some time without one. */
	ask(&end, CTL_RELOAD, NULL, 0);
	CHECK(ended() == -1);
	ev_feed_event(parent.loop, &client()->timer, EV_TIMER);
	turn();
	CHECK(ended() == ETIMEDOUT && client()->job == JOB_NONE);
	over();
}

/* Of one worker, or of all; the end comes when the sessions have moved. */
static void
test_a_renewal(void)
{
	static const struct msg_ctl_renew one = { 1 };

	begin();
	renew_error = EBUSY;
	ask(&end, CTL_RENEW, &one, sizeof(one));
	CHECK(ended() == EBUSY && client()->job == JOB_NONE && renewed == 1);
	renew_error = 0;
	ask(&end, CTL_RENEW, &one, sizeof(one));
	CHECK(ended() == -1 && client()->job == JOB_RENEW);
	control_reloaded(&parent, 1);
	turn();
	CHECK(ended() == -1);
	control_renewed(&parent, ETIME);
	turn();
	CHECK(ended() == ETIME && client()->job == JOB_NONE);
	ask(&end, CTL_RENEW, &one, sizeof(one));
	CHECK(ended() == -1);
	ev_feed_event(parent.loop, &client()->timer, EV_TIMER);
	turn();
	CHECK(ended() == ETIMEDOUT && client()->job == JOB_NONE);
	over();
}

/* A request before the answer to the last one, or none that there is. */
static void
test_what_may_not_be_asked(void)
{
	begin();
	ask(&end, CTL_RELOAD, NULL, 0);
	CHECK(client()->channel.state == CONTROL_BUSY && why == NULL);
	ask(&end, CTL_STOP, NULL, 0);
	CHECK(why != NULL && client() == NULL && stopped == 0);
	over();
	begin();
	ask(&end, CTL_SHOW_NODE, NULL, 0);
	CHECK(why != NULL && client() == NULL);
	over();
	begin();
	ask(&end, CTL_STOP + 1, NULL, 0);
	CHECK(why != NULL && client() == NULL);
	over();
}

static void
test_stop(void)
{
	begin();
	ask(&end, CTL_STOP, NULL, 0);
	CHECK(stopped == 1 && ended() == 0);
	over();
}

int
main(void)
{
	struct peermap_entry entry;
	uint32_t number;

	parts_init();
	channel_loop_init(parent.loop);
	if (pmap_create(&parent.map) == -1)
		abort();
	(void)pmap_add(&parent.map, 1, 0);
	number = pmap_add(&parent.map, 2, 0);
	entry = *pmap_entry(&parent.map, number);
	entry.generation = pmap_next_generation(&parent.map);
	pmap_store(&parent.map, number, &entry);
	RUN(test_summary);
	RUN(test_nodes);
	RUN(test_listed_as_long_as_the_registry_remembers);
	RUN(test_levels_and_seconds_have_a_range);
	RUN(test_a_reload);
	RUN(test_a_renewal);
	RUN(test_what_may_not_be_asked);
	RUN(test_stop);
	pmap_destroy(&parent.map);
	return (test_failed());
}
