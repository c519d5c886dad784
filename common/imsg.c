/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/imsg.h"

/*
 * Messages over the unix stream socket fd, which stays the caller's; all
 * permissions off, all bounds at their defaults.  0, or -1 with ENOMEM.  An
 * imsgbuf must not be moved in memory.
 */
int
imsgbuf_init(struct imsgbuf *imsgbuf, int fd)
{
	memset(imsgbuf, 0, sizeof(*imsgbuf));
	TAILQ_INIT(&imsgbuf->chunks);
	imsgbuf->fd = fd;
	imsgbuf->limit = IMSGBUF_LIMIT;
	imsgbuf->rbuf = malloc(IMSGBUF_READ_SIZE);
	if (imsgbuf->rbuf == NULL)
		return (-1);
	imsgbuf->rsize = IMSGBUF_READ_SIZE;
	return (0);
}

void
imsgbuf_allow_fdrecv(struct imsgbuf *imsgbuf)
{
	imsgbuf->fdrecv = 1;
}

void
imsgbuf_allow_fdsend(struct imsgbuf *imsgbuf)
{
	imsgbuf->fdsend = 1;
}

/* -1: there is none, or it was lost. */
static int
imsgbuf_shift_fd(struct imsgbuf *imsgbuf)
{
	int fd;

	if (imsgbuf->nfds == 0)
		return (-1);
	fd = imsgbuf->fds[imsgbuf->fdhead];
	imsgbuf->fdhead = (imsgbuf->fdhead + 1) % IMSGBUF_FD_MAX;
	imsgbuf->nfds--;
	return (fd);
}

/*
 * Drops what was not sent and what was not taken, with all descriptors, and
 * frees the memory; the socket itself stays open.  Twice does no harm.
 */
void
imsgbuf_clear(struct imsgbuf *imsgbuf)
{
	int fd;

	imsgbuf_drop_queue(imsgbuf);
	imsgbuf_free_spare(imsgbuf);
	while (imsgbuf->nfds > 0) {
		fd = imsgbuf_shift_fd(imsgbuf);
		if (fd != -1)
			close(fd);
	}
	free(imsgbuf->rbuf);
	imsgbuf->rbuf = NULL;
	imsgbuf->rsize = imsgbuf->rpos = imsgbuf->rlen = 0;
	imsgbuf->fd = -1;
}

/* fd -1: a descriptor was sent, but could not be installed here. */
static int
imsgbuf_push_fd(struct imsgbuf *imsgbuf, int fd)
{
	if (imsgbuf->nfds == IMSGBUF_FD_MAX) {
		if (fd != -1)
			close(fd);
		errno = EBADMSG;
		return (-1);
	}
	imsgbuf->fds[(imsgbuf->fdhead + imsgbuf->nfds) % IMSGBUF_FD_MAX] = fd;
	imsgbuf->nfds++;
	return (0);
}

/*
 * Linux ends a read behind the data that a descriptor came with, so one read
 * brings the descriptors of one sendmsg(2) at most, and an honest sender gives
 * each its own.  MSG_CTRUNC without any therefore means that exactly one was
 * lost (this process has no room for more), and its place in the ring is kept:
 * all that follow still meet their own headers.  MSG_CTRUNC with one means
 * that the sender put several into one sendmsg(2).
 */
static int
imsgbuf_take_fd(struct imsgbuf *imsgbuf, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	int fd;

	fd = -1;
	cmsg = CMSG_FIRSTHDR(msg);
	if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET &&
	    cmsg->cmsg_type == SCM_RIGHTS && cmsg->cmsg_len == IMSG_CONTROL_LEN)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (fd != -1 && (msg->msg_flags & MSG_CTRUNC)) {
		close(fd);
		errno = EBADMSG;
		return (-1);
	}
	if (fd == -1 && (msg->msg_flags & MSG_CTRUNC) == 0)
		return (0);
	return (imsgbuf_push_fd(imsgbuf, fd));
}

/* Moves what imsgbuf_get() has left over to the beginning. */
static void
imsgbuf_compact(struct imsgbuf *imsgbuf)
{
	if (imsgbuf->rpos == 0)
		return;
	imsgbuf->rlen -= imsgbuf->rpos;
	memmove(imsgbuf->rbuf, imsgbuf->rbuf + imsgbuf->rpos, imsgbuf->rlen);
	imsgbuf->rpos = 0;
}

/*
 * Reads once.  1: go on with imsgbuf_get(), also if there was nothing to read
 * or no room before that; 0: the other end has closed; -1: the channel is of
 * no more use (errno of recvmsg(2), or EBADMSG for descriptors against the
 * rules: without permission to receive any, the kernel has let go of them).
 */
int
imsgbuf_read(struct imsgbuf *imsgbuf)
{
	union imsg_control control;
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	imsgbuf_compact(imsgbuf);
	iov.iov_base = imsgbuf->rbuf + imsgbuf->rlen;
	iov.iov_len = imsgbuf->rsize - imsgbuf->rlen;
	if (iov.iov_len == 0)
		return (1);
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (imsgbuf->fdrecv) {
		msg.msg_control = control.buf;
		msg.msg_controllen = IMSG_CONTROL_LEN;
	}
	do
		n = recvmsg(imsgbuf->fd, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return (errno == EAGAIN ? 1 : -1);
	if (n == 0)
		return (0);
	imsgbuf->rlen += (size_t)n;
	if (imsgbuf->fdrecv)
		return (imsgbuf_take_fd(imsgbuf, &msg) == -1 ? -1 : 1);
	/* The kernel has let go of a descriptor that nobody may send here. */
	if ((msg.msg_flags & MSG_CTRUNC) != 0) {
		errno = EBADMSG;
		return (-1);
	}
	return (1);
}

/*
 * A descriptor comes no later than the first byte of its header, so there is
 * one (or the place of a lost one) for each marked header.
 */
static int
imsgbuf_claim_fd(struct imsgbuf *imsgbuf, struct imsg *imsg)
{
	if (imsgbuf->nfds == 0) {
		errno = EBADMSG;
		return (-1);
	}
	imsg->fd = imsgbuf_shift_fd(imsgbuf);
	return (0);
}

/* No complete header: then no descriptor may wait for one that never began. */
static int
imsgbuf_get_none(const struct imsgbuf *imsgbuf)
{
	if (imsgbuf->rpos == imsgbuf->rlen && imsgbuf->nfds > 0) {
		errno = EBADMSG;
		return (-1);
	}
	return (0);
}

/*
 * Takes the next complete message.  1: there is one, to be given to
 * imsg_free(); 0: there is none; -1: the channel is of no more use (ERANGE: a
 * bad length, EBADMSG: descriptors against the rules).
 */
int
imsgbuf_get(struct imsgbuf *imsgbuf, struct imsg *imsg)
{
	struct imsg_header hdr;
	uint32_t len;

	if (imsgbuf->rlen - imsgbuf->rpos < sizeof(hdr))
		return (imsgbuf_get_none(imsgbuf));
	memcpy(&hdr, imsgbuf->rbuf + imsgbuf->rpos, sizeof(hdr));
	len = hdr.len & ~IMSG_FD_MARK;
	if (len < sizeof(hdr) || len > MAX_IMSGSIZE) {
		errno = ERANGE;
		return (-1);
	}
	if (imsgbuf->rlen - imsgbuf->rpos < len)
		return (0);
	imsg->type = hdr.type;
	imsg->peerid = hdr.peerid;
	imsg->pid = hdr.pid;
	imsg->marked = (hdr.len & IMSG_FD_MARK) != 0;
	imsg->fd = -1;
	imsg->data = imsgbuf->rbuf + imsgbuf->rpos + sizeof(hdr);
	imsg->len = len - sizeof(hdr);
	if (imsg->marked && imsgbuf_claim_fd(imsgbuf, imsg) == -1)
		return (-1);
	imsgbuf->rpos += len;
	return (1);
}

/* Boolean: of all that has come nothing is left, and nothing waits to go. */
int
imsgbuf_rests(const struct imsgbuf *imsgbuf)
{
	return (imsgbuf->rpos == imsgbuf->rlen && imsgbuf->nfds == 0 &&
		imsgbuf->queued == 0);
}

uint32_t
imsg_get_type(const struct imsg *imsg)
{
	return (imsg->type);
}

/* Bytes of data. */
size_t
imsg_get_len(const struct imsg *imsg)
{
	return (imsg->len);
}

/* 1 if a descriptor was sent along, even if it was lost on its way. */
int
imsg_has_fd(const struct imsg *imsg)
{
	return (imsg->marked);
}

/* The descriptor, now the caller's; -1 if there is none (any more). */
int
imsg_get_fd(struct imsg *imsg)
{
	int fd;

	fd = imsg->fd;
	imsg->fd = -1;
	return (fd);
}

/* Copies the data, which must be of exactly len bytes; 0, or -1 (EBADMSG). */
int
imsg_get_data(const struct imsg *imsg, void *data, size_t len)
{
	if (imsg->len != len) {
		errno = EBADMSG;
		return (-1);
	}
	if (len > 0)
		memcpy(data, imsg->data, len);
	return (0);
}

/* Closes the descriptor if nobody has claimed it. */
void
imsg_free(struct imsg *imsg)
{
	if (imsg->fd != -1)
		close(imsg->fd);
	imsg->fd = -1;
}
