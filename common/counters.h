/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_COUNTERS_H
#define COMMON_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/failures.h"

/*
 * One page of counters per child, written by that child alone, read by the
 * parent without a message (as numbers that may be lies).  The list gives, in
 * order: the identifier; LOSS if it counts what was refused, or failed, or was
 * dropped, else FLOW; the name under which operators see it; what it counts.
 * Names of doc/protocol.md 7 are kept.
 */
#define METRIC_ACTIVE_PEERS "pilot_beacon_wss_active" /* a gauge */

#define WSS     "pilot_beacon_wss_"
#define FAILURE WSS "failures_total"
#define BRIDGE  "pilot_beacon_relay_bridge_total"
#define DROP    "pilot_beacon_drops_total"
#define REFUSED "pilot_beacon_wss_refused_total"
#define UDP_IN  "pilot_beacon_udp_in_total"
#define RELOAD  "pilot_beacon_reloads_total"
#define HTTP    "pilot_beacon_metrics_requests_total"
#define LOOKUPS "pilot_beacon_registry_lookups_total"

/* clang-format off */
#define COUNTER_FAILURE(X, id, stage, reason, level, help) \
	X(FAIL_##id, LOSS, \
	    FAILURE "{stage=\"" stage "\",reason=\"" reason "\"}", help)
#define COUNTER_LIST(X) \
	X(UPGRADE_OK, FLOW, WSS "connections_total{outcome=\"upgrade_ok\"}", \
	    "WebSocket upgrades accepted (UpgradeOK)") \
	X(UPGRADE_FAIL, LOSS, \
	    WSS "connections_total{outcome=\"upgrade_fail\"}", \
	    "WebSocket upgrades refused (UpgradeFail)") \
	X(AUTH_OK, FLOW, WSS "connections_total{outcome=\"auth_ok\"}", \
	    "challenges answered and admitted (AuthOK)") \
	X(AUTH_FAIL, LOSS, WSS "connections_total{outcome=\"auth_fail\"}", \
	    "challenges failed, timed out or abandoned (AuthFail)") \
	FAILURE_LIST(COUNTER_FAILURE, X) \
	X(FRAMES_IN, FLOW, WSS "frames_in_total", \
	    "binary messages from authenticated peers (FramesIn)") \
	X(FRAMES_OUT, FLOW, WSS "frames_out_total", \
	    "binary messages accepted for a peer's connection (FramesOut)") \
	X(WSS_BYTES_IN, FLOW, WSS "bytes_in_total", \
	    "bytes received on WebSocket connections") \
	X(WSS_BYTES_OUT, FLOW, WSS "bytes_out_total", \
	    "bytes of frames that the kernel took for WebSocket connections") \
	X(IDLE_DISCONNS, FLOW, WSS "idle_disconnects_total", \
	    "peers dropped for inactivity (IdleDisconns)") \
	X(MOVED, FLOW, WSS "moved_total", \
	    "sessions handed to another worker") \
	X(MOVED_LATE, LOSS, WSS "moved_late_total", \
	    "batches of such whose packets were not waited for") \
	X(REPLACED, FLOW, WSS "replaced_total", \
	    "sessions closed because the node connected again") \
	X(REVOKED, FLOW, WSS "revoked_total", \
	    "sessions closed as a key went away or changed, or by a block") \
	X(DROPPED, FLOW, WSS "dropped_total", \
	    "sessions closed because an operator said so") \
	X(REVOKE_LATER, FLOW, WSS "revoke_later_total", \
	    "revocations put off because there were too many at once") \
	X(WRITE_TIMEOUTS, LOSS, WSS "write_timeouts_total", \
	    "peers dropped because they did not read") \
	X(PROTOCOL_ERRORS, LOSS, WSS "protocol_errors_total", \
	    "connections closed for a WebSocket violation (1002, 1007)") \
	X(TOO_BIG, LOSS, WSS "too_big_total", \
	    "connections closed for a message over max frame (1009)") \
	X(ACCEPTED, FLOW, "pilot_beacon_accepted_total", \
	    "TCP connections accepted") \
	X(ACCEPT_PAUSES, LOSS, "pilot_beacon_accept_pauses_total", \
	    "times accepting paused for want of descriptors or memory") \
	X(HTTP_PROBES, FLOW, "pilot_beacon_http_probes_total", \
	    "liveness probes answered (426 without an upgrade, /health)") \
	X(HTTP_ERRORS, LOSS, "pilot_beacon_http_errors_total", \
	    "other HTTP requests refused") \
	X(REFUSED_CAPACITY, LOSS, REFUSED "{reason=\"capacity\"}", \
	    "upgrades and logins refused at max peers") \
	X(REFUSED_RATE, LOSS, REFUSED "{reason=\"rate\"}", \
	    "upgrades refused above the rate of their source") \
	X(REFUSED_FLAPPING, LOSS, REFUSED "{reason=\"flapping\"}", \
	    "logins refused because the node replaces itself too often") \
	X(REFUSED_BLOCKED, LOSS, REFUSED "{reason=\"blocked\"}", \
	    "connections, upgrades, logins of whom an operator blocked") \
	X(REFUSED_UNANSWERED, LOSS, REFUSED "{reason=\"unanswered\"}", \
	    "logins put off because the registry did not answer") \
	X(REFUSED_BUSY, LOSS, REFUSED "{reason=\"busy\"}", \
	    "connections given up for want of memory or of auth") \
	X(REFUSED_HALF_OPEN, LOSS, REFUSED "{reason=\"half_open\"}", \
	    "connections given up for newer ones before they had logged in") \
	X(REFUSED_CROWDED, LOSS, REFUSED "{reason=\"crowded\"}", \
	    "connections given up for the room of their incomplete messages") \
	X(FORWARDED_UNKNOWN, LOSS, "pilot_beacon_proxy_unknown_total", \
	    "requests for which a trusted proxy named no address of a client") \
	X(TEXT_IGNORED, FLOW, "pilot_beacon_wss_text_ignored_total", \
	    "text messages after login, ignored") \
	X(BRIDGE_WW, FLOW, \
	    BRIDGE "{src_transport=\"wss\",dst_transport=\"wss\"}", \
	    "packets relayed from WebSocket to WebSocket") \
	X(BRIDGE_WU, FLOW, \
	    BRIDGE "{src_transport=\"wss\",dst_transport=\"udp\"}", \
	    "packets relayed from WebSocket to UDP") \
	X(BRIDGE_UW, FLOW, \
	    BRIDGE "{src_transport=\"udp\",dst_transport=\"wss\"}", \
	    "packets relayed from UDP to WebSocket") \
	X(BRIDGE_UU, FLOW, \
	    BRIDGE "{src_transport=\"udp\",dst_transport=\"udp\"}", \
	    "packets relayed from UDP to UDP") \
	X(TO_BEACONS, FLOW, "pilot_beacon_relay_beacon_total", \
	    "packets handed to a peer beacon") \
	X(DROP_NOT_FOUND, LOSS, DROP "{reason=\"not_found\"}", \
	    "packets for a node that is nowhere") \
	X(DROP_SENDER, LOSS, DROP "{reason=\"sender\"}", \
	    "packets whose sender the source may not speak for") \
	X(DROP_TOO_LARGE, LOSS, DROP "{reason=\"too_large\"}", \
	    "deliveries over 32768 bytes to a WebSocket peer") \
	X(DROP_QUEUE_FULL, LOSS, DROP "{reason=\"queue_full\"}", \
	    "packets for a peer that reads too slowly") \
	X(DROP_WORKER_FULL, LOSS, DROP "{reason=\"worker_queue_full\"}", \
	    "packets for a worker that reads too slowly") \
	X(DROP_WORKER_LOST, LOSS, DROP "{reason=\"worker_lost\"}", \
	    "packets for a worker whose channel failed") \
	X(DROP_STALE, LOSS, DROP "{reason=\"stale\"}", \
	    "packets for or from a session that was replaced meanwhile") \
	X(DROP_SHORT, LOSS, DROP "{reason=\"short\"}", \
	    "empty packets and packets too short for their type") \
	X(DROP_TYPE, LOSS, DROP "{reason=\"type\"}", \
	    "packets of no known type") \
	X(DROP_RATE, LOSS, DROP "{reason=\"rate\"}", \
	    "packets above source packet limit") \
	X(DROP_BYTE_RATE, LOSS, DROP "{reason=\"byte_rate\"}", \
	    "packets above source byte limit") \
	X(DROP_ROUTER_FULL, LOSS, DROP "{reason=\"router_full\"}", \
	    "frames for a router that reads too slowly") \
	X(DROP_ROUTER_LOST, LOSS, DROP "{reason=\"router_lost\"}", \
	    "frames for a router that went") \
	X(DROP_ROUTER_AWAY, LOSS, DROP "{reason=\"router_away\"}", \
	    "frames while no router was there, by router fallback drop") \
	X(DROP_BLOCKED, LOSS, DROP "{reason=\"blocked\"}", \
	    "datagrams from networks that an operator has blocked") \
	X(DROP_UDP_SEND, LOSS, DROP "{reason=\"udp_send\"}", \
	    "datagrams that the kernel refused to send") \
	X(DROP_UDP_FULL, LOSS, DROP "{reason=\"udp_queue_full\"}", \
	    "datagrams dropped because the socket's send buffer was full") \
	X(ROUTER_REFUSED, LOSS, "pilot_beacon_router_refused_total", \
	    "frames of the router that could not be delivered") \
	X(ROUTER_WINDOW_FULL, FLOW, \
	    "pilot_beacon_router_window_full_total", \
	    "frames that had no room in the memory that the router shares") \
	X(ROUTER_CLOSED, FLOW, "pilot_beacon_router_closed_total", \
	    "sessions closed by the router") \
	X(UDP_PACKETS, FLOW, "pilot_beacon_udp_packets_total", \
	    "datagrams received") \
	X(UDP_BYTES, FLOW, "pilot_beacon_udp_bytes_total", \
	    "bytes of datagrams received") \
	X(UDP_BYTES_OUT, FLOW, "pilot_beacon_udp_bytes_out_total", \
	    "bytes of datagrams sent") \
	X(DISCOVERS, FLOW, UDP_IN "{type=\"discover\"}", "Discovers answered") \
	X(PUNCHES, FLOW, UDP_IN "{type=\"punch\"}", "PunchRequests served") \
	X(SYNCS, FLOW, UDP_IN "{type=\"sync\"}", "Syncs taken") \
	X(PUNCH_RATE, LOSS, \
	    "pilot_beacon_punch_refused_total{reason=\"rate\"}", \
	    "PunchRequests above their limit") \
	X(PUNCH_UNKNOWN, LOSS, \
	    "pilot_beacon_punch_refused_total{reason=\"unknown\"}", \
	    "PunchRequests for or from a node without an endpoint") \
	X(PUNCH_GRANT, LOSS, \
	    "pilot_beacon_punch_refused_total{reason=\"grant\"}", \
	    "PunchRequests without a valid grant") \
	X(GRANTS_FULL, LOSS, \
	    "pilot_beacon_punch_refused_total{reason=\"busy\"}", \
	    "PunchRequests given up because too many wait for auth") \
	X(MISDIRECTED, FLOW, "pilot_beacon_udp_misdirected_total", \
	    "Discovers and Syncs ignored by workers that they are not for") \
	X(SYNC_STRANGER, LOSS, \
	    "pilot_beacon_sync_refused_total{reason=\"stranger\"}", \
	    "Syncs from a beacon that is not a peer") \
	X(SYNC_BAD, LOSS, \
	    "pilot_beacon_sync_refused_total{reason=\"malformed\"}", \
	    "Syncs whose length does not fit their count") \
	X(SYNC_BUSY, LOSS, "pilot_beacon_sync_refused_total{reason=\"busy\"}", \
	    "Syncs not taken for want of memory") \
	X(SYNC_CROWDED, LOSS, \
	    "pilot_beacon_sync_refused_total{reason=\"crowded\"}", \
	    "Syncs of a beacon that has half of the room for others' nodes") \
	X(GOSSIP_FULL, LOSS, "pilot_beacon_gossip_full_total", \
	    "nodes of other beacons not noted because the table is full") \
	X(GOSSIP_CUT, LOSS, "pilot_beacon_gossip_cut_total", \
	    "own nodes not told to other beacons for want of ports or memory") \
	X(ENDPOINT_HELD, LOSS, "pilot_beacon_endpoint_held_total", \
	    "address changes refused within 30 s of the last") \
	X(ENDPOINT_SOURCE, LOSS, "pilot_beacon_endpoint_source_full_total", \
	    "endpoints refused because their address has source node limit") \
	X(ENDPOINT_EVICTED, LOSS, "pilot_beacon_endpoint_evicted_total", \
	    "endpoints forgotten before their time to make room") \
	X(ENDPOINT_FULL, LOSS, "pilot_beacon_endpoint_full_total", \
	    "endpoints refused because the table is full") \
	X(NEAR_FULL, LOSS, "pilot_beacon_endpoint_near_full_total", \
	    "endpoints noted without our address that they were heard at") \
	X(ENDPOINT_UNANSWERED, LOSS, "pilot_beacon_endpoint_unanswered_total", \
	    "endpoints noted, but too many answers wait for their worker") \
	X(ENDPOINT_BLOCKED, LOSS, "pilot_beacon_endpoint_blocked_total", \
	    "endpoints not noted because their node is blocked") \
	X(BLOCKS_FULL, LOSS, "pilot_beacon_blocks_full_total", \
	    "blocks refused because the table is full") \
	X(ENDPOINT_RATE, LOSS, "pilot_beacon_endpoint_rate_total", \
	    "endpoints not noted because too many came at once") \
	X(FIRST_KEYS_FULL, LOSS, "pilot_beacon_first_keys_full_total", \
	    "keys from Discovers refused because the table is full") \
	X(CHALLENGES, FLOW, "pilot_beacon_auth_challenges_total", \
	    "challenges sent to clients") \
	X(VERIFY_OK, FLOW, "pilot_beacon_auth_verified_total{outcome=\"ok\"}", \
	    "replies whose signature was right") \
	X(VERIFY_UNKNOWN, LOSS, \
	    "pilot_beacon_auth_verified_total{outcome=\"unknown_node\"}", \
	    "replies for a node without a key") \
	X(VERIFY_SIGNATURE, LOSS, \
	    "pilot_beacon_auth_verified_total{outcome=\"signature\"}", \
	    "replies whose signature was wrong") \
	X(VERIFY_NONCE, LOSS, \
	    "pilot_beacon_auth_verified_total{outcome=\"nonce\"}", \
	    "replies to a nonce that was used, too old or never issued") \
	X(VERIFY_AGE, LOSS, \
	    "pilot_beacon_auth_verified_total{outcome=\"age\"}", \
	    "replies too late or before their time") \
	X(VERIFY_UNANSWERED, LOSS, \
	    "pilot_beacon_auth_verified_total{outcome=\"unanswered\"}", \
	    "replies for a node of which the registry said nothing in time") \
	X(VERIFY_LEGACY, FLOW, "pilot_beacon_auth_legacy_total", \
	    "replies accepted in the older signature form") \
	X(LOOKUP_FOUND, FLOW, LOOKUPS "{outcome=\"found\"}", \
	    "nodes of which the registry gave the key") \
	X(LOOKUP_GONE, FLOW, LOOKUPS "{outcome=\"not_found\"}", \
	    "nodes of which the registry has no key") \
	X(LOOKUP_ERROR, LOSS, LOOKUPS "{outcome=\"error\"}", \
	    "lookups answered by an error that says nothing of the node") \
	X(LOOKUP_LOST, LOSS, LOOKUPS "{outcome=\"lost\"}", \
	    "lookups whose connection ended before the answer") \
	X(LOOKUP_FORCED, FLOW, "pilot_beacon_registry_forced_total", \
	    "lookups because a signature did not fit the key that was known") \
	X(LOOKUP_SHARED, FLOW, "pilot_beacon_registry_coalesced_total", \
	    "logins that wait for a lookup that others wait for already") \
	X(LOOKUP_FULL, LOSS, "pilot_beacon_registry_full_total", \
	    "logins put off because too many wait for the registry") \
	X(KEYS_HIT, FLOW, "pilot_beacon_registry_hits_total", \
	    "logins for which a key was known without asking") \
	X(KEYS_STALE, FLOW, "pilot_beacon_registry_stale_total", \
	    "of those, with a key that was to be confirmed again") \
	X(KEYS_EVICTED, FLOW, "pilot_beacon_registry_evicted_total", \
	    "keys forgotten to make room for others") \
	X(KEY_LINES_BAD, LOSS, "pilot_beacon_auth_key_lines_bad_total", \
	    "lines of the key file skipped") \
	X(SOCKETS_MENDED, FLOW, "pilot_beacon_sockets_mended_total", \
	    "sockets that were of no use after a worker's death, mended") \
	X(LOG_MUTED, LOSS, "pilot_beacon_log_muted_total", \
	    "log lines left out") \
	X(SECURITY, LOSS, "pilot_beacon_security_events_total", \
	    "processes that broke the rules, or died in a way that smells so") \
	X(RELOADS, FLOW, RELOAD "{outcome=\"ok\"}", \
	    "configurations read again") \
	X(RELOADS_FAILED, LOSS, RELOAD "{outcome=\"error\"}", \
	    "reloads after which nothing had changed") \
	X(HTTP_OK, FLOW, HTTP "{outcome=\"ok\"}", "scrapes and pages") \
	X(HTTP_BAD, LOSS, HTTP "{outcome=\"error\"}", "requests refused") \
	X(HTTP_SLOW, LOSS, HTTP "{outcome=\"timeout\"}", \
	    "connections given up after 5 s") \
	X(HTTP_CROWDED, LOSS, HTTP "{outcome=\"crowded\"}", \
	    "connections given up for newer ones")
/* clang-format on */

enum counter {
#define X(id, kind, name, help) COUNTER_##id,
	COUNTER_LIST(X)
#undef X
	    COUNTER_MAX
};

/*
 * How long something took: identifier, name, what it is.  All have the same
 * bounds, HISTOGRAM_BOUNDS in nanoseconds.
 */
/* clang-format off */
#define HISTOGRAM_LIST(X) \
	X(RELAY, "pilot_beacon_relay_seconds", \
	    "from a worker's waking up for packets until it has handed on all" \
	    " that came; a sample each quarter of a second") \
	X(LOGIN, "pilot_beacon_login_seconds", \
	    "from a client's reply to the challenge until it is logged in") \
	X(MOVE, "pilot_beacon_move_seconds", \
	    "from the order that up to 64 sessions go to another worker, for" \
	    " which they stand still, until they go on there")

#define HISTOGRAM_BOUNDS \
	10000, 20000, 50000, 100000, 200000, 500000, 1000000, 2000000, \
	    5000000, 10000000, 20000000, 50000000, 100000000, 200000000, \
	    500000000, 1000000000, 2000000000, 5000000000
/* clang-format on */

#define HISTOGRAM_BUCKETS 19 /* the last is for what is above all bounds */

enum histogram_id {
#define X(id, name, help) HISTOGRAM_##id,
	HISTOGRAM_LIST(X)
#undef X
	    HISTOGRAM_MAX
};

struct histogram {
	uint64_t bucket[HISTOGRAM_BUCKETS];
	uint64_t sum; /* nanoseconds */
};

/*
 * Packets by beacon: of those with the lowest numbers, of all others together,
 * and of the default one, should that be none that is heard.
 */
#define COUNTERS_BEACONS 32

enum beacon_column {
	BEACON_OTHERS = COUNTERS_BEACONS,
	BEACON_DEFAULT_COLUMN,
	BEACON_COLUMNS
};

enum beacon_way { BEACON_IN, BEACON_OUT, BEACON_WAYS };

/* What a process tells of itself that goes up and down. */
enum own {
	OWN_CONNECTIONS,    /* open, of a worker */
	OWN_STRANGERS,      /* of those, not logged in */
	OWN_MEMORY,         /* bytes */
	OWN_DESCRIPTORS,    /* open */
	OWN_QUEUED_PEERS,   /* bytes that wait for peers to read */
	OWN_QUEUED_WORKERS, /* bytes that wait for other workers */
	OWN_QUEUED_UDP,     /* bytes that wait for UDP sockets */
	OWN_MAX
};

#define COUNTERS_BYTES    4096
#define COUNTERS_HELP_MAX 4096

/* What is before `own` adds up over processes. */
struct counters {
	uint64_t value[COUNTER_MAX];
	struct histogram histogram[HISTOGRAM_MAX];
	uint64_t beacon[BEACON_WAYS][BEACON_COLUMNS];
	uint64_t own[OWN_MAX];
};

_Static_assert(sizeof(struct counters) <= COUNTERS_BYTES, "one page");

/* The page of this process; points at private memory until it is given one. */
extern struct counters *counters;

int counters_open(int);
uint64_t counters_read(const struct counters *, enum counter);
void counters_sum(struct counters *, const struct counters *);
void counters_observe(enum histogram_id, uint64_t);
uint64_t counters_bound(size_t);
const char *counters_name(enum counter);
const char *counters_help(enum counter);
int counters_begins(enum counter);
int counters_is_loss(enum counter);
size_t counters_family_len(enum counter);
const char *counters_family_help(enum counter, char *, size_t);

/* One writer, so a plain addition; the store must only not tear. */
static inline void
counters_add(enum counter c, uint64_t n)
{
	__atomic_store_n(
	    &counters->value[c], counters->value[c] + n, __ATOMIC_RELAXED);
}

static inline void
counters_beacon(enum beacon_way way, uint32_t column)
{
	uint64_t *value;

	value = &counters->beacon[way][column];
	__atomic_store_n(value, *value + 1, __ATOMIC_RELAXED);
}

static inline void
counters_own(enum own own, uint64_t n)
{
	__atomic_store_n(&counters->own[own], n, __ATOMIC_RELAXED);
}

#endif /* COMMON_COUNTERS_H */
