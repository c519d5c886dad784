/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdint.h>
#include <stdio.h>

#include "common/counters.h"
#include "common/imsg.h"
#include "common/proto_ctl.h"

#define CTL_SOCKET_DEFAULT "/run/beacond/control.sock"
#define CTL_ANSWER_TIMEOUT 10 /* seconds without a word from the parent */
#define DRAIN_SECONDS      60 /* unless something else is said */
#define CTL_STOP_TIMEOUT   10 /* seconds that beacond may take to end */

/* Exit codes, documented in beaconctl(8). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_RESTART = 3 /* reload: done, but for what waits for a restart */
};

enum action {
	ACTION_NONE,
	ACTION_SHOW_SUMMARY,
	ACTION_SHOW_METRICS,
	ACTION_SHOW_PEER,
	ACTION_SHOW_PEERS,
	ACTION_SHOW_NODE,
	ACTION_SHOW_NODES,
	ACTION_SHOW_BEACONS,
	ACTION_SHOW_REGISTRY,
	ACTION_SHOW_BLOCKED,
	ACTION_SHOW_WORKERS,
	ACTION_DROP,
	ACTION_DRAIN,
	ACTION_UNDRAIN,
	ACTION_BLOCK,
	ACTION_UNBLOCK,
	ACTION_LOG_LEVEL,
	ACTION_RENEW,
	ACTION_UPGRADE,
	ACTION_PARK,
	ACTION_RELOAD,
	ACTION_STOP,
	ACTION_KEYGEN,
	ACTION_PROBE,
	ACTION_TOP
};

/* The last two of peers only. */
enum sort_key { SORT_NOT, SORT_NODE, SORT_AGE, SORT_TRAFFIC, SORT_QUEUE };

/* Which rows of show peers and show nodes, and in which order. */
struct selection {
	enum sort_key sort;
	uint32_t most;     /* rows; 0: all */
	uint32_t worker;   /* number + 1; 0: any, or none */
	uint8_t from[16];  /* a network, of peers' or UDP addresses */
	uint32_t from_len; /* bits + 1; 0: any, or none */
	uint64_t traffic;  /* peers: at least so many bytes, both ways */
};

/* What the words of a command line say. */
struct command {
	struct selection select;
	enum action action;
	uint32_t node;              /* of show peer, show node and drop */
	struct msg_ctl_block block; /* of block and unblock */
	uint32_t level;             /* of log level, as in syslog(3) */
	int argc;    /* keygen and probe: their own command line, */
	char **argv; /* of which argv[0] is the word itself */
};

/* parser.c */
int parse_command(int, char **, struct command *, FILE *);
int parse_node(const char *, uint32_t *);
int parse_seconds(const char *, uint32_t *);

/* usage.c */
void usage_help(void) __attribute__((noreturn));
void usage(const char *, ...) __attribute__((noreturn, format(printf, 1, 2)));
void usage_probe(const char *, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

/* client.c */
struct client {
	struct imsgbuf imsgbuf;
	int fd;
};

void client_open(struct client *, const char *);
void client_request(struct client *, uint32_t, const void *, size_t);
int client_answer(struct client *, struct imsg *);
int client_wait_closed(struct client *, int);
void client_close(struct client *);

/* rows.c */
union row {
	struct msg_ctl_summary summary;
	struct msg_ctl_child child;
	uint64_t metrics[COUNTER_MAX + 1];
	struct msg_ctl_peer peer;
	struct msg_ctl_entry node;
	struct msg_ctl_beacon beacon;
	struct msg_ctl_blocked blocked;
	struct msg_ctl_worker worker;
	struct msg_ctl_registry registry;
	struct msg_ctl_said said;
	struct msg_ctl_end end;
};

int rows_take(const struct selection *, uint32_t type, const union row *);
const union row *rows_next(const struct selection *, uint32_t *type);

/* show.c */
int control(const struct command *, const char *, int);

/* keyfile.c */
struct node_key {
	uint8_t public[32];
	uint8_t secret[64]; /* as crypto_sign_detached(3) wants it */
};

#define KEY_BASE64_LEN 45 /* of 32 bytes, NUL included */

int keyfile_create(const char *, struct node_key *, char *, size_t);
int keyfile_read(const char *, struct node_key *, char *, size_t);
void key_base64(const struct node_key *, char[KEY_BASE64_LEN]);

/* keygen.c */
int keygen(int, char **);

/* probe.c */
int probe(int argc, char **, int json);

#endif /* CTL_CTL_H */
