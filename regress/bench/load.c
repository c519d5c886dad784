/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The load generator: regress/bench/README.md says how it is used.  It talks
 * to whoever started it by lines: it writes "mark WHAT" and then waits for the
 * line "go" (or the end of its input), so that what the other side reads
 * between two marks belongs to exactly the packets between them.
 */

#include <sys/epoll.h>
#include <sys/resource.h>

#include <arpa/inet.h>

#include <err.h>
#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "regress/bench/load.h"

#define EVENTS     1024
#define PORTS_MAX  16
#define PEERS_MAX  100000
#define LIFETIME   600 /* seconds, whatever happens */
#define WARM_UP    (SECOND / 2)
#define LOOK       (SECOND / 2) /* between two looks for lost datagrams */
#define DRAIN      (5 * SECOND)
#define OPEN_LIMIT (120 * SECOND)
#define COMPLAIN   10   /* lines about failures */
#define CONNECTS   32   /* in one wake-up */
#define SPIN_RATE  5000 /* packets/s, above which nobody sleeps */

struct mode {
	const char *name;
	enum via a; /* of the even peers */
	enum via b; /* of the odd ones */
	int (*run)(void);
};

struct load load;

static const struct mode *mode;
static struct peer *peers;
static uint32_t npeers, started, at_once = 256, base;
static uint32_t window = 32;
static double seconds = 3;
static uint64_t packets, looked;
static int stopped; /* by a line on the input */
static const char *keys_path;
static uint16_t ports[PORTS_MAX];

uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec);
}

void
peer_opened(struct peer *p)
{
	p->state = PEER_OPEN;
	load.opened++;
	hist_add(&load.logins, now_ns() - p->started);
	if (strcmp(mode->name, "login") == 0)
		peer_close(p);
}

void
peer_failed(struct peer *p, const char *why)
{
	if (load.failed++ < COMPLAIN)
		fprintf(stderr, "load: node %u: %s\n", p->node, why);
	peer_close(p);
}

/* Writes a mark and waits for the line that answers it. */
static void
mark(const char *what)
{
	char line[80];
	uint32_t a, b;

	printf("mark %s\n", what);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strcmp(line, "go\n") == 0)
			return;
		if (strcmp(line, "stop\n") == 0)
			continue;
		/* Two nodes that are to be a pair. */
		if (sscanf(line, "%u %u", &a, &b) != 2 || a <= base ||
		    a - base > npeers || b <= base || b - base > npeers)
			errx(2, "input: %s", line);
		a -= base + 1;
		b -= base + 1;
		peers[a].mate = &peers[b];
		peers[b].mate = &peers[a];
	}
}

static void
look(void)
{
	uint32_t i;

	if (load.now - looked < LOOK)
		return;
	looked = load.now;
	for (i = 0; i < started; i++) {
		if (peers[i].via == VIA_UDP && peers[i].state == PEER_HELLO)
			peer_hello(&peers[i]);
		if (mode->a == VIA_UDP)
			flow_look(&peers[i]);
	}
}

/* One wake-up. */
static void
turn(int timeout)
{
	static struct epoll_event events[EVENTS];
	struct peer *p;
	int i, n;

	n = epoll_wait(load.epfd, events, EVENTS, timeout);
	for (i = 0; i < n; i++) {
		load.now = now_ns();
		p = events[i].data.ptr;
		if (p != NULL) {
			peer_event(p, events[i].events);
			continue;
		}
		stopped = 1;
		(void)epoll_ctl(load.epfd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
	}
	load.now = now_ns();
	look();
}

/* From now on a line on the input, or its end, ends what goes on. */
static void
stop_on_input(void)
{
	struct epoll_event ev;

	ev.events = EPOLLIN;
	ev.data.ptr = NULL;
	(void)epoll_ctl(load.epfd, EPOLL_CTL_ADD, STDIN_FILENO, &ev);
}

static uint16_t
port_of(const struct peer *p)
{
	if (p->via == VIA_UDP)
		return (load.udp_port);
	return (load.tcp_ports[p->node % load.ntcp]);
}

/* Connects all peers, no more than at_once at a time. */
static int
open_all(void)
{
	uint64_t end;

	end = now_ns() + OPEN_LIMIT;
	while (load.opened + load.failed < npeers && now_ns() < end) {
		while (started < npeers &&
		       started - load.opened - load.failed < at_once) {
			peer_connect(&peers[started], port_of(&peers[started]));
			started++;
		}
		turn(100);
	}
	return (load.opened == npeers ? 0 : -1);
}

/* Sends at load.rate until end: each packet has a time at which it is due. */
static void
run_rate(uint64_t begin, uint64_t end)
{
	uint64_t n = 0, due;
	struct peer *p;

	while (load.now < end && !stopped) {
		for (;;) {
			due = begin + n * SECOND / load.rate;
			if (due > now_ns() || due >= end)
				break;
			p = &peers[n++ % npeers];
			if (p->mate != NULL && !p->writing)
				flow_send(p, 1, due);
		}
		turn(load.rate > SPIN_RATE ? 0 : 1);
	}
}

static void
run_window(uint64_t end)
{
	uint32_t i;

	load.refill = 1;
	for (i = 0; i < npeers; i++) {
		if (peers[i].mate > &peers[i])
			flow_send(&peers[i], window, load.now);
	}
	while (load.now < end && !stopped && load.failed == 0 &&
	       (load.limit == 0 || load.delivered + load.lost < load.limit))
		turn(100);
	load.refill = 0;
}

/* Lets what is under way arrive. */
static void
drain(void)
{
	uint64_t end;

	end = load.now + DRAIN;
	while (load.sent != load.delivered + load.lost && load.now < end)
		turn(10);
	if (load.sent != load.delivered + load.lost) {
		fprintf(stderr, "load: %llu packets never came\n",
		    (unsigned long long)(load.sent - load.delivered -
					 load.lost));
		load.errors++;
	}
}

/* Sends for so many ns; afterwards nothing is under way. */
static void
run_for(uint64_t ns)
{
	load.now = now_ns();
	if (load.rate != 0)
		run_rate(load.now, load.now + ns);
	else
		run_window(load.now + ns);
	drain();
}

/* The p99 of the flow that fared worst, in microseconds. */
static double
worst_p99(void)
{
	double p99, worst = 0;
	uint32_t i;

	for (i = 0; i < npeers; i++) {
		if (peers[i].latency == NULL)
			continue;
		p99 = hist_quantile(peers[i].latency, 990);
		if (p99 > worst)
			worst = p99;
	}
	return (worst);
}

static void
report(uint64_t ns)
{
	printf("{\"mode\": \"%s\", \"peers\": %u, \"size\": %u, "
	       "\"window\": %u, \"rate\": %llu, \"seconds\": %.6f, "
	       "\"delivered\": %llu, \"lost\": %llu, \"opened\": %u, "
	       "\"failed\": %u, \"errors\": %llu, ",
	    mode->name, npeers, load.size, window,
	    (unsigned long long)load.rate, (double)ns / SECOND,
	    (unsigned long long)load.delivered, (unsigned long long)load.lost,
	    load.opened, load.failed, (unsigned long long)load.errors);
	hist_print("latency_us", &load.latency);
	printf(", ");
	hist_print("login_us", &load.logins);
	printf(", \"worst_p99_us\": %.1f}\n", worst_p99());
	fflush(stdout);
}

static int
run_pairs(void)
{
	uint64_t begin, ns;
	uint32_t i;

	if (open_all() == -1)
		errx(1, "%u of %u peers are open", load.opened, npeers);
	mark("open");
	for (i = 0; i < npeers && peers[i].mate == NULL; i++)
		continue;
	for (i = i == npeers ? 0 : npeers; i < npeers; i++)
		peers[i].mate = &peers[i ^ 1];
	run_for(WARM_UP);
	load.sent = load.delivered = load.lost = 0;
	load.limit = packets;
	memset(&load.latency, 0, sizeof(load.latency));
	for (i = 0; i < npeers && load.rate != 0; i++) {
		peers[i].latency = calloc(1, sizeof(struct hist));
		if (peers[i].latency == NULL)
			err(2, NULL);
	}
	mark("start");
	stop_on_input();
	begin = now_ns();
	run_for((uint64_t)(seconds * SECOND));
	ns = now_ns() - begin;
	(void)epoll_ctl(load.epfd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
	mark("end");
	report(ns);
	return (load.errors != 0 || load.failed != 0);
}

/* Logins: each is closed at once ("login") or kept ("idle"). */
static int
run_logins(void)
{
	uint64_t begin, ns, end;
	int bad;

	mark("start");
	begin = now_ns();
	bad = open_all();
	ns = now_ns() - begin;
	mark("end");
	stop_on_input();
	end = load.now + (uint64_t)(seconds * SECOND);
	while (strcmp(mode->name, "idle") == 0 && load.now < end && !stopped)
		turn(100);
	report(ns);
	return (bad == -1 || load.failed != 0);
}

static int
run_keys(void)
{
	login_keys(keys_path, base + 1, npeers);
	return (0);
}

static const struct mode modes[] = {
	{ "ws", VIA_WS, VIA_WS, run_pairs },
	{ "tcp", VIA_TCP, VIA_TCP, run_pairs },
	{ "udp", VIA_UDP, VIA_UDP, run_pairs },
	{ "mixed", VIA_UDP, VIA_WS, run_pairs },
	{ "login", VIA_WS, VIA_WS, run_logins },
	{ "idle", VIA_WS, VIA_WS, run_logins },
	{ "idle-tcp", VIA_TCP, VIA_TCP, run_logins },
	{ "keys", VIA_WS, VIA_WS, run_keys },
};

static void
usage(void)
{
	fprintf(stderr,
	    "usage: load ws|tcp|udp|mixed [-1] -p PORT[,PORT] [-u PORT]\n"
	    "           [-n PAIRS] [-w WINDOW | -r RATE] [-s SIZE]\n"
	    "           [-d SECONDS] [-c PACKETS] [-b BASE] [-k AT_ONCE]\n"
	    "       load login|idle|idle-tcp -p PORT[,PORT] [-n PEERS]\n"
	    "           [-b BASE] [-k AT_ONCE] [-d SECONDS]\n"
	    "       load keys [-n NODES] [-b BASE] FILE\n");
	exit(2);
}

static uint64_t
number(const char *text, uint64_t min, uint64_t max)
{
	const char *why;
	long long n;

	n = strtonum(text, (long long)min, (long long)max, &why);
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
		ports[load.ntcp++] = (uint16_t)number(one, 1, 65535);
	}
	load.tcp_ports = ports;
}

static void
parse_option(int ch)
{
	switch (ch) {
	case '1':
		load.echo = 0;
		break;
	case 'b':
		base = (uint32_t)number(optarg, 0, 1000000);
		break;
	case 'c':
		packets = number(optarg, 1, 1000000000);
		break;
	case 'd':
		seconds = (double)number(optarg, 1, LIFETIME / 2);
		break;
	case 'k':
		at_once = (uint32_t)number(optarg, 1, PEERS_MAX);
		break;
	case 'n':
		npeers = (uint32_t)number(optarg, 1, PEERS_MAX);
		break;
	case 'p':
		parse_ports(optarg);
		break;
	case 'r':
		load.rate = number(optarg, 1, 10000000);
		break;
	case 's':
		load.size = (uint32_t)number(optarg, STAMP_LEN, PAYLOAD_MAX);
		break;
	case 'u':
		load.udp_port = (uint16_t)number(optarg, 1, 65535);
		break;
	case 'w':
		window = (uint32_t)number(optarg, 1, 4096);
		break;
	default:
		usage();
	}
}

static void
parse_options(int argc, char *argv[])
{
	size_t i;
	int ch;

	npeers = 50;
	load.size = 64;
	load.echo = 1;
	load.addr.s_addr = htonl(INADDR_LOOPBACK);
	for (i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			mode = &modes[i];
	}
	if (mode == NULL)
		usage();
	optind = 2;
	while ((ch = getopt(argc, argv, "1b:c:d:k:n:p:r:s:u:w:")) != -1)
		parse_option(ch);
	keys_path = argv[optind];
	if ((mode->run == run_keys) != (argc - optind == 1))
		usage();
	if (mode->run != run_keys &&
	    ((load.ntcp == 0 && mode->b != VIA_UDP) ||
		(load.udp_port == 0 && mode->a == VIA_UDP)))
		usage();
	if (mode->run == run_pairs)
		npeers *= 2;
	else if (packets != 0 || load.rate != 0)
		usage();
}

static void
peers_init(void)
{
	uint8_t *secrets = NULL;
	uint32_t i;

	peers = calloc(npeers, sizeof(*peers));
	if (peers == NULL)
		err(2, NULL);
	if (mode->b == VIA_WS)
		secrets = login_secrets(base + 1, npeers);
	for (i = 0; i < npeers; i++) {
		peers[i].node = base + 1 + i;
		peers[i].via = (uint8_t)(i % 2 == 0 ? mode->a : mode->b);
		if (secrets != NULL)
			peers[i].secret =
			    secrets + (size_t)i * crypto_sign_SECRETKEYBYTES;
	}
}

int
main(int argc, char *argv[])
{
	struct rlimit rl;

	alarm(LIFETIME);
	parse_options(argc, argv);
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
	if (mode->run != run_keys)
		peers_init();
	return (mode->run());
}
