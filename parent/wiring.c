/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"

#define HEAD_TIMEOUT 5 /* seconds, doc/protocol.md 1 */

static uint32_t
wiring_share(const struct parent *parent, uint32_t limit)
{
	return ((limit + parent->nworkers - 1) / parent->nworkers);
}

/*
 * What one address may do is counted by each worker for itself, and connections
 * do not spread evenly: a share alone would refuse what is within the limit.
 */
#define WIRING_UNEVEN 4

static uint32_t
wiring_uneven_share(const struct parent *parent, uint32_t limit)
{
	uint32_t share;

	share = wiring_share(parent, limit);
	return (share > limit / WIRING_UNEVEN ? limit : share * WIRING_UNEVEN);
}

/* The configuration as far as a child needs it; again after a reload. */
void
wiring_settings(struct process *p)
{
	const struct config *conf;
	struct msg_settings s;

	if (p->place->role->settings == 0)
		return;
	conf = p->parent->conf;
	memset(&s, 0, sizeof(s));
	s.auth_timeout = conf->auth_timeout;
	s.head_timeout = HEAD_TIMEOUT;
	s.idle_timeout = conf->idle_timeout;
	s.ping_interval = conf->ping_interval;
	s.write_timeout = conf->write_timeout;
	s.nworkers = p->parent->nworkers;
	s.max_peers = conf->max_peers;
	s.max_frame = conf->max_frame;
	s.legacy_signatures = conf->legacy_signatures != 0;
	s.source_packet_limit = conf->source_packet_limit;
	s.source_byte_limit = conf->source_byte_limit;
	s.source_upgrade_limit =
	    wiring_uneven_share(p->parent, conf->source_upgrade_limit);
	s.require_punch_grant = conf->require_punch_grant != 0;
	s.punch_source_limit = conf->punch_source_limit;
	s.punch_total_limit = wiring_share(p->parent, conf->punch_total_limit);
	s.gossip_from_any = conf->accept_gossip_from_any != 0;
	s.forwarded = conf->forwarded != 0;
	s.max_sockets = p->parent->max_sockets;
	s.router_drop =
	    conf->router_drop != 0 && p->parent->router.socket.what != NULL;
	s.log_level = (uint32_t)p->parent->log_level;
	s.steered = p->parent->steered != 0;
	s.steer_key = p->parent->steer_key;
	process_send(p, p->place->role->settings, -1, &s, sizeof(s));
}

/* The log as it is configured; children are told with the other settings. */
void
wiring_log_conf(struct parent *parent)
{
	parent->log_level = LOG_ERR + parent->conf->log_level;
	log_set_level(parent->log_level);
	log_set_json(parent->conf->log_json);
}

/*
 * From now on lines of this level and above are written, as syslog(3) numbers
 * them, by us and by the children.
 */
void
wiring_log(struct parent *parent, int level)
{
	struct place *place;
	uint32_t i;

	parent->log_level = level;
	log_set_level(level);
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		if (place->child != NULL)
			wiring_settings(place->child);
}

static void
wiring_hello(struct process *p)
{
	struct msg_hello hello;

	proto_fill_hello(&hello);
	hello.worker = p->place->number;
	hello.epoch = p->epoch;
	process_send(p, p->place->role->hello, -1, &hello, sizeof(hello));
}

/* A worker's own sockets of that address. */
static void
wiring_udp(struct process *p, const struct listener *listener)
{
	struct msg_udp msg;
	int i;

	msg.kind = UDP_LISTENER;
	msg.listener = listener->number;
	msg.share = 0;
	/* One that was lost leaves its number behind. */
	for (i = (int)place_share(p->place); i < listener->nfds;
	     i += (int)p->parent->nworkers)
		if (listener->fds[i] != -1)
			process_send_copy(
			    p, PW_UDP, listener->fds[i], &msg, sizeof(msg));
}

/* A listener, if it is of a kind that this child serves. */
void
wiring_listener(struct process *p, const struct listener *listener)
{
	struct msg_listener msg;
	enum role role;

	role = p->place->role->id;
	if (p->place->leaving && listener->kind == LISTENER_WEBSOCKET)
		return;
	msg.number = listener->number;
	msg.proxy_protocol = listener->proxy_protocol != 0;
	if (role == ROLE_WORKER && listener->kind == LISTENER_WEBSOCKET)
		process_send_copy(
		    p, PW_LISTENER, listener->fds[0], &msg, sizeof(msg));
	else if (role == ROLE_WORKER && listener->kind == LISTENER_UDP)
		wiring_udp(p, listener);
	else if (role == ROLE_METRICS && listener->kind == LISTENER_METRICS)
		process_send_copy(
		    p, PM_LISTENER, listener->fds[0], &msg, sizeof(msg));
}

/* One that goes, likewise. */
void
wiring_unlisten(struct process *p, const struct listener *listener)
{
	struct msg_unlisten msg;
	enum role role;

	role = p->place->role->id;
	if (p->place->leaving && listener->kind == LISTENER_WEBSOCKET)
		return;
	msg.udp = listener->kind == LISTENER_UDP;
	msg.number = listener->number;
	if (role == ROLE_METRICS && listener->kind == LISTENER_METRICS)
		process_send(p, PM_UNLISTEN, -1, &msg, sizeof(msg));
	else if (role == ROLE_WORKER && listener->kind != LISTENER_METRICS)
		process_send(p, PW_UNLISTEN, -1, &msg, sizeof(msg));
}

static void
wiring_listeners(struct process *p)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &p->parent->listeners, entry)
		wiring_listener(p, listener);
}

/* All networks of a kind; returns how many. */
static int
wiring_list(
    struct process *p, enum parent_to_worker type, enum conf_address_kind kind)
{
	const struct conf_address *network;
	struct msg_address msg;
	int n;

	n = 0;
	memset(&msg, 0, sizeof(msg));
	TAILQ_FOREACH(network, &p->parent->conf->addresses, entry) {
		if (network->kind != kind)
			continue;
		msg.prefix = listen_network(network, msg.addr);
		process_send(p, type, -1, &msg, sizeof(msg));
		n++;
	}
	return (n);
}

/* What a worker is told of networks, instead of those sent before. */
void
wiring_networks(struct process *p)
{
	static const struct msg_address end = { .prefix = PROTO_PREFIX_NONE };
	/* Of no other proxy than one of this machine is it known what it is. */
	static const struct msg_address loopback[] = {
		{ .addr = { [10] = 0xff, 0xff, 127 }, .prefix = 96 + 8 },
		{ .addr = { [15] = 1 }, .prefix = 128 },
	};
	size_t i;

	(void)wiring_list(p, PW_EXEMPT, CONF_PUNCH_EXEMPT);
	process_send(p, PW_EXEMPT, -1, &end, sizeof(end));
	if (wiring_list(p, PW_PROXY, CONF_TRUSTED_PROXY) == 0)
		for (i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++)
			process_send(
			    p, PW_PROXY, -1, &loopback[i], sizeof(loopback[i]));
	process_send(p, PW_PROXY, -1, &end, sizeof(end));
}

/* The keys, and how to get more of them, for the one that is asked. */
static void
wiring_keys(struct process *p)
{
	keys_snapshot_introduce(p);
	keys_begin(p->parent);
}

/*
 * What auth is told besides.  One that comes up beside another gets the same
 * keys, and what it says of them is not asked for yet.
 */
void
wiring_introduce_auth(struct process *p)
{
	/* As the one before it: nobody comes or goes while all stand still. */
	if (p->parent->park.stage >= PARK_STILL)
		channel_pause(&p->channel);
	if (p->place->candidate) {
		registry_show(p);
		keys_cache_introduce(p);
		keys_snapshot_show(p);
		keys_show(p);
		return;
	}
	registry_introduce(p);
	keys_cache_introduce(p);
	wiring_keys(p);
}

/* That one is in the other's place: with the connection, and what is new. */
void
wiring_auth_takes_over(struct process *p)
{
	wiring_settings(p);
	registry_introduce(p);
	wiring_keys(p);
}

/* And metrics. */
void
wiring_introduce_metrics(struct process *p)
{
	sums_publish(p->parent);
	process_send_copy(p, PM_SUMS, p->parent->sums_fd, NULL, 0);
	if (!successor_waits(&p->parent->successor))
		wiring_listeners(p);
}

/* What another parent had is to come first: until then nothing is read. */
static void
wiring_still(struct process *worker)
{
	struct msg_still msg;

	if (!worker->parent->successor.pending)
		return;
	msg.stage = STILL_ALL;
	msg.ticket = 0;
	process_send(worker, PW_STILL, -1, &msg, sizeof(msg));
}

/* And a worker. */
void
wiring_introduce_worker(struct process *p)
{
	wiring_still(p);
	wiring_listeners(p);
	wiring_networks(p);
	block_introduce(p);
	gossip_introduce(p);
	router_introduce(p);
	drain_introduce(p);
}

/* What a child is told of itself, before it is connected with the others. */
void
wiring_introduce(struct process *p)
{
	wiring_hello(p);
	wiring_settings(p);
	if (p->place->role->map != 0)
		process_send_copy(
		    p, p->place->role->map, p->parent->map.fd, NULL, 0);
	process_send_copy(p, p->place->role->counters, p->page_fd, NULL, 0);
	p->place->role->introduce(p);
}

static void
wiring_end(struct process *p, const struct process *other, int fd)
{
	struct msg_sibling sibling;
	struct msg_worker worker;

	if (p->place->role->id == ROLE_AUTH) {
		worker.worker = other->place->number;
		worker.epoch = other->epoch;
		process_send(p, PA_WORKER, fd, &worker, sizeof(worker));
	} else if (other->place->role->id == ROLE_AUTH) {
		process_send(p, PW_AUTH, fd, NULL, 0);
	} else {
		sibling.worker = other->place->number;
		process_send(p, PW_SIBLING, fd, &sibling, sizeof(sibling));
	}
}

/* A channel between two children, if both are alive. */
void
wiring_connect(struct process *a, struct process *b)
{
	int pair[2];

	if (a == NULL || b == NULL || a == b || a->state == CHILD_DOWN ||
	    b->state == CHILD_DOWN)
		return;
	if (channel_pair(pair) == -1) {
		log_warn("%s: socketpair", a->place->name);
		process_end(a, "no descriptor left for it");
		return;
	}
	if (a->place->role->id == ROLE_WORKER &&
	    b->place->role->id == ROLE_WORKER)
		process_buffers(pair);
	wiring_end(a, b, pair[0]);
	wiring_end(b, a, pair[1]);
}
