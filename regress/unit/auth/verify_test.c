/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>

#include "auth/keycache.h"
#include "auth/verify.h"
#include "common/clock.h"

#include "regress/unit/test.h"

#define NOW     1800000000U
#define NODE    7777U
#define OTHER   7778U
#define UNKNOWN 9999U

static struct challenge challenge;
static struct keycache keys;
static uint8_t pk[PROTO_KEY_LEN], sk[crypto_sign_SECRETKEYBYTES];
static uint8_t pk2[PROTO_KEY_LEN], sk2[crypto_sign_SECRETKEYBYTES];
static uint8_t nonce[PROTO_NONCE_LEN];
static struct msg_verify reply;
static uint64_t keyid;

static void
sign(const char *text, const uint8_t *secret)
{
	(void)crypto_sign_detached(
	    reply.sig, NULL, (const unsigned char *)text, strlen(text), secret);
}

/* A fresh nonce, and the signature that a daemon with `secret` answers. */
static void
answer(uint32_t node, uint64_t ts, int legacy, const uint8_t *secret)
{
	char hex[2 * PROTO_NONCE_LEN + 1], text[256];

	memset(&reply, 0, sizeof(reply));
	reply.nonce = challenge_issue(&challenge, 1, NOW, nonce);
	reply.node = node;
	reply.ts = ts;
	(void)sodium_bin2hex(hex, sizeof(hex), nonce, sizeof(nonce));
	if (legacy)
		(void)snprintf(
		    text, sizeof(text), "compat_auth:%u:%s", node, hex);
	else
		(void)snprintf(text, sizeof(text), "compat_auth:%u:%llu:%s",
		    node, (unsigned long long)ts, hex);
	sign(text, secret);
}

static enum verify_result
decide(uint64_t now, int legacy)
{
	uint8_t taken[PROTO_NONCE_LEN];
	enum verify_result result;
	const uint8_t *key;

	keyid = 0;
	result = verify_begin(&challenge, &reply, now * CLOCK_SECOND, taken);
	if (result != VERIFY_OK)
		return (result);
	key = keycache_find(&keys, reply.node);
	if (key != NULL)
		keyid = keycache_id(key);
	return (verify_reply(&reply, taken, key, legacy));
}

static void
right_signature(void)
{
	answer(NODE, NOW, 0, sk);
	CHECK(decide(NOW + 1, 1) == VERIFY_OK);
	CHECK(keyid == keycache_id(pk));
	answer(NODE, NOW, 0, sk);
	CHECK(decide(NOW + 1, 0) == VERIFY_OK);
	answer(OTHER, NOW, 0, sk2);
	CHECK(decide(NOW + 1, 0) == VERIFY_OK);
	CHECK(keyid == keycache_id(pk2));
}

static void
older_form(void)
{
	answer(NODE, NOW, 1, sk);
	CHECK(decide(NOW + 1, 1) == VERIFY_OK_LEGACY);
	CHECK(keyid == keycache_id(pk));
	answer(NODE, NOW, 1, sk);
	CHECK(decide(NOW + 1, 0) == VERIFY_WRONG_SIG);
	answer(NODE, NOW, 1, sk2);
	CHECK(decide(NOW + 1, 1) == VERIFY_WRONG_SIG);
}

static void
replayed(void)
{
	answer(NODE, NOW, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_OK);
	CHECK(decide(NOW, 1) == VERIFY_NO_NONCE);
	/* Nor does a failure leave the nonce for a second try. */
	answer(NODE, NOW, 0, sk);
	reply.sig[0] ^= 1;
	CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
	reply.sig[0] ^= 1;
	CHECK(decide(NOW, 1) == VERIFY_NO_NONCE);
}

static void
every_bit_of_the_signature(void)
{
	int i;

	for (i = 0; i < PROTO_SIG_LEN * 8; i++) {
		answer(NODE, NOW, 0, sk);
		reply.sig[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
	}
	answer(NODE, NOW, 0, sk);
	memset(reply.sig, 0, sizeof(reply.sig));
	CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
}

/* Every signed field, in both forms, where the older one has it. */
static void
other_fields(void)
{
	int legacy;

	for (legacy = 0; legacy < 2; legacy++) {
		answer(NODE, NOW, legacy, sk);
		reply.node = OTHER;
		CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
		answer(NODE, NOW, legacy, sk);
		reply.nonce = challenge_issue(&challenge, 1, NOW, nonce);
		CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
		answer(NODE, NOW, legacy, sk2);
		CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
	}
	answer(NODE, NOW, 0, sk);
	reply.ts = NOW + 1;
	CHECK(decide(NOW + 1, 1) == VERIFY_WRONG_SIG);
}

static void
exact_text(void)
{
	char hex[2 * PROTO_NONCE_LEN + 1], text[256];

	answer(NODE, NOW, 0, sk);
	(void)sodium_bin2hex(hex, sizeof(hex), nonce, sizeof(nonce));
	hex[0] = 'A'; /* upper case is another text, whatever it was */
	(void)snprintf(
	    text, sizeof(text), "compat_auth:%u:%u:%s", NODE, NOW, hex);
	sign(text, sk);
	CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
	answer(NODE, NOW, 0, sk);
	(void)sodium_bin2hex(hex, sizeof(hex), nonce, sizeof(nonce));
	(void)snprintf(
	    text, sizeof(text), "compat_auth:%u:%u:%s\n", NODE, NOW, hex);
	sign(text, sk);
	CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
}

static void
unknown_nodes(void)
{
	uint8_t nobody[PROTO_KEY_LEN], secret[crypto_sign_SECRETKEYBYTES];

	answer(UNKNOWN, NOW, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_NO_KEY);
	answer(0, NOW, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_NO_KEY);
	answer(UINT32_MAX, NOW, 0, sk);
	CHECK(decide(NOW, 0) == VERIFY_NO_KEY);
	CHECK(keyid == 0);
	(void)crypto_sign_keypair(nobody, secret);
	answer(UNKNOWN, NOW, 1, secret);
	CHECK(decide(NOW, 1) == VERIFY_NO_KEY);
	/* And its nonce is gone. */
	CHECK(decide(NOW, 1) == VERIFY_NO_NONCE);
}

static void
ages(void)
{
	answer(NODE, NOW, 0, sk);
	CHECK(decide(NOW + 30, 1) == VERIFY_OK);
	answer(NODE, NOW, 0, sk);
	CHECK(decide(NOW + 31, 1) == VERIFY_BAD_TIME);
	answer(NODE, NOW + 1, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_BAD_TIME);
	answer(NODE, UINT64_MAX, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_BAD_TIME);
	/* No challenge is older than its nonce, but for whole seconds. */
	answer(NODE, NOW - 1, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_OK);
	answer(NODE, NOW - 2, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_BAD_TIME);
	answer(NODE, 0, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_BAD_TIME);
	/* Handed out ahead of need: 60 s in the worker, 30 s with the client */
	answer(NODE, NOW + 60, 0, sk);
	CHECK(decide(NOW + 90, 1) == VERIFY_OK);
	answer(NODE, NOW + 61, 0, sk);
	CHECK(decide(NOW + 91, 1) == VERIFY_NO_NONCE);
}

/* Set an hour on, and back by two, with nonces of either time outstanding. */
static void
wall_clock_steps(void)
{
	struct msg_verify before;

	challenge_wall(&challenge, 0);
	answer(NODE, NOW, 0, sk);
	before = reply;
	challenge_wall(&challenge, 3600 * CLOCK_SECOND);
	answer(NODE, NOW + 3600, 0, sk);
	CHECK(decide(NOW + 30, 1) == VERIFY_OK);
	answer(NODE, NOW + 3600, 0, sk);
	CHECK(decide(NOW + 31, 1) == VERIFY_BAD_TIME);
	answer(NODE, NOW, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_BAD_TIME);
	challenge_wall(&challenge, (uint64_t)-3600 * CLOCK_SECOND);
	answer(NODE, NOW - 3600, 0, sk);
	CHECK(decide(NOW + 30, 1) == VERIFY_OK);
	answer(NODE, NOW - 3600, 0, sk);
	CHECK(decide(NOW + 31, 1) == VERIFY_BAD_TIME);
	reply = before;
	CHECK(decide(NOW + 30, 1) == VERIFY_OK);
	challenge_wall(&challenge, 0);
}

static void
never_issued(void)
{
	answer(NODE, NOW, 0, sk);
	reply.nonce += 1;
	CHECK(decide(NOW, 1) == VERIFY_NO_NONCE);
	answer(NODE, NOW, 0, sk);
	reply.nonce += 1U << 31;
	CHECK(decide(NOW, 1) == VERIFY_NO_NONCE);
}

/* What stands for the keys of unknown nodes has a secret that all know: 1. */
static void
sign_as_nobody(const char *text)
{
	static const uint8_t one[crypto_core_ed25519_SCALARBYTES] = { 1 };
	uint8_t hash[crypto_hash_sha512_BYTES], key[PROTO_KEY_LEN];
	uint8_t h[crypto_core_ed25519_SCALARBYTES];
	crypto_hash_sha512_state state;

	(void)crypto_scalarmult_ed25519_base_noclamp(key, one);
	(void)crypto_scalarmult_ed25519_base_noclamp(reply.sig, one);
	(void)crypto_hash_sha512_init(&state);
	(void)crypto_hash_sha512_update(&state, reply.sig, PROTO_KEY_LEN);
	(void)crypto_hash_sha512_update(&state, key, sizeof(key));
	(void)crypto_hash_sha512_update(
	    &state, (const unsigned char *)text, strlen(text));
	(void)crypto_hash_sha512_final(&state, hash);
	crypto_core_ed25519_scalar_reduce(h, hash);
	crypto_core_ed25519_scalar_add(reply.sig + PROTO_KEY_LEN, h, one);
}

static void
nobodys_key_lets_nobody_in(void)
{
	char hex[2 * PROTO_NONCE_LEN + 1], text[256];

	answer(UNKNOWN, NOW, 0, sk);
	(void)sodium_bin2hex(hex, sizeof(hex), nonce, sizeof(nonce));
	(void)snprintf(
	    text, sizeof(text), "compat_auth:%u:%u:%s", UNKNOWN, NOW, hex);
	sign_as_nobody(text);
	CHECK(verify_reply(&reply, nonce, NULL, 1) == VERIFY_NO_KEY);
	(void)snprintf(text, sizeof(text), "compat_auth:%u:%s", UNKNOWN, hex);
	sign_as_nobody(text);
	CHECK(verify_reply(&reply, nonce, NULL, 1) == VERIFY_NO_KEY);
}

static void
longest_text(void)
{
	answer(UINT32_MAX, UINT64_MAX, 0, sk);
	CHECK(verify_reply(&reply, nonce, pk, 0) == VERIFY_OK);
}

/* A key that is no point of the curve, or one that signs anything. */
static void
broken_keys(void)
{
	static const uint8_t small[PROTO_KEY_LEN] = { 1 };
	uint8_t rubbish[PROTO_KEY_LEN];

	memset(rubbish, 0xff, sizeof(rubbish));
	CHECK(keycache_add(&keys, OTHER + 1, 3, small) == 0);
	CHECK(keycache_add(&keys, OTHER + 2, 4, rubbish) == 0);
	CHECK(keycache_finish(&keys, NULL, NULL) == 0);
	answer(OTHER + 1, NOW, 0, sk);
	memset(reply.sig, 0, sizeof(reply.sig));
	reply.sig[0] = 1; /* R the neutral element, S zero */
	CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
	answer(OTHER + 2, NOW, 0, sk);
	CHECK(decide(NOW, 1) == VERIFY_WRONG_SIG);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	challenge_init(&challenge);
	(void)crypto_sign_keypair(pk, sk);
	(void)crypto_sign_keypair(pk2, sk2);
	keycache_init(&keys);
	if (keycache_add(&keys, NODE, 1, pk) == -1 ||
	    keycache_add(&keys, OTHER, 2, pk2) == -1 ||
	    keycache_finish(&keys, NULL, NULL) == -1)
		return (1);
	RUN(right_signature);
	RUN(older_form);
	RUN(replayed);
	RUN(every_bit_of_the_signature);
	RUN(other_fields);
	RUN(exact_text);
	RUN(unknown_nodes);
	RUN(ages);
	RUN(wall_clock_steps);
	RUN(never_issued);
	RUN(nobodys_key_lets_nobody_in);
	RUN(longest_text);
	RUN(broken_keys);
	keycache_free(&keys);
	return (test_failed());
}
