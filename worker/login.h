/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_LOGIN_H
#define WORKER_LOGIN_H

#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"
#include "worker/session.h"
#include "worker/tick.h"

struct session;
struct worker;

struct nonce {
	uint32_t number;
	uint32_t fetched; /* tick */
	uint64_t wall;    /* see msg_nonces */
	uint8_t value[PROTO_NONCE_LEN];
};

#define NONCES_MAX      256       /* in hand */
#define NONCES_LOW      128       /* ask for more below this */
#define NONCE_TICKS_MAX TICKS(30) /* older ones are not handed to clients */
/* A session in line for a nonce. */
struct waiter {
	uint32_t slot;
	uint32_t serial;
};

struct login {
	struct nonce nonces[NONCES_MAX];
	uint32_t nnonces;
	uint32_t nonces_asked;
	struct waiter *waiters; /* ring of slots_max entries */
	uint32_t waiters_head;
	uint32_t nwaiters;
};

void login_init(struct worker *);
int login_has_room(struct worker *);
void login_begin(struct worker *, struct session *, const char *, size_t);
void login_message(
    struct worker *, struct session *, int, const uint8_t *, size_t);
const char *login_nonces(
    struct worker *, const struct msg_nonces *, const uint8_t *);
void login_open(struct worker *, const struct msg_open *);
void login_fail(struct worker *, struct session *, enum session_why);
const char *login_refused(struct worker *, const struct msg_refused *);
void login_refuse(struct worker *, const struct msg_refuse *);
void login_auth_lost(struct worker *);
void login_top_up(struct worker *);

#endif /* WORKER_LOGIN_H */
