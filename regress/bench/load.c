/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The load generator: regress/bench/README.md says how it is used.  It talks
 * to whoever started it by lines: it writes "mark WHAT" and then waits for the
 * line "go" (or the end of its input), so that what the other side reads
 * between two marks belongs to exactly the load.packets between them.
 */

#include <sys/epoll.h>
#include <sys/resource.h>

#include <err.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "regress/bench/load.h"

#define EVENTS     1024
#define WARM_UP    (SECOND / 2)
#define LOOK       (SECOND / 2)  /* between two looks for lost datagrams */
#define REFRESH    (60 * SECOND) /* of a UDP node, as daemons do it */
#define PATIENT    10            /* looks, where all may stand still a while */
#define DRAIN      (5 * SECOND)
#define OPEN_LIMIT (240 * SECOND)
#define COMPLAIN   10   /* lines about failures */
#define CONNECTS   32   /* in one wake-up */

struct load load;

static struct peer *peers;
static uint32_t started;
static uint64_t looked;
static int stopped; /* by a line on the input */
static int living;  /* boolean: a session that ends is no failure */

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
	p->due = load.now + REFRESH;
	if (living) {
		p->forgiven = p->mate->sent;
		return;
	}
	load.opened++;
	hist_add(&load.logins, now_ns() - p->started);
	if (load.run == RUN_LOGIN)
		peer_close(p);
}

/*
 * An open session has ended, and begins anew: what is sent to it until then may
 * be lost, and what it has sent so far.  What comes after that may not.
 */
static void
peer_cut(struct peer *p)
{
	if (p->state == PEER_OPEN) {
		load.ended++;
		p->mate->forgiven = p->sent;
	}
	p->forgiven = UINT32_MAX;
	p->credit = 0;
	peer_later(p);
}

void
peer_failed(struct peer *p, const char *why)
{
	if (living) {
		peer_cut(p);
		return;
	}
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
		if (sscanf(line, "%u %u", &a, &b) != 2 || a <= load.base ||
		    a - load.base > load.npeers || b <= load.base ||
		    b - load.base > load.npeers)
			errx(2, "input: %s", line);
		a -= load.base + 1;
		b -= load.base + 1;
		peers[a].mate = &peers[b];
		peers[b].mate = &peers[a];
	}
}

static uint16_t
port_of(const struct peer *p)
{
	if (p->via == VIA_UDP)
		return (load.udp_port);
	return (load.tcp_ports[p->node % load.ntcp]);
}

static void
look(void)
{
	static uint32_t looks;
	uint32_t i;

	if (load.now - looked < LOOK)
		return;
	looked = load.now;
	looks++;
	for (i = 0; i < started; i++) {
		if (peers[i].state == PEER_LATER && peers[i].due <= load.now)
			peer_connect(&peers[i], port_of(&peers[i]));
		if (peers[i].via == VIA_UDP && peers[i].state == PEER_HELLO)
			peer_hello(&peers[i]);
		if (peers[i].via == VIA_UDP && peers[i].state == PEER_OPEN &&
		    peers[i].due <= load.now) {
			peer_refresh(&peers[i]);
			peers[i].due = load.now + REFRESH;
		}
		if (load.via[0] == VIA_UDP && (!living || looks % PATIENT == 0))
			flow_look(&peers[i]);
	}
}

/* One wake-up, after so many ns if nothing comes. */
static void
turn(uint64_t ns)
{
	static struct epoll_event events[EVENTS];
	struct timespec timeout;
	struct peer *p;
	int i, n;

	timeout.tv_sec = (time_t)(ns / SECOND);
	timeout.tv_nsec = (long)(ns % SECOND);
	n = epoll_pwait2(load.epfd, events, EVENTS, &timeout, NULL);
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

/* Connects all peers, no more than load.at_once at a time. */
static int
open_all(void)
{
	uint64_t end;
	int n;

	end = now_ns() + OPEN_LIMIT;
	while (load.opened + load.failed < load.npeers && now_ns() < end) {
		for (n = 0; n < CONNECTS && started < load.npeers &&
			    started - load.opened - load.failed < load.at_once;
		     n++) {
			peer_connect(&peers[started], port_of(&peers[started]));
			started++;
		}
		turn(n == CONNECTS ? 0 : SECOND / 10);
	}
	return (load.opened == load.npeers ? 0 : -1);
}

/* Sends at load.rate until end: each packet has a time at which it is due. */
static void
run_rate(uint64_t begin, uint64_t end)
{
	uint64_t n = 0, due, now;
	struct peer *p;

	while (load.now < end && !stopped) {
		for (;;) {
			due = begin + n * SECOND / load.rate;
			now = now_ns();
			if (due > now || due >= end)
				break;
			p = &peers[n++ % load.npeers];
			if (p->mate != NULL && !p->writing &&
			    p->state == PEER_OPEN)
				flow_send(p, 1, due);
		}
		turn(due > now ? due - now : 0);
	}
}

static void
run_window(uint64_t end)
{
	uint32_t i;

	load.refill = 1;
	for (i = 0; i < load.npeers; i++) {
		if (peers[i].mate > &peers[i])
			flow_send(&peers[i], load.window, load.now);
	}
	while (load.now < end && !stopped && load.failed == 0 &&
	       (load.limit == 0 || load.delivered + load.lost < load.limit))
		turn(SECOND / 10);
	load.refill = 0;
}

static uint64_t
under_way(void)
{
	return (load.sent - load.delivered - load.lost - load.cut);
}

/* Lets what is under way arrive. */
static void
drain(void)
{
	uint64_t end;

	end = load.now + DRAIN;
	while (under_way() != 0 && load.now < end)
		turn(SECOND / 100);
	if (under_way() != 0) {
		fprintf(stderr, "load: %llu packets never came\n",
		    (unsigned long long)under_way());
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

	for (i = 0; i < load.npeers; i++) {
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
	       "\"failed\": %u, \"later\": %u, \"ended\": %u, "
	       "\"cut\": %llu, \"errors\": %llu, ",
	    load.mode, load.npeers, load.size, load.window,
	    (unsigned long long)load.rate, (double)ns / SECOND,
	    (unsigned long long)load.delivered, (unsigned long long)load.lost,
	    load.opened, load.failed, load.later, load.ended,
	    (unsigned long long)load.cut, (unsigned long long)load.errors);
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
		errx(1, "%u of %u peers are open", load.opened, load.npeers);
	mark("open");
	for (i = 0; i < load.npeers && peers[i].mate == NULL; i++)
		continue;
	for (i = i == load.npeers ? 0 : load.npeers; i < load.npeers; i++)
		peers[i].mate = &peers[i ^ 1];
	run_for(WARM_UP);
	load.sent = load.delivered = load.lost = 0;
	load.limit = load.packets;
	memset(&load.latency, 0, sizeof(load.latency));
	for (i = 0; i < load.npeers && load.rate != 0; i++) {
		peers[i].latency = calloc(1, sizeof(struct hist));
		if (peers[i].latency == NULL)
			err(2, NULL);
	}
	mark("start");
	stop_on_input();
	living = load.lives;
	begin = now_ns();
	run_for(load.seconds * SECOND);
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
	end = load.now + load.seconds * SECOND;
	while (load.run == RUN_IDLE && load.now < end && !stopped)
		turn(SECOND / 10);
	report(ns);
	return (bad == -1 || load.failed != 0);
}

static void
peers_init(void)
{
	uint8_t *secrets = NULL;
	uint32_t i;

	peers = calloc(load.npeers, sizeof(*peers));
	if (peers == NULL)
		err(2, NULL);
	if (load.via[1] == VIA_WS)
		secrets = login_secrets(load.base + 1, load.npeers);
	for (i = 0; i < load.npeers; i++) {
		peers[i].node = load.base + 1 + i;
		peers[i].via = (uint8_t)load.via[i % 2];
		if (secrets != NULL)
			peers[i].secret =
			    secrets + (size_t)i * crypto_sign_SECRETKEYBYTES;
	}
}

int
main(int argc, char *argv[])
{
	struct rlimit rl;

	options_parse(argc, argv);
	alarm((unsigned int)load.seconds + LIFETIME);
	if (sodium_init() == -1)
		errx(2, "sodium_init");
	if (load.run == RUN_KEYS) {
		login_keys(load.keys_path, load.base + 1, load.npeers);
		return (0);
	}
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		err(2, "getrlimit");
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		err(2, "setrlimit");
	load.epfd = epoll_create1(EPOLL_CLOEXEC);
	if (load.epfd == -1)
		err(2, "epoll_create1");
	flow_init();
	peers_init();
	return (load.run == RUN_PAIRS ? run_pairs() : run_logins());
}
