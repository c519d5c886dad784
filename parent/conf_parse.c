/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/queue.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "parent/conf_internal.h"

/* How many of the line's first words the directive's name is; 0: it isn't. */
static int
match(const struct conf_parser *p, const struct conf_directive *d)
{
	char buf[CONF_NAME_MAX];
	char *name, *word;
	int n;

	n = 0;
	strlcpy(buf, d->name, sizeof(buf));
	name = buf;
	while ((word = strsep(&name, " ")) != NULL) {
		if (!conf_lex_is(p, n, word))
			return (0);
		n++;
	}
	return (n);
}

static void parse_source(struct conf_parser *);

static void
include(struct conf_parser *p)
{
	FILE *fp;

	if (p->nwords != 2) {
		conf_error(p, "expected: include STRING");
		return;
	}
	if (conf_source_open(p, p->words[1].text) == -1)
		return;
	fp = p->sources[p->depth - 1].fp;
	parse_source(p);
	conf_source_pop(p);
	fclose(fp);
}

/*
 * Does a directive begin with this word?  Then no macro is called so: "workers
 * = 4" would do nothing without a word.
 */
static int
is_keyword(const char *word)
{
	size_t n;
	size_t i;

	n = strlen(word);
	for (i = 0; i < conf_ndirectives; i++) {
		if (strncmp(conf_directives[i].name, word, n) == 0 &&
		    strchr(" ", conf_directives[i].name[n]) != NULL)
			return (1);
	}
	return (strcmp(word, "include") == 0);
}

static void
statement(struct conf_parser *p)
{
	size_t i;
	int n;

	if (p->nwords == 0)
		return;
	if (conf_lex_is(p, 1, "=")) {
		if (is_keyword(p->words[0].text))
			conf_error(p, "keyword \"%s\" cannot name a macro",
			    p->words[0].text);
		else
			conf_lex_define(p);
		return;
	}
	if (conf_lex_is(p, 0, "include")) {
		include(p);
		return;
	}
	for (i = 0; i < conf_ndirectives; i++) {
		n = match(p, &conf_directives[i]);
		if (n != 0) {
			conf_value_set(p, &conf_directives[i], n);
			return;
		}
	}
	conf_suggest(p);
}

/* Read the last source to its end. */
static void
parse_source(struct conf_parser *p)
{
	while (conf_lex_line(p))
		statement(p);
}

static int
has_beacons(const struct config *conf)
{
	const struct conf_address *address;

	TAILQ_FOREACH(address, &conf->addresses, entry)
		if (address->kind == CONF_PEER_BEACON)
			return (1);
	return (conf->default_beacon.ss_family != AF_UNSPEC);
}

static void
check_enroll(struct conf_parser *p)
{
	const struct config *conf;
	const struct conf_place *at;

	conf = p->conf;
	at = conf_given(p->conf, "beacon register");
	if (!conf->enroll)
		return;
	if (conf->registry.name[0] == '\0')
		conf_error_at(
		    p, at, "\"beacon register\" needs a \"registry\"");
	if (conf->beacon_id == 0)
		conf_error_at(p, at,
		    "\"beacon register\" needs a \"beacon id\" "
		    "that is not 0");
	if (conf->advertise.name[0] == '\0')
		conf_error_at(p, at,
		    "\"beacon register\" needs an address to give others "
		    "(add a line like: advertise 192.0.2.1 port 9001)");
	if (conf_given(p->conf, "listen udp on") == NULL)
		conf_error_at(p, at,
		    "a beacon that is listed is spoken to by UDP "
		    "(add a line like: listen udp on * port 9001)");
}

/* Keys may come from elsewhere: then a key file is one that is named. */
static void
keys_default(struct conf_parser *p)
{
	struct config *conf;

	conf = p->conf;
	if (conf_given(p->conf, "keys file") == NULL &&
	    (conf->registry.name[0] != '\0' || conf->keys_snapshot[0] != '\0'))
		conf->keys_file[0] = '\0';
}

/* Who could be believed there is not on this machine: nobody could connect. */
static void
check_proxies(struct conf_parser *p)
{
	const struct conf_address *address;
	struct conf_place at;
	uint8_t addr[16];

	if (conf_given(p->conf, "trusted proxy") != NULL)
		return;
	TAILQ_FOREACH(address, &p->conf->addresses, entry) {
		(void)address_of(&address->ss, addr);
		if (!address->proxy_protocol || address_is_loopback(addr) ||
		    conf_address_any(&address->ss))
			continue;
		(void)strlcpy(at.file, address->file, sizeof(at.file));
		at.line = address->line;
		conf_error_at(p, &at,
		    "\"proxy protocol\" needs to know whom to believe "
		    "(add a line like: trusted proxy 192.0.2.1)");
	}
}

/* What no single line shows to be wrong. */
static void
check_whole(struct conf_parser *p)
{
	const struct config *conf;
	const struct conf_place *at;

	conf = p->conf;
	if (conf_given(p->conf, "listen on") == NULL &&
	    conf_given(p->conf, "listen udp on") == NULL)
		conf_error(p, "nothing to listen on (add a line like: "
			      "listen on 127.0.0.1 port 8443)");
	if (conf->ping_interval >= conf->idle_timeout) {
		at = conf_given(p->conf, "ping interval");
		if (at == NULL)
			at = conf_given(p->conf, "idle timeout");
		conf_error_at(p, at,
		    "ping interval %u must be shorter than "
		    "idle timeout %u",
		    conf->ping_interval, conf->idle_timeout);
	}
	if (has_beacons(conf) && conf_given(p->conf, "listen udp on") == NULL) {
		at = conf_given(p->conf, "peer beacon");
		conf_error_at(p,
		    at != NULL ? at : conf_given(p->conf, "default beacon"),
		    "other beacons are reached by UDP only "
		    "(add a line like: listen udp on * port 9001)");
	}
	check_enroll(p);
	check_proxies(p);
	keys_default(p);
	at = conf_given(p->conf, "peer beacon");
	if (at != NULL && conf->beacon_id == 0)
		conf_error_at(p, at,
		    "\"peer beacon\" needs a \"beacon id\" "
		    "that is not 0");
}

static struct conf_parser *
new_parser(struct config *conf, FILE *errors)
{
	struct conf_parser *p;

	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		fprintf(errors, "out of memory\n");
		return (NULL);
	}
	p->conf = conf;
	p->errors = errors;
	return (p);
}

static int
end_parser(struct conf_parser *p)
{
	int result;

	result = p->nerrors == 0 ? 0 : -1;
	free(p);
	return (result);
}

/* conf_parse() of an open file, which stays open; name is for messages. */
int
conf_parse_stream(struct config *conf, FILE *fp, const char *name, FILE *errors)
{
	struct conf_parser *p;

	p = new_parser(conf, errors);
	if (p == NULL)
		return (-1);
	if (conf_source_push(p, fp, name) == 0) {
		parse_source(p);
		check_whole(p);
	}
	return (end_parser(p));
}

/*
 * Read the file path, "-" for standard input, into conf, as beacond.conf(5)
 * says.  Every error is printed to errors, a line each, "FILE:LINE: WHAT".
 * 0, or -1 if there was one: conf is then good for conf_free() only.
 */
int
conf_parse(struct config *conf, const char *path, FILE *errors)
{
	struct conf_parser *p;
	FILE *fp;

	if (strcmp(path, "-") == 0)
		return (conf_parse_stream(conf, stdin, "stdin", errors));
	p = new_parser(conf, errors);
	if (p == NULL)
		return (-1);
	if (conf_source_open(p, path) == 0) {
		fp = p->sources[0].fp;
		parse_source(p);
		check_whole(p);
		fclose(fp);
	}
	return (end_parser(p));
}
