/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/* beacond.conf: any bytes; what is accepted prints and parses as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/conf.h"
#include "parent/conf_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What the bytes print as if they are accepted, to be freed; else NULL. */
static char *
reprint(const char *data, size_t size, FILE *errors)
{
	struct config *conf;
	FILE *in, *out;
	char *text;
	size_t len;

	text = NULL;
	conf = conf_new();
	in = fmemopen((char *)data, size, "r");
	if (conf == NULL || in == NULL)
		abort();
	if (conf_parse_stream(conf, in, "fuzz", errors) == 0) {
		out = open_memstream(&text, &len);
		if (out == NULL)
			abort();
		conf_print(conf, out);
		fclose(out);
	}
	fclose(in);
	conf_free(conf);
	return (text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *errors;
	char *again, *text;

	if (errors == NULL)
		errors = fopen("/dev/null", "w");
	if (errors == NULL)
		abort();
	if (size == 0)
		return (0);
	text = reprint((const char *)data, size, errors);
	if (text == NULL)
		return (0);
	again = reprint(text, strlen(text), errors);
	if (again == NULL || strcmp(text, again) != 0)
		abort();
	free(again);
	free(text);
	return (0);
}
