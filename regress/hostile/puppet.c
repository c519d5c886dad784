/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/un.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proto.h"

#include "regress/hostile/hostile.h"

#define PUPPET_PATH "MALLOC_PUPPET" /* the parent lets MALLOC_* through */
#define PUPPET_FDS  2

/* The role's own main(), under another name. */
int honest_main(int, char **);

int hostile_is_taken;

/* A line to the test; -1: there is none to be had. */
int
hostile_connect(void)
{
	struct sockaddr_un sun;
	const char *path;
	int fd;

	path = getenv(PUPPET_PATH);
	if (path == NULL)
		return (-1);
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		return (-1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		(void)close(fd);
		return (-1);
	}
	return (fd);
}

/* Gives away all that a child has of the daemon. */
static int
puppet_hand_over(int fd)
{
	static const int fds[PUPPET_FDS] = { CHILD_PARENT_FD, LOG_CHILD_FD };
	union {
		struct cmsghdr hdr;
		unsigned char buf[CMSG_SPACE(sizeof(fds))];
	} control;
	struct msghdr msg;
	struct iovec iov;
	char byte;

	byte = HOSTILE_PUPPET;
	iov.iov_base = &byte;
	iov.iov_len = sizeof(byte);
	memset(&control, 0, sizeof(control));
	control.hdr.cmsg_level = SOL_SOCKET;
	control.hdr.cmsg_type = SCM_RIGHTS;
	control.hdr.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.hdr), fds, sizeof(fds));
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	return (sendmsg(fd, &msg, 0) == 1 ? 0 : -1);
}

/*
 * Stands in a role's place and hands its channel to the test, which decides: a
 * byte from it, and the role's real program runs after all (if it is a 't', as
 * taken.c has it); otherwise the test speaks to the daemon, as this process,
 * until it lets go.
 */
int
main(int argc, char **argv)
{
	char byte;
	int fd;

	fd = hostile_connect();
	if (fd == -1 || puppet_hand_over(fd) == -1)
		return (1);
	if (read(fd, &byte, sizeof(byte)) != sizeof(byte))
		return (0);
	(void)close(fd);
	hostile_is_taken = byte == 't';
	return (honest_main(argc, argv));
}
