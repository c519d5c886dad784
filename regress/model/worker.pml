/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * A worker.  What it does in answer to one message is one step: it shares
 * nothing with others but the map, of which it reads an entry at a time, and
 * channels, in which what it says may stay for as long as it likes.
 */

/* A session ends here; what waits for it is lost. */
inline end_session(w, who)
{
	only_owner(w, who);
	if
	:: IN(w, who) == FROZEN -> empty_out(frozen[NODE(who)])
	:: IN(w, who) == ARRIVING -> empty_out(held[NODE(who)])
	:: else
	fi;
	IN(w, who) = NONE;
	wp[w]!CLOSED, who
}

inline end_if_blocked(w, who)
{
	if
#ifndef NO_SECOND_LOOK
	:: (blocks & BIT(w)) && who == S -> end_session(w, who)
#endif
	:: else
	fi
}

/* All that was sent before the freeze has been read: the target may know. */
inline check_marks(w, ticket)
{
	if
#ifdef NO_MARK
	:: SRC(ticket) == w && source[ticket] == MARKING ->
#else
	:: SRC(ticket) == w && source[ticket] == MARKING &&
	    unmarked[ticket] == 0 ->
#endif
		hand_on(ticket, END, 0, 0);
		source[ticket] = ENDED
	:: else
	fi
}

inline end_source(w, ticket)
{
	k = 0;
	do
	:: k < SESSIONS ->
		if
		:: (SET(ticket) & BIT(k)) && IN(w, k) == STUB ->
			IN(w, k) = NONE
		:: else
		fi;
		k++
	:: else -> break
	od;
	cut[ticket] = 1;
	source[ticket] = OVER
}

/* Nobody sends us packets any more for what has left. */
inline check_fences(w, ticket)
{
	if
#ifdef NO_FENCE
	:: SRC(ticket) == w && source[ticket] == LATE ->
#else
	:: SRC(ticket) == w && source[ticket] == LATE &&
	    unfenced[ticket] == 0 ->
#endif
		end_source(w, ticket)
	:: else
	fi
}

/* PW_MOVE_OUT */
inline move_out(w, ticket)
{
#if TICKETS == 2
	if
	:: SRC(0) == SRC(1) && source[1 - ticket] == LATE ->
		end_source(w, 1 - ticket)
	:: else
	fi;
#endif
	source[ticket] = MARKING;
	unmarked[ticket] = joined[w];
	unfenced[ticket] = BIT(w);
	i = 0;
	do
	:: i < SESSIONS ->
		if
#ifdef WRONG_ONWARD
		:: (SET(ticket) & BIT(i)) && OWNS(w, i) ->
#else
		:: (SET(ticket) & BIT(i)) && IN(w, i) == OPEN ->
#endif
			IN(w, i) = FROZEN;
			hand_on(ticket, STATE, i, 0)
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < WORKERS -> pass(w, i, MARK, ticket); i++
	:: else -> break
	od;
	check_marks(w, ticket)
}

/* It goes on here as if nothing had been. */
inline thaw(w, who)
{
	IN(w, who) = OPEN;
	do
	:: len(frozen[NODE(who)]) > 0 ->
		frozen[NODE(who)]?packet;
		write(w, who)
	:: else -> break
	od;
	end_if_blocked(w, who)
}

inline leave(w, ticket, who)
{
	do
	:: len(frozen[NODE(who)]) > 0 ->
		frozen[NODE(who)]?packet;
#ifndef NO_REST
		hand_on(ticket, PACKET, who, packet)
#endif
	:: else -> break
	od;
	IN(w, who) = STUB
}

/* PW_MOVED, at the source. */
inline moved_out(w, ticket, which)
{
	i = 0;
	do
	:: i < SESSIONS ->
		if
		:: (SET(ticket) & BIT(i)) && IN(w, i) == FROZEN ->
			if
			:: which & BIT(i) -> leave(w, ticket, i)
#ifdef NO_THAW
			:: else
#else
			:: else -> thaw(w, i)
#endif
			fi
		:: else
		fi;
		i++
	:: else -> break
	od;
	if
	:: which == 0 -> end_source(w, ticket)
	:: else -> source[ticket] = LATE; check_fences(w, ticket)
	fi
}

/* PW_MOVED, at the target. */
inline moved_in(w, ticket, which)
{
	i = 0;
	do
	:: i < SESSIONS ->
		if
		:: (got[ticket] & BIT(i)) && IN(w, i) == HALF ->
			if
			:: which & BIT(i) ->
				IN(w, i) = ARRIVING;
				end_if_blocked(w, i)
			:: else ->
				assert(len(held[NODE(i)]) == 0);
				IN(w, i) = NONE
			fi
		:: else
		fi;
		i++
	:: else -> break
	od;
	if
	:: which == 0 -> target[ticket] = OVER; empty_out3(moves[ticket])
	:: else -> target[ticket] = GOING
	fi
}

/* No late packet comes any more: all is as with any session. */
inline settle(w, ticket)
{
	empty_out3(moves[ticket]);
	i = 0;
	do
	:: i < SESSIONS ->
		if
		:: (got[ticket] & BIT(i)) && IN(w, i) == ARRIVING ->
			do
			:: len(held[NODE(i)]) > 0 ->
				held[NODE(i)]?packet;
				write(w, i)
			:: else -> break
			od;
			IN(w, i) = OPEN
		:: else
		fi;
		i++
	:: else -> break
	od;
	target[ticket] = OVER;
	wp[w]!DONE, ticket
}

/* PW_MOVE_IN: of an earlier one from there nothing is waited for any more. */
inline move_in(w, ticket)
{
#if TICKETS == 2
	if
#ifndef NO_FINISH
	:: SRC(0) == SRC(1) && DST(0) == DST(1) &&
	    target[1 - ticket] == GOING -> settle(w, 1 - ticket)
#endif
	:: else
	fi;
	assert(SRC(0) != SRC(1) || DST(0) != DST(1) ||
	    target[1 - ticket] == IDLE || target[1 - ticket] == OVER);
#endif
	target[ticket] = TAKING
}

/* PW_FENCE: we have seen what the map says now. */
inline fence(w, ticket)
{
	if
	:: SRC(ticket) == w ->
		unfenced[ticket] = joined[w] & ~fenced[ticket];
		check_fences(w, ticket)
	:: else -> pass(w, SRC(ticket), FENCE, ticket)
	fi
}

/* PW_CLOSE */
inline close(w, who)
{
	assert(IN(w, who) != HALF);
	if
	:: OWNS(w, who) || IN(w, who) == FROZEN -> end_session(w, who)
	:: else
	fi
}

inline from_parent(w)
{
	pw[w]?what, arg;
	if
	:: what == MOVE_IN -> move_in(w, arg)
	:: what == MOVE_OUT -> move_out(w, arg)
	:: what == MOVED && SRC(TICKET_OF(arg)) == w ->
		moved_out(w, TICKET_OF(arg), SESSIONS_OF(arg))
	:: what == MOVED && SRC(TICKET_OF(arg)) != w ->
		moved_in(w, TICKET_OF(arg), SESSIONS_OF(arg))
	:: what == FENCE -> fence(w, arg)
	:: what == CLOSE -> close(w, arg)
	:: what == ADMIT ->
		IN(w, N) = OPEN;
		i = 0;
		do
		:: i < FLOWS -> before[i] = sent[i]; i++
		:: else -> break
		od
	:: what == BLOCKED ->
		blocks = blocks | BIT(w);
		if
		:: OWNS(w, S) -> end_session(w, S)
		:: else
		fi
	:: what == SIBLING ->
		joined[w] = joined[w] | BIT(arg);
#ifdef WRONG_WAIT
		unmarked[0] = unmarked[0] | (w == SRC(0)) << arg;
#endif
#ifdef WRONG_BORN
		fenced[0] = fenced[0] | (w == SRC(0)) << arg;
#endif
		skip
	fi
}

inline from_worker(w, from)
{
	WW(from, w)?what, arg;
	if
	:: what == PACKET -> packet = arg; came(w, from)
	:: what == MARK -> pass(w, from, MARKED, arg)
	:: what == MARKED ->
		unmarked[arg] = unmarked[arg] & ~BIT(from);
		check_marks(w, arg)
	:: what == FENCE ->
		fenced[arg] = fenced[arg] | BIT(from);
		unfenced[arg] = unfenced[arg] & ~BIT(from);
		check_fences(w, arg)
	fi
}

/* From the move channel. */
inline from_source(w, ticket)
{
	moves[ticket]?what, s, arg;
	if
	:: what == STATE && !(REFUSE & BIT(s)) ->
		IN(w, s) = HALF;
		got[ticket] = got[ticket] | BIT(s)
	:: what == STATE && (REFUSE & BIT(s))
	:: what == END ->
		target[ticket] = TAKEN;
		wp[w]!READY, BOTH(ticket, got[ticket])
	:: what == PACKET && IN(w, s) == ARRIVING -> packet = arg;
		write(w, s)
	:: what == PACKET && IN(w, s) != ARRIVING
	fi
}

/* The channel to another worker has ended; what was in it may be lost. */
inline lost_worker(w, other)
{
	joined[w] = joined[w] & ~BIT(other);
	empty_out2(WW(other, w));
#ifndef NO_END
	each = 0;
	do
	:: each < TICKETS && SRC(each) != w -> each++
	:: each < TICKETS && SRC(each) == w ->
		unmarked[each] = unmarked[each] & ~BIT(other);
		unfenced[each] = unfenced[each] & ~BIT(other);
		check_marks(w, each);
		check_fences(w, each);
		each++
	:: else -> break
	od
#endif
}

#define READABLE(t) \
	(target[t] == TAKING || (target[t] == GOING && len(moves[t]) > 0))
#define CUT(t)                    \
	(target[t] == GOING &&    \
	    (!(alive & BIT(SRC(t))) || (cut[t] && len(moves[t]) == 0)))

#define FROM_WORKER(other)                                        \
	:: d_step { (joined[w] & BIT(other)) && len(WW(other, w)) > 0 \
		-> from_worker(w, other); skip }                  \
	:: d_step { (joined[w] & BIT(other)) &&                   \
		!(alive & BIT(other)) && (alive & BIT(w))         \
		-> lost_worker(w, other); skip }

#define FROM_SOURCE(t)                                            \
	:: d_step { DST(t) == w && (alive & BIT(w)) &&            \
		READABLE(t) && len(moves[t]) > 0                  \
		-> from_source(w, t); skip }                      \
	:: d_step { DST(t) == w && (alive & BIT(w)) && CUT(t)     \
		-> settle(w, t); skip }

proctype worker(byte w)
{
end:	do
	:: d_step { len(pw[w]) > 0 && (alive & BIT(w)) -> from_parent(w); skip }
	FROM_WORKER(A)
	FROM_WORKER(B)
	FROM_WORKER(C)
#if WORKERS == 4
	FROM_WORKER(3)
#endif
	FROM_SOURCE(0)
#if TICKETS == 2
	FROM_SOURCE(1)
#endif
#if WORKERS == 4 /* it begins when it knows all others */
	:: d_step { (SENDERS & alive & BIT(w)) && sent[FLOW(w)] < PACKETS &&
		(w < 3 || joined[w] == 7) ->
#else
	:: d_step { (SENDERS & alive & BIT(w)) && sent[FLOW(w)] < PACKETS ->
#endif
		sent[FLOW(w)]++;
		packet = PACKED(FLOW(w), sent[FLOW(w)]);
		emit(w); skip }
#ifdef WRONG_READ
	:: d_step { IN(w, S) != NONE && sent[FLOW_S] < READS &&
		IN(w, S) != FROZEN && IN(w, S) != STUB ->
#else
	:: d_step { OWNS(w, S) && sent[FLOW_S] < READS ->
#endif
		only_owner(w, S);
		sent[FLOW_S]++;
		packet = PACKED(FLOW_S, sent[FLOW_S]);
		emit(w); skip }
#ifdef HANGUP
#ifdef WRONG_CLOSE
	:: d_step { (OWNS(w, S) || IN(w, S) == FROZEN) && !did_hangup ->
#else
	:: d_step { OWNS(w, S) && !did_hangup ->
#endif
		did_hangup = 1;
		gone = gone | BIT(S);
		end_session(w, S); skip }
#endif
#ifdef GIVEUP
	:: d_step { DST(0) == w && target[0] == GOING && !gaveup ->
		gaveup = 1;
		settle(w, 0); skip }
#endif
	od
}
