/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"

/* What cannot be bound, and what to do about it. */

/* 0.0.0.0 takes all of IPv4; ::, which is *, takes IPv6 as well. */
static int
listen_takes(
    const struct sockaddr_storage *one, const struct sockaddr_storage *other)
{
	const struct sockaddr_in6 *six;
	const struct sockaddr_in *four;

	six = (const void *)one;
	four = (const void *)one;
	if (one->ss_family == AF_INET6)
		return (IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr));
	return (other->ss_family == AF_INET &&
		four->sin_addr.s_addr == htonl(INADDR_ANY));
}

/* The line before this one that has its port already; NULL: none has. */
static const struct conf_address *
listen_rival(const struct conf_address *address)
{
	const struct conf_address *rival;
	uint16_t port, theirs;
	uint8_t addr[16];

	port = address_of(&address->ss, addr);
	rival = address;
	while ((rival = TAILQ_PREV(rival, conf_addresses, entry)) != NULL) {
		if (rival->kind != address->kind)
			continue;
		theirs = address_of(&rival->ss, addr);
		if (port == theirs &&
		    (listen_takes(&rival->ss, &address->ss) ||
			listen_takes(&address->ss, &rival->ss)))
			return (rival);
	}
	return (NULL);
}

/* Is it this family that is missing, or all of them? */
static int
listen_is_without_ipv6(const struct conf_address *address)
{
	int fd;

	if (address->ss.ss_family != AF_INET6)
		return (0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (0);
	(void)close(fd);
	return (1);
}

static const char *
listen_remedy(const struct conf_address *address, int error)
{
	switch (error) {
	case EADDRINUSE:
		return ("; stop the program that uses it or take another port");
	case EACCES:
		return ("; ports below 1024 need root or CAP_NET_BIND_SERVICE, "
			"which are given up after the start: restart for it");
	case EADDRNOTAVAIL:
		return ("; the address is not one of this machine");
	case ESHUTDOWN:
		return ("; somebody has shut down the service manager's "
			"socket: restart its socket unit");
	case ENETUNREACH:
		return ("; the service manager's sockets are of another "
			"network than ours: name it in beacond.socket");
	case EAFNOSUPPORT:
		if (listen_is_without_ipv6(address))
			return ("; there is no IPv6 here: name an IPv4 "
				"address, 0.0.0.0 in place of *");
		return ("; under systemd, name it in beacond.socket: one "
			"ListenStream=, or a ListenDatagram= for each worker");
	default:
		return (log_remedy(error));
	}
}

/* What cannot be bound, as listen_failed() and error say.  Returns -1. */
int
listen_fail(const struct conf_address *address, int error)
{
	const struct conf_address *rival;
	char text[LISTEN_TEXT];

	listen_text(&address->ss, text);
	rival = error == EADDRINUSE ? listen_rival(address) : NULL;
	if (rival != NULL)
		log_warnx(
		    "%s:%d: cannot listen on %s: %s: %s; %s:%d has that "
		    "port: 0.0.0.0 takes all of IPv4, * and :: all of IPv4 "
		    "and IPv6, so remove one of the two lines",
		    address->file, address->line, text, listen_failed_call(),
		    strerror(error), rival->file, rival->line);
	else
		log_warnx("%s:%d: cannot listen on %s: %s: %s%s", address->file,
		    address->line, text, listen_failed_call(), strerror(error),
		    listen_remedy(address, error));
	return (-1);
}
