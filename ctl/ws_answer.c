/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <ctype.h>
#include <string.h>

#include "ctl/ws_client.h"

/*
 * The head of the answer to an upgrade: lines that end with CRLF, an empty one
 * last, then a NUL.
 */

#define BLANKS " \t"

/* What the lines of one field are made of, all together. */
struct elements {
	unsigned int n;
	unsigned int matches; /* that are the one looked for */
};

/* The status of an answer of HTTP/1, or -1 if it is none. */
int
ws_answer_status(const char *head)
{
	const char *code;

	if (strncmp(head, "HTTP/1.", 7) != 0 ||
	    !isdigit((unsigned char)head[7]) || head[8] != ' ')
		return (-1);
	code = head + 9;
	if (strspn(code, "0123456789") != 3 ||
	    (code[3] != ' ' && code[3] != '\r'))
		return (-1);
	return ((code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0');
}

/* Folded lines become one (RFC 9112 section 5.2). */
static void
unfold(char *head)
{
	char *p;

	for (p = head; (p = strstr(p, "\r\n")) != NULL; p += 2)
		if (p[2] != '\0' && strchr(BLANKS, p[2]) != NULL)
			memset(p, ' ', 2);
}

/* Elements of a list (RFC 9110 section 5.6.1); empty ones do not count. */
static void
count(const char *list, size_t len, const char *want, int nocase,
    struct elements *e)
{
	const char *end, *p;
	size_t n;

	end = list + len;
	for (p = list; p < end; p += n + 1) {
		while (p < end && strchr(BLANKS, *p) != NULL)
			p++;
		for (n = 0; p + n < end && p[n] != ',';)
			n++;
		for (len = n; len > 0 && strchr(BLANKS, p[len - 1]) != NULL;)
			len--;
		if (len == 0)
			continue;
		e->n++;
		if (len == strlen(want) &&
		    (nocase ? strncasecmp(p, want, len)
			    : strncmp(p, want, len)) == 0)
			e->matches++;
	}
}

/* Looks for `want` in all lines with that name, which is in any case. */
static struct elements
field(const char *head, const char *name, const char *want, int nocase)
{
	struct elements e = { 0, 0 };
	const char *line;
	size_t len;

	len = strlen(name);
	for (line = head; (line = strstr(line, "\r\n")) != NULL;) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			count(line + len + 1, strcspn(line + len + 1, "\r"),
			    want, nocase, &e);
	}
	return (e);
}

/*
 * What is wrong with the head of a 101 (RFC 6455 section 4.1), or NULL.  It has
 * no NUL but at the end, and may be changed.
 */
const char *
ws_answer_wrong(char *head, const char *accept)
{
	struct elements e;

	if (head[7] == '0')
		return ("101 of HTTP/1.0, which knows none");
	unfold(head);
	e = field(head, "Upgrade", "websocket", 1);
	if (e.n == 0 || e.matches != e.n)
		return ("101 without Upgrade: websocket");
	e = field(head, "Connection", "Upgrade", 1);
	if (e.matches == 0)
		return ("101 without Connection: Upgrade");
	e = field(head, "Sec-WebSocket-Accept", accept, 0);
	if (e.n != 1 || e.matches != 1)
		return ("101 with a wrong Sec-WebSocket-Accept");
	e = field(head, "Sec-WebSocket-Extensions", "", 0);
	if (e.n != 0)
		return ("101 with an extension that was not offered");
	e = field(head, "Sec-WebSocket-Protocol", WS_SUBPROTOCOL, 0);
	if (e.n > 1 || e.matches != e.n)
		return ("101 with a protocol that was not offered");
	return (NULL);
}
