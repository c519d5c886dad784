/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/output.h"

static const char *
registry_link(const struct msg_registry_status *status)
{
	static const char *const name[] = {
		[REGISTRY_NONE] = "none",
		[REGISTRY_DOWN] = "down",
		[REGISTRY_PROBED] = "connected",
		[REGISTRY_UP] = "up",
	};

	return (status->link < sizeof(name) / sizeof(name[0])
		    ? name[status->link]
		    : "?");
}

static uint64_t
registry_count(const struct msg_ctl_registry *m, enum counter counter)
{
	return (m->counter[counter - CTL_REGISTRY_FIRST]);
}

static void
registry_files(const struct msg_ctl_registry *m)
{
	char age[FORMAT_AGE_LEN], when[FORMAT_TIME_LEN];

	if (m->written != 0)
		printf("snapshot   %" PRIu32 " keys, written %s (%s ago), "
		       "%" PRIu32 " entries skipped\n",
		    m->status.snapshot, format_time(m->written, when),
		    format_age(m->written, clock_wall(), age), m->snapshot_bad);
	if (m->enrolled != 0)
		printf("listed     confirmed %s (%s ago), with %" PRIu32
		       " others\n",
		    format_time(m->enrolled, when),
		    format_age(m->enrolled, clock_wall(), age),
		    m->status.beacons);
}

static void
registry_counts(const struct msg_ctl_registry *m)
{
	printf("lookups    %" PRIu64 " found, %" PRIu64 " not found, %" PRIu64
	       " errors, %" PRIu64 " lost, %" PRIu64 " coalesced\n",
	    registry_count(m, COUNTER_LOOKUP_FOUND),
	    registry_count(m, COUNTER_LOOKUP_GONE),
	    registry_count(m, COUNTER_LOOKUP_ERROR),
	    registry_count(m, COUNTER_LOOKUP_LOST),
	    registry_count(m, COUNTER_LOOKUP_SHARED));
	printf("cache      %" PRIu32 " keys of at most %" PRIu32 ", %" PRIu64
	       " hits, %" PRIu64 " stale\n",
	    m->status.keys, m->status.keys_max,
	    registry_count(m, COUNTER_KEYS_HIT),
	    registry_count(m, COUNTER_KEYS_STALE));
}

/* For a person, a few lines. */
void
output_registry_text(const struct msg_ctl_registry *m)
{
	const struct msg_registry_status *s;

	s = &m->status;
	printf("registry   %.*s\n", CTL_REGISTRY_NAME,
	    m->name[0] == '\0' ? "none" : m->name);
	printf("link       %s%s", registry_link(s), s->json ? ", JSON" : "");
	if (m->failures != 0)
		printf(", %" PRIu32 " failures in a row", m->failures);
	printf("\nrequests   %" PRIu32 " under way, %" PRIu32
	       " queued, %" PRIu32 " more at once\n",
	    s->outstanding, s->queued, s->budget);
	printf("logins     %" PRIu32 " waiting\n", s->waiting);
	printf("latency    last %.1f ms, mean %.1f ms, longest %.1f ms\n",
	    s->latency_last / 1e3, s->latency_mean / 1e3, s->latency_max / 1e3);
	registry_counts(m);
	registry_files(m);
}

static json_t *
registry_u64(uint64_t n)
{
	return (json_integer((json_int_t)n));
}

static json_t *
registry_counter(const struct msg_ctl_registry *m, enum counter counter)
{
	return (registry_u64(registry_count(m, counter)));
}

static json_t *
registry_lookups(const struct msg_ctl_registry *m)
{
	return (json_pack("{s:o, s:o, s:o, s:o, s:o}", "found",
	    registry_counter(m, COUNTER_LOOKUP_FOUND), "not_found",
	    registry_counter(m, COUNTER_LOOKUP_GONE), "error",
	    registry_counter(m, COUNTER_LOOKUP_ERROR), "lost",
	    registry_counter(m, COUNTER_LOOKUP_LOST), "coalesced",
	    registry_counter(m, COUNTER_LOOKUP_SHARED)));
}

static json_t *
registry_cache(const struct msg_ctl_registry *m)
{
	return (json_pack("{s:o, s:o, s:o, s:o, s:o}", "keys",
	    registry_u64(m->status.keys), "keys_max",
	    registry_u64(m->status.keys_max), "hits",
	    registry_counter(m, COUNTER_KEYS_HIT), "stale",
	    registry_counter(m, COUNTER_KEYS_STALE), "evicted",
	    registry_counter(m, COUNTER_KEYS_EVICTED)));
}

static json_t *
registry_latency(const struct msg_registry_status *s)
{
	return (
	    json_pack("{s:o, s:o, s:o}", "last", registry_u64(s->latency_last),
		"mean", registry_u64(s->latency_mean), "max",
		registry_u64(s->latency_max)));
}

static json_t *
registry_snapshot(const struct msg_ctl_registry *m)
{
	return (json_pack("{s:o, s:o, s:o}", "keys",
	    registry_u64(m->status.snapshot), "written",
	    registry_u64(m->written), "bad", registry_u64(m->snapshot_bad)));
}

/* For a program; latency in microseconds.  NULL without memory. */
json_t *
output_registry_json(const struct msg_ctl_registry *m)
{
	const struct msg_registry_status *s;

	s = &m->status;
	return (json_pack("{s:s#, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			  "s:o, s:o, s:o, s:o}",
	    "registry", m->name, (int)strnlen(m->name, sizeof(m->name)), "link",
	    registry_link(s), "json", s->json != 0, "failures",
	    registry_u64(m->failures), "outstanding",
	    registry_u64(s->outstanding), "queued", registry_u64(s->queued),
	    "budget", registry_u64(s->budget), "waiting",
	    registry_u64(s->waiting), "lookups", registry_lookups(m), "cache",
	    registry_cache(m), "latency", registry_latency(s), "snapshot",
	    registry_snapshot(m), "listed", registry_u64(m->enrolled),
	    "beacons", registry_u64(s->beacons)));
}
