/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "metrics/chart.h"
#include "metrics/page.h"
#include "metrics/text.h"

/*
 * A page for people: no script, nothing from elsewhere, and all that stands in
 * it is a number or a name of ours.  XHTML's syntax, so that a test can tell
 * that it is whole.
 */
static const char page_head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
    "<title>beacond</title>"
    "<meta name=\"viewport\" content=\"width=device-width\"/>"
    "<meta http-equiv=\"refresh\" content=\"10\"/>"
    "<style>"
    "*{box-sizing:border-box}"
    "body{font:16px/1.45 system-ui,sans-serif;margin:0 auto;"
    "padding:1em;max-width:64em;color:#1c2430;background:#fff}"
    "h1{font-size:1.5em;margin:0}h2{font-size:1.15em;margin:1.6em 0 .5em}"
    "p{margin:.3em 0}"
    ".tiles,.charts{display:grid;gap:.75em;"
    "grid-template-columns:repeat(auto-fit,minmax(8.5em,1fr))}"
    ".charts{grid-template-columns:repeat(auto-fit,minmax(17em,1fr))}"
    ".tiles{margin:1em 0}.tiles div,figure{border:1px solid #d8dee6;"
    "border-radius:.5em;padding:.6em .8em;margin:0}"
    ".tiles b{display:block;font-size:1.4em;line-height:1.2}"
    ".tiles span,.axis,.quiet{font-size:.85em;color:#5a6675}"
    "figcaption,.axis{display:flex;justify-content:space-between}"
    "svg{display:block;width:100%;height:auto;margin:.3em 0}"
    "polyline{fill:none;stroke:#1665c0;stroke-width:2;"
    "stroke-linejoin:round}"
    "polygon{fill:#1665c0;opacity:.12}"
    "table{border-collapse:collapse;width:100%;font-size:.9em}"
    "td,th{text-align:left;padding:.3em .4em;vertical-align:top;"
    "border-bottom:1px solid #e4e8ee;overflow-wrap:break-word}"
    "th{font-weight:600;color:#5a6675}"
    ".any{overflow-wrap:anywhere;min-width:8em}"
    "td.n{white-space:nowrap}td.n,th.n{text-align:right;"
    "font-variant-numeric:tabular-nums}"
    ".bar{height:.4em;margin-top:.2em;border-radius:.2em;"
    "background:#c2410c}"
    ".bad{color:#b00020;font-weight:600}"
    "@media(max-width:34em){.wide{display:none}}"
    "@media(prefers-color-scheme:dark){"
    "body{color:#dde3ea;background:#11161c}"
    "td,th,.tiles div,figure{border-color:#2c3540}"
    "th,.tiles span,.axis,.quiet{color:#97a3b1}"
    "polyline{stroke:#6db1ff}polygon{fill:#6db1ff}"
    ".bar{background:#fb923c}.bad{color:#ff8a8a}}"
    "</style></head><body>\n";

/* Seconds, as people say it. */
static void
page_age(struct out *out, uint64_t now, uint64_t since)
{
	uint64_t s;

	s = now > since ? now - since : 0;
	if (s >= 86400)
		out_printf(out, "%" PRIu64 " d ", s / 86400);
	out_printf(out, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600 % 24,
	    s / 60 % 60, s % 60);
}

static void
page_row(struct out *out, const char *name, uint64_t value)
{
	out_printf(out,
	    "<tr><td>%s</td><td class=\"n\">%" PRIu64 "</td></tr>\n", name,
	    value);
}

static void
page_tile(struct out *out, const char *name, uint64_t value)
{
	out_printf(
	    out, "<div><b>%" PRIu64 "</b><span>%s</span></div>\n", value, name);
}

static void
page_tiles(struct out *out, const uint64_t *g)
{
	out_printf(out, "<div class=\"tiles\">\n");
	page_tile(out, "peers connected", g[GAUGE_PEERS]);
	if (g[GAUGE_MAX_PEERS] != 0)
		page_tile(out, "peers at most", g[GAUGE_MAX_PEERS]);
	page_tile(out, "nodes known", g[GAUGE_NODES]);
	page_tile(out, "other beacons heard", g[GAUGE_BEACONS]);
	page_tile(out, "keys of the key file", g[GAUGE_KEYS]);
	if (g[GAUGE_KEY_LINES_BAD] != 0)
		page_tile(out, "lines of it skipped", g[GAUGE_KEY_LINES_BAD]);
	if (g[GAUGE_REGISTRY_KEYS] != 0)
		page_tile(out, "keys of the registry", g[GAUGE_REGISTRY_KEYS]);
	out_printf(out, "</div>\n");
}

static void
page_summary(struct out *out, const struct sums_data *data)
{
	const uint64_t *g;

	g = data->gauge;
	out_printf(out, "<h1>beacond %s</h1>\n<p class=\"quiet\">Up for ",
	    BEACOND_VERSION);
	page_age(out, g[GAUGE_PUBLISHED], g[GAUGE_START]);
	out_printf(out, "; configuration read ");
	page_age(out, g[GAUGE_PUBLISHED], g[GAUGE_RELOADED]);
	out_printf(out, " ago.</p>\n%s%s",
	    g[GAUGE_RELOAD_OK] ? ""
			       : "<p class=\"bad\">The last reload "
				 "failed.</p>\n",
	    g[GAUGE_DRAINING] ? "<p class=\"bad\">It is about to end.</p>\n"
			      : "");
	page_tiles(out, g);
}

static void
page_process(struct out *out, const struct sums_process *p, uint64_t now)
{
	const uint64_t *v;

	v = p->value;
	out_printf(out, "<tr><td>%s", text_role(p->role));
	if (p->role == ROLE_WORKER)
		out_printf(out, " %" PRIu64, p->number);
	out_printf(out, "</td><td>%s</td><td class=\"n wide\">",
	    v[PROCESS_UP] ? "running" : "<span class=\"bad\">down</span>");
	if (p->pid != 0)
		page_age(out, now, v[PROCESS_STARTED]);
	out_printf(out,
	    "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
	    "</td><td class=\"n wide\">%" PRIu64
	    "</td><td class=\"n wide\">%" PRIu64 "</td><td class=\"n\">",
	    v[PROCESS_RESTARTS], v[PROCESS_SESSIONS], v[PROCESS_CPU] / 1000000,
	    v[PROCESS_FDS]);
	chart_number(out, (double)v[PROCESS_MEMORY]);
	out_printf(out, "B</td></tr>\n");
}

static void
page_processes(struct out *out, const struct sums_data *data)
{
	size_t i;

	out_printf(out,
	    "<h2>Processes</h2>\n<table><tr><th>process</th>"
	    "<th>state</th><th class=\"n wide\">for</th>"
	    "<th class=\"n\">restarts</th><th class=\"n\">peers</th>"
	    "<th class=\"n wide\">CPU s</th>"
	    "<th class=\"n wide\">descriptors</th>"
	    "<th class=\"n\">memory</th></tr>\n");
	for (i = 0; i < data->nprocesses && i < SUMS_PROCESSES_MAX; i++)
		page_process(
		    out, &data->process[i], data->gauge[GAUGE_PUBLISHED]);
	out_printf(out, "</table>\n");
}

/* Another beacon; none unless there is one. */
static void
page_beacons(struct out *out, const struct sums_data *data)
{
	char text[ADDRESS_TEXT_LEN];
	const uint64_t *v;
	uint32_t i, n;

	for (i = n = 0; i < COUNTERS_BEACONS; i++) {
		if (data->beacon[i].port == 0)
			continue;
		if (n++ == 0)
			out_printf(out,
			    "<h2>Other beacons</h2>\n<table><tr>"
			    "<th>beacon</th><th>state</th>"
			    "<th class=\"n\">packets in</th>"
			    "<th class=\"n\">packets out</th></tr>\n");
		v = data->beacon[i].value;
		out_printf(out,
		    "<tr><td class=\"any\">%s</td><td>%s</td>"
		    "<td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
		    "</td></tr>\n",
		    text_beacon(data, i, text),
		    v[BEACON_VALUE_UP] ? "heard"
				       : "<span class=\"bad\">silent</span>",
		    v[BEACON_VALUE_IN], v[BEACON_VALUE_OUT]);
	}
	if (n != 0)
		out_printf(out, "</table>\n");
}

static void
page_charts(struct out *out, const struct ring *ring)
{
	out_printf(out, "<h2>The last minutes</h2>\n<div class=\"charts\">\n");
	chart_write(out, ring, RING_PEERS, "peers");
	chart_write(out, ring, RING_RELAYED, "packets relayed a second");
	chart_write(out, ring, RING_BYTES_IN, "bytes in a second");
	chart_write(out, ring, RING_BYTES_OUT, "bytes out a second");
	chart_write(out, ring, RING_DROPPED, "packets dropped a second");
	chart_write(out, ring, RING_LOGINS, "logins a second");
	chart_write(out, ring, RING_REFUSED, "refused a second");
	out_printf(out, "</div>\n");
}

struct page_count {
	enum counter counter;
	uint64_t value;
};

static int
page_order(const void *a, const void *b)
{
	const struct page_count *x, *y;

	x = a;
	y = b;
	if (x->value != y->value)
		return (x->value < y->value ? 1 : -1);
	return ((int)x->counter - (int)y->counter);
}

/* Of refusals those that were, the most frequent first, with a bar for each. */
static void
page_refusals(struct out *out, const uint64_t *value)
{
	struct page_count counts[COUNTER_MAX];
	enum counter c;
	size_t i, n;

	for (c = 0, n = 0; c < COUNTER_MAX; c++)
		if (value[c] != 0 && counters_is_loss(c))
			counts[n++] = (struct page_count){ c, value[c] };
	qsort(counts, n, sizeof(counts[0]), page_order);
	out_printf(out, "<h2>Refused, failed and dropped, by reason</h2>\n");
	if (n == 0) {
		out_printf(out, "<p>nothing</p>\n");
		return;
	}
	out_printf(out, "<table>\n");
	for (i = 0; i < n; i++)
		out_printf(out,
		    "<tr><td>%s<div class=\"bar\" style=\"width:%.1f%%\"></div>"
		    "</td><td class=\"n\">%" PRIu64 "</td></tr>\n",
		    counters_help(counts[i].counter),
		    100. * (double)counts[i].value / (double)counts[0].value,
		    counts[i].value);
	out_printf(out, "</table>\n");
}

static void
page_traffic(struct out *out, const uint64_t *value)
{
	enum counter c;

	out_printf(out, "<h2>Traffic and logins</h2>\n<table>\n");
	for (c = 0; c < COUNTER_MAX; c++)
		if (value[c] != 0 && !counters_is_loss(c))
			page_row(out, counters_help(c), value[c]);
	out_printf(out, "</table>\n");
}

void
page_write(
    struct out *out, const struct sums_data *data, const struct ring *ring)
{
	out_printf(out, "%s", page_head);
	page_summary(out, data);
	page_charts(out, ring);
	page_processes(out, data);
	page_beacons(out, data);
	page_refusals(out, data->counter);
	page_traffic(out, data->counter);
	out_printf(out,
	    "<p class=\"quiet\">Counted since the start. For machines: "
	    "<a href=\"/metrics\">/metrics</a></p>\n</body></html>\n");
}
