/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "worker/packet.h"
#include "worker/worker.h"

/*
 * A burst is what one read has brought, and what that caused: frames, messages
 * to other workers, datagrams.  It leaves as a whole, one write per
 * destination, before the bytes in which it lies are used again.
 */

_Static_assert(BURST_OWN_MAX >= FRAME_HEADROOM + PACKET_ADDRESS_MAX,
    "each packet of our own has room");

/* The end of a burst: all of it is sent, or waits where it may. */
void
burst_end(struct worker *w)
{
	gather_flush(w);
	if (route_is_in_place(w))
		route_flush(w);
	udp_flush(w);
	w->burst.nown = 0;
}

/*
 * Room for one small packet of our own, FRAME_HEADROOM bytes before it too.  It
 * stays until burst_end(), which comes at the end of this turn of the loop if
 * not before.
 */
uint8_t *
burst_own(struct worker *w)
{
	if (w->burst.nown == BURST_OWN)
		burst_end(w);
	return (w->burst.own[w->burst.nown++] + FRAME_HEADROOM);
}
