/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ctl/probe.h"

/* From whom to whom. */
static void
path_print(const struct probe *p)
{
	int i;

	for (i = 0; i < p->ends; i++)
		printf("%snode %" PRIu32 " at %s", i == 0 ? "" : " to ",
		    p->end[i].node, p->end[i].url.authority);
}

static void
text(const struct probe *p)
{
	const struct echo_stats *s;
	double days;

	if (p->error[0] != '\0')
		warnx("probe: %s", p->error);
	s = &p->stats;
	if (s->sent == 0 && p->error[0] != '\0')
		return;
	printf("--- ");
	path_print(p);
	printf(" ---\n%" PRIu32 " packets sent, %" PRIu32
	       " received, %.1f%% lost\n",
	    s->sent, s->received, probe_loss(p));
	if (s->received != 0)
		printf("%s min/avg/max = %.2f/%.2f/%.2f ms\n",
		    p->ends == 1 ? "round-trip" : "one way",
		    (double)s->min / 1e6, probe_average(p),
		    (double)s->max / 1e6);
	if (probe_days(p, &days))
		printf("certificate: %.1f days left\n", days);
}

/* A limit in performance data; none is left empty. */
static void
threshold(double limit, const char *end)
{
	if (isfinite(limit))
		printf(";%g%s", limit, end);
	else
		printf(";");
}

static void
performance(const struct probe *p)
{
	double days;

	printf(" | loss=%.1f%%", probe_loss(p));
	threshold(p->warning.loss, "");
	threshold(p->critical.loss, ";0;100");
	if (p->stats.received != 0) {
		printf(" time=%.3fms", probe_average(p));
		threshold(p->warning.time, "");
		threshold(p->critical.time, "");
	}
	if (probe_days(p, &days)) {
		printf(" days=%.1f", days);
		threshold(p->warning.days, ":");
		threshold(p->critical.days, ":");
	}
}

/* One line of a Nagios plugin; in front of its "|" may stand none. */
static void
plugin(const struct probe *p)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL",
		"UNKNOWN" };
	const char *c;
	double days;

	printf("PROBE %s: ", words[p->status]);
	if (p->error[0] != '\0') {
		for (c = p->error; *c != '\0'; c++)
			(void)putchar(*c == '|' ? '!' : *c);
		printf("\n");
		return;
	}
	path_print(p);
	printf(", %.1f%% lost", probe_loss(p));
	if (p->stats.received != 0)
		printf(", %.2f ms", probe_average(p));
	if (probe_days(p, &days))
		printf(", certificate good for %.1f days", days);
	performance(p);
	printf("\n");
}

static json_t *
seconds(int64_t ns)
{
	return (json_real((double)ns / 1e9));
}

static json_t *
json_end(const struct probe_end *e)
{
	json_t *object;

	object = json_pack(
	    "{s:I, s:s}", "node", (json_int_t)e->node, "url", e->text);
	if (e->login != 0)
		(void)json_object_update_new(
		    object, json_pack("{s:s, s:o}", "address", e->ws->address,
				"login_seconds", seconds(e->login)));
	if (e->ws != NULL && e->ws->expires != 0)
		(void)json_object_set_new(object, "certificate_expires",
		    json_integer((json_int_t)e->ws->expires));
	return (object);
}

static json_t *
json_packets(const struct probe *p)
{
	const struct echo_stats *s;
	json_t *object;

	s = &p->stats;
	object = json_pack("{s:I, s:I, s:f}", "sent", (json_int_t)s->sent,
	    "received", (json_int_t)s->received, "lost_percent", probe_loss(p));
	if (s->received != 0)
		(void)json_object_set_new(object, "time_seconds",
		    json_pack("{s:o, s:o, s:o}", "min", seconds(s->min), "avg",
			json_real(probe_average(p) / 1e3), "max",
			seconds(s->max)));
	return (object);
}

static void
json(const struct probe *p)
{
	json_t *ends, *object;
	double days;
	int i;

	ends = json_array();
	for (i = 0; i < p->ends; i++)
		(void)json_array_append_new(ends, json_end(&p->end[i]));
	object = json_pack("{s:s, s:o, s:o}", "status", probe_word(p->status),
	    "ends", ends, "packets", json_packets(p));
	if (p->error[0] != '\0')
		(void)json_object_set_new(
		    object, "error", json_string(p->error));
	if (probe_days(p, &days))
		(void)json_object_set_new(
		    object, "certificate_days", json_real(days));
	if (object == NULL || json_dumpf(object, stdout,
				  JSON_COMPACT | JSON_REAL_PRECISION(9)) == -1)
		errx(PROBE_UNKNOWN, "probe: cannot write JSON");
	json_decref(object);
	printf("\n");
}

/* Writes to standard output what has come of it, as it was asked for. */
void
probe_report(const struct probe *p)
{
	if (p->json)
		json(p);
	else if (p->plugin)
		plugin(p);
	else
		text(p);
}
