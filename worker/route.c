/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/packet.h"
#include "worker/worker.h"

/*
 * Packets to and from the other workers.  A channel between two workers carries
 * imsgs of one type, WW_PACKET, written and read in bulk: the header is put
 * right before the payload.  Smaller packets are collected for as long as this
 * turn of the loop lasts, larger ones leave with gather_flush() from where they
 * were read.  Neither end believes the other (relay_delivery()).
 */

#define ROUTE_HEADER       sizeof(struct imsg_header)
#define ROUTE_MESSAGE_MAX  (ROUTE_HEADER + DELIVERY_MAX)
#define ROUTE_READS        4    /* in one turn: what the socket holds at most */
#define ROUTE_STAGE_PACKET 2048 /* larger payloads are sent where they lie */
#define ROUTE_QUEUE_MIN    (64U << 10) /* bytes of a queue when it begins */

static void route_read(struct ev_loop *, ev_io *, int);
static void route_write(struct ev_loop *, ev_io *, int);

/* The end of a turn: what was collected leaves before the loop blocks. */
static void
route_turn(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct worker *w;

	(void)loop;
	(void)revents;
	w = prepare->data;
	if (w->stage_len > 0)
		route_flush(w);
}

static void
route_close(struct sibling *sib)
{
	struct worker *w;

	if (!sib->open)
		return;
	w = sib->worker;
	sib->open = 0;
	ev_io_stop(w->loop, &sib->reader);
	ev_io_stop(w->loop, &sib->writer);
	(void)close(sib->reader.fd);
	free(sib->part);
	free(sib->queue);
	sib->part = NULL;
	sib->part_len = 0;
	sib->queue = NULL;
	sib->queue_size = sib->queue_head = sib->queue_len = 0;
	sib->niov = 0;
}

/*
 * PW_SIBLING: fd leads to worker `number`, in place of any earlier channel.
 * Returns NULL, or what is wrong with it.
 */
const char *
route_open(struct worker *w, uint32_t number, int fd)
{
	struct sibling *sib;

	if (number >= w->hello.nworkers || number == w->hello.worker)
		return ("no such sibling");
	if (!ev_is_active(&w->route_turn)) {
		ev_prepare_init(&w->route_turn, route_turn);
		w->route_turn.data = w;
		ev_prepare_start(w->loop, &w->route_turn);
		ev_unref(w->loop);
	}
	sib = w->siblings[number];
	if (sib == NULL) {
		sib = calloc(1, sizeof(*sib));
		if (sib == NULL)
			fatal(NULL);
		sib->worker = w;
		sib->number = number;
		w->siblings[number] = sib;
	}
	route_close(sib);
	ev_io_init(&sib->reader, route_read, fd, EV_READ);
	ev_io_init(&sib->writer, route_write, fd, EV_WRITE);
	sib->reader.data = sib;
	sib->writer.data = sib;
	sib->open = 1;
	ev_io_start(w->loop, &sib->reader);
	return (NULL);
}

/* Copies a small packet to the stage; NULL without memory. */
static uint8_t *
route_stage(struct worker *w, const uint8_t *payload, size_t len)
{
	uint8_t *to;

	if (w->stage == NULL) {
		w->stage = malloc(ROUTE_STAGE);
		if (w->stage == NULL)
			return (NULL);
	}
	if (w->stage_len + ROUTE_HEADER + len > ROUTE_STAGE)
		route_flush(w);
	to = w->stage + w->stage_len;
	w->stage_len += (uint32_t)(ROUTE_HEADER + len);
	memcpy(to + ROUTE_HEADER, payload, len);
	return (to);
}

/*
 * Gathers one packet for a node whose session worker `number` owns.  A payload
 * of more than ROUTE_STAGE_PACKET bytes stays in place until gather_flush(),
 * and 16 bytes before it are overwritten.  Returns 1, or 0 if it was dropped.
 */
int
route_packet(struct worker *w, uint32_t number, uint32_t dest, uint32_t sender,
    uint8_t *payload, size_t len)
{
	struct imsg_header header;
	struct sibling *sib;
	struct iovec *last;
	uint8_t *message;

	sib = number < PROTO_WORKERS_MAX ? w->siblings[number] : NULL;
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
		w->gather.held = 1;
		w->route_in_place = 1;
	}
	header.type = WW_PACKET;
	header.len = (uint32_t)(ROUTE_HEADER + len);
	header.peerid = dest;
	header.pid = sender;
	memcpy(message, &header, sizeof(header));
	last = sib->niov > 0 ? &sib->iov[sib->niov - 1] : NULL;
	if (last != NULL &&
	    (uint8_t *)last->iov_base + last->iov_len == message) {
		last->iov_len += header.len;
		return (1);
	}
	sib->iov[sib->niov].iov_base = message;
	sib->iov[sib->niov++].iov_len = header.len;
	if (sib->niov == ROUTE_IOV)
		route_flush(w);
	return (1);
}

/* Queues len bytes whatever the bound; 0, or -1 without memory. */
static int
route_append(struct sibling *sib, const uint8_t *bytes, size_t len)
{
	uint8_t *queue;
	size_t size;

	if (sib->queue_head + sib->queue_len + len > sib->queue_size &&
	    sib->queue_head > 0) {
		memmove(
		    sib->queue, sib->queue + sib->queue_head, sib->queue_len);
		sib->queue_head = 0;
	}
	if (sib->queue_len + len > sib->queue_size) {
		size = sib->queue_size == 0 ? ROUTE_QUEUE_MIN : sib->queue_size;
		while (size < sib->queue_len + len)
			size *= 2;
		queue = realloc(sib->queue, size);
		if (queue == NULL)
			return (-1);
		sib->queue = queue;
		sib->queue_size = size;
	}
	memcpy(sib->queue + sib->queue_head + sib->queue_len, bytes, len);
	sib->queue_len += len;
	return (0);
}

/* Queues the messages of one stretch but for the first `sent` bytes. */
static int
route_queue(struct sibling *sib, const uint8_t *base, size_t len, size_t sent)
{
	struct imsg_header header;
	size_t off;

	for (off = 0; off < len; off += header.len) {
		memcpy(&header, base + off, sizeof(header));
		if (off + header.len <= sent)
			continue;
		if (off < sent) {
			if (route_append(sib, base + sent,
				off + header.len - sent) == -1)
				return (-1);
		} else if (sib->queue_len + header.len > ROUTE_QUEUE_MAX ||
			   route_append(sib, base + off, header.len) == -1)
			counters_add(COUNTER_DROP_WORKER_FULL, 1);
	}
	return (0);
}

static void
route_flush_sibling(struct sibling *sib)
{
	struct msghdr msg;
	size_t len, sent;
	uint32_t i, n;
	ssize_t r;

	n = sib->niov;
	sib->niov = 0;
	sent = 0;
	if (sib->queue_len == 0) {
		memset(&msg, 0, sizeof(msg));
		msg.msg_iov = sib->iov;
		msg.msg_iovlen = n;
		r = sendmsg(sib->reader.fd, &msg, MSG_NOSIGNAL);
		/* If the other end is gone, the reader will tell. */
		if (r == -1 && errno != EAGAIN && errno != EINTR)
			return;
		sent = r > 0 ? (size_t)r : 0;
	}
	for (i = 0; i < n; i++) {
		len = sib->iov[i].iov_len;
		if (sent < len &&
		    route_queue(sib, sib->iov[i].iov_base, len, sent) == -1) {
			route_close(sib);
			return;
		}
		sent -= sent < len ? sent : len;
	}
	if (sib->queue_len > 0)
		ev_io_start(sib->worker->loop, &sib->writer);
}

/* Sends what was gathered for the other workers. */
void
route_flush(struct worker *w)
{
	struct sibling *sib;
	uint32_t i;

	for (i = 0; i < w->hello.nworkers; i++) {
		sib = w->siblings[i];
		if (sib != NULL && sib->niov > 0)
			route_flush_sibling(sib);
	}
	w->stage_len = 0;
	w->route_in_place = 0;
}

static void
route_write(struct ev_loop *loop, ev_io *io, int revents)
{
	struct sibling *sib;
	ssize_t n;

	(void)revents;
	sib = io->data;
	n = send(
	    io->fd, sib->queue + sib->queue_head, sib->queue_len, MSG_NOSIGNAL);
	if (n == -1)
		return;
	sib->queue_head += (size_t)n;
	sib->queue_len -= (size_t)n;
	if (sib->queue_len > 0)
		return;
	ev_io_stop(loop, io);
	free(sib->queue);
	sib->queue = NULL;
	sib->queue_size = sib->queue_head = 0;
}

/* The next whole message at `bytes`: its length, 0 if incomplete, -1 if bad. */
static ssize_t
route_message(struct worker *w, struct sibling *sib, uint8_t *bytes, size_t len)
{
	struct imsg_header header;

	if (len < ROUTE_HEADER)
		return (0);
	memcpy(&header, bytes, sizeof(header));
	if (header.type != WW_PACKET || header.len < ROUTE_HEADER ||
	    header.len > ROUTE_MESSAGE_MAX)
		return (-1);
	if (len < header.len)
		return (0);
	relay_delivery(w, sib->number, header.peerid, header.pid,
	    bytes + ROUTE_HEADER, header.len - ROUTE_HEADER);
	return ((ssize_t)header.len);
}

/* Deals with the n bytes at w->rx and keeps what is incomplete. */
static void
route_bytes(struct worker *w, struct sibling *sib, size_t n)
{
	size_t off;
	ssize_t r;

	r = 0;
	for (off = 0; off < n; off += (size_t)r) {
		r = route_message(w, sib, w->rx + off, n - off);
		if (r <= 0)
			break;
	}
	gather_flush(w);
	if (r == -1) {
		log_warnx(
		    "worker %u broke the rules: channel closed", sib->number);
		route_close(sib);
		return;
	}
	sib->part_len = (uint32_t)(n - off);
	if (sib->part_len > 0)
		memcpy(sib->part, w->rx + off, sib->part_len);
}

/* As much as one read takes; 1 if there may be more. */
static int
route_recv(struct worker *w, struct sibling *sib)
{
	size_t room;
	ssize_t n;

	memcpy(w->rx, sib->part, sib->part_len);
	room = RX_SIZE - sib->part_len;
	/* Without room for descriptors the kernel closes any that come. */
	n = recv(sib->reader.fd, w->rx + sib->part_len, room, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (0);
	if (n <= 0) {
		route_close(sib);
		return (0);
	}
	route_bytes(w, sib, sib->part_len + (size_t)n);
	return ((size_t)n == room && sib->open);
}

static void
route_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct sibling *sib;
	int i;

	(void)loop;
	(void)revents;
	sib = io->data;
	if (sib->part == NULL) {
		sib->part = malloc(ROUTE_MESSAGE_MAX);
		if (sib->part == NULL)
			return;
	}
	for (i = 0; i < ROUTE_READS; i++)
		if (!route_recv(sib->worker, sib))
			return;
}
