/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/top.h"

/*
 * One sample is some requests on one connection.  Which peer is busy only its
 * worker knows, and it is asked about one at a time.  So it is TOP_PEERS of
 * them at most that are asked about: those that were the busiest the last time,
 * and as many others, in turn: with more peers than that a busy one is found
 * after some samples, and then stays.
 */
#define TOP_KEPT (TOP_PEERS / 2)

/* What comes of one request. */
struct top_answer {
	struct top *top;
	uint32_t seen; /* CTL_PEERs so far */
	uint32_t skip; /* of them that are not looked at */
};

static void
top_take(const struct imsg *imsg, void *row, size_t len)
{
	if (imsg_get_data((struct imsg *)imsg, row, len) == -1)
		errx(CTL_FAILED, "top: an answer has a wrong size (are beacond"
				 " and beaconctl of one version?)");
}

static int
top_knows(const struct top *top, uint32_t node)
{
	uint32_t i;

	for (i = 0; i < top->npeers; i++)
		if (top->peers[i].row.node == node)
			return (1);
	return (0);
}

static void
top_add_peer(struct top *top, uint32_t node)
{
	if (top->npeers == TOP_PEERS || top_knows(top, node))
		return;
	memset(&top->peers[top->npeers], 0, sizeof(top->peers[0]));
	top->peers[top->npeers++].row.node = node;
}

/* One row of any answer. */
static void
top_row(struct top_answer *a, const struct imsg *imsg)
{
	struct msg_ctl_peer peer;
	struct top *top;

	top = a->top;
	switch (imsg_get_type((struct imsg *)imsg)) {
	case CTL_SUMMARY:
		top_take(imsg, &top->summary, sizeof(top->summary));
		break;
	case CTL_CHILD:
		if (top->nchildren == TOP_CHILDREN)
			errx(CTL_FAILED, "top: too many processes");
		top_take(imsg, &top->children[top->nchildren++],
		    sizeof(top->children[0]));
		break;
	case CTL_METRICS:
		top_take(imsg, top->now, sizeof(top->now));
		break;
	case CTL_PEER:
		top_take(imsg, &peer, sizeof(peer));
		if (top->asked != NULL)
			top->asked->row = peer;
		else if (a->seen++ >= a->skip)
			top_add_peer(top, peer.node);
		break;
	default:
		errx(CTL_FAILED, "top: unexpected answer");
	}
}

/* Sends one request, takes its rows; 0: it found something. */
static uint32_t
top_ask(struct top_answer *a, uint32_t type, const void *data, size_t len)
{
	struct msg_ctl_end end;
	struct imsg imsg;
	int last;

	client_request(&a->top->client, type, data, len);
	do {
		if (!client_answer(&a->top->client, &imsg))
			errx(CTL_FAILED, "top: beacond closed the connection");
		last = imsg_get_type(&imsg) == CTL_END;
		if (last)
			top_take(&imsg, &end, sizeof(end));
		else
			top_row(a, &imsg);
		imsg_free(&imsg);
	} while (!last);
	return (end.error);
}

static uint64_t
top_frames(const struct msg_ctl_peer *peer)
{
	return (peer->frames_in + peer->frames_out);
}

/* How busy a peer is, by what it had done at the sample before. */
static double
top_rate(const struct top *top, const struct msg_ctl_peer *peer)
{
	const struct msg_ctl_peer *last;
	uint64_t age;
	uint32_t i;

	for (i = 0; i < top->nlast; i++) {
		last = &top->last[i].row;
		if (last->node == peer->node &&
		    last->generation == peer->generation &&
		    top_frames(peer) >= top_frames(last))
			return ((double)(top_frames(peer) - top_frames(last)) /
				top->seconds);
	}
	/* Looked at for the first time: on average, since it came. */
	age =
	    top->summary.now > peer->since ? top->summary.now - peer->since : 1;
	return ((double)top_frames(peer) / (double)age);
}

static int
top_order(const void *a, const void *b)
{
	const struct top_peer *x, *y;

	x = a;
	y = b;
	if (x->rate != y->rate)
		return (x->rate < y->rate ? 1 : -1);
	return (x->row.node < y->row.node ? -1 : x->row.node > y->row.node);
}

/* Those that were busy, then others. */
static void
top_candidates(struct top *top)
{
	struct top_answer list;
	uint32_t i;

	memcpy(top->last, top->peers, sizeof(top->last));
	top->nlast = top->npeers;
	top->npeers = 0;
	for (i = 0; i < top->nlast && i < TOP_KEPT; i++)
		top_add_peer(top, top->last[i].row.node);
	list.top = top;
	list.seen = 0;
	list.skip = top->summary.peers > TOP_PEERS
			? top->turn++ * TOP_KEPT % top->summary.peers
			: 0;
	(void)top_ask(&list, CTL_SHOW_PEERS, NULL, 0);
}

static void
top_peers(struct top *top)
{
	struct top_answer one;
	struct msg_ctl_node node;
	uint32_t i, n;

	top_candidates(top);
	n = top->npeers;
	top->npeers = 0;
	one.top = top;
	for (i = 0; i < n; i++) {
		node.node = top->peers[i].row.node;
		top->asked = &top->peers[top->npeers];
		if (top_ask(&one, CTL_SHOW_PEER, &node, sizeof(node)) != 0)
			continue;
		top->asked->rate = top_rate(top, &top->asked->row);
		top->npeers++;
	}
	top->asked = NULL;
	qsort(top->peers, top->npeers, sizeof(top->peers[0]), top_order);
}

/* Asks how things are now. */
void
top_sample(struct top *top)
{
	struct top_answer a;
	uint64_t when;

	a.top = top;
	memcpy(top->before, top->now, sizeof(top->before));
	top->nchildren = 0;
	(void)top_ask(&a, CTL_SHOW_SUMMARY, NULL, 0);
	(void)top_ask(&a, CTL_SHOW_METRICS, NULL, 0);
	when = clock_ns();
	top->first = top->when == 0;
	top->seconds = top->first
			   ? (double)(top->summary.now - top->summary.started)
			   : (double)(when - top->when) / CLOCK_SECOND;
	if (top->seconds < .001)
		top->seconds = .001;
	top->when = when;
	top_peers(top);
}
