/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/probe.h"

/* The client's half of the challenge, doc/protocol.md 3. */
#define NONCE_DIGITS 64
#define BASE64_SIG_LEN             \
	sodium_base64_ENCODED_LEN( \
	    crypto_sign_BYTES, sodium_base64_VARIANT_ORIGINAL)

static int
is_nonce(const char *s)
{
	return (strlen(s) == NONCE_DIGITS &&
		strspn(s, "0123456789abcdefABCDEF") == NONCE_DIGITS);
}

static void
sign(const struct node_key *key, uint32_t node, json_int_t ts,
    const char *nonce, char sig64[BASE64_SIG_LEN])
{
	uint8_t sig[crypto_sign_BYTES];
	char text[160];
	int n;

	n = snprintf(text, sizeof(text),
	    "compat_auth:%" PRIu32 ":%" JSON_INTEGER_FORMAT ":%s", node, ts,
	    nonce);
	(void)crypto_sign_detached(sig, NULL, (const uint8_t *)text,
	    (unsigned long long)n, key->secret);
	(void)sodium_bin2base64(sig64, BASE64_SIG_LEN, sig, sizeof(sig),
	    sodium_base64_VARIANT_ORIGINAL);
}

/*
 * Writes the auth_reply to the auth_challenge of len bytes into out.  Returns
 * its length, or -1 if that is no challenge.
 */
int
login_reply_build(const char *challenge, size_t len, uint32_t node,
    const struct node_key *key, char *out, size_t size)
{
	char public[KEY_BASE64_LEN], sig[BASE64_SIG_LEN];
	const char *nonce, *type;
	json_int_t ts;
	json_t *root;
	int n;

	n = -1;
	root = json_loadb(challenge, len, JSON_REJECT_DUPLICATES, NULL);
	if (root == NULL || json_unpack(root, "{s:s, s:s, s:I}", "type", &type,
				"nonce", &nonce, "ts", &ts) == -1)
		goto done;
	if (strcmp(type, "auth_challenge") != 0 || !is_nonce(nonce))
		goto done;
	key_base64(key, public);
	sign(key, node, ts, nonce, sig);
	n = snprintf(out, size,
	    "{\"type\":\"auth_reply\",\"node_id\":%" PRIu32
	    ",\"public_key\":\"%s\",\"sig\":\"%s\"}",
	    node, public, sig);
	if (n < 0 || (size_t)n >= size)
		n = -1;
done:
	json_decref(root);
	return (n);
}

static int
is_auth_ok(const struct ws_client *c)
{
	const char *type;
	json_t *root;
	int ok;

	root = json_loadb(
	    (const char *)c->msg, c->msg_len, JSON_REJECT_DUPLICATES, NULL);
	ok = root != NULL && json_unpack(root, "{s:s}", "type", &type) == 0 &&
	     strcmp(type, "auth_ok") == 0;
	json_decref(root);
	return (ok);
}

/* One text message until deadline; what names it in an error. */
static int
await_text(struct ws_client *c, const char *what, int64_t deadline)
{
	int n;

	n = ws_client_recv(c, deadline);
	if (n == 0)
		(void)snprintf(
		    c->error, sizeof(c->error), "no %s in time", what);
	else if (n == 1 && c->opcode != WS_TEXT)
		(void)snprintf(c->error, sizeof(c->error),
		    "a binary message in place of %s", what);
	return (n == 1 && c->opcode == WS_TEXT ? 0 : -1);
}

/*
 * Waits for the challenge, answers it and waits for auth_ok, timeout
 * nanoseconds each.  Returns 0, or -1 with a message in c->error.
 */
int
login(struct ws_client *c, uint32_t node, const struct node_key *key,
    int64_t timeout)
{
	char reply[WS_SEND_MAX];
	int n;

	if (await_text(c, "auth_challenge", ws_now() + timeout) == -1)
		return (-1);
	n = login_reply_build(
	    (const char *)c->msg, c->msg_len, node, key, reply, sizeof(reply));
	if (n == -1) {
		(void)snprintf(
		    c->error, sizeof(c->error), "malformed auth_challenge");
		return (-1);
	}
	if (ws_client_send(c, WS_TEXT, reply, (size_t)n, ws_now() + timeout) ==
		-1 ||
	    await_text(c, "auth_ok", ws_now() + timeout) == -1)
		return (-1);
	if (!is_auth_ok(c)) {
		(void)snprintf(c->error, sizeof(c->error),
		    "another message in place of auth_ok");
		return (-1);
	}
	return (0);
}
