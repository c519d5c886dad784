/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_FUZZ_WORLD_H
#define REGRESS_FUZZ_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "common/imsg.h"
#include "common/proto.h"
#include "parent/peermap_write.h"
#include "regress/fuzz/fuzz.h"

/*
 * What a worker has around itself: its parent, auth and one other worker at the
 * other ends of real channels, a listener, UDP sockets, clients.  The worker is
 * number 0 of 2; it lives through all runs, and each leaves it at rest.
 */
#define NODES         8  /* ids 1 to NODES */
#define CLIENTS       12 /* at once */
#define SESSIONS      10 /* that the worker has room for */
#define PARTIES       64 /* senders and receivers of one run */
#define VERIFIES      16 /* logins that auth has not judged */
#define OPENED        64 /* sessions that are opened in one run */
#define SOURCES       6  /* of datagrams */
#define SOURCE_BEACON 4  /* the first of those that are beacons */
#define MESSAGE_MAX   65536

/* Parties that are no clients. */
enum party { PARTY_SIBLING, PARTY_UDP, PARTY_CLIENT = PARTY_UDP + SOURCES };

/* ledger.c: what somebody sent, to be compared with what arrives. */
void ledger_begin(const uint8_t *, size_t);
void ledger_write(uint32_t, uint32_t, uint32_t, uint8_t *, size_t);
void ledger_got(uint32_t, uint32_t, uint32_t, const uint8_t *, size_t);
void ledger_wild(uint32_t);
void ledger_silence(uint32_t);
uint32_t ledger_missing(void);
void ledger_sign(uint32_t, uint8_t[PROTO_SIG_LEN]);
uint32_t ledger_signer(const uint8_t[PROTO_SIG_LEN]);

/* A session that the parent has opened. */
struct opened {
	struct msg_open msg;
	uint32_t party;
	int closed; /* boolean: the worker said so */
};

/* world.c: the worker, its parent and auth. */
struct world {
	struct worker *worker;
	struct pmap map;
	struct imsgbuf parent;
	struct imsgbuf auth;
	uint32_t next_nonce;
	uint32_t nonces_owed;
	struct msg_verify verifies[VERIFIES];
	uint32_t nverifies;
	struct opened opened[OPENED];
	uint32_t nopened;
	uint32_t stats; /* PW_STATs without an answer */
	uint32_t pings; /* PW_PINGs likewise */
	int prompt;     /* boolean: auth and parent do at once what they may */
	int drained;    /* boolean: the worker would be gone */
	int ended;      /* boolean: a session has ended */
	/* What the worker says of moves, and to worker 1; NULL: nothing. */
	void (*moves)(const struct imsg *);
	void (*marks)(const struct imsg_header *);
};
extern struct world world;

void world_start(void);
void world_begin(uint8_t);
int world_hear(void);
void world_settings(uint8_t);
void world_auth_anew(void);
void world_nonces(uint32_t);
void world_judge(uint32_t, uint8_t);
void world_settled(void);
void world_rest(void);
void world_tell(uint32_t, int, const void *, size_t);
void world_auth_tell(uint32_t, const void *, size_t);

/* world_parent.c: what else the parent says. */
void world_parent_says(struct input *);
void world_map_set(uint32_t, const struct peermap_entry *);
void world_map_clear(void);

/* world_still.c: how all stands still. */
void world_still_says(uint8_t);
void world_still_over(void);
int world_still_hear(void);
void world_still_heard(const struct imsg *);
void world_still_marks(const struct imsg_header *);
void world_still_passes(void);

/* world_net.c: the network as far as the kernel does not play it. */
void net_start(void);
void net_offer(int fd, const uint8_t addr[16], uint16_t, int proxied);
int net_took(int);
void net_session(int);
void net_mood(uint8_t);
void net_little(size_t);
int net_has_cut(void);
void net_datagram(uint32_t, const uint8_t *, size_t);
void net_source(uint32_t, uint8_t[16], uint16_t *);
void net_acked(int, uint64_t);
void net_rest(void);
uint64_t net_accepted(void);
uint64_t net_sent(void);

/* world_sibling.c */
void sibling_anew(void);
int sibling_read(size_t);
void sibling_send(const uint8_t *, size_t);
void sibling_spoil(void);
void sibling_marked(uint32_t);
void sibling_rest(void);

/* world_client.c */
struct client {
	int fd;     /* -1: none */
	int server; /* the worker's end */
	uint32_t party;
	uint32_t node;   /* that it says it is */
	uint32_t nonce;  /* of its challenge */
	int state;       /* what comes next from the worker */
	int wild;        /* boolean: has sent what is not understood here */
	int open;        /* boolean: the parent has let it in */
	int head;        /* boolean: asked with HEAD */
	int eof;         /* boolean */
	int deaf;        /* boolean: what it gets may be anything */
	size_t left;     /* bytes of an answer's body */
	uint64_t total;  /* bytes that it has read */
	uint32_t pings;  /* that it has sent */
	uint32_t ponged; /* the last of them that was answered */
	size_t rx_len;
	size_t tx_len;
	uint8_t rx[MESSAGE_MAX];
	uint8_t tx[2 * MESSAGE_MAX];
};
extern struct client clients[CLIENTS];

void clients_begin(void);
struct client *client_of(uint32_t);
void client_connect(struct client *, uint8_t);
int client_come(struct client *, uint32_t);
uint8_t *client_room(struct client *, size_t);
void client_add(struct client *, const void *, size_t);
void client_frame(struct client *, int, const uint8_t *, size_t);
void client_ping(struct client *, size_t);
int client_push(struct client *, size_t);
int client_read(struct client *, size_t);
void client_hang_up(struct client *);
int client_logged_in(const struct client *);
uint32_t clients_frames(void);

#endif /* REGRESS_FUZZ_WORLD_H */
