/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/ctl.h"

static const char usage_text[] =
    "usage: beaconctl [-j] [-s SOCKET] show summary | metrics | peers | nodes |"
    " beacons\n"
    "       beaconctl [-j] [-s SOCKET] show peer NODE | node NODE\n"
    "       beaconctl [-s SOCKET] reload | stop\n"
    "       beaconctl keygen [-n NODE] FILE\n"
    "       beaconctl probe [-c COUNT] [-w SECONDS] -i KEYFILE -n NODE URL\n"
    "       beaconctl -h | -V\n";

/* Asked for: says how beaconctl is called, and ends it well. */
void
usage_help(void)
{
	(void)fputs(usage_text, stdout);
	exit(CTL_OK);
}

/* Says what is wrong with the command line, then how it should be; ends. */
void
usage(const char *fmt, ...)
{
	va_list ap;

	(void)fputs("beaconctl: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\n%s", usage_text);
	exit(CTL_USAGE);
}
