/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "ctl/ctl.h"

/*
 * The control socket, used blocking: one request, then its answers.  Whatever
 * goes wrong ends the program with a message and CTL_FAILED.
 */

static int64_t
now_ms(void)
{
	return ((int64_t)(clock_ns() / 1000000));
}

/* Connects to the parent's control socket at path. */
void
client_open(struct client *c, const char *path)
{
	struct sockaddr_un sun;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		errx(CTL_FAILED, "%s: path too long for a socket", path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		err(CTL_FAILED, "socket");
	if (connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			errx(CTL_FAILED,
			    "%s: no beacond is listening there"
			    " (is it running? -s names another socket)",
			    path);
		err(CTL_FAILED, "%s", path);
	}
	if (imsgbuf_init(&c->imsgbuf, c->fd) == -1)
		err(CTL_FAILED, NULL);
}

/* Sends one request of len bytes of data. */
void
client_request(struct client *c, uint32_t type, const void *data, size_t len)
{
	if (imsg_compose(&c->imsgbuf, type, 0, 0, -1, data, len) == -1 ||
	    imsgbuf_flush(&c->imsgbuf, CTL_ANSWER_TIMEOUT * 1000) == -1)
		err(CTL_FAILED, "control socket: request not sent");
}

/* Waits for bytes or the end until deadline; 0: it has passed. */
static int
readable(struct client *c, int64_t deadline)
{
	struct pollfd pfd;
	int64_t left;
	int n;

	pfd.fd = c->fd;
	pfd.events = POLLIN;
	do {
		left = deadline - now_ms();
		n = poll(&pfd, 1, left > 0 ? (int)left : 0);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		err(CTL_FAILED, "poll");
	return (n);
}

/*
 * Takes the next answer; it is valid until the next call.  Returns 1, or 0 when
 * the parent closed the connection.
 */
int
client_answer(struct client *c, struct imsg *imsg)
{
	int64_t deadline;
	int n;

	deadline = now_ms() + CTL_ANSWER_TIMEOUT * 1000;
	while ((n = imsgbuf_get(&c->imsgbuf, imsg)) == 0) {
		if (!readable(c, deadline))
			errx(CTL_FAILED, "beacond does not answer");
		n = imsgbuf_read(&c->imsgbuf);
		if (n == 0)
			return (0);
		if (n == -1)
			err(CTL_FAILED, "control socket");
	}
	if (n == -1)
		err(CTL_FAILED, "control socket: malformed answer");
	return (1);
}

/*
 * Waits until the parent has closed the connection, at most so many seconds.
 * Returns 1, or 0 if it has not.
 */
int
client_wait_closed(struct client *c, int seconds)
{
	int64_t deadline;
	char byte;
	ssize_t n;

	deadline = now_ms() + (int64_t)seconds * 1000;
	while (readable(c, deadline)) {
		n = recv(c->fd, &byte, sizeof(byte), 0);
		if (n == 0 || (n == -1 && errno == ECONNRESET))
			return (1);
		if (n == -1 && errno != EINTR)
			err(CTL_FAILED, "control socket");
	}
	return (0);
}

void
client_close(struct client *c)
{
	imsgbuf_clear(&c->imsgbuf);
	close(c->fd);
}
