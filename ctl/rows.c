/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <stdlib.h>

#include "common/address.h"
#include "ctl/ctl.h"

/*
 * Which rows of a list are wanted, and in which order.  Those that are to be
 * sorted are kept until the last has come; others are printed as they come.
 */
static struct kept {
	uint64_t key;
	uint32_t type;
	union {
		struct msg_ctl_peer peer;
		struct msg_ctl_entry node;
	} row;
} * kept;
static size_t nkept, room, printed;

/* Bytes, both ways. */
static uint64_t
rows_traffic(const struct msg_ctl_peer *peer)
{
	return (peer->stat.bytes_in + peer->stat.bytes_out);
}

/* Of whom nothing is told, nothing is from anywhere. */
static int
rows_peer_wanted(
    const struct selection *select, const struct msg_ctl_peer *peer)
{
	if (select->worker != 0 && peer->worker != select->worker - 1)
		return (0);
	if (select->from_len != 0 &&
	    (!peer->stat.known || !address_within(peer->stat.addr, select->from,
				      select->from_len - 1)))
		return (0);
	return (rows_traffic(peer) >= select->traffic);
}

static int
rows_wanted(const struct selection *select, uint32_t type, const union row *row)
{
	if (type == CTL_PEER)
		return (rows_peer_wanted(select, &row->peer));
	if (select->worker != 0 && (row->node.generation == 0 ||
				       row->node.worker != select->worker - 1))
		return (0);
	return (
	    select->from_len == 0 ||
	    (row->node.port != 0 && address_within(row->node.addr, select->from,
					select->from_len - 1)));
}

/* Of what comes first: the smallest.  Of traffic and queues: the largest. */
static uint64_t
rows_key(enum sort_key sort, uint32_t type, const union row *row)
{
	if (sort == SORT_NODE)
		return (type == CTL_PEER ? row->peer.node : row->node.node);
	if (sort == SORT_TRAFFIC)
		return (UINT64_MAX - rows_traffic(&row->peer));
	if (sort == SORT_QUEUE)
		return (UINT64_MAX - row->peer.stat.queued);
	if (type == CTL_PEER)
		return (row->peer.since);
	return (row->node.generation != 0 ? row->node.since : row->node.seen);
}

static void
rows_keep(const struct selection *select, uint32_t type, const union row *row)
{
	struct kept *k;

	if (nkept == room) {
		room = room == 0 ? 1024 : room * 2;
		kept = reallocarray(kept, room, sizeof(*kept));
		if (kept == NULL)
			err(CTL_FAILED, NULL);
	}
	k = &kept[nkept++];
	k->key = rows_key(select->sort, type, row);
	k->type = type;
	if (type == CTL_PEER)
		k->row.peer = row->peer;
	else
		k->row.node = row->node;
}

/* A row has come.  Boolean: it is to be printed now. */
int
rows_take(const struct selection *select, uint32_t type, const union row *row)
{
	if (type != CTL_PEER && type != CTL_NODE)
		return (1);
	if (!rows_wanted(select, type, row))
		return (0);
	if (select->sort != SORT_NOT) {
		rows_keep(select, type, row);
		return (0);
	}
	return (select->most == 0 || printed++ < select->most);
}

static int
rows_compare(const void *a, const void *b)
{
	const struct kept *x, *y;

	x = a;
	y = b;
	return ((x->key > y->key) - (x->key < y->key));
}

/* All have come: the next of those that were kept; NULL: no more. */
const union row *
rows_next(const struct selection *select, uint32_t *type)
{
	static union row row;
	const struct kept *k;

	if (printed == 0 && nkept > 0)
		qsort(kept, nkept, sizeof(*kept), rows_compare);
	if (select->sort == SORT_NOT || printed == nkept ||
	    (select->most != 0 && printed == select->most))
		return (NULL);
	k = &kept[printed++];
	*type = k->type;
	if (k->type == CTL_PEER)
		row.peer = k->row.peer;
	else
		row.node = k->row.node;
	return (&row);
}
