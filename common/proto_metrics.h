/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PROTO_METRICS_H
#define COMMON_PROTO_METRICS_H

/* What parent and metrics say to each other; see common/proto.h. */

/* ---- parent -> metrics ------------------------------------------------ */
/*
 * Start: HELLO COUNTERS SUMS LISTENER* START; it answers MP_READY.  No settings
 * and no map: it has no business with either.
 */
enum parent_to_metrics {
	PM_HELLO = 0xa00, /* msg_hello */
	PM_COUNTERS,      /* fd: its page */
	PM_SUMS,          /* fd: what it may tell, see common/sums.h */
	PM_LISTENER,      /* msg_listener + fd: a listening TCP socket */
	PM_UNLISTEN,      /* msg_unlisten: it is not used any more */
	PM_START,         /* empty */
	PM_PING,          /* empty; MP_PONG is wanted at once */
	PM_SHUTDOWN       /* empty: exit */
};

/* ---- metrics -> parent ------------------------------------------------ */
enum metrics_to_parent {
	MP_READY = 0xb00, /* msg_hello */
	MP_PONG           /* empty */
};

#endif /* COMMON_PROTO_METRICS_H */
