/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "worker/worker.h"

/*
 * Frames on their way out leave together, one write per session, straight from
 * the buffer in which they came in.  A run is a stretch of whole frames for one
 * session.
 */

/*
 * Smaller frames are moved up to the end of the run before them: one long
 * stretch costs the kernel less than many short ones (measured: up to 4 KiB
 * the move is the cheaper).  In the read buffer only dealt-with bytes lie
 * between the two, unless a packet among them waits for route_flush() or
 * udp_flush().
 */
#define GATHER_MOVE_MAX 2048

static uint32_t
gather_run(struct gather *g, uint8_t *frame, size_t len)
{
	struct run *run;

	run = &g->runs[++g->nruns];
	run->base = frame;
	run->len = (uint32_t)len;
	run->frames = 1;
	run->next = 0;
	g->held = 0;
	return (g->nruns);
}

static void
gather_outlet(struct worker *w, struct session *s, uint32_t run)
{
	struct gather *g;
	struct outlet *outlet;

	g = &w->gather;
	if (s->outlet == 0) {
		outlet = &g->outlets[g->noutlets++];
		s->outlet = (uint8_t)g->noutlets;
		outlet->slot = session_slot(w, s);
		outlet->first = run;
		outlet->runs = 0;
	} else {
		outlet = &g->outlets[s->outlet - 1];
		g->runs[outlet->last].next = run;
	}
	outlet->last = run;
	outlet->runs++;
}

/*
 * Takes one whole frame for s.  It stays where it is until gather_flush(), so
 * the caller must not touch it, nor free what it lies in, before that.
 */
void
gather_frame(struct worker *w, struct session *s, uint8_t *frame, size_t len)
{
	struct gather *g;
	struct run *run;
	uint8_t *end;

	g = &w->gather;
	if (s->outlet != 0 && g->outlets[s->outlet - 1].last == g->nruns) {
		run = &g->runs[g->nruns];
		end = run->base + run->len;
		if (len <= GATHER_MOVE_MAX && !g->held && end >= w->rx &&
		    end <= frame && frame < w->rx + RX_SIZE) {
			memmove(end, frame, len);
			frame = end;
		}
		if (end == frame) {
			run->len += (uint32_t)len;
			run->frames++;
			return;
		}
	}
	if (g->nruns == GATHER_RUNS - 1 ||
	    (s->outlet == 0 && g->noutlets == GATHER_OUTLETS))
		gather_flush(w);
	gather_outlet(w, s, gather_run(g, frame, len));
}

static void
gather_flush_outlet(struct worker *w, struct outlet *outlet)
{
	struct iovec iov[GATHER_RUNS];
	struct session *s;
	struct run *run;
	uint32_t frames, i;
	size_t len;
	int n;

	s = &w->sessions[outlet->slot];
	s->outlet = 0;
	frames = 0;
	len = 0;
	n = 0;
	for (i = outlet->first; i != 0; i = run->next) {
		run = &w->gather.runs[i];
		iov[n].iov_base = run->base;
		iov[n++].iov_len = run->len;
		len += run->len;
		frames += run->frames;
	}
	frames = outq_frames(w, s, iov, n, len, frames);
	s->frames_out += frames;
	counters_add(COUNTER_FRAMES_OUT, frames);
}

/* Sends all frames that were gathered. */
void
gather_flush(struct worker *w)
{
	struct gather *g;
	uint32_t i, n;

	g = &w->gather;
	n = g->noutlets;
	for (i = 0; i < n; i++)
		gather_flush_outlet(w, &g->outlets[i]);
	g->noutlets = 0;
	g->nruns = 0;
}
