/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/imsg.h"
#include "common/proto_frame.h"
#include "frame/link.h"

/* The longest message, before which half a read may lie. */
#define LINK_MESSAGE_MAX (sizeof(struct imsg_header) + FRAME_DATA_MAX)
#define LINK_ROOM        (LINK_IN_SIZE + LINK_MESSAGE_MAX)
/* There is room for LEAVE always. */
#define LINK_OUT_ROOM (LINK_OUT_MAX + sizeof(struct imsg_header))

/* fd is the link's from now on, also on failure.  0, or -1 with errno. */
int
link_open(struct link *link, int fd)
{
	memset(link, 0, sizeof(*link));
	link->fd = fd;
	link->in = malloc(LINK_ROOM);
	link->out = malloc(LINK_OUT_ROOM);
	if (link->in != NULL && link->out != NULL)
		return (0);
	link_close(link);
	errno = ENOMEM;
	return (-1);
}

void
link_close(struct link *link)
{
	if (link->fd == -1)
		return;
	while (link->nfds > 0)
		(void)close(link->fds[--link->nfds]);
	(void)close(link->fd);
	if (link->window != NULL)
		(void)munmap(link->window, FRAME_WINDOW_BYTES);
	free(link->in);
	free(link->out);
	memset(link, 0, sizeof(*link));
	link->fd = -1;
}

static void
link_take_fds(struct link *link, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	size_t i, n;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(
			    &fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
			if (link->nfds < LINK_FDS_MAX)
				link->fds[link->nfds++] = fd;
			else
				(void)close(fd);
		}
	}
}

/*
 * Reads once, `most` bytes at most.  1: there is more than before; 0: there is
 * not; -1: the end.
 */
int
link_read(struct link *link, size_t most)
{
	union imsg_control control;
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	memmove(link->in, link->in + link->in_off, link->in_len);
	link->in_off = 0;
	iov.iov_base = link->in + link->in_len;
	iov.iov_len = LINK_ROOM - link->in_len;
	if (iov.iov_len > most)
		iov.iov_len = most;
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	n = recvmsg(link->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n == -1)
		return (errno == EAGAIN || errno == EINTR ? 0 : -1);
	if (n == 0)
		return (-1);
	link_take_fds(link, &msg);
	link->in_len += (size_t)n;
	return (1);
}

/*
 * The next whole message; data lasts until the next link_read(), and *fd (-1:
 * none) is the caller's.  1, or 0: there is none, or -1 with errno: there is
 * something else.
 */
int
link_next(
    struct link *link, struct imsg_header *header, uint8_t **data, int *fd)
{
	unsigned int i;
	int marked;

	*fd = -1;
	if (link->fd == -1 || link->in_len < sizeof(*header))
		return (0);
	memcpy(header, link->in + link->in_off, sizeof(*header));
	marked = (header->len & IMSG_FD_MARK) != 0;
	header->len &= ~IMSG_FD_MARK;
	errno = EPROTO;
	if (header->len < sizeof(*header) || header->len > LINK_MESSAGE_MAX)
		return (-1);
	if (link->in_len < header->len)
		return (0);
	if (marked && link->nfds == 0)
		return (-1);
	if (marked) {
		*fd = link->fds[0];
		link->nfds--;
		for (i = 0; i < link->nfds; i++)
			link->fds[i] = link->fds[i + 1];
	}
	*data = link->in + link->in_off + sizeof(*header);
	link->in_off += header->len;
	link->in_len -= header->len;
	return (1);
}

/* Adds a message to what is to be sent.  0, or -1: there is no room. */
int
link_add(struct link *link, const struct imsg_header *header, const void *data,
    size_t len)
{
	uint8_t *to;
	size_t room;

	room = header->type == FRAME_LEAVE ? LINK_OUT_ROOM : LINK_OUT_MAX;
	if (link->fd == -1 || link->out_len + header->len > room)
		return (-1);
	if (link->out_off + link->out_len + header->len > room) {
		memmove(link->out, link->out + link->out_off, link->out_len);
		link->out_off = 0;
	}
	to = link->out + link->out_off + link->out_len;
	memcpy(to, header, sizeof(*header));
	if (len > 0)
		memcpy(to + sizeof(*header), data, len);
	link->out_len += header->len;
	return (0);
}

/* Sends what waits: 0: all of it; 1: some still waits; -1: the end. */
int
link_flush(struct link *link)
{
	ssize_t n;

	n = send(link->fd, link->out + link->out_off, link->out_len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	/* The end is met by who reads, behind what was said before it. */
	if (n == -1 && errno == EPIPE)
		n = (ssize_t)link->out_len;
	if (n == -1)
		return (errno == EAGAIN || errno == EINTR ? 1 : -1);
	link->out_off += (size_t)n;
	link->out_len -= (size_t)n;
	if (link->out_len == 0)
		link->out_off = 0;
	return (link->out_len > 0);
}
