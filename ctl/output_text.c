/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/output.h"

static int text_children;

static void
text_begin(enum action action)
{
	switch (action) {
	case ACTION_SHOW_PEERS:
		printf("%-10s %6s %-24s %12s %12s %10s %s\n", "NODE", "WORKER",
		    "ADDRESS", "BYTES IN", "BYTES OUT", "QUEUED", "AGE");
		break;
	case ACTION_SHOW_NODES:
		printf("%-10s %-10s %-24s %s\n", "NODE", "WEBSOCKET", "UDP",
		    "BEACON");
		break;
	case ACTION_SHOW_BEACONS:
		printf("%-24s %-10s %8s %-10s %s\n", "ADDRESS", "ID", "NODES",
		    "CONFIGURED", "HEARD");
		break;
	case ACTION_SHOW_BLOCKED:
		printf("%-8s %-32s %s\n", "WHAT", "BLOCKED", "UNTIL");
		break;
	case ACTION_SHOW_WORKERS:
		output_workers_head();
		break;
	default:
		break;
	}
	text_children = 0;
}

static void
text_end(enum action action)
{
}

static void
text_summary(const struct msg_ctl_summary *m)
{
	char age[FORMAT_AGE_LEN], when[FORMAT_TIME_LEN];

	printf("beacond %.*s, up %s since %s%s\n", PROTO_VERSION_LEN,
	    m->version, format_age(m->started, m->now, age),
	    format_time(m->started, when),
	    m->draining ? ", draining" : "");
	printf("peers    %" PRIu32, m->peers);
	if (m->max_peers != 0)
		printf(" of at most %" PRIu32, m->max_peers);
	printf("\nkeys     %" PRIu32, m->keys);
	if (m->key_lines_bad != 0)
		printf(" (%" PRIu32 " bad lines skipped)", m->key_lines_bad);
	printf("\nnodes    %" PRIu32 "\nbeacons  %" PRIu32 "\n", m->nodes,
	    m->beacons);
}

static void
text_child(const struct msg_ctl_child *m)
{
	char name[24], when[FORMAT_TIME_LEN];

	if (text_children++ == 0)
		printf("\n%-10s %8s %-9s %8s %8s %s\n", "PROCESS", "PID",
		    "STATE", "RESTARTS", "LOAD", "SINCE");
	(void)snprintf(name, sizeof(name), "%s", format_role(m->role));
	if (m->role == ROLE_WORKER)
		(void)snprintf(
		    name, sizeof(name), "worker %" PRIu32, m->worker);
	printf("%-10s %8" PRIu32 " %-9s %8" PRIu32 " %8" PRIu32 " %s\n", name,
	    m->pid, format_state(m->state), m->restarts, m->load,
	    format_time(m->since, when));
}

/* What Prometheus wants to know of a family, of which this is the first. */
static void
text_family(enum counter first)
{
	char help[COUNTERS_HELP_MAX];
	const char *name;
	int len;

	name = counters_name(first);
	len = (int)counters_family_len(first);
	printf("# HELP %.*s %s\n# TYPE %.*s counter\n", len, name,
	    counters_family_help(first, help, sizeof(help)), len, name);
}

static void
text_metrics(const uint64_t value[COUNTER_MAX + 1])
{
	int i;

	for (i = 0; i < COUNTER_MAX; i++) {
		if (counters_begins((enum counter)i))
			text_family((enum counter)i);
		printf("%s %" PRIu64 "\n", counters_name((enum counter)i),
		    value[i]);
	}
	printf("# HELP %s nodes connected by WebSocket\n# TYPE %s gauge\n"
	       "%s %" PRIu64 "\n",
	    METRIC_ACTIVE_PEERS, METRIC_ACTIVE_PEERS, METRIC_ACTIVE_PEERS,
	    value[COUNTER_MAX]);
}

static void
text_peer(const struct msg_ctl_peer *m)
{
	char addr[FORMAT_ADDRESS_LEN];
	char age[FORMAT_AGE_LEN], when[FORMAT_TIME_LEN];

	printf("node        %" PRIu32 "\n", m->node);
	printf("worker      %" PRIu32 ", slot %" PRIu32 ", generation %" PRIu32
	       "\n",
	    m->worker, m->slot, m->generation);
	printf("since       %s (%s)\n", format_time(m->since, when),
	    format_age(m->since, clock_wall(), age));
	if (!m->stat.known) {
		printf("its worker does not tell the rest\n");
		return;
	}
	printf("address     %s\n",
	    format_address(m->stat.addr, m->stat.port, addr));
	printf("frames in   %" PRIu64 "\n", m->stat.frames_in);
	printf("frames out  %" PRIu64 "\n", m->stat.frames_out);
	printf("bytes in    %" PRIu64 "\n", m->stat.bytes_in);
	printf("bytes out   %" PRIu64 "\n", m->stat.bytes_out);
	printf("queued      %" PRIu32 " bytes\n", m->stat.queued);
}

static void
text_peer_row(const struct msg_ctl_peer *m)
{
	char addr[FORMAT_ADDRESS_LEN], age[FORMAT_AGE_LEN];

	(void)format_age(m->since, clock_wall(), age);
	if (m->stat.known)
		printf("%-10" PRIu32 " %6" PRIu32 " %-24s %12" PRIu64
		       " %12" PRIu64 " %10" PRIu32 " %s\n",
		    m->node, m->worker,
		    format_address(m->stat.addr, m->stat.port, addr),
		    m->stat.bytes_in, m->stat.bytes_out, m->stat.queued, age);
	else
		printf("%-10" PRIu32 " %6" PRIu32 " %-24s %12s %12s %10s %s\n",
		    m->node, m->worker, "-", "-", "-", "-", age);
}

static void
text_node(const struct msg_ctl_entry *m)
{
	char addr[FORMAT_ADDRESS_LEN];
	char age[FORMAT_AGE_LEN], when[FORMAT_TIME_LEN];
	uint64_t now;

	now = clock_wall();
	printf("node       %" PRIu32 "\n", m->node);
	if (m->generation != 0)
		printf("websocket  worker %" PRIu32 ", generation %" PRIu32
		       ", since %s (%s)\n",
		    m->worker, m->generation, format_time(m->since, when),
		    format_age(m->since, now, age));
	if (m->port != 0)
		printf("udp        %s, seen %s (%s ago)%s\n",
		    format_address(m->addr, m->port, addr),
		    format_time(m->seen, when), format_age(m->seen, now, age),
		    m->flags != 0 ? ", extended" : "");
	if (m->beacon_port != 0)
		printf("beacon     %" PRIu32 " at %s\n", m->beacon,
		    format_address(m->beacon_addr, m->beacon_port, addr));
}

static void
text_node_row(const struct msg_ctl_entry *m)
{
	char addr[FORMAT_ADDRESS_LEN], baddr[FORMAT_ADDRESS_LEN], worker[24];

	(void)snprintf(worker, sizeof(worker), "-");
	if (m->generation != 0)
		(void)snprintf(
		    worker, sizeof(worker), "worker %" PRIu32, m->worker);
	printf("%-10" PRIu32 " %-10s %-24s %s\n", m->node, worker,
	    format_address(m->addr, m->port, addr),
	    format_address(m->beacon_addr, m->beacon_port, baddr));
}

static void
text_beacon(const struct msg_ctl_beacon *m)
{
	char addr[FORMAT_ADDRESS_LEN], when[FORMAT_TIME_LEN];

	printf("%-24s %-10" PRIu32 " %8" PRIu32 " %-10s %s\n",
	    format_address(m->addr, m->port, addr), m->beacon, m->nodes,
	    m->configured   ? "yes"
	    : m->registered ? "registry"
			    : "no",
	    m->heard != 0 ? format_time(m->heard, when) : "never");
}

static void
text_blocked(const struct msg_ctl_blocked *m)
{
	char what[FORMAT_ADDRESS_LEN], when[FORMAT_TIME_LEN];

	printf("%-8s %-32s %s\n", m->prefix <= 128 ? "network" : "node",
	    format_blocked(m, what),
	    m->until != 0 ? format_time(m->until, when) : "unblocked");
}

static void
text_missing(enum action action, uint32_t node)
{
	/* The message on standard error is all there is to say. */
}

const struct output output_text = {
	.begin = text_begin,
	.summary = text_summary,
	.child = text_child,
	.metrics = text_metrics,
	.peer = text_peer,
	.peer_row = text_peer_row,
	.node = text_node,
	.node_row = text_node_row,
	.beacon = text_beacon,
	.blocked = text_blocked,
	.worker = output_worker_text,
	.registry = output_registry_text,
	.missing = text_missing,
	.end = text_end,
};
