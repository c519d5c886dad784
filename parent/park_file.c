/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/park_file.h"

/*
 * What is kept for another parent, written.  Descriptors lie in the queues of
 * sockets, as a service manager compares each that it keeps with all others.
 */

static const uint8_t park_padding[8];

/* Returns -1. */
static int
park_file_cannot(const char *what)
{
	log_warn("sessions cannot be kept: %s", what);
	return (-1);
}

/* NULL, with the reason logged. */
struct park_file *
park_file_new(void)
{
	struct park_file *f;

	f = malloc(sizeof(*f));
	if (f == NULL) {
		(void)park_file_cannot("memory");
		return (NULL);
	}
	f->bytes = sizeof(struct park_header);
	f->sessions = f->nqueues = f->nfds = 0;
	f->sender = -1;
	f->len = 0;
	f->fd = memfd_create("sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->fd == -1 ||
	    lseek(f->fd, sizeof(struct park_header), SEEK_SET) == -1) {
		(void)park_file_cannot("memfd_create");
		park_file_free(f);
		return (NULL);
	}
	return (f);
}

/* With all that is kept. */
void
park_file_free(struct park_file *f)
{
	uint32_t i;

	for (i = 0; i < f->nfds; i++)
		(void)close(f->fds[i]);
	for (i = 0; i < f->nqueues; i++)
		(void)close(f->queues[i]);
	if (f->sender != -1)
		(void)close(f->sender);
	if (f->fd != -1)
		(void)close(f->fd);
	free(f);
}

static int
park_file_write(struct park_file *f, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	for (; len > 0; bytes += n, len -= (size_t)n) {
		n = write(f->fd, bytes, len);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1)
			return (park_file_cannot("write"));
	}
	return (0);
}

static int
park_file_flush(struct park_file *f)
{
	size_t len;

	len = f->len;
	f->len = 0;
	return (park_file_write(f, f->buffer, len));
}

static int
park_file_put(struct park_file *f, const void *bytes, size_t len)
{
	f->bytes += len;
	if (f->bytes > PARK_BYTES_MAX) {
		errno = EFBIG;
		return (park_file_cannot("there is too much of them"));
	}
	if (len > sizeof(f->buffer) - f->len && park_file_flush(f) == -1)
		return (-1);
	if (len > sizeof(f->buffer))
		return (park_file_write(f, bytes, len));
	memcpy(f->buffer + f->len, bytes, len);
	f->len += len;
	return (0);
}

/* One record, of several pieces.  Returns 0, or -1 with the reason logged. */
int
park_file_add(struct park_file *f, enum park_type type, const struct iovec *iov,
    int iovcnt)
{
	struct park_record record;
	size_t len;
	int i;

	len = 0;
	for (i = 0; i < iovcnt; i++)
		len += iov[i].iov_len;
	record.type = type;
	record.len = (uint32_t)len;
	if (park_file_put(f, &record, sizeof(record)) == -1)
		return (-1);
	for (i = 0; i < iovcnt; i++)
		if (park_file_put(f, iov[i].iov_base, iov[i].iov_len) == -1)
			return (-1);
	return (park_file_put(f, park_padding, -len % sizeof(park_padding)));
}

/* A further queue; those before it are full.  Returns 0, or -1, logged. */
static int
park_file_queue(struct park_file *f)
{
	int pair[2];

	if (f->nqueues == PARK_QUEUES_MAX) {
		errno = ENOBUFS;
		return (park_file_cannot("no more queues"));
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, pair) == -1)
		return (park_file_cannot("socketpair"));
	if (f->sender != -1)
		(void)close(f->sender);
	f->sender = pair[0];
	f->queues[f->nqueues++] = pair[1];
	return (0);
}

static ssize_t
park_file_send(const struct park_file *f)
{
	union {
		struct cmsghdr hdr;
		uint8_t buf[CMSG_SPACE(PARK_BATCH * sizeof(int))];
	} control;
	struct msghdr msg;
	struct iovec iov;
	uint32_t n;

	n = f->nfds;
	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	iov.iov_base = &n;
	iov.iov_len = sizeof(n);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &control;
	msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	control.hdr.cmsg_level = SOL_SOCKET;
	control.hdr.cmsg_type = SCM_RIGHTS;
	control.hdr.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&control.hdr), f->fds, n * sizeof(int));
	return (sendmsg(f->sender, &msg, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static int
park_file_send_fds(struct park_file *f)
{
	ssize_t n;

	if (f->nfds == 0)
		return (0);
	if (f->sender == -1 && park_file_queue(f) == -1)
		return (-1);
	n = park_file_send(f);
	if (n == -1 && errno == EAGAIN) {
		if (park_file_queue(f) == -1)
			return (-1);
		n = park_file_send(f);
	}
	if (n == -1)
		return (park_file_cannot(errno == ETOOMANYREFS
					     ? "raise LimitNOFILE=, ulimit -Hn"
					     : "sendmsg"));
	while (f->nfds > 0)
		(void)close(f->fds[--f->nfds]);
	return (0);
}

/*
 * The descriptor of the next session, which is the file's from now on.  Returns
 * 0, or -1 with the reason logged.
 */
int
park_file_add_fd(struct park_file *f, int fd)
{
	/* They could not be sent, and that was said. */
	if (f->nfds == PARK_BATCH) {
		(void)close(fd);
		return (-1);
	}
	f->fds[f->nfds++] = fd;
	f->sessions++;
	return (f->nfds < PARK_BATCH ? 0 : park_file_send_fds(f));
}

/*
 * That is all.  header is filled in but for what is known here, and nobody, we
 * included, can write to the file any more.  Returns 0, or -1, logged.
 */
int
park_file_seal(struct park_file *f, struct park_header *header)
{
	header->magic = PARK_MAGIC;
	header->version = PARK_VERSION;
	header->len = sizeof(*header);
	header->required = PARK_REQUIRED;
	header->sessions = f->sessions;
	header->bytes = f->bytes;
	if (park_file_send_fds(f) == -1 || park_file_flush(f) == -1)
		return (-1);
	if (lseek(f->fd, 0, SEEK_SET) == -1)
		return (park_file_cannot("lseek"));
	if (park_file_write(f, (const uint8_t *)header, sizeof(*header)) == -1)
		return (-1);
	if (fcntl(f->fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == -1)
		return (park_file_cannot("fcntl ADD_SEALS"));
	return (0);
}
