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
	int *field;

	field = (int *)((char *)p->conf + d->offset);
	if (strcmp(word, d->zero) == 0)
		*field = 0;
	else if (strcmp(word, d->one) == 0)
		*field = 1;
	else
		conf_error(p, "\"%s\" takes %s or %s, not \"%s\"", d->name,
		    d->one, d->zero, word);
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

static void
set_address(struct conf_parser *p, const struct conf_directive *d,
    const char *word, const char *number)
{
	struct sockaddr_storage ss;
	socklen_t len;
	const char *bad, *problem;
	uint16_t port;

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
	} else
		conf_address_add(p, d, &ss, len, -1);
}

static void
set_network(
    struct conf_parser *p, const struct conf_directive *d, const char *word)
{
	struct sockaddr_storage ss;
	socklen_t len;
	char buf[CONF_LINE_MAX];
	char *slash;
	const char *bad, *problem;
	int bits, prefix;

	strlcpy(buf, word, sizeof(buf));
	slash = strchr(buf, '/');
	if (slash != NULL)
		*slash++ = '\0';
	problem = conf_address_parse(buf, 0, &ss, &len);
	if (problem != NULL) {
		conf_error(p, "\"%s\" %s", buf, problem);
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
		conf_address_add(p, d, &ss, len, prefix);
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

/* Do these words, from the first one after the name, have the right form? */
static int
check_form(struct conf_parser *p, const struct conf_directive *d, int first)
{
	int is_address, want;

	if (d->type == CONF_HOST && check_host(p, d, first))
		return (0);
	is_address = d->type == CONF_ADDRESS || d->type == CONF_BEACON;
	want = is_address ? 3 : 1;
	if (d->type != CONF_HOST && p->nwords - first == want &&
	    (!is_address || conf_lex_is(p, first + 1, "port")))
		return (0);
	conf_error(p, "expected: %s %s", d->name, d->syntax);
	return (-1);
}

/* Remember where d stands.  -1, reported: it may stand there only once. */
static int
mark_given(struct conf_parser *p, const struct conf_directive *d)
{
	struct conf_place *given;

	given = &p->given[d - conf_directives];
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
		set_choice(p, d, d->one);
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
		set_address(p, d, word, p->words[first + 2].text);
		break;
	case CONF_NETWORK:
		set_network(p, d, word);
		break;
	}
}
