/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/log.h"
#include "worker/limit.h"
#include "worker/packet.h"
#include "worker/report.h"
#include "worker/worker.h"

/*
 * Hole punching, doc/protocol.md 4.3: two nodes are told each other's address.
 * Two small packets for one: limited, so that nobody uses it as an amplifier.
 */

/* PW_EXEMPT: a network without limits, or the end of their list. */
const char *
punch_exempt(struct worker *w, const struct msg_address *msg)
{
	return (networks_take(&w->punch.exempt, msg));
}

/* Of a peer, port 0, no more may be known than its proxy. */
static int
punch_within_limits(struct worker *w, const struct endpoint *from)
{
	uint32_t most, source_most;

	if (networks_have(&w->punch.exempt, from->addr))
		return (1);
	most = w->settings.punch_total_limit;
	source_most = w->settings.punch_source_limit;
	if (from->port == 0 && networks_have(&w->proxies, from->addr))
		source_most = 0;
	if (limit_source(
		w->punch.sources, from->addr, 0, w->now, source_most) &&
	    (most == 0 || persecond_take(&w->punch.total, w->now, 1, most)))
		return (1);
	counters_add(COUNTER_PUNCH_RATE, 1);
	report_source(EVENT_PUNCH_RATE, from->addr, from->port);
	return (0);
}

/* Where node was heard by UDP; 0 if that is not known (any more). */
static int
punch_endpoint(struct worker *w, uint32_t node, struct peermap_entry *entry,
    struct path *path)
{
	if (!peermap_lookup(&w->map, node, entry)) {
		memset(entry, 0, sizeof(*entry));
		return (0);
	}
	path_to(w, path, entry);
	return (
	    entry->port != 0 && worker_age(w, entry->seen) < ENDPOINT_EXPIRE);
}

/* Sends a PunchCommand with `about` to the node of entry. */
static void
punch_command(struct worker *w, const struct peermap_entry *entry,
    const struct path *path, const struct endpoint *about)
{
	uint8_t *packet;
	size_t len;

	packet = burst_own(w);
	len = packet_address(
	    packet, PACKET_PUNCH_COMMAND, about->addr, about->port);
	if (entry->generation != 0 && entry->worker == w->hello.worker)
		(void)session_write_frame(
		    w, entry->slot, entry->generation, packet, len);
	else
		udp_send(w, path, packet, len);
}

/*
 * The parent may not have written the requester's new address yet: the path of
 * its request comes before the map, unless its port is 0.
 */
static void
punch(struct worker *w, const struct path *path, uint32_t requester,
    uint32_t target)
{
	struct peermap_entry rentry, tentry;
	struct path rpath, tpath;

	if (!punch_endpoint(w, requester, &rentry, &rpath) ||
	    path->far.port != 0)
		rpath = *path;
	if (!punch_endpoint(w, target, &tentry, &tpath) ||
	    rpath.far.port == 0) {
		counters_add(COUNTER_PUNCH_UNKNOWN, 1);
		return;
	}
	counters_add(COUNTER_PUNCHES, 1);
	punch_command(w, &rentry, &rpath, &tpath.far);
	punch_command(w, &tentry, &tpath, &rpath.far);
}

/* The grant goes to auth; the request waits here for what it says. */
static void
punch_ask(struct worker *w, const struct path *path, const uint8_t *packet)
{
	struct msg_grant msg;
	struct grant *grant;

	w->punch.last_grant =
	    w->punch.last_grant == UINT32_MAX ? 1 : w->punch.last_grant + 1;
	grant = &w->punch.grants[w->punch.last_grant % GRANTS_MAX];
	if (grant->request != 0)
		counters_add(COUNTER_GRANTS_FULL, 1);
	grant->path = *path;
	grant->requester = packet_u32(packet + 1);
	grant->target = packet_u32(packet + 5);
	grant->request = w->punch.last_grant;
	memset(&msg, 0, sizeof(msg));
	msg.request = grant->request;
	msg.requester = grant->requester;
	msg.target = grant->target;
	msg.expiry =
	    (uint64_t)packet_u32(packet + 9) << 32 | packet_u32(packet + 13);
	memcpy(msg.sig, packet + 17, sizeof(msg.sig));
	if (channel_send(&w->auth, WA_GRANT, 0, -1, &msg, sizeof(msg)) == -1)
		grant->request = 0;
}

static void
punch_no_grant(const struct path *from)
{
	counters_add(COUNTER_PUNCH_GRANT, 1);
	report_source(EVENT_PUNCH_GRANT, from->far.addr, from->far.port);
}

/*
 * One PunchRequest of at least PACKET_PUNCH_LEN bytes.  from is how it came;
 * is_endpoint 0: over WebSocket, or from an address that is not taken for the
 * node's (yet).
 */
void
punch_request(struct worker *w, const struct path *from, int is_endpoint,
    const uint8_t *packet, size_t len)
{
	struct path path;

	if (!punch_within_limits(w, &from->far))
		return;
	path = *from;
	if (!is_endpoint)
		path.far.port = 0;
	if (!w->settings.require_punch_grant)
		punch(w, &path, packet_u32(packet + 1), packet_u32(packet + 5));
	else if (len >= PACKET_PUNCH_GRANT_LEN)
		punch_ask(w, &path, packet);
	else
		punch_no_grant(from);
}

/* AW_GRANTED: what auth says of a grant. */
void
punch_granted(struct worker *w, const struct msg_granted *msg)
{
	struct grant *grant;

	grant = &w->punch.grants[msg->request % GRANTS_MAX];
	if (grant->request != msg->request || msg->request == 0)
		return;
	grant->request = 0;
	if (msg->ok)
		punch(w, &grant->path, grant->requester, grant->target);
	else
		punch_no_grant(&grant->path);
}
