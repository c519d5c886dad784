/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * What strangers and nodes can do to a beacon, as much of it as one core
 * gives: regress/load/README.md says what each kind is.  It writes "mark done"
 * when it has tried as often as it was to, goes on until a line, or the end,
 * comes on its input, and says then how often it tried.
 */

#include <sys/epoll.h>
#include <sys/resource.h>

#include <arpa/inet.h>

#include <err.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "regress/load/flood.h"

#define EVENTS 256

struct flood flood;
struct load load;

static const struct kind *const kinds[] = { &flood_connect, &flood_head,
	&flood_silent, &flood_scrape, &flood_datagrams, &flood_deaf,
	&flood_ping, &flood_fragments, &flood_replaced, &flood_twins };

static void
usage(void)
{
	fprintf(stderr,
	    "usage: flood KIND -p PORT[,PORT] [-u PORT] [-n HELD] [-c TRIES]\n"
	    "           [-r RATE] [-b BASE] [-a SOURCES] [-P ADDRESS]\n");
	exit(2);
}

uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec);
}

/* Is there one more try to be made now?  It counts if so. */
int
flood_may(void)
{
	uint64_t due;

	if (flood.most != 0 && flood.tried == flood.most)
		return (0);
	if (flood.rate != 0) {
		due = (load.now - flood.begin) / 1000 * flood.rate / 1000000;
		if (flood.tried > due)
			return (0);
	}
	flood.tried++;
	return (1);
}

static uint64_t
number(const char *text, uint64_t max)
{
	const char *why;
	long long n;

	n = strtonum(text, 0, (long long)max, &why);
	if (why != NULL)
		errx(2, "%s: number is %s", text, why);
	return ((uint64_t)n);
}

static void
parse_ports(char *list)
{
	char *one;

	while ((one = strsep(&list, ",")) != NULL) {
		if (load.ntcp == PORTS_MAX)
			errx(2, "too many ports");
		load.tcp_ports[load.ntcp++] = (uint16_t)number(one, 65535);
	}
}

static void
parse_option(int ch)
{
	switch (ch) {
	case 'a':
		flood.sources = (uint32_t)number(optarg, 65536);
		break;
	case 'b':
		load.base = (uint32_t)number(optarg, 1000000);
		break;
	case 'c':
		flood.most = number(optarg, 1000000000);
		break;
	case 'n':
		flood.held = (uint32_t)number(optarg, 100000);
		break;
	case 'p':
		parse_ports(optarg);
		break;
	case 'P':
		flood.said = optarg;
		break;
	case 'r':
		flood.rate = number(optarg, 10000000);
		break;
	case 'u':
		load.udp_port = (uint16_t)number(optarg, 65535);
		break;
	default:
		usage();
	}
}

static void
parse(int argc, char *argv[])
{
	size_t i;
	int ch;

	flood.held = 100;
	load.addr.s_addr = htonl(INADDR_LOOPBACK);
	load.size = 1024;
	load.errors = UINT32_MAX; /* nobody here minds who sends what */
	for (i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i]->name) == 0)
			flood.kind = kinds[i];
	}
	if (flood.kind == NULL)
		usage();
	optind = 2;
	while ((ch = getopt(argc, argv, "a:b:c:n:p:P:r:u:")) != -1)
		parse_option(ch);
	if (optind != argc || (load.ntcp == 0 && load.udp_port == 0))
		usage();
}

/* Returns whether it was told to stop. */
static int
turn(void)
{
	static struct epoll_event events[EVENTS];
	int i, n;

	n = epoll_wait(load.epfd, events, EVENTS, 1);
	load.now = now_ns();
	for (i = 0; i < n; i++) {
		if (events[i].data.ptr == NULL)
			return (1);
		flood.kind->event(events[i].data.ptr, events[i].events);
	}
	flood.kind->tick();
	return (0);
}

static void
run(void)
{
	struct epoll_event ev;
	int said = 0;

	memset(&ev, 0, sizeof(ev));
	ev.events = EPOLLIN;
	(void)epoll_ctl(load.epfd, EPOLL_CTL_ADD, STDIN_FILENO, &ev);
	flood.begin = load.now = now_ns();
	while (!turn()) {
		if (said || (flood.most != 0 && flood.tried < flood.most))
			continue;
		printf("mark done\n");
		fflush(stdout);
		said = 1;
	}
	printf("{\"tried\": %llu, \"ended\": %llu, \"seconds\": %.3f}\n",
	    (unsigned long long)flood.tried, (unsigned long long)flood.ended,
	    (double)(load.now - flood.begin) / SECOND);
}

int
main(int argc, char *argv[])
{
	struct rlimit rl;

	alarm(LIFETIME);
	parse(argc, argv);
	if (sodium_init() == -1)
		errx(2, "sodium_init");
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		err(2, "getrlimit");
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		err(2, "setrlimit");
	load.epfd = epoll_create1(EPOLL_CLOEXEC);
	if (load.epfd == -1)
		err(2, "epoll_create1");
	flow_init();
	flood.kind->init();
	run();
	return (0);
}
