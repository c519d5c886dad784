/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/probe.h"

static const char usage_text[] =
    "usage: beaconctl [-j] [-s SOCKET] show summary | metrics | peers | nodes |"
    " beacons |\n"
    "           registry | blocked | workers\n"
    "           (peers, nodes: [sort node|age] [worker N] [from NETWORK]\n"
    "           [limit N]; peers: [sort traffic|queue] [traffic BYTES])\n"
    "       beaconctl [-j] [-s SOCKET] show peer NODE | node NODE\n"
    "       beaconctl [-s SOCKET] drop NODE | unblock NODE | unblock NETWORK\n"
    "       beaconctl [-s SOCKET] block NODE | NETWORK [for TIME]\n"
    "       beaconctl [-s SOCKET] log level error | warning | notice | info\n"
    "       beaconctl [-s SOCKET] drain [-t TIME] | drain WORKER | undrain\n"
    "       beaconctl [-s SOCKET] reload | upgrade | park | stop\n"
    "       beaconctl [-s SOCKET] top [-b] [-d SECONDS] [-n COUNT]\n"
    "       beaconctl keygen [-n NODE] FILE\n"
    "       beaconctl [-j] probe [-c COUNT] [-w SECONDS] [-W LIMITS]\n"
    "                 [-C LIMITS] [-o FILE]\n"
    "                 -i KEYFILE -n NODE [-I KEYFILE -N NODE] URL [URL]\n"
    "       beaconctl -h | -V\n";

/* Asked for: says how beaconctl is called, and ends it well. */
void
usage_help(void)
{
	(void)fputs(usage_text, stdout);
	exit(CTL_OK);
}

static void __attribute__((format(printf, 2, 0)))
complain(const char *who, const char *fmt, va_list ap)
{
	(void)fputs(who, stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fprintf(stderr, "\n%s", usage_text);
}

/* Says what is wrong with the command line, then how it should be; ends. */
void
usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain("beaconctl: ", fmt, ap);
	va_end(ap);
	exit(CTL_USAGE);
}

/* The same of the command probe, which has exit codes of its own. */
void
usage_probe(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain("beaconctl: probe: ", fmt, ap);
	va_end(ap);
	exit(PROBE_UNKNOWN);
}
