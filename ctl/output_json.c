/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output.h"

/*
 * Rows are written as they come, so that a beacon with a million nodes needs no
 * more memory here than one with ten.
 */
static int json_rows;

/* Writes and frees an object; NULL comes from want of memory or bad UTF-8. */
static void
json_emit(json_t *object, size_t flags)
{
	if (object == NULL)
		errx(CTL_FAILED, "json: out of memory or not UTF-8");
	if (json_dumpf(object, stdout, JSON_COMPACT | flags) == -1)
		errx(CTL_FAILED, "json: cannot write");
	json_decref(object);
}

static void
json_row(json_t *object)
{
	if (json_rows++ > 0)
		printf(",\n");
	json_emit(object, 0);
}

static json_t *
json_address(const uint8_t addr[16], uint32_t port)
{
	static const uint8_t none[16];
	char buf[FORMAT_ADDRESS_LEN];

	if (memcmp(addr, none, sizeof(none)) == 0)
		return (json_null());
	return (json_string(format_address(addr, port, buf)));
}

static json_t *
json_u64(uint64_t n)
{
	return (json_integer((json_int_t)n));
}

static int
json_is_list(enum action action)
{
	return (action == ACTION_SHOW_METRICS || action == ACTION_SHOW_PEERS ||
		action == ACTION_SHOW_NODES || action == ACTION_SHOW_BEACONS ||
		action == ACTION_SHOW_BLOCKED || action == ACTION_SHOW_WORKERS);
}

static void
json_begin(enum action action)
{
	json_rows = 0;
	if (json_is_list(action))
		printf("[");
}

static void
json_end(enum action action)
{
	if (json_is_list(action))
		printf("]");
	else if (action == ACTION_SHOW_SUMMARY)
		printf("]}");
	printf("\n");
}

static void
json_summary(const struct msg_ctl_summary *m)
{
	printf("{");
	json_emit(
	    json_pack("{s:s#, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
		      " s:b}",
		"version", m->version,
		(int)strnlen(m->version, sizeof(m->version)), "started",
		json_u64(m->started), "now", json_u64(m->now), "peers",
		json_u64(m->peers), "max_peers", json_u64(m->max_peers), "keys",
		json_u64(m->keys), "key_lines_bad", json_u64(m->key_lines_bad),
		"nodes", json_u64(m->nodes), "beacons", json_u64(m->beacons),
		"draining", m->draining != 0),
	    JSON_EMBED);
	printf(",\"children\":[");
}

static void
json_child(const struct msg_ctl_child *m)
{
	json_row(json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "role",
	    format_role(m->role), "worker", json_u64(m->worker), "pid",
	    json_u64(m->pid), "state", format_state(m->state), "restarts",
	    json_u64(m->restarts), "load", json_u64(m->load), "since",
	    json_u64(m->since)));
}

/* Of name{key="value",...}, as counters_name() has it. */
static json_t *
json_labels(const char *name)
{
	const char *key, *value;
	json_t *labels;
	size_t len;

	labels = json_object();
	for (key = strchr(name, '{'); key != NULL; key = strchr(value, ',')) {
		key++;
		len = strcspn(key, "=");
		value = key + len + 2;
		if (json_object_setn_new(labels, key, len,
			json_stringn(value, strcspn(value, "\""))) == -1)
			errx(CTL_FAILED, "json: out of memory");
	}
	return (labels);
}

static void
json_metric(const char *name, uint64_t value)
{
	json_row(json_pack("{s:s%, s:o, s:o}", "name", name, strcspn(name, "{"),
	    "labels", json_labels(name), "value", json_u64(value)));
}

static void
json_metrics(const uint64_t value[COUNTER_MAX + 1])
{
	int i;

	for (i = 0; i < COUNTER_MAX; i++)
		json_metric(counters_name((enum counter)i), value[i]);
	json_metric(METRIC_ACTIVE_PEERS, value[COUNTER_MAX]);
}

/* What a worker knows; null if it does not answer. */
static json_t *
json_stat(const struct msg_stat_row *stat, uint64_t n)
{
	return (stat->known ? json_u64(n) : json_null());
}

static void
json_peer(const struct msg_ctl_peer *m)
{
	const struct msg_stat_row *s;

	s = &m->stat;
	json_row(json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o,"
			   " s:o, s:o}",
	    "node", json_u64(m->node), "worker", json_u64(m->worker), "slot",
	    json_u64(m->slot), "generation", json_u64(m->generation), "since",
	    json_u64(m->since), "connected", 1, "address",
	    json_address(s->addr, s->port), "frames_in",
	    json_stat(s, s->frames_in), "frames_out",
	    json_stat(s, s->frames_out), "bytes_in", json_stat(s, s->bytes_in),
	    "bytes_out", json_stat(s, s->bytes_out), "queued",
	    json_stat(s, s->queued)));
}

static json_t *
json_node_websocket(const struct msg_ctl_entry *m)
{
	if (m->generation == 0)
		return (json_null());
	return (json_pack("{s:o, s:o, s:o}", "worker", json_u64(m->worker),
	    "generation", json_u64(m->generation), "since",
	    json_u64(m->since)));
}

static json_t *
json_node_udp(const struct msg_ctl_entry *m)
{
	if (m->port == 0)
		return (json_null());
	return (json_pack("{s:o, s:o, s:o}", "address",
	    json_address(m->addr, m->port), "flags", json_u64(m->flags), "seen",
	    json_u64(m->seen)));
}

static json_t *
json_node_beacon(const struct msg_ctl_entry *m)
{
	if (m->beacon_port == 0)
		return (json_null());
	return (json_pack("{s:o, s:o}", "id", json_u64(m->beacon), "address",
	    json_address(m->beacon_addr, m->beacon_port)));
}

static void
json_node(const struct msg_ctl_entry *m)
{
	json_row(json_pack("{s:o, s:o, s:o, s:o}", "node", json_u64(m->node),
	    "websocket", json_node_websocket(m), "udp", json_node_udp(m),
	    "beacon", json_node_beacon(m)));
}

static void
json_beacon(const struct msg_ctl_beacon *m)
{
	json_row(json_pack("{s:o, s:o, s:o, s:b, s:b, s:o}", "address",
	    json_address(m->addr, m->port), "id", json_u64(m->beacon), "nodes",
	    json_u64(m->nodes), "configured", m->configured != 0, "registered",
	    m->registered != 0, "heard", json_u64(m->heard)));
}

static void
json_blocked(const struct msg_ctl_blocked *m)
{
	char what[FORMAT_ADDRESS_LEN];
	json_t *until;

	(void)format_blocked(m, what);
	until = m->until != 0 ? json_u64(m->until) : json_null();
	if (m->prefix <= 128)
		json_row(
		    json_pack("{s:s, s:o}", "network", what, "until", until));
	else
		json_row(json_pack("{s:o, s:o}", "node",
		    json_u64(strtoull(what, NULL, 10)), "until", until));
}

static void
json_worker(const struct msg_ctl_worker *m)
{
	json_row(output_worker_json(m));
}

static void
json_registry(const struct msg_ctl_registry *m)
{
	json_row(output_registry_json(m));
}

static void
json_missing(enum action action, uint32_t node)
{
	if (action == ACTION_SHOW_PEER)
		json_row(json_pack(
		    "{s:o, s:b}", "node", json_u64(node), "connected", 0));
	else
		json_row(json_pack("{s:o, s:n, s:n, s:n}", "node",
		    json_u64(node), "websocket", "udp", "beacon"));
}

const struct output output_json = {
	.begin = json_begin,
	.summary = json_summary,
	.child = json_child,
	.metrics = json_metrics,
	.peer = json_peer,
	.peer_row = json_peer,
	.node = json_node,
	.node_row = json_node,
	.beacon = json_beacon,
	.blocked = json_blocked,
	.worker = json_worker,
	.registry = json_registry,
	.missing = json_missing,
	.end = json_end,
};
