/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/again.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/packet.h"
#include "worker/worker.h"

/*
 * Packets to the other workers, and to the router.  Such a channel carries
 * imsgs that are written and read in bulk: the header is put right before the
 * payload.  Smaller packets are collected for as long as this
 * turn of the loop lasts, larger ones leave with burst_end() from where they
 * were read.
 */

#define ROUTE_QUEUE_MIN (64U << 10) /* bytes of a queue when it begins */

static void route_write(struct ev_loop *, ev_io *, int);

/*
 * Boolean: it tells of sessions, and is no packet, or one that has its room in
 * memory that is shared, which nobody would give back without it.
 */
static int
route_is_event(const struct imsg_header *header)
{
	return (header->type == FRAME_FRAME_AT || header->type == FRAME_CAME ||
		header->type == FRAME_GONE || header->type == FRAME_JOINED ||
		header->type == FRAME_LEFT || header->type == WW_MARK ||
		header->type == WW_MARKED || header->type == WW_FENCE);
}

/* A stretch of whole messages is not going to be sent. */
static void
route_lost(const uint8_t *bytes, size_t len, enum counter lost)
{
	struct imsg_header header;
	size_t off;

	for (off = 0; off < len; off += header.len) {
		memcpy(&header, bytes + off, sizeof(header));
		if (header.type == FRAME_FRAME_AT || !route_is_event(&header))
			counters_add(lost, 1);
	}
}

/* Nor is what was gathered. */
static void
route_lost_gathered(struct sibling *sib)
{
	uint32_t i;

	for (i = 0; i < sib->niov; i++)
		route_lost(
		    sib->iov[i].iov_base, sib->iov[i].iov_len, sib->lost);
	sib->niov = 0;
}

/* The end of a channel: what waits for it is lost. */
void
route_close(struct sibling *sib)
{
	struct worker *w;

	if (!sib->open)
		return;
	w = sib->worker;
	sib->open = 0;
	loop_stop(w->loop, &sib->writer);
	loop_close(w->loop, &sib->reader);
	sib->part_len = 0;
	route_lost_gathered(sib);
	if (sib->rest_len > 0)
		counters_add(sib->lost, 1);
	sib->rest_len = 0;
	if (sib->queue.len > 0)
		route_lost(bytes_first(&sib->queue), sib->queue.len, sib->lost);
	bytes_free(&sib->queue);
}

/*
 * What a channel cannot do without is had before it is served: later on want
 * of memory costs packets, and no channel.
 */
static struct sibling *
route_sibling(struct worker *w, uint32_t number)
{
	struct sibling *sib;

	sib = calloc(1, sizeof(*sib));
	if (sib == NULL)
		fatal(NULL);
	sib->worker = w;
	sib->number = number;
	sib->lost = COUNTER_DROP_WORKER_LOST;
	sib->full = COUNTER_DROP_WORKER_FULL;
	if (number == ROUTE_ROUTER) {
		sib->lost = COUNTER_DROP_ROUTER_LOST;
		sib->full = COUNTER_DROP_ROUTER_FULL;
	}
	sib->part = malloc(ROUTE_MESSAGE_MAX);
	sib->rest = malloc(ROUTE_MESSAGE_MAX);
	if (sib->part == NULL || sib->rest == NULL)
		fatal(NULL);
	w->routes.known[w->routes.nknown++] = sib;
	return (sib);
}

/*
 * fd leads to worker `number`, or to the router (ROUTE_ROUTER), in place of any
 * earlier channel, and `reader` has its struct sibling as data.
 */
struct sibling *
route_open(struct worker *w, uint32_t number, int fd, io_cb reader)
{
	struct sibling *sib;

	if (w->routes.siblings[number] == NULL)
		w->routes.siblings[number] = route_sibling(w, number);
	sib = w->routes.siblings[number];
	route_close(sib);
	ev_io_init(&sib->reader, reader, fd, EV_READ);
	ev_io_init(&sib->writer, route_write, fd, EV_WRITE);
	sib->reader.data = sib;
	sib->writer.data = sib;
	sib->open = 1;
	ev_io_start(w->loop, &sib->reader);
	return (sib);
}

/* Copies a small packet to the stage; NULL without memory. */
static inline uint8_t *__attribute__((always_inline))
route_stage(struct worker *w, const uint8_t *payload, size_t len)
{
	uint8_t *to;

	if (w->routes.stage == NULL) {
		w->routes.stage = malloc(ROUTE_STAGE);
		if (w->routes.stage == NULL)
			return (NULL);
	}
	if (w->routes.stage_len + ROUTE_HEADER + len > ROUTE_STAGE)
		route_flush(w);
	to = w->routes.stage + w->routes.stage_len;
	w->routes.stage_len += (uint32_t)(ROUTE_HEADER + len);
	if (len > 0)
		memcpy(to + ROUTE_HEADER, payload, len);
	return (to);
}

/* Its header stands before it: one message is gathered. */
static inline void
route_gather(struct worker *w, struct sibling *sib, uint8_t *message,
    const struct imsg_header *header)
{
	struct iovec *last;

	memcpy(message, header, sizeof(*header));
	last = sib->niov > 0 ? &sib->iov[sib->niov - 1] : NULL;
	if (last != NULL &&
	    (uint8_t *)last->iov_base + last->iov_len == message) {
		last->iov_len += header->len;
		return;
	}
	sib->iov[sib->niov].iov_base = message;
	sib->iov[sib->niov++].iov_len = header->len;
	if (sib->niov == ROUTE_IOV)
		route_flush(w);
}

/*
 * Gathers one message of any type for the open channel of sib, at most
 * ROUTE_MESSAGE_MAX with its header.  It is copied; data NULL: it has none.
 */
void
route_message(struct worker *w, struct sibling *sib, uint32_t type,
    uint32_t peerid, uint32_t pid, const uint8_t *data, size_t len)
{
	struct imsg_header header;
	uint8_t *message;

	message = route_stage(w, data, len);
	if (message == NULL) {
		counters_add(sib->full, 1);
		return;
	}
	header.type = type;
	header.len = (uint32_t)(ROUTE_HEADER + len);
	header.peerid = peerid;
	header.pid = pid;
	route_gather(w, sib, message, &header);
}

/*
 * Gathers one packet for a node whose session worker `number` owns.  A payload
 * of more than ROUTE_STAGE_PACKET bytes stays in place until burst_end(),
 * and 16 bytes before it are overwritten.  Returns 1, or 0 if it was dropped.
 */
int
route_packet(struct worker *w, uint32_t number, uint32_t dest, uint32_t sender,
    uint8_t *payload, size_t len)
{
	struct imsg_header header;
	struct sibling *sib;
	uint8_t *message;

	sib = number < PROTO_PLACES_MAX ? w->routes.siblings[number] : NULL;
	if (sib == NULL || !sib->open) {
		counters_add(COUNTER_DROP_STALE, 1);
		return (0);
	}
	message = payload - ROUTE_HEADER;
	if (len <= ROUTE_STAGE_PACKET) {
		message = route_stage(w, payload, len);
		if (message == NULL) {
			counters_add(COUNTER_DROP_WORKER_FULL, 1);
			return (0);
		}
	} else {
		gather_hold(w);
		w->routes.in_place = 1;
	}
	header.type = WW_PACKET;
	header.len = (uint32_t)(ROUTE_HEADER + len);
	header.peerid = dest;
	header.pid = sender;
	route_gather(w, sib, message, &header);
	return (1);
}

/*
 * Queues one message, if it may and there is memory.  Events still may when
 * packets may not any more.
 */
static void
route_append(struct sibling *sib, const uint8_t *message,
    const struct imsg_header *header)
{
	size_t most;

	most = ROUTE_QUEUE_MAX;
	if (route_is_event(header))
		most += ROUTE_EVENTS_MAX;
	if (sib->queue.len + header->len > most ||
	    bytes_add(&sib->queue, message, header->len, ROUTE_QUEUE_MIN) == -1)
		counters_add(sib->full, 1);
}

/*
 * Of the whole messages at `bytes` the socket took the first `sent` bytes: the
 * rest of one that it took in part must follow.  Returns where the next one
 * begins.
 */
static size_t
route_partly(struct sibling *sib, const uint8_t *bytes, size_t sent)
{
	struct imsg_header header;
	size_t off;

	for (off = 0; off < sent; off += header.len)
		memcpy(&header, bytes + off, sizeof(header));
	sib->rest_head = 0;
	sib->rest_len = (uint32_t)(off - sent);
	memcpy(sib->rest, bytes + sent, sib->rest_len);
	return (off);
}

/* Queues the messages of one stretch but for the first `sent` bytes. */
static void
route_queue(struct sibling *sib, const uint8_t *base, size_t len, size_t sent)
{
	struct imsg_header header;
	size_t off;

	off = sent > 0 ? route_partly(sib, base, sent) : 0;
	for (; off < len; off += header.len) {
		memcpy(&header, base + off, sizeof(header));
		route_append(sib, base + off, &header);
	}
}

/* Boolean: there is something that the socket did not take. */
int
route_waits(const struct sibling *sib)
{
	return (sib->rest_len > 0 || sib->queue.len > 0);
}

static void
route_flush_sibling(struct sibling *sib)
{
	struct msghdr msg;
	size_t len, sent;
	uint32_t i;
	ssize_t r;

	sent = 0;
	if (!route_waits(sib)) {
		sib->took = sib->worker->tick;
		memset(&msg, 0, sizeof(msg));
		msg.msg_iov = sib->iov;
		msg.msg_iovlen = sib->niov;
		r = sendmsg(sib->reader.fd, &msg, MSG_NOSIGNAL);
		/* If the other end is gone, the reader will tell. */
		if (r == -1 && !again_sends(errno)) {
			route_lost_gathered(sib);
			return;
		}
		sent = r > 0 ? (size_t)r : 0;
	}
	for (i = 0; i < sib->niov; i++) {
		len = sib->iov[i].iov_len;
		if (sent < len)
			route_queue(sib, sib->iov[i].iov_base, len, sent);
		sent -= sent < len ? sent : len;
	}
	sib->niov = 0;
	if (route_waits(sib))
		ev_io_start(sib->worker->loop, &sib->writer);
}

/* Sends what was gathered for the other workers. */
void
route_flush(struct worker *w)
{
	struct sibling *sib;
	uint32_t i;

	for (i = 0; i < w->routes.nknown; i++) {
		sib = w->routes.known[i];
		if (sib->niov > 0)
			route_flush_sibling(sib);
	}
	w->routes.stage_len = 0;
	w->routes.in_place = 0;
}

static void
route_write(struct ev_loop *loop, ev_io *io, int revents)
{
	struct sibling *sib;
	struct iovec iov[2];
	struct msghdr msg;
	size_t sent;
	ssize_t n;

	if (loop_deaf(loop, io, revents))
		return;
	sib = io->data;
	iov[0].iov_base = sib->rest + sib->rest_head;
	iov[0].iov_len = sib->rest_len;
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = 1;
	if (sib->queue.len > 0) {
		iov[1].iov_base = bytes_first(&sib->queue);
		iov[1].iov_len = sib->queue.len;
		msg.msg_iovlen = 2;
	}
	n = sendmsg(io->fd, &msg, MSG_NOSIGNAL);
	if (n == -1)
		return;
	sib->took = sib->worker->tick;
	sent = (size_t)n < sib->rest_len ? (size_t)n : sib->rest_len;
	sib->rest_head += (uint32_t)sent;
	sib->rest_len -= (uint32_t)sent;
	if ((size_t)n > sent) {
		sent = route_partly(sib, iov[1].iov_base, (size_t)n - sent);
		bytes_take(&sib->queue, sent);
	}
	if (sib->queue.len == 0)
		bytes_free(&sib->queue);
	if (!route_waits(sib))
		ev_io_stop(loop, io);
}

/* Bytes that wait for the other workers. */
uint64_t
route_waiting(const struct worker *w)
{
	const struct sibling *sib;
	uint64_t bytes;
	uint32_t i;

	bytes = 0;
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		sib = w->routes.siblings[i];
		if (sib != NULL)
			bytes += sib->rest_len + sib->queue.len;
	}
	return (bytes);
}

uint32_t
route_descriptors(const struct worker *w)
{
	uint32_t i, n;

	n = 0;
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		n += w->routes.siblings[i] != NULL &&
		     w->routes.siblings[i]->open;
	return (n);
}
