/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "common/imsg.h"
#include "common/ws_frame.h"

#include "frame/frame.h"
#include "frame/frame_internal.h"

/*
 * The router's end of beacond-frame(7): what a program calls while it is
 * attached, and what is sent for that.
 */

_Static_assert(BEACOND_FRAME_MAX == FRAME_DATA_MAX &&
		   BEACOND_FRAME_OUT_MAX == PROTO_DELIVERY_MAX,
    "as the beacon has it");
_Static_assert(
    sizeof(struct beacond_frame_metrics) == sizeof(struct msg_frame_metrics),
    "as the beacon sends it");

#define REPLACE_MS 15000 /* in which a lost channel is replaced */

/* In milliseconds. */
static uint64_t
frame_now(void)
{
	return (clock_ns() / 1000000);
}

/* It is over; the first reason counts. */
static int
frame_fail(struct beacond_frame *bf, int error)
{
	if (bf->error == 0)
		bf->error = error;
	errno = bf->error;
	return (-1);
}

int
frame_watch(struct beacond_frame *bf, uint32_t number, int op, int writing)
{
	struct epoll_event event;

	memset(&event, 0, sizeof(event));
	event.events = EPOLLIN | (writing ? EPOLLOUT : 0);
	event.data.u32 = number;
	return (epoll_ctl(bf->epoll, op, bf->links[number].fd, &event));
}

/* A descriptor that came: it is the link's from now on. */
int
frame_link(struct beacond_frame *bf, uint32_t number, int fd)
{
	link_close(&bf->links[number]);
	if (link_open(&bf->links[number], fd) == -1)
		return (-1);
	return (frame_watch(bf, number, EPOLL_CTL_ADD, 0));
}

/*
 * The channel to a worker has ended.  If that was started anew, another comes;
 * leaving, or if it has said LEFT, there is nothing to wait for.
 */
void
frame_lost(struct beacond_frame *bf, uint32_t number)
{
	struct link *link;

	link = &bf->links[number];
	bf->staying -= (uint32_t)link->leaving;
	bf->joining -= !link->joined;
	bf->lost[number] = link->left ? 0 : frame_now();
	link_close(link);
}

int
frame_send(struct beacond_frame *bf, uint32_t number, uint32_t type,
    uint32_t node, uint32_t other, const void *data, size_t len)
{
	struct imsg_header header;

	header.type = type;
	header.len = (uint32_t)(sizeof(header) + len);
	header.peerid = node;
	header.pid = other;
	return (link_add(&bf->links[number], &header, data, len));
}

/* Sends what waits.  Returns 0, or -1 if the link has ended. */
static int
frame_flush_link(struct beacond_frame *bf, uint32_t number)
{
	struct link *link;
	int waits;

	link = &bf->links[number];
	if (link->owes && link->fd != -1 &&
	    frame_send(bf, number, FRAME_FREE, 0, link->taken, NULL, 0) == 0)
		link->owes = 0;
	if (link->fd == -1 || link->out_len == 0)
		return (0);
	waits = link_flush(link);
	if (waits == -1)
		return (-1);
	if (waits != link->writing) {
		link->writing = waits;
		(void)frame_watch(bf, number, EPOLL_CTL_MOD, waits);
	}
	return (0);
}

/*
 * Sends what was written.  Returns 0, or -1 with errno: the beacon is gone.
 * beacond_frame_dispatch() does it at its end.
 */
int
beacond_frame_flush(struct beacond_frame *bf)
{
	uint32_t i;

	if (bf->error != 0)
		return (frame_fail(bf, bf->error));
	for (i = 0; i <= CONTROL; i++) {
		if (frame_flush_link(bf, i) == 0)
			continue;
		if (i == CONTROL)
			return (frame_fail(bf, EPIPE));
		frame_lost(bf, i);
	}
	return (0);
}

/* Was a channel lost for good? */
static int
frame_check(struct beacond_frame *bf)
{
	uint32_t i;

	for (i = 0; i < WORKERS_MAX; i++)
		if (bf->lost[i] != 0 && frame_now() - bf->lost[i] > REPLACE_MS)
			return (frame_fail(bf, ECONNABORTED));
	return (0);
}

/*
 * Waits for so long (milliseconds; -1: for ever) until there is something to
 * do, and does it: reads what there is, calls back, sends what the callbacks
 * have written.  Returns 0, or -1 with errno: the beacon is gone, or a channel
 * has ended that it does not replace; then nothing is left but to close.
 */
int
beacond_frame_dispatch(struct beacond_frame *bf, int timeout_ms)
{
	struct epoll_event events[WORKERS_MAX + 1];
	uint32_t number;
	int i, n;

	if (bf->error != 0)
		return (frame_fail(bf, bf->error));
	n = epoll_wait(bf->epoll, events, WORKERS_MAX + 1, timeout_ms);
	if (n == -1 && errno != EINTR)
		return (frame_fail(bf, errno));
	for (i = 0; i < n; i++) {
		number = events[i].data.u32;
		if (bf->links[number].fd != -1 &&
		    (events[i].events & ~(uint32_t)EPOLLOUT) != 0 &&
		    frame_readable(bf, number) == -1)
			return (frame_fail(bf, errno));
	}
	/* What frame_news() has left over. */
	if (frame_take(bf, CONTROL) == -1)
		return (frame_fail(bf, errno));
	if (beacond_frame_flush(bf) == -1)
		return (-1);
	return (frame_check(bf));
}

/* The descriptor to wait for, for reading, before beacond_frame_dispatch(). */
int
beacond_frame_fd(const struct beacond_frame *bf)
{
	return (bf->epoll);
}

/*
 * Dispatches until we are attached and *left is 0, for WAIT_MS at most.
 * Returns 0, or -1 with errno.
 */
int
frame_wait(struct beacond_frame *bf, const uint32_t *left)
{
	uint64_t end, now;

	end = frame_now() + WAIT_MS;
	while (*left != 0 || !bf->attached) {
		now = frame_now();
		if (now >= end)
			return (frame_fail(bf, ETIMEDOUT));
		if (beacond_frame_dispatch(bf, (int)(end - now)) == -1)
			return (-1);
	}
	return (0);
}

/* The link to the worker that has node's session, or NULL. */
static struct link *
frame_find(const struct beacond_frame *bf, uint32_t node, uint32_t *number)
{
	struct peermap_entry entry;

	if (!peermap_lookup(&bf->map, node, &entry) || entry.generation == 0 ||
	    entry.worker >= WORKERS_MAX)
		return (NULL);
	*number = entry.worker;
	return ((struct link *)(uintptr_t)&bf->links[entry.worker]);
}

/*
 * The link to the worker that has node's session, if it is open and still
 * written to, or NULL.  The map may name a worker of which the beacon has just
 * told us: that is read first.
 */
static struct link *
frame_reach(struct beacond_frame *bf, uint32_t node, uint32_t *number)
{
	struct link *link;

	link = frame_find(bf, node, number);
	if (link != NULL && (link->fd == -1 || link->done))
		frame_news(bf);
	if (link == NULL || link->fd == -1 || link->done)
		return (NULL);
	return (link);
}

/* One more message for a peer.  Boolean: it is on its way. */
static int
frame_add(struct beacond_frame *bf, uint32_t number, uint32_t type,
    uint32_t dest, const void *data, size_t len)
{
	struct link *link;

	link = &bf->links[number];
	if (frame_send(bf, number, type, dest, 0, data, len) == -1)
		return (0);
	if (link->out_len >= LINK_FULL && !link->writing)
		(void)frame_flush_link(bf, number);
	return (1);
}

/*
 * Sends one binary message to the peer dest.  Returns 1: it is on its way, and
 * if it can't be delivered after all it comes back by calls->refused; or 0:
 * dest is not connected, more waits for its worker than may, or len is 0 or
 * more than BEACOND_FRAME_OUT_MAX.  It leaves with the next flush or dispatch,
 * or when much has gathered.
 */
int
beacond_frame_write(
    struct beacond_frame *bf, uint32_t dest, const uint8_t *frame, size_t len)
{
	uint32_t number;

	if (len == 0 || len > BEACOND_FRAME_OUT_MAX ||
	    frame_reach(bf, dest, &number) == NULL)
		return (0);
	return (frame_add(bf, number, FRAME_WRITE, dest, frame, len));
}

/*
 * The worker of that number has refused it, as dest is not there.  If that has
 * moved since, it goes to where it is now.  Boolean: it is on its way.
 */
int
frame_again(struct beacond_frame *bf, uint32_t from, uint32_t dest,
    const uint8_t *frame, size_t len)
{
	uint32_t number;

	return (frame_find(bf, dest, &number) != NULL && number != from &&
		beacond_frame_write(bf, dest, frame, len));
}

/*
 * The same for the frame that calls->frame has just now, or a part of it, which
 * is not written into any more then: between peers of one worker it is not
 * copied.  Any other is sent as by beacond_frame_write().
 */
int
beacond_frame_forward(
    struct beacond_frame *bf, uint32_t dest, const uint8_t *frame, size_t len)
{
	struct msg_frame_at msg;
	uint32_t number;
	size_t off;

	if (bf->held.bytes == NULL || frame < bf->held.bytes ||
	    frame > bf->held.bytes + bf->held.is.len)
		return (beacond_frame_write(bf, dest, frame, len));
	off = (size_t)(frame - bf->held.bytes);
	if (len == 0 || len > bf->held.is.len - off ||
	    len > BEACOND_FRAME_OUT_MAX ||
	    frame_find(bf, dest, &number) == NULL || number != bf->held.number)
		return (beacond_frame_write(bf, dest, frame, len));
	msg.at = bf->held.is.at + (uint32_t)off;
	msg.len = (uint32_t)len;
	return (frame_add(bf, number, FRAME_WRITE_AT, dest, &msg, sizeof(msg)));
}

/*
 * Ends the session of node, of that generation or (0) whichever there is, with
 * a close frame.  Returns 1, or 0: it is not connected, or that code or reason
 * (at most 123 bytes of UTF-8) cannot be sent.
 */
int
beacond_frame_close_peer(struct beacond_frame *bf, uint32_t node,
    uint32_t generation, int code, const char *reason)
{
	uint8_t data[sizeof(uint32_t) + FRAME_TEXT_MAX];
	uint32_t number, wide;
	size_t len;

	len = strlen(reason);
	if (len > FRAME_TEXT_MAX || !ws_close_is_code((uint32_t)code) ||
	    frame_reach(bf, node, &number) == NULL)
		return (0);
	wide = (uint32_t)code;
	memcpy(data, &wide, sizeof(wide));
	memcpy(data + sizeof(wide), reason, len);
	return (frame_send(bf, number, FRAME_CLOSE, node, generation, data,
		    sizeof(wide) + len) == 0);
}

/* Boolean.  Some memory reads, and no system call. */
int
beacond_frame_is_connected(const struct beacond_frame *bf, uint32_t node)
{
	uint32_t number;

	return (frame_find(bf, node, &number) != NULL);
}

/* How many peers are connected. */
uint32_t
beacond_frame_peer_count(const struct beacond_frame *bf)
{
	return (atomic_load_explicit(
	    &bf->map.header->sessions, memory_order_relaxed));
}

/*
 * Waits for the beacon's answer; frames are handed on meanwhile.  Returns 0, or
 * -1 with errno, as beacond_frame_dispatch().
 */
int
beacond_frame_metrics(
    struct beacond_frame *bf, struct beacond_frame_metrics *metrics)
{
	if (bf->metrics_asked++ == 0)
		(void)frame_send(bf, CONTROL, FRAME_METRICS, 0, 0, NULL, 0);
	if (beacond_frame_flush(bf) == -1 ||
	    frame_wait(bf, &bf->metrics_asked) == -1)
		return (-1);
	*metrics = bf->metrics;
	return (0);
}

/*
 * The address at which peers connect, from number 0 on: IPv6 or v4-mapped, the
 * port in host order.  Returns 1, or 0: there are no more.
 */
int
beacond_frame_address(const struct beacond_frame *bf, unsigned int number,
    uint8_t addr[16], uint16_t *port)
{
	if (number >= bf->naddresses)
		return (0);
	memcpy(addr, bf->addresses[number].addr, 16);
	*port = (uint16_t)bf->addresses[number].port;
	return (1);
}
