/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/* Who there is, and what is moved from where to where. */

#define A 0
#define B 1
#define C 2
#ifdef BIRTH
#define WORKERS 4 /* and one that is started meanwhile */
#else
#define WORKERS 3
#endif

/* Sessions; S and N are of one node: N is its new login. */
#define S        0
#define N        1
#define D        2
#define SESSIONS 3
#define NODES    2
#define NODE(s)  ((s) / 2)
#define BIT(i)   (1 << (i))
#define NOBODY   7

/* What is moved: a batch is from, to, sessions; D_AT is where D begins. */
#if PLAN == 1 /* one session */
#define BATCH0 A, B, BIT(S)
#define D_AT   C
#elif PLAN == 2 /* two at once */
#define BATCH0 A, B, BIT(S) | BIT(D)
#define D_AT   A
#elif PLAN == 3 /* it moves on */
#define BATCH0 A, B, BIT(S)
#define BATCH1 B, C, BIT(S)
#define D_AT   C
#elif PLAN == 4 /* there and back */
#define BATCH0 A, B, BIT(S)
#define BATCH1 B, A, BIT(S)
#define D_AT   C
#elif PLAN == 5 /* its receiver moves to where it came from */
#define BATCH0 A, B, BIT(S)
#define BATCH1 C, A, BIT(D)
#define D_AT   C
#elif PLAN == 6 /* both to the same worker */
#define BATCH0 A, B, BIT(S)
#define BATCH1 C, B, BIT(D)
#define D_AT   C
#elif PLAN == 7 /* two change places */
#define BATCH0 A, B, BIT(S)
#define BATCH1 B, A, BIT(D)
#define D_AT   B
#elif PLAN == 8 /* one after the other from the same worker */
#define BATCH0 A, B, BIT(S)
#define BATCH1 A, C, BIT(D)
#define D_AT   A
#elif PLAN == 9 /* and to the same one */
#define BATCH0 A, B, BIT(S)
#define BATCH1 A, B, BIT(D)
#define D_AT   A
#endif

#define FROM(a, b, c) (a)
#define TO(a, b, c)   (b)
#define WHO(a, b, c)  (c)
#define OF(f, x)      f(x)
#ifdef BATCH1
#define TICKETS 2
#define SRC(t)  (OF(FROM, BATCH0) * (1 - (t)) + OF(FROM, BATCH1) * (t))
#define DST(t)  (OF(TO, BATCH0) * (1 - (t)) + OF(TO, BATCH1) * (t))
#define SET(t)  (OF(WHO, BATCH0) * (1 - (t)) + OF(WHO, BATCH1) * (t))
#else
#define TICKETS 1
#define SRC(t)  OF(FROM, BATCH0)
#define DST(t)  OF(TO, BATCH0)
#define SET(t)  OF(WHO, BATCH0)
#endif

/* What may happen besides, once each: none of it, if it is not defined. */
#ifndef DIES
#define DIES 0 /* workers, as bits: one of them */
#endif
#ifndef LOGIN
#define LOGIN 0 /* workers, as bits: the node logs in at one of them */
#endif
#ifndef REFUSE
#define REFUSE 0 /* sessions, as bits, that are not taken */
#endif
#ifndef SENDERS
#define SENDERS 0 /* workers, as bits, from where S is sent packets */
#endif
#ifndef READS
#define READS 0 /* packets that S sends to D */
#endif
#ifndef PACKETS
#define PACKETS 2 /* that each sender sends */
#endif
