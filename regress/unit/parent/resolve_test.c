/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <unistd.h>

#include "common/clock.h"
#include "parent/resolve.h"
#include "parent/resolver.h"
#include "regress/unit/test.h"

/* The resolver is real; what it asks is below, in the place of the library. */
static struct ev_loop *loop;
static struct resolve resolve;
static struct resolve_answer answer;
static int answers;

static void
many(struct addrinfo **list)
{
	static struct sockaddr_in sin[20];
	static struct addrinfo ai[20];
	uint32_t i;

	for (i = 0; i < 20; i++) {
		sin[i].sin_family = AF_INET;
		sin[i].sin_addr.s_addr = htonl(0xc0000200 + i);
		ai[i].ai_addr = (struct sockaddr *)&sin[i];
		ai[i].ai_next = i < 19 ? &ai[i + 1] : NULL;
	}
	*list = ai;
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	static struct sockaddr_in6 sin6;
	static struct addrinfo ai;

	if (strcmp(name, "hangs") == 0)
		for (;;)
			continue;
	if (strcmp(name, "dies") == 0)
		abort();
	if (strcmp(name, "opens") == 0)
		(void)open("/etc/passwd", O_RDONLY);
	if (strcmp(name, "starts") == 0)
		(void)fork();
	if (strcmp(name, "many") == 0)
		many(list);
	else if (strcmp(name, "six") == 0) {
		sin6.sin6_family = AF_INET6;
		sin6.sin6_addr = in6addr_loopback;
		ai.ai_addr = (struct sockaddr *)&sin6;
		*list = &ai;
	} else
		return (EAI_NONAME);
	return (0);
}

static void
done(void *owner, const struct resolve_answer *a)
{
	answers++;
	answer = *a;
	if (owner != NULL)
		ev_break(loop, EVBREAK_ALL);
}

static int
set_up(void)
{
	int devnull;

	loop = ev_default_loop(EVFLAG_NOENV);
	answers = 0;
	devnull = open("/dev/null", O_RDWR);
	resolve_init(&resolve);
	resolve.fd = resolver_start(devnull, 1);
	(void)close(devnull);
	resolve_watch(&resolve, loop);
	return (resolve.fd);
}

static void
tear_down(void)
{
	ev_io_stop(loop, &resolve.readable);
	(void)close(resolve.fd);
}

static int
ask(const char *name)
{
	if (resolve_ask(&resolve, RESOLVE_REGISTRY, name, done, loop) == -1)
		return (-1);
	ev_run(loop, 0);
	return (answer.error);
}

static void
test_found(void)
{
	static const uint8_t first[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
		0xff, 192, 0, 2, 0 };

	CHECK(set_up() != -1);
	CHECK(ask("six") == 0 && answer.count == 1);
	CHECK(memcmp(answer.addr[0], &in6addr_loopback, 16) == 0);
	CHECK(ask("many") == 0 && answer.count == RESOLVE_ADDRESSES);
	CHECK(memcmp(answer.addr[0], first, 16) == 0);
	CHECK(ask("nobody") == EAI_NONAME && answer.count == 0);
	tear_down();
}

/* Whoever looks up a name and hangs or dies is replaced for the next one. */
static void
test_hangs(void)
{
	uint64_t before;

	CHECK(set_up() != -1);
	before = clock_ns();
	CHECK(ask("hangs") == EAI_AGAIN && answer.count == 0);
	CHECK(clock_ns() - before < 5 * CLOCK_SECOND);
	CHECK(ask("six") == 0);
	CHECK(ask("dies") == EAI_AGAIN);
	CHECK(ask("six") == 0 && answers == 4);
	tear_down();
}

static void
test_confined(void)
{
	CHECK(set_up() != -1);
	/* Files are denied, which a library can bear. */
	CHECK(ask("opens") == EAI_NONAME);
#ifndef SANDBOX_NONE
	CHECK(ask("starts") == EAI_AGAIN);
#endif
	tear_down();
}

/* Two users do not hear each other's answers; one that was cancelled none. */
static void
test_users(void)
{
	CHECK(set_up() != -1);
	CHECK(resolve_ask(&resolve, RESOLVE_BEACONS, "many", done, NULL) == 0);
	CHECK(resolve_busy(&resolve, RESOLVE_BEACONS));
	CHECK(!resolve_busy(&resolve, RESOLVE_REGISTRY));
	CHECK(ask("six") == 0 && answer.user == RESOLVE_REGISTRY);
	CHECK(answers == 2 && !resolve_busy(&resolve, RESOLVE_BEACONS));
	CHECK(resolve_ask(&resolve, RESOLVE_BEACONS, "many", done, NULL) == 0);
	resolve_cancel(&resolve, RESOLVE_BEACONS);
	CHECK(ask("six") == 0 && answers == 3);
	/* The later question counts. */
	CHECK(
	    resolve_ask(&resolve, RESOLVE_REGISTRY, "nobody", done, NULL) == 0);
	CHECK(ask("six") == 0 && answers == 4);
	tear_down();
}

/* It is gone: who waits hears of it, and who asks later does at once. */
static void
test_gone(void)
{
	int pair[2];

	loop = ev_default_loop(EVFLAG_NOENV);
	answers = 0;
	resolve_init(&resolve);
	CHECK(ask("six") == -1);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	resolve.fd = pair[0];
	resolve_watch(&resolve, loop);
	CHECK(resolve_ask(&resolve, RESOLVE_REGISTRY, "x", done, loop) == 0);
	(void)close(pair[1]);
	ev_run(loop, 0);
	CHECK(answers == 1 && answer.error == EAI_SYSTEM);
	CHECK(resolve.fd == -1 && ask("six") == -1);
}

/* What it says is not believed if it cannot be. */
static void
test_nonsense(void)
{
	struct resolve_answer bad;
	int i, pair[2];

	loop = ev_default_loop(EVFLAG_NOENV);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	answers = 0;
	resolve_init(&resolve);
	resolve.fd = pair[0];
	resolve_watch(&resolve, loop);
	CHECK(resolve_ask(&resolve, RESOLVE_REGISTRY, "x", done, loop) == 0);
	for (i = 0; i < 6; i++) {
		memset(&bad, 0, sizeof(bad));
		bad.serial = resolve.serial;
		bad.count = 1;
		if (i == 0)
			bad.user = RESOLVE_USERS;
		else if (i == 1)
			bad.serial++;
		else if (i == 2)
			bad.count = RESOLVE_ADDRESSES + 1;
		else if (i == 3)
			bad.count = 0;
		else if (i == 4)
			bad.error = EAI_NONAME;
		else
			bad.user = RESOLVE_BEACONS;
		CHECK(send(pair[1], &bad, sizeof(bad), 0) ==
		      (ssize_t)sizeof(bad));
		(void)ev_run(loop, EVRUN_NOWAIT);
		CHECK(answers == 0);
	}
	bad.user = RESOLVE_REGISTRY;
	CHECK(send(pair[1], &bad, sizeof(bad), 0) == (ssize_t)sizeof(bad));
	ev_run(loop, 0);
	CHECK(answers == 1 && answer.count == 1);
	tear_down();
	(void)close(pair[1]);
}

int
main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	RUN(test_found);
	RUN(test_hangs);
	RUN(test_confined);
	RUN(test_users);
	RUN(test_gone);
	RUN(test_nonsense);
	return (test_failed());
}
