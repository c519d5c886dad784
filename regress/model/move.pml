/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * How a session goes from one worker to another, for spin(1); README.md here
 * says what stands for what.  A configuration is a set of -D: what is moved
 * (PLAN), what is sent (SENDERS, READS, PACKETS), and what else may happen
 * once, at any step (DIES, LOGIN, DROP, BLOCK, HANGUP, CANCEL, REFUSE, GIVEUP,
 * HURRY, BIRTH).  Each NO_xxx and each WRONG_xxx breaks a rule of the protocol:
 * then an assertion must fail.
 */

#include "plan.pml"
#include "state.pml"
#include "packet.pml"
#include "worker.pml"
#include "parent.pml"

inline die(w)
{
	i = 0;
	do
	:: i < SESSIONS ->
		if
		:: IN(w, i) == FROZEN -> empty_out(frozen[NODE(i)])
		:: IN(w, i) == HALF || IN(w, i) == ARRIVING ->
			empty_out(held[NODE(i)])
		:: else
		fi;
		IN(w, i) = NONE;
		i++
	:: else -> break
	od;
	alive = alive & ~BIT(w);
	died = 1;
	empty_out2(pw[w]);
	i = 0;
	do
	:: i < WORKERS && i == w -> i++
	:: i < WORKERS && i != w -> empty_out2(WW(i, w)); i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < TICKETS ->
		if
		:: DST(i) == w -> empty_out3(moves[i])
		:: else
		fi;
		i++
	:: else -> break
	od
}

/* One of those that may. */
proctype death()
{
	if
	:: d_step { DIES & BIT(A) -> die(A); skip }
	:: d_step { DIES & BIT(B) -> die(B); skip }
	:: d_step { DIES & BIT(C) -> die(C); skip }
	:: d_step { (DIES & BIT(3)) && (alive & BIT(3)) -> die(3); skip }
	:: true
	fi
}

/* Nothing waits, nothing is between two workers. */
inline at_rest()
{
	i = 0;
	do
	:: i < TICKETS ->
		assert(batch[i] == IDLE || batch[i] == OVER);
		assert(!(alive & BIT(SRC(i))) || source[i] == IDLE ||
		    source[i] == OVER);
		assert(!(alive & BIT(DST(i))) || target[i] == IDLE ||
		    target[i] == OVER);
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < NODES ->
		assert(len(frozen[i]) == 0 && len(held[i]) == 0);
		i++
	:: else -> break
	od
}

/* Each session is in the map, and each of the map is there. */
inline map_is_true()
{
	i = 0;
	do
	:: i < WORKERS * SESSIONS ->
		assert(has[i] == NONE || has[i] == OPEN);
		assert(has[i] == NONE || IS_AT(i % SESSIONS, i / SESSIONS));
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < NODES ->
		assert(map_session[i] == NOBODY ||
		    IN(map_worker[i], map_session[i]) == OPEN);
		i++
	:: else -> break
	od
}

/* Only what had a reason to end has ended, and nothing is lost. */
inline all_came()
{
	assert(((told | gone) & BIT(S)) || did_block || map_session[0] == S);
	assert((gone & BIT(D)) || map_session[NODE(D)] == D);
	assert(!did_block || map_session[0] != S);
	i = 1;
	do
	:: i < FLOWS && !died && !gaveup ->
		assert(map_session[0] != S || LAST(S, i) == sent[i]);
		assert(map_session[0] != N || before[i] == sent[i] ||
		    LAST(N, i) == sent[i]);
		i++
	:: else -> break
	od;
	assert(died || map_session[0] != S || LAST(D, FLOW_S) == sent[FLOW_S])
}

init
{
	d_step {
		map_session[NODE(S)] = S;
		map_worker[NODE(S)] = A;
		IN(A, S) = OPEN;
		map_session[NODE(D)] = D;
		map_worker[NODE(D)] = D_AT;
		IN(D_AT, D) = OPEN;
		joined[A] = BIT(B) | BIT(C);
		joined[B] = BIT(A) | BIT(C);
		joined[C] = BIT(A) | BIT(B)
	}
	atomic {
		run parent();
		run worker(A);
		run worker(B);
		run worker(C);
#if WORKERS == 4
		run worker(3);
#endif
		run death()
	}
	timeout -> d_step { at_rest(); map_is_true(); all_came(); skip }
}
