/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "parent/parent.h"
#include "regress/unit/test.h"

/* The parent with an auth whose end of the channel is in our hands. */
static struct parent parent;
static struct process *child;
static struct imsgbuf end;
static struct imsg imsg;
static const char *verdict; /* NULL: the channel is open */
static const struct role_rules role = { .id = ROLE_AUTH, .name = "auth" };
static int listener;

static void
ended(void *owner, const char *reason)
{
	verdict = reason == NULL ? "closed" : reason;
}

/* A listener on that address of this machine and *port, 0: any. */
static int
listen_at(uint32_t address, uint16_t *port)
{
	struct sockaddr_in sin;
	socklen_t len;
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(address);
	sin.sin_port = htons(*port);
	len = sizeof(sin);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&sin, len) == -1 ||
	    listen(fd, 8) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		abort();
	*port = ntohs(sin.sin_port);
	return (fd);
}

/* One that the configuration names. */
static int
listen_somewhere(void)
{
	uint16_t port;
	int fd;

	port = 0;
	fd = listen_at(INADDR_LOOPBACK, &port);
	memset(&parent.conf->registry, 0, sizeof(parent.conf->registry));
	(void)strlcpy(parent.conf->registry.name, "127.0.0.1",
	    sizeof(parent.conf->registry.name));
	parent.conf->registry.port = port;
	return (fd);
}

static int
set_up(void)
{
	int pair[2];

	memset(&parent, 0, sizeof(parent));
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	channel_loop_init(parent.loop);
	parent.conf = conf_new();
	listener = listen_somewhere();
	parent.auth.parent = &parent;
	parent.auth.role = &role;
	child = process_new(&parent.auth);
	child->state = CHILD_RUNNING;
	verdict = NULL;
	if (channel_pair(pair) == -1 ||
	    channel_open(&child->channel, parent.loop, pair[0], "test", NULL, 0,
		ended, child) == -1 ||
	    imsgbuf_init(&end, pair[1]) == -1)
		return (-1);
	child->channel.state = PROCESS_RUNNING;
	imsgbuf_allow_fdrecv(&end);
	resolve_init(&parent.resolve);
	registry_init(&parent);
	registry_introduce(child);
	return (0);
}

static void
tear_down(void)
{
	registry_lost(child);
	channel_close(&child->channel);
	(void)close(end.fd);
	imsgbuf_clear(&end);
	process_free(child);
	conf_free(parent.conf);
	(void)close(listener);
}

/* The next message to auth within two seconds; 0: none. */
static uint32_t
next(void)
{
	struct pollfd pfd;
	int i;

	for (i = 0; i < 200; i++) {
		if (imsgbuf_get(&end, &imsg) == 1)
			return (imsg_get_type(&imsg));
		(void)ev_run(parent.loop, EVRUN_NOWAIT);
		pfd.fd = end.fd;
		pfd.events = POLLIN;
		if (poll(&pfd, 1, 10) == 1 && imsgbuf_read(&end) != 1)
			return (0);
	}
	return (0);
}

static uint32_t
rate(void)
{
	struct msg_registry_conf conf;

	if (next() != PA_REGISTRY_CONF ||
	    imsg_get_data(&imsg, &conf, sizeof(conf)) == -1)
		return (UINT32_MAX);
	imsg_free(&imsg);
	return (conf.rate);
}

/* A connection: its number, 0: none; who accepts it can write to it. */
static uint32_t
connection(void)
{
	struct msg_registry msg;
	char c;
	int fd, peer;

	if (next() != PA_REGISTRY ||
	    imsg_get_data(&imsg, &msg, sizeof(msg)) == -1 || msg.address == 0)
		return (0);
	fd = imsg_get_fd(&imsg);
	imsg_free(&imsg);
	peer = accept(listener, NULL, NULL);
	if (fd == -1 || write(peer, "x", 1) != 1)
		return (0);
	(void)poll(NULL, 0, 1);
	if (read(fd, &c, 1) != 1 || c != 'x')
		return (0);
	(void)close(peer);
	(void)close(fd);
	return (msg.serial);
}

static const char *
say_ended(uint32_t serial, uint32_t reason, uint32_t answered)
{
	struct msg_registry_end msg;

	msg.serial = serial;
	msg.reason = reason;
	msg.answered = answered;
	return (registry_ended(&parent, &msg));
}

static void
test_handed_over(void)
{
	CHECK(set_up() == 0);
	CHECK(rate() == 80);
	CHECK(connection() == 1 && verdict == NULL);
	/* And that is all. */
	CHECK(next() == 0);
	tear_down();
}

static void
test_dialed_again(void)
{
	CHECK(set_up() == 0);
	CHECK(rate() == 80 && connection() == 1);
	CHECK(say_ended(1, REGISTRY_CLOSED, 1) == NULL);
	CHECK(parent.registry.failures == 1);
	ev_timer_stop(parent.loop, &parent.registry.redial);
	ev_timer_set(&parent.registry.redial, 0., 0.);
	ev_timer_start(parent.loop, &parent.registry.redial);
	CHECK(connection() == 2);
	CHECK(say_ended(2, REGISTRY_TIMEOUT, 0) == NULL);
	CHECK(parent.registry.failures == 2);
	tear_down();
}

/* The other framing is tried at once, but once. */
static void
test_framing(void)
{
	CHECK(set_up() == 0);
	CHECK(rate() == 80 && connection() == 1);
	CHECK(say_ended(1, REGISTRY_FRAMING, 0) == NULL);
	CHECK(parent.registry.failures == 0);
	CHECK(connection() == 2);
	CHECK(say_ended(2, REGISTRY_FRAMING, 0) == NULL);
	CHECK(parent.registry.failures == 1);
	tear_down();
}

/* One that says nothing is passed over like one that cannot be dialed. */
static void
test_the_second_of_two_addresses(void)
{
	struct registry *r;
	uint16_t port;

	r = &parent.registry;
	CHECK(set_up() == 0);
	CHECK(rate() == 80 && connection() == 1);
	memcpy(r->addr[1], r->addr[0], sizeof(r->addr[1]));
	r->addr[1][15] = 2;
	r->naddr = 2;
	/* It does not know the framing, and nothing else either. */
	CHECK(say_ended(1, REGISTRY_FRAMING, 0) == NULL);
	CHECK(connection() == 2);
	CHECK(say_ended(2, REGISTRY_TIMEOUT, 0) == NULL);
	CHECK(r->failures == 0);
	(void)close(listener);
	port = (uint16_t)parent.conf->registry.port;
	listener = listen_at(INADDR_LOOPBACK + 1, &port);
	CHECK(connection() == 3);
	/* Nor does this one, at first. */
	CHECK(say_ended(3, REGISTRY_FRAMING, 0) == NULL);
	CHECK(connection() == 4);
	CHECK(r->failures == 0);
	CHECK(say_ended(4, REGISTRY_TIMEOUT, 0) == NULL);
	CHECK(r->failures == 1 && r->naddr == 0);
	tear_down();
}

static void
test_lies(void)
{
	CHECK(set_up() == 0);
	CHECK(say_ended(0, REGISTRY_CLOSED, 0) != NULL);
	CHECK(say_ended(1, REGISTRY_CLOSED, 0) != NULL);
	CHECK(rate() == 80 && connection() == 1);
	CHECK(say_ended(2, REGISTRY_CLOSED, 0) != NULL);
	CHECK(say_ended(1, REGISTRY_DROPPED + 1, 0) != NULL);
	CHECK(say_ended(1, REGISTRY_CLOSED, 0) == NULL);
	CHECK(say_ended(1, REGISTRY_CLOSED, 0) != NULL);
	tear_down();
}

/* The old one is let go of, even before there is a new one. */
static void
test_another_one(void)
{
	CHECK(set_up() == 0);
	CHECK(rate() == 80 && connection() == 1);
	(void)close(listener);
	listener = listen_somewhere();
	parent.conf->registry_rate = 7;
	registry_reload(&parent);
	CHECK(rate() == 0 && rate() == 7);
	CHECK(say_ended(1, REGISTRY_DROPPED, 0) == NULL);
	CHECK(connection() == 2);
	parent.conf->registry_rate = 8;
	registry_reload(&parent);
	CHECK(rate() == 8 && next() == 0);
	parent.map.generation = 5;
	CHECK(parent.keys_generation == 0);
	memset(&parent.conf->registry, 0, sizeof(parent.conf->registry));
	registry_reload(&parent);
	CHECK(rate() == 0);
	/* Auth may take away what it gave. */
	CHECK(parent.keys_generation == 5);
	CHECK(say_ended(2, REGISTRY_DROPPED, 1) == NULL);
	CHECK(next() == 0);
	/* One that came up meanwhile, and was told of it, is told as well. */
	registry_introduce(child);
	CHECK(rate() == 0 && next() == 0);
	tear_down();
}

/* A name takes a resolver; without one it is tried again later. */
static void
test_name_without_resolver(void)
{
	CHECK(set_up() == 0);
	CHECK(rate() == 80 && connection() == 1);
	(void)strlcpy(parent.conf->registry.name, "registry.example",
	    sizeof(parent.conf->registry.name));
	registry_reload(&parent);
	CHECK(rate() == 0 && rate() == 80);
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	CHECK(parent.registry.failures >= 1);
	tear_down();
}

/* Full jitter: anything up to a window that grows to half a minute. */
static void
test_delays(void)
{
	static const double window[] = { 1., 2., 4., 8., 16., 30., 30. };
	double delay, least, most;
	uint32_t failures, i;

	for (failures = 0; failures < 7; failures++) {
		least = 100.;
		most = 0.;
		for (i = 0; i < 1000; i++) {
			delay = registry_delay(failures);
			CHECK(delay >= 0. && delay <= window[failures]);
			least = delay < least ? delay : least;
			most = delay > most ? delay : most;
		}
		CHECK(least < window[failures] * .05);
		CHECK(most > window[failures] * .95);
	}
	CHECK(registry_delay(UINT32_MAX) <= 30.);
}

int
main(void)
{
	RUN(test_handed_over);
	RUN(test_dialed_again);
	RUN(test_framing);
	RUN(test_the_second_of_two_addresses);
	RUN(test_lies);
	RUN(test_another_one);
	RUN(test_name_without_resolver);
	RUN(test_delays);
	return (test_failed());
}
