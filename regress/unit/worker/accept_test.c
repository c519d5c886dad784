/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <unistd.h>

#include "regress/unit/worker/parts.h"

/* Who takes a connection, and what gives way for it. */

static const struct msg_listener plain;
static struct peermap_header *header;
static int listener;
static struct sockaddr_in at;

/* What the kernel says to the next accept4(2); 0: what it says. */
static int refusal;
static int accepts;

static int made;           /* sessions */
static int read_from;      /* session_io() */
static int welcome = 1;    /* boolean: session_client_known() leaves it be */
static int known;          /* calls of it */
static int proxied;        /* calls of session_proxy_expect() */
static int makes_room;     /* how often session_make_room() does */
static int asked_for_room; /* calls of it */
static uint8_t last_addr[16];

int
accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct sockaddr_in sin;

	accepts++;
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
	return (w.load++ < w.slots_max ? parts_session(0, SESSION_HEAD) : NULL);
}

void
session_io(struct ev_loop *loop, ev_io *io, int revents)
{
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
static void
connect_and_turn(int n)
{
	int fd;

	accepts = made = read_from = known = proxied = asked_for_room = 0;
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
static void
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
}

static int
paused(void)
{
	return (!ev_is_active(&w.accept.listeners[0]->io) &&
		ev_is_active(&w.accept.timer));
}

static void
test_so_many_at_once_and_each_is_read(void)
{
	begin();
	connect_and_turn(20);
	CHECK(made == 16 && read_from == 16 && known == 16);
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(made == 20 && read_from == 20 && proxied == 0);
	CHECK(memcmp(last_addr + 10, "\xff\xff\xc0\0\2\1", 6) == 0);
}

/* Another one has clearly less: it may have them; if not, we take them. */
static void
test_who_holds_more_steps_back_once(void)
{
	begin();
	w.load = 9;
	header->load[1] = 0;
	connect_and_turn(1);
	CHECK(made == 0 && paused() && w.accept.waited == 1);
	while (paused())
		ev_run(w.loop, EVRUN_ONCE);
	ev_run(w.loop, EVRUN_ONCE);
	CHECK(made == 1 && w.accept.waited == 0);
	/* Not clearly more. */
	begin();
	header->load[1] = 0;
	w.load = 8;
	connect_and_turn(1);
	CHECK(made == 1);
	begin();
	w.load = 9;
	header->load[1] = 1;
	connect_and_turn(1);
	CHECK(made == 1);
}

static void
test_a_full_table_makes_room_or_waits(void)
{
	begin();
	w.slots_max = w.load = 5;
	makes_room = 1;
	connect_and_turn(2);
	CHECK(asked_for_room == 2 && made == 1 && read_from == 1);
	CHECK(paused());
	/* One that is broken has left its place already. */
	begin();
	w.slots_max = w.load = 5;
	w.nbroken = 1;
	connect_and_turn(1);
	CHECK(asked_for_room == 1 && made == 1);
}

static void
test_without_descriptors(void)
{
	static const int wants[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS };
	uint64_t pauses;
	size_t i;

	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		begin();
		pauses = COUNTED(ACCEPT_PAUSES);
		refusal = wants[i];
		w.load = 5;
		makes_room = 2;
		connect_and_turn(1);
		CHECK(accepts == 3 && asked_for_room == 3 && made == 0);
		CHECK(paused() && COUNTED(ACCEPT_PAUSES) == pauses + 1);
	}
}

/* Until the oldest that has not logged in has had its time. */
static void
test_the_pause_is_as_long_as_it_takes(void)
{
	struct stranger *x;
	double left;

	begin();
	w.tick = 1000;
	x = stranger_new(&w.strangers, 0, w.tick - 1);
	refusal = EMFILE;
	connect_and_turn(1);
	left = ev_timer_remaining(w.loop, &w.accept.timer);
	CHECK(left > 0.6 && left < 0.8);
	stranger_free(&w.strangers, x);
	begin();
	refusal = EMFILE;
	connect_and_turn(1);
	left = ev_timer_remaining(w.loop, &w.accept.timer);
	CHECK(left > 0.9 && left <= 1.01);
}

static void
test_what_fails_for_the_client_alone(void)
{
	begin();
	refusal = ECONNABORTED;
	connect_and_turn(1);
	CHECK(accepts == 16 && !paused());
	begin();
	refusal = EAGAIN;
	connect_and_turn(1);
	CHECK(accepts == 1 && !paused());
}

static void
test_one_that_is_not_welcome_is_not_read(void)
{
	begin();
	welcome = 0;
	connect_and_turn(1);
	CHECK(known == 1 && read_from == 0);
}

/* Whose the connection is, its first bytes say. */
static void
test_where_proxies_begin_with_a_header(void)
{
	begin();
	w.accept.listeners[0]->proxy_protocol = 1;
	connect_and_turn(1);
	CHECK(proxied == 1 && known == 0 && read_from == 1);
	begin();
	welcome = 0;
	connect_and_turn(1);
	CHECK(proxied == 1 && read_from == 0);
	w.accept.listeners[0]->proxy_protocol = 0;
}

static void
test_no_more_listeners_than_there_is_room_for(void)
{
	struct msg_listener msg = plain;

	msg.number = 1;
	while (w.accept.nlisteners < LISTENERS_MAX)
		CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	CHECK(accept_listen(&w, &msg, listener) != NULL);
	CHECK(w.accept.nlisteners == LISTENERS_MAX);
	while (w.accept.nlisteners > 1)
		CHECK(accept_unlisten(&w, 1) == NULL);
	CHECK(accept_unlisten(&w, 1) != NULL);
}

/* Served at once, unless all pause; and so is who has come before it goes. */
static void
test_one_that_comes_and_goes_by_a_reload(void)
{
	struct msg_listener msg = plain;

	begin();
	msg.number = 7;
	w.parent.state = WORKER_RUNNING;
	CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	CHECK(ev_is_active(&w.accept.listeners[1]->io));
	CHECK(accept_unlisten(&w, 7) == NULL && w.accept.nlisteners == 1);
	refusal = EMFILE;
	connect_and_turn(1);
	CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	CHECK(paused() && !ev_is_active(&w.accept.listeners[1]->io));
	refusal = 0;
	CHECK(accept_unlisten(&w, 7) == NULL && made == 1);
}

int
main(void)
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
		return (1);
	RUN(test_so_many_at_once_and_each_is_read);
	RUN(test_who_holds_more_steps_back_once);
	RUN(test_a_full_table_makes_room_or_waits);
	RUN(test_without_descriptors);
	RUN(test_the_pause_is_as_long_as_it_takes);
	RUN(test_what_fails_for_the_client_alone);
	RUN(test_one_that_is_not_welcome_is_not_read);
	RUN(test_where_proxies_begin_with_a_header);
	RUN(test_no_more_listeners_than_there_is_room_for);
	RUN(test_one_that_comes_and_goes_by_a_reload);
	return (test_failed());
}
