/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sums.h"
#include "metrics/out.h"
#include "regress/unit/test.h"

/*
 * etc/beacond-metrics.7 is what the tables say that the program uses.  With an
 * argument the manual is written anew:
 *
 *	build/unit/metrics/manual_test write
 */
#define MANUAL     "etc/beacond-metrics.7"
#define MANUAL_MAX (128 << 10)

static const char manual_head[] =
    ".\\\" Copyright (c) 2026 The beacond authors\n"
    ".\\\" SPDX-License-Identifier: ISC\n"
    ".\\\" Written by regress/unit/metrics/manual_test.c; not to be edited.\n"
    ".Dd November 26, 2026\n"
    ".Dt BEACOND-METRICS 7\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm beacond-metrics\n"
    ".Nd what the Pilot Protocol beacon counts and tells\n"
    ".Sh DESCRIPTION\n"
    "With\n"
    ".Ic metrics on\n"
    "in\n"
    ".Xr beacond.conf 5\n"
    "all of this is told at\n"
    ".Pa /metrics ,\n"
    "in the text format of Prometheus or, to who asks for that, of\n"
    "OpenMetrics, as it was a second ago.\n"
    "The counters are told by\n"
    ".Dq beaconctl show metrics\n"
    "as well.\n"
    "Counters begin at zero with\n"
    ".Xr beacond 8 ;\n"
    "what a process has counted that died is kept.\n"
    ".Bl -tag -width Ds\n"
    ".It Li pilot_beacon_build_info Pq gauge\n"
    "1; the version is the label\n"
    ".Li version .\n"
    ".El\n";

static const char manual_tail[] = ".Sh SEE ALSO\n"
				  ".Xr beacond.conf 5 ,\n"
				  ".Xr beaconctl 8 ,\n"
				  ".Xr beacond 8\n";

static void
manual_begin(struct out *out, const char *title, const char *text)
{
	out_printf(out, ".Ss %s\n%s.Bl -tag -width Ds\n", title, text);
}

static void
manual_entry(
    struct out *out, const char *name, int len, const char *type, const char *s)
{
	out_printf(out, ".It Li %.*s Pq %s\n%s%s", len, name, type, s,
	    *s == '\0' ? "" : "\n");
}

static void
manual_end(struct out *out)
{
	out_printf(out, ".El\n");
}

/* A counter without labels is an entry, one with them a list of its own. */
static void
manual_counter(struct out *out, enum counter c)
{
	const char *labels;

	labels = counters_name(c) + counters_family_len(c);
	if (counters_begins(c))
		manual_entry(out, counters_name(c), (int)counters_family_len(c),
		    "counter", *labels == '\0' ? counters_help(c) : "");
	if (*labels == '\0')
		return;
	if (counters_begins(c))
		out_printf(out, ".Bl -tag -width Ds -compact\n");
	out_printf(out, ".It Li %s\n%s\n", labels, counters_help(c));
	if (c + 1 == COUNTER_MAX || counters_begins(c + 1))
		manual_end(out);
}

static void
manual_counters(struct out *out)
{
	enum counter c;

	manual_begin(out, "Counters", "Over all processes.\n");
	for (c = 0; c < COUNTER_MAX; c++)
		manual_counter(out, c);
	manual_end(out);
}

static void
manual_write(struct out *out)
{
	out_printf(out, "%s", manual_head);
	manual_begin(out, "The beacon", "");
#define X(id, name, per, help) \
	manual_entry(out, name, (int)strlen(name), "gauge", help);
	GAUGE_LIST(X)
#undef X
	manual_end(out);
	manual_begin(out, "Processes",
	    "Of each, by the labels\n.Li role\nand\n.Li number .\n");
#define X(id, name, type, per, help) \
	manual_entry(out, name, (int)strlen(name), type, help);
	PROCESS_LIST(X)
#undef X
	manual_end(out);
	manual_begin(out, "Other beacons",
	    "By the label\n.Li beacon ,\nan address and port.\n"
	    "Of those that were heard after the first 32 there is one sum,\n"
	    ".Dq other ;\n.Dq default\nis the default beacon.\n");
#define X(id, name, type, help) \
	manual_entry(out, name, (int)strlen(name), type, help);
	BEACON_LIST(X)
#undef X
	manual_end(out);
	manual_begin(out, "Latencies", "");
#define X(id, name, help) \
	manual_entry(out, name, (int)strlen(name), "histogram", help);
	HISTOGRAM_LIST(X)
#undef X
	manual_end(out);
	manual_counters(out);
	out_printf(out, "%s", manual_tail);
}

static char written[MANUAL_MAX];
static char kept[MANUAL_MAX];

static void
test_the_manual_is_what_the_tables_say(void)
{
	struct out out = { written, sizeof(written), 0, 0 };
	size_t n;
	FILE *f;

	manual_write(&out);
	CHECK(!out.full);
	f = fopen(MANUAL, "r");
	CHECK(f != NULL);
	if (f == NULL)
		return;
	n = fread(kept, 1, sizeof(kept), f);
	(void)fclose(f);
	CHECK(n == out.len && memcmp(kept, written, n) == 0);
}

int
main(int argc, char **argv)
{
	struct out out = { written, sizeof(written), 0, 0 };
	FILE *f;

	if (argc > 1) {
		manual_write(&out);
		f = fopen(MANUAL, "w");
		return (f == NULL ||
			fwrite(written, 1, out.len, f) != out.len ||
			fclose(f) == EOF);
	}
	RUN(test_the_manual_is_what_the_tables_say);
	return (test_failed());
}
