/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_SUMS_H
#define COMMON_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/counters.h"
#include "common/proto.h"

/*
 * What the metrics process may tell, and all that it ever sees: sums over all
 * processes, in a memfd that the parent alone can write, sealed like the peer
 * map, and that is written once a second (doc/architecture.md 10).  All of it
 * are words of 64 bits behind one sequence number, which is odd meanwhile.
 */

#define REGISTRY "pilot_beacon_registry_"

/* clang-format off */
/* What may go up and down: identifier, name, parts of its unit, help. */
#define GAUGE_LIST(X) \
	X(PEERS, METRIC_ACTIVE_PEERS, 1, "nodes connected by WebSocket") \
	X(MAX_PEERS, "pilot_beacon_max_peers", 1, \
	    "most of them that may be; 0: no limit") \
	X(NODES, "pilot_beacon_nodes", 1, "nodes known by any transport") \
	X(BEACONS, "pilot_beacon_beacons_heard", 1, \
	    "other beacons heard lately") \
	X(KEYS, "pilot_beacon_keys", 1, "public keys read from the key file") \
	X(KEY_LINES_BAD, "pilot_beacon_key_lines_bad", 1, \
	    "lines of the key file that were skipped") \
	X(REGISTRY_UP, REGISTRY "up", 1, "1 while the registry answers") \
	X(REGISTRY_WAITING, REGISTRY "waiting", 1, \
	    "logins that wait for the registry") \
	X(REGISTRY_QUEUED, REGISTRY "queued", 1, \
	    "lookups that are to be sent") \
	X(REGISTRY_BUDGET, REGISTRY "budget", 1, \
	    "requests that may be sent at once") \
	X(REGISTRY_KEYS, REGISTRY "keys", 1, \
	    "keys that the registry has told") \
	X(REGISTRY_LATENCY, REGISTRY "latency_seconds", 1000000, \
	    "what an answer took in the last minute, on average") \
	X(REGISTRY_LATENCY_MAX, REGISTRY "latency_max_seconds", 1000000, \
	    "and at most") \
	X(SNAPSHOT_KEYS, REGISTRY "snapshot_keys", 1, "keys of its snapshot") \
	X(SNAPSHOT_AGE, REGISTRY "snapshot_age_seconds", 1, \
	    "since that was written; 0 without one") \
	X(MAX_FDS, "pilot_beacon_max_fds", 1, \
	    "descriptors that each process may have open") \
	X(DRAINING, "pilot_beacon_draining", 1, "1 while it is about to end") \
	X(START, "pilot_beacon_start_time_seconds", 1, \
	    "when it was started, unix time") \
	X(RELOAD_OK, "pilot_beacon_last_reload_successful", 1, \
	    "1 unless the last reload found an error") \
	X(RELOADED, "pilot_beacon_last_reload_success_time_seconds", 1, \
	    "when the configuration that is used was read, unix time") \
	X(PUBLISHED, "pilot_beacon_published_time_seconds", 1, \
	    "when these numbers were put together, unix time")

/* The same of each process. */
#define PROCESS_LIST(X) \
	X(UP, "pilot_beacon_process_up", "gauge", 1, \
	    "1 while the process runs") \
	X(STARTED, "pilot_beacon_process_start_time_seconds", "gauge", 1, \
	    "when it was started, unix time") \
	X(RESTARTS, "pilot_beacon_process_restarts_total", "counter", 1, \
	    "times that it had to be started anew") \
	X(CPU, "pilot_beacon_process_cpu_seconds_total", "counter", 1000000, \
	    "CPU time that it has used, in user mode and in the kernel") \
	X(SESSIONS, "pilot_beacon_process_sessions", "gauge", 1, \
	    "nodes connected by WebSocket to it, if it is a worker") \
	/* From here on in the order of enum own. */ \
	X(CONNECTIONS, "pilot_beacon_process_connections", "gauge", 1, \
	    "open connections, those not logged in as well") \
	X(STRANGERS, "pilot_beacon_process_logging_in", "gauge", 1, \
	    "open connections that have not logged in") \
	X(MEMORY, "pilot_beacon_process_resident_memory_max_bytes", "gauge", \
	    1, "most memory that it has had resident, or what it was" \
	    " started by") \
	X(FDS, "pilot_beacon_process_open_fds", "gauge", 1, \
	    "descriptors that it has open") \
	X(QUEUED_PEERS, "pilot_beacon_process_queued_peers_bytes", "gauge", 1, \
	    "memory for what waits for peers to read") \
	X(QUEUED_WORKERS, "pilot_beacon_process_queued_workers_bytes", \
	    "gauge", 1, "what waits for other workers to read") \
	X(QUEUED_UDP, "pilot_beacon_process_queued_udp_bytes", "gauge", 1, \
	    "datagrams that wait for a socket")

/* And of each other beacon; the last two in the order of enum beacon_way. */
#define BEACON_LIST(X) \
	X(UP, "pilot_beacon_beacon_up", "gauge", \
	    "1 while the other beacon is heard") \
	X(IN, "pilot_beacon_beacon_packets_in_total", "counter", \
	    "packets that it has handed to us") \
	X(OUT, "pilot_beacon_beacon_packets_out_total", \
	    "counter", "packets that were handed to it")
/* clang-format on */

enum gauge {
#define X(id, name, per, help) GAUGE_##id,
	GAUGE_LIST(X)
#undef X
	    GAUGE_MAX
};

enum process_value {
#define X(id, name, type, per, help) PROCESS_##id,
	PROCESS_LIST(X)
#undef X
	    PROCESS_MAX
};

enum beacon_value {
#define X(id, name, type, help) BEACON_VALUE_##id,
	BEACON_LIST(X)
#undef X
	    BEACON_VALUE_MAX
};

_Static_assert(PROCESS_MAX - PROCESS_CONNECTIONS == OWN_MAX, "one row each");

#define SUMS_PROCESSES_MAX (PROTO_WORKERS_MAX + 3)

struct sums_process {
	uint64_t role; /* enum role */
	uint64_t number;
	uint64_t pid; /* 0: there is none just now */
	uint64_t value[PROCESS_MAX];
};

struct sums_beacon {
	uint64_t addr[2]; /* 16 bytes */
	uint64_t port;    /* 0: there is none of that number */
	uint64_t value[BEACON_VALUE_MAX];
};

struct sums_data {
	uint64_t counter[COUNTER_MAX];
	struct histogram histogram[HISTOGRAM_MAX];
	struct sums_beacon beacon[BEACON_COLUMNS]; /* see common/counters.h */
	uint64_t gauge[GAUGE_MAX];
	uint64_t nprocesses;
	struct sums_process process[SUMS_PROCESSES_MAX];
};

struct sums {
	uint64_t seq; /* 0: nothing was ever written */
	struct sums_data data;
};

#define SUMS_BYTES 16384

_Static_assert(sizeof(struct sums) <= SUMS_BYTES, "room for all");

const struct sums *sums_open(int);
void sums_write(struct sums *, const struct sums_data *);
int sums_read(const struct sums *, struct sums_data *);

#endif /* COMMON_SUMS_H */
