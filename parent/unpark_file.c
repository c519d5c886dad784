/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/unpark_file.h"

/*
 * What another parent has kept for us, read (common/proto_park.h).  It was one
 * of our own user, but perhaps of another version.
 */

#define UNPARK_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const char *
unpark_file_check(int fd, const struct stat *st, const struct park_header *h)
{
	int seals;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals == -1 || (seals & UNPARK_SEALS) != UNPARK_SEALS)
		return ("it could change");
	if (h->magic != PARK_MAGIC || h->version == 0 ||
	    h->len < PARK_HEADER_LEAST || h->bytes != (uint64_t)st->st_size ||
	    h->len % 8 != 0 || h->bytes < h->len)
		return ("no such file");
	if ((h->required & ~PARK_REQUIRED) != 0)
		return ("it takes a later version");
	return (NULL);
}

/*
 * Its header; what an earlier version did not write is 0.  Returns 0, or -1
 * with the reason logged: it is of no use.
 */
int
unpark_file_head(int fd, struct park_header *header)
{
	const char *wrong;
	struct stat st;

	if (fstat(fd, &st) == -1 ||
	    pread(fd, header, sizeof(*header), 0) < PARK_HEADER_LEAST)
		wrong = "it cannot be read";
	else
		wrong = unpark_file_check(fd, &st, header);
	if (wrong == NULL) {
		if (header->len < sizeof(*header))
			memset((uint8_t *)header + header->len, 0,
			    sizeof(*header) - header->len);
		return (0);
	}
	log_warnx("sessions that were kept are lost: %s", wrong);
	return (-1);
}

/* The queues are the caller's to fill in.  0, or -1, logged. */
int
unpark_file_open(struct unpark_file *f, int fd)
{
	struct park_header header;
	void *base;

	if (unpark_file_head(fd, &header) == -1)
		return (-1);
	base = mmap(NULL, header.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (base == MAP_FAILED) {
		log_warn("sessions that were kept are lost: mmap");
		return (-1);
	}
	f->base = base;
	f->bytes = header.bytes;
	f->at = header.len;
	f->left = header.sessions;
	f->queue = f->nfds = f->next = 0;
	f->damaged = 0;
	return (0);
}

/* With what is left in it. */
void
unpark_file_close(struct unpark_file *f)
{
	uint32_t i;

	while (f->next < f->nfds)
		(void)close(f->fds[f->next++]);
	for (i = 0; i < f->nqueues; i++)
		(void)close(f->queues[i]);
	f->nqueues = 0;
	if (f->base != NULL)
		(void)munmap((void *)(uintptr_t)f->base, f->bytes);
	f->base = NULL;
}

/*
 * The next record, which is behind f->at from then on.  Returns 1, or 0 at the
 * end, which is where it makes no sense as well.
 */
int
unpark_file_next(struct unpark_file *f, struct unpark_record *r)
{
	struct park_record head;
	size_t len;

	if (f->at == f->bytes)
		return (0);
	len = head.len = 0;
	if (f->bytes - f->at >= sizeof(head)) {
		memcpy(&head, f->base + f->at, sizeof(head));
		len = ((size_t)head.len + 7) & ~(size_t)7;
	}
	if (sizeof(head) + len > f->bytes - f->at) {
		log_warnx("sessions that were kept: a record is cut short");
		f->damaged = 1;
		f->at = f->bytes;
		return (0);
	}
	r->type = head.type;
	r->len = head.len;
	r->data = f->base + f->at + sizeof(head);
	f->at += sizeof(head) + len;
	return (1);
}

/* Whose the next descriptors are cannot be told any more. */
static int
unpark_file_lost(struct unpark_file *f)
{
	log_warnx("sessions that were kept: descriptors are missing");
	f->damaged = 1;
	while (f->next < f->nfds)
		(void)close(f->fds[f->next++]);
	f->queue = f->nqueues;
	return (-1);
}

/* The next message of the queues.  Returns 0, or -1: no more. */
static int
unpark_file_recv(struct unpark_file *f)
{
	union {
		struct cmsghdr hdr;
		uint8_t buf[CMSG_SPACE(PARK_BATCH * sizeof(int))];
	} control;
	struct msghdr msg;
	struct iovec iov;
	uint32_t count;
	ssize_t n;

	memset(&msg, 0, sizeof(msg));
	iov.iov_base = &count;
	iov.iov_len = sizeof(count);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control);
	n = recvmsg(f->queues[f->queue], &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n <= 0) {
		if (n == 0 || errno != EINTR)
			f->queue++;
		return (0);
	}
	f->next = f->nfds = 0;
	if (CMSG_FIRSTHDR(&msg) != NULL &&
	    control.hdr.cmsg_type == SCM_RIGHTS) {
		f->nfds = (uint32_t)((control.hdr.cmsg_len - CMSG_LEN(0)) /
				     sizeof(int));
		memcpy(f->fds, CMSG_DATA(&control.hdr), f->nfds * sizeof(int));
	}
	/* Without room for all of them the kernel closes some. */
	return (
	    n == sizeof(count) && f->nfds == count ? 0 : unpark_file_lost(f));
}

/* The descriptor of the next session, the caller's then; -1: there is none. */
int
unpark_file_take_fd(struct unpark_file *f)
{
	while (f->next == f->nfds)
		if (f->queue == f->nqueues || unpark_file_recv(f) == -1)
			return (-1);
	return (f->fds[f->next++]);
}
