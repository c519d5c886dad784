/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <err.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keystore.h"
#include "auth/verify.h"
#include "common/clock.h"
#include "common/ws_frame.h"
#include "regress/bench/instructions.h"

/* Logins, in a worker and in auth. */

#define NODE 4242

static const char login_head[] = "GET /v1/compat HTTP/1.1\r\n"
				 "Host: beacon.example.org\r\n"
				 "X-Forwarded-For: 192.0.2.7\r\n"
				 "Connection: Upgrade\r\n"
				 "Upgrade: websocket\r\n"
				 "Sec-WebSocket-Version: 13\r\n"
				 "Sec-WebSocket-Key: "
				 "dGhlIHNhbXBsZSBub25jZQ==\r\n"
				 "Sec-WebSocket-Protocol: pilot.v1\r\n\r\n";

/* The client says something; the end of the answer is compared. */
static void
login_turn(
    struct session *s, int fd, const void *bytes, size_t len, const char *end)
{
	char answer[1024];
	ssize_t n;

	if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		err(1, "send");
	wake(&workers[0], &s->io);
	if (end == NULL)
		return;
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	if (n <= 0)
		errx(1, "no answer to a login");
	answer[n] = '\0';
	if (strstr(answer, "\r\n\r\n") == NULL ||
	    strstr(strstr(answer, "\r\n\r\n") + 6, end) == NULL)
		errx(1, "wrong answer to a login: %s", answer);
}

/* A reply as daemons send it; its signature is not looked at here. */
static size_t
login_reply(uint8_t *frame)
{
	static const uint8_t mask[WS_MASK_LEN] = { 0x12, 0x34, 0x56, 0x78 };
	static const uint8_t bytes[PROTO_SIG_LEN] = { 1, 2, 3 };
	char key[64], sig[128], text[512];
	size_t header;
	int len;

	(void)sodium_bin2base64(key, sizeof(key), bytes, PROTO_KEY_LEN,
	    sodium_base64_VARIANT_ORIGINAL);
	(void)sodium_bin2base64(sig, sizeof(sig), bytes, sizeof(bytes),
	    sodium_base64_VARIANT_ORIGINAL);
	len = snprintf(text, sizeof(text),
	    "{\"type\":\"auth_reply\",\"node_id\":%u,"
	    "\"public_key\":\"%s\",\"sig\":\"%s\"}",
	    NODE, key, sig);
	header = ws_header_build_masked(frame, WS_TEXT, (size_t)len, mask);
	ws_unmask(frame + header, (const uint8_t *)text, (size_t)len, mask, 0);
	return (header + (size_t)len);
}

static void
login_one(struct worker *w)
{
	struct msg_open open;
	struct session *s;
	uint8_t frame[1024];
	char answer[64];
	size_t len;
	int fd;

	fd = connection(w, &s);
	login_turn(
	    s, fd, login_head, sizeof(login_head) - 1, "\"auth_challenge\"");
	len = login_reply(frame);
	login_turn(s, fd, frame, len, NULL);
	open.slot = session_slot(w, s);
	open.serial = s->serial;
	open.node = NODE;
	open.generation = 1;
	COUNT;
	(void)channel_flush(&w->auth);
	login_open(w, &open);
	COUNT;
	if (recv(fd, answer, sizeof(answer), 0) != 2 + 18 ||
	    memcmp(answer + 2, "{\"type\":\"auth_ok\"}", 18) != 0)
		errx(1, "no auth_ok");
}

static void
login_end(void *owner, const char *reason)
{
	errx(1, "auth: %s", reason != NULL ? reason : "closed");
}

/* From the accepted connection to auth_ok, without the loop. */
void
run_login_worker(void)
{
	static const uint8_t values[PROTO_NONCES_MAX * PROTO_NONCE_LEN];
	struct msg_nonces nonces;
	struct worker *w;
	int i, pair[2];

	w = &workers[0];
	json_object_seed(1);
	if (channel_pair(pair) == -1 ||
	    channel_open(&w->auth, w->loop, pair[0], "auth", NULL, 0, login_end,
		w) == -1)
		err(1, "channel");
	w->login.nonces_asked = NONCES_MAX;
	nonces.first = 0;
	nonces.count = PROTO_NONCES_MAX;
	while (w->login.nonces_asked > 0)
		if (login_nonces(w, &nonces, values) != NULL)
			errx(1, "nonces refused");
	for (i = 0; i <= ROUNDS; i++) {
		if (i == 1)
			CALLGRIND_ZERO_STATS;
		login_one(w);
	}
	report("login, worker", ROUNDS);
}

static void
verify_one(
    struct challenge *challenge, struct keystore *keys, const uint8_t *secret)
{
	uint8_t nonce[PROTO_NONCE_LEN];
	char hex[2 * PROTO_NONCE_LEN + 1], text[256];
	struct keystore_key found = { 0 };
	struct msg_verify msg;
	uint64_t keyid;
	int len, result;

	memset(&msg, 0, sizeof(msg));
	msg.node = NODE;
	msg.ts = NOW;
	COUNT;
	msg.nonce = challenge_issue(challenge, 1, NOW, nonce);
	COUNT;
	(void)sodium_bin2hex(hex, sizeof(hex), nonce, sizeof(nonce));
	len = snprintf(
	    text, sizeof(text), "compat_auth:%u:%u:%s", NODE, NOW, hex);
	(void)crypto_sign_detached(msg.sig, NULL, (const unsigned char *)text,
	    (unsigned long long)len, secret);
	COUNT;
	result = verify_begin(challenge, &msg, NOW * CLOCK_SECOND, nonce);
	if (result == VERIFY_OK && keystore_find(keys, NODE, NOW, &found))
		result = verify_reply(&msg, nonce, found.key, 1);
	keyid = result == VERIFY_OK ? keycache_id(found.key) : 0;
	if (found.source != KEYSTORE_FILE)
		keystore_use(keys, NODE);
	COUNT;
	if (result != VERIFY_OK || keyid == 0)
		errx(1, "login refused");
}

static void
verify_many(struct keystore *keys, const uint8_t *secret, const char *name)
{
	static struct challenge challenge;
	int i;

	for (i = 0; i <= ROUNDS; i++) {
		if (i == 1)
			CALLGRIND_ZERO_STATS;
		verify_one(&challenge, keys, secret);
	}
	report(name, ROUNDS);
}

/*
 * A nonce and the decision on a reply, without the channels: by a key of the
 * file, and by one that the registry has given.
 */
void
run_login_auth(void)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES] = { 1 };
	uint8_t public[PROTO_KEY_LEN], secret[crypto_sign_SECRETKEYBYTES];
	static struct keystore keys;
	struct keycache none;

	(void)crypto_sign_seed_keypair(public, secret, seed);
	if (keystore_init(&keys) == -1 ||
	    keycache_add(&keys.file, NODE, 1, public) == -1 ||
	    keycache_finish(&keys.file, NULL, NULL) == -1)
		errx(1, "no keys");
	verify_many(&keys, secret, "login, auth");
	keycache_init(&none);
	keystore_swap_file(&keys, &none);
	keystore_confirm(&keys, NODE, public, NOW * CLOCK_SECOND);
	verify_many(&keys, secret, "login, auth, key of the registry");
}
