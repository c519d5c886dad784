/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/beacon_table.h"
#include "worker/limit.h"
#include "worker/packet.h"
#include "worker/report.h"
#include "worker/worker.h"

/*
 * Other beacons and their gossip, doc/protocol.md 4.4.  The parent keeps what
 * they said; here Syncs are only taken apart and put together.
 */

#define SYNCS_PER_SECOND  2    /* from one source; one in 10 s is usual */
#define SYNCS_PER_STRANGE 16   /* per second, of ports not known yet, by host */
#define SYNC_MESSAGES_MAX 8000 /* WP_SYNCs a second */

/*
 * PW_BEACON: source `number` is that address; port 0: it is nobody any more;
 * number PROTO_BEACON_DEFAULT: the default beacon.
 */
const char *
beacons_set(struct worker *w, const struct msg_beacon *msg)
{
	struct path path;
	uint32_t number;

	if (msg->number == PROTO_BEACON_DEFAULT)
		number = BEACON_DEFAULT;
	else if (msg->number < PROTO_BEACONS_MAX)
		number = msg->number;
	else
		return ("no such beacon");
	memcpy(path.far.addr, msg->addr, sizeof(path.far.addr));
	path.far.port = (uint16_t)msg->port;
	memcpy(path.near, msg->near, sizeof(path.near));
	path.listener = msg->listener;
	beacon_table_set(w->beacons, number, &path);
	return (NULL);
}

/*
 * Is that another beacon?  with_port 0: one of its ports, whichever.  0, or 1 +
 * its number.
 */
uint32_t
beacons_known(
    const struct worker *w, const struct endpoint *source, int with_port)
{
	return (beacon_table_has(
	    w->beacons, source->addr, with_port ? source->port : 0));
}

/* Hands the ids of a Sync to the parent, a chunk a message. */
static void
beacons_report(
    struct worker *w, struct msg_sync *msg, const uint8_t *ids, uint32_t count)
{
	uint32_t chunk[PROTO_SYNC_CHUNK], done, i;
	struct iovec iov[2];

	done = 0;
	do {
		msg->first = done == 0;
		msg->count = (uint16_t)(count - done < PROTO_SYNC_CHUNK
					    ? count - done
					    : PROTO_SYNC_CHUNK);
		for (i = 0; i < msg->count; i++)
			chunk[i] = packet_u32(ids + 4 * (size_t)(done + i));
		done += msg->count;
		msg->last = done == count;
		iov[0].iov_base = msg;
		iov[0].iov_len = sizeof(*msg);
		iov[1].iov_base = chunk;
		iov[1].iov_len = msg->count * sizeof(chunk[0]);
		/* A Sync that does not get through whole changes nothing. */
		if (channel_sendv(&w->parent, WP_SYNC, 0, iov, 2) == -1)
			return;
	} while (done < count);
}

/*
 * Budgets, so that a flood of Syncs with made-up ports is not the parent's
 * problem: it would take us for hostile.  Nor ours, while it does not read.
 */
static int
beacons_may_report(
    struct worker *w, const struct endpoint *source, uint32_t count)
{
	if (!tell_has_room(w))
		return (0);
	if (!beacons_known(w, source, 1) &&
	    !limit_source(
		w->gossip.sources, source->addr, 0, w->now, SYNCS_PER_STRANGE))
		return (0);
	if (!limit_source(w->gossip.sources, source->addr, source->port, w->now,
		SYNCS_PER_SECOND))
		return (0);
	return (persecond_take(&w->gossip.told, w->now,
	    1 + count / PROTO_SYNC_CHUNK, SYNC_MESSAGES_MAX));
}

/* A Sync of at least PACKET_SYNC_LEN bytes came in. */
void
beacons_sync(struct worker *w, const struct path *path, const uint8_t *packet,
    size_t len)
{
	const struct endpoint *source;
	struct msg_sync msg;
	uint32_t count;

	source = &path->far;
	if (!w->settings.gossip_from_any && !beacons_known(w, source, 0)) {
		counters_add(COUNTER_SYNC_STRANGER, 1);
		report_source(EVENT_SYNC_STRANGER, source->addr, source->port);
		return;
	}
	count = (uint32_t)packet[5] << 8 | packet[6];
	/* Bytes behind the last id are ignored. */
	if (len < PACKET_SYNC_LEN + 4 * (size_t)count) {
		counters_add(COUNTER_SYNC_BAD, 1);
		report_source(EVENT_SYNC_MALFORMED, source->addr, source->port);
		return;
	}
	if (!tell_may_have_heard(w, source->addr, 0))
		return;
	if (!beacons_may_report(w, source, count)) {
		counters_add(COUNTER_DROP_RATE, 1);
		return;
	}
	counters_add(COUNTER_SYNCS, 1);
	memset(&msg, 0, sizeof(msg));
	memcpy(msg.addr, source->addr, sizeof(msg.addr));
	msg.port = source->port;
	memcpy(msg.near, path->near, sizeof(msg.near));
	msg.listener = path->listener;
	msg.beacon = packet_u32(packet + 1);
	beacons_report(w, &msg, packet + PACKET_SYNC_LEN, count);
}

static void
beacons_transmit(struct worker *w, const struct msg_sync *msg)
{
	struct udp_socket *share;
	struct path path;
	size_t count;

	count = (w->gossip.out_len - PACKET_SYNC_LEN) / 4;
	w->gossip.out[0] = PACKET_SYNC;
	packet_put_u32(w->gossip.out + 1, msg->beacon);
	w->gossip.out[5] = (uint8_t)(count >> 8);
	w->gossip.out[6] = (uint8_t)count;
	memcpy(path.far.addr, msg->addr, sizeof(path.far.addr));
	path.far.port = msg->port;
	memcpy(path.near, msg->near, sizeof(path.near));
	path.listener = msg->listener;
	/* From another port it would replace what was said from there. */
	share = msg->share == 0 ? NULL : udp_share(w, msg->share, msg->addr);
	if (share != NULL)
		udp_send_from(share, &path, w->gossip.out, w->gossip.out_len);
	else if (msg->share == 0)
		udp_send(w, &path, w->gossip.out, w->gossip.out_len);
	else
		counters_add(COUNTER_DROP_UDP_SEND, 1);
	udp_flush(w);
}

/* PW_SYNC: one chunk of a Sync to send; ids are u32 in host order. */
const char *
beacons_send_sync(struct worker *w, const struct msg_sync *msg,
    const uint8_t *ids, size_t len)
{
	uint32_t id;
	size_t i;

	if (len != msg->count * sizeof(id))
		return ("count does not fit size");
	if (w->gossip.out == NULL) {
		w->gossip.out =
		    malloc(PACKET_SYNC_LEN + 4 * (size_t)PROTO_SYNC_MAX);
		if (w->gossip.out == NULL)
			fatal(NULL);
	}
	if (msg->first)
		w->gossip.out_len = PACKET_SYNC_LEN;
	if (w->gossip.out_len == 0 ||
	    w->gossip.out_len + len >
		PACKET_SYNC_LEN + 4 * (size_t)PROTO_SYNC_MAX)
		return ("too many ids");
	for (i = 0; i < msg->count; i++) {
		memcpy(&id, ids + i * sizeof(id), sizeof(id));
		packet_put_u32(w->gossip.out + w->gossip.out_len, id);
		w->gossip.out_len += sizeof(id);
	}
	if (msg->last) {
		beacons_transmit(w, msg);
		w->gossip.out_len = 0;
	}
	return (NULL);
}
