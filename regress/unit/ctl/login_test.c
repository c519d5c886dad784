/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <jansson.h>
#include <sodium.h>
#include <unistd.h>

#include "ctl/probe.h"
#include "regress/unit/test.h"

#define NONCE "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define CHALLENGE                                         \
	"{\"type\":\"auth_challenge\",\"nonce\":\"" NONCE \
	"\",\"ts\":1767225600}"
#define SECOND INT64_C(1000000000)

static struct node_key key;

static int
build(const char *challenge, char *out, size_t size)
{
	return (login_reply_build(
	    challenge, strlen(challenge), 7777, &key, out, size));
}

static void
reply_is_signed(void)
{
	static const char signed_text[] = "compat_auth:7777:1767225600:" NONCE;
	const char *pub64, *sig64, *type;
	uint8_t pub[32], sig[64];
	char out[WS_SEND_MAX];
	json_t *root;
	size_t n;
	int node;

	n = (size_t)build(CHALLENGE, out, sizeof(out));
	CHECK(n == strlen(out));
	root = json_loads(out, 0, NULL);
	CHECK(root != NULL);
	CHECK(json_unpack(root, "{s:s, s:i, s:s, s:s !}", "type", &type,
		  "node_id", &node, "public_key", &pub64, "sig", &sig64) == 0);
	CHECK(strcmp(type, "auth_reply") == 0 && node == 7777);
	CHECK(sodium_base642bin(pub, sizeof(pub), pub64, strlen(pub64), NULL,
		  &n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
	      n == 32);
	CHECK(memcmp(pub, key.public, 32) == 0);
	CHECK(sodium_base642bin(sig, sizeof(sig), sig64, strlen(sig64), NULL,
		  &n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
	      n == 64);
	CHECK(crypto_sign_verify_detached(sig, (const uint8_t *)signed_text,
		  sizeof(signed_text) - 1, key.public) == 0);
	json_decref(root);
}

static void
no_challenge(void)
{
	char out[WS_SEND_MAX];

	CHECK(build("", out, sizeof(out)) == -1);
	CHECK(build("{}", out, sizeof(out)) == -1);
	CHECK(build("[1]", out, sizeof(out)) == -1);
	CHECK(build("{\"type\":\"auth_ok\",\"nonce\":\"" NONCE "\",\"ts\":1}",
		  out, sizeof(out)) == -1);
	CHECK(build("{\"type\":\"auth_challenge\",\"nonce\":\"00\",\"ts\":1}",
		  out, sizeof(out)) == -1);
	CHECK(build("{\"type\":\"auth_challenge\",\"nonce\":\"" NONCE
		    "0\",\"ts\":1}",
		  out, sizeof(out)) == -1);
	CHECK(build("{\"type\":\"auth_challenge\",\"nonce\":\"" NONCE
		    "g\",\"ts\":1}",
		  out, sizeof(out)) == -1);
	CHECK(build("{\"type\":\"auth_challenge\",\"nonce\":\"" NONCE
		    "\",\"ts\":\"1\"}",
		  out, sizeof(out)) == -1);
	CHECK(build(CHALLENGE, out, 100) == -1);
}

/* The other end has said all it is going to say before login() begins. */
static int
login_hears(const char *const *texts, int opcode, char *error, int *close_code)
{
	uint8_t frame[512];
	struct ws_client *c;
	size_t len;
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1)
		abort();
	for (; *texts != NULL; texts++) {
		len = ws_header_build(frame, opcode, strlen(*texts));
		memcpy(frame + len, *texts, strlen(*texts));
		len += strlen(*texts);
		if (write(fds[1], frame, len) != (ssize_t)len)
			abort();
	}
	if (opcode == WS_TEXT) {
		len = ws_close_build(frame, WS_STATUS_POLICY, "auth failed");
		if (write(fds[1], frame, len) != (ssize_t)len)
			abort();
	}
	c = ws_client_new();
	c->fd = fds[0];
	ret = login(c, 7777, &key, SECOND / 10);
	(void)strlcpy(error, c->error, WS_ERROR_LEN);
	*close_code = c->close_code;
	ws_client_free(c);
	close(fds[1]);
	return (ret);
}

static void
dialogue(void)
{
	static const char *const good[] = { CHALLENGE, "{\"type\":\"auth_ok\"}",
		NULL };
	static const char *const other[] = { CHALLENGE,
		"{\"type\":\"auth_no\"}", NULL };
	static const char *const half[] = { CHALLENGE, NULL };
	static const char *const none[] = { NULL };
	char error[WS_ERROR_LEN];
	int code;

	CHECK(login_hears(good, WS_TEXT, error, &code) == 0);
	CHECK(login_hears(other, WS_TEXT, error, &code) == -1);
	CHECK(strstr(error, "auth_ok") != NULL && code == 0);
	CHECK(login_hears(half, WS_TEXT, error, &code) == -1);
	CHECK(strstr(error, "1008 auth failed") != NULL && code == 1008);
	CHECK(login_hears(good, WS_BINARY, error, &code) == -1);
	CHECK(strstr(error, "binary") != NULL);
	CHECK(login_hears(none, WS_BINARY, error, &code) == -1);
	CHECK(strstr(error, "in time") != NULL);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	(void)crypto_sign_keypair(key.public, key.secret);
	RUN(reply_is_signed);
	RUN(no_challenge);
	RUN(dialogue);
	return (test_failed());
}
