/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The floor that beacond is measured against: what the kernel charges for
 * relaying over TCP, with as little as possible around it.
 *
 * A client sends its id (u32) and gets it back; from then on it sends records
 * [length u32][destination u32][payload], which arrive at the destination as
 * [length u32][sender u32][payload].  All integers are big-endian.  One read
 * per connection and wake-up into one large buffer, one gathered write per
 * destination, straight from there.
 */

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/bench/bare.h"

#define BUFFER      (256 * 1024)
#define RECORD_MAX  65536
#define RECORD_HEAD 8
#define IDS         (1U << 20)
#define RUNS        512
#define QUEUE_MAX   (8U << 20) /* bytes for one destination */

struct conn {
	int fd;
	uint32_t id;  /* 0: not known yet */
	uint8_t *in;  /* the beginning of a record, or NULL */
	uint8_t *out; /* what the kernel did not take, or NULL */
	uint32_t inlen;
	uint32_t outoff;
	uint32_t outlen;
	uint32_t outsize;
};

/* Records for one destination that stand one after the other. */
struct run {
	struct conn *dest;
	uint8_t *data;
	size_t len;
};

static struct conn *by_id[IDS];
static uint8_t buffer[BUFFER + RECORD_HEAD + RECORD_MAX];
static struct run runs[RUNS];
static size_t nruns;
static int epfd;
static uint64_t dropped;

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (ntohl(v));
}

static void
put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static void
conn_watch(struct conn *c, int op, uint32_t events)
{
	struct epoll_event ev;

	ev.events = events;
	ev.data.ptr = c;
	if (epoll_ctl(epfd, op, c->fd, &ev) == -1)
		err(1, "epoll_ctl");
}

static void
conn_close(struct conn *c)
{
	size_t i;

	if (c->id != 0 && by_id[c->id] == c)
		by_id[c->id] = NULL;
	for (i = 0; i < nruns; i++) {
		if (runs[i].dest == c)
			runs[i].dest = NULL;
	}
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

static void
conn_accept(int listener)
{
	struct conn *c;
	int fd, i, one = 1;

	for (i = 0; i < 256; i++) {
		fd =
		    accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1)
			return;
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			err(1, NULL);
		c->fd = fd;
		conn_watch(c, EPOLL_CTL_ADD, EPOLLIN);
	}
}

/* Keeps what the kernel did not take of one run. */
static void
conn_queue(struct conn *c, const uint8_t *data, size_t len)
{
	uint32_t size;

	if (c->outlen + len > QUEUE_MAX) {
		dropped++;
		return;
	}
	if (c->outlen == 0)
		conn_watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	if (c->outoff + c->outlen + len > c->outsize) {
		memmove(c->out, c->out + c->outoff, c->outlen);
		c->outoff = 0;
	}
	if (c->outlen + len > c->outsize) {
		size = (uint32_t)(c->outlen + len) * 2;
		c->out = realloc(c->out, size);
		if (c->out == NULL)
			err(1, NULL);
		c->outsize = size;
	}
	memcpy(c->out + c->outoff + c->outlen, data, len);
	c->outlen += (uint32_t)len;
}

/* The destination can be written again. */
static void
conn_flush(struct conn *c)
{
	ssize_t n;

	n = write(c->fd, c->out + c->outoff, c->outlen);
	if (n == -1)
		return;
	c->outoff += (uint32_t)n;
	c->outlen -= (uint32_t)n;
	if (c->outlen != 0)
		return;
	conn_watch(c, EPOLL_CTL_MOD, EPOLLIN);
	free(c->out);
	c->out = NULL;
	c->outoff = c->outsize = 0;
}

/* Sends the gathered runs of one destination with one call. */
static void
dest_write(struct conn *dest, struct iovec *iov, int n)
{
	ssize_t sent = 0;
	size_t done;
	int i;

	if (dest->outlen == 0) {
		sent = n == 1 ? write(dest->fd, iov[0].iov_base, iov[0].iov_len)
			      : writev(dest->fd, iov, n);
		if (sent == -1 && errno != EAGAIN)
			return;
		if (sent == -1)
			sent = 0;
	}
	for (i = 0; i < n; i++) {
		done = (size_t)sent < iov[i].iov_len ? (size_t)sent
						     : iov[i].iov_len;
		sent -= (ssize_t)done;
		if (done < iov[i].iov_len)
			conn_queue(dest, (uint8_t *)iov[i].iov_base + done,
			    iov[i].iov_len - done);
	}
}

static void
runs_flush(void)
{
	static struct iovec iov[RUNS]; /* not to be cleared each time */
	struct conn *dest;
	size_t i, k;
	int n;

	for (i = 0; i < nruns; i++) {
		dest = runs[i].dest;
		if (dest == NULL)
			continue;
		n = 0;
		for (k = i; k < nruns; k++) {
			if (runs[k].dest != dest)
				continue;
			iov[n].iov_base = runs[k].data;
			iov[n++].iov_len = runs[k].len;
			runs[k].dest = NULL;
		}
		dest_write(dest, iov, n);
	}
	nruns = 0;
}

static void
runs_add(struct conn *dest, uint8_t *data, size_t len)
{
	struct run *r;

	if (nruns != 0) {
		r = &runs[nruns - 1];
		if (r->dest == dest && r->data + r->len == data) {
			r->len += len;
			return;
		}
	}
	if (nruns == RUNS)
		runs_flush();
	r = &runs[nruns++];
	r->dest = dest;
	r->data = data;
	r->len = len;
}

/* A client's first four bytes; answers with the same. */
static int
conn_hello(struct conn *c, uint8_t *data)
{
	c->id = get32(data);
	if (c->id == 0 || c->id >= IDS || by_id[c->id] != NULL) {
		c->id = 0;
		return (-1);
	}
	by_id[c->id] = c;
	return (write(c->fd, data, 4) == 4 ? 0 : -1);
}

/* Returns the bytes used, or -1 at a record that cannot be. */
static ssize_t
conn_records(struct conn *c, uint8_t *data, size_t len)
{
	size_t off = 0;
	uint32_t size, dest;

	if (c->id == 0) {
		if (len < 4)
			return (0);
		if (conn_hello(c, data) == -1)
			return (-1);
		off = 4;
	}
	while (len - off >= RECORD_HEAD) {
		size = get32(data + off);
		dest = get32(data + off + 4);
		if (size > RECORD_MAX)
			return (-1);
		if (len - off - RECORD_HEAD < size)
			break;
		if (dest < IDS && by_id[dest] != NULL) {
			put32(data + off + 4, c->id);
			runs_add(by_id[dest], data + off, RECORD_HEAD + size);
		} else
			dropped++;
		off += RECORD_HEAD + size;
	}
	return ((ssize_t)off);
}

/* Keeps the beginning of a record until the rest comes. */
static void
conn_keep(struct conn *c, const uint8_t *data, size_t len)
{
	free(c->in);
	c->in = NULL;
	c->inlen = (uint32_t)len;
	if (len == 0)
		return;
	c->in = malloc(len);
	if (c->in == NULL)
		err(1, NULL);
	memcpy(c->in, data, len);
}

static void
conn_read(struct conn *c)
{
	ssize_t n, used;
	size_t len;

	if (c->inlen != 0)
		memcpy(buffer, c->in, c->inlen);
	n = read(c->fd, buffer + c->inlen, BUFFER);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	len = c->inlen + (size_t)n;
	used = conn_records(c, buffer, len);
	runs_flush();
	if (used == -1)
		conn_close(c);
	else if (c->inlen != 0 || (size_t)used != len)
		conn_keep(c, buffer + used, len - (size_t)used);
}

static void
wake(const struct epoll_event *ev, int listener)
{
	struct conn *c = ev->data.ptr;

	if (c == NULL)
		conn_accept(listener);
	else if (ev->events & ~(uint32_t)EPOLLOUT) {
		if (ev->events & EPOLLOUT && c->outlen != 0)
			conn_flush(c);
		conn_read(c);
	} else
		conn_flush(c);
}

int
main(void)
{
	static struct epoll_event events[BARE_EVENTS];
	int i, listener, n;

	listener = bare_listener("tcp_relay");
	epfd = bare_epoll(listener);
	fprintf(stderr, "tcp_relay: ready\n");
	for (;;) {
		n = epoll_wait(epfd, events, BARE_EVENTS, -1);
		for (i = 0; i < n; i++)
			wake(&events[i], listener);
	}
}
