/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

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
    "body{font:16px/1.4 sans-serif;margin:0 auto;padding:0 1em;"
    "max-width:60em;color:#222;background:#fff}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin:1.2em 0 .3em}"
    "table{border-collapse:collapse;width:100%;font-size:.85em}"
    "td,th{text-align:left;padding:.15em .25em;"
    "border-bottom:1px solid #ddd;overflow-wrap:break-word}"
    "td.n,th.n{text-align:right}"
    ".bad{color:#a00;font-weight:bold}"
    ".charts{display:grid;grid-gap:1em;align-items:end;"
    "grid-template-columns:repeat(auto-fit,minmax(16em,1fr))}"
    "figure{margin:0}figcaption{font-size:.85em}"
    "svg{width:100%;height:auto;background:#f6f6f6}"
    "polyline{fill:none;stroke:#06c;stroke-width:2}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}"
    "td,th{border-color:#444}svg{background:#222}.bad{color:#f66}"
    "polyline{stroke:#6bf}}"
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
page_summary(struct out *out, const struct sums_data *data)
{
	const uint64_t *g;

	g = data->gauge;
	out_printf(out, "<h1>beacond %s</h1>\n<p>Up for ", BEACOND_VERSION);
	page_age(out, g[GAUGE_PUBLISHED], g[GAUGE_START]);
	out_printf(out, "; configuration read ");
	page_age(out, g[GAUGE_PUBLISHED], g[GAUGE_RELOADED]);
	out_printf(out, " ago.%s%s</p>\n<table>\n",
	    g[GAUGE_RELOAD_OK] ? ""
			       : " <span class=\"bad\">The last reload "
				 "failed.</span>",
	    g[GAUGE_DRAINING] ? " <span class=\"bad\">It is about to end."
				"</span>"
			      : "");
	page_row(out, "peers connected", g[GAUGE_PEERS]);
	page_row(out, "max peers (0: no limit)", g[GAUGE_MAX_PEERS]);
	page_row(out, "nodes known", g[GAUGE_NODES]);
	page_row(out, "other beacons heard", g[GAUGE_BEACONS]);
	page_row(out, "public keys", g[GAUGE_KEYS]);
	if (g[GAUGE_KEY_LINES_BAD] != 0)
		page_row(out, "lines of the key file skipped",
		    g[GAUGE_KEY_LINES_BAD]);
	out_printf(out, "</table>\n");
}

static void
page_process(struct out *out, const struct sums_process *p, uint64_t now)
{
	out_printf(out, "<tr><td>%s", text_role(p->role));
	if (p->role == ROLE_WORKER)
		out_printf(out, " %" PRIu64, p->number);
	out_printf(out, "</td><td>%s</td><td class=\"n\">",
	    p->value[PROCESS_UP] ? "running"
				 : "<span class=\"bad\">down</span>");
	if (p->pid != 0)
		page_age(out, now, p->value[PROCESS_STARTED]);
	out_printf(out,
	    "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
	    "</td><td class=\"n\">%" PRIu64 "</td></tr>\n",
	    p->value[PROCESS_RESTARTS], p->value[PROCESS_SESSIONS],
	    p->value[PROCESS_CPU] / 1000000);
}

static void
page_processes(struct out *out, const struct sums_data *data)
{
	size_t i;

	out_printf(out,
	    "<h2>Processes</h2>\n<table><tr><th>process</th>"
	    "<th>state</th><th class=\"n\">for</th>"
	    "<th class=\"n\">restarts</th><th class=\"n\">peers</th>"
	    "<th class=\"n\">CPU s</th></tr>\n");
	for (i = 0; i < data->nprocesses && i < SUMS_PROCESSES_MAX; i++)
		page_process(
		    out, &data->process[i], data->gauge[GAUGE_PUBLISHED]);
	out_printf(out, "</table>\n");
}

static void
page_charts(struct out *out, const struct ring *ring)
{
	out_printf(out, "<h2>The last minutes</h2>\n<div class=\"charts\">\n");
	chart_write(out, ring, RING_PEERS, "peers");
	chart_write(out, ring, RING_RELAYED, "packets relayed a second");
	chart_write(out, ring, RING_DROPPED, "packets dropped a second");
	chart_write(out, ring, RING_LOGINS, "logins a second");
	chart_write(
	    out, ring, RING_REFUSED, "logins and upgrades refused a second");
	out_printf(out, "</div>\n");
}

/* Traffic has rows of which most say something; of refusals only those do. */
static int
page_is_refusal(enum counter c)
{
	static const char *const words[] = { "drops_total", "refused_total",
		"_fail", "_errors", "_full_total", "too_big", "timeouts",
		"security", "muted", "verified_total" };
	size_t i;

	if (strstr(counters_name(c), "outcome=\"ok\"") != NULL)
		return (0);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(counters_name(c), words[i]) != NULL)
			return (1);
	return (0);
}

static void
page_counters(
    struct out *out, const char *title, const uint64_t *value, int refusals)
{
	enum counter c;
	int rows;

	rows = 0;
	out_printf(out, "<h2>%s</h2>\n<table>\n", title);
	for (c = 0; c < COUNTER_MAX; c++)
		if (value[c] != 0 && page_is_refusal(c) == refusals) {
			page_row(out, counters_help(c), value[c]);
			rows++;
		}
	if (rows == 0)
		out_printf(out, "<tr><td>none</td></tr>\n");
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
	page_counters(
	    out, "Refused, failed and dropped, by reason", data->counter, 1);
	page_counters(out, "Traffic and logins", data->counter, 0);
	out_printf(out,
	    "<p>Counted since the start. For machines: "
	    "<a href=\"/metrics\">/metrics</a></p>\n</body></html>\n");
}
