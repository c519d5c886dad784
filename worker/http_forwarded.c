/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdint.h>
#include <string.h>

#include "common/address.h"
#include "worker/http_forwarded.h"
#include "worker/networks.h"

/*
 * Whom proxies speak for.  Each appends the address that it was called from to
 * what it was given, so the list is read from its end, and no further than to
 * the first that is no proxy of ours: what stands before that one is its own
 * word.  Whatever that is, a quote that never closes for example, it does not
 * touch what stands behind it.
 */

#define FORWARDED_HOPS_MAX 16 /* proxies in a row */

void
http_forwarded_add(struct forwarded *f, struct text line)
{
	f->lines[f->n++ % FORWARDED_LINES] = line;
}

/*
 * Takes the element behind the last comma (or all) from the end of *list.  With
 * an escape or half a string in it, of which no address has need, it is empty.
 */
static struct text
take_last(struct text *list)
{
	struct text last;
	size_t i;
	int quoted;

	quoted = 0;
	for (i = list->len; i > 0; i--) {
		if (list->p[i - 1] == '"')
			quoted = !quoted;
		else if (list->p[i - 1] == ',' && !quoted)
			break;
	}
	last.p = list->p + i;
	last.len = list->len - i;
	list->len = i == 0 ? 0 : i - 1;
	if (quoted || (last.len > 0 && memchr(last.p, '\\', last.len) != NULL))
		last.len = 0;
	return (text_trim(last));
}

/* Takes what precedes the first semicolon (or all) from the front of *t. */
static struct text
take_pair(struct text *t)
{
	struct text pair;
	size_t i;
	int quoted;

	quoted = 0;
	for (i = 0; i < t->len && (quoted || t->p[i] != ';'); i++)
		if (t->p[i] == '"')
			quoted = !quoted;
	pair.p = t->p;
	pair.len = i;
	i = MIN(i + 1, t->len);
	t->p += i;
	t->len -= i;
	return (text_trim(pair));
}

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
 * The node that an element of Forwarded names by its parameter "for", RFC 7239
 * section 4: a token or a quoted string.  Empty if there is none, or it is no
 * address in any case.
 */
static struct text
take_for(struct text element)
{
	static const struct text none = { NULL, 0 };
	struct text name, node, pair;
	int seen;

	node = none;
	seen = 0;
	while (element.len > 0) {
		pair = take_pair(&element);
		name = text_take_until(&pair, '=');
		if (!text_equals_nocase(name, "for", 3))
			continue;
		if (seen)
			return (none);
		seen = 1;
		node = pair;
	}
	if (node.len < 2 || node.p[0] != '"')
		return (node);
	if (node.p[node.len - 1] != '"')
		return (none);
	node.p++;
	node.len -= 2;
	return (node);
}

/* Returns 1, or 0 if the element names no address: addr stays as it was. */
static int
parse_element(struct text element, enum forwarded_kind kind, uint8_t addr[16])
{
	char address[INET6_ADDRSTRLEN];
	uint8_t next[16];

	if (kind == FORWARDED)
		element = take_for(element);
	element = without_port(element);
	if (element.len == 0 || element.len >= sizeof(address))
		return (0);
	memcpy(address, element.p, element.len);
	address[element.len] = '\0';
	if (!address_parse(address, next))
		return (0);
	memcpy(addr, next, sizeof(next));
	return (1);
}

/*
 * Whom the proxy at addr speaks for: the last in the list that is no proxy of
 * ours, or the first of all.  Returns 1, or 0 if there is somebody in between
 * who names no address; addr is then the last proxy that is known.
 */
int
http_forwarded(const struct forwarded *f, enum forwarded_kind kind,
    const struct networks *proxies, uint8_t addr[16])
{
	struct text list;
	uint32_t hops, line;

	hops = 0;
	for (line = f->n; line > 0; line--) {
		if (f->n - line == FORWARDED_LINES)
			return (0);
		list = f->lines[(line - 1) % FORWARDED_LINES];
		do {
			if (hops++ == FORWARDED_HOPS_MAX ||
			    !parse_element(take_last(&list), kind, addr))
				return (0);
			if (!networks_have(proxies, addr))
				return (1);
		} while (list.len > 0);
	}
	return (1);
}
