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

#define FIELD(name) offsetof(struct config, name)
#define NUMBER(words, field, lo, hi)                                    \
	{                                                               \
		.name = words, .syntax = "NUMBER", .type = CONF_NUMBER, \
		.offset = FIELD(field), .min = lo, .max = hi            \
	}
#define SECONDS(words, field) NUMBER(words, field, 1, SECONDS_MAX)
#define CHOICE(words, field, no, yes, alone)                                  \
	{                                                                     \
		.name = words, .syntax = yes "|" no, .type = CONF_CHOICE,     \
		.offset = FIELD(field), .zero = no, .one = yes, .bare = alone \
	}
#define STRING(words, field, bytes)                                     \
	{                                                               \
		.name = words, .syntax = "STRING", .type = CONF_STRING, \
		.offset = FIELD(field), .max = bytes                    \
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

/* One that begins with all the words of another stands before it. */
/* clang-format off */
const struct conf_directive conf_directives[CONF_DIRECTIVES] = {
	ADDRESS("listen on", CONF_LISTEN, 0),
	ADDRESS("listen udp on", CONF_LISTEN_UDP, 0),
	{ .name = "workers", .syntax = "auto|NUMBER", .type = CONF_NUMBER,
	    .offset = FIELD(workers), .min = 1, .max = PROTO_WORKERS_MAX,
	    .zero = "auto" },
	STRING("keys file", keys_file, CONF_PATH_MAX - 1),
	STRING("keys snapshot", keys_snapshot, CONF_PATH_MAX - 1),
	STRING("keys cache", keys_cache, CONF_PATH_MAX - CONF_NEW_LEN),
	NUMBER("registry rate", registry_rate, 1, CONF_REGISTRY_MAX),
	NUMBER("registry burst", registry_burst, 1, CONF_REGISTRY_MAX),
	SECONDS("registry refresh", registry_refresh),
	SECONDS("registry stale", registry_stale),
	SECONDS("registry grace", registry_grace),
	HOST("registry", registry, "HOST port PORT|\"/PATH\"", SUN_PATH_MAX,
	    CONF_HOST_MAX - 1),
	STRING("control socket", control_socket, SUN_PATH_MAX),
	STRING("user", user, CONF_USER_MAX - 1),
	STRING("worker user", worker_user, CONF_USER_MAX - 1),
	STRING("auth user", auth_user, CONF_USER_MAX - 1),
	SECONDS("auth timeout", auth_timeout),
	SECONDS("idle timeout", idle_timeout),
	SECONDS("ping interval", ping_interval),
	SECONDS("write timeout", write_timeout),
	NUMBER("max peers", max_peers, 0, PEERMAP_NODES_MAX),
	NUMBER("max frame", max_frame, 125, 65536),
	CHOICE("legacy signatures", legacy_signatures, "no", "yes", 0),
	NUMBER("source packet limit", source_packet_limit, 0, UINT32_MAX),
	NUMBER("source upgrade limit", source_upgrade_limit, 0, UINT32_MAX),
	CHOICE("require punch grant", require_punch_grant, "no", "yes", 1),
	NUMBER("punch source limit", punch_source_limit, 0, UINT32_MAX),
	NUMBER("punch total limit", punch_total_limit, 0, UINT32_MAX),
	{ .name = "punch exempt", .syntax = "ADDRESS[/PREFIX]",
	    .type = CONF_NETWORK, .kind = CONF_PUNCH_EXEMPT },
	NUMBER("beacon id", beacon_id, 0, UINT32_MAX),
	CHOICE("beacon register", enroll, "off", "on", 0),
	HOST("advertise", advertise, "HOST port PORT", 0, PROTO_HOST_LEN - 1),
	STRING("admin token file", token_file, CONF_PATH_MAX - 1),
	ADDRESS("peer beacon", CONF_PEER_BEACON, 1),
	CHOICE("accept gossip from", accept_gossip_from_any, "peers", "any",
	    0),
	{ .name = "default beacon", .syntax = "ADDRESS port PORT",
	    .type = CONF_BEACON, .min = 1, .max = UINT16_MAX },
};
/* clang-format on */

/*
 * A configuration of defaults, to be freed with conf_free().  NULL: no memory.
 */
struct config *
conf_new(void)
{
	struct config *conf;

	conf = calloc(1, sizeof(*conf));
	if (conf == NULL)
		return (NULL);
	TAILQ_INIT(&conf->addresses);
	STAILQ_INIT(&conf->files);
	strlcpy(conf->keys_file, "/etc/beacond/keys", sizeof(conf->keys_file));
	strlcpy(conf->control_socket, "/run/beacond.sock",
	    sizeof(conf->control_socket));
	conf->registry_rate = 80;
	conf->registry_burst = 100;
	conf->registry_refresh = 600;
	conf->registry_stale = 86400;
	conf->registry_grace = 600;
	conf->auth_timeout = 10;
	conf->idle_timeout = 90;
	conf->ping_interval = 30;
	conf->write_timeout = 10;
	conf->max_peers = 50000;
	conf->max_frame = 65536;
	conf->legacy_signatures = 1;
	conf->source_packet_limit = 4000;
	conf->source_upgrade_limit = 500;
	conf->punch_source_limit = 1;
	conf->punch_total_limit = 10;
	return (conf);
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
