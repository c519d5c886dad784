/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "regress/fuzz/world.h"

/*
 * Payloads that tell who sent them where: whoever gets one can see whether it
 * is whole, for him, in order, and there for the first time.
 */
#define LEDGER_MAX 1024
#define LEDGER_LEN 8 /* bytes of the least payload that is known again */

struct entry {
	uint32_t party; /* that sent it */
	uint32_t sender;
	uint32_t dest;
	size_t len;
	int got;
};

static struct {
	uint32_t magic; /* of this run, so that no input can have it */
	uint32_t n;
	struct entry entries[LEDGER_MAX];
	uint32_t last[PARTIES][PARTIES]; /* 1 + entry; by receiver, sender */
	uint8_t wild[PARTIES];
	uint32_t silent[PARTIES]; /* from which of its entries on */
} ledger;

void
ledger_begin(const uint8_t *data, size_t size)
{
	size_t i;

	memset(&ledger.last, 0, sizeof(ledger.last));
	memset(&ledger.wild, 0, sizeof(ledger.wild));
	memset(&ledger.silent, 0xff, sizeof(ledger.silent));
	ledger.n = 0;
	ledger.magic = 2166136261U;
	for (i = 0; i < size; i++)
		ledger.magic = (ledger.magic ^ data[i]) * 16777619U;
}

/* What packet `number` carries, however long it is. */
static const uint8_t *
ledger_bytes(uint32_t number)
{
	static uint8_t bytes[MESSAGE_MAX];
	uint32_t x;
	size_t i;

	x = 1;
	for (i = bytes[0] != 0 ? 0 : sizeof(bytes); i > 0; i--) {
		x = x * 1103515245 + 12345;
		bytes[i - 1] = (uint8_t)(x >> 16) | 1;
	}
	return (bytes + number * 7 % 4096);
}

/* party fills in the payload of its next packet, from sender to dest. */
void
ledger_write(uint32_t party, uint32_t sender, uint32_t dest, uint8_t *payload,
    size_t len)
{
	struct entry *entry;

	memcpy(payload, ledger_bytes(ledger.n), len);
	if (len < LEDGER_LEN || ledger.n == LEDGER_MAX)
		return;
	memcpy(payload, &ledger.magic, sizeof(ledger.magic));
	memcpy(payload + 4, &ledger.n, sizeof(ledger.n));
	entry = &ledger.entries[ledger.n++];
	entry->party = party;
	entry->sender = sender;
	entry->dest = dest;
	entry->len = len;
	entry->got = 0;
}

/* party got a packet of sender to dest (0: who knows). */
void
ledger_got(uint32_t party, uint32_t sender, uint32_t dest,
    const uint8_t *payload, size_t len)
{
	struct entry *entry;
	uint32_t number;

	if (len < LEDGER_LEN ||
	    memcmp(payload, &ledger.magic, sizeof(ledger.magic)) != 0)
		return;
	memcpy(&number, payload + 4, sizeof(number));
	REQUIRE(number < ledger.n);
	entry = &ledger.entries[number];
	REQUIRE(entry->len == len && entry->sender == sender);
	REQUIRE(dest == 0 || entry->dest == dest);
	REQUIRE(memcmp(payload + LEDGER_LEN, ledger_bytes(number) + LEDGER_LEN,
		    len - LEDGER_LEN) == 0);
	REQUIRE(!entry->got);
	entry->got = 1;
	REQUIRE(number < ledger.silent[entry->party]);
	REQUIRE(number + 1 > ledger.last[party][entry->party]);
	ledger.last[party][entry->party] = number + 1;
}

/* Nobody knows what becomes of the packets of party. */
void
ledger_wild(uint32_t party)
{
	ledger.wild[party] = 1;
}

/* Nothing that party sends from now on is to arrive. */
void
ledger_silence(uint32_t party)
{
	if (ledger.silent[party] > ledger.n)
		ledger.silent[party] = ledger.n;
}

/* Packets that nobody got. */
uint32_t
ledger_missing(void)
{
	const struct entry *entry;
	uint32_t i, n;

	for (i = n = 0; i < ledger.n; i++) {
		entry = &ledger.entries[i];
		n += !entry->got && !ledger.wild[entry->party];
	}
	return (n);
}

/* Fills in what goes for a signature: it tells whose it is. */
void
ledger_sign(uint32_t party, uint8_t sig[PROTO_SIG_LEN])
{
	memset(sig, 0xa5, PROTO_SIG_LEN);
	memcpy(sig, &ledger.magic, sizeof(ledger.magic));
	memcpy(sig + 4, &party, sizeof(party));
}

/* Whose signature is that?  0: nobody's. */
uint32_t
ledger_signer(const uint8_t sig[PROTO_SIG_LEN])
{
	uint32_t party;

	memcpy(&party, sig + 4, sizeof(party));
	return (
	    memcmp(sig, &ledger.magic, sizeof(ledger.magic)) == 0 ? party : 0);
}
