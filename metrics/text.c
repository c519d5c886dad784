/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <inttypes.h>
#include <string.h>

#include "metrics/text.h"

#define TEXT_TOTAL  "_total"
#define TEXT_SECOND UINT64_C(1000000000) /* of a histogram */

/* Is `end` what the first len bytes of name end with? */
static int
text_ends(const char *name, size_t len, const char *end)
{
	return (len > strlen(end) &&
		memcmp(name + len - strlen(end), end, strlen(end)) == 0);
}

static void
text_unit(struct out *out, const char *name, size_t len)
{
	static const char *const units[] = { "seconds", "bytes" };
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (text_ends(name, len, units[i]))
			out_printf(
			    out, "# UNIT %.*s %s\n", (int)len, name, units[i]);
}

/* OpenMetrics wants quotes escaped, and Prometheus' own form does not. */
static void
text_help(struct out *out, const char *help, int openmetrics)
{
	for (; *help != '\0'; help++)
		out_printf(out, "%s%c", openmetrics && *help == '"' ? "\\" : "",
		    *help);
}

/* What goes before the values of a family: the first len bytes of name. */
static void
text_family(struct out *out, const char *name, size_t len, const char *type,
    const char *help, int openmetrics)
{
	/* There a counter's family is called without what its values have. */
	if (openmetrics && text_ends(name, len, TEXT_TOTAL))
		len -= strlen(TEXT_TOTAL);
	out_printf(out, "# HELP %.*s ", (int)len, name);
	text_help(out, help, openmetrics);
	out_printf(out, "\n# TYPE %.*s %s\n", (int)len, name, type);
	if (openmetrics)
		text_unit(out, name, len);
}

static void
text_counters(struct out *out, const uint64_t *value, int openmetrics)
{
	char help[COUNTERS_HELP_MAX];
	enum counter c;

	for (c = 0; c < COUNTER_MAX; c++) {
		if (counters_begins(c))
			text_family(out, counters_name(c),
			    counters_family_len(c), "counter",
			    counters_family_help(c, help, sizeof(help)),
			    openmetrics);
		out_printf(out, "%s %" PRIu64 "\n", counters_name(c), value[c]);
	}
}

static void
text_number(struct out *out, uint64_t value, uint64_t per)
{
	if (per == 1)
		out_printf(out, "%" PRIu64 "\n", value);
	else
		out_printf(out, "%" PRIu64 ".%06" PRIu64 "\n", value / per,
		    value % per);
}

static void
text_gauges(struct out *out, const uint64_t *value, int openmetrics)
{
	static const struct {
		const char *name;
		uint64_t per;
		const char *help;
	} gauges[GAUGE_MAX] = {
#define X(id, name, per, help) { name, per, help },
		GAUGE_LIST(X)
#undef X
	};
	size_t i;

	for (i = 0; i < GAUGE_MAX; i++) {
		text_family(out, gauges[i].name, strlen(gauges[i].name),
		    "gauge", gauges[i].help, openmetrics);
		out_printf(out, "%s ", gauges[i].name);
		text_number(out, value[i], gauges[i].per);
	}
}

const char *
text_role(uint64_t role)
{
	static const char *const names[ROLE_MAX] = {
		[ROLE_PARENT] = "parent",
		[ROLE_AUTH] = "auth",
		[ROLE_WORKER] = "worker",
		[ROLE_METRICS] = "metrics",
	};

	return (role < ROLE_MAX ? names[role] : "?");
}

static void
text_processes(struct out *out, const struct sums_data *data, int openmetrics)
{
	static const struct {
		const char *name;
		const char *type;
		uint64_t per; /* of value in one of the unit: 1 or a million */
		const char *help;
	} rows[PROCESS_MAX] = {
#define X(id, name, type, per, help) { name, type, per, help },
		PROCESS_LIST(X)
#undef X
	};
	const struct sums_process *p;
	size_t i, j;

	for (i = 0; i < PROCESS_MAX; i++) {
		text_family(out, rows[i].name, strlen(rows[i].name),
		    rows[i].type, rows[i].help, openmetrics);
		for (j = 0; j < data->nprocesses && j < SUMS_PROCESSES_MAX;
		     j++) {
			p = &data->process[j];
			out_printf(out,
			    "%s{role=\"%s\",number=\"%" PRIu64 "\"} ",
			    rows[i].name, text_role(p->role), p->number);
			text_number(out, p->value[i], rows[i].per);
		}
	}
}

static void
text_bucket(struct out *out, const char *name, size_t i, uint64_t count)
{
	uint64_t bound;

	if (i == HISTOGRAM_BUCKETS - 1) {
		out_printf(
		    out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
		return;
	}
	bound = counters_bound(i);
	/* A whole number has a point in one of the forms: so in both. */
	out_printf(out, "%s_bucket{le=\"%g%s\"} %" PRIu64 "\n", name,
	    (double)bound / TEXT_SECOND, bound % TEXT_SECOND == 0 ? ".0" : "",
	    count);
}

static void
text_histograms(
    struct out *out, const struct histogram *histogram, int openmetrics)
{
	static const struct {
		const char *name;
		const char *help;
	} rows[HISTOGRAM_MAX] = {
#define X(id, name, help) { name, help },
		HISTOGRAM_LIST(X)
#undef X
	};
	const struct histogram *h;
	uint64_t count;
	size_t i, j;

	for (i = 0; i < HISTOGRAM_MAX; i++) {
		h = &histogram[i];
		text_family(out, rows[i].name, strlen(rows[i].name),
		    "histogram", rows[i].help, openmetrics);
		count = 0;
		for (j = 0; j < HISTOGRAM_BUCKETS; j++) {
			count += h->bucket[j];
			text_bucket(out, rows[i].name, j, count);
		}
		out_printf(out,
		    "%s_sum %" PRIu64 ".%09" PRIu64 "\n%s_count %" PRIu64 "\n",
		    rows[i].name, h->sum / TEXT_SECOND, h->sum % TEXT_SECOND,
		    rows[i].name, count);
	}
}

/* How the other beacon in a column is called. */
const char *
text_beacon(
    const struct sums_data *data, uint32_t column, char text[ADDRESS_TEXT_LEN])
{
	uint8_t addr[16];

	if (column == BEACON_OTHERS)
		return ("other");
	if (column == BEACON_DEFAULT_COLUMN)
		return ("default");
	memcpy(addr, data->beacon[column].addr, sizeof(addr));
	return (address_text(addr, (uint32_t)data->beacon[column].port, text));
}

/* The two sums over several beacons are neither up nor down. */
static int
text_has_beacon(const struct sums_data *data, uint32_t column, uint32_t value)
{
	if (column >= COUNTERS_BEACONS)
		return (value != BEACON_VALUE_UP);
	return (data->beacon[column].port != 0);
}

static void
text_beacons(struct out *out, const struct sums_data *data, int openmetrics)
{
	static const struct {
		const char *name;
		const char *type;
		const char *help;
	} rows[BEACON_VALUE_MAX] = {
#define X(id, name, type, help) { name, type, help },
		BEACON_LIST(X)
#undef X
	};
	char text[ADDRESS_TEXT_LEN];
	uint32_t i, j;

	for (i = 0; i < BEACON_VALUE_MAX; i++) {
		text_family(out, rows[i].name, strlen(rows[i].name),
		    rows[i].type, rows[i].help, openmetrics);
		for (j = 0; j < BEACON_COLUMNS; j++)
			if (text_has_beacon(data, j, i))
				out_printf(out,
				    "%s{beacon=\"%s\"} %" PRIu64 "\n",
				    rows[i].name, text_beacon(data, j, text),
				    data->beacon[j].value[i]);
	}
}

#define TEXT_BUILD "pilot_beacon_build_info"

/*
 * All of it: Prometheus' text format 0.0.4, or OpenMetrics 1.0.  The names and
 * what they count stand in common/counters.h and common/sums.h.
 */
void
text_write(struct out *out, const struct sums_data *data, int openmetrics)
{
	text_family(out, TEXT_BUILD, strlen(TEXT_BUILD), "gauge",
	    "1; the version is a label", openmetrics);
	out_printf(out, TEXT_BUILD "{version=\"%s\"} 1\n", BEACOND_VERSION);
	text_gauges(out, data->gauge, openmetrics);
	text_processes(out, data, openmetrics);
	text_beacons(out, data, openmetrics);
	text_histograms(out, data->histogram, openmetrics);
	text_counters(out, data->counter, openmetrics);
	if (openmetrics)
		out_printf(out, "# EOF\n");
}
