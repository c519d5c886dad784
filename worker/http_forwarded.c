/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "common/address.h"
#include "worker/http_address.h"

/* "1.2.3.4:5", "[2001:db8::1]:5" and "[2001:db8::1]" without the rest. */
static struct text
without_port(struct text t)
{
	struct text front, rest;

	rest = t;
	if (t.len > 0 && t.p[0] == '[') {
		rest.p++;
		rest.len--;
		return (text_take_until(&rest, ']'));
	}
	front = text_take_until(&rest, ':');
	/* With a second colon it is IPv6, and they belong to it. */
	if (rest.len > 0 && memchr(rest.p, ':', rest.len) == NULL)
		return (front);
	return (t);
}

/*
 * The client's address by the word of the proxy, whose own is the last element
 * of X-Forwarded-For.  Returns 1, or 0 if that is no address.
 */
int
http_forwarded(struct text list, uint8_t addr[16])
{
	struct text last;
	const uint8_t *comma;
	char address[INET6_ADDRSTRLEN];

	last = list;
	comma = list.len == 0 ? NULL : memrchr(list.p, ',', list.len);
	if (comma != NULL) {
		last.p = comma + 1;
		last.len = list.p + list.len - last.p;
	}
	last = without_port(text_trim(last));
	if (last.len == 0 || last.len >= sizeof(address))
		return (0);
	memcpy(address, last.p, last.len);
	address[last.len] = '\0';
	return (address_parse(address, addr));
}
