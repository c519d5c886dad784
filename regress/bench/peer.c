/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/bench/load.h"

#define READ_SIZE (1U << 20)
#define KEEP_SIZE (PAYLOAD_MAX + WIRE_HEAD)
#define DATAGRAM  65536
#define SOCKBUF   (4 << 20)

static uint8_t buffer[KEEP_SIZE + READ_SIZE];
static uint8_t datagrams[BATCH][DATAGRAM];

static void
peer_watch(struct peer *p, int op, int writing)
{
	struct epoll_event ev;

	ev.events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
	ev.data.ptr = p;
	if (epoll_ctl(load.epfd, op, p->fd, &ev) == -1)
		err(2, "epoll_ctl");
	p->writing = (uint8_t)writing;
}

/* Begins a connection; port is where the server listens. */
void
peer_connect(struct peer *p, uint16_t port)
{
	struct sockaddr_in sin;
	int one = 1, size = SOCKBUF;

	if (p->started == 0)
		p->started = now_ns();
	p->fd = socket(AF_INET,
	    (p->via == VIA_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK |
		SOCK_CLOEXEC,
	    0);
	if (p->fd == -1)
		err(2, "socket");
	if (p->via == VIA_UDP)
		(void)setsockopt(
		    p->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	else
		(void)setsockopt(
		    p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr = load.addr;
	sin.sin_port = htons(port);
	p->state = PEER_CONNECTING;
	peer_watch(p, EPOLL_CTL_ADD, 1);
	if (connect(p->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 &&
	    errno != EINPROGRESS)
		peer_failed(p, strerror(errno));
}

void
peer_close(struct peer *p)
{
	if (p->state == PEER_CLOSED)
		return;
	close(p->fd);
	free(p->in);
	free(p->out);
	p->in = p->out = NULL;
	p->inlen = p->outoff = p->outlen = p->outsize = 0;
	p->writing = 0;
	p->state = PEER_CLOSED;
}

/* Was refused: once more, after so many seconds at most, as it likes. */
void
peer_later(struct peer *p)
{
	peer_close(p);
	load.later++;
	p->due = load.now + (uint64_t)load.again * SECOND / 1000 *
				(1 + randombytes_uniform(1000));
	p->state = PEER_LATER;
}

/* Tells the server who this is; what is written here fits any socket. */
void
peer_hello(struct peer *p)
{
	uint8_t hello[5];
	uint32_t node;

	if (p->via == VIA_WS) {
		login_upgrade(p);
		return;
	}
	node = htonl(p->node);
	hello[0] = 1; /* Discover */
	memcpy(hello + 1, &node, 4);
	p->state = PEER_HELLO;
	if (p->via == VIA_UDP)
		(void)send(p->fd, hello, 5, 0);
	else
		peer_write(p, hello + 1, 4);
}

/* A Discover of a node that is known: it stays so. */
void
peer_refresh(struct peer *p)
{
	peer_hello(p);
	p->state = PEER_OPEN;
}

static void
peer_connected(struct peer *p)
{
	socklen_t len;
	int error;

	len = sizeof(error);
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		peer_failed(p, strerror(error));
		return;
	}
	peer_watch(p, EPOLL_CTL_MOD, 0);
	peer_hello(p);
}

static void
peer_queue(struct peer *p, const uint8_t *data, size_t len)
{
	if (p->outlen + len > p->outsize) {
		p->outsize = (uint32_t)(p->outlen + len);
		p->out = realloc(p->out, p->outsize);
		if (p->out == NULL)
			err(2, NULL);
	}
	memcpy(p->out + p->outlen, data, len);
	p->outlen += (uint32_t)len;
	if (!p->writing)
		peer_watch(p, EPOLL_CTL_MOD, 1);
}

/* Sends on a stream; what the kernel does not take goes later. */
void
peer_write(struct peer *p, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	if (p->outlen == 0)
		n = send(p->fd, data, len, MSG_NOSIGNAL);
	if (n == -1 && errno == EAGAIN)
		n = 0;
	if (n == -1)
		peer_failed(p, strerror(errno));
	else if ((size_t)n < len)
		peer_queue(p, data + n, len - (size_t)n);
}

/* Returns how many of n datagrams the kernel took. */
unsigned int
peer_datagrams(struct peer *p, struct mmsghdr *msgs, unsigned int n)
{
	int sent;

	sent = sendmmsg(p->fd, msgs, n, 0);
	if (sent == -1 && errno != EAGAIN && errno != ECONNREFUSED)
		peer_failed(p, strerror(errno));
	if (sent != (int)n && p->state != PEER_CLOSED)
		peer_watch(p, EPOLL_CTL_MOD, 1);
	return (sent == -1 ? 0 : (unsigned int)sent);
}

static void
peer_flush(struct peer *p)
{
	ssize_t n = 0;

	if (p->outoff < p->outlen) {
		n = send(p->fd, p->out + p->outoff, p->outlen - p->outoff,
		    MSG_NOSIGNAL);
		if (n == -1 && errno != EAGAIN) {
			peer_failed(p, strerror(errno));
			return;
		}
		if (n == -1)
			return;
	}
	p->outoff += (uint32_t)n;
	if (p->outoff < p->outlen)
		return;
	p->outoff = p->outlen = 0;
	peer_watch(p, EPOLL_CTL_MOD, 0);
	flow_send(p, 0, load.now);
}

static void
peer_keep(struct peer *p, const uint8_t *data, size_t len)
{
	free(p->in);
	p->in = NULL;
	p->inlen = (uint32_t)len;
	if (len == 0)
		return;
	p->in = malloc(len);
	if (p->in == NULL)
		err(2, NULL);
	memcpy(p->in, data, len);
}

static void
peer_read(struct peer *p)
{
	size_t len;
	ssize_t n;
	long used;

	if (p->inlen != 0)
		memcpy(buffer, p->in, p->inlen);
	n = read(p->fd, buffer + p->inlen, READ_SIZE);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		peer_failed(p, n == 0 ? "connection closed" : strerror(errno));
		return;
	}
	len = p->inlen + (size_t)n;
	used = wire_stream(p, buffer, len);
	if (p->state <= PEER_LATER)
		return;
	if (used == -1 || len - (size_t)used > KEEP_SIZE) {
		peer_failed(p, "an answer that cannot be");
		return;
	}
	if (p->inlen != 0 || (size_t)used != len)
		peer_keep(p, buffer + used, len - (size_t)used);
	flow_arrived(p);
}

static void
peer_receive(struct peer *p)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int i, n;

	memset(msgs, 0, sizeof(msgs));
	for (i = 0; i < BATCH; i++) {
		iov[i].iov_base = datagrams[i];
		iov[i].iov_len = DATAGRAM;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(p->fd, msgs, BATCH, 0, NULL);
	for (i = 0; i < n; i++) {
		if (wire_datagram(p, datagrams[i], msgs[i].msg_len) == -1)
			load.errors++;
	}
	if (p->state != PEER_CLOSED)
		flow_arrived(p);
}

/* epoll has something for p. */
void
peer_event(struct peer *p, uint32_t events)
{
	if (p->state == PEER_CONNECTING) {
		peer_connected(p);
		return;
	}
	if (events & EPOLLOUT && p->state != PEER_CLOSED)
		peer_flush(p);
	if (events & ~(uint32_t)EPOLLOUT && p->state != PEER_CLOSED) {
		if (p->via == VIA_UDP)
			peer_receive(p);
		else
			peer_read(p);
	}
}
