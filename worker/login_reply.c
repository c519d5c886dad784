/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "worker/login_reply.h"

/*
 * Left alone, jansson seeds its hash tables from /dev/urandom, which a worker
 * may not open.
 */
static void
seed_hash(void)
{
	static int seeded;

	if (seeded)
		return;
	json_object_seed(randombytes_random() | 1); /* 0 means: by itself */
	seeded = 1;
}

static int
parse_node(const json_t *value, uint32_t *node)
{
	json_int_t n;

	n = json_integer_value(value); /* 0 if it is none */
	if (n < 1 || n > UINT32_MAX)
		return (-1);
	*node = n;
	return (0);
}

/* Standard base64, padded, of a whole signature, and nothing else. */
static int
parse_sig(const json_t *value, uint8_t sig[PROTO_SIG_LEN])
{
	size_t len;

	/* Of what is no string NULL and 0: too short. */
	if (sodium_base642bin(sig, PROTO_SIG_LEN, json_string_value(value),
		json_string_length(value), NULL, &len, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0)
		return (-1);
	return (len == PROTO_SIG_LEN ? 0 : -1);
}

/*
 * Read a client's auth_reply, len bytes of JSON.  Returns 0, or -1 with errno:
 * EBADMSG if it is no such thing, ENOMEM if that cannot be told.  Members that
 * it need not have are ignored, its public_key among them: the key that counts
 * is the registered one.
 */
int
login_reply_parse(const char *text, size_t len, struct login_reply *reply)
{
	const char *type;
	json_t *root;
	int result;

	if (len > LOGIN_REPLY_MAX) {
		errno = EBADMSG;
		return (-1);
	}
	seed_hash();
	/* Of malloc's: jansson itself tells of bad JSON only. */
	errno = 0;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (root == NULL) {
		errno = errno == ENOMEM ? ENOMEM : EBADMSG;
		return (-1);
	}
	result = -1;
	type = json_string_value(json_object_get(root, "type"));
	if (type == NULL || strcmp(type, "auth_reply") != 0)
		goto done;
	if (parse_node(json_object_get(root, "node_id"), &reply->node) == -1)
		goto done;
	if (parse_sig(json_object_get(root, "sig"), reply->sig) == -1)
		goto done;
	result = 0;
done:
	json_decref(root);
	if (result == -1)
		errno = EBADMSG;
	return (result);
}
