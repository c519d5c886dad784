/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ws_frame.h"
#include "regress/bench/load.h"

#define NONCE_HEX  64
#define HEAD_MAX   4096
#define TEXT_MAX   1024
#define SIGNED_MAX 160
#define SIG64_LEN                  \
	sodium_base64_ENCODED_LEN( \
	    crypto_sign_BYTES, sodium_base64_VARIANT_ORIGINAL)
#define KEY64_LEN                  \
	sodium_base64_ENCODED_LEN( \
	    crypto_sign_PUBLICKEYBYTES, sodium_base64_VARIANT_ORIGINAL)

/* The example of RFC 6455 section 1.3. */
static const char upgrade[] = "GET /v1/compat HTTP/1.1\r\n"
			      "Host: 127.0.0.1\r\n"
			      "Upgrade: websocket\r\n"
			      "Connection: Upgrade\r\n"
			      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			      "Sec-WebSocket-Version: 13\r\n"
			      "Sec-WebSocket-Protocol: pilot.v1\r\n"
			      "\r\n";
static const char accepted[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/*
 * A node's key pair follows from its number, so that any number of generators
 * and the key file agree.
 */
static void
login_pair(uint32_t node, uint8_t *public, uint8_t *secret)
{
	uint8_t seed[crypto_sign_SEEDBYTES];
	char text[32];
	int len;

	len = snprintf(text, sizeof(text), "beacond bench %u", node);
	crypto_generichash(
	    seed, sizeof(seed), (uint8_t *)text, (size_t)len, NULL, 0);
	crypto_sign_seed_keypair(public, secret, seed);
}

/* The secret keys of n nodes, crypto_sign_SECRETKEYBYTES each. */
uint8_t *
login_secrets(uint32_t first, uint32_t n)
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES];
	uint8_t *secrets;
	uint32_t i;

	secrets = calloc(n, crypto_sign_SECRETKEYBYTES);
	if (secrets == NULL)
		err(2, NULL);
	for (i = 0; i < n; i++)
		login_pair(first + i, public,
		    secrets + (size_t)i * crypto_sign_SECRETKEYBYTES);
	return (secrets);
}

/* Writes the key file for n nodes. */
void
login_keys(const char *path, uint32_t first, uint32_t n)
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	char text[KEY64_LEN];
	FILE *fp;
	uint32_t i;

	fp = fopen(path, "w");
	if (fp == NULL)
		err(2, "%s", path);
	for (i = 0; i < n; i++) {
		login_pair(first + i, public, secret);
		sodium_bin2base64(text, sizeof(text), public, sizeof(public),
		    sodium_base64_VARIANT_ORIGINAL);
		fprintf(fp, "%u %s\n", first + i, text);
	}
	if (fclose(fp) == EOF)
		err(2, "%s", path);
}

void
login_upgrade(struct peer *p)
{
	p->state = PEER_UPGRADING;
	peer_write(p, (const uint8_t *)upgrade, sizeof(upgrade) - 1);
}

/* Returns the size of the answer's head, 0 if it is not all there, or -1. */
long
login_upgraded(struct peer *p, const uint8_t *data, size_t len)
{
	const uint8_t *end;
	char head[HEAD_MAX];
	size_t n;

	end = memmem(data, len, "\r\n\r\n", 4);
	if (end == NULL)
		return (len < sizeof(head) ? 0 : -1);
	n = (size_t)(end - data) + 4;
	if (n >= sizeof(head))
		return (-1);
	memcpy(head, data, n);
	head[n] = '\0';
	if (strncmp(head, "HTTP/1.1 101 ", 13) == 0 &&
	    strstr(head, accepted) != NULL)
		return ((long)n);
	head[strcspn(head, "\r")] = '\0';
	peer_failed(p, head);
	return (-1);
}

/* Answers the challenge as daemons do since mid-2026. */
static int
login_reply(struct peer *p, const char *nonce, unsigned long long ts)
{
	uint8_t sig[crypto_sign_BYTES], frame[TEXT_MAX + WS_HEADER_MAX];
	char text[TEXT_MAX], sig64[SIG64_LEN], key64[KEY64_LEN];
	char what[SIGNED_MAX];
	int len;

	len = snprintf(what, sizeof(what), "compat_auth:%u:%llu:%.*s", p->node,
	    ts, NONCE_HEX, nonce);
	crypto_sign_detached(
	    sig, NULL, (uint8_t *)what, (size_t)len, p->secret);
	sodium_bin2base64(sig64, sizeof(sig64), sig, sizeof(sig),
	    sodium_base64_VARIANT_ORIGINAL);
	sodium_bin2base64(key64, sizeof(key64), p->secret + 32,
	    crypto_sign_PUBLICKEYBYTES, sodium_base64_VARIANT_ORIGINAL);
	len = snprintf(text, sizeof(text),
	    "{\"type\":\"auth_reply\",\"node_id\":%u,\"public_key\":\"%s\","
	    "\"sig\":\"%s\"}",
	    p->node, key64, sig64);
	peer_write(p, frame, wire_masked(frame, WS_TEXT, text, (size_t)len));
	p->state = PEER_HELLO;
	return (0);
}

/* A text message.  Returns 0, or -1 if it is not what the state expects. */
int
login_text(struct peer *p, const uint8_t *data, size_t len)
{
	char text[TEXT_MAX], *nonce, *ts;

	if (len >= sizeof(text))
		return (-1);
	memcpy(text, data, len);
	text[len] = '\0';
	switch (p->state) {
	case PEER_CHALLENGE:
		nonce = strstr(text, "\"nonce\":\"");
		ts = strstr(text, "\"ts\":");
		if (strstr(text, "\"auth_challenge\"") == NULL ||
		    nonce == NULL || ts == NULL || strlen(nonce) < NONCE_HEX)
			return (-1);
		return (login_reply(p, nonce + 9, strtoull(ts + 5, NULL, 10)));
	case PEER_HELLO:
		if (strstr(text, "\"auth_ok\"") == NULL)
			return (-1);
		peer_opened(p);
		return (0);
	default:
		return (0);
	}
}
