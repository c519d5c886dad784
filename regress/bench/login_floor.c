/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The floor for logins: what the kernel charges for the turns of one, and one
 * Ed25519 verification, in a single process that looks at nothing.  The answers
 * are always the same bytes, and what is verified is always the same signature.
 */

#include <sys/epoll.h>
#include <sys/socket.h>

#include <err.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "regress/bench/bare.h"

/* compat_auth:NODE:TS:NONCE has about as many. */
#define SIGNED_LEN 93
#define FDS        (1 << 20)
#define BUFFER     65536

/* The generator always sends the key of RFC 6455 section 1.3. */
static const char challenge[] =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "Sec-WebSocket-Protocol: pilot.v1\r\n\r\n"
    "\x81\x74{\"type\":\"auth_challenge\",\"nonce\":\""
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "\",\"ts\":1700000000}";
static const char ok[] = "\x81\x12{\"type\":\"auth_ok\"}";

static uint8_t turns[FDS]; /* reads so far, by descriptor */
static uint8_t key[crypto_sign_PUBLICKEYBYTES];
static uint8_t sig[crypto_sign_BYTES];
static const uint8_t text[SIGNED_LEN];

static void
watch(int epfd, int fd)
{
	struct epoll_event ev;

	ev.events = EPOLLIN;
	ev.data.ptr = &turns[fd];
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
		err(1, "epoll_ctl");
	turns[fd] = 0;
}

static void
turn(int fd)
{
	static uint8_t buffer[BUFFER];
	ssize_t n;

	n = recv(fd, buffer, sizeof(buffer), 0);
	if (n <= 0) {
		close(fd);
		return;
	}
	switch (turns[fd]++) {
	case 0:
		(void)send(fd, challenge, sizeof(challenge) - 1, MSG_NOSIGNAL);
		break;
	case 1:
		if (crypto_sign_verify_detached(sig, text, sizeof(text), key) ==
		    -1)
			errx(1, "signature");
		(void)send(fd, ok, sizeof(ok) - 1, MSG_NOSIGNAL);
		break;
	default:
		break;
	}
}

int
main(void)
{
	static struct epoll_event events[BARE_EVENTS];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	int epfd, fd, i, listener, n;

	if (sodium_init() == -1)
		errx(1, "sodium_init");
	(void)crypto_sign_keypair(key, secret);
	(void)crypto_sign_detached(sig, NULL, text, sizeof(text), secret);
	listener = bare_listener("login_floor");
	epfd = bare_epoll(listener);
	fprintf(stderr, "login_floor: ready\n");
	for (;;) {
		n = epoll_wait(epfd, events, BARE_EVENTS, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr != NULL) {
				turn((int)((uint8_t *)events[i].data.ptr -
					   turns));
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL,
				    SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1)
				watch(epfd, fd);
		}
	}
}
