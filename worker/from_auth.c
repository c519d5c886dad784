/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/log.h"
#include "worker/worker.h"

/* What auth says; see worker/from_parent.c for how. */

static const char *
from_auth_nonces(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_nonces *msg;

	msg = data;
	if (msg->count == 0 || msg->count > PROTO_NONCES_MAX ||
	    len - sizeof(*msg) != (size_t)msg->count * PROTO_NONCE_LEN)
		return ("count does not fit size");
	return (login_nonces(owner, msg, (const uint8_t *)(msg + 1)));
}

static const char *
from_auth_refused(void *owner, const void *data, size_t len, int fd)
{
	return (login_refused(owner, data));
}

static const char *
from_auth_granted(void *owner, const void *data, size_t len, int fd)
{
	punch_granted(owner, data);
	return (NULL);
}

static const struct channel_rule from_auth_rules[] = {
	CHANNEL_RULE_RANGE(AW_NONCES,
	    sizeof(struct msg_nonces) + PROTO_NONCE_LEN,
	    sizeof(struct msg_nonces) + PROTO_NONCES_MAX * PROTO_NONCE_LEN, ~0U,
	    from_auth_nonces),
	CHANNEL_RULE(
	    AW_REFUSED, sizeof(struct msg_refused), ~0U, from_auth_refused),
	CHANNEL_RULE(
	    AW_GRANTED, sizeof(struct msg_granted), ~0U, from_auth_granted),
};

static void
from_auth_end(void *owner, const char *reason)
{
	if (reason != NULL)
		log_warnx("auth: %s: channel closed", reason);
	login_auth_lost(owner);
}

/* PW_AUTH: fd leads to auth, in place of any earlier channel. */
void
from_auth_open(struct worker *w, int fd)
{
	if (w->auth.open) {
		channel_close(&w->auth);
		login_auth_lost(w);
	}
	if (channel_open(&w->auth, w->loop, fd, "auth", from_auth_rules,
		sizeof(from_auth_rules) / sizeof(from_auth_rules[0]),
		from_auth_end, w) == -1)
		fatal("auth's channel");
	login_top_up(w);
}
