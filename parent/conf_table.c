/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/queue.h>
#include <sys/un.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/peermap.h"
#include "common/proto.h"
#include "parent/conf.h"
#include "parent/conf_internal.h"

#define SECONDS_MAX  86400
#define SUN_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

/* NOLINTBEGIN(bugprone-macro-parentheses): members and values of a row */
#define FIELD(name) offsetof(struct config, name)
#define NUMBER(words, field, value, lo, hi)                                   \
	{                                                                     \
		.name = words, .syntax = "NUMBER", .type = CONF_NUMBER,       \
		.offset = FIELD(field), .number = value, .min = lo, .max = hi \
	}
#define SECONDS(words, field, value) NUMBER(words, field, value, 1, SECONDS_MAX)
#define CHOICE(text, field, value, no, yes, alone)                             \
	{                                                                      \
		.name = text, .syntax = yes "|" no, .type = CONF_CHOICE,       \
		.offset = FIELD(field), .number = value,                       \
		.words = (const char *const[]){ no, yes, NULL }, .bare = alone \
	}
/* begun: what is named if it has changed and only a restart changes it. */
#define STRING(words, field, value, bytes, begun)                       \
	{                                                               \
		.name = words, .syntax = "STRING", .type = CONF_STRING, \
		.offset = FIELD(field), .string = value, .max = bytes,  \
		.start = begun                                          \
	}
#define HOST(words, field, form, path, name_len)                     \
	{                                                            \
		.name = words, .syntax = form, .type = CONF_HOST,    \
		.offset = FIELD(field), .min = path, .max = name_len \
	}
#define ADDRESS(words, k, lo)                                                 \
	{                                                                     \
		.name = words, .syntax = "ADDRESS port PORT",                 \
		.type = CONF_ADDRESS, .kind = k, .min = lo, .max = UINT16_MAX \
	}
#define NETWORKS(words, k)                                          \
	{                                                           \
		.name = words, .syntax = "NETWORK|{ NETWORK ... }", \
		.type = CONF_NETWORK, .kind = k                     \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

/* From LOG_ERR on, as syslog(3) numbers them. */
static const char *const conf_levels[] = { "error", "warning", "notice", "info",
	NULL };

/* One that begins with all the words of another stands before it. */
/* clang-format off */
const struct conf_directive conf_directives[] = {
	{ .name = "listen on", .syntax = "ADDRESS port PORT [proxy protocol]",
	    .type = CONF_ADDRESS, .kind = CONF_LISTEN, .max = UINT16_MAX },
	ADDRESS("listen udp on", CONF_LISTEN_UDP, 0),
	ADDRESS("metrics on", CONF_METRICS, 0),
	CHOICE("trusted proxy header", forwarded, 0, "x-forwarded-for",
	    "forwarded", 0),
	NETWORKS("trusted proxy", CONF_TRUSTED_PROXY),
	{ .name = "workers", .syntax = "auto|NUMBER", .type = CONF_NUMBER,
	    .offset = FIELD(workers), .min = 1, .max = PROTO_WORKERS_MAX,
	    .zero = "auto" },
	STRING("keys file", keys_file, "/etc/beacond/keys",
	    CONF_PATH_MAX - 1, NULL),
	STRING("keys snapshot", keys_snapshot, "", CONF_PATH_MAX - 1,
	    "keys snapshot"),
	STRING("keys cache", keys_cache, "",
	    CONF_PATH_MAX - CONF_NEW_LEN, "keys cache"),
	STRING("blocks file", blocks_file, "",
	    CONF_PATH_MAX - CONF_NEW_LEN, "blocks file"),
	NUMBER("registry rate", registry_rate, 80, 1, CONF_REGISTRY_MAX),
	NUMBER("registry burst", registry_burst, 100, 1, CONF_REGISTRY_MAX),
	SECONDS("registry refresh", registry_refresh, 600),
	SECONDS("registry stale", registry_stale, 86400),
	SECONDS("registry grace", registry_grace, 600),
	HOST("registry", registry, "HOST port PORT|\"/PATH\"", SUN_PATH_MAX,
	    CONF_HOST_MAX - 1),
	STRING("control socket", control_socket, "/run/beacond/control.sock",
	    SUN_PATH_MAX, "control socket"),
	STRING("router socket", router_socket, "", SUN_PATH_MAX,
	    "router socket"),
	STRING("router user", router_user, "", CONF_USER_MAX - 1,
	    "router user"),
	CHOICE("router fallback", router_drop, 0, "relay", "drop", 0),
	STRING("user", user, "", CONF_USER_MAX - 1, "user"),
	STRING("worker user", worker_user, "", CONF_USER_MAX - 1, "user"),
	STRING("auth user", auth_user, "", CONF_USER_MAX - 1, "user"),
	STRING("metrics user", metrics_user, "", CONF_USER_MAX - 1, "user"),
	CHOICE("log format", log_json, 0, "text", "json", 0),
	{ .name = "log level", .syntax = "error|warning|notice|info",
	    .type = CONF_CHOICE, .offset = FIELD(log_level), .number = 3,
	    .words = conf_levels },
	SECONDS("auth timeout", auth_timeout, 10),
	SECONDS("idle timeout", idle_timeout, 90),
	SECONDS("ping interval", ping_interval, 30),
	SECONDS("write timeout", write_timeout, 10),
	NUMBER("drain grace", drain_grace, 10, 0, SECONDS_MAX),
	NUMBER("drain on stop", drain_on_stop, 0, 0, SECONDS_MAX),
	NUMBER("max peers", max_peers, 50000, 0, PEERMAP_NODES_MAX),
	NUMBER("max frame", max_frame, 65536, 125, 65536),
	CHOICE("legacy signatures", legacy_signatures, 1, "no", "yes", 0),
	NUMBER("source packet limit", source_packet_limit, 4000, 0, UINT32_MAX),
	NUMBER("source byte limit", source_byte_limit, 0, 0, UINT32_MAX),
	NUMBER("source upgrade limit", source_upgrade_limit, 500, 0,
	    UINT32_MAX),
	NUMBER("source node limit", source_node_limit, 4096, 0, UINT32_MAX),
	NETWORKS("source exempt", CONF_SOURCE_EXEMPT),
	CHOICE("require punch grant", require_punch_grant, 0, "no", "yes", 1),
	NUMBER("punch source limit", punch_source_limit, 1, 0, UINT32_MAX),
	NUMBER("punch total limit", punch_total_limit, 10, 0, UINT32_MAX),
	NETWORKS("punch exempt", CONF_PUNCH_EXEMPT),
	NUMBER("beacon id", beacon_id, 0, 0, UINT32_MAX),
	CHOICE("beacon register", enroll, 0, "off", "on", 0),
	HOST("advertise", advertise, "HOST port PORT", 0, PROTO_HOST_LEN - 1),
	STRING("admin token file", token_file, "", CONF_PATH_MAX - 1,
	    "admin token file"),
	ADDRESS("peer beacon", CONF_PEER_BEACON, 1),
	CHOICE("accept gossip from", accept_gossip_from_any, 0, "peers", "any",
	    0),
	{ .name = "default beacon", .syntax = "ADDRESS port PORT",
	    .type = CONF_BEACON, .min = 1, .max = UINT16_MAX },
};
/* clang-format on */
const size_t conf_ndirectives =
    sizeof(conf_directives) / sizeof(conf_directives[0]);
_Static_assert(
    sizeof(conf_directives) / sizeof(conf_directives[0]) <= CONF_DIRECTIVES_MAX,
    "room in struct config");

static void
conf_preset(struct config *conf, const struct conf_directive *d)
{
	void *field;

	field = (char *)conf + d->offset;
	switch (d->type) {
	case CONF_NUMBER:
		*(uint32_t *)field = d->number;
		break;
	case CONF_CHOICE:
		*(int *)field = (int)d->number;
		break;
	case CONF_STRING:
		(void)strlcpy(field, d->string, d->max + 1);
		break;
	default: /* none, or an empty list */
		break;
	}
}

/*
 * A configuration of defaults, to be freed with conf_free().  NULL: no memory.
 */
struct config *
conf_new(void)
{
	struct config *conf;
	size_t i;

	conf = calloc(1, sizeof(*conf));
	if (conf == NULL)
		return (NULL);
	TAILQ_INIT(&conf->addresses);
	STAILQ_INIT(&conf->files);
	for (i = 0; i < conf_ndirectives; i++)
		conf_preset(conf, &conf_directives[i]);
	return (conf);
}

/* Where the directive of that name stands; NULL: nowhere. */
const struct conf_place *
conf_given(const struct config *conf, const char *name)
{
	size_t i;

	for (i = 0; i < conf_ndirectives; i++) {
		if (strcmp(conf_directives[i].name, name) == 0 &&
		    conf->given[i].line != 0)
			return (&conf->given[i]);
	}
	return (NULL);
}

/*
 * What has changed between two configurations though only a restart changes
 * it, but for the addresses: the first such from row *next on, which becomes
 * the row after it; NULL: no more.
 */
const char *
conf_changed(const struct config *old, const struct config *new, size_t *next)
{
	const struct conf_directive *d;
	const char *a, *b;

	while (*next < conf_ndirectives) {
		d = &conf_directives[(*next)++];
		a = (const char *)old + d->offset;
		b = (const char *)new + d->offset;
		if (d->start != NULL &&
		    (d->type == CONF_STRING
			    ? strcmp(a, b) != 0
			    : memcmp(a, b, sizeof(uint32_t)) != 0))
			return (d->start);
	}
	return (NULL);
}

void
conf_free(struct config *conf)
{
	struct conf_address *a;
	struct conf_file *file;

	if (conf == NULL)
		return;
	while ((a = TAILQ_FIRST(&conf->addresses)) != NULL) {
		TAILQ_REMOVE(&conf->addresses, a, entry);
		free(a);
	}
	while ((file = STAILQ_FIRST(&conf->files)) != NULL) {
		STAILQ_REMOVE_HEAD(&conf->files, entry);
		free(file);
	}
	free(conf);
}
