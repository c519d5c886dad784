/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/clock.h"

#include "ctl/probe.h"

#define DAY 86400.0 /* seconds */

/* Percent of the packets. */
double
probe_loss(const struct probe *p)
{
	const struct echo_stats *s;

	s = &p->stats;
	return (s->sent == 0 ? 0 : 100.0 * (s->sent - s->received) / s->sent);
}

/* Milliseconds; only if there is one that came. */
double
probe_average(const struct probe *p)
{
	return ((double)p->stats.sum / p->stats.received / 1e6);
}

/* How many days the first certificate has left.  0: there is none. */
int
probe_days(const struct probe *p, double *days)
{
	int64_t first;
	int i;

	first = 0;
	for (i = 0; i < p->ends; i++)
		if (p->end[i].ws != NULL && p->end[i].ws->expires != 0 &&
		    (first == 0 || p->end[i].ws->expires < first))
			first = p->end[i].ws->expires;
	*days = (double)(first - (int64_t)clock_wall()) / DAY;
	return (first != 0);
}

static int
exceeds(const struct probe *p, const struct probe_limits *l)
{
	double days;

	return (probe_loss(p) > l->loss ||
		(p->stats.received != 0 && probe_average(p) > l->time) ||
		(probe_days(p, &days) && days < l->days));
}

/* What a probe that has been made says of the beacon. */
enum probe_status
probe_judge(const struct probe *p)
{
	if (p->error[0] != '\0' ||
	    (p->stats.sent != 0 && p->stats.received == 0) ||
	    exceeds(p, &p->critical))
		return (PROBE_CRITICAL);
	return (exceeds(p, &p->warning) ? PROBE_WARNING : PROBE_OK);
}

const char *
probe_word(enum probe_status status)
{
	static const char *const words[] = { "ok", "warning", "critical",
		"unknown" };

	return (words[status]);
}
