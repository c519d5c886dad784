/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/queue.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/proto.h"
#include "parent/conf_internal.h"

/*
 * Read a numeric address, IPv6 with or without brackets.  Returns NULL, or what
 * is wrong with it.
 */
const char *
conf_address_parse(
    const char *s, uint16_t port, struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in *sin;
	struct sockaddr_in6 *sin6;
	char buf[INET6_ADDRSTRLEN];
	size_t n;

	memset(ss, 0, sizeof(*ss));
	sin = (struct sockaddr_in *)ss;
	sin6 = (struct sockaddr_in6 *)ss;
	if (inet_pton(AF_INET, s, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		*len = sizeof(*sin);
		return (NULL);
	}
	n = strlen(s);
	if (n > 2 && n < sizeof(buf) && s[0] == '[' && s[n - 1] == ']') {
		memcpy(buf, s + 1, n - 2);
		buf[n - 2] = '\0';
		s = buf;
	}
	if (inet_pton(AF_INET6, s, &sin6->sin6_addr) != 1)
		return ("is not a numeric address (names are not looked up; "
			"write it like 127.0.0.1 or ::1)");
	if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
		return ("is an IPv4 address (write it like 127.0.0.1)");
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	*len = sizeof(*sin6);
	return (NULL);
}

/* Is it 0.0.0.0 or ::, which nothing can be sent to? */
int
conf_address_any(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *sin;
	const struct sockaddr_in6 *sin6;

	sin = (const struct sockaddr_in *)ss;
	sin6 = (const struct sockaddr_in6 *)ss;
	if (ss->ss_family == AF_INET)
		return (sin->sin_addr.s_addr == htonl(INADDR_ANY));
	return (IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr));
}

/* The port, host order. */
uint16_t
conf_address_port(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		return (ntohs(((const struct sockaddr_in *)ss)->sin_port));
	return (ntohs(((const struct sockaddr_in6 *)ss)->sin6_port));
}

/* As conf_address_parse() reads it; INET6_ADDRSTRLEN bytes are enough. */
void
conf_address_format(const struct sockaddr_storage *ss, char *buf, size_t size)
{
	const void *addr;

	if (ss->ss_family == AF_INET)
		addr = &((const struct sockaddr_in *)ss)->sin_addr;
	else
		addr = &((const struct sockaddr_in6 *)ss)->sin6_addr;
	if (inet_ntop(ss->ss_family, addr, buf, size) == NULL)
		buf[0] = '\0';
}

static int
same(const struct conf_address *a, const struct sockaddr_storage *ss,
    socklen_t len, int prefix)
{
	/* Port 0 is another port each time. */
	if (prefix == -1 && conf_address_port(ss) == 0)
		return (0);
	return (a->prefix == prefix && a->sslen == len &&
		memcmp(&a->ss, ss, len) == 0);
}

static int
limit(enum conf_address_kind kind)
{
	switch (kind) {
	case CONF_PEER_BEACON:
		return (CONF_BEACONS_MAX);
	case CONF_PUNCH_EXEMPT:
	case CONF_SOURCE_EXEMPT:
	case CONF_TRUSTED_PROXY:
		return (CONF_NETWORKS_MAX);
	default:
		return (PROTO_LISTENERS_MAX);
	}
}

/*
 * Add what the present line gives to the list of d.  NULL, reported: it is in
 * the list already, or the list is full.  prefix is -1 unless it is a network.
 */
struct conf_address *
conf_address_add(struct conf_parser *p, const struct conf_directive *d,
    const struct sockaddr_storage *ss, socklen_t len, int prefix)
{
	struct conf_address *a;
	int n;

	n = 0;
	TAILQ_FOREACH(a, &p->conf->addresses, entry) {
		if (a->kind != d->kind)
			continue;
		n++;
		if (same(a, ss, len, prefix)) {
			conf_error(p, "\"%s\" already given at %s:%d", d->name,
			    a->file, a->line);
			return (NULL);
		}
	}
	if (n == limit(d->kind)) {
		conf_error(p, "\"%s\" more than %d times", d->name, n);
		return (NULL);
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL) {
		conf_error(p, "out of memory");
		return (NULL);
	}
	a->kind = d->kind;
	a->ss = *ss;
	a->sslen = len;
	a->prefix = prefix;
	a->line = p->sources[p->depth - 1].at.line;
	strlcpy(a->file, p->sources[p->depth - 1].at.file, sizeof(a->file));
	TAILQ_INSERT_TAIL(&p->conf->addresses, a, entry);
	return (a);
}
