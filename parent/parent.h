/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_PARENT_H
#define PARENT_PARENT_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <ev.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>

#include "common/address.h"
#include "common/blocks.h"
#include "common/channel.h"
#include "common/counters.h"
#include "common/log.h"
#include "common/proto_ctl.h"
#include "parent/beacons.h"
#include "parent/conf.h"
#include "parent/drain.h"
#include "parent/gossip.h"
#include "parent/keys_store.h"
#include "parent/holders.h"
#include "parent/listen.h"
#include "parent/move.h"
#include "parent/park.h"
#include "parent/peermap_write.h"
#include "parent/places.h"
#include "parent/registry.h"
#include "parent/resolve.h"
#include "parent/router.h"
#include "parent/successor.h"
#include "parent/supervise.h"

#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec/beacond"
#endif

#define SWEEP_SECONDS 60 /* in which a sweep sees every entry */

#define REPLACE_MAX    8  /* of one node's sessions, in ... */
#define REPLACE_WINDOW 60 /* ... seconds; then its logins are refused */

#define ANSWERS_QUEUE_MAX (1 << 20) /* bytes; PW_ENDPOINTs wait for no more */

#define MESSAGE_BURST 400000 /* messages from one child at once */
#define MESSAGE_RATE  100000 /* and lasting, per second */

/*
 * Sessions that auth may revoke at once, and lasting, per second.  It looks
 * again while there are some left (auth/keys.c).
 */
#define REVOKE_BURST 10000
#define REVOKE_RATE  1000

/*
 * Of sessions that today's keys admitted: the registry's word ends them, and it
 * is asked of so many, doc/protocol.md 6; or the end of a key's grace.
 */
#define UNLEARN_BURST 1000
#define UNLEARN_RATE  100

/*
 * Auth may complain twice about each worker, and lasting as often a minute;
 * then it counts as the hostile one.
 */
#define COMPLAINTS_MAX 2
#define COMPLAINT_COST 60

#define LOG_CHILD_LINES 500 /* of one child, per second, in all ways */

#define BACKOFF_FIRST 0.1 /* seconds; the first restart is at once */
#define BACKOFF_MAX   10.
#define BACKOFF_RESET 60 /* of life after which all is forgiven */
#define DEATHS_WINDOW 60 /* seconds, see role_rules.deaths */
#define STOP_SECONDS  4. /* children get to end; a worker's peers get 3 */

/* States of a child's channel; 0: nothing more is taken. */
#define PROCESS_STARTING 0x1
#define PROCESS_RUNNING  0x2

struct process;

/*
 * A kind of process.  A further one is a row of roles.c, a place for its
 * processes, and a directory.
 */
struct role_rules {
	enum role id;
	const char *name;
	const char *program;
	size_t user;     /* offset in struct config; "": that of `user` */
	uint32_t deaths; /* more in DEATHS_WINDOW end the daemon; 0: never */
	const struct channel_rule *rules; /* what it may say */
	const size_t *nrules;
	/* What all are told, its types for it; settings, map 0: not told. */
	uint32_t hello, settings, map, counters, start, ping, shutdown;
	void (*introduce)(struct process *); /* between counters and start */
	void (*lost)(struct process *); /* what it held is to be let go; NULL */
	void (*dead)(struct process *); /* and now it holds nothing; NULL */
	void (*ready)(struct process *); /* it does its work; NULL */
	void (*left)(struct place *);    /* is to be held by nobody; NULL */
	int alone; /* boolean: has no channel but the parent's */
};

/* Where a role's program lies and as whom it runs. */
struct role_program {
	int fd;              /* O_PATH */
	int before;          /* likewise, of an earlier version; -1: none */
	char path[PATH_MAX]; /* whence it was opened */
	/*
	 * For children that change their ids themselves, as root: see
	 * common/child.h.  drop 0: they run as whom the parent runs.
	 */
	int drop;
	uid_t uid;
	gid_t gid;
	const char *root;
};

struct parent;

/*
 * Where a process of a role belongs: worker 3, say.  It stays when the child
 * that holds it is replaced.
 */
struct place {
	struct parent *parent;
	const struct role_rules *role;
	uint32_t number;       /* of a worker's: see place_share(); else 0 */
	char name[24];         /* "worker[1]" */
	struct process *child; /* that holds it; NULL: nobody */
	uint32_t epoch;        /* children that were started for it */
	uint32_t first;        /* epoch before the first that was no restart */
	uint32_t restarts;
	int was_ready; /* boolean: some child of it was */
	int retired;   /* boolean: nobody is to hold it any more */
	/* Of a worker's, see places.c.  Booleans: */
	int candidate; /* its child is to do another's work, if all goes well */
	int leaving;   /* its child's sessions are to go to others */
	int moved;     /* none of them is left there */
	int asked;     /* and it is to answer a ping, and then */
	int ended;     /* it is told to end */
	uint32_t left; /* clock_seconds() when it began to leave */
	uint32_t walk; /* the entry of the map to look at next */
	ev_tstamp backoff;
	uint32_t deaths;       /* in the window that began at ... */
	uint32_t deaths_since; /* clock_seconds() */
	ev_timer restart;
};

/* A child; freed when it is known to be dead. */
struct process {
	struct parent *parent;
	struct place *place;
	pid_t pid;
	uint32_t epoch; /* which child of its place it is: 1, 2, ... */
	enum ctl_child_state state;
	int killed;       /* boolean: by us, and that was logged */
	int unanswered;   /* pings */
	uint32_t started; /* clock_seconds() */
	struct channel channel;
	ev_child reaper;
	ev_io watcher; /* in its place, of another parent's: a pidfd */
	ev_prepare lost; /* fed when what it held is to be let go */
	ev_io log;
	ev_io words;                            /* its standard error */
	unsigned char words_text[LOG_LINE_MAX]; /* the line that has begun */
	uint32_t words_len;
	struct persecond log_lines;
	struct budget budget;     /* messages that it may still send */
	struct budget complaints; /* of auth; each takes COMPLAINT_COST */
	int page_fd;
	struct counters *page; /* read-only; NULL: none */
	uint32_t sessions;     /* of a worker, in the peer map */
	struct sync sync;
	struct move *move;  /* of sessions that it has; NULL: none */
	uint32_t move_late; /* clock_seconds() when one was too late */
	uint32_t still;     /* the last ticket by which it stood still */
};

struct control;

struct parent {
	struct ev_loop *loop;
	struct config *conf;
	const struct config *conf_start; /* what only a restart changes */
	const char *conf_file;
	int foreground;
	int devnull;
	uint32_t started; /* clock_seconds() */
	uint32_t max_sockets;
	uint64_t max_files; /* descriptors, of each process */

	const struct role_rules *roles; /* [ROLE_MAX] */
	struct role_program programs[ROLE_MAX];
	struct place workers[PROTO_PLACES_MAX]; /* role NULL: not used */
	struct place auth;
	struct place metrics; /* role NULL: none is configured */
	/* Of an upgrade, see beside.c; role NULL: none is under way. */
	struct place auth_beside;
	struct place metrics_beside;
	uint32_t nworkers;        /* as many as there are to be, */
	uint32_t nworkers_before; /* were before the last reload, */
	uint32_t nsteered;        /* and before that of resized */
	uint32_t resized;         /* clock_seconds() */
	uint32_t cpus;            /* as many are there if nobody says */
	int ready;
	int reloading; /* boolean: a reload is not over yet */
	int log_level; /* as in syslog(3) */
	int stopping;  /* 1: children end; 2: they are being killed */
	struct listeners listeners;
	int steered;   /* boolean: datagrams come as common/steer.h says */
	int unsteered; /* boolean: they do not, and never will */
	uint32_t steer_key;
	struct pmap map;
	struct blocks *blocks;   /* of nodes and networks: block.c */
	struct holders *holders; /* of the map's UDP endpoints */
	uint32_t sweep;          /* next entry to look at */
	struct counters base;    /* of children that are gone */
	struct sums *sums;       /* for metrics; NULL: none is configured */
	int sums_fd;
	struct gossip gossip;
	struct control *control;
	struct registry registry;
	struct router router;
	struct drain drain;
	struct places places;
	struct park park;
	struct successor successor;
	uint32_t tickets; /* the last that a move has got */
	struct resolve resolve;
	struct beacons beacons;
	struct keys_snapshot snapshot;
	struct keys_cache cache;
	char token[PROTO_TOKEN_LEN]; /* of the registry; "": none */
	uint32_t keys;
	uint32_t key_lines_bad;
	uint32_t keys_asked;       /* PA_KEYS that auth has not answered */
	uint32_t keys_missed;      /* clock_seconds(); 0: auth has read them */
	uint32_t keys_generation;  /* the last that earlier keys admitted */
	struct budget revocations; /* of auth */
	struct budget unlearned;   /* likewise, of today's keys */
	int loads_old;             /* boolean: sessions came or went */
	uint32_t reloaded;         /* clock_seconds() of the last that did it */
	int reload_failed;         /* boolean: the last one did not */
	int reload_waits;          /* boolean: some of it, for a restart */
	ev_prepare before_wait;
	ev_timer second, ping, watchdog, stop_timer;
	ev_signal sigterm, sigint, sighup;
};

/*
 * A worker's part of the work, below parent->nworkers: which datagrams come to
 * it, and how it is called.  There are two places for each part, of which one
 * is empty but while the sessions of its child move to that of the other.
 */
static inline uint32_t
place_share(const struct place *place)
{
	return (place->number % PROTO_WORKERS_MAX);
}

/* Boolean: another parent has started it, adopt.c. */
static inline int
process_is_adopted(const struct process *p)
{
	return (p->watcher.fd != -1);
}

/* Whose sessions go where: there may be something to do. */
static inline void
places_wake(struct parent *parent)
{
	if (parent->places.leaving > 0)
		ev_feed_event(parent->loop, &parent->places.timer, EV_TIMER);
}

/* Boolean: it is about to end, or to do without its peers. */
static inline int
parent_is_ending(const struct parent *parent)
{
	return (parent->stopping != 0 || parent->drain.phase != DRAIN_NOT);
}

/* admit.c */
const char *admit_login(struct parent *, const struct msg_admit *);
const char *admit_closed(struct process *, const struct msg_closed *);
int admit_is_open(const struct parent *, const struct msg_closed *);
int admit_revoke(struct parent *, const struct msg_closed *);
int admit_forget(struct parent *, const struct msg_closed *);
int admit_drop(struct parent *, uint32_t node);
void admit_worker_lost(struct process *);

/* block.c */
void block_init(struct parent *);
int block_add(struct parent *, const struct msg_ctl_block *);
int block_remove(struct parent *, const struct msg_ctl_block *);
void block_expire(struct parent *);
void block_introduce(struct process *);

/* check.c */
int check(const struct config *);

/* control.c */
void control_check(struct parent *);
void control_bind(struct parent *);
const char *control_made(const struct parent *);
void control_start(struct parent *, const struct channel_rule *, size_t nrules);
void control_stop(struct parent *);
const char *control_stat(
    struct process *, const struct msg_stat *, const struct msg_stat_row *);
void control_reloaded(struct parent *, int);
void control_renewed(struct parent *, int error);
int control_is_parting(const struct parent *);
void control_pause(struct parent *);
void control_resume(struct parent *);

/* death.c */
void death_log(const struct process *, int status);

/* endpoint.c */
const char *endpoint_seen(struct process *, const struct msg_endpoint *);
void endpoint_exempt(struct parent *);
void endpoint_block_node(struct parent *, uint32_t node);
void endpoint_block_network(struct parent *, const struct block *);
void endpoint_sweep(struct parent *);
void endpoint_restore(struct parent *, const struct msg_endpoint *,
    uint32_t seen, uint32_t moved);

/* from_auth.c */
extern const struct channel_rule from_auth_rules[];
extern const size_t from_auth_nrules;

/* from_metrics.c */
extern const struct channel_rule from_metrics_rules[];
extern const size_t from_metrics_nrules;

/* from_worker.c */
extern const struct channel_rule from_worker_rules[];
extern const size_t from_worker_nrules;

/* keys.c */
int keys_open(const char *, uint32_t had);
void keys_begin(struct parent *);
void keys_again(struct parent *);
int keys_send(struct parent *);
void keys_send_fd(struct parent *, int);
void keys_show(struct process *);

/* logfd.c */
void logfd_escape(char *, const unsigned char *, size_t);
void logfd_open(struct process *, int fd, int words);
void logfd_close(struct process *);
void logfd_drain(struct process *);

/* metrics.c */
int metrics_page(struct process *);
void metrics_fold(struct process *);
void metrics_sum(struct parent *, struct counters *);
uint64_t metrics_own(const struct process *, enum own);
uint32_t metrics_load(const struct process *);
void metrics_publish_loads(struct parent *);

/* privs.c */
void privs_limits(struct parent *);
void privs_check_files(const struct parent *);
#define PRIVS_WHY_MAX 256
int privs_find(const char *, const struct passwd **, char why[PRIVS_WHY_MAX]);
void privs_leave(uid_t, gid_t);
void privs_prepare(struct parent *);
void privs_drop(struct parent *);
int privs_hand_over(void);

/* process.c */
struct process *process_new(struct place *);
void process_free(struct process *);
struct process *process_of(const struct place *, uint32_t epoch);
struct place *process_place(struct parent *, uint32_t);
struct process *process_worker(struct parent *, uint32_t share);
void process_buffers(const int pair[2]);
void process_kill_at_once(const struct process *);
void process_lost(struct process *);
void process_kill(struct process *, const char *reason);
void process_end(struct process *, const char *reason);
void process_send(struct process *, uint32_t, int fd, const void *, size_t);
void process_send_workers(struct parent *, uint32_t, const void *, size_t);
void process_send_copy(
    struct process *, uint32_t type, int fd, const void *data, size_t len);

/* reload.c */
int reload(struct parent *);
void reload_over(struct parent *, int changed);
void reload_lost(struct parent *);
void reload_signal(struct ev_loop *, ev_signal *, int);

/* shutdown.c */
void shutdown_begin(struct parent *);
void shutdown_signal(struct ev_loop *, ev_signal *, int);
void shutdown_reaped(struct parent *);
void shutdown_kill_all(struct parent *);
void shutdown_silently(struct parent *);
void shutdown_fatal(struct parent *, const char *, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

/* roles.c */
extern const struct role_rules roles[ROLE_MAX];

/* spawn.c */
#define SPAWN_ENV_MAX 32
void spawn_environment(char *env[SPAWN_ENV_MAX + 1]);
void spawn_open_program(struct role_program *, const char *);
void spawn_open_programs(struct parent *);
int spawn_open_again(struct parent *);
void spawn_settle(struct parent *, int);
int spawn(struct process *, channel_end_fn);

/* sums.c */
int sums_create(struct parent *);
void sums_publish(struct parent *);

/* steer.c */
void steer_all(struct parent *);
void steer_more(struct parent *);
void steer_again(struct parent *);
void steer_on(struct parent *);
void steer_no_more(struct parent *);
int steer_reaches(const struct process *, const uint8_t[16], uint32_t);

/* wiring.c */
void wiring_introduce(struct process *);
void wiring_connect(struct process *a, struct process *b);
void wiring_introduce_auth(struct process *);
void wiring_auth_takes_over(struct process *);
void wiring_introduce_metrics(struct process *);
void wiring_introduce_worker(struct process *);
void wiring_listener(struct process *, const struct listener *);
void wiring_unlisten(struct process *, const struct listener *);
void wiring_settings(struct process *);
void wiring_networks(struct process *);
void wiring_log(struct parent *, int level);
void wiring_log_conf(struct parent *);

#endif /* PARENT_PARENT_H */
