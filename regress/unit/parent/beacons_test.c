/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netdb.h>
#include <unistd.h>

#include "parent/parent.h"
#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

/* A resolver in our hands, and who becomes a peer, as text. */
static struct parent parent;
static int resolver;
static char peers[4096];
static int lists;

void
gossip_register_begin(struct parent *p)
{
	peers[0] = '\0';
}

void
gossip_register(struct parent *p, const uint8_t addr[16], uint16_t port)
{
	size_t len;

	len = strlen(peers);
	(void)snprintf(peers + len, sizeof(peers) - len, " %u.%u.%u.%u:%u",
	    addr[12], addr[13], addr[14], addr[15], port);
}

void
gossip_register_end(struct parent *p)
{
	lists++;
}

static int
set_up(void)
{
	int pair[2];

	memset(&parent, 0, sizeof(parent));
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	parent.conf = conf_new();
	parent.conf->enroll = 1;
	parent.conf->beacon_id = 7;
	(void)strlcpy(parent.conf->advertise.name, "self.example",
	    sizeof(parent.conf->advertise.name));
	parent.conf->advertise.port = 9001;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == -1)
		return (-1);
	resolve_init(&parent.resolve);
	parent.resolve.fd = pair[0];
	resolver = pair[1];
	resolve_watch(&parent.resolve, parent.loop);
	beacons_init(&parent);
	lists = 0;
	peers[0] = '\0';
	return (0);
}

static void
tear_down(void)
{
	ev_io_stop(parent.loop, &parent.resolve.readable);
	ev_timer_stop(parent.loop, &parent.beacons.tick);
	(void)close(parent.resolve.fd);
	(void)close(resolver);
	free(parent.beacons.list);
	free(parent.beacons.coming);
	conf_free(parent.conf);
}

static const char *
row(uint32_t beacon, const char *host, uint32_t port, int first, int last)
{
	struct msg_beacon_row msg;

	memset(&msg, 0, sizeof(msg));
	msg.beacon = beacon;
	msg.port = port;
	msg.first = (uint32_t)first;
	msg.last = (uint32_t)last;
	(void)strlcpy(msg.host, host, sizeof(msg.host));
	return (beacons_row(&parent, &msg));
}

/* A second later; the resolver, asked for that name, says that address. */
static int
resolves(const char *name, uint8_t last)
{
	struct resolve_request request;
	struct resolve_answer answer;

	still_pass(1.);
	ev_invoke(parent.loop, &parent.beacons.tick, EV_TIMER);
	if (recv(resolver, &request, sizeof(request), 0) !=
	    (ssize_t)sizeof(request))
		return (name == NULL);
	if (name == NULL || strcmp(request.name, name) != 0)
		return (0);
	memset(&answer, 0, sizeof(answer));
	answer.user = request.user;
	answer.serial = request.serial;
	answer.error = last == 0 ? EAI_AGAIN : 0;
	answer.count = last != 0;
	if (last != 0) {
		answer.addr[0][10] = answer.addr[0][11] = 0xff;
		answer.addr[0][12] = 192;
		answer.addr[0][15] = last;
	}
	if (send(resolver, &answer, sizeof(answer), 0) !=
	    (ssize_t)sizeof(answer))
		return (0);
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	return (1);
}

static void
test_addresses(void)
{
	CHECK(set_up() == 0);
	CHECK(row(1, "192.0.2.1", 9001, 1, 0) == NULL && lists == 0);
	CHECK(row(2, "192.0.2.2", 9002, 0, 0) == NULL && lists == 0);
	/* Ourselves by number or by address, and nobody at all. */
	CHECK(row(7, "192.0.2.7", 9001, 0, 0) == NULL);
	CHECK(row(8, "self.example", 9001, 0, 0) == NULL);
	CHECK(row(9, "0.0.0.0", 9001, 0, 0) == NULL);
	CHECK(row(9, "224.0.0.1", 9001, 0, 0) == NULL);
	CHECK(row(9, "ff02::1", 9001, 0, 0) == NULL);
	CHECK(row(9, "192.0.2.9", 0, 0, 1) == NULL && lists == 1);
	CHECK(strcmp(peers, " 192.0.2.1:9001 192.0.2.2:9002") == 0);
	CHECK(resolves(NULL, 0));
	/* Who leaves the list is no peer any more. */
	still_pass(BEACONS_EVERY);
	CHECK(row(2, "192.0.2.2", 9002, 1, 1) == NULL);
	CHECK(strcmp(peers, " 192.0.2.2:9002") == 0);
	still_pass(BEACONS_EVERY);
	CHECK(row(0, "", 0, 1, 1) == NULL && strcmp(peers, "") == 0);
	tear_down();
}

static void
test_names(void)
{
	CHECK(set_up() == 0);
	CHECK(row(1, "one.example", 9001, 1, 0) == NULL);
	CHECK(row(2, "one.example", 9002, 0, 0) == NULL);
	CHECK(row(3, "two.example", 9003, 0, 1) == NULL);
	CHECK(strcmp(peers, "") == 0);
	CHECK(resolves("one.example", 1));
	CHECK(strcmp(peers, " 192.0.0.1:9001 192.0.0.1:9002") == 0);
	CHECK(resolves("two.example", 0) && lists == 2);
	CHECK(resolves(NULL, 0));
	/* A name that is known from the list of before needs no look-up. */
	still_pass(BEACONS_EVERY);
	CHECK(row(1, "one.example", 9009, 1, 0) == NULL);
	CHECK(row(3, "two.example", 9003, 0, 1) == NULL);
	CHECK(strcmp(peers, " 192.0.0.1:9009") == 0);
	CHECK(resolves(NULL, 0));
	still_pass(BEACONS_FAILED);
	CHECK(resolves("two.example", 2));
	CHECK(strcmp(peers, " 192.0.0.1:9009 192.0.0.2:9003") == 0);
	/* It moves; and if it can't be asked for, it stays. */
	still_pass(BEACONS_AGAIN);
	CHECK(resolves("one.example", 3));
	CHECK(strcmp(peers, " 192.0.0.3:9009 192.0.0.2:9003") == 0);
	CHECK(resolves("two.example", 0));
	CHECK(strcmp(peers, " 192.0.0.3:9009 192.0.0.2:9003") == 0);
	tear_down();
}

/* What the registry lists, and how often, is not ours to choose. */
static void
test_bounds(void)
{
	char name[32];
	int i;

	CHECK(set_up() == 0);
	for (i = 0; i <= BEACONS_MAX + 1; i++) {
		(void)snprintf(name, sizeof(name), "n%d.example", i);
		CHECK(row(100, name, 9001, i == 0, i > BEACONS_MAX) == NULL);
	}
	CHECK(parent.beacons.count == BEACONS_MAX && lists == 1);
	CHECK(row(1, "192.0.2.1", 9001, 1, 1) == NULL && lists == 1);
	CHECK(row(1, "192.0.2.1", 9001, 0, 1) == NULL && lists == 1);
	still_pass(BEACONS_EVERY);
	CHECK(row(1, "192.0.2.1", 9001, 1, 1) == NULL && lists == 2);
	tear_down();
}

static void
test_malformed(void)
{
	struct msg_beacon_row msg;

	CHECK(set_up() == 0);
	CHECK(row(1, "192.0.2.1", 9001, 0, 1) != NULL);
	CHECK(row(1, "192.0.2.1", 65536, 1, 1) != NULL);
	memset(&msg, 'x', sizeof(msg));
	CHECK(beacons_row(&parent, &msg) != NULL && lists == 0);
	tear_down();
}

/* Nobody asks for a list any more. */
static void
test_not_wanted(void)
{
	CHECK(set_up() == 0);
	CHECK(row(1, "192.0.2.1", 9001, 1, 1) == NULL && lists == 1);
	beacons_reload(&parent);
	CHECK(lists == 1);
	parent.conf->enroll = 0;
	beacons_reload(&parent);
	CHECK(lists == 2 && strcmp(peers, "") == 0);
	still_pass(BEACONS_EVERY);
	CHECK(row(1, "192.0.2.1", 9001, 1, 1) == NULL && lists == 2);
	tear_down();
}

int
main(void)
{
	RUN(test_addresses);
	RUN(test_names);
	RUN(test_bounds);
	RUN(test_malformed);
	RUN(test_not_wanted);
	return (test_failed());
}
