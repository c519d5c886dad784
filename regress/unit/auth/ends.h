/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_AUTH_ENDS_H
#define REGRESS_UNIT_AUTH_ENDS_H

#include <sys/mman.h>
#include <sys/socket.h>

#include <sodium.h>
#include <unistd.h>

#include "common/counters.h"

#include "auth/auth.h"

#include "regress/unit/test.h"

/*
 * The whole of auth in the test's process, and the test at the other ends of
 * its channels: as its parent and as its worker 3.
 */
static struct auth auth;
static struct peermap map; /* as the parent has it: writable */
static int map_fd;
static struct imsgbuf parent, worker;
static struct imsg imsg;
static uint8_t pk[PROTO_KEY_LEN], sk[crypto_sign_SECRETKEYBYTES];
static uint8_t pk2[PROTO_KEY_LEN], sk2[crypto_sign_SECRETKEYBYTES];
static uint8_t nonce[PROTO_NONCES_MAX][PROTO_NONCE_LEN];
static uint32_t first_nonce;
static int statuses; /* whether AP_STATUS, which the clock sends, is heard */

static inline void
tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
}

/* Turns the loop until buf has a message (1) or none comes for long (0). */
static inline int
next_within(struct imsgbuf *buf, int turns)
{
	int i, n;

	for (i = 0; i < turns; i++) {
		do {
			n = imsgbuf_get(buf, &imsg);
		} while (n == 1 && !statuses &&
			 imsg_get_type(&imsg) == AP_STATUS);
		if (n != 0)
			return (n);
		(void)ev_run(auth.loop, EVRUN_ONCE);
		if (imsgbuf_read(buf) != 1)
			return (-1);
	}
	return (0);
}

static inline int
next(struct imsgbuf *buf)
{
	return (next_within(buf, 200));
}

static inline int
get(struct imsgbuf *buf, uint32_t type, void *data, size_t len)
{
	if (next(buf) != 1 || imsg_get_type(&imsg) != type)
		return (0);
	if (len == 0)
		return (imsg_get_len(&imsg) == 0);
	return (imsg_get_data(&imsg, data, len) == 0);
}

static inline int
put(struct imsgbuf *buf, uint32_t type, int fd, const void *data, size_t len)
{
	if (imsg_compose(buf, type, 0, 0, fd, data, len) == -1)
		return (0);
	return (imsgbuf_write(buf) == 0);
}

static inline void
hang_up(struct imsgbuf *buf)
{
	(void)close(buf->fd);
	imsgbuf_clear(buf);
}

static inline int
channel_to(struct imsgbuf *buf)
{
	int pair[2];

	if (channel_pair(pair) == -1 || imsgbuf_init(buf, pair[0]) == -1)
		return (-1);
	imsgbuf_allow_fdsend(buf);
	return (pair[1]);
}

static inline int
put_worker(uint32_t epoch)
{
	struct msg_worker msg;
	int fd;

	fd = channel_to(&worker);
	msg.worker = 3;
	msg.epoch = epoch;
	return (fd != -1 && put(&parent, PA_WORKER, fd, &msg, sizeof(msg)));
}

static inline int
put_settings(uint32_t legacy)
{
	struct msg_settings settings;

	memset(&settings, 0, sizeof(settings));
	settings.legacy_signatures = legacy;
	return (put(&parent, PA_SETTINGS, -1, &settings, sizeof(settings)));
}

static inline int
put_hello(const char *version)
{
	struct msg_hello hello;

	proto_fill_hello(&hello);
	(void)strlcpy(hello.version, version, sizeof(hello.version));
	hello.epoch = 5;
	return (put(&parent, PA_HELLO, -1, &hello, sizeof(hello)));
}

static inline int
put_memory(uint32_t type, size_t size)
{
	int fd;

	if (type == PA_MAP)
		return (put(&parent, type, dup(map_fd), NULL, 0));
	fd = memfd_create("page", 0);
	return (fd != -1 && ftruncate(fd, (off_t)size) == 0 &&
		put(&parent, type, fd, NULL, 0));
}

static inline int
make_map(void)
{
	struct peermap_header *header;
	void *base;

	map_fd = memfd_create("map", 0);
	if (map_fd == -1 || ftruncate(map_fd, PEERMAP_BYTES) == -1)
		return (0);
	base = mmap(
	    NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (base == MAP_FAILED)
		return (0);
	header = base;
	header->magic = PEERMAP_MAGIC;
	peermap_view(&map, base);
	return (1);
}

/* The parent wrote a session into the map. */
static inline void
session(uint32_t number, uint32_t node, uint32_t generation, const uint8_t *key)
{
	struct peermap_header *header;
	struct peermap_entry *entry;

	header = (struct peermap_header *)(uintptr_t)map.header;
	entry = (struct peermap_entry *)(uintptr_t)&map.entries[number];
	entry->node = node;
	entry->generation = generation;
	entry->keyid = keycache_id(key);
	if (header->used <= number)
		header->used = number + 1;
}

static inline int
want_nonces(uint32_t count)
{
	struct msg_nonces_wanted wanted;
	struct msg_nonces msg;

	wanted.count = count;
	if (!put(&worker, WA_NONCES, -1, &wanted, sizeof(wanted)) ||
	    next(&worker) != 1 || imsg_get_type(&imsg) != AW_NONCES ||
	    imsg_get_len(&imsg) != sizeof(msg) + count * PROTO_NONCE_LEN)
		return (0);
	memcpy(&msg, imsg.data, sizeof(msg));
	memcpy(nonce, imsg.data + sizeof(msg), count * PROTO_NONCE_LEN);
	first_nonce = msg.first;
	return (msg.count == count);
}

/* The i-th nonce of the last batch, signed by `secret` for `node`. */
static inline int
put_verify(uint32_t i, uint32_t node, int legacy, const uint8_t *secret)
{
	char hex[2 * PROTO_NONCE_LEN + 1], text[256];
	struct msg_verify msg;

	memset(&msg, 0, sizeof(msg));
	msg.slot = 100 + i;
	msg.serial = 200 + i;
	msg.nonce = first_nonce + i;
	msg.node = node;
	msg.ts = clock_wall();
	(void)sodium_bin2hex(hex, sizeof(hex), nonce[i], sizeof(nonce[i]));
	if (legacy)
		(void)snprintf(
		    text, sizeof(text), "compat_auth:%u:%s", node, hex);
	else
		(void)snprintf(text, sizeof(text), "compat_auth:%u:%llu:%s",
		    node, (unsigned long long)msg.ts, hex);
	(void)crypto_sign_detached(
	    msg.sig, NULL, (unsigned char *)text, strlen(text), secret);
	return (put(&worker, WA_VERIFY, -1, &msg, sizeof(msg)));
}

static inline int
admitted(uint32_t i, uint32_t node, const uint8_t *key)
{
	struct msg_admit msg;

	return (get(&parent, AP_ADMIT, &msg, sizeof(msg)) && msg.worker == 3 &&
		msg.epoch == 9 && msg.slot == 100 + i &&
		msg.serial == 200 + i && msg.node == node &&
		msg.keyid == keycache_id(key));
}

static inline int
refused(uint32_t i)
{
	struct msg_refused msg;

	return (get(&worker, AW_REFUSED, &msg, sizeof(msg)) &&
		msg.slot == 100 + i && msg.serial == 200 + i &&
		msg.reason > 0 && msg.reason < REFUSED_UNANSWERED);
}

/* All that is set before the first message. */
static inline int
ends_init(void)
{
	static ev_timer timer;

	if (sodium_init() == -1 || !make_map())
		return (-1);
	(void)crypto_sign_keypair(pk, sk);
	(void)crypto_sign_keypair(pk2, sk2);
	auth.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (auth.loop == NULL)
		return (-1);
	work_init(&auth);
	channel_loop_init(auth.loop);
	ev_timer_init(&timer, tick, 0.001, 0.001);
	ev_timer_start(auth.loop, &timer);
	return (0);
}

#endif /* REGRESS_UNIT_AUTH_ENDS_H */
