/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PROTO_REGISTRY_H
#define COMMON_PROTO_REGISTRY_H

#include <stdint.h>

/*
 * What parent and auth say to each other of the registry (doc/protocol.md 6),
 * of its snapshot and of the cache of keys; see common/proto.h.  The parent
 * resolves, dials and opens; auth reads and decides.
 */
#define PROTO_HOST_LEN  64
#define PROTO_TOKEN_LEN 128

/*
 * PA_REGISTRY_CONF: before PA_START, and after each reload.  Without one there
 * is no registry.
 */
struct msg_registry_conf {
	uint32_t rate;    /* requests/s; 0: no registry is configured */
	uint32_t burst;   /* requests at once */
	uint32_t refresh; /* seconds, as are the next two: see conf.5 */
	uint32_t stale;
	uint32_t grace;
	uint32_t enroll; /* boolean: this beacon is to be on the list */
	uint32_t beacon_id;
	uint32_t port;               /* host order; to be listed with */
	char host[PROTO_HOST_LEN];   /* likewise; NUL-terminated */
	char token[PROTO_TOKEN_LEN]; /* NUL-terminated; empty: none */
};
_Static_assert(sizeof(struct msg_registry_conf) == 224, "padding");

/*
 * PA_REGISTRY + fd: a connected stream, non-blocking, in place of any earlier
 * one.  Each is answered by one AP_REGISTRY, when auth has let go of it; the
 * parent dials again then.
 */
struct msg_registry {
	uint64_t address; /* a hash of it: what is learned of one holds on */
	uint32_t serial;  /* comes back in AP_REGISTRY */
	uint32_t pad;     /* zero */
};
_Static_assert(sizeof(struct msg_registry) == 16, "padding");

enum registry_end {
	REGISTRY_CLOSED,    /* by the other end, or an error of the socket */
	REGISTRY_FRAMING,   /* it does not know the binary one: try at once */
	REGISTRY_VIOLATION, /* it does not keep to doc/protocol.md 6 */
	REGISTRY_TIMEOUT,   /* it does not answer */
	REGISTRY_DROPPED    /* by a PA_REGISTRY, or a configuration without */
};

struct msg_registry_end {
	uint32_t serial;
	uint32_t reason;   /* enum registry_end */
	uint32_t answered; /* boolean: there was a good answer */
};
_Static_assert(sizeof(struct msg_registry_end) == 12, "padding");

/*
 * PA_SNAPSHOT + fd: the registry's snapshot, open for reading.  Each is
 * answered by one AP_SNAPSHOT.
 */
struct msg_snapshot {
	char path[256];   /* for messages; NUL-terminated */
	uint32_t written; /* clock_seconds() of the file's last change */
	uint32_t pad;     /* zero */
};
_Static_assert(sizeof(struct msg_snapshot) == 264, "padding");

struct msg_snapshot_read {
	uint32_t result; /* enum keys_result; else than KEYS_READ: all zero */
	uint32_t keys;
	uint32_t bad; /* entries skipped */
};
_Static_assert(sizeof(struct msg_snapshot_read) == 12, "padding");

/*
 * PA_CACHE + fd: what auth has learned from the registry, to survive it.  load:
 * the file, open for reading, at most once and before PA_START; a file that is
 * not whole is not believed.  Else memory of PROTO_CACHE_BYTES to be filled
 * (sealed against another size); answered by one AP_CACHE, after which auth
 * has no mapping of it.
 */
#define PROTO_CACHE_HEADER 64
#define PROTO_CACHE_ENTRY  80
#define PROTO_CACHE_KEYS   1000000
#define PROTO_CACHE_BYTES \
	(PROTO_CACHE_HEADER + (uint64_t)PROTO_CACHE_KEYS * PROTO_CACHE_ENTRY)

struct msg_cache {
	uint64_t wall; /* unix seconds, now */
	uint32_t load; /* boolean */
	uint32_t pad;  /* zero */
};
_Static_assert(sizeof(struct msg_cache) == 16, "padding");

struct msg_cache_written {
	uint64_t bytes; /* from the start; at most PROTO_CACHE_BYTES; 0: none */
};
_Static_assert(sizeof(struct msg_cache_written) == 8, "padding");

/*
 * AP_BEACON: the registry's list of beacons, one a message, oneself left out;
 * first begins a new list.  A list of none is one message with port 0.
 */
struct msg_beacon_row {
	uint32_t beacon; /* its id */
	uint32_t port;   /* host order */
	uint32_t first;  /* boolean, as is the next */
	uint32_t last;
	char host[PROTO_HOST_LEN]; /* name or address; NUL-terminated */
};
_Static_assert(sizeof(struct msg_beacon_row) == 80, "padding");

/* AP_STATUS: each second in which something of it changed. */
enum registry_link {
	REGISTRY_NONE,   /* not configured */
	REGISTRY_DOWN,   /* no connection */
	REGISTRY_PROBED, /* connected, but there was no answer yet */
	REGISTRY_UP
};

struct msg_registry_status {
	uint32_t link;         /* enum registry_link */
	uint32_t json;         /* boolean: the older framing */
	uint32_t waiting;      /* logins that wait for an answer */
	uint32_t queued;       /* lookups to be sent, all told */
	uint32_t outstanding;  /* requests without their answer */
	uint32_t budget;       /* requests that may be sent at once */
	uint32_t keys;         /* in the cache */
	uint32_t keys_max;     /* that it may hold, as things are */
	uint32_t snapshot;     /* keys of the snapshot */
	uint32_t written;      /* see msg_snapshot; 0: none was read */
	uint32_t latency_last; /* microseconds, as are the next two */
	uint32_t latency_mean; /* of the last minute */
	uint32_t latency_max;  /* likewise */
	uint32_t enrolled;     /* clock_seconds() of the last time; 0: never */
	uint32_t beacons;      /* on its list, oneself left out */
	uint32_t pad;          /* zero */
};
_Static_assert(sizeof(struct msg_registry_status) == 64, "padding");

#endif /* COMMON_PROTO_REGISTRY_H */
