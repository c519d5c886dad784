/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/queue.h>

#include <netinet/in.h>
#include <stdio.h>

#include "parent/conf_internal.h"

static void
print_string(const char *name, const char *s, FILE *fp)
{
	if (*s == '\0')
		return;
	fprintf(fp, "%s \"", name);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', fp);
		fputc(*s, fp);
	}
	fprintf(fp, "\"\n");
}

static void
print_number(const struct conf_directive *d, uint32_t value, FILE *fp)
{
	if (value == 0 && d->zero != NULL)
		fprintf(fp, "%s %s\n", d->name, d->zero);
	else
		fprintf(fp, "%s %u\n", d->name, value);
}

static void
print_address(const char *name, const struct sockaddr_storage *ss,
    int proxy_protocol, FILE *fp)
{
	char buf[INET6_ADDRSTRLEN];

	if (ss->ss_family == AF_UNSPEC)
		return;
	conf_address_format(ss, buf, sizeof(buf));
	fprintf(fp, "%s %s port %u%s\n", name, buf, conf_address_port(ss),
	    proxy_protocol ? " proxy protocol" : "");
}

/* A name stands in quotes: it may be a word of another directive. */
static void
print_host(const char *name, const struct conf_host *host, FILE *fp)
{
	struct sockaddr_storage ss;
	socklen_t len;

	if (host->name[0] == '\0')
		return;
	if (host->port == 0)
		print_string(name, host->name, fp);
	else if (conf_address_parse(host->name, 0, &ss, &len) == NULL)
		fprintf(fp, "%s %s port %u\n", name, host->name, host->port);
	else
		fprintf(
		    fp, "%s \"%s\" port %u\n", name, host->name, host->port);
}

static void
print_network(const char *name, const struct conf_address *a, FILE *fp)
{
	char buf[INET6_ADDRSTRLEN];

	conf_address_format(&a->ss, buf, sizeof(buf));
	fprintf(fp, "%s %s/%d\n", name, buf, a->prefix);
}

static void
print_list(const struct config *conf, const struct conf_directive *d, FILE *fp)
{
	const struct conf_address *a;

	TAILQ_FOREACH(a, &conf->addresses, entry) {
		if (a->kind != d->kind)
			continue;
		if (d->type == CONF_NETWORK)
			print_network(d->name, a, fp);
		else
			print_address(d->name, &a->ss, a->proxy_protocol, fp);
	}
}

/*
 * Print all that conf holds, defaults too, as conf_parse() reads it: what it
 * then reads is the same.
 */
void
conf_print(const struct config *conf, FILE *fp)
{
	const struct conf_directive *d;
	const void *field;
	size_t i;

	for (i = 0; i < conf_ndirectives; i++) {
		d = &conf_directives[i];
		field = (const char *)conf + d->offset;
		switch (d->type) {
		case CONF_NUMBER:
			print_number(d, *(const uint32_t *)field, fp);
			break;
		case CONF_CHOICE:
			fprintf(fp, "%s %s\n", d->name,
			    d->words[*(const int *)field]);
			break;
		case CONF_STRING:
			print_string(d->name, field, fp);
			break;
		case CONF_HOST:
			print_host(d->name, field, fp);
			break;
		case CONF_BEACON:
			print_address(d->name, &conf->default_beacon, 0, fp);
			break;
		case CONF_ADDRESS:
		case CONF_NETWORK:
			print_list(conf, d, fp);
			break;
		}
	}
}
