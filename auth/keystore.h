/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_KEYSTORE_H
#define AUTH_KEYSTORE_H

#include <stdint.h>

#include "auth/absent.h"
#include "auth/keycache.h"
#include "auth/learned.h"

/*
 * Which key a node has, and how sure that is.  The key file comes first, then
 * what the registry said, then its snapshot, and last what an earlier auth left
 * behind.  All times are clock_seconds() unless they are called ns.
 */
#define KEYSTORE_ABSENT_NS (2 * 1000000000ULL)  /* "not found" is kept */
#define KEYSTORE_FORCE_NS  (30 * 1000000000ULL) /* between two for a node */
#define KEYSTORE_REFRESH   600                  /* until configured, */
#define KEYSTORE_STALE     86400                /* as are these */
#define KEYSTORE_GRACE     600
#define KEYSTORE_ROOM_MIN  4096U /* keys learned, however many are pinned */

struct keystore {
	struct keycache file;
	struct keycache snapshot;
	uint32_t written; /* when the snapshot was; 0: there is none */
	struct learned learned;
	struct absent absent;
	struct absent forced;
	uint32_t refresh; /* seconds, see msg_registry_conf; so are these */
	uint32_t stale;
	uint32_t grace;
	int asks; /* boolean: there is a registry to be asked */
};

enum keystore_source {
	KEYSTORE_FILE,
	KEYSTORE_REGISTRY,
	KEYSTORE_SNAPSHOT,
	KEYSTORE_CACHE
};

struct keystore_key {
	const uint8_t *key;      /* these two last until the store changes */
	const uint8_t *previous; /* serves as well; NULL: none */
	enum keystore_source source;
	int old; /* boolean: to be asked for again */
};

/* What a session stands on. */
enum keystore_ground {
	KEYSTORE_FIRM,
	KEYSTORE_UNSURE, /* the registry is to be asked */
	KEYSTORE_FALLEN
};

int keystore_init(struct keystore *);
int keystore_find(
    struct keystore *, uint32_t node, uint32_t now, struct keystore_key *);
void keystore_use(struct keystore *, uint32_t);
int keystore_absent(const struct keystore *, uint32_t, uint64_t);
int keystore_force(struct keystore *, uint32_t, uint64_t);
void keystore_unforce(struct keystore *, uint32_t);
void keystore_confirm(
    struct keystore *, uint32_t, const uint8_t[PROTO_KEY_LEN], uint64_t);
void keystore_gone(struct keystore *, uint32_t, uint64_t);
void keystore_unfit(struct keystore *, uint32_t, uint64_t);
enum keystore_ground keystore_ground(
    struct keystore *, uint32_t, uint64_t keyid, uint64_t ns);
void keystore_configure(struct keystore *, const struct msg_registry_conf *);
void keystore_swap_file(struct keystore *, struct keycache *);
uint32_t keystore_swap_snapshot(
    struct keystore *, struct keycache *, uint32_t written, uint32_t now);
uint32_t keystore_room(const struct keystore *);

#endif /* AUTH_KEYSTORE_H */
