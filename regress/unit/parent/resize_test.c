/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>

#include "parent/resize.h"
#include "regress/unit/still_clock.h"

#include "regress/unit/parent/parts.h"

/* Another number of workers: all that may fail first, then all at once. */

static int busy;  /* boolean: workers are being replaced */
static int fails; /* the first of the addresses to get no more sockets */
static int steered, begun, left;
static char told[64]; /* who got sockets anew */
static struct listener first, second, web;

int
renew_is_busy(const struct parent *of)
{
	return (busy);
}

int
listen_udp_more(struct listener *listener, uint32_t nworkers)
{
	if (fails && listener == &second) {
		errno = EMFILE;
		return (-1);
	}
	if (listener->nfds < (int)nworkers)
		listener->nfds = (int)nworkers;
	return (0);
}

void
listen_udp_fewer(struct listener *listener, int nfds)
{
	listener->nfds = nfds;
}

void
listen_text(const struct sockaddr_storage *ss, char *out)
{
	out[0] = '\0';
}

void
supervise_worker(struct parent *of, struct place *place, int candidate)
{
	place->role = parent.workers[0].role;
	begun += candidate ? 100 : 1;
}

void
places_leave(struct place *place)
{
	place->leaving = 1;
	left++;
}

void
steer_again(struct parent *of)
{
	steered++;
}

void
wiring_unlisten(struct process *p, const struct listener *listener)
{
}

void
wiring_listener(struct process *p, const struct listener *listener)
{
	size_t len;

	len = strlen(told);
	(void)snprintf(told + len, sizeof(told) - len, "%u%s ",
	    p->place->number, listener == &first ? "a" : "b");
}

void
gossip_ports_again(struct process *worker, const struct listener *listener)
{
	(void)strlcat(told, "ports ", sizeof(told));
}

/* Two workers, two addresses with a socket for each of them, one of TCP. */
static void
begin(void)
{
	uint32_t i;

	for (i = 2; i < PROTO_PLACES_MAX; i++)
		memset(&parent.workers[i], 0, sizeof(parent.workers[i]));
	parent.workers[0].leaving = parent.workers[1].leaving = 0;
	parent.nworkers = parent.nworkers_before = 2;
	first.kind = second.kind = LISTENER_UDP;
	first.nfds = second.nfds = 2;
	web.kind = LISTENER_WEBSOCKET;
	web.nfds = 1;
	TAILQ_INIT(&parent.listeners);
	TAILQ_INSERT_TAIL(&parent.listeners, &first, entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &web, entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &second, entry);
	busy = fails = steered = begun = left = 0;
	told[0] = '\0';
}

static int
resize(uint32_t nworkers)
{
	if (resize_prepare(&parent, nworkers) == -1)
		return (-1);
	resize_commit(&parent, nworkers);
	resize_tell(&parent);
	return (0);
}

static void
test_as_many_as_before(void)
{
	begin();
	busy = 1;
	CHECK(resize(2) == 0 && steered == 0 && begun == 0 && left == 0);
	CHECK(told[0] == '\0');
}

static void
test_more(void)
{
	begin();
	CHECK(resize(4) == 0 && parent.nworkers == 4 && begun == 2);
	CHECK(parent.nworkers_before == 2 && steered == 1 && left == 0);
	/* One more reload does not change what was steered before. */
	CHECK(resize(4) == 0 && parent.nworkers_before == 4);
	CHECK(parent.nsteered == 2 && steered == 1);
	CHECK(first.nfds == 4 && second.nfds == 4 && web.nfds == 1);
	/* Who was there keeps what it had. */
	CHECK(strcmp(told, "") == 0);
	/* The other place is taken if the first still leaves. */
	begin();
	parent.workers[2].role = parent.workers[0].role;
	CHECK(resize(3) == 0 && begun == 1);
	CHECK(parent.workers[2 + PROTO_WORKERS_MAX].role != NULL);
}

/* Who stays reads the sockets of who leaves. */
static void
test_fewer(void)
{
	begin();
	CHECK(resize(1) == 0 && parent.nworkers == 1 && left == 1);
	CHECK(parent.workers[1].leaving && !parent.workers[0].leaving);
	CHECK(first.nfds == 2 && steered == 1 && begun == 0);
	CHECK(strcmp(told, "0a ports 0b ports ") == 0);
}

static void
test_nothing_changes_if_it_fails(void)
{
	begin();
	busy = 1;
	CHECK(resize(3) == -1 && first.nfds == 2);
	begin();
	fails = 1;
	CHECK(resize(3) == -1 && parent.nworkers == 2);
	CHECK(first.nfds == 2 && second.nfds == 2 && begun == 0);
}

int
main(void)
{
	parts_init();
	RUN(test_as_many_as_before);
	RUN(test_more);
	RUN(test_fewer);
	RUN(test_nothing_changes_if_it_fails);
	return (test_failed());
}
