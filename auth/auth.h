/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/peermap.h"
#include "common/proto.h"

#include "auth/cachefile.h"
#include "auth/challenge.h"
#include "auth/firstkey.h"
#include "auth/keyfile.h"
#include "auth/keystore.h"
#include "auth/lookup.h"
#include "auth/registry.h"
#include "auth/snapshot.h"

/* States of the parent's channel. */
enum auth_state {
	AUTH_HELLO = 1 << 0,
	AUTH_SETUP = 1 << 1,
	AUTH_RUNNING = 1 << 2
};

/*
 * Messages that a worker's channel may bring before the others have theirs and
 * the answers leave: a full read holds 600 signatures, 46 us each.
 */
#define AUTH_TURN 16

/*
 * Nonces that a worker may ask for in a second: some ten times what all
 * verifications of this process could use up.
 */
#define AUTH_NONCES_PER_SECOND 200000

/* Seconds between looks for first keys that may go, which takes a while. */
#define AUTH_PRUNE_EVERY 60

struct auth;

struct auth_worker {
	struct auth *auth;
	struct channel channel;
	struct challenge challenge;
	char name[16];   /* for the log */
	uint32_t number; /* its place in auth.workers */
	uint32_t epoch;
	uint32_t turn;           /* messages since it last waited */
	struct persecond nonces; /* that it asked for */
};

struct auth {
	struct ev_loop *loop;
	struct channel parent;
	struct auth_worker *workers[PROTO_PLACES_MAX];
	struct msg_hello hello; /* who we are; comes back in AP_READY */
	struct msg_settings settings;
	struct peermap map;
	struct keystore store;
	struct firstkeys first;
	uint32_t pruned;     /* clock_seconds() of the last look for room */
	struct keyfile file; /* fd -1: none is being read */
	struct snapshot snapshot; /* likewise */
	struct cachefile cache;   /* data NULL: nothing is under way */
	int keys_before;          /* boolean: of a file, also another's */
	uint32_t walk;            /* next entry of the map to look at */
	int walking;              /* boolean */
	uint32_t revoked;         /* sessions, by this walk */
	int has_settings;         /* boolean, as are the next three */
	int has_map;
	int has_counters;
	int ready; /* AP_READY was sent */
	ev_idle work;
	ev_timer drain; /* until the parent has read */
	ev_timer again; /* until the second walk */
	/* The registry.  Without one the two timers do not run. */
	struct msg_registry_conf conf; /* rate 0: none */
	struct registry registry;
	struct lookups lookups;
	uint32_t round;      /* next entry of the map of the slow walk */
	uint32_t enroll_due; /* clock_seconds() */
	uint32_t enrolled;   /* likewise, see msg_registry_status */
	uint32_t beacons;    /* likewise */
	struct msg_registry_status told; /* the last that the parent was */
	ev_timer pulse;
	ev_timer second;
	struct log_limit troubles; /* of the registry */
};

/* from_parent.c */
void from_parent_open(struct auth *, int);

/* from_worker.c */
int from_worker_open(struct auth *, const struct msg_worker *, int);
void from_worker_resume_all(struct auth *);

/* from_parent_registry.c */
const char *from_parent_registry_conf(void *, const void *, size_t, int);
const char *from_parent_registry(void *, const void *, size_t, int);
const char *from_parent_snapshot(void *, const void *, size_t, int);
const char *from_parent_cache(void *, const void *, size_t, int);

/* from_registry.c */
void from_registry_init(struct auth *);
void from_registry_end(struct auth *, enum registry_end);

/* timer.c */
void timer_pulse(struct ev_loop *, ev_timer *, int revents);
void timer_second(struct ev_loop *, ev_timer *, int revents);

/* work.c */
void work_init(struct auth *);
void work_turn(struct ev_loop *, ev_idle *, int revents);

/* login.c */
int login_verify(struct auth_worker *, const struct msg_verify *);
int login_work(struct auth *);

/* check.c */
int check_key_file(const char *);

/* keys.c */
void keys_init(struct auth *);
void keys_load(struct auth *, int, const struct msg_keys *);
int keys_work(struct auth *);

/* keys_snapshot.c */
void keys_snapshot_init(struct auth *);
void keys_snapshot_load(struct auth *, int, const struct msg_snapshot *);
int keys_snapshot_work(struct auth *);

/* keys_cache.c */
void keys_cache_init(struct auth *);
void keys_cache(struct auth *, int, const struct msg_cache *);
int keys_cache_work(struct auth *);

/* walk.c */
void walk_init(struct auth *);
void walk_fast(struct auth *);
void walk_node(struct auth *, uint32_t);
void walk_slow(struct auth *);
int walk_work(struct auth *);

/* enroll.c */
void enroll_turn(struct auth *);
void enroll_answer(
    struct auth *, enum registry_kind, const struct wire_answer *);

/* status.c */
void status_tell(struct auth *);

/* turn.c */
void turn_init(
    struct auth *, void (*)(struct ev_loop *, ev_idle *, int revents));
void turn_init_timers(struct auth *,
    void (*)(struct ev_loop *, ev_timer *, int revents),
    void (*)(struct ev_loop *, ev_timer *, int revents));
void turn_pulse(struct auth *);
void turn_seconds(struct auth *);
void turn_wake(struct auth *);
void turn_wait(struct auth *);

/* tell.c */
void tell_parent(struct auth *, enum auth_to_parent, const void *, size_t);
void tell_ready(struct auth *);
int tell_congested(const struct auth *);

#endif /* AUTH_AUTH_H */
