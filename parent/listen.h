/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_LISTEN_H
#define PARENT_LISTEN_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <stdint.h>

#include "common/address.h"

#define LISTEN_BACKLOG 4096
#define UDP_BUFFER     (4 << 20) /* bytes, each way */
#define LISTEN_TEXT    ADDRESS_TEXT_LEN
#define LISTEN_UDP_MAX 64 /* sockets of one address */

/*
 * Bytes of a connection that may lie in the kernel and have not left: a pong is
 * behind them, and all else waits in the worker, where it is ahead.
 */
#define LISTEN_UNSENT (16 << 10)

#define SHARES_MAX 64 /* power of two; ports that gossip leaves from */

struct conf_address;
struct parent;
struct process;

enum listener_kind {
	LISTENER_WEBSOCKET,
	LISTENER_UDP,
	LISTENER_METRICS,
	LISTENER_KINDS
};

struct listener {
	TAILQ_ENTRY(listener) entry;
	enum listener_kind kind;
	int proxy_protocol;            /* boolean; of LISTENER_WEBSOCKET */
	uint32_t number;               /* as children know it */
	struct sockaddr_storage named; /* as it stands in the configuration */
	struct sockaddr_storage ss;    /* as bound */
	socklen_t sslen;
	/* Of a reload, listen_change.c.  Booleans: */
	int wanted; /* the configuration has it */
	int fresh;  /* and had it not before */
	int beside; /* bound beside another that goes */
	/* Boolean: UDP: another parent, or the service manager, had it. */
	int left;
	uint32_t nshares_before;
	int shares[SHARES_MAX]; /* UDP: further ports, for gossip; from 1 on */
	uint32_t nshares;       /* UDP: 1: none yet */
	int nfds;        /* UDP: see listen_udp.c; else one, for all workers */
	int nfds_before; /* of a reload, resize.c */
	int fds[LISTEN_UDP_MAX]; /* -1: lost */
};
TAILQ_HEAD(listeners, listener);

/* listen.c */
int listen_named(const struct conf_address *, enum listener_kind *);
struct listener *listen_open(
    struct parent *, const struct conf_address *, int beside);
void listen_free(struct listener *);
void listen_all(struct parent *);
int listen_each(const struct parent *, int (*)(void *, int), void *);
int listen_has(const struct parent *, enum listener_kind);
void listen_print(const struct listener *);
void listen_print_all(const struct parent *);
void listen_close(struct parent *);

/* listen_address.c */
int listen_is_any(const struct sockaddr_storage *);
const char *listen_kind(const struct listener *);
void listen_text(const struct sockaddr_storage *, char *out);
uint16_t listen_network(const struct conf_address *, uint8_t addr[16]);

/* listen_check.c */
int listen_check(struct process *);
int listen_chown(struct parent *, uid_t);

/* listen_fail.c */
int listen_fail(const struct conf_address *, int);

/* listen_socket.c */
int listen_failed(const char *call);
const char *listen_failed_call(void);
int listen_bind(
    int type, int reuse, const struct sockaddr_storage *, socklen_t, int like);
int listen_bound(struct listener *, int fd);
int listen_inherited(
    int fd, int type, const struct sockaddr_storage *, socklen_t);
int listen_accepts(int fd);
int listen_again(int fd);
int listen_udp_works(int fd, const struct sockaddr_storage *, socklen_t);

/* listen_udp.c */
int listen_udp_socket(const struct listener *);
int listen_udp_share(const struct listener *);
int listen_udp(
    const struct parent *, struct listener *, const struct conf_address *);
int listen_udp_more(struct listener *, uint32_t);
void listen_udp_fewer(struct listener *, int);
void listen_udp_further(struct parent *);

#endif /* PARENT_LISTEN_H */
