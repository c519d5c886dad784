/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The parent.  A commit is several steps, as workers read the map meanwhile;
 * all else is one.
 */

byte commits = NOBODY; /* a batch that it is about to commit */
byte chosen;           /* of which these sessions, as bits */
byte written;          /* how far it is */

#ifdef NO_GENERATION
#define IS_STILL_AT(i, w) 1
#else
#define IS_STILL_AT(i, w) IS_AT(i, w)
#endif
#ifdef NO_TOLD
#define TOLD(i) 0
#else
#define TOLD(i) (told & BIT(i))
#endif

/* Sessions of a batch that can go: those that have not changed meanwhile. */
inline choose(ticket, which)
{
	chosen = 0;
	i = 0;
	do
	:: i < SESSIONS ->
		if
		:: (which & BIT(i)) && IS_STILL_AT(i, SRC(ticket)) &&
		    !TOLD(i) -> chosen = chosen | BIT(i)
		:: else
		fi;
		i++
	:: else -> break
	od
}

inline cancel(ticket)
{
	batch[ticket] = OVER;
	tell(SRC(ticket), MOVED, BOTH(ticket, 0));
	tell(DST(ticket), MOVED, BOTH(ticket, 0))
}

inline tell_moved(ticket)
{
	tell(SRC(ticket), MOVED, BOTH(ticket, chosen));
	tell(DST(ticket), MOVED, BOTH(ticket, chosen))
}

inline tell_fence(ticket)
{
	i = 0;
	do
	:: i < WORKERS ->
		if
		:: known & BIT(i) -> tell(i, FENCE, ticket)
		:: else
		fi;
		i++
	:: else -> break
	od
}

/* WP_MOVE_READY */
inline ready(ticket, which)
{
	if
	:: batch[ticket] == ASKED ->
		choose(ticket, which);
		if
		:: chosen == 0 -> cancel(ticket)
		:: else ->
			commits = ticket;
			written = 0;
#ifdef WRONG_EARLY
			tell_moved(ticket)
#endif
		fi
	:: else
	fi
}

/* One entry of the map, or the end of the commit. */
inline commit_on()
{
	if
	:: written < SESSIONS && (chosen & BIT(written)) ->
		map_session[NODE(written)] = written;
		map_worker[NODE(written)] = DST(commits);
		written++
	:: written < SESSIONS && !(chosen & BIT(written)) -> written++
	:: else ->
		batch[commits] = COMMITTED;
#ifndef WRONG_EARLY
		tell_moved(commits);
#endif
		tell_fence(commits);
		commits = NOBODY;
		chosen = 0;
		written = 0
	fi
}

/* WP_CLOSED: of a session that is another worker's, it would be a lie. */
inline closed(w, who)
{
	if
	:: map_session[NODE(who)] == who ->
		assert(map_worker[NODE(who)] == w);
		map_session[NODE(who)] = NOBODY;
		map_worker[NODE(who)] = NOBODY
	:: else
	fi
}

inline heard(w)
{
	wp[w]?what, arg;
	if
	:: what == READY -> ready(TICKET_OF(arg), SESSIONS_OF(arg))
	:: what == DONE -> batch[arg] = OVER /* again, perhaps */
	:: what == CLOSED -> closed(w, arg)
	fi
}

/* A worker is lost, and with it what it has said and not been heard. */
inline lost(w)
{
	known = known & ~BIT(w);
	empty_out2(wp[w]);
	i = 0;
	do
	:: i < NODES ->
		if
		:: map_worker[i] == w ->
			gone = gone | BIT(map_session[i]);
			map_session[i] = NOBODY;
			map_worker[i] = NOBODY
		:: else
		fi;
		i++
	:: else -> break
	od;
	each = 0;
	do
	:: each < TICKETS ->
		if
		:: batch[each] == ASKED && (SRC(each) == w || DST(each) == w) ->
			cancel(each)
		:: batch[each] == COMMITTED && DST(each) == w ->
			batch[each] = OVER
		:: else
		fi;
		each++
	:: else -> break
	od
}

#define BUSY(t)	    (batch[t] == ASKED || batch[t] == COMMITTED)
#define HAS(t, who) ((SET(t) & BIT(who)) && IS_AT(who, SRC(t)))
#if TICKETS == 2
#define OTHER_BUSY(t) (SRC(0) == SRC(1) && BUSY(1 - (t)))
#else
#define OTHER_BUSY(t) 0
#endif

inline begin(ticket)
{
	batch[ticket] = ASKED;
	tell(DST(ticket), MOVE_IN, ticket);
	tell(SRC(ticket), MOVE_OUT, ticket)
}

/* An operator's drop: the entry stays until the worker has closed it. */
inline drop()
{
	s = map_session[NODE(S)];
	told = told | BIT(s);
	tell(map_worker[NODE(S)], CLOSE, s)
}

inline login(w)
{
	did_login = 1;
	s = map_session[NODE(S)];
	if
	:: s != NOBODY ->
		gone = gone | BIT(s);
		tell(map_worker[NODE(S)], CLOSE, s)
	:: else
	fi;
	map_session[NODE(S)] = N;
	map_worker[NODE(S)] = w;
	tell(w, ADMIT, N)
}

inline birth()
{
	did_birth = 1;
	i = 0;
	do
	:: i < 3 ->
		if
		:: known & BIT(i) -> tell(i, SIBLING, 3); tell(3, SIBLING, i)
		:: else
		fi;
		i++
	:: else -> break
	od
}

#define ABOUT_WORKER(w)                                            \
	:: d_step { commits == NOBODY && len(wp[w]) > 0            \
		-> heard(w); skip }                                \
	:: d_step { commits == NOBODY && (known & BIT(w)) &&       \
		!(alive & BIT(w)) -> lost(w); skip }               \
	:: d_step { commits == NOBODY && (LOGIN & known & BIT(w)) && \
		!did_login -> login(w); skip }

#define ABOUT_TICKET(t)                                            \
	:: d_step { commits == NOBODY && batch[t] == IDLE &&       \
		(known & BIT(SRC(t))) && (known & BIT(DST(t))) &&  \
		!OTHER_BUSY(t) && (HAS(t, S) || HAS(t, D))         \
		-> begin(t); skip }

proctype parent()
{
end:	do
	:: d_step { commits != NOBODY -> commit_on(); skip }
	ABOUT_WORKER(A)
	ABOUT_WORKER(B)
	ABOUT_WORKER(C)
	ABOUT_TICKET(0)
#if TICKETS == 2
	ABOUT_TICKET(1)
#endif
#if WORKERS == 4
	ABOUT_WORKER(3)
	:: d_step { commits == NOBODY && !did_birth ->
		alive = alive | BIT(3);
		known = known | BIT(3);
		birth(); skip }
#endif
#ifdef DROP
	:: d_step { commits == NOBODY && !did_drop &&
		map_session[NODE(S)] != NOBODY -> did_drop = 1;
		drop(); skip }
#endif
#ifdef BLOCK
	:: d_step { commits == NOBODY && !did_block -> did_block = 1;
		tell(A, BLOCKED, 0);
		tell(B, BLOCKED, 0);
		tell(C, BLOCKED, 0); skip }
#endif
#ifdef HURRY /* it does not wait for DONE */
	:: d_step { commits == NOBODY && !gaveup && batch[0] == COMMITTED ->
		gaveup = 1; batch[0] = OVER; skip }
#endif
#ifdef CANCEL
	:: d_step { commits == NOBODY && !did_cancel && batch[0] == ASKED ->
		did_cancel = 1; cancel(0); skip }
#endif
	od
}
