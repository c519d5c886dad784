/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/loop.h"

#include "auth/registry.h"

static void registry_flush(struct registry *);

static void
registry_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
	if (!loop_deaf(loop, watcher, revents))
		registry_flush(watcher->data);
}

/* readable is called with the reader, whose data is owner, when it is due. */
void
registry_init(struct registry *r, struct ev_loop *loop,
    void (*readable)(struct ev_loop *, ev_io *, int), void *owner)
{
	memset(r, 0, sizeof(*r));
	r->loop = loop;
	r->fd = -1;
	ev_io_init(&r->reader, readable, -1, EV_READ);
	ev_io_init(&r->writer, registry_writable, -1, EV_WRITE);
	r->reader.data = owner;
	r->writer.data = r;
	budget_init(&r->budget, 1, 0);
}

/*
 * Requests a second, and at once; neither 0.  Never more than what the registry
 * lets pass, whatever the configuration says.
 */
void
registry_limits(struct registry *r, uint32_t rate, uint32_t burst)
{
	uint32_t most;

	if (rate > REGISTRY_RATE - 1)
		rate = REGISTRY_RATE - 1;
	most = (REGISTRY_RATE - rate) * REGISTRY_WINDOW;
	budget_change(&r->budget, rate, burst < most ? burst : most);
}

/* Whoever reads the connection finds out why. */
static void
registry_break(struct registry *r)
{
	r->broken = 1;
	ev_io_stop(r->loop, &r->writer);
	ev_feed_event(r->loop, &r->reader, EV_READ);
}

static void
registry_flush(struct registry *r)
{
	ssize_t n;

	while (r->out.len > 0 && !r->broken) {
		n = send(r->fd, bytes_first(&r->out), r->out.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			bytes_take(&r->out, (size_t)n);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		else if (errno != EINTR)
			registry_break(r);
	}
	if (r->broken)
		return;
	if (r->out.len > 0)
		ev_io_start(r->loop, &r->writer);
	else
		ev_io_stop(r->loop, &r->writer);
}

/*
 * Takes one request off the budget.  It is to grow first, or what grew while it
 * was full would count as well.  Returns 1, or 0 if there is none.
 */
static int
registry_afford(struct registry *r)
{
	return (budget_left(&r->budget) > 0 && budget_take(&r->budget, 1));
}

/* Nothing more is to be asked for a moment. */
void
registry_pause(struct registry *r)
{
	(void)budget_left(&r->budget);
	r->budget.left = 0;
}

static void
registry_send(struct registry *r, enum registry_kind kind, uint32_t node,
    const uint8_t *bytes, size_t len)
{
	struct registry_request *request;

	request = &r->ring[(r->first + r->count++) % REGISTRY_PIPELINE];
	request->kind = kind;
	request->node = node;
	request->sent = r->last = clock_ns();
	if (bytes_add(&r->out, bytes, len, WIRE_REQUEST_MAX) == -1)
		registry_break(r);
}

/* Is worth one request, whether there is budget for it or not. */
static void
registry_probe(struct registry *r)
{
	uint8_t bytes[WIRE_REQUEST_MAX];

	(void)registry_afford(r);
	registry_send(
	    r, REGISTRY_PROBE, 0, bytes, wire_alive(r->framing, bytes));
	registry_flush(r);
}

/* Begins to speak on fd, which is taken over; there is no connection yet. */
void
registry_open(struct registry *r, const struct msg_registry *msg, int fd)
{
	uint8_t hello[WIRE_HELLO_LEN];

	if (msg->address != r->address)
		r->json = r->json_answered = 0;
	r->address = msg->address;
	r->framing = r->json ? WIRE_JSON : WIRE_BINARY;
	r->serial = msg->serial;
	r->fd = fd;
	r->broken = r->answered = 0;
	r->first = r->count = 0;
	ev_io_set(&r->reader, fd, EV_READ);
	ev_io_set(&r->writer, fd, EV_WRITE);
	ev_io_start(r->loop, &r->reader);
	if (r->framing == WIRE_BINARY &&
	    bytes_add(&r->out, hello, wire_hello(hello), WIRE_REQUEST_MAX) ==
		-1)
		registry_break(r);
	registry_probe(r);
}

/*
 * Lets go of it, for that reason, and returns the one for the parent.  One that
 * is closed before any answer may not know the framing: then it is the turn of
 * the other, until that has been answered once.
 */
enum registry_end
registry_close(struct registry *r, enum registry_end reason)
{
	loop_stop(r->loop, &r->reader);
	loop_stop(r->loop, &r->writer);
	(void)close(r->fd);
	r->fd = -1;
	r->count = 0;
	bytes_free(&r->in);
	bytes_free(&r->out);
	if (reason != REGISTRY_CLOSED || r->answered || r->json_answered) {
		r->answered = 0;
		return (reason);
	}
	r->json = r->framing == WIRE_BINARY;
	return (r->json ? REGISTRY_FRAMING : reason);
}

/* Boolean: is there a connection that was good for an answer? */
int
registry_up(const struct registry *r)
{
	return (r->fd != -1 && !r->broken && r->answered);
}

/* Boolean: could a request be sent, if there is budget for it? */
int
registry_may_ask(const struct registry *r)
{
	return (registry_up(r) && r->count < REGISTRY_PIPELINE);
}

/*
 * Sends a request in JSON.  Returns 0, or -1 if it has to wait or, errno
 * EMSGSIZE, is too long.
 */
int
registry_object(
    struct registry *r, enum registry_kind kind, const char *object, size_t len)
{
	uint8_t bytes[WIRE_REQUEST_MAX];

	len = wire_object(r->framing, object, len, bytes);
	errno = len == 0 ? EMSGSIZE : EAGAIN;
	if (len == 0 || !registry_may_ask(r) || !registry_afford(r))
		return (-1);
	registry_send(r, kind, 0, bytes, len);
	registry_flush(r);
	return (0);
}

/*
 * Sends the lookups that are due, as far as budget and pipeline go; but not for
 * those who have waited for too long.
 */
void
registry_pump(struct registry *r, struct lookups *lookups)
{
	uint8_t bytes[WIRE_REQUEST_MAX];
	uint32_t node;

	lookup_expire(lookups, clock_ns());
	while (lookup_queued(lookups) > 0 && registry_may_ask(r) &&
	       registry_afford(r)) {
		node = lookup_next(lookups);
		registry_send(r, REGISTRY_LOOKUP, node, bytes,
		    wire_lookup(r->framing, node, bytes));
	}
	if (r->fd != -1)
		registry_flush(r);
}

/* A heartbeat, if there was nothing else for long. */
void
registry_idle(struct registry *r)
{
	if (registry_may_ask(r) && r->count == 0 &&
	    clock_ns() - r->last >= REGISTRY_IDLE * CLOCK_SECOND)
		registry_probe(r);
}

/* The request that is answered next, or NULL. */
const struct registry_request *
registry_oldest(const struct registry *r)
{
	return (r->count == 0 ? NULL : &r->ring[r->first]);
}

/* Boolean: has the registry been silent for too long? */
int
registry_late(const struct registry *r)
{
	return (r->fd != -1 && r->count > 0 &&
		clock_ns() - r->ring[r->first].sent >
		    REGISTRY_PATIENCE * CLOCK_SECOND);
}

static void
registry_took(struct registry *r, uint64_t ns)
{
	uint32_t minute;

	minute = clock_seconds() / 60;
	if (r->now.minute != minute) {
		r->before = r->now;
		memset(&r->now, 0, sizeof(r->now));
		r->now.minute = minute;
	}
	r->latency = (uint32_t)(ns / 1000);
	r->now.count++;
	r->now.sum += r->latency;
	if (r->latency > r->now.max)
		r->now.max = r->latency;
}

/* The oldest request has its answer. */
void
registry_answer(struct registry *r)
{
	registry_took(r, clock_ns() - r->ring[r->first].sent);
	r->first = (r->first + 1) % REGISTRY_PIPELINE;
	r->count--;
	r->answered = 1;
	if (r->framing == WIRE_JSON)
		r->json_answered = 1;
}

/*
 * Reads what there is, to a bound.  Returns 1, or 0 if there is nothing now, or
 * -1 at its end.
 */
int
registry_read(struct registry *r)
{
	uint8_t *room;
	ssize_t n;

	if (r->broken)
		return (-1);
	room = bytes_room(&r->in, REGISTRY_READ, REGISTRY_READ);
	if (room == NULL)
		return (-1);
	n = read(r->fd, room, REGISTRY_READ);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (0);
	if (n <= 0)
		return (-1);
	r->in.len += (size_t)n;
	return (1);
}
