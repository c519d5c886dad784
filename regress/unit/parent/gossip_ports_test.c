/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>

#include "regress/unit/parent/parts.h"

/* As many ports as it takes for so many nodes. */

static int opened;     /* ports */
static int ports = -1; /* that can be had; -1: any number */

int
listen_udp_share(const struct listener *listener)
{
	if (ports != -1 && opened >= ports) {
		errno = EMFILE;
		return (-1);
	}
	opened++;
	return (open("/dev/null", O_RDONLY));
}

static struct listener four, four_too, six, web;

static void
begin(void)
{
	memset(&parent.gossip, 0, sizeof(parent.gossip));
	parent.gossip.shares = 1;
	four.nshares = four_too.nshares = six.nshares = 1;
	opened = 0;
}

/* How many ports worker 0 was sent since the last time; last: its number. */
static uint32_t
sent(uint32_t *last)
{
	struct msg_udp msg;
	uint32_t n;

	for (n = 0; parts_told(1, PW_UDP, &msg, sizeof(msg)) == 1; n++)
		*last = msg.kind == UDP_SHARE ? msg.share : 0;
	return (n);
}

static void
test_a_power_of_two_that_is_enough(void)
{
	uint32_t last;

	begin();
	CHECK(gossip_ports_grow(&parent, 14000) == 0 && opened == 0);
	CHECK(gossip_ports_grow(&parent, 14001) == 0);
	/* One of each family, of the first address that there is. */
	CHECK(parent.gossip.shares == 2 && opened == 2);
	CHECK(four.nshares == 2 && six.nshares == 2 && four_too.nshares == 1);
	CHECK(sent(&last) == 2 && last == 1);
	CHECK(gossip_ports_grow(&parent, 5 * 14000) == 0);
	CHECK(parent.gossip.shares == 8 && opened == 14);
	CHECK(sent(&last) == 12 && last == 7);
	/* It never shrinks. */
	CHECK(gossip_ports_grow(&parent, 1) == 0 && parent.gossip.shares == 8);
}

static void
test_no_more_than_the_most(void)
{
	uint32_t last;

	begin();
	CHECK(gossip_ports_grow(&parent, UINT32_MAX) == 0);
	CHECK(parent.gossip.shares == SHARES_MAX);
	CHECK(opened == 2 * (SHARES_MAX - 1));
	(void)sent(&last);
}

/* Those that could be had are not opened again. */
static void
test_too_few_ports(void)
{
	uint32_t last;

	begin();
	ports = 3;
	CHECK(gossip_ports_grow(&parent, 40000) == -1 && errno == EMFILE);
	CHECK(parent.gossip.shares == 2 && opened == 3);
	ports = -1;
	CHECK(gossip_ports_grow(&parent, 40000) == 0);
	CHECK(parent.gossip.shares == 4 && opened == 6);
	(void)sent(&last);
}

static void
test_a_new_worker_0_gets_them_all(void)
{
	uint32_t last;

	CHECK(gossip_ports_owner(&parent) == parent.workers[0].child);
	gossip_ports_introduce(parent.workers[0].child);
	CHECK(sent(&last) == 6 && last == 3);
}

int
main(void)
{
	parts_init();
	four.kind = four_too.kind = six.kind = LISTENER_UDP;
	web.kind = LISTENER_WEBSOCKET;
	web.ss.ss_family = four.ss.ss_family = four_too.ss.ss_family = AF_INET;
	six.ss.ss_family = AF_INET6;
	TAILQ_INSERT_TAIL(&parent.listeners, &web, entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &four, entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &four_too, entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &six, entry);
	RUN(test_a_power_of_two_that_is_enough);
	RUN(test_no_more_than_the_most);
	RUN(test_too_few_ports);
	RUN(test_a_new_worker_0_gets_them_all);
	return (test_failed());
}
