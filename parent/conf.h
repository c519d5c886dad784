/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_CONF_H
#define PARENT_CONF_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "common/proto.h"

/* beacond.conf(5).  Limits of what can be configured. */
#define CONF_PATH_MAX PROTO_PATH_LEN
#define CONF_USER_MAX 32
#define CONF_HOST_MAX 256 /* a name of DNS, or a path */
#define CONF_DEFAULT  "/etc/beacond.conf"
#define CONF_NEW      ".new" /* ends the name of a file that is written */

enum conf_address_kind {
	CONF_LISTEN,        /* listen on ADDRESS port PORT */
	CONF_LISTEN_UDP,    /* listen udp on ADDRESS port PORT */
	CONF_METRICS,       /* metrics on ADDRESS port PORT */
	CONF_PEER_BEACON,   /* peer beacon ADDRESS port PORT */
	CONF_PUNCH_EXEMPT,  /* punch exempt ADDRESS[/PREFIX] */
	CONF_SOURCE_EXEMPT, /* source exempt ADDRESS[/PREFIX] */
	CONF_TRUSTED_PROXY  /* trusted proxy ADDRESS[/PREFIX] */
};

/* One directive that names an address; kept in the order of the file. */
struct conf_address {
	TAILQ_ENTRY(conf_address) entry;
	enum conf_address_kind kind;
	struct sockaddr_storage ss;
	socklen_t sslen;
	int prefix;               /* of a network: bits; else -1 */
	int proxy_protocol;       /* boolean; of CONF_LISTEN */
	char file[CONF_PATH_MAX]; /* where it stands, for later errors */
	int line;
};
TAILQ_HEAD(conf_addresses, conf_address);

/* A file that the configuration was read from, by the name it was given. */
struct conf_file {
	STAILQ_ENTRY(conf_file) entry;
	char path[CONF_PATH_MAX];
};
STAILQ_HEAD(conf_files, conf_file);

#define CONF_DIRECTIVES_MAX 64

struct conf_place {
	char file[CONF_PATH_MAX];
	int line; /* 0: nowhere */
};

/* Where another program is. */
struct conf_host {
	char name[CONF_HOST_MAX]; /* or numeric address, or path; "": none */
	uint32_t port;            /* host order; 0: a path */
};

struct config {
	struct conf_addresses addresses;
	struct conf_files files;           /* but for standard input */
	uint32_t workers;                  /* 0: auto */
	char keys_file[CONF_PATH_MAX];     /* "": none */
	char keys_snapshot[CONF_PATH_MAX]; /* likewise, and so are the next */
	char keys_cache[CONF_PATH_MAX];
	char token_file[CONF_PATH_MAX];
	char blocks_file[CONF_PATH_MAX];
	struct conf_host registry;
	uint32_t registry_rate;    /* requests/s */
	uint32_t registry_burst;   /* requests */
	uint32_t registry_refresh; /* seconds, as are the next two */
	uint32_t registry_stale;
	uint32_t registry_grace;
	int enroll; /* boolean: with the registry, as `advertise` */
	struct conf_host advertise;
	char control_socket[CONF_PATH_MAX];
	char router_socket[CONF_PATH_MAX]; /* "": none */
	char router_user[CONF_USER_MAX];   /* "": same as user */
	int router_drop;          /* boolean: without a router, nobody routes */
	char user[CONF_USER_MAX]; /* "": none */
	char worker_user[CONF_USER_MAX];  /* "": same as user */
	char auth_user[CONF_USER_MAX];    /* "": same as user */
	char metrics_user[CONF_USER_MAX]; /* "": same as user */
	uint32_t auth_timeout;            /* seconds, as all timeouts */
	uint32_t idle_timeout;
	uint32_t ping_interval;
	uint32_t write_timeout;
	uint32_t drain_grace;
	uint32_t drain_on_stop; /* 0: at once */
	uint32_t max_peers;     /* 0: unlimited */
	uint32_t max_frame;     /* bytes */
	int legacy_signatures;
	int log_json;                 /* boolean */
	int log_level;                /* 0: LOG_ERR, 1: LOG_WARNING and so on */
	int forwarded;                /* boolean: proxies write Forwarded */
	uint32_t source_packet_limit; /* packets/s; 0: off */
	uint32_t source_byte_limit;   /* bytes/s; 0: off */
	uint32_t source_upgrade_limit; /* upgrades/s; 0: off */
	uint32_t source_node_limit;    /* UDP nodes; 0: off */
	int require_punch_grant;
	uint32_t punch_source_limit; /* per source per second; 0: off */
	uint32_t punch_total_limit;  /* per second; 0: off */
	uint32_t beacon_id;
	int accept_gossip_from_any;
	struct sockaddr_storage default_beacon; /* ss_family 0: none */
	socklen_t default_beacon_len;
	/* Where each directive was given first. */
	struct conf_place given[CONF_DIRECTIVES_MAX];
};

/* How many workers there are to be, on a machine of so many CPUs. */
static inline uint32_t
conf_workers(const struct config *conf, uint32_t cpus)
{
	return (conf->workers != 0 ? conf->workers : cpus);
}

struct config *conf_new(void);
int conf_has_names(const struct config *);
void conf_free(struct config *);
const struct conf_place *conf_given(const struct config *, const char *name);
int conf_parse(struct config *, const char *, FILE *);
const char *conf_changed(
    const struct config *old, const struct config *new, size_t *next);
void conf_print(const struct config *, FILE *);

#endif /* PARENT_CONF_H */
