/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/* What the processes hold and say, and what must hold at each step. */

/* A session in a worker. */
#define NONE     0
#define OPEN     1
#define FROZEN   2 /* in its old worker, until the parent has decided */
#define STUB     3 /* there, afterwards: late packets pass through */
#define HALF     4 /* in its new worker, until the parent has decided */
#define ARRIVING 5 /* there, afterwards: late packets still come */
#define IN(w, s)   has[(w) * SESSIONS + (s)]
#define OWNS(w, s) (IN(w, s) == OPEN || IN(w, s) == ARRIVING)
byte has[WORKERS * SESSIONS];

/* The peer map; a session's number is its generation, too. */
byte map_session[NODES];
byte map_worker[NODES];
#define IS_AT(s, w) (map_session[NODE(s)] == (s) && map_worker[NODE(s)] == (w))

/* A batch, as the three see it. */
#define IDLE      0
#define ASKED     1 /* parent */
#define COMMITTED 2
#define MARKING   1 /* source */
#define ENDED     2
#define LATE      3
#define TAKING    1 /* target */
#define TAKEN     2
#define GOING     3
#define OVER      4
byte batch[TICKETS];
byte source[TICKETS];
byte target[TICKETS];
byte unmarked[TICKETS]; /* workers, as bits, that are waited for */
byte unfenced[TICKETS];
byte fenced[TICKETS]; /* that have come */
byte got[TICKETS]; /* sessions, as bits */
bit cut[TICKETS];  /* the source has closed the move channel */

/* Workers, as bits. */
byte alive = BIT(A) | BIT(B) | BIT(C);
byte known = BIT(A) | BIT(B) | BIT(C); /* the parent thinks so */
byte joined[WORKERS]; /* has a channel to these */
byte blocks;          /* has read of the block */

byte told;  /* sessions, as bits, that the parent told to close */
byte gone;  /* that ended otherwise */
bit gaveup; /* the target or the parent waited no longer */

/* What happened already. */
bit did_login, did_drop, did_block, did_hangup, did_cancel, did_birth;

/* Channels: what, and about whom. */
mtype = { MOVE_IN, MOVE_OUT, MOVED, FENCE, CLOSE, ADMIT, BLOCKED, SIBLING,
	READY, DONE, CLOSED, PACKET, MARK, MARKED, STATE, END }
chan pw[WORKERS] = [6] of { mtype, byte };
chan wp[WORKERS] = [4] of { mtype, byte };
chan ww[WORKERS * (WORKERS - 1)] = [6] of { mtype, byte };
chan moves[TICKETS] = [8] of { mtype, byte, byte };
#define WW(from, to) \
	ww[(from) * (WORKERS - 1) + (to) - ((to) > (from))]
#define BOTH(t, sessions) ((t) << 4 | (sessions))
#define TICKET_OF(x)      ((x) >> 4)
#define SESSIONS_OF(x)    ((x) & 15)

/* What waits for a node in its frozen session, and in one that arrives. */
chan frozen[NODES] = [8] of { byte };
chan held[NODES] = [8] of { byte };

/* Packets: a flow is from S to D, or from somebody on a worker to S. */
#define FLOW_S       0
#define FLOW(w)      ((w) + 1)
#define FLOWS        (WORKERS + 1)
#define PACKED(f, n) ((f) << 2 | (n))
#define FLOW_OF(p)   ((p) >> 2)
#define NUMBER_OF(p) ((p) & 3)
#define DEST(p)      (FLOW_OF(p) == FLOW_S) /* NODE(D) or NODE(S) */
#define LAST(s, f)   last[(s) * FLOWS + (f)]
byte sent[FLOWS];
byte last[SESSIONS * FLOWS]; /* that the client got */
byte before[FLOWS];          /* sent before N was there */

/* Of no step: what it counts with, as in locals of a function. */
hidden byte arg, each, i, k, n, s, to, x;
hidden byte packet;
hidden mtype what;

bit died; /* somebody has */

inline empty_out(c)
{
	do
	:: len(c) > 0 -> c?x
	:: else -> break
	od
}

inline empty_out2(c)
{
	do
	:: len(c) > 0 -> c?_, x
	:: else -> break
	od
}

inline empty_out3(c)
{
	do
	:: len(c) > 0 -> c?_, x, x
	:: else -> break
	od
}

/* Parent to worker, worker to worker, source to target. */
inline tell(w, type, y)
{
	if
	:: alive & BIT(w) -> pw[w]!type, y
	:: else
	fi
}

inline pass(w, other, type, y)
{
	if
	:: joined[w] & alive & BIT(other) -> WW(w, other)!type, y
	:: else
	fi
}

inline hand_on(ticket, type, who, y)
{
	if
	:: target[ticket] != OVER && (alive & BIT(DST(ticket))) ->
		moves[ticket]!type, who, y
	:: else
	fi
}

/* Nobody else reads or writes the socket of this session. */
inline only_owner(w, who)
{
	n = 0;
	do
	:: n < WORKERS -> assert(n == (w) || !OWNS(n, who)); n++
	:: else -> break
	od
}

/*
 * One frame goes to the client: in order, and the next one if nobody has died
 * and it is not about to be closed.
 */
inline write(w, who)
{
	assert(OWNS(w, who));
	only_owner(w, who);
	assert(NUMBER_OF(packet) > LAST(who, FLOW_OF(packet)));
	assert(NUMBER_OF(packet) == LAST(who, FLOW_OF(packet)) + 1 ||
	    who == N || ((told | gone) & BIT(S)) || died || gaveup);
	LAST(who, FLOW_OF(packet)) = NUMBER_OF(packet)
}
