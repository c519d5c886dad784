/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include "common/channel.h"
#include "regress/fuzz/loop.h"
#include "regress/fuzz/world.h"

/* Worker 1, which may say anything, and reads when it likes. */

#define SIBLING_MESSAGE_MAX (IMSG_HEADER_SIZE + 32768U)

static int sibling = -1;
static uint8_t bytes[2 * SIBLING_MESSAGE_MAX];
static size_t bytes_len;
static int spoilt; /* boolean: it has said what it may not, or not all */

/* A new channel, as after the start of the sibling in place of another. */
void
sibling_anew(void)
{
	struct msg_sibling msg;
	int pair[2];

	if (sibling != -1)
		(void)close(sibling);
	REQUIRE(channel_pair(pair) == 0);
	sibling = pair[0];
	bytes_len = 0;
	spoilt = 0;
	msg.worker = 1;
	world_tell(PW_SIBLING, pair[1], &msg, sizeof(msg));
}

/* Takes what is whole. */
static void
take(void)
{
	struct imsg_header header;
	size_t off;

	for (off = 0; bytes_len - off >= sizeof(header); off += header.len) {
		memcpy(&header, bytes + off, sizeof(header));
		REQUIRE(header.len >= sizeof(header) &&
			header.len <= SIBLING_MESSAGE_MAX);
		if (header.len > bytes_len - off)
			break;
		if (header.type != WW_PACKET) {
			if (world.marks != NULL)
				world.marks(&header);
			else
				world_still_marks(&header);
			continue;
		}
		world_still_passes();
		ledger_got(PARTY_SIBLING, header.pid, header.peerid,
		    bytes + off + sizeof(header), header.len - sizeof(header));
	}
	bytes_len -= off;
	memmove(bytes, bytes + off, bytes_len);
}

/* Reads up to so many bytes; returns how many there were. */
int
sibling_read(size_t most)
{
	ssize_t n;

	if (most > sizeof(bytes) - bytes_len)
		most = sizeof(bytes) - bytes_len;
	n = recv(sibling, bytes + bytes_len, most, MSG_DONTWAIT);
	if (n <= 0)
		return (0);
	bytes_len += (size_t)n;
	take();
	return ((int)n);
}

/* It has dealt with all that was before that mark. */
void
sibling_marked(uint32_t ticket)
{
	struct imsg_header header;

	memset(&header, 0, sizeof(header));
	header.type = WW_MARKED;
	header.len = sizeof(header);
	header.peerid = ticket;
	sibling_send((const void *)&header, sizeof(header));
}

/* Says anything; one that is not listened to gives up. */
void
sibling_send(const uint8_t *data, size_t len)
{
	ssize_t n;
	int i;

	for (i = 0; len > 0 && i < 64; i++) {
		n = send(sibling, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
		if (len > 0)
			(void)loop_turn();
	}
	if (len > 0)
		sibling_spoil();
}

/* What it says, said or hears can not be relied on any more. */
void
sibling_spoil(void)
{
	ledger_wild(PARTY_SIBLING);
	world.ended = 1;
	spoilt = 1;
}

/* A run is over. */
void
sibling_rest(void)
{
	if (spoilt)
		sibling_anew();
}
