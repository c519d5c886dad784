/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_CONTROL_H
#define PARENT_CONTROL_H

#include <sys/queue.h>
#include <sys/un.h>

#include <ev.h>
#include <stdint.h>

#include "common/channel.h"
#include "common/peermap.h"
#include "common/proto_ctl.h"
#include "parent/local_socket.h"

#define CONTROL_CLIENTS_MAX 32
#define CONTROL_QUEUE       (1U << 20)   /* bytes for one client */
#define CONTROL_QUEUE_HIGH  (256U << 10) /* a walk pauses above this */
#define CONTROL_WALK        65536        /* entries looked at in one turn */
#define CONTROL_WALK_EVERY  0.01         /* seconds */
#define CONTROL_PAGE        960          /* sessions asked about at a time */
#define CONTROL_STAT_WAIT   2.           /* seconds for a worker's answer */
#define CONTROL_RENEW_WAIT  60.          /* seconds for sessions to move */
#define CONTROL_RELOAD_WAIT 8.           /* seconds for auth's, about keys */

/* Why a channel ends whose other end lets answers pile up. */
#define CONTROL_SLOW "does not read"

/* States of a client's channel. */
#define CONTROL_READY 0x1 /* a request may come */
#define CONTROL_BUSY  0x2 /* one is being answered */
#define CONTROL_TAKES 0x4 /* another parent, which has all sockets */
#define CONTROL_TAKEN 0x8 /* and all sessions */

enum control_job {
	JOB_NONE,
	JOB_PEERS,
	JOB_NODES,
	JOB_PEER,
	JOB_RELOADING,
	JOB_RELOAD,
	JOB_RENEW,
	JOB_TAKE,
	JOB_PARK
};

/* Sessions of the map; control_peers.c asks their workers for the rest. */
struct control_page {
	uint32_t request;
	uint32_t nrows;
	uint32_t waits; /* workers that have not answered yet */
	/* Of each worker, booleans: */
	uint8_t asked[PROTO_PLACES_MAX];  /* it has not answered yet, or ... */
	uint8_t silent[PROTO_PLACES_MAX]; /* not in time: never asked again */
	struct msg_ctl_peer rows[CONTROL_PAGE];
};

struct parent;

struct control_client {
	TAILQ_ENTRY(control_client) entry;
	struct control *control;
	struct channel channel;
	ev_timer timer;
	enum control_job job;
	void (*left)(struct parent *); /* called when it goes; NULL */
	uint32_t next;                 /* JOB_PEERS, JOB_NODES: entry */
	struct control_page page;      /* JOB_PEERS, JOB_PEER */
};
TAILQ_HEAD(control_clients, control_client);

struct control {
	struct parent *parent;
	struct local_socket socket;
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const struct channel_rule *rules;
	size_t nrules;
	ev_io listener;
	ev_timer pause;
	struct control_clients clients;
	uint32_t nclients;
	uint32_t request; /* the last number given to a page */
};

/* control.c */
int control_row(struct control_client *, enum ctl_reply, const void *, size_t);
const char *control_done(struct control_client *, int error);
const char *control_reload_done(struct control_client *);
void control_wait(struct control_client *, enum control_job,
    void (*)(struct ev_loop *, ev_timer *, int), double after, double every);
struct control_client *control_of(const struct parent *, enum control_job);
void control_drop(struct control_client *);

/* control_peers.c */
const char *control_peers(struct control_client *);
const char *control_peer(struct control_client *, const struct peermap_entry *);

/* from_ctl_take.c */
const char *from_ctl_sockets(void *, const void *, size_t, int fd);
const char *from_ctl_adopt(void *, const void *, size_t, int fd);
const char *from_ctl_ahead(void *, const void *, size_t, int fd);
const char *from_ctl_take(void *, const void *, size_t, int fd);
const char *from_ctl_taken(void *, const void *, size_t, int fd);

/* from_ctl_park.c */
const char *from_ctl_park(void *, const void *, size_t, int fd);

/* from_ctl_block.c */
const char *from_ctl_drop(void *, const void *, size_t, int fd);
const char *from_ctl_block(void *, const void *, size_t, int fd);
const char *from_ctl_unblock(void *, const void *, size_t, int fd);
const char *from_ctl_show_blocked(void *, const void *, size_t, int fd);

/* from_ctl_workers.c */
const char *from_ctl_show_workers(void *, const void *, size_t, int fd);

/* from_ctl.c */
extern const struct channel_rule from_ctl_rules[];
extern const size_t from_ctl_nrules;

#endif /* PARENT_CONTROL_H */
