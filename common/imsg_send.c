/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/again.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/imsg.h"

/*
 * What is to be sent: whole messages, one behind the other, so that a burst of
 * small ones costs one iovec and few allocations.  A message with a descriptor
 * begins a chunk; the descriptor leaves with the first byte of it.
 */
struct imsg_chunk {
	TAILQ_ENTRY(imsg_chunk) entry;
	struct bytes bytes;
	uint32_t messages;
	int fd;
};
#define CHUNK_SIZE      16384
#define CHUNK_SIZE_INIT 2048
#define CHUNKS_PER_SEND 64

/* At most limit bytes wait to be sent, headers included. */
void
imsgbuf_set_limit(struct imsgbuf *imsgbuf, size_t limit)
{
	imsgbuf->limit = limit;
}

static void
imsg_free_chunk(struct imsg_chunk *chunk)
{
	if (chunk == NULL)
		return;
	bytes_free(&chunk->bytes);
	free(chunk);
}

/*
 * Sets one chunk aside, so that there is something to be said with when there
 * is no memory.  0, or -1 with ENOMEM.
 */
int
imsgbuf_set_spare(struct imsgbuf *imsgbuf)
{
	struct imsg_chunk *chunk;

	chunk = calloc(1, sizeof(*chunk));
	if (chunk == NULL)
		return (-1);
	if (bytes_room(&chunk->bytes, CHUNK_SIZE, CHUNK_SIZE) == NULL) {
		free(chunk);
		return (-1);
	}
	imsgbuf->spare = chunk;
	return (0);
}

void
imsgbuf_free_spare(struct imsgbuf *imsgbuf)
{
	imsg_free_chunk(imsgbuf->spare);
	imsgbuf->spare = NULL;
}

/* Its memory is for the next one, if it is of a size. */
static void
imsgbuf_drop_chunk(struct imsgbuf *imsgbuf, struct imsg_chunk *chunk)
{
	TAILQ_REMOVE(&imsgbuf->chunks, chunk, entry);
	imsgbuf->queued -= chunk->bytes.len;
	imsgbuf->messages -= chunk->messages;
	if (chunk->fd != -1)
		close(chunk->fd);
	if (imsgbuf->spare == NULL && chunk->bytes.size == CHUNK_SIZE) {
		bytes_take(&chunk->bytes, chunk->bytes.len);
		chunk->messages = 0;
		imsgbuf->spare = chunk;
	} else
		imsg_free_chunk(chunk);
}

/* Drops all that is to be sent and closes its descriptors. */
void
imsgbuf_drop_queue(struct imsgbuf *imsgbuf)
{
	struct imsg_chunk *chunk;

	while ((chunk = TAILQ_FIRST(&imsgbuf->chunks)) != NULL)
		imsgbuf_drop_chunk(imsgbuf, chunk);
}

/* Fills iov with what one sendmsg(2) may take: the first descriptor at most. */
static int
imsgbuf_gather(struct imsgbuf *imsgbuf, struct iovec *iov)
{
	struct imsg_chunk *chunk;
	int n;

	n = 0;
	TAILQ_FOREACH(chunk, &imsgbuf->chunks, entry) {
		if (n == CHUNKS_PER_SEND || (n > 0 && chunk->fd != -1))
			break;
		iov[n].iov_base = bytes_first(&chunk->bytes);
		iov[n].iov_len = chunk->bytes.len;
		n++;
	}
	return (n);
}

static void
imsg_put_fd(struct msghdr *msg, union imsg_control *control, int fd)
{
	memset(control, 0, sizeof(*control));
	msg->msg_control = control->buf;
	msg->msg_controllen = IMSG_CONTROL_LEN;
	control->hdr.cmsg_level = SOL_SOCKET;
	control->hdr.cmsg_type = SCM_RIGHTS;
	control->hdr.cmsg_len = IMSG_CONTROL_LEN;
	memcpy(CMSG_DATA(&control->hdr), &fd, sizeof(fd));
}

/* The first n bytes are sent, and with them the first chunk's descriptor. */
static void
imsgbuf_advance(struct imsgbuf *imsgbuf, size_t n)
{
	struct imsg_chunk *chunk;

	chunk = TAILQ_FIRST(&imsgbuf->chunks);
	if (chunk->fd != -1) {
		close(chunk->fd);
		chunk->fd = -1;
	}
	while (n > 0 && n >= chunk->bytes.len) {
		n -= chunk->bytes.len;
		imsgbuf_drop_chunk(imsgbuf, chunk);
		chunk = TAILQ_FIRST(&imsgbuf->chunks);
	}
	if (n > 0) {
		bytes_take(&chunk->bytes, n);
		imsgbuf->queued -= n;
	}
}

/* One sendmsg(2); 1: all of it was taken, 0: the socket is full, -1: error. */
static int
imsgbuf_send(struct imsgbuf *imsgbuf)
{
	struct iovec iov[CHUNKS_PER_SEND];
	union imsg_control control;
	struct msghdr msg;
	size_t before;
	ssize_t n;
	int i;

	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = (size_t)imsgbuf_gather(imsgbuf, iov);
	if (TAILQ_FIRST(&imsgbuf->chunks)->fd != -1)
		imsg_put_fd(&msg, &control, TAILQ_FIRST(&imsgbuf->chunks)->fd);
	do
		n = sendmsg(imsgbuf->fd, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return (again_sends(errno) ? 0 : -1);
	before = 0;
	for (i = 0; i < (int)msg.msg_iovlen; i++)
		before += iov[i].iov_len;
	imsgbuf_advance(imsgbuf, (size_t)n);
	return ((size_t)n == before);
}

/*
 * Sends what the socket takes now, many messages at a time.  0, also if
 * nothing or not all of it could be sent; -1 with the errno of sendmsg(2).
 */
int
imsgbuf_write(struct imsgbuf *imsgbuf)
{
	int n;

	n = 1;
	while (n == 1 && imsgbuf->queued > 0)
		n = imsgbuf_send(imsgbuf);
	return (n == -1 ? -1 : 0);
}

static int64_t
monotonic_ms(void)
{
	return ((int64_t)(clock_ns() / 1000000));
}

/*
 * Sends all, waiting up to timeout milliseconds for the other end to read (on
 * a non-blocking socket).  0, or -1 with ETIMEDOUT or the errno of sendmsg(2)
 * or poll(2).
 */
int
imsgbuf_flush(struct imsgbuf *imsgbuf, int timeout)
{
	struct pollfd pfd;
	int64_t end, left;

	pfd.fd = imsgbuf->fd;
	pfd.events = POLLOUT;
	end = monotonic_ms() + timeout;
	for (;;) {
		if (imsgbuf_write(imsgbuf) == -1)
			return (-1);
		if (imsgbuf->queued == 0)
			return (0);
		left = end - monotonic_ms();
		if (left <= 0) {
			errno = ETIMEDOUT;
			return (-1);
		}
		if (poll(&pfd, 1, (int)left) == -1 && errno != EINTR)
			return (-1);
	}
}

/*
 * Messages to be sent.  Those already sent count too, as long as they share a
 * chunk with one that was not.
 */
uint32_t
imsgbuf_queuelen(const struct imsgbuf *imsgbuf)
{
	return (imsgbuf->messages);
}

/* Bytes to be sent. */
size_t
imsgbuf_queued(const struct imsgbuf *imsgbuf)
{
	return (imsgbuf->queued);
}

static struct imsg_chunk *
imsgbuf_new_chunk(struct imsgbuf *imsgbuf, int fd)
{
	struct imsg_chunk *chunk;

	chunk = imsgbuf->spare;
	imsgbuf->spare = NULL;
	if (chunk == NULL)
		chunk = calloc(1, sizeof(*chunk));
	if (chunk == NULL)
		return (NULL);
	chunk->fd = fd;
	TAILQ_INSERT_TAIL(&imsgbuf->chunks, chunk, entry);
	return (chunk);
}

/* Room for a message of len bytes at the end of the queue; NULL with ENOMEM. */
static unsigned char *
imsgbuf_append(struct imsgbuf *imsgbuf, size_t len, int fd)
{
	struct imsg_chunk *chunk;
	unsigned char *to;

	chunk = TAILQ_LAST(&imsgbuf->chunks, imsg_chunks);
	if (chunk == NULL || fd != -1 || chunk->bytes.len + len > CHUNK_SIZE)
		chunk = imsgbuf_new_chunk(imsgbuf, fd);
	if (chunk == NULL)
		return (NULL);
	to = bytes_room(&chunk->bytes, len, CHUNK_SIZE_INIT);
	if (to == NULL) {
		if (chunk->messages == 0) {
			/* The descriptor is still the caller's. */
			chunk->fd = -1;
			imsgbuf_drop_chunk(imsgbuf, chunk);
		}
		return (NULL);
	}
	chunk->bytes.len += len;
	chunk->messages++;
	imsgbuf->messages++;
	imsgbuf->queued += len;
	return (to);
}

/* Bytes of the message with its header; 0 if it must not be sent (errno). */
static size_t
imsgbuf_check(
    const struct imsgbuf *imsgbuf, int fd, const struct iovec *iov, int iovcnt)
{
	size_t len;
	int i;

	if (fd != -1 && !imsgbuf->fdsend) {
		errno = EPERM;
		return (0);
	}
	len = IMSG_HEADER_SIZE;
	for (i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > MAX_IMSGSIZE - len) {
			errno = ERANGE;
			return (0);
		}
		len += iov[i].iov_len;
	}
	if (imsgbuf->queued > imsgbuf->limit ||
	    len > imsgbuf->limit - imsgbuf->queued) {
		errno = ENOBUFS;
		return (0);
	}
	return (len);
}

/*
 * Queues a message whose data is all of iov, with descriptor fd unless that is
 * -1; fd is closed when it is sent.  1, or -1 with nothing queued and fd still
 * the caller's: ERANGE (too long), ENOBUFS (the queue is at its limit), EPERM
 * (no permission to send descriptors), ENOMEM.
 */
int
imsg_composev(struct imsgbuf *imsgbuf, uint32_t type, uint32_t id, uint32_t pid,
    int fd, const struct iovec *iov, int iovcnt)
{
	struct imsg_header hdr;
	unsigned char *to;
	size_t len;
	int i;

	len = imsgbuf_check(imsgbuf, fd, iov, iovcnt);
	if (len == 0)
		return (-1);
	to = imsgbuf_append(imsgbuf, len, fd);
	if (to == NULL)
		return (-1);
	hdr.type = type;
	hdr.len = (uint32_t)len | (fd == -1 ? 0 : IMSG_FD_MARK);
	hdr.peerid = id;
	hdr.pid = pid;
	memcpy(to, &hdr, sizeof(hdr));
	to += sizeof(hdr);
	for (i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len == 0)
			continue;
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	return (1);
}

/* imsg_composev() with the len bytes at data. */
int
imsg_compose(struct imsgbuf *imsgbuf, uint32_t type, uint32_t id, uint32_t pid,
    int fd, const void *data, size_t len)
{
	struct iovec iov;

	iov.iov_base = (void *)data;
	iov.iov_len = len;
	return (imsg_composev(imsgbuf, type, id, pid, fd, &iov, 1));
}
