/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <beacond/frame.h>

/*
 * A router to talk to by hand, or by a test: it does what standard input says,
 * and says on standard output what comes.  Usage: talk SOCKET
 *
 *	write NODE HEX           written true | false
 *	connected NODE           connected true | false
 *	close NODE CODE REASON   closed true | false
 *	count                    count N
 *	metrics                  metrics, the eight numbers
 *	                         frame NODE HEX
 *	                         refused NODE REASON HEX
 *	                         came NODE GENERATION, gone NODE GENERATION
 *	                         error TEXT
 *
 * It leaves at the end of its input.
 */

static struct beacond_frame *bf; /* NULL: it is over */

static void
put_hex(const uint8_t *data, size_t len)
{
	while (len-- > 0)
		(void)printf("%02x", *data++);
	(void)putchar('\n');
}

static void
frame(void *arg, uint32_t sender, uint8_t *data, size_t len)
{
	(void)printf("frame %u ", sender);
	put_hex(data, len);
}

static void
refused(void *arg, uint32_t dest, enum beacond_frame_reason reason,
    const uint8_t *data, size_t len)
{
	(void)printf("refused %u %u ", dest, reason);
	put_hex(data, len);
}

static void
peer(void *arg, uint32_t node, uint32_t generation, int came)
{
	(void)printf("%s %u %u\n", came ? "came" : "gone", node, generation);
}

static void
answer(const char *what, int yes)
{
	(void)printf("%s %s\n", what, yes ? "true" : "false");
}

static int
do_write(uint32_t node, const char *hex)
{
	static uint8_t data[BEACOND_FRAME_MAX];
	unsigned int byte;
	size_t len;

	for (len = 0; len < sizeof(data) && sscanf(hex, "%2x", &byte) == 1;
	     hex += 2)
		data[len++] = (uint8_t)byte;
	return (bf != NULL && beacond_frame_write(bf, node, data, len));
}

static void
do_metrics(void)
{
	struct beacond_frame_metrics m;
	uint64_t *values[] = { &m.upgrade_ok, &m.upgrade_fail, &m.auth_ok,
		&m.auth_fail, &m.frames_in, &m.frames_out, &m.idle_disconns,
		&m.active_peers };
	size_t i;

	memset(&m, 0, sizeof(m));
	if (bf != NULL)
		(void)beacond_frame_metrics(bf, &m);
	(void)printf("metrics");
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		(void)printf(" %llu", (unsigned long long)*values[i]);
	(void)putchar('\n');
}

static void
command(char *line)
{
	const char *words[4] = { "", "", "", "" };
	uint32_t node;
	size_t i;

	for (i = 0; i < 3 && line != NULL; i++)
		words[i] = strsep(&line, " ");
	if (line != NULL)
		words[3] = line;
	node = (uint32_t)strtoul(words[1], NULL, 10);
	if (strcmp(words[0], "write") == 0)
		answer("written", do_write(node, words[2]));
	else if (strcmp(words[0], "connected") == 0)
		answer("connected",
		    bf != NULL && beacond_frame_is_connected(bf, node));
	else if (strcmp(words[0], "close") == 0)
		answer(
		    "closed", bf != NULL && beacond_frame_close_peer(bf, node,
						0, atoi(words[2]), words[3]));
	else if (strcmp(words[0], "count") == 0)
		(void)printf("count %u\n",
		    bf != NULL ? beacond_frame_peer_count(bf) : 0);
	else if (strcmp(words[0], "metrics") == 0)
		do_metrics();
}

/* Does what there are whole lines of.  Returns 0 at the end. */
static int
input(void)
{
	static char bytes[4 * BEACOND_FRAME_MAX];
	static size_t have;
	char *end;
	ssize_t n;

	n = read(STDIN_FILENO, bytes + have, sizeof(bytes) - have);
	if (n <= 0)
		return (0);
	have += (size_t)n;
	while ((end = memchr(bytes, '\n', have)) != NULL) {
		*end++ = '\0';
		command(bytes);
		have -= (size_t)(end - bytes);
		memmove(bytes, end, have);
	}
	return (1);
}

static void
over(void)
{
	(void)printf("error %s\n", strerror(errno));
	beacond_frame_close(bf);
	bf = NULL;
}

int
main(int argc, char **argv)
{
	static const struct beacond_frame_calls calls = { frame, refused,
		peer };
	struct pollfd fds[2];
	uint8_t addr[16];
	uint16_t port;

	if (argc != 2)
		errx(2, "usage: talk SOCKET");
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	bf = beacond_frame_open(argv[1], &calls, NULL);
	if (bf == NULL && errno == EBUSY)
		errx(1, "another program is there");
	if (bf == NULL)
		err(1, "%s", argv[1]);
	if (!beacond_frame_address(bf, 0, addr, &port))
		errx(1, "the beacon listens nowhere");
	(void)printf("ready at %u.%u.%u.%u:%u\n", addr[12], addr[13], addr[14],
	    addr[15], port);
	do {
		if (bf != NULL && beacond_frame_dispatch(bf, 0) == -1)
			over();
		fds[0] = (struct pollfd){ STDIN_FILENO, POLLIN, 0 };
		fds[1] = (struct pollfd){ -1, POLLIN, 0 };
		if (bf != NULL)
			fds[1].fd = beacond_frame_fd(bf);
		(void)poll(fds, 2, -1);
	} while (fds[0].revents == 0 || input());
	if (bf != NULL)
		beacond_frame_close(bf);
	(void)puts("left");
	return (0);
}
