/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>

#include "parent/parent.h"

/*
 * An address as all processes speak of it: 16 bytes, IPv6 or v4-mapped, in
 * network order; the port in host order.
 */
void
listen_address(
    const struct sockaddr_storage *ss, uint8_t addr[16], uint16_t *port)
{
	const struct sockaddr_in6 *sin6;
	const struct sockaddr_in *sin;

	if (ss->ss_family == AF_INET) {
		sin = (const void *)ss;
		memset(addr, 0, 10);
		addr[10] = addr[11] = 0xff;
		memcpy(addr + 12, &sin->sin_addr, 4);
		*port = ntohs(sin->sin_port);
	} else {
		sin6 = (const void *)ss;
		memcpy(addr, &sin6->sin6_addr, 16);
		*port = ntohs(sin6->sin6_port);
	}
}

/* A network of the configuration: the bits of its prefix in that form. */
uint16_t
listen_network(const struct conf_address *network, uint8_t addr[16])
{
	uint16_t port;

	listen_address(&network->ss, addr, &port);
	return ((uint16_t)(network->prefix +
			   (network->ss.ss_family == AF_INET ? 96 : 0)));
}

/* ADDRESS:PORT, IPv6 in brackets. */
void
listen_text(const struct sockaddr_storage *ss, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in6 *sin6;
	const struct sockaddr_in *sin;

	if (ss->ss_family == AF_INET) {
		sin = (const void *)ss;
		(void)inet_ntop(AF_INET, &sin->sin_addr, host, sizeof(host));
		(void)snprintf(out, size, "%s:%u", host, ntohs(sin->sin_port));
	} else {
		sin6 = (const void *)ss;
		(void)inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof(host));
		(void)snprintf(
		    out, size, "[%s]:%u", host, ntohs(sin6->sin6_port));
	}
}

/* Is that all addresses of this machine? */
int
listen_is_any(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *sin6;
	const struct sockaddr_in *sin;

	sin6 = (const void *)ss;
	sin = (const void *)ss;
	if (ss->ss_family == AF_INET)
		return (sin->sin_addr.s_addr == htonl(INADDR_ANY));
	return (IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr));
}

/* What is listened for, in the log. */
const char *
listen_kind(const struct listener *listener)
{
	static const char *const kind[] = {
		[LISTENER_WEBSOCKET] = "websocket",
		[LISTENER_UDP] = "udp",
		[LISTENER_METRICS] = "metrics",
	};

	return (kind[listener->kind]);
}
