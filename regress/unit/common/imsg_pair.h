/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_COMMON_IMSG_PAIR_H
#define REGRESS_UNIT_COMMON_IMSG_PAIR_H

#include <sys/socket.h>
#include <sys/stat.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/imsg.h"

/* Two imsgbufs that speak to each other: a sends, b receives. */
struct pair {
	int fd[2];
	struct imsgbuf a;
	struct imsgbuf b;
};

static inline int
pair_open(struct pair *p)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		p->fd) == -1)
		return (-1);
	if (imsgbuf_init(&p->a, p->fd[0]) == -1 ||
	    imsgbuf_init(&p->b, p->fd[1]) == -1)
		return (-1);
	imsgbuf_allow_fdsend(&p->a);
	imsgbuf_allow_fdrecv(&p->b);
	return (0);
}

static inline void
pair_close(struct pair *p)
{
	imsgbuf_clear(&p->a);
	imsgbuf_clear(&p->b);
	close(p->fd[0]);
	close(p->fd[1]);
}

/* One message without data, raw, and the descriptors with it. */
static inline int
raw_send(int sock, uint32_t type, uint32_t len, const int *fds, size_t nfds)
{
	static unsigned char data[MAX_IMSGSIZE];
	unsigned char control[CMSG_SPACE(4 * sizeof(int))];
	struct imsg_header hdr;
	struct msghdr msg;
	struct cmsghdr *cmsg;
	struct iovec iov[2];

	memset(&hdr, 0, sizeof(hdr));
	hdr.type = type;
	hdr.len = len;
	len &= ~IMSG_FD_MARK;
	iov[0].iov_base = &hdr;
	iov[0].iov_len = sizeof(hdr);
	iov[1].iov_base = data;
	iov[1].iov_len = 0;
	if (len > sizeof(hdr) && len <= MAX_IMSGSIZE)
		iov[1].iov_len = len - sizeof(hdr);
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = 2;
	if (nfds > 0) {
		memset(control, 0, sizeof(control));
		msg.msg_control = control;
		msg.msg_controllen = CMSG_LEN(nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = msg.msg_controllen;
		memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	}
	return (sendmsg(sock, &msg, MSG_NOSIGNAL) == -1 ? -1 : 0);
}

/* A descriptor that same_file() tells from every other. */
static inline int
new_file(void)
{
	char path[] = "/tmp/imsg_test.XXXXXX";
	int fd;

	fd = mkstemp(path);
	if (fd != -1)
		unlink(path);
	return (fd);
}

static inline int
same_file(int a, int b)
{
	struct stat sa, sb;

	if (fstat(a, &sa) == -1 || fstat(b, &sb) == -1)
		return (0);
	return (sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino);
}

static inline int
is_open(int fd)
{
	struct stat st;

	return (fstat(fd, &st) == 0);
}

static inline int
open_fds(void)
{
	DIR *dir;
	int n;

	dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return (-1);
	for (n = 0; readdir(dir) != NULL; n++)
		continue;
	closedir(dir);
	return (n);
}

#endif /* REGRESS_UNIT_COMMON_IMSG_PAIR_H */
