/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "frame/frame.h"

/*
 * frame/examples/relay.c that loses nothing when it begins: a frame that comes
 * before beacond_frame_open() has returned waits until there is something to
 * write it with.  Usage: router SOCKET
 */

#define EARLY_MAX (4U << 20)
#define RELAY_LEN 9

static struct beacond_frame *bf;
static uint8_t early[EARLY_MAX];
static size_t early_len;
static volatile sig_atomic_t stop;

static void
stopped(int sig)
{
	stop = 1;
}

static void
keep(uint32_t dest, const uint8_t *frame, size_t len)
{
	uint32_t head[2];

	if (early_len + sizeof(head) + len > sizeof(early))
		errx(1, "too much comes too early");
	head[0] = dest;
	head[1] = (uint32_t)len;
	memcpy(early + early_len, head, sizeof(head));
	memcpy(early + early_len + sizeof(head), frame, len);
	early_len += sizeof(head) + len;
}

static void
write_early(void)
{
	uint32_t head[2];
	size_t at;

	for (at = 0; at < early_len; at += sizeof(head) + head[1]) {
		memcpy(head, early + at, sizeof(head));
		(void)beacond_frame_write(
		    bf, head[0], early + at + sizeof(head), head[1]);
	}
}

/* The new header is written over the end of the old one. */
static void
frame(void *arg, uint32_t sender, uint8_t *packet, size_t len)
{
	uint32_t dest, from;

	if (len < RELAY_LEN || packet[0] != 5)
		return;
	memcpy(&from, packet + 1, sizeof(from));
	memcpy(&dest, packet + 5, sizeof(dest));
	if (ntohl(from) != sender)
		return;
	packet[4] = 6;
	memcpy(packet + 5, &from, sizeof(from));
	if (bf == NULL)
		keep(ntohl(dest), packet + 4, len - 4);
	else
		(void)beacond_frame_write(bf, ntohl(dest), packet + 4, len - 4);
}

int
main(int argc, char *argv[])
{
	static const struct beacond_frame_calls calls = { .frame = frame };

	if (argc != 2)
		errx(2, "usage: router SOCKET");
	(void)signal(SIGTERM, stopped);
	bf = beacond_frame_open(argv[1], &calls, NULL);
	if (bf == NULL)
		err(1, "%s", argv[1]);
	write_early();
	(void)puts("attached");
	(void)fflush(stdout);
	while (!stop)
		if (beacond_frame_dispatch(bf, 1000) == -1)
			err(1, "%s", argv[1]);
	beacond_frame_close(bf);
	return (0);
}
