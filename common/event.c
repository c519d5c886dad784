/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/random.h>

#include <string.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/log.h"

#define EVENT_SETS 256
#define EVENT_WAYS 4

/* Lines of one kind, and of one kind and source, since `window`. */
struct event_source {
	uint8_t net[16];
	uint32_t kind;
	uint32_t window; /* clock_seconds() */
	uint32_t lines;
	uint64_t muted;
};

static struct {
	uint32_t window; /* clock_seconds() */
	uint32_t lines;
	uint64_t muted; /* of all sources */
	struct event_source
	    most; /* of those, the one with most; muted 0: none */
} event_kinds[EVENT_MAX];

/* As in worker/limit.c: an old source makes room for a new one. */
static struct event_source event_sources[EVENT_SETS][EVENT_WAYS];
static uint64_t event_key[2];

static const enum counter event_counters[EVENT_MAX] = {
#define COUNTER(X, id, stage, reason, level, help) \
	[EVENT_##id] = COUNTER_FAIL_##id,
	FAILURE_LIST(COUNTER, )
#undef COUNTER
};

static void
event_hand_over(const struct event *e)
{
	if (!log_event(e, sizeof(*e)))
		event_write(log_name(), EVENT_NO_WORKER, e);
}

/* Says what was kept back in the window that is over, and begins another. */
static void
event_window(enum event_kind kind, uint32_t now)
{
	struct event e;

	if (event_kinds[kind].muted > 0) {
		memset(&e, 0, sizeof(e));
		e.kind = EVENT_KEPT_BACK;
		memcpy(e.addr, event_kinds[kind].most.net, sizeof(e.addr));
		e.number[0] = event_kinds[kind].muted;
		e.number[1] = event_kinds[kind].most.muted;
		e.number[2] = kind;
		event_hand_over(&e);
	}
	memset(&event_kinds[kind], 0, sizeof(event_kinds[kind]));
	event_kinds[kind].window = now;
}

/* The lines of a source of this kind; one that is new is put in place. */
static struct event_source *
event_source(enum event_kind kind, const uint8_t addr[16], uint32_t now)
{
	struct event_source *set, *source;
	uint8_t net[16];
	size_t i;

	/* The parent has no libsodium. */
	if (event_key[0] == 0 && getrandom(event_key, sizeof(event_key), 0) !=
				     (ssize_t)sizeof(event_key))
		fatal("getrandom");
	address_customer(net, addr);
	set = event_sources[address_hash(event_key, net, kind) % EVENT_SETS];
	source = &set[0];
	for (i = 0; i < EVENT_WAYS; i++) {
		if (set[i].kind == kind &&
		    memcmp(set[i].net, net, sizeof(net)) == 0 &&
		    now - set[i].window < EVENT_PERIOD)
			return (&set[i]);
		if (set[i].window < source->window)
			source = &set[i];
	}
	memset(source, 0, sizeof(*source));
	memcpy(source->net, net, sizeof(net));
	source->kind = kind;
	source->window = now;
	return (source);
}

/* May there be a line?  If not, that is remembered. */
static int
event_allowed(const struct event *e, uint32_t now)
{
	struct event_source *source;
	int ordinary;

	ordinary = event_level(e->kind) == LOG_INFO;
	if (now - event_kinds[e->kind].window >= EVENT_PERIOD)
		event_window(e->kind, now);
	if (event_kinds[e->kind].lines <
	    (ordinary ? EVENT_INFO_LINES : EVENT_LINES)) {
		source = event_source(e->kind, e->addr, now);
		if (source->lines <
		    (ordinary ? EVENT_INFO_SOURCE : EVENT_SOURCE_LINES)) {
			source->lines++;
			event_kinds[e->kind].lines++;
			return (1);
		}
		if (++source->muted > event_kinds[e->kind].most.muted)
			event_kinds[e->kind].most = *source;
	}
	event_kinds[e->kind].muted++;
	counters_add(COUNTER_LOG_MUTED, 1);
	return (0);
}

/* Counts an event and, if there may be so many, logs it. */
void
event_log(const struct event *e)
{
	if (event_counters[e->kind] != 0)
		counters_add(event_counters[e->kind], 1);
	if (log_wanted(event_level(e->kind)) &&
	    event_allowed(e, clock_seconds()))
		event_hand_over(e);
}

/*
 * To be called now and then: says what was kept back a while ago.  all:
 * boolean, also of the windows that are not over, since this process is.
 */
void
event_flush(int all)
{
	uint32_t kind, now;

	now = clock_seconds();
	for (kind = 0; kind < EVENT_MAX; kind++)
		if (event_kinds[kind].muted > 0 &&
		    (all || now - event_kinds[kind].window >= EVENT_PERIOD))
			event_window(kind, now);
}
