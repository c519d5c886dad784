/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/proto.h"
#include "frame/frame.h"

/* A source of keys, beacond-keys(7). */

#define KEYS_LINKS   4 /* a new connection may come before the old one ends */
#define KEYS_LISTEN  KEYS_LINKS /* its number for epoll */
#define KEYS_IN      4096
#define KEYS_OUT     65536
#define KEYS_HEADER  5  /* length, type */
#define KEYS_REQUEST 64 /* bytes of the longest, length and all */
#define KEYS_ANSWER  64 /* and of the longest answer */

static const uint8_t keys_magic[5] = { 'P', 'I', 'L', 'T', 1 };

enum keys_type {
	KEYS_HEARTBEAT = 0x01,
	KEYS_LOOKUP = 0x02,
	KEYS_ALIVE = 0x81,
	KEYS_KEY = 0x82,
	KEYS_ERROR = 0xff
};

struct keys_link {
	int fd;    /* -1: none */
	int begun; /* boolean: the first five bytes have come */
	uint8_t in[KEYS_IN];
	size_t in_len;
	uint8_t out[KEYS_OUT];
	size_t out_len;
};

struct beacond_keys {
	beacond_keys_lookup lookup;
	void *arg;
	int epoll;
	int listener;
	struct sockaddr_un sun;
	struct keys_link links[KEYS_LINKS];
};

static uint32_t
keys_u32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
		(uint32_t)p[2] << 8 | p[3]);
}

static void
keys_put_u32(uint8_t *p, uint32_t n)
{
	p[0] = (uint8_t)(n >> 24);
	p[1] = (uint8_t)(n >> 16);
	p[2] = (uint8_t)(n >> 8);
	p[3] = (uint8_t)n;
}

static void
keys_answer(
    struct keys_link *link, enum keys_type type, const void *body, size_t len)
{
	uint8_t *to;

	to = link->out + link->out_len;
	keys_put_u32(to, (uint32_t)(len + 1));
	to[4] = (uint8_t)type;
	if (len > 0)
		memcpy(to + KEYS_HEADER, body, len);
	link->out_len += KEYS_HEADER + len;
}

static void
keys_error(struct keys_link *link, const char *text)
{
	uint8_t body[KEYS_ANSWER - KEYS_HEADER];
	size_t len;

	len = strlen(text);
	body[0] = 0;
	body[1] = (uint8_t)len;
	memcpy(body + 2, text, len);
	keys_answer(link, KEYS_ERROR, body, len + 2);
}

static void
keys_found(struct keys_link *link, uint32_t node, const uint8_t *key)
{
	uint8_t body[4 + 7 + 1 + PROTO_KEY_LEN + 5];

	memset(body, 0, sizeof(body));
	keys_put_u32(body, node);
	body[4 + 7] = PROTO_KEY_LEN;
	memcpy(body + 4 + 7 + 1, key, PROTO_KEY_LEN);
	keys_answer(link, KEYS_KEY, body, sizeof(body));
}

static void
keys_look_up(struct beacond_keys *keys, struct keys_link *link, uint32_t node)
{
	uint8_t key[PROTO_KEY_LEN];
	char text[32];

	if (keys->lookup(keys->arg, node, key)) {
		keys_found(link, node, key);
		return;
	}
	(void)snprintf(text, sizeof(text), "node %u: not found", node);
	keys_error(link, text);
}

/*
 * The request at p, of which len bytes are there.  Returns its length, 0 if it
 * is not whole, -1 if there is none so long.
 */
static ssize_t
keys_request(struct beacond_keys *keys, struct keys_link *link,
    const uint8_t *p, size_t len)
{
	uint32_t size;

	if (len < KEYS_HEADER)
		return (0);
	size = keys_u32(p);
	if (size < 1 || size > KEYS_REQUEST - 4)
		return (-1);
	if (len < 4 + size)
		return (0);
	if (p[4] == KEYS_HEARTBEAT)
		keys_answer(link, KEYS_ALIVE, NULL, 0);
	else if (p[4] == KEYS_LOOKUP && size == 1 + 4)
		keys_look_up(keys, link, keys_u32(p + KEYS_HEADER));
	else
		keys_error(link, "no such request");
	return ((ssize_t)(4 + size));
}

/* 0, or -1: the beacon says what it should not. */
static int
keys_begin(struct keys_link *link, size_t *off)
{
	if (link->begun || link->in_len < sizeof(keys_magic))
		return (0);
	if (memcmp(link->in, keys_magic, sizeof(keys_magic)) != 0)
		return (-1);
	link->begun = 1;
	*off = sizeof(keys_magic);
	return (0);
}

/* Answers all whole requests that there is room to answer.  0, or -1. */
static int
keys_take(struct beacond_keys *keys, struct keys_link *link)
{
	size_t off;
	ssize_t r;

	off = 0;
	if (keys_begin(link, &off) == -1)
		return (-1);
	while (link->begun && link->out_len + KEYS_ANSWER <= KEYS_OUT) {
		r = keys_request(
		    keys, link, link->in + off, link->in_len - off);
		if (r == -1)
			return (-1);
		if (r == 0)
			break;
		off += (size_t)r;
	}
	link->in_len -= off;
	memmove(link->in, link->in + off, link->in_len);
	return (0);
}

/* 0, or -1: the connection has ended. */
static int
keys_flush(struct keys_link *link)
{
	ssize_t n;

	if (link->out_len == 0)
		return (0);
	n = send(
	    link->fd, link->out, link->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == -1)
		return (errno == EAGAIN || errno == EINTR ? 0 : -1);
	link->out_len -= (size_t)n;
	memmove(link->out, link->out + n, link->out_len);
	return (0);
}

static int
keys_read(struct keys_link *link)
{
	ssize_t n;

	if (link->in_len == KEYS_IN)
		return (0);
	n = recv(link->fd, link->in + link->in_len, KEYS_IN - link->in_len,
	    MSG_DONTWAIT);
	if (n == -1)
		return (errno == EAGAIN || errno == EINTR ? 0 : -1);
	if (n == 0)
		return (-1);
	link->in_len += (size_t)n;
	return (0);
}

static int
keys_watch(
    struct beacond_keys *keys, uint32_t number, int fd, int op, uint32_t events)
{
	struct epoll_event event;

	memset(&event, 0, sizeof(event));
	event.events = events;
	event.data.u32 = number;
	return (epoll_ctl(keys->epoll, op, fd, &event));
}

static void
keys_serve(struct beacond_keys *keys, uint32_t number)
{
	struct keys_link *link;

	link = &keys->links[number];
	if (keys_read(link) == -1 || keys_take(keys, link) == -1 ||
	    keys_flush(link) == -1) {
		(void)close(link->fd);
		link->fd = -1;
		return;
	}
	(void)keys_watch(keys, number, link->fd, EPOLL_CTL_MOD,
	    link->out_len > 0 ? EPOLLOUT : EPOLLIN);
}

/* With no place free, the first one's connection is the oldest there is. */
static void
keys_accept(struct beacond_keys *keys)
{
	struct keys_link *link;
	uint32_t i;
	int fd;

	fd = accept4(keys->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1)
		return;
	for (i = 0; i < KEYS_LINKS - 1 && keys->links[i].fd != -1; i++)
		continue;
	link = &keys->links[i];
	if (link->fd != -1)
		(void)close(link->fd);
	memset(link, 0, sizeof(*link));
	link->fd = fd;
	(void)keys_watch(keys, i, fd, EPOLL_CTL_ADD, EPOLLIN);
}

/*
 * Waits for so long (milliseconds; -1: for ever) until the beacon asks, and
 * answers all that it has asked.  Returns 0, or -1 with errno.
 */
int
beacond_keys_dispatch(struct beacond_keys *keys, int timeout_ms)
{
	struct epoll_event events[KEYS_LINKS + 1];
	int i, n;

	n = epoll_wait(keys->epoll, events, KEYS_LINKS + 1, timeout_ms);
	if (n == -1)
		return (errno == EINTR ? 0 : -1);
	for (i = 0; i < n; i++) {
		if (events[i].data.u32 == KEYS_LISTEN)
			keys_accept(keys);
		else if (keys->links[events[i].data.u32].fd != -1)
			keys_serve(keys, events[i].data.u32);
	}
	return (0);
}

/* The descriptor to wait for, for reading, before beacond_keys_dispatch(). */
int
beacond_keys_fd(const struct beacond_keys *keys)
{
	return (keys->epoll);
}

static int
keys_listen(struct beacond_keys *keys, const char *path)
{
	if (strlen(path) >= sizeof(keys->sun.sun_path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	keys->sun.sun_family = AF_UNIX;
	memcpy(keys->sun.sun_path, path, strlen(path));
	keys->epoll = epoll_create1(EPOLL_CLOEXEC);
	keys->listener =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (keys->epoll == -1 || keys->listener == -1)
		return (-1);
	(void)unlink(path);
	if (bind(keys->listener, (void *)&keys->sun, sizeof(keys->sun)) == -1 ||
	    listen(keys->listener, KEYS_LINKS) == -1)
		return (-1);
	return (keys_watch(
	    keys, KEYS_LISTEN, keys->listener, EPOLL_CTL_ADD, EPOLLIN));
}

/*
 * Listens at path, in the place of what was there; lookup is asked for each
 * node.  The socket's mode is what the umask leaves of 0777: the beacon's user
 * must be able to write to it.  NULL with errno.
 */
struct beacond_keys *
beacond_keys_open(const char *path, beacond_keys_lookup lookup, void *arg)
{
	struct beacond_keys *keys;
	uint32_t i;
	int error;

	keys = calloc(1, sizeof(*keys));
	if (keys == NULL)
		return (NULL);
	keys->lookup = lookup;
	keys->arg = arg;
	keys->epoll = keys->listener = -1;
	for (i = 0; i < KEYS_LINKS; i++)
		keys->links[i].fd = -1;
	if (keys_listen(keys, path) == 0)
		return (keys);
	error = errno;
	beacond_keys_close(keys);
	errno = error;
	return (NULL);
}

/* Ends all connections and removes the socket. */
void
beacond_keys_close(struct beacond_keys *keys)
{
	uint32_t i;

	if (keys == NULL)
		return;
	for (i = 0; i < KEYS_LINKS; i++)
		if (keys->links[i].fd != -1)
			(void)close(keys->links[i].fd);
	if (keys->listener != -1) {
		(void)close(keys->listener);
		(void)unlink(keys->sun.sun_path);
	}
	if (keys->epoll != -1)
		(void)close(keys->epoll);
	free(keys);
}
