/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "worker/http_address.h"

/* Who a request is for, RFC 9110 section 4.2 and 7.2, RFC 3986 section 3.2. */

#define PORT_MAX 65535

/*
 * unreserved and sub-delims, but no comma: that would be two fields made one
 * (RFC 9110 section 5.3).
 */
static int
is_name(uint8_t c)
{
	return (
	    c < 0x80 &&
	    (isalnum(c) || (c != '\0' && strchr("-._~!$&'()*+;=", c) != NULL)));
}

static int
is_future(uint8_t c)
{
	return (c == ':' || is_name(c));
}

static int
is_hex(uint8_t c)
{
	return (c < 0x80 && isxdigit(c));
}

/* What stands between brackets: IPv6address or IPvFuture. */
static int
literal_valid(struct text t)
{
	struct in6_addr addr;
	struct text version;
	char text[INET6_ADDRSTRLEN];

	if (t.len > 0 && (t.p[0] == 'v' || t.p[0] == 'V')) {
		version = text_take_until(&t, '.');
		version.p++;
		version.len--;
		return (version.len > 0 && t.len > 0 &&
			text_span(version, is_hex) == version.len &&
			text_span(t, is_future) == t.len);
	}
	if (t.len >= sizeof(text))
		return (0);
	memcpy(text, t.p, t.len);
	text[t.len] = '\0';
	return (inet_pton(AF_INET6, text, &addr) == 1);
}

/* Bytes of the host at the front of t; 0: there is none. */
static size_t
host_span(struct text t)
{
	const uint8_t *end;
	struct text literal;
	size_t n;

	if (t.len > 0 && t.p[0] == '[') {
		end = memchr(t.p, ']', t.len);
		if (end == NULL)
			return (0);
		literal.p = t.p + 1;
		literal.len = end - literal.p;
		return (literal_valid(literal) ? literal.len + 2 : 0);
	}
	for (n = 0; n < t.len; n++)
		if (t.p[n] == '%' && t.len - n > 2 && is_hex(t.p[n + 1]) &&
		    is_hex(t.p[n + 2]))
			n += 2;
		else if (!is_name(t.p[n]))
			break;
	return (n);
}

/* Is it a host, with or without a colon and a port (which may be empty)? */
int
http_host_valid(struct text t)
{
	size_t n, port;

	n = host_span(t);
	if (n == 0 || n == t.len)
		return (n != 0);
	if (t.p[n] != ':')
		return (0);
	for (port = 0; ++n < t.len && port <= PORT_MAX;) {
		if (!text_is_digit(t.p[n]))
			return (0);
		port = port * 10 + t.p[n] - '0';
	}
	return (port <= PORT_MAX);
}

/*
 * Take a target in absolute-form apart (RFC 9112 section 3.2.2): what remains
 * in *target begins at its path, *host gets what stands for the field Host
 * then.  Returns 0 and leaves both alone if it has another form, 1, or -1 if
 * its host is none; a name before an at-sign is none either.
 */
int
http_target_host(struct text *target, struct text *host)
{
	struct text t, scheme;

	t = *target;
	scheme = text_take_until(&t, ':');
	if ((!text_equals_nocase(scheme, "http", 4) &&
		!text_equals_nocase(scheme, "https", 5)) ||
	    t.len < 2 || memcmp(t.p, "//", 2) != 0)
		return (0);
	t.p += 2;
	t.len -= 2;
	host->p = t.p;
	for (host->len = 0; host->len < t.len; host->len++)
		if (strchr("/?#", t.p[host->len]) != NULL)
			break;
	target->p = host->p + host->len;
	target->len = t.len - host->len;
	return (http_host_valid(*host) ? 1 : -1);
}
