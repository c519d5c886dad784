/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ctl/top.h"

struct top_options {
	int batch;        /* boolean */
	uint32_t count;   /* of samples; 0: no end */
	uint32_t seconds; /* from one to the next */
};

static uint32_t
top_number(const char *word, int option, uint32_t most)
{
	const char *error;
	uint32_t n;

	n = (uint32_t)strtonum(word, 1, most, &error);
	if (error != NULL)
		usage("top: -%c: \"%s\" is %s", option, word, error);
	return (n);
}

static void
top_options(struct top_options *o, int argc, char **argv)
{
	int ch;

	*o = (struct top_options){ 0, 0, 2 };
	optind = 1;
	while ((ch = getopt(argc, argv, ":bd:n:")) != -1)
		switch (ch) {
		case 'b':
			o->batch = 1;
			break;
		case 'd':
			o->seconds = top_number(optarg, ch, 3600);
			break;
		case 'n':
			o->count = top_number(optarg, ch, UINT32_MAX);
			break;
		case ':':
			usage(
			    "top: -%c: a number is missing behind it", optopt);
		default:
			usage("top: %s: no such option", argv[optind - 1]);
		}
	if (optind != argc)
		usage("top: nothing may follow the options, but there is "
		      "\"%s\"",
		    argv[optind]);
}

/* Writes what there is; on a screen in the place of what stood there. */
static void
top_show(const struct top *top, const struct top_options *o)
{
	FILE *out;
	char *text;
	size_t len;

	text = NULL;
	out = open_memstream(&text, &len);
	if (out == NULL)
		err(CTL_FAILED, NULL);
	top_text(top, out);
	if (fclose(out) == EOF)
		err(CTL_FAILED, NULL);
	if (o->batch)
		printf("%s\n", text);
	else
		top_screen_show(text, len);
	free(text);
}

/* As long as it may be; 0: the user wants to go. */
static int
top_wait(const struct top_options *o)
{
	if (!o->batch)
		return (top_screen_wait((int)o->seconds * 1000));
	if (fflush(stdout) == EOF)
		err(CTL_FAILED, "standard output");
	(void)sleep(o->seconds);
	return (1);
}

/*
 * beaconctl top: what goes on, again and again.  argv is its own command line.
 * Returns an exit code.
 */
int
top(int argc, char **argv, const char *path)
{
	static struct top top;
	struct top_options o;
	uint32_t i;

	top_options(&o, argc, argv);
	client_open(&top.client, path);
	if (!o.batch)
		top_screen_open();
	for (i = 1;; i++) {
		top_sample(&top);
		top_show(&top, &o);
		if (i == o.count || !top_wait(&o))
			break;
	}
	client_close(&top.client);
	return (CTL_OK);
}
