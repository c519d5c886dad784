/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/counters.h"
#include "common/self.h"

#include "metrics/metrics.h"

#define SETTING_UP METRICS_SETUP
#define ANY_TIME   (METRICS_SETUP | METRICS_RUNNING)

static void
from_parent_tell(struct metrics *m, enum metrics_to_parent type,
    const void *data, size_t len)
{
	if (channel_send(&m->parent, type, 0, -1, data, len) == -1)
		fatal("cannot tell the parent");
}

static const char *
from_parent_hello(void *owner, const void *data, size_t len, int fd)
{
	struct metrics *m;

	m = owner;
	memcpy(&m->hello, data, sizeof(m->hello));
	proto_check_hello(&m->hello, "beacond-metrics");
	m->parent.state = METRICS_SETUP;
	return (NULL);
}

static const char *
from_parent_counters(void *owner, const void *data, size_t len, int fd)
{
	struct metrics *m;

	m = owner;
	if (m->has_counters)
		return ("second page of counters");
	if (counters_open(fd) == -1)
		return ("not a page of counters");
	m->has_counters = 1;
	return (NULL);
}

static const char *
from_parent_sums(void *owner, const void *data, size_t len, int fd)
{
	struct metrics *m;

	m = owner;
	if (m->sums != NULL)
		return ("second sums");
	m->sums = sums_open(fd);
	return (m->sums == NULL ? "not the sums" : NULL);
}

static const char *
from_parent_listener(void *owner, const void *data, size_t len, int fd)
{
	return (serve_listen(owner, data, fd));
}

static const char *
from_parent_unlisten(void *owner, const void *data, size_t len, int fd)
{
	return (serve_unlisten(owner, data));
}

static const char *
from_parent_start(void *owner, const void *data, size_t len, int fd)
{
	struct metrics *m;

	m = owner;
	if (!m->has_counters || m->sums == NULL)
		return ("start before all is there");
	m->parent.state = METRICS_RUNNING;
	sample_start(m);
	serve_start(m);
	from_parent_tell(m, MP_READY, &m->hello, sizeof(m->hello));
	return (NULL);
}

static const char *
from_parent_ping(void *owner, const void *data, size_t len, int fd)
{
	const struct metrics *m;

	m = owner;
	self_tell(m->ndoors + m->nconns);
	from_parent_tell(owner, MP_PONG, NULL, 0);
	return (NULL);
}

static const char *
from_parent_shutdown(void *owner, const void *data, size_t len, int fd)
{
	exit(0);
}

static const struct channel_rule from_parent_rules[] = {
	CHANNEL_RULE(PM_HELLO, sizeof(struct msg_hello), METRICS_HELLO,
	    from_parent_hello),
	CHANNEL_RULE_FD(PM_COUNTERS, 0, SETTING_UP, from_parent_counters),
	CHANNEL_RULE_FD(PM_SUMS, 0, SETTING_UP, from_parent_sums),
	CHANNEL_RULE_FD(PM_LISTENER, sizeof(struct msg_listener), ANY_TIME,
	    from_parent_listener),
	CHANNEL_RULE(PM_UNLISTEN, sizeof(struct msg_unlisten), ANY_TIME,
	    from_parent_unlisten),
	CHANNEL_RULE(PM_START, 0, SETTING_UP, from_parent_start),
	CHANNEL_RULE(PM_PING, 0, ANY_TIME, from_parent_ping),
	CHANNEL_RULE(
	    PM_SHUTDOWN, 0, METRICS_HELLO | ANY_TIME, from_parent_shutdown)
};

static void
from_parent_end(void *owner, const char *reason)
{
	if (reason != NULL)
		fatalx("channel to the parent: %s", reason);
	exit(0);
}

/* Begins to serve the parent on fd. */
void
from_parent_open(struct metrics *m, int fd)
{
	if (channel_open(&m->parent, m->loop, fd, "parent", from_parent_rules,
		sizeof(from_parent_rules) / sizeof(from_parent_rules[0]),
		from_parent_end, m) == -1)
		fatal("channel to the parent");
	m->parent.state = METRICS_HELLO;
}
