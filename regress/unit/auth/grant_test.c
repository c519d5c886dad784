/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>

#include "auth/grant.h"

#include "regress/unit/test.h"

#define NOW       1800000000ULL
#define REQUESTER 11U
#define KNOWN     21U /* has an authoritative key */
#define SEEN      22U /* has a first key */
#define UNKNOWN   23U

static struct keystore keys;
static struct firstkeys first;
static uint8_t pk[PROTO_KEY_LEN], sk[crypto_sign_SECRETKEYBYTES];
static uint8_t pk2[PROTO_KEY_LEN], sk2[crypto_sign_SECRETKEYBYTES];
static struct msg_grant grant;

static void
sign(uint32_t target, uint64_t expiry, const uint8_t *secret)
{
	char text[128];

	memset(&grant, 0, sizeof(grant));
	grant.requester = REQUESTER;
	grant.target = target;
	grant.expiry = expiry;
	(void)snprintf(text, sizeof(text), "punch-grant:%u:%u:%llu", REQUESTER,
	    target, (unsigned long long)expiry);
	(void)crypto_sign_detached(
	    grant.sig, NULL, (const unsigned char *)text, strlen(text), secret);
}

static int
good(void)
{
	return (grant_verify(&keys, &first, &grant, NOW));
}

static void
right_keys(void)
{
	sign(KNOWN, NOW + 1, sk);
	CHECK(good());
	sign(KNOWN, UINT64_MAX, sk);
	CHECK(good());
	sign(SEEN, NOW + 1, sk2);
	CHECK(good());
}

/* The first key of a node with an authoritative one counts for nothing. */
static void
wrong_keys(void)
{
	sign(KNOWN, NOW + 1, sk2);
	CHECK(!good());
	sign(SEEN, NOW + 1, sk);
	CHECK(!good());
	sign(UNKNOWN, NOW + 1, sk);
	CHECK(!good());
	sign(0, NOW + 1, sk);
	CHECK(!good());
}

static void
expired(void)
{
	sign(KNOWN, NOW, sk);
	CHECK(!good());
	sign(KNOWN, 0, sk);
	CHECK(!good());
}

static void
forged(void)
{
	sign(KNOWN, NOW + 1, sk);
	grant.requester++;
	CHECK(!good());
	sign(KNOWN, NOW + 1, sk);
	grant.expiry++;
	CHECK(!good());
	sign(SEEN, NOW + 1, sk);
	grant.target = KNOWN;
	CHECK(!good());
	sign(KNOWN, NOW + 1, sk);
	grant.sig[40] ^= 4;
	CHECK(!good());
}

int
main(void)
{
	if (sodium_init() == -1 || firstkey_init(&first) == -1)
		return (1);
	(void)crypto_sign_keypair(pk, sk);
	(void)crypto_sign_keypair(pk2, sk2);
	if (keystore_init(&keys) == -1 ||
	    keycache_add(&keys.file, KNOWN, 1, pk) == -1 ||
	    keycache_finish(&keys.file, NULL, NULL) == -1 ||
	    firstkey_add(&first, KNOWN, pk2) == -1 ||
	    firstkey_add(&first, SEEN, pk2) == -1)
		return (1);
	RUN(right_keys);
	RUN(wrong_keys);
	RUN(expired);
	RUN(forged);
	keycache_free(&keys.file);
	firstkey_free(&first);
	return (test_failed());
}
