/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/log.h"
#include "worker/worker.h"

/*
 * The place of the relay, and a program of somebody else's in it
 * (beacond-frame(7)): the router.  Its channel is written like that to another
 * worker, so it costs a packet no call of its own; what it does not read is
 * dropped and counted, and after ROUTER_TICKS it is done without.
 */

#define ROUTER_TICKS TICKS(10)
#define ROUTER_LEFT  TICKS(2)

/*
 * Each write wakes the program, which on one core costs changes of processes.
 * So what is gathered for it is kept as long as there is more to be read at
 * once, for so many turns at most.
 */
#define ROUTER_TURNS 16

/* Its channel, if there is one. */
struct sibling *
router_channel(struct worker *w)
{
	return (w->router.channel != NULL && w->router.channel->open
		    ? w->router.channel
		    : NULL);
}

static void
router_frame(struct worker *w, struct origin *peer, uint8_t *packet, size_t len)
{
	struct msg_frame_at msg;

	if (!router_window_put(&w->router.window, packet, len, &msg.at)) {
		route_message(w, w->router.channel, FRAME_FRAME, peer->node,
		    peer->generation, packet, len);
		return;
	}
	msg.len = (uint32_t)len;
	route_message(w, w->router.channel, FRAME_FRAME_AT, peer->node,
	    peer->generation, (const uint8_t *)&msg, sizeof(msg));
}

static void
router_peer(struct worker *w, const struct origin *peer, int came)
{
	route_message(w, w->router.channel, came ? FRAME_CAME : FRAME_GONE,
	    peer->node, peer->generation, NULL, 0);
}

static const struct upper router_upper = { router_frame, router_peer };

/* There is no router, and nobody is to do its work. */
static void
router_drop_frame(
    struct worker *w, struct origin *peer, uint8_t *packet, size_t len)
{
	counters_add(COUNTER_DROP_ROUTER_AWAY, 1);
}

static void
router_drop_peer(struct worker *w, const struct origin *peer, int came)
{
}

const struct upper router_drop = { router_drop_frame, router_drop_peer };

/* Boolean: it has what peers send. */
static int
router_routes(const struct worker *w)
{
	return (w->upper.frame == router_frame);
}

/* Who is to have what peers send while no router is there. */
void
router_otherwise(struct worker *w, const struct upper *otherwise)
{
	if (!router_routes(w))
		w->upper = *otherwise;
	w->router.otherwise = otherwise;
}

/* At the end of a turn.  Boolean: what is gathered may still become more. */
int
router_keeps(struct worker *w)
{
	struct router *r;

	r = &w->router;
	if (router_channel(w) != NULL && r->channel->niov > 0 && !w->draining &&
	    ++r->turns < ROUTER_TURNS) {
		ev_idle_start(w->loop, &r->dry);
		return (1);
	}
	r->turns = 0;
	return (0);
}

static void
router_dry(struct ev_loop *loop, ev_idle *idle, int revents)
{
	struct worker *w;

	w = idle->data;
	ev_idle_stop(loop, idle);
	w->router.turns = 0;
	route_flush(w);
}

/* PW_WINDOW: memory for the channel that comes next. */
void
router_share(struct worker *w, int fd)
{
	router_window_open(&w->router.next, fd);
}

/* The memory that it shares with us, if it does. */
struct window *
router_window(struct worker *w)
{
	return (&w->router.window);
}

/* Its channel is open: it has what comes from now on. */
void
router_begin(struct worker *w, struct sibling *channel)
{
	w->router.channel = channel;
	router_window_close(&w->router.window);
	w->router.window = w->router.next;
	memset(&w->router.next, 0, sizeof(w->router.next));
	w->upper = router_upper;
	ev_idle_stop(w->loop, &w->router.dry);
	ev_idle_init(&w->router.dry, router_dry);
	w->router.dry.data = w;
	route_message(w, w->router.channel, FRAME_JOINED, 0, 0, NULL, 0);
	w->router.parting = ROUTER_UNTOLD;
}

/* From the next frame on it is done without; reason NULL: it went by itself. */
void
router_end(struct worker *w, const char *reason)
{
	struct sibling *sib;

	sib = router_channel(w);
	w->upper = *w->router.otherwise;
	if (sib == NULL)
		return;
	ev_idle_stop(w->loop, &w->router.dry);
	if (reason != NULL)
		log_warnx("the router %s: its channel is closed", reason);
	route_close(sib);
	router_window_close(&w->router.window);
}

static void
router_left(struct worker *w)
{
	w->upper = *w->router.otherwise;
	route_message(w, w->router.channel, FRAME_LEFT, 0, 0, NULL, 0);
}

/*
 * It wants no more, and may still write.  As the answer to what router_stays()
 * says, it has written all.
 */
void
router_leave(struct worker *w)
{
	if (w->router.parting == ROUTER_TOLD)
		w->router.parting = ROUTER_ANSWERED;
	else
		router_left(w);
}

/*
 * This worker is about to end in good order: the router is told, behind all
 * that it was given.  Boolean: it has not answered yet, or not taken what it
 * gets back, nor had ROUTER_LEFT for that.
 */
int
router_stays(struct worker *w)
{
	if (router_channel(w) == NULL)
		return (0);
	if (w->router.parting == ROUTER_UNTOLD) {
		w->router.parting = ROUTER_TOLD;
		w->router.told = w->tick;
		router_left(w);
	}
	return (
	    w->router.parting == ROUTER_TOLD || route_waits(w->router.channel));
}

/* What it wrote for node cannot be delivered: it gets it back. */
void
router_refuse(struct worker *w, uint32_t node, enum frame_refused reason,
    const uint8_t *frame, size_t len)
{
	counters_add(COUNTER_ROUTER_REFUSED, 1);
	route_message(
	    w, w->router.channel, FRAME_REFUSED, node, reason, frame, len);
}

/* Each tick: does it read, and answer? */
void
router_tick(struct worker *w)
{
	struct sibling *sib;

	sib = router_channel(w);
	if (sib == NULL)
		return;
	if (w->router.parting != ROUTER_UNTOLD &&
	    w->tick - w->router.told >= ROUTER_LEFT)
		router_end(w, "does not answer LEFT");
	else if (route_waits(sib) && w->tick - sib->took >= ROUTER_TICKS)
		router_end(w, "does not read");
}
