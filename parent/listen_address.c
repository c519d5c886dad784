/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>

#include "common/address.h"
#include "parent/parent.h"

/* A network of the configuration: the bits of its prefix in that form. */
uint16_t
listen_network(const struct conf_address *network, uint8_t addr[16])
{
	(void)address_of(&network->ss, addr);
	return ((uint16_t)(network->prefix +
			   (network->ss.ss_family == AF_INET ? 96 : 0)));
}

/* ADDRESS:PORT, IPv6 in brackets; out has room for LISTEN_TEXT bytes. */
void
listen_text(const struct sockaddr_storage *ss, char *out)
{
	uint8_t addr[16];
	uint16_t port;

	port = address_of(ss, addr);
	(void)address_text(addr, port, out);
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

	if (listener->proxy_protocol)
		return ("websocket, proxy protocol");
	return (kind[listener->kind]);
}
