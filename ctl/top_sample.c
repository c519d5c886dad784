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
 * One sample is some requests on one connection.  Which peers are the busiest
 * all that there are together tell: what each had done at the sample before is
 * kept of all, the rest of a row of those that are shown.
 */
static void
top_take(const struct imsg *imsg, void *row, size_t len)
{
	if (imsg_get_data((struct imsg *)imsg, row, len) == -1)
		errx(CTL_FAILED, "top: an answer has a wrong size (are beacond"
				 " and beaconctl of one version?)");
}

static uint64_t
top_frames(const struct msg_ctl_peer *peer)
{
	return (peer->stat.frames_in + peer->stat.frames_out);
}

static int
top_done_order(const void *a, const void *b)
{
	const struct top_done *x, *y;

	x = a;
	y = b;
	return ((x->node > y->node) - (x->node < y->node));
}

/* How busy a peer is, by what it had done at the sample before. */
static double
top_rate(const struct top *top, const struct msg_ctl_peer *peer)
{
	const struct top_done *last;
	struct top_done key;
	uint64_t age;

	memset(&key, 0, sizeof(key));
	key.node = peer->node;
	last =
	    bsearch(&key, top->last, top->nlast, sizeof(key), top_done_order);
	if (last != NULL && last->generation == peer->generation &&
	    top_frames(peer) >= last->frames)
		return (
		    (double)(top_frames(peer) - last->frames) / top->seconds);
	/* Looked at for the first time: on average, since it came. */
	age =
	    top->summary.now > peer->since ? top->summary.now - peer->since : 1;
	return ((double)top_frames(peer) / (double)age);
}

static void
top_note(struct top *top, const struct msg_ctl_peer *peer)
{
	struct top_done *done;

	if (top->ndone == top->room) {
		top->room = top->room == 0 ? 1024 : top->room * 2;
		top->done =
		    reallocarray(top->done, top->room, sizeof(*top->done));
		top->last =
		    reallocarray(top->last, top->room, sizeof(*top->last));
		if (top->done == NULL || top->last == NULL)
			err(CTL_FAILED, NULL);
	}
	done = &top->done[top->ndone++];
	done->node = peer->node;
	done->generation = peer->generation;
	done->frames = top_frames(peer);
}

/* Boolean: a comes before b. */
static int
top_busier(const struct top_peer *a, const struct top_peer *b)
{
	if (a->rate != b->rate)
		return (a->rate > b->rate);
	return (a->row.node < b->row.node);
}

/* Into its place among the busiest, if it is one of them. */
static void
top_add_peer(struct top *top, const struct msg_ctl_peer *row)
{
	struct top_peer peer;
	uint32_t i;

	top_note(top, row);
	peer.row = *row;
	peer.rate = top_rate(top, row);
	i = top->npeers;
	if (i < TOP_PEERS)
		top->npeers++;
	else if (top_busier(&peer, &top->peers[--i]) == 0)
		return;
	for (; i > 0 && top_busier(&peer, &top->peers[i - 1]); i--)
		top->peers[i] = top->peers[i - 1];
	top->peers[i] = peer;
}

/* One row of any answer. */
static void
top_row(struct top *top, const struct imsg *imsg)
{
	struct msg_ctl_peer peer;

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
		if (peer.stat.known)
			top_add_peer(top, &peer);
		break;
	default:
		errx(CTL_FAILED, "top: unexpected answer");
	}
}

/* Sends one request, takes its rows. */
static void
top_ask(struct top *top, uint32_t type)
{
	struct imsg imsg;
	int last;

	client_request(&top->client, type, NULL, 0);
	do {
		if (!client_answer(&top->client, &imsg))
			errx(CTL_FAILED, "top: beacond closed the connection");
		last = imsg_get_type(&imsg) == CTL_END;
		if (!last)
			top_row(top, &imsg);
		imsg_free(&imsg);
	} while (!last);
}

static void
top_peers(struct top *top)
{
	struct top_done *done;

	done = top->last;
	top->last = top->done;
	top->nlast = top->ndone;
	top->done = done;
	top->ndone = 0;
	top->npeers = 0;
	if (top->nlast != 0)
		qsort(
		    top->last, top->nlast, sizeof(*top->last), top_done_order);
	top_ask(top, CTL_SHOW_PEERS);
}

/* Asks how things are now. */
void
top_sample(struct top *top)
{
	uint64_t when;

	memcpy(top->before, top->now, sizeof(top->before));
	top->nchildren = 0;
	top_ask(top, CTL_SHOW_SUMMARY);
	top_ask(top, CTL_SHOW_METRICS);
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
