/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/log.h"
#include "worker/beacon_table.h"

_Static_assert(BEACON_NUMBERS < UINT16_MAX, "numbers + 1 fit a chain");

/* Never freed. */
struct beacon_table *
beacon_table_new(void)
{
	struct beacon_table *table;

	table = calloc(1, sizeof(*table));
	if (table == NULL)
		fatal(NULL);
	randombytes_buf(table->key, sizeof(table->key));
	return (table);
}

static uint32_t
beacon_table_bucket(
    const struct beacon_table *table, const uint8_t addr[16], uint16_t port)
{
	return (address_hash(table->key, addr, port) % BEACON_BUCKETS);
}

static void
beacon_table_link(
    struct beacon_chains *chains, uint32_t bucket, uint32_t number)
{
	chains->next[number] = chains->head[bucket];
	chains->head[bucket] = (uint16_t)(number + 1);
}

static void
beacon_table_unlink(
    struct beacon_chains *chains, uint32_t bucket, uint32_t number)
{
	uint16_t *at;

	at = &chains->head[bucket];
	while (*at != number + 1)
		at = &chains->next[*at - 1];
	*at = chains->next[number];
}

/* Beacon `number`, below BEACON_NUMBERS, is there; port 0: nowhere. */
void
beacon_table_set(
    struct beacon_table *table, uint32_t number, const struct path *path)
{
	const struct endpoint *at;

	at = &table->at[number].far;
	if (at->port != 0) {
		table->count--;
		beacon_table_unlink(&table->ports,
		    beacon_table_bucket(table, at->addr, at->port), number);
		if (number != BEACON_DEFAULT)
			beacon_table_unlink(&table->hosts,
			    beacon_table_bucket(table, at->addr, 0), number);
	}
	table->at[number] = *path;
	if (at->port == 0)
		return;
	table->count++;
	beacon_table_link(&table->ports,
	    beacon_table_bucket(table, at->addr, at->port), number);
	if (number != BEACON_DEFAULT)
		beacon_table_link(&table->hosts,
		    beacon_table_bucket(table, at->addr, 0), number);
}

/*
 * Is that a beacon?  port 0: some port of one, but not of the default one.  0,
 * or 1 + its number.
 */
uint32_t
beacon_table_has(
    const struct beacon_table *table, const uint8_t addr[16], uint16_t port)
{
	const struct beacon_chains *chains;
	const struct endpoint *at;
	uint32_t i;

	if (table->count == 0)
		return (0);
	chains = port == 0 ? &table->hosts : &table->ports;
	i = chains->head[beacon_table_bucket(table, addr, port)];
	for (; i != 0; i = chains->next[i - 1]) {
		at = &table->at[i - 1].far;
		if (memcmp(at->addr, addr, sizeof(at->addr)) == 0 &&
		    (port == 0 || at->port == port))
			return (i);
	}
	return (0);
}
