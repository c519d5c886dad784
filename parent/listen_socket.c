/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/inherit.h"
#include "parent/parent.h"

/* Sockets as such: bound, taken over, looked at, mended. */
#define SOCKET_ERRORS_MAX 65536 /* of one socket; its buffer holds fewer */

static const char *listen_socket_call = "";

/* Beside errno: which call has failed, for listen_fail().  Returns -1. */
int
listen_failed(const char *call)
{
	listen_socket_call = call;
	return (-1);
}

const char *
listen_failed_call(void)
{
	return (listen_socket_call);
}

/* Boolean: is it a listener that listens? */
int
listen_accepts(int fd)
{
	socklen_t len;
	int on;

	on = 0;
	len = sizeof(on);
	return (
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on);
}

/*
 * Has it listen, whatever state it is in.  It stays the same socket, bound as
 * it was: whoever holds it, and has connected it perhaps, holds a listener
 * again.  Returns 0, or -1 with errno.
 */
int
listen_again(int fd)
{
	struct sockaddr unspec;

	if (listen_accepts(fd))
		return (0);
	memset(&unspec, 0, sizeof(unspec));
	unspec.sa_family = AF_UNSPEC;
	if (connect(fd, &unspec, sizeof(unspec)) == -1)
		return (listen_failed("connect"));
	if (listen(fd, LISTEN_BACKLOG) == -1)
		return (listen_failed("listen"));
	return (0);
}

/* Errors that wait to be read wake a reader again and again. */
static void
listen_drop_errors(int fd)
{
	struct msghdr msg;
	int i;

	memset(&msg, 0, sizeof(msg));
	for (i = 0; i < SOCKET_ERRORS_MAX; i++)
		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) == -1)
			return;
}

/*
 * Does a UDP socket, bound to ss, send and receive?  That it was shut down for
 * sending is told (EPIPE) before the bytes are looked at, of which there are
 * none (EFAULT), so nothing leaves; and a datagram that MSG_MORE had begun,
 * which the next one would become a part of, goes with that.
 */
int
listen_udp_works(int fd, const struct sockaddr_storage *ss, socklen_t len)
{
	struct pollfd pfd;

	listen_drop_errors(fd);
	if (sendto(fd, NULL, 1, MSG_DONTWAIT | MSG_NOSIGNAL, (const void *)ss,
		len) == -1 &&
	    errno == EPIPE)
		return (0);
	pfd.fd = fd;
	pfd.events = POLLRDHUP;
	return (poll(&pfd, 1, 0) == 0);
}

/*
 * A socket of the service manager is to be used.  Returns it, or -1 with errno
 * (and the socket closed): a UDP socket that was shut down cannot be mended.
 */
int
listen_inherited(
    int fd, int type, const struct sockaddr_storage *ss, socklen_t len)
{
	char text[LISTEN_TEXT];
	int error;

	error = 0;
	if (type == SOCK_DGRAM && !listen_udp_works(fd, ss, len))
		error = ESHUTDOWN;
	else if (type == SOCK_STREAM && !listen_accepts(fd)) {
		listen_text(ss, text);
		log_warnx("%s: the service manager's socket does not listen "
			  "any more; mended",
		    text);
		if (listen_again(fd) == -1)
			error = errno;
	}
	if (error == 0)
		return (fd);
	inherit_drop(fd);
	errno = error;
	return (listen_failed("socket of the service manager"));
}

/*
 * Those of a service manager may be of a network that we are not in; what we
 * bind is of no use then, though its address is the same.  b, one of the
 * manager's, is -1 if there is none.  Returns a, or -1 with errno (and a
 * closed) if they are not of one.
 */
static int
listen_same_network(int a, int b)
{
	uint64_t one, two;
	socklen_t len;
	int error;

	error = 0;
	len = sizeof(one);
	if (b == -1)
		return (a);
	if (getsockopt(a, SOL_SOCKET, SO_NETNS_COOKIE, &one, &len) == -1 ||
	    getsockopt(b, SOL_SOCKET, SO_NETNS_COOKIE, &two, &len) == -1)
		error = errno;
	else if (one != two)
		error = ENETUNREACH;
	if (error == 0 || error == ENOPROTOOPT) /* before Linux 5.14 */
		return (a);
	inherit_drop(a);
	errno = error;
	return (listen_failed("getsockopt NETNS_COOKIE"));
}

/* "::" alone takes IPv4 too. */
static int
listen_options(int fd, int type, const struct sockaddr_storage *ss, int reuse)
{
	int on, v6only;

	on = 1;
	v6only = !listen_is_any(ss);
	if (reuse != 0 &&
	    setsockopt(fd, SOL_SOCKET, reuse, &on, sizeof(on)) == -1)
		return (listen_failed("setsockopt"));
	/* Or what was accepted by another at the port would be in the way. */
	if (type == SOCK_STREAM &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		return (listen_failed("setsockopt"));
	if (ss->ss_family == AF_INET6 &&
	    setsockopt(
		fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) == -1)
		return (listen_failed("setsockopt"));
	return (0);
}

/*
 * The kernel lets only sockets of one owner share a port: fd is to be the one's
 * of `like` (-1: nobody's).  Returns 0, or -1 with errno.
 */
static int
listen_owner(int fd, int like)
{
	struct stat own, other;

	if (like == -1 || geteuid() != 0)
		return (0);
	if (fstat(fd, &own) == -1 || fstat(like, &other) == -1 ||
	    (own.st_uid != other.st_uid &&
		fchown(fd, other.st_uid, (gid_t)-1) == -1))
		return (listen_failed("fchown"));
	return (0);
}

/*
 * A socket of the service manager or a new one; reuse is the option with which
 * it is bound (TCP: besides SO_REUSEADDR), or 0; like: one that has the port
 * already, or -1.  Returns the descriptor, or -1 with errno.
 */
int
listen_bind(int type, int reuse, const struct sockaddr_storage *ss,
    socklen_t len, int like)
{
	int error, fd;

	fd = inherit_take(type, ss);
	if (fd != -1)
		return (listen_inherited(fd, type, ss, len));
	fd = socket(ss->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (listen_failed("socket"));
	if (listen_owner(fd, like) == 0 &&
	    listen_options(fd, type, ss, reuse) == 0) {
		if (bind(fd, (const void *)ss, len) == 0)
			return (listen_same_network(fd, inherit_any()));
		(void)listen_failed("bind");
	}
	error = errno;
	(void)close(fd);
	errno = error;
	return (-1);
}

/* Keeps where the socket is bound, should that have been left open. */
int
listen_bound(struct listener *listener, int fd)
{
	listener->sslen = sizeof(listener->ss);
	if (getsockname(fd, (void *)&listener->ss, &listener->sslen) == -1)
		return (listen_failed("getsockname"));
	return (0);
}
