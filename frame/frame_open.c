/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frame/frame_internal.h"

/* How a router attaches, and how it leaves. */

static int
frame_connect(struct beacond_frame *bf, const char *path)
{
	struct msg_frame_hello hello;
	struct sockaddr_un sun;
	int fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	if (connect(fd, (void *)&sun, sizeof(sun)) == -1) {
		(void)close(fd);
		return (-1);
	}
	if (frame_link(bf, CONTROL, fd) == -1)
		return (-1);
	hello.version = FRAME_VERSION;
	return (
	    frame_send(bf, CONTROL, FRAME_HELLO, 0, 0, &hello, sizeof(hello)));
}

static void
frame_free(struct beacond_frame *bf)
{
	uint32_t i;

	for (i = 0; i <= CONTROL; i++)
		link_close(&bf->links[i]);
	for (i = 0; i < WORKERS_MAX; i++)
		frame_unmap(&bf->windows[i]);
	if (bf->map.header != NULL)
		(void)munmap((void *)(uintptr_t)bf->map.header, PEERMAP_BYTES);
	if (bf->epoll != -1)
		(void)close(bf->epoll);
	free(bf);
}

/* From now on it is heard what channels say after their JOINED. */
static void
frame_opened(struct beacond_frame *bf)
{
	uint32_t i;

	bf->opened = 1;
	for (i = 0; i < WORKERS_MAX; i++)
		if (bf->links[i].fd != -1)
			(void)frame_watch(bf, i, EPOLL_CTL_ADD, 0);
}

/*
 * Connects to the router socket at path and takes the relay's place: when it
 * returns, all that peers send comes to calls, from the next dispatch on.  It
 * waits for the beacon's answer.  NULL with errno: EBUSY: another program is
 * there; EPROTO: another version.
 */
struct beacond_frame *
beacond_frame_open(
    const char *path, const struct beacond_frame_calls *calls, void *arg)
{
	struct beacond_frame *bf;
	uint32_t i;
	int error;

	bf = calloc(1, sizeof(*bf));
	if (bf == NULL)
		return (NULL);
	for (i = 0; i <= CONTROL; i++)
		bf->links[i].fd = -1;
	bf->calls = *calls;
	bf->arg = arg;
	bf->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (bf->epoll == -1 || frame_connect(bf, path) == -1 ||
	    beacond_frame_flush(bf) == -1 ||
	    frame_wait(bf, &bf->joining) == -1) {
		error = errno;
		frame_free(bf);
		errno = error;
		return (NULL);
	}
	frame_opened(bf);
	return (bf);
}

/* What was written to a worker has left, or it does not take it. */
static void
frame_drain(struct beacond_frame *bf, uint32_t number)
{
	struct pollfd pfd;
	struct link *link;

	link = &bf->links[number];
	pfd.fd = link->fd;
	pfd.events = POLLOUT;
	while (link->fd != -1 && link->out_len > 0 &&
	       poll(&pfd, 1, WAIT_MS) == 1 && link_flush(link) != -1)
		continue;
}

/* There is room for that always, and LEFT is waited for. */
void
frame_leave_link(struct beacond_frame *bf, uint32_t number)
{
	bf->links[number].leaving = 1;
	bf->staying++;
	(void)frame_send(bf, number, FRAME_LEAVE, 0, 0, NULL, 0);
}

static void
frame_leave(struct beacond_frame *bf)
{
	uint32_t i;

	bf->closing = 1;
	for (i = 0; i < WORKERS_MAX; i++)
		if (bf->links[i].fd != -1 && !bf->links[i].left)
			frame_leave_link(bf, i);
	if (beacond_frame_flush(bf) == 0)
		(void)frame_wait(bf, &bf->staying);
}

/*
 * Leaves in good order: frames that the beacon has handed over still come to
 * calls, what they write is sent, and the relay has the rest.  Then all is
 * freed.  Waits for the beacon, 10 seconds at most for each.
 */
void
beacond_frame_close(struct beacond_frame *bf)
{
	uint32_t i;

	if (bf == NULL)
		return;
	if (bf->error == 0) {
		frame_leave(bf);
		for (i = 0; i < WORKERS_MAX; i++)
			frame_drain(bf, i);
	}
	frame_free(bf);
}
