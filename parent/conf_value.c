/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/conf_internal.h"

static void
set_number(
    struct conf_parser *p, const struct conf_directive *d, const char *word)
{
	const char *bad;
	uint32_t *field;
	uint32_t value;

	field = (uint32_t *)((char *)p->conf + d->offset);
	bad = NULL;
	value = 0;
	if (d->zero == NULL || strcmp(word, d->zero) != 0)
		value = strtonum(word, d->min, d->max, &bad);
	if (bad != NULL)
		conf_error(p,
		    "\"%s\" takes %s%sa number from %u to %u, "
		    "not \"%s\"",
		    d->name, d->zero != NULL ? d->zero : "",
		    d->zero != NULL ? " or " : "", d->min, d->max, word);
	else
		*field = value;
}

static void
set_choice(
    struct conf_parser *p, const struct conf_directive *d, const char *word)
{
	const char *last;
	int value;

	for (value = 0; d->words[value] != NULL; value++)
		if (strcmp(word, d->words[value]) == 0) {
			*(int *)((char *)p->conf + d->offset) = value;
			return;
		}
	last = strrchr(d->syntax, '|');
	conf_error(p, "\"%s\" takes %.*s or %s, not \"%s\"", d->name,
	    (int)(last - d->syntax), d->syntax, last + 1, word);
}

static void
set_string(
    struct conf_parser *p, const struct conf_directive *d, const char *word)
{
	if (*word == '\0')
		conf_error(p, "\"%s\" must not be empty", d->name);
	else if (strlcpy((char *)p->conf + d->offset, word, d->max + 1) >
		 d->max)
		conf_error(
		    p, "\"%s\" is longer than %u bytes", d->name, d->max);
}

/* The line's words from `first` on: ADDRESS port PORT, and what may follow. */
static void
set_address(struct conf_parser *p, const struct conf_directive *d, int first)
{
	struct sockaddr_storage ss;
	struct conf_address *a;
	const char *number, *word;
	socklen_t len;
	const char *bad, *problem;
	uint16_t port;

	word = p->words[first].text;
	number = p->words[first + 2].text;
	port = strtonum(number, d->min, d->max, &bad);
	if (bad != NULL)
		conf_error(p,
		    "port must be a number from %u to %u, "
		    "not \"%s\"",
		    d->min, d->max, number);
	/* Only a listener can be everywhere, or anywhere. */
	if (d->min == 0 && strcmp(word, "*") == 0)
		word = "::";
	problem = conf_address_parse(word, port, &ss, &len);
	if (problem == NULL && d->min != 0 && conf_address_any(&ss))
		problem = "is no address of a beacon";
	if (problem != NULL)
		conf_error(p, "\"%s\" %s", word, problem);
	if (bad != NULL || problem != NULL)
		return;
	if (d->type == CONF_BEACON) {
		p->conf->default_beacon = ss;
		p->conf->default_beacon_len = len;
		return;
	}
	a = conf_address_add(p, d, &ss, len, -1);
	if (a != NULL)
		a->proxy_protocol = p->nwords > first + 3;
}

/* ADDRESS[/PREFIX]; word is changed. */
static void
set_network(struct conf_parser *p, const struct conf_directive *d, char *word)
{
	struct sockaddr_storage ss;
	socklen_t len;
	char *slash;
	const char *bad, *problem;
	int bits, prefix;

	slash = strchr(word, '/');
	if (slash != NULL)
		*slash++ = '\0';
	problem = conf_address_parse(word, 0, &ss, &len);
	if (problem != NULL) {
		conf_error(p, "\"%s\" %s", word, problem);
		return;
	}
	bits = ss.ss_family == AF_INET ? 32 : 128;
	prefix = bits;
	bad = NULL;
	if (slash != NULL)
		prefix = strtonum(slash, 0, bits, &bad);
	if (bad != NULL)
		conf_error(p,
		    "prefix must be a number from 0 to %d, "
		    "not \"%s\"",
		    bits, slash);
	else
		(void)conf_address_add(p, d, &ss, len, prefix);
}

/* One network, or several in braces with blanks or commas between them. */
static void
set_networks(struct conf_parser *p, const struct conf_directive *d, int first)
{
	char buf[CONF_POOL_MAX]; /* where each word has its NUL: they fit */
	char *next, *word;
	size_t len;
	int n;

	len = conf_lex_join(p, first, p->nwords, buf, sizeof(buf));
	next = buf;
	if (*next == '{') {
		next++;
		buf[len - 1] = '\0';
	}
	for (n = 0; (word = strsep(&next, " ,")) != NULL;)
		if (*word != '\0') {
			set_network(p, d, word);
			n++;
		}
	if (n == 0)
		conf_error(p, "\"%s\" names no network", d->name);
}

/* Is the line, from word `first` on, a host of d as far as its form goes? */
static int
check_host(
    const struct conf_parser *p, const struct conf_directive *d, int first)
{
	if (p->nwords - first == 1)
		return (d->min != 0 && p->words[first].text[0] == '/');
	return (p->nwords - first == 3 && conf_lex_is(p, first + 1, "port"));
}

/* ADDRESS port PORT, and for a listener perhaps what it begins with. */
static int
check_address(
    const struct conf_parser *p, const struct conf_directive *d, int first)
{
	int n;

	n = p->nwords - first;
	if (n < 3 || !conf_lex_is(p, first + 1, "port"))
		return (0);
	return (n == 3 || (n == 5 && d->kind == CONF_LISTEN &&
			      conf_lex_is(p, first + 3, "proxy") &&
			      conf_lex_is(p, first + 4, "protocol")));
}

/* One word, or as many as stand between braces. */
static int
check_networks(const struct conf_parser *p, int first)
{
	const char *last;

	if (p->nwords == first)
		return (0);
	last = p->words[p->nwords - 1].text;
	if (p->words[first].text[0] == '{')
		return (strlen(last) > 0 && last[strlen(last) - 1] == '}');
	return (p->nwords - first == 1);
}

/* Do these words, from the first one after the name, have the right form? */
static int
check_form(struct conf_parser *p, const struct conf_directive *d, int first)
{
	int good;

	switch (d->type) {
	case CONF_HOST:
		good = check_host(p, d, first);
		break;
	case CONF_ADDRESS:
	case CONF_BEACON:
		good = check_address(p, d, first);
		break;
	case CONF_NETWORK:
		good = check_networks(p, first);
		break;
	default:
		good = p->nwords - first == 1;
		break;
	}
	if (good)
		return (0);
	conf_error(p, "expected: %s %s", d->name, d->syntax);
	return (-1);
}

/* Remember where d stands.  -1, reported: it may stand there only once. */
static int
mark_given(struct conf_parser *p, const struct conf_directive *d)
{
	struct conf_place *given;

	given = &p->conf->given[d - conf_directives];
	if (given->line == 0) {
		*given = p->sources[p->depth - 1].at;
		return (0);
	}
	if (d->type == CONF_ADDRESS || d->type == CONF_NETWORK)
		return (0);
	conf_error(p, "\"%s\" already set at %s:%d", d->name, given->file,
	    given->line);
	return (-1);
}

/*
 * Take the present line, whose first words, up to `first`, are the name of d.
 * What is wrong with it is reported.
 */
void
conf_value_set(struct conf_parser *p, const struct conf_directive *d, int first)
{
	const char *word;

	if (mark_given(p, d) == -1)
		return;
	if (d->bare && p->nwords == first) {
		set_choice(p, d, d->words[1]);
		return;
	}
	if (check_form(p, d, first) == -1)
		return;
	word = p->words[first].text;
	switch (d->type) {
	case CONF_NUMBER:
		set_number(p, d, word);
		break;
	case CONF_CHOICE:
		set_choice(p, d, word);
		break;
	case CONF_STRING:
		set_string(p, d, word);
		break;
	case CONF_HOST:
		conf_host_set(p, d, word, first + 2);
		break;
	case CONF_BEACON:
	case CONF_ADDRESS:
		set_address(p, d, first);
		break;
	case CONF_NETWORK:
		set_networks(p, d, first);
		break;
	}
}
