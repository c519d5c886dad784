/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/probe.h"

#define COUNT_DEFAULT   3
#define TIMEOUT_DEFAULT 5
#define TIMEOUT_MAX     60

static uint32_t
number(const char *text, uint32_t min, uint32_t max)
{
	const char *errstr;
	uint32_t n;

	n = (uint32_t)strtonum(text, min, max, &errstr);
	if (errstr != NULL)
		usage_probe("%s: %s", text, errstr);
	return (n);
}

static double
limit(const char *text, const char *value)
{
	double n;
	char *end;

	n = value == NULL ? -1 : strtod(value, &end);
	if (value == NULL || end == value || *end != '\0' || !isfinite(n) ||
	    n < 0)
		usage_probe("%s: not time=MS, loss=PERCENT, days=DAYS, or some "
			    "of them with commas between",
		    text);
	return (n);
}

/* "time=100,loss=5,days=21" */
static void
limits(char *text, struct probe_limits *l)
{
	static char time[] = "time", loss[] = "loss", days[] = "days";
	char *const names[] = { time, loss, days, NULL };
	char *rest, *value;

	for (rest = text; *rest != '\0';) {
		switch (getsubopt(&rest, names, &value)) {
		case 0:
			l->time = limit("time", value);
			break;
		case 1:
			l->loss = limit("loss", value);
			break;
		case 2:
			l->days = limit("days", value);
			break;
		default:
			(void)limit(value != NULL ? value : text, NULL);
		}
	}
}

static void
defaults(struct probe *p)
{
	memset(p, 0, sizeof(*p));
	p->count = COUNT_DEFAULT;
	p->timeout = TIMEOUT_DEFAULT;
	p->warning.time = p->critical.time = INFINITY;
	/* That nothing came back is critical, whatever the limits are. */
	p->critical.loss = 100;
}

static void
option(struct probe *p, int ch, const char *word)
{
	switch (ch) {
	case 'C':
	case 'W':
		p->plugin = 1;
		limits(optarg, ch == 'W' ? &p->warning : &p->critical);
		break;
	case 'c':
		p->count = number(optarg, 0, UINT32_MAX);
		break;
	case 'I':
	case 'i':
		p->end[ch == 'I'].keyfile = optarg;
		break;
	case 'N':
	case 'n':
		p->end[ch == 'N'].node = number(optarg, 1, UINT32_MAX);
		break;
	case 'o':
		p->textfile = optarg;
		break;
	case 'w':
		p->timeout = number(optarg, 1, TIMEOUT_MAX);
		break;
	default:
		usage_probe(
		    "%s: no such option, or a word is missing behind it", word);
	}
}

static void
url(struct probe_end *e, const char *text)
{
	const char *error;

	e->text = text;
	if (ws_url_parse(text, &e->url, &error) == -1)
		usage_probe("%s: %s", text, error);
}

/*
 * Fills in p from the command's own command line, of which argv[0] is the word
 * itself; ends the program if that is wrong.
 */
void
probe_options(int argc, char *argv[], struct probe *p)
{
	int ch;

	defaults(p);
	optind = 0;
	while ((ch = getopt(argc, argv, "+:C:c:I:i:N:n:o:W:w:")) != -1)
		option(p, ch, argv[optind - 1]);
	if (p->end[0].keyfile == NULL || p->end[0].node == 0)
		usage_probe("-i KEYFILE and -n NODE say who logs in");
	if ((p->end[1].keyfile == NULL) != (p->end[1].node == 0))
		usage_probe("-I KEYFILE and -N NODE say who receives");
	p->ends = p->end[1].node == 0 ? 1 : 2;
	if (argc - optind < 1)
		usage_probe("one URL to log in at");
	p->urls = argc - optind;
	if (p->urls > p->ends)
		usage_probe("%s: a second URL is for a second node (-I, -N)",
		    argv[optind + 1]);
	if (p->end[0].node == p->end[1].node)
		usage_probe("-n and -N: two nodes, one would end the other");
	url(&p->end[0], argv[optind]);
	url(&p->end[1], argv[argc - 1]);
	p->timeout *= INT64_C(1000000000);
}
