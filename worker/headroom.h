/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_HEADROOM_H
#define WORKER_HEADROOM_H

#include "common/imsg.h"
#include "worker/packet.h"

/*
 * The bytes before a packet may be written into, so that it leaves from where
 * it was read, with another header.  A Relay, and how its payload leaves:
 *
 *	what carried it | Relay, 9 | payload		as it came
 *	   WebSocket, 4 | Deliver, 5 | payload		to a session
 *		   Deliver, 5 or 9 | payload		to a node by UDP
 *	       imsg header, 16 | payload		to another worker
 *
 * What carried it is a client's frame header, MESSAGE_HEADROOM before a message
 * that came in fragments, RX_HEADROOM before a datagram.  Another worker's
 * packet has the imsg header only.  A small payload for another worker is
 * copied, and needs nothing.
 */
#define RX_HEADROOM        64 /* before the buffers that are read into */
#define MESSAGE_HEADROOM   16 /* before a reassembled message */
#define FRAME_HEADROOM     4  /* of a server's frame, doc/protocol.md 2 */
#define ROUTE_HEADER       sizeof(struct imsg_header)
#define ROUTE_STAGE_PACKET 2048 /* larger payloads are sent where they lie */

/* A client's frame header before more than 125 bytes, the mask with it. */
#define CLIENT_HEADER 8

_Static_assert(FRAME_HEADROOM + PACKET_DELIVER_LEN <= PACKET_RELAY_LEN,
    "to a session, over the Relay's own header");
_Static_assert(FRAME_HEADROOM + PACKET_DELIVER_LEN <= ROUTE_HEADER,
    "to a session, over another worker's header");
_Static_assert(PACKET_DELIVER_DEST_LEN <= PACKET_RELAY_LEN,
    "by UDP, over the Relay's own header");
_Static_assert(ROUTE_STAGE_PACKET > 125 &&
		   ROUTE_HEADER <= CLIENT_HEADER + PACKET_RELAY_LEN,
    "to another worker, over the frame's header as well");
_Static_assert(ROUTE_HEADER <= MESSAGE_HEADROOM + PACKET_RELAY_LEN,
    "to another worker, from a reassembled message");
_Static_assert(ROUTE_HEADER <= RX_HEADROOM + PACKET_RELAY_LEN,
    "to another worker, from a datagram");

#endif /* WORKER_HEADROOM_H */
