/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stddef.h>
#include <string.h>

#include "parent/conf_internal.h"

/* Two names this far apart are no slip of the finger. */
#define DISTANCE_MAX 3

static int
least(int a, int b, int c)
{
	int m;

	m = a < b ? a : b;
	return (m < c ? m : c);
}

/* Bytes to insert, delete or change to make b of a; b: < CONF_NAME_MAX. */
static int
distance(const char *a, const char *b)
{
	int row[CONF_NAME_MAX] = { 0 };
	size_t i, j, n;
	int above, corner;

	n = strlen(b);
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 0; a[i] != '\0'; i++) {
		corner = row[0];
		row[0] = i + 1;
		for (j = 1; j <= n; j++) {
			above = row[j];
			row[j] = least(above + 1, row[j - 1] + 1,
			    corner + (a[i] != b[j - 1]));
			corner = above;
		}
	}
	return (row[n]);
}

/* The distance of the line's first words from name. */
static int
words_distance(const struct conf_parser *p, const char *name)
{
	char buf[CONF_NAME_MAX];
	const char *s;
	int best, d, n;

	best = DISTANCE_MAX + 1;
	for (n = 1, s = name; s != NULL; n++) {
		if (conf_lex_join(p, 0, n, buf, sizeof(buf)) >= sizeof(buf))
			break;
		d = distance(buf, name);
		if (d < best)
			best = d;
		s = strchr(s, ' ');
		if (s != NULL)
			s++;
	}
	return (best);
}

/* Report that the line is no directive, and which one was meant, perhaps. */
void
conf_suggest(struct conf_parser *p)
{
	char line[CONF_LINE_MAX];
	const char *name;
	size_t i;
	int best, d;

	name = NULL;
	best = DISTANCE_MAX;
	for (i = 0; i < conf_ndirectives; i++) {
		d = words_distance(p, conf_directives[i].name);
		/* Of equals the later, which is the longer one. */
		if (d <= best &&
		    (size_t)d * 3 <= strlen(conf_directives[i].name)) {
			best = d;
			name = conf_directives[i].name;
		}
	}
	conf_lex_join(p, 0, p->nwords, line, sizeof(line));
	if (name == NULL)
		conf_error(p, "unknown directive \"%s\"", line);
	else if (best == 0)
		conf_error(p, "\"%s\" must stand without quotes", name);
	else
		conf_error(p,
		    "unknown directive \"%s\", did you mean "
		    "\"%s\"?",
		    line, name);
}
