/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "auth/beacon_list.h"

/*
 * Writes the request that puts this beacon on the list.  Returns its length, or
 * 0 if it does not fit, or its texts are none.
 */
size_t
beacon_list_request(
    const struct msg_registry_conf *conf, char *out, size_t size)
{
	char addr[PROTO_HOST_LEN + 16];
	json_t *root;
	size_t len;

	(void)snprintf(addr, sizeof(addr),
	    strchr(conf->host, ':') == NULL ? "%s:%u" : "[%s]:%u", conf->host,
	    conf->port);
	root = json_pack("{s:s,s:I,s:s}", "type", "beacon_register",
	    "beacon_id", (json_int_t)conf->beacon_id, "addr", addr);
	if (root != NULL && *conf->token != '\0' &&
	    json_object_set_new(
		root, "admin_token", json_string(conf->token)) == -1) {
		json_decref(root);
		root = NULL;
	}
	len = json_dumpb(root, out, size, JSON_COMPACT);
	json_decref(root);
	return (len > size ? 0 : len);
}

/* "HOST:PORT" or "[HOST]:PORT".  Returns 0, or -1 if it is neither. */
static int
beacon_list_addr(const char *addr, struct msg_beacon_row *row)
{
	const char *colon, *p;
	size_t len;

	colon = strrchr(addr, ':');
	if (colon == NULL || colon[1] == '\0')
		return (-1);
	for (p = colon + 1; *p >= '0' && *p <= '9' && row->port <= 65535; p++)
		row->port = row->port * 10 + (uint32_t)(*p - '0');
	if (*p != '\0' || row->port == 0 || row->port > 65535)
		return (-1);
	len = (size_t)(colon - addr);
	if (len > 2 && addr[0] == '[' && addr[len - 1] == ']') {
		addr++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(row->host))
		return (-1);
	memcpy(row->host, addr, len);
	return (0);
}

static int
beacon_list_row(const json_t *value, uint32_t self, struct msg_beacon_row *row)
{
	const json_t *addr, *id;

	memset(row, 0, sizeof(*row));
	id = json_object_get(value, "id");
	addr = json_object_get(value, "addr");
	if (!json_is_integer(id) || json_integer_value(id) < 0 ||
	    json_integer_value(id) > UINT32_MAX || !json_is_string(addr))
		return (-1);
	row->beacon = (uint32_t)json_integer_value(id);
	if (row->beacon == self)
		return (-1);
	/* A NUL within would end it early. */
	if (strlen(json_string_value(addr)) != json_string_length(addr))
		return (-1);
	return (beacon_list_addr(json_string_value(addr), row));
}

/*
 * Calls fn with each beacon of the list but `self` and those that are none, up
 * to PROTO_BEACONS_MAX, and once with port 0 if there is none.  Returns 0 and
 * how many there were, or -1 if this is no list.
 */
int
beacon_list_parse(const char *text, size_t len, uint32_t self,
    beacon_list_fn fn, void *arg, uint32_t *count)
{
	struct msg_beacon_row next, row;
	const json_t *list, *value;
	json_t *root;
	size_t i;

	root = json_loadb(text, len, 0, NULL);
	list = json_object_get(root, "beacons");
	if (!json_is_array(list) && !json_is_null(list)) {
		json_decref(root);
		return (-1);
	}
	*count = 0;
	memset(&row, 0, sizeof(row));
	/* One behind, as the last is to say that it is. */
	json_array_foreach(list, i, value)
	{
		if (*count == PROTO_BEACONS_MAX ||
		    beacon_list_row(value, self, &next) == -1)
			continue;
		if (*count > 0)
			fn(arg, &row);
		next.first = (*count)++ == 0;
		row = next;
	}
	row.first |= *count == 0;
	row.last = 1;
	fn(arg, &row);
	json_decref(root);
	return (0);
}
