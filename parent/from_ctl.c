/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/clock.h"
#include "parent/control.h"
#include "parent/parent.h"

static int
from_ctl_place(struct control_client *client, const struct place *place)
{
	const struct process *p;
	struct msg_ctl_child row;

	memset(&row, 0, sizeof(row));
	row.role = place->role->id;
	row.worker = place_share(place);
	row.restarts = place->restarts;
	row.state = CHILD_DOWN;
	p = place->child;
	if (p != NULL) {
		row.pid = (uint32_t)p->pid;
		row.state = p->state;
		row.load = row.role == ROLE_WORKER ? metrics_load(p) : 0;
		row.since = clock_wall_at(p->started);
	}
	return (control_row(client, CTL_CHILD, &row, sizeof(row)));
}

static int
from_ctl_children(struct control_client *client)
{
	struct msg_ctl_child row;
	struct parent *parent;
	struct place *place;
	uint32_t i;

	parent = client->control->parent;
	memset(&row, 0, sizeof(row));
	row.pid = (uint32_t)getpid();
	row.state = CHILD_RUNNING;
	row.since = clock_wall_at(parent->started);
	if (control_row(client, CTL_CHILD, &row, sizeof(row)) == -1)
		return (-1);
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		if (from_ctl_place(client, place) == -1)
			return (-1);
	return (0);
}

static uint32_t
from_ctl_peers(const struct parent *parent)
{
	return (atomic_load_explicit(
	    &parent->map.header->sessions, memory_order_relaxed));
}

static const char *
from_ctl_summary(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	struct msg_ctl_summary row;
	struct parent *parent;

	client = owner;
	parent = client->control->parent;
	memset(&row, 0, sizeof(row));
	(void)strlcpy(row.version, BEACOND_VERSION, sizeof(row.version));
	row.started = clock_wall_at(parent->started);
	row.now = clock_wall();
	row.peers = from_ctl_peers(parent);
	row.max_peers = parent->conf->max_peers;
	row.keys = parent->keys;
	row.key_lines_bad = parent->key_lines_bad;
	row.nodes = parent->map.live;
	row.beacons = gossip_heard(parent);
	row.draining = parent_is_ending(parent);
	if (control_row(client, CTL_SUMMARY, &row, sizeof(row)) == -1 ||
	    from_ctl_children(client) == -1)
		return (CONTROL_SLOW);
	return (control_done(client, 0));
}

static const char *
from_ctl_metrics(void *owner, const void *data, size_t len, int fd)
{
	uint64_t values[COUNTER_MAX + 1];
	struct control_client *client;
	struct counters sum;

	client = owner;
	metrics_sum(client->control->parent, &sum);
	memcpy(values, sum.value, sizeof(sum.value));
	values[COUNTER_MAX] = from_ctl_peers(client->control->parent);
	if (control_row(client, CTL_METRICS, values, sizeof(values)) == -1)
		return (CONTROL_SLOW);
	return (control_done(client, 0));
}

static void
from_ctl_fill_node(const struct parent *parent, struct msg_ctl_entry *row,
    const struct peermap_entry *entry)
{
	const struct source *source;

	memset(row, 0, sizeof(*row));
	row->node = entry->node;
	row->generation = entry->generation;
	if (entry->generation != 0) {
		row->worker = entry->worker % PROTO_WORKERS_MAX;
		row->since = clock_wall_at(entry->since);
	}
	if (entry->port != 0) {
		row->flags = entry->flags & PEERMAP_UDP_EX;
		memcpy(row->addr, entry->addr, sizeof(row->addr));
		row->port = entry->port;
		row->seen = clock_wall_at(entry->seen);
	}
	if (entry->beacon != 0) {
		source = &parent->gossip.sources[entry->beacon - 1];
		row->beacon = source->beacon;
		memcpy(
		    row->beacon_addr, source->addr, sizeof(row->beacon_addr));
		row->beacon_port = source->port;
	}
}

static const char *
from_ctl_peer(void *owner, const void *data, size_t len, int fd)
{
	const struct peermap_entry *entry;
	struct control_client *client;
	const struct msg_ctl_node *node;
	struct pmap *map;
	uint32_t number;

	client = owner;
	map = &client->control->parent->map;
	node = data;
	number = pmap_find(map, node->node);
	if (number == PEERMAP_NONE)
		return (control_done(client, ENOENT));
	entry = pmap_entry(map, number);
	if (entry->generation == 0)
		return (control_done(client, ENOENT));
	return (control_peer(client, entry));
}

static const char *
from_ctl_node(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	struct msg_ctl_entry row;
	const struct msg_ctl_node *node;
	struct parent *parent;
	uint32_t number;

	client = owner;
	parent = client->control->parent;
	node = data;
	number = pmap_find(&parent->map, node->node);
	if (number == PEERMAP_NONE)
		return (control_done(client, ENOENT));
	from_ctl_fill_node(parent, &row, pmap_entry(&parent->map, number));
	if (control_row(client, CTL_NODE, &row, sizeof(row)) == -1)
		return (CONTROL_SLOW);
	return (control_done(client, 0));
}

static int
from_ctl_walk_entry(
    struct control_client *client, const struct peermap_entry *entry)
{
	struct msg_ctl_entry node;

	if (entry->node == 0)
		return (0);
	from_ctl_fill_node(client->control->parent, &node, entry);
	return (control_row(client, CTL_NODE, &node, sizeof(node)));
}

/* Goes on with a walk as far as the client reads. */
static const char *
from_ctl_walk(struct control_client *client)
{
	struct pmap *map;
	uint32_t end;

	map = &client->control->parent->map;
	end = pmap_used(map);
	if (end - client->next > CONTROL_WALK)
		end = client->next + CONTROL_WALK;
	for (; client->next < end; client->next++) {
		if (channel_queued(&client->channel) > CONTROL_QUEUE_HIGH)
			return (NULL);
		if (from_ctl_walk_entry(
			client, pmap_entry(map, client->next)) == -1)
			return (CONTROL_SLOW);
	}
	if (end == pmap_used(map))
		return (control_done(client, 0));
	return (NULL);
}

static void
from_ctl_walk_on(struct ev_loop *loop, ev_timer *w, int revents)
{
	if (from_ctl_walk(w->data) != NULL)
		control_drop(w->data);
}

static const char *
from_ctl_show_peers(void *owner, const void *data, size_t len, int fd)
{
	return (control_peers(owner));
}

static const char *
from_ctl_show_nodes(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;

	client = owner;
	client->next = 0;
	control_wait(client, JOB_NODES, from_ctl_walk_on, CONTROL_WALK_EVERY,
	    CONTROL_WALK_EVERY);
	return (from_ctl_walk(client));
}

static int
from_ctl_beacon(
    struct control_client *client, const struct source *source, uint32_t peer)
{
	struct msg_ctl_beacon row;

	memset(&row, 0, sizeof(row));
	memcpy(row.addr, source->addr, sizeof(row.addr));
	row.port = source->port;
	row.beacon = source->beacon;
	row.nodes = source->nodes;
	row.configured = (peer & GOSSIP_CONFIGURED) != 0;
	row.registered = (peer & GOSSIP_REGISTERED) != 0;
	if (source->heard != 0)
		row.heard = clock_wall_at(source->heard);
	return (control_row(client, CTL_BEACON, &row, sizeof(row)));
}

static const char *
from_ctl_show_beacons(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	const struct source *source;
	const struct parent *parent;
	uint32_t i;

	client = owner;
	parent = client->control->parent;
	for (i = 0; i < parent->gossip.nsources; i++) {
		source = &parent->gossip.sources[i];
		if (source->port != 0 &&
		    from_ctl_beacon(client, source,
			gossip_peer(parent, source->addr)) == -1)
			return (CONTROL_SLOW);
	}
	return (control_done(client, 0));
}

static void
from_ctl_no_keys(struct ev_loop *loop, ev_timer *w, int revents)
{
	if (control_done(w->data, ETIMEDOUT) != NULL)
		control_drop(w->data);
}

static const char *
from_ctl_registry(void *owner, const void *data, size_t len, int fd)
{
	const struct registry *registry;
	struct counters sum;
	struct control_client *client;
	struct msg_ctl_registry row;

	client = owner;
	registry = &client->control->parent->registry;
	memset(&row, 0, sizeof(row));
	(void)strlcpy(row.name, registry->text, sizeof(row.name));
	row.failures = registry->failures;
	row.snapshot_bad = client->control->parent->snapshot.bad;
	row.status = registry->status;
	if (row.status.written != 0)
		row.written = clock_wall_at(row.status.written);
	if (row.status.enrolled != 0 &&
	    clock_seconds() - row.status.enrolled <= CTL_REGISTRY_LISTED)
		row.enrolled = clock_wall_at(row.status.enrolled);
	metrics_sum(client->control->parent, &sum);
	memcpy(
	    row.counter, sum.value + CTL_REGISTRY_FIRST, sizeof(row.counter));
	if (control_row(client, CTL_REGISTRY, &row, sizeof(row)) == -1)
		return (CONTROL_SLOW);
	return (control_done(client, 0));
}

static const char *
from_ctl_reload(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	int error;

	client = owner;
	client->job = JOB_RELOADING;
	error = reload(client->control->parent);
	if (error != 0)
		return (control_done(client, error));
	if (client->control->parent->keys_asked == 0)
		return (control_reload_done(client));
	/* The rest when auth has read the keys: control_reloaded(). */
	control_wait(
	    client, JOB_RELOAD, from_ctl_no_keys, CONTROL_RELOAD_WAIT, 0.);
	return (NULL);
}

static void
from_ctl_renew_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct control_client *client;

	client = w->data;
	if (control_done(client, ETIMEDOUT) != NULL)
		control_drop(client);
}

static const char *
from_ctl_renew(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_ctl_renew *msg;
	struct control_client *client;
	int error;

	client = owner;
	msg = data;
	error = msg->worker == CTL_RENEW_ALL
		    ? renew_all(client->control->parent)
		    : renew_worker(client->control->parent, msg->worker);
	if (error != 0)
		return (control_done(client, error));
	/* The rest when it is over: control_renewed(). */
	control_wait(
	    client, JOB_RENEW, from_ctl_renew_late, CONTROL_RENEW_WAIT, 0.);
	return (NULL);
}

/* Until the next reload. */
static const char *
from_ctl_log_level(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_ctl_level *msg;
	struct control_client *client;

	client = owner;
	msg = data;
	if (msg->level < LOG_ERR || msg->level > LOG_INFO)
		return (control_done(client, EINVAL));
	wiring_log(client->control->parent, (int)msg->level);
	return (control_done(client, 0));
}

static const char *
from_ctl_drain(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	const struct msg_ctl_drain *msg;

	client = owner;
	msg = data;
	if (msg->seconds > DRAIN_SECONDS_MAX)
		return (control_done(client, EINVAL));
	drain_begin(client->control->parent, msg->seconds);
	return (control_done(client, 0));
}

static const char *
from_ctl_undrain(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;

	client = owner;
	drain_end(client->control->parent);
	return (control_done(client, 0));
}

static const char *
from_ctl_shutdown(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	const char *reason;

	client = owner;
	reason = control_done(client, 0);
	shutdown_begin(client->control->parent);
	return (reason);
}

#define RULE(type, size, handler) \
	CHANNEL_RULE(type, size, CONTROL_READY, handler)

const struct channel_rule from_ctl_rules[] = {
	RULE(CTL_SHOW_SUMMARY, 0, from_ctl_summary),
	RULE(CTL_SHOW_METRICS, 0, from_ctl_metrics),
	RULE(CTL_SHOW_PEER, sizeof(struct msg_ctl_node), from_ctl_peer),
	RULE(CTL_SHOW_PEERS, 0, from_ctl_show_peers),
	RULE(CTL_SHOW_NODE, sizeof(struct msg_ctl_node), from_ctl_node),
	RULE(CTL_SHOW_NODES, 0, from_ctl_show_nodes),
	RULE(CTL_SHOW_BEACONS, 0, from_ctl_show_beacons),
	RULE(CTL_SHOW_REGISTRY, 0, from_ctl_registry),
	RULE(CTL_SHOW_BLOCKED, 0, from_ctl_show_blocked),
	RULE(CTL_SHOW_WORKERS, 0, from_ctl_show_workers),
	RULE(CTL_DROP, sizeof(struct msg_ctl_node), from_ctl_drop),
	RULE(CTL_BLOCK, sizeof(struct msg_ctl_block), from_ctl_block),
	RULE(CTL_UNBLOCK, sizeof(struct msg_ctl_block), from_ctl_unblock),
	RULE(CTL_LOG_LEVEL, sizeof(struct msg_ctl_level), from_ctl_log_level),
	RULE(CTL_DRAIN, sizeof(struct msg_ctl_drain), from_ctl_drain),
	RULE(CTL_UNDRAIN, 0, from_ctl_undrain),
	RULE(CTL_RENEW, sizeof(struct msg_ctl_renew), from_ctl_renew),
	RULE(CTL_PARK, 0, from_ctl_park),
	RULE(CTL_SOCKETS, 0, from_ctl_sockets),
	CHANNEL_RULE(CTL_ADOPT, 0, CONTROL_TAKES, from_ctl_adopt),
	CHANNEL_RULE(CTL_AHEAD, 0, CONTROL_TAKES, from_ctl_ahead),
	CHANNEL_RULE(CTL_TAKE, 0, CONTROL_TAKES, from_ctl_take),
	CHANNEL_RULE(CTL_TAKEN, 0, CONTROL_TAKEN, from_ctl_taken),
	RULE(CTL_RELOAD, 0, from_ctl_reload),
	RULE(CTL_STOP, 0, from_ctl_shutdown),
};
const size_t from_ctl_nrules =
    sizeof(from_ctl_rules) / sizeof(from_ctl_rules[0]);
