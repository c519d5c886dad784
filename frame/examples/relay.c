/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <endian.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <beacond/frame.h>

/*
 * The smallest router that there can be: what one peer sends to another, that
 * gets.  A packet is type 5, sender, destination, payload; it arrives as type
 * 6, sender, payload.  Usage: relay SOCKET
 */

static volatile sig_atomic_t stop;

static void
stopped(int sig)
{
	stop = 1;
}

/* The new header is written over the end of the old one. */
static void
frame(void *arg, uint32_t sender, uint8_t *packet, size_t len)
{
	struct beacond_frame **bf;
	uint32_t dest, from;

	bf = arg;
	if (len < 9 || packet[0] != 5)
		return;
	memcpy(&from, packet + 1, sizeof(from));
	memcpy(&dest, packet + 5, sizeof(dest));
	if (be32toh(from) != sender)
		return;
	packet[4] = 6;
	memcpy(packet + 5, &from, sizeof(from));
	(void)beacond_frame_forward(*bf, be32toh(dest), packet + 4, len - 4);
}

int
main(int argc, char **argv)
{
	static const struct beacond_frame_calls calls = { .frame = frame };
	struct beacond_frame *bf;

	if (argc != 2)
		errx(2, "usage: relay SOCKET");
	(void)signal(SIGTERM, stopped);
	bf = NULL;
	bf = beacond_frame_open(argv[1], &calls, &bf);
	if (bf == NULL)
		err(1, "%s", argv[1]);
	(void)puts("attached");
	(void)fflush(stdout);
	while (!stop)
		if (beacond_frame_dispatch(bf, 1000) == -1)
			err(1, "%s", argv[1]);
	beacond_frame_close(bf);
	return (0);
}
