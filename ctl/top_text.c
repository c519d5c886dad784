/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output.h"
#include "ctl/top.h"

#define TOP_REASONS 10

/* How often a second; a child's numbers may shrink if they are lies. */
static double
top_rate_of(const struct top *top, enum counter c)
{
	if (top->now[c] < top->before[c])
		return (0.);
	return ((double)(top->now[c] - top->before[c]) / top->seconds);
}

/* The sum over the counters of which the name begins so. */
static double
top_rates(const struct top *top, const char *begin)
{
	enum counter c;
	double sum;

	sum = 0.;
	for (c = 0; c < COUNTER_MAX; c++)
		if (strncmp(counters_name(c), begin, strlen(begin)) == 0)
			sum += top_rate_of(top, c);
	return (sum);
}

static void
top_head(const struct top *top, FILE *out)
{
	const struct msg_ctl_summary *s;
	char age[FORMAT_AGE_LEN];

	s = &top->summary;
	fprintf(out,
	    "beacond %.*s, up %s%s   peers %" PRIu32 "   nodes %" PRIu32
	    "   beacons %" PRIu32 "   keys %" PRIu32 "\n",
	    PROTO_VERSION_LEN, s->version, format_age(s->started, s->now, age),
	    s->draining ? ", draining" : "", s->peers, s->nodes,
	    s->beacons, s->keys);
	if (top->first)
		fprintf(out, "a second, on average since the start:\n");
	else
		fprintf(out, "a second, in the last %.1f s:\n", top->seconds);
}

static void
top_traffic(const struct top *top, FILE *out)
{
	fprintf(out,
	    "  packets   %10.1f relayed %10.1f to beacons %8.1f dropped\n",
	    top_rates(top, BRIDGE), top_rate_of(top, COUNTER_TO_BEACONS),
	    top_rates(top, DROP));
	fprintf(out,
	    "  bytes in  %10.0f WebSocket %8.0f UDP\n"
	    "  bytes out %10.0f WebSocket %8.0f UDP\n",
	    top_rate_of(top, COUNTER_WSS_BYTES_IN),
	    top_rate_of(top, COUNTER_UDP_BYTES),
	    top_rate_of(top, COUNTER_WSS_BYTES_OUT),
	    top_rate_of(top, COUNTER_UDP_BYTES_OUT));
	fprintf(out,
	    "  logins    %10.1f admitted %9.1f failed %13.1f refused\n",
	    top_rate_of(top, COUNTER_AUTH_OK),
	    top_rate_of(top, COUNTER_AUTH_FAIL), top_rates(top, REFUSED));
}

static void
top_children(const struct top *top, FILE *out)
{
	const struct msg_ctl_child *child;
	char age[FORMAT_AGE_LEN];
	uint32_t i;

	fprintf(out, "\n%-12s %8s %-9s %8s %11s %s\n", "PROCESS", "PID",
	    "STATE", "RESTARTS", "CONNECTIONS", "AGE");
	for (i = 0; i < top->nchildren; i++) {
		child = &top->children[i];
		fprintf(out,
		    "%-8s %3" PRIu32 " %8" PRIu32 " %-9s %8" PRIu32
		    " %11" PRIu32 " %s\n",
		    format_role(child->role), child->worker, child->pid,
		    format_state(child->state), child->restarts, child->load,
		    child->since == 0
			? "-"
			: format_age(child->since, top->summary.now, age));
	}
}

struct top_reason {
	enum counter counter;
	double rate;
	uint64_t total;
};

static int
top_reason_order(const void *a, const void *b)
{
	const struct top_reason *x, *y;

	x = a;
	y = b;
	if (x->rate != y->rate)
		return (x->rate < y->rate ? 1 : -1);
	if (x->total != y->total)
		return (x->total < y->total ? 1 : -1);
	return ((int)x->counter - (int)y->counter);
}

static void
top_reasons(const struct top *top, FILE *out)
{
	struct top_reason reasons[COUNTER_MAX];
	enum counter c;
	size_t i, n;

	for (c = 0, n = 0; c < COUNTER_MAX; c++)
		if (top->now[c] != 0 && counters_is_loss(c))
			reasons[n++] = (struct top_reason){ c,
				top_rate_of(top, c), top->now[c] };
	qsort(reasons, n, sizeof(reasons[0]), top_reason_order);
	fprintf(out, "\n%10s %12s %s\n", "A SECOND", "IN ALL",
	    "REFUSED, FAILED, DROPPED");
	for (i = 0; i < n && i < TOP_REASONS; i++)
		fprintf(out, "%10.1f %12" PRIu64 " %s\n", reasons[i].rate,
		    reasons[i].total, counters_help(reasons[i].counter));
	if (n == 0)
		fprintf(out, "%10s %12s %s\n", "", "", "nothing");
}

static void
top_busiest(const struct top *top, FILE *out)
{
	char address[FORMAT_ADDRESS_LEN];
	const struct msg_ctl_peer *peer;
	uint32_t i;

	fprintf(out, "\n%-10s %6s %11s %12s %12s %9s %s\n", "NODE", "WORKER",
	    "FRAMES/S", "IN", "OUT", "QUEUED", "ADDRESS");
	for (i = 0; i < top->npeers; i++) {
		peer = &top->peers[i].row;
		fprintf(out,
		    "%-10" PRIu32 " %6" PRIu32 " %11.1f %12" PRIu64
		    " %12" PRIu64 " %9" PRIu32 " %s\n",
		    peer->node, peer->worker, top->peers[i].rate,
		    peer->stat.frames_in, peer->stat.frames_out,
		    peer->stat.queued,
		    format_address(peer->stat.addr, peer->stat.port, address));
	}
}

/* One screenful, the most important first. */
void
top_text(const struct top *top, FILE *out)
{
	top_head(top, out);
	top_traffic(top, out);
	top_children(top, out);
	top_reasons(top, out);
	top_busiest(top, out);
}
