/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/log.h"
#include "parent/reload_listen.h"

/* What it means to the children that listeners come and go. */

static void
reload_tell_gone(struct parent *parent, const struct listener *listener)
{
	struct place *place;
	uint32_t i;

	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		if (place->child != NULL)
			wiring_unlisten(place->child, listener);
}

static void
reload_tell_fresh(struct parent *parent, const struct listener *listener)
{
	struct place *place;
	uint32_t i;

	listen_print(listener);
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		if (place->child != NULL)
			wiring_listener(place->child, listener);
}

static int
reload_names_metrics(const struct config *conf)
{
	const struct conf_address *address;

	TAILQ_FOREACH(address, &conf->addresses, entry)
		if (address->kind == CONF_METRICS)
			return (1);
	return (0);
}

/*
 * All that may fail.  Returns 0, or -1 with the reason logged and nothing
 * changed.
 */
int
reload_listen_prepare(struct parent *parent, const struct config *conf,
    struct listen_change *change)
{
	if (reload_names_metrics(conf) && parent->sums == NULL &&
	    sums_create(parent) == -1)
		return (-1);
	return (listen_change_prepare(parent, conf, change));
}

/*
 * Old ones go, new ones are there.  Before reload_listen_tell() the caller
 * tells the workers how datagrams are steered.
 */
void
reload_listen_commit(struct parent *parent, struct listen_change *change)
{
	listen_change_commit(parent, change, reload_tell_gone);
	supervise_metrics(parent, listen_has(parent, LISTENER_METRICS));
	steer_more(parent);
}

/* The children get what is new. */
void
reload_listen_tell(struct parent *parent)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		if (listener->fresh)
			reload_tell_fresh(parent, listener);
		if (listener->kind == LISTENER_UDP)
			gossip_ports_added(parent, listener);
	}
	gossip_send_start(parent);
}
