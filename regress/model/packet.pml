/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/* Packets, in a worker. */

/* A packet for session `who`, which the map gives to us. */
inline deliver(w, who)
{
	if
	:: IN(w, who) == OPEN -> write(w, who)
	:: IN(w, who) == FROZEN -> frozen[NODE(who)]!packet
	:: IN(w, who) == HALF -> held[NODE(who)]!packet
#ifdef NO_HOLD
	:: IN(w, who) == ARRIVING -> write(w, who)
#else
	:: IN(w, who) == ARRIVING -> held[NODE(who)]!packet
#endif
	:: else
	fi
}

/* A packet from somebody here goes to where the map says. */
inline emit(w)
{
	s = map_session[DEST(packet)];
	to = map_worker[DEST(packet)];
	if
	:: s == NOBODY
	:: s != NOBODY && to == w -> deliver(w, s)
	:: else -> pass(w, to, PACKET, packet)
	fi
}

/* The batch that session `who` has left us with. */
#if TICKETS == 1
#define LEFT_WITH(w, who) 0
#else
#define LEFT_WITH(w, who) \
	(source[0] != LATE || SRC(0) != (w) || !(SET(0) & BIT(who)))
#endif

/* A packet that another worker has passed on. */
inline came(w, from)
{
	s = map_session[DEST(packet)];
	to = map_worker[DEST(packet)];
	if
	:: FLOW_OF(packet) == FLOW_S && map_session[NODE(S)] != NOBODY &&
	    map_worker[NODE(S)] != from /* who may not speak for it */
#ifdef WRONG_STUB
	:: DEST(packet) == NODE(S) && IN(w, S) == STUB ->
		hand_on(LEFT_WITH(w, S), PACKET, S, packet)
#endif
	:: else ->
		if
		:: s == NOBODY
		:: s != NOBODY && to == w -> deliver(w, s)
		:: else ->
			if
			:: IN(w, s) == FROZEN -> frozen[NODE(s)]!packet
			:: IN(w, s) == STUB ->
				hand_on(LEFT_WITH(w, s), PACKET, s, packet)
			:: else
			fi
		fi
	fi
}
