/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#include "common/address.h"
#include "common/log.h"
#include "worker/limit.h"

/* Never freed.  Untouched pages cost nothing. */
struct source_table *
limit_new(void)
{
	struct source_table *table;

	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED)
		fatal("mmap of %zu bytes", sizeof(*table));
	randombytes_buf(table->key, sizeof(table->key));
	return (table);
}

/*
 * What was counted of (addr, port), begun anew if that was not in `now`.  Every
 * datagram passes here.
 */
static inline __attribute__((always_inline)) struct source *
limit_counted(struct source_table *table, const uint8_t addr[16], uint32_t port,
    uint32_t now)
{
	struct source *set, *source;
	size_t i;

	set = table->sets[address_hash(table->key, addr, port) % LIMIT_SETS];
	source = &set[0];
	for (i = 0; i < LIMIT_WAYS; i++) {
		if (set[i].port == port &&
		    memcmp(set[i].addr, addr, sizeof(set[i].addr)) == 0) {
			source = &set[i];
			break;
		}
		if (set[i].second < source->second)
			source = &set[i];
	}
	if (i == LIMIT_WAYS) {
		memcpy(source->addr, addr, sizeof(source->addr));
		source->port = port;
	}
	if (i == LIMIT_WAYS || source->second != now) {
		source->second = now;
		source->count = 0;
		source->bytes = 0;
	}
	return (source);
}

/*
 * Counts one event of (addr, port) in second `now`.  Returns 1 if it is within
 * `most` per second (0: no limit), else 0.
 */
int
limit_source(struct source_table *table, const uint8_t addr[16], uint32_t port,
    uint32_t now, uint32_t most)
{
	struct source *source;

	if (most == 0)
		return (1);
	source = limit_counted(table, addr, port, now);
	if (source->count >= most)
		return (0);
	source->count++;
	return (1);
}

/* Counts a datagram of len bytes in second `now`: which limit is it above? */
enum limit_excess
limit_packet(struct source_table *table, const struct endpoint *from,
    uint32_t now, size_t len, const struct msg_settings *settings)
{
	struct source *source;
	uint32_t bytes, packets;

	packets = settings->source_packet_limit;
	bytes = settings->source_byte_limit;
	if (packets == 0 && bytes == 0)
		return (LIMIT_WITHIN);
	source = limit_counted(table, from->addr, from->port, now);
	if (packets != 0 && source->count >= packets)
		return (LIMIT_PACKETS);
	if (bytes != 0 && (uint64_t)source->bytes + len > bytes)
		return (LIMIT_BYTES);
	source->count++;
	source->bytes += (uint32_t)len;
	return (LIMIT_WITHIN);
}

/* As limit_source(): all addresses of one customer are counted as a whole. */
int
limit_customer(struct source_table *table, const uint8_t addr[16], uint32_t now,
    uint32_t most)
{
	uint8_t net[16];

	address_customer(net, addr);
	return (limit_source(table, net, 0, now, most));
}
