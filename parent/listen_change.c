/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/inherit.h"
#include "parent/listen_change.h"
#include "parent/parent.h"

/*
 * What a reload does to the listeners: first all that may fail, which changes
 * nothing for anybody; then the rest, which cannot.
 */

/* The listener of that line that there is already; NULL: none. */
static struct listener *
change_find(const struct parent *parent, const struct conf_address *address,
    enum listener_kind kind)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (!listener->wanted && listener->kind == kind &&
		    (memcmp(&listener->named, &address->ss, address->sslen) ==
			    0 ||
			memcmp(&listener->ss, &address->ss, address->sslen) ==
			    0))
			return (listener);
	return (NULL);
}

/* What is there stays there: sessions and packets do not notice. */
static void
change_keep(struct parent *parent, struct listen_change *change,
    const struct config *conf)
{
	const struct conf_address *address;
	enum listener_kind kind;
	struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		listener->wanted = 0;
		listener->fresh = 0;
		listener->beside = 0;
		listener->nshares_before = 0;
	}
	TAILQ_FOREACH(address, &conf->addresses, entry) {
		if (!listen_named(address, &kind))
			continue;
		listener = change_find(parent, address, kind);
		if (listener != NULL)
			listener->wanted = 1;
		change->rows[change->n].address = address;
		change->rows[change->n++].listener = listener;
	}
}

/*
 * Those that go let others have their port before they are gone, and nobody
 * else of our user after that.
 */
static void
change_share_ports(const struct parent *parent, int on)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (listener->kind != LISTENER_UDP &&
		    (!listener->wanted || listener->beside) &&
		    !inherit_has(listener->fds[0]))
			(void)setsockopt(listener->fds[0], SOL_SOCKET,
			    SO_REUSEPORT, &on, sizeof(on));
}

/* Binds what is not there yet.  Returns 0, or -1 with the reason logged. */
static int
change_bind(struct parent *parent, struct listen_change *change)
{
	struct listener *listener;
	int i;

	for (i = 0; i < change->n; i++) {
		if (change->rows[i].listener != NULL)
			continue;
		listener = listen_open(parent, change->rows[i].address, 1);
		if (listener == NULL)
			return (-1);
		listener->wanted = 1;
		listener->fresh = 1;
		change->rows[i].listener = listener;
	}
	return (0);
}

/* Is it the first of its family that stays?  See gossip_ports.c. */
static int
change_carries(const struct listen_change *change, int row)
{
	const struct listener *listener, *other;
	int i;

	listener = change->rows[row].listener;
	for (i = 0; i < row; i++) {
		other = change->rows[i].listener;
		if (other->kind == LISTENER_UDP &&
		    other->ss.ss_family == listener->ss.ss_family)
			return (0);
	}
	return (listener->kind == LISTENER_UDP);
}

/* The further ports that gossip uses already, wherever they are missing. */
static int
change_further(struct parent *parent, struct listen_change *change)
{
	struct listener *listener;
	int fd, i;

	for (i = 0; i < change->n; i++) {
		listener = change->rows[i].listener;
		listener->nshares_before = listener->nshares;
		if (!change_carries(change, i))
			continue;
		while (listener->nshares < parent->gossip.shares) {
			fd = listen_udp_share(listener);
			if (fd == -1)
				return (listen_fail(
				    change->rows[i].address, errno));
			listener->shares[listener->nshares++] = fd;
		}
	}
	return (0);
}

/* Nothing of it is to be. */
void
listen_change_undo(struct parent *parent, struct listen_change *change)
{
	struct listener *listener;
	int i;

	for (i = 0; i < change->n; i++) {
		listener = change->rows[i].listener;
		if (listener == NULL)
			continue;
		while (listener->nshares_before != 0 &&
		       listener->nshares > listener->nshares_before)
			(void)close(listener->shares[--listener->nshares]);
		listener->nshares_before = 0;
		if (!listener->fresh)
			continue;
		TAILQ_REMOVE(&parent->listeners, listener, entry);
		listen_free(listener);
	}
}

/*
 * Binds all that conf names and that is not there yet.  Returns 0, or -1 with
 * the line and the reason logged and nothing changed.
 */
int
listen_change_prepare(struct parent *parent, const struct config *conf,
    struct listen_change *change)
{
	int result;

	change->n = 0;
	change_keep(parent, change, conf);
	change_share_ports(parent, 1);
	result = change_bind(parent, change);
	change_share_ports(parent, 0);
	if (result == 0)
		result = change_further(parent, change);
	if (result == -1)
		listen_change_undo(parent, change);
	return (result);
}

/* Of one that is not wanted any more. */
static void
change_remove(struct parent *parent, struct listener *listener)
{
	char text[LISTEN_TEXT];

	listen_text(&listener->ss, text);
	log_info("not listening on %s (%s) any more%s", text,
	    listen_kind(listener),
	    inherit_has(listener->fds[0])
		? "; the service manager has its socket open all the same, "
		  "and connections to it wait"
		: "");
	TAILQ_REMOVE(&parent->listeners, listener, entry);
	listen_free(listener);
}

/* One that stays, but not as it was, goes and comes as far as others know. */
static void
change_alter(struct parent *parent, struct listener *listener,
    const struct conf_address *address,
    void (*tell_gone)(struct parent *, const struct listener *))
{
	if (listener->proxy_protocol == address->proxy_protocol)
		return;
	tell_gone(parent, listener);
	listener->proxy_protocol = address->proxy_protocol;
	listener->fresh = 1;
}

/*
 * Forgets those that are not wanted any more, after tell_gone() was called for
 * each, and has the others in the order of the configuration.
 */
void
listen_change_commit(struct parent *parent, struct listen_change *change,
    void (*tell_gone)(struct parent *, const struct listener *))
{
	struct listener *listener, *next;
	int i;

	TAILQ_FOREACH_SAFE(listener, &parent->listeners, entry, next) {
		if (listener->wanted)
			continue;
		tell_gone(parent, listener);
		change_remove(parent, listener);
	}
	TAILQ_INIT(&parent->listeners);
	for (i = 0; i < change->n; i++) {
		listener = change->rows[i].listener;
		change_alter(
		    parent, listener, change->rows[i].address, tell_gone);
		TAILQ_INSERT_TAIL(&parent->listeners, listener, entry);
	}
}
