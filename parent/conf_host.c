/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/conf_internal.h"

/* Can it be the name of a host?  The resolver has the last word. */
static int
is_name(const char *s)
{
	int letters;

	letters = 0;
	if (*s == '-' || *s == '.')
		return (0);
	for (; *s != '\0'; s++) {
		if (!isalnum((unsigned char)*s) && strchr("-._", *s) == NULL)
			return (0);
		letters |= isalpha((unsigned char)*s);
	}
	return (letters);
}

/* A numeric address without its brackets, or a name.  -1, reported. */
static int
set_name(struct conf_parser *p, const struct conf_directive *d,
    struct conf_host *host, const char *word)
{
	struct sockaddr_storage ss;
	socklen_t len;
	const char *problem;

	if (is_name(word)) {
		if (strlcpy(host->name, word, sizeof(host->name)) <= d->max)
			return (0);
		conf_error(
		    p, "\"%s\": a name longer than %u bytes", d->name, d->max);
		return (-1);
	}
	problem = conf_address_parse(word, 1, &ss, &len);
	if (problem != NULL || conf_address_any(&ss)) {
		conf_error(p,
		    "\"%s\" is neither a name nor an address of "
		    "another program",
		    word);
		return (-1);
	}
	conf_address_format(&ss, host->name, sizeof(host->name));
	return (0);
}

/*
 * The value of d, of which word is the first and the word numbered `port` the
 * last, if it is no path.  What is wrong with it is reported.
 */
void
conf_host_set(struct conf_parser *p, const struct conf_directive *d,
    const char *word, int port)
{
	struct conf_host host, *field;
	const char *bad;

	field = (struct conf_host *)((char *)p->conf + d->offset);
	memset(&host, 0, sizeof(host));
	if (port >= p->nwords) {
		if (strlcpy(host.name, word, sizeof(host.name)) > d->min)
			conf_error(p, "\"%s\": a path longer than %u bytes",
			    d->name, d->min);
		else
			*field = host;
		return;
	}
	host.port =
	    (uint32_t)strtonum(p->words[port].text, 1, UINT16_MAX, &bad);
	if (bad != NULL) {
		conf_error(p, "port must be a number from 1 to %u, not \"%s\"",
		    UINT16_MAX, p->words[port].text);
		return;
	}
	if (set_name(p, d, &host, word) == 0)
		*field = host;
}

/* Does it take a resolver?  One that comes of a list may be any. */
int
conf_has_names(const struct config *conf)
{
	return (conf->enroll ||
		(conf->registry.port != 0 && is_name(conf->registry.name)));
}
