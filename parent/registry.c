/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/log.h"
#include "parent/parent.h"

/* Up to this, at random, so that not all beacons come at once. */
static double
registry_window(uint32_t failures)
{
	if (failures > 4)
		return (REGISTRY_WAIT_MAX);
	return (1U << failures);
}

/* Seconds to wait after so many failures in a row. */
double
registry_delay(uint32_t failures)
{
	return (registry_window(failures) * arc4random() / UINT32_MAX);
}

static void
registry_again(struct registry *r, double delay)
{
	ev_timer_stop(r->parent->loop, &r->redial);
	ev_timer_set(&r->redial, delay, 0.);
	ev_timer_start(r->parent->loop, &r->redial);
}

/* It could not be spoken to: later, then. */
static void
registry_failed(struct registry *r, const char *why)
{
	r->failures++;
	if (r->failures == 1)
		log_warnx("registry %s: %s", r->text, why);
	else if (r->failures == REGISTRY_LOST)
		log_warnx("registry %s: %s; %d failures in a row: nodes that "
			  "are known log in, others have to wait",
		    r->text, why, REGISTRY_LOST);
	r->naddr = 0;
	registry_again(r, registry_delay(r->failures));
}

/* Tries the next of its addresses.  Returns 1, or 0 if that was the last. */
static int
registry_onward(struct registry *r)
{
	if (r->next >= r->naddr)
		return (0);
	r->framing = 0;
	registry_again(r, 0.);
	return (1);
}

/* Remembers of which address something is known (FNV-1a, 64 bits). */
static uint64_t
registry_hash(const void *data, size_t len)
{
	const uint8_t *p;
	uint64_t hash;

	hash = 0xcbf29ce484222325;
	for (p = data; len > 0; len--)
		hash = (hash ^ *p++) * 0x100000001b3;
	return (hash);
}

static void
registry_connected(void *owner, int fd, int error)
{
	struct msg_registry msg;
	struct registry *r;

	r = owner;
	if (fd == -1) {
		if (!registry_onward(r))
			registry_failed(r, strerror(error));
		return;
	}
	memset(&msg, 0, sizeof(msg));
	msg.address = r->dialed;
	msg.serial = ++r->given;
	process_send(r->parent->auth.child, PA_REGISTRY, fd, &msg, sizeof(msg));
}

static void
registry_dial(
    struct registry *r, const struct sockaddr_storage *ss, socklen_t len)
{
	r->dialed = registry_hash(ss, len);
	dial_start(&r->dial, ss, len);
}

static void
registry_dial_path(struct registry *r)
{
	struct sockaddr_storage ss;
	struct sockaddr_un *sun;

	memset(&ss, 0, sizeof(ss));
	sun = (struct sockaddr_un *)&ss;
	sun->sun_family = AF_UNIX;
	(void)strlcpy(sun->sun_path, r->target.name, sizeof(sun->sun_path));
	registry_dial(r, &ss, sizeof(*sun));
}

/* IPv6 or v4-mapped; port in host order. */
static socklen_t
registry_sockaddr(
    struct sockaddr_storage *ss, const uint8_t addr[16], uint32_t port)
{
	struct sockaddr_in *sin;
	struct sockaddr_in6 *sin6;

	memset(ss, 0, sizeof(*ss));
	sin = (struct sockaddr_in *)ss;
	sin6 = (struct sockaddr_in6 *)ss;
	memcpy(&sin6->sin6_addr, addr, 16);
	if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
		memset(ss, 0, sizeof(*ss));
		sin->sin_family = AF_INET;
		sin->sin_port = htons((uint16_t)port);
		memcpy(&sin->sin_addr, addr + 12, 4);
		return (sizeof(*sin));
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons((uint16_t)port);
	return (sizeof(*sin6));
}

/* What nobody else can bind to is not of this machine. */
static int
registry_is_local(const uint8_t addr[16])
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, result;

	len = registry_sockaddr(&ss, addr, 0);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (0);
	result = bind(fd, (const struct sockaddr *)&ss, len);
	(void)close(fd);
	return (result == 0);
}

static void
registry_warn(struct registry *r)
{
	uint32_t i;

	for (i = 0; i < r->naddr && !r->warned; i++) {
		if (registry_is_local(r->addr[i]))
			continue;
		r->warned = 1;
		log_warnx("registry %s is not of this machine: who is on the "
			  "way can read and change what it says; put a local "
			  "TLS client in between",
		    r->text);
	}
}

static void
registry_resolved(void *owner, const struct resolve_answer *answer)
{
	struct registry *r;

	r = owner;
	if (answer->error != 0) {
		registry_failed(r, gai_strerror(answer->error));
		return;
	}
	memcpy(r->addr, answer->addr, sizeof(r->addr));
	r->naddr = answer->count;
	r->next = 0;
	registry_warn(r);
	registry_again(r, 0.);
}

/* Takes the target for a numeric address.  Returns 0, or -1: it is a name. */
static int
registry_numeric(struct registry *r)
{
	uint8_t addr[16];

	if (!address_parse(r->target.name, addr))
		return (-1);
	memcpy(r->addr[0], addr, sizeof(addr));
	r->naddr = 1;
	r->next = 0;
	registry_warn(r);
	return (0);
}

static void
registry_try(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sockaddr_storage ss;
	struct registry *r;
	socklen_t len;

	r = w->data;
	if (r->parent->stopping)
		return;
	if (r->target.port == 0) {
		registry_dial_path(r);
		return;
	}
	if (r->naddr == 0 && registry_numeric(r) == -1) {
		if (resolve_ask(&r->parent->resolve, RESOLVE_REGISTRY,
			r->target.name, registry_resolved, r) == -1)
			registry_failed(r, "there is no resolver");
		return;
	}
	len = registry_sockaddr(&ss, r->addr[r->next++], r->target.port);
	registry_dial(r, &ss, len);
}

/* Whatever is under way is not any more. */
static void
registry_stop(struct registry *r)
{
	ev_timer_stop(r->parent->loop, &r->redial);
	dial_stop(&r->dial);
	resolve_cancel(&r->parent->resolve, RESOLVE_REGISTRY);
	r->naddr = 0;
	r->failures = 0;
	r->framing = 0;
}

/* Is something under way that ends with a connection, or with another try? */
static int
registry_busy(const struct registry *r)
{
	return (ev_is_active(&r->redial) || dial_busy(&r->dial) ||
		resolve_busy(&r->parent->resolve, RESOLVE_REGISTRY));
}

/* What auth is told of the configuration; rate 0: that there is none. */
static void
registry_tell(struct registry *r, struct process *auth, uint32_t rate)
{
	const struct config *conf;
	struct msg_registry_conf msg;

	conf = r->parent->conf;
	memset(&msg, 0, sizeof(msg));
	msg.rate = rate;
	msg.burst = conf->registry_burst;
	msg.refresh = conf->registry_refresh;
	msg.stale = conf->registry_stale;
	msg.grace = conf->registry_grace;
	msg.enroll = conf->enroll != 0;
	msg.beacon_id = conf->beacon_id;
	if (conf->enroll) {
		(void)strlcpy(msg.host, conf->advertise.name, sizeof(msg.host));
		msg.port = conf->advertise.port;
		(void)strlcpy(msg.token, r->parent->token, sizeof(msg.token));
	}
	process_send(auth, PA_REGISTRY_CONF, -1, &msg, sizeof(msg));
	explicit_bzero(&msg, sizeof(msg));
}

/* Likewise the one that is asked; what it knows is remembered. */
static void
registry_tell_auth(struct registry *r, uint32_t rate)
{
	registry_tell(r, r->parent->auth.child, rate);
	r->told = rate != 0;
}

static void
registry_set(struct registry *r, const struct conf_host *target)
{
	r->target = *target;
	r->warned = 0;
	(void)snprintf(r->text, sizeof(r->text),
	    target->port == 0 ? "%s" : "%s port %u", target->name,
	    target->port);
}

/* Once, with the loop at hand. */
void
registry_init(struct parent *parent)
{
	struct registry *r;

	r = &parent->registry;
	r->parent = parent;
	dial_init(&r->dial, parent->loop, registry_connected, r);
	ev_timer_init(&r->redial, registry_try, 0., 0.);
	r->redial.data = r;
	registry_set(r, &parent->conf->registry);
	/* What can be said without a resolver is said at the start. */
	if (r->target.name[0] != '\0' && r->target.port != 0)
		(void)registry_numeric(r);
}

/* For an auth that was just started: before it begins. */
void
registry_introduce(struct process *auth)
{
	struct registry *r;

	r = &auth->parent->registry;
	r->told = 0;
	r->given = r->ended = 0;
	memset(&r->status, 0, sizeof(r->status));
	/* One that came up beside another may have been told of one. */
	if (r->target.name[0] == '\0') {
		registry_tell_auth(r, 0);
		return;
	}
	registry_tell_auth(r, r->parent->conf->registry_rate);
	registry_again(r, 0.);
}

/* For one that comes up beside the one that is asked: not the connection. */
void
registry_show(struct process *auth)
{
	struct registry *r;

	r = &auth->parent->registry;
	if (r->target.name[0] != '\0')
		registry_tell(r, auth, r->parent->conf->registry_rate);
}

/* Auth is lost, and its connection with it. */
void
registry_lost(struct process *auth)
{
	registry_stop(&auth->parent->registry);
}

/* The configuration has changed. */
void
registry_reload(struct parent *parent)
{
	const struct conf_host *target;
	struct registry *r;

	r = &parent->registry;
	target = &parent->conf->registry;
	if (memcmp(target, &r->target, sizeof(*target)) == 0) {
		if (target->name[0] != '\0')
			registry_tell_auth(r, parent->conf->registry_rate);
		return;
	}
	registry_stop(r);
	/* It lets go of the old one even if the new one is not to be had. */
	if (r->told)
		registry_tell_auth(r, 0);
	registry_set(r, target);
	if (target->name[0] == '\0') {
		/* Who came in by what it said goes by the other keys now. */
		parent->keys_generation = parent->map.generation;
		return;
	}
	registry_tell_auth(r, parent->conf->registry_rate);
	registry_again(r, 0.);
}

/*
 * Auth has let go of a connection.  Returns NULL, or in what way it broke the
 * rules.
 */
const char *
registry_ended(struct parent *parent, const struct msg_registry_end *end)
{
	static const char *const reasons[] = {
		[REGISTRY_CLOSED] = "the connection was closed",
		[REGISTRY_FRAMING] = "it does not know the binary framing",
		[REGISTRY_VIOLATION] = "it does not keep to the protocol",
		[REGISTRY_TIMEOUT] = "it does not answer",
		[REGISTRY_DROPPED] = "the connection was given up",
	};
	struct registry *r;

	r = &parent->registry;
	if (r->ended == r->given || end->serial != r->ended + 1)
		return ("end of a connection that it was not given");
	if (end->reason > REGISTRY_DROPPED)
		return ("end of a connection for no reason that there is");
	r->ended++;
	if (r->target.name[0] == '\0' || r->ended != r->given ||
	    registry_busy(r))
		return (NULL);
	if (end->answered) {
		r->failures = 0;
		r->framing = 0;
	}
	if (end->reason == REGISTRY_FRAMING && !r->framing) {
		r->framing = 1;
		r->next = r->next > 0 ? r->next - 1 : 0;
		registry_again(r, 0.);
		return (NULL);
	}
	/* One that never answers is as one that cannot be dialed. */
	if (end->answered || !registry_onward(r))
		registry_failed(r, reasons[end->reason]);
	return (NULL);
}

/* What auth says of it, for show registry and metrics. */
const char *
registry_status(struct parent *parent, const struct msg_registry_status *status)
{
	struct registry *r;

	if (status->link > REGISTRY_UP)
		return ("a link in no state that there is");
	if (status->written > clock_seconds() ||
	    status->enrolled > clock_seconds())
		return ("a time that is yet to come");
	r = &parent->registry;
	if (status->link == REGISTRY_UP && r->status.link != REGISTRY_UP)
		log_info("registry %s: connected", r->text);
	r->status = *status;
	r->status_time = clock_seconds();
	return (NULL);
}
