/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_WORKER_ACCEPT_PARTS_H
#define REGRESS_UNIT_WORKER_ACCEPT_PARTS_H

#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <unistd.h>

#include "regress/unit/counted.h"
#include "regress/unit/worker/parts.h"
#include "worker/report.h"

/* A listener, who connects to it, and what a worker has for them. */

static const struct msg_listener plain;
static struct peermap_header *header;
static int listener;
static struct sockaddr_in at;

/* What the kernel says to the next accept4(2); 0: what it says. */
static int refusal;
static int accepts;
static int endless; /* boolean: there is always one more */

static int no_session;     /* boolean: session_new() has none */
static int made;           /* sessions */
static int read_from;      /* session_io() */
static int welcome = 1;    /* boolean: session_client_known() leaves it be */
static int known;          /* calls of it */
static int proxied;        /* calls of session_proxy_expect() */
static int makes_room;     /* how often session_make_room() does */
static int asked_for_room; /* calls of it */
static uint8_t last_addr[16];

/* What was reported last; kind EVENT_MAX: nothing since. */
static enum event_kind event;
static const char *remedy;

void
report_noted(
    enum event_kind kind, const struct endpoint *from, const char *note)
{
	event = kind;
	remedy = note;
}

void
report_source(enum event_kind kind, const uint8_t addr[16], uint32_t port)
{
	event = kind;
}

int
accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct sockaddr_in sin;

	accepts++;
	if (flags != (SOCK_NONBLOCK | SOCK_CLOEXEC))
		abort();
	if (endless) {
		memset(&sin, 0, sizeof(sin));
		memcpy(addr, &sin, sizeof(sin));
		return (dup(fd));
	}
	if (refusal != 0) {
		errno = refusal;
		return (-1);
	}
	fd = accept(fd, (struct sockaddr *)&sin, len);
	if (fd == -1)
		return (-1);
	sin.sin_addr.s_addr = htonl(0xc0000201); /* from afar */
	memcpy(addr, &sin, sizeof(sin));
	return (fd);
}

struct session *
session_new(
    struct worker *of, int fd, io_cb io, const uint8_t addr[16], uint16_t port)
{
	(void)close(fd);
	memcpy(last_addr, addr, 16);
	made++;
	if (no_session || w.load++ >= w.slots_max)
		return (NULL);
	return (parts_session(0, SESSION_HEAD));
}

void
session_io(struct ev_loop *loop, ev_io *io, int revents)
{
	if (revents == EV_READ)
		read_from++;
}

void
session_client_known(struct worker *of, struct session *s)
{
	known++;
	if (!welcome)
		s->state = SESSION_BROKEN;
}

void
session_proxy_expect(struct worker *of, struct session *s)
{
	proxied++;
	if (!welcome)
		s->state = SESSION_BROKEN;
}

int
session_make_room(struct worker *of, const struct stranger *x)
{
	asked_for_room++;
	if (makes_room == 0)
		return (0);
	makes_room--;
	return (1);
}

void
session_reap(struct worker *of)
{
	w.load--;
	w.nbroken = 0;
}

/* n clients connect; then the loop turns, without waiting. */
static inline void
connect_and_turn(int n)
{
	int fd;

	accepts = made = read_from = known = proxied = asked_for_room = 0;
	event = EVENT_MAX;
	while (n-- > 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd == -1 ||
		    connect(fd, (struct sockaddr *)&at, sizeof(at)) == -1)
			abort();
		(void)close(fd);
	}
	ev_run(w.loop, EVRUN_NOWAIT);
}

/* Whatever is left in the kernel's queue goes, and nothing is paused. */
static inline void
begin(void)
{
	int fd;

	refusal = 0;
	welcome = 1;
	makes_room = 0;
	w.load = 0;
	w.slots_max = 1000;
	w.nbroken = 0;
	w.accept.waited = 0;
	/* There is no other worker. */
	memset(&header->load[1], 0xff,
	    sizeof(header->load) - sizeof(header->load[0]));
	while ((fd = accept(listener, NULL, NULL)) != -1)
		(void)close(fd);
	ev_timer_stop(w.loop, &w.accept.timer);
	accept_start(&w);
	(void)counted_all();
}

/* Was that reported, and nothing but a pause counted? */
static inline int
noted(enum event_kind kind, const char *text)
{
	return (event == kind && strcmp(remedy, text) == 0 &&
		counted(COUNTER_ACCEPT_PAUSES));
}

static inline int
paused(void)
{
	return (!ev_is_active(&w.accept.listeners[0]->io) &&
		ev_is_active(&w.accept.timer));
}

static inline void
accept_parts_init(void)
{
	socklen_t len;

	parts_loop();
	(void)parts_sessions();
	stranger_init(&w.strangers);
	header = parts_map();
	len = sizeof(at);
	at.sin_family = AF_INET;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listener == -1 ||
	    bind(listener, (struct sockaddr *)&at, len) == -1 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) == -1 ||
	    listen(listener, 64) == -1 ||
	    accept_listen(&w, &plain, listener) != NULL)
		abort();
}

#endif /* REGRESS_UNIT_WORKER_ACCEPT_PARTS_H */
