/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/syscall.h>

#include <string.h>
#include <unistd.h>

#include "common/fold.h"
#include "common/log.h"
#include "parent/adopt.h"
#include "parent/park_session.h"
#include "parent/parent.h"
#include "parent/unpark_file.h"

/*
 * We take over from a parent that is like us (doc/moving.md): its workers and
 * its auth become ours, with all that they have, beside those that we have
 * started.  Nobody stands still.  Then it is as if we had begun with an
 * upgrade: sessions move to our own workers, and the others end.  The one that
 * has started them waits until they have.
 */

#define ADOPT_FACTOR 0x9e3779b97f4a7c15ULL

static uint64_t
adopt_mix(uint64_t x, const void *data, size_t len)
{
	const uint8_t *byte;

	for (byte = data; len > 0; byte++, len--)
		x = fold(x ^ *byte, ADOPT_FACTOR);
	return (x);
}

static uint64_t
adopt_mix_number(uint64_t x, uint64_t number)
{
	return (adopt_mix(x, &number, sizeof(number)));
}

/*
 * A number that two parents share if the children of each understand what the
 * other says: of one build, with the same listeners by the same numbers, and of
 * the same size.
 */
uint64_t
adopt_alike(const struct parent *parent)
{
	const struct listener *listener;
	uint8_t addr[16];
	uint64_t all, x;

	all = 0;
	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		if (listener->kind == LISTENER_METRICS)
			continue;
		x = adopt_mix_number(1, address_of(&listener->ss, addr));
		x = adopt_mix(x, addr, sizeof(addr));
		x = adopt_mix_number(x, listener->kind);
		x = adopt_mix_number(x, listener->number);
		x = adopt_mix_number(x, listener->proxy_protocol != 0);
		/* In whatever order. */
		all += x;
	}
	x = adopt_mix(all, BEACOND_VERSION, sizeof(BEACOND_VERSION));
	x = adopt_mix_number(x, PROTO_LAYOUT);
	x = adopt_mix_number(x, parent->nworkers);
	return (adopt_mix_number(x, parent->max_sockets));
}

/* Boolean: its pids are ours, and what we need to watch them is not denied. */
static int
adopt_can_watch(const struct successor *s)
{
	struct ucred cred;
	socklen_t len;
	int fd;

	len = sizeof(cred);
	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1 ||
	    cred.pid == 0)
		return (0);
	fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (fd != -1)
		(void)close(fd);
	return (fd != -1);
}

/* Once our listeners are there, before any child is started. */
void
adopt_decide(struct parent *parent)
{
	struct successor *s;

	s = &parent->successor;
	s->adopt.likely =
	    s->asks && s->alike == adopt_alike(parent) && adopt_can_watch(s);
}

/* A session, where it is.  Returns NULL, or what is wrong with it. */
static const char *
adopt_session(struct parent *parent, const struct park_held *held)
{
	struct peermap_entry entry;
	struct process *p;
	uint32_t number;

	p = held->worker < PROTO_PLACES_MAX
		? parent->workers[held->worker].child
		: NULL;
	if (p == NULL || !process_is_adopted(p) ||
	    held->slot >= parent->max_sockets || held->generation == 0)
		return ("a session of nobody");
	number = pmap_add(&parent->map, held->session.node, 0);
	if (number == PEERMAP_NONE)
		return ("no room in the map");
	entry = *pmap_entry(&parent->map, number);
	if (entry.generation != 0)
		return ("a node with two sessions");
	entry.generation = held->generation;
	entry.worker = (uint8_t)held->worker;
	entry.slot = held->slot;
	park_session_to(&entry, &held->session);
	pmap_store(&parent->map, number, &entry);
	p->sessions++;
	parent->successor.unpark.taken++;
	return (NULL);
}

static const char *
adopt_record(struct parent *parent, const struct unpark_record *r)
{
	if (r->type == PARK_HELD && r->len >= sizeof(struct park_held))
		return (adopt_session(parent, r->data));
	if (r->type == PARK_COUNTERS && r->len == sizeof(struct counters))
		counters_sum(&parent->base, r->data);
	else
		unpark_map(parent, r);
	return (NULL);
}

static const char *
adopt_records(struct parent *parent, struct unpark_file *f)
{
	struct unpark_record r;
	const char *wrong;

	wrong = NULL;
	while (wrong == NULL && unpark_file_next(f, &r))
		wrong = adopt_record(parent, &r);
	return (wrong == NULL && f->damaged ? "see above" : wrong);
}

/* Boolean: all of each of them is here, and auth is among them. */
static int
adopt_is_whole(const struct adopt *adopt)
{
	uint32_t auths, i;

	auths = 0;
	for (i = 0; i < adopt->nwards; i++) {
		if (adopt->wards[i].words == -1 || adopt->wards[i].log == -1 ||
		    adopt->wards[i].process->page == NULL)
			return (0);
		auths += adopt->wards[i].process->place->role->id == ROLE_AUTH;
	}
	return (auths == 1);
}

/*
 * Its children are here, and what it knew of them is in that file: written to
 * our map.  Returns NULL, or what is wrong: we end, and it goes on.
 */
const char *
adopt_read(struct parent *parent, int fd)
{
	struct park_header header;
	struct unpark_file f;
	const char *wrong;

	if (!adopt_is_whole(&parent->successor.adopt))
		return ("not all of its children");
	memset(&f, 0, sizeof(f));
	if (unpark_file_head(fd, &header) == -1 ||
	    unpark_file_open(&f, fd) == -1)
		return ("see above");
	wrong = adopt_records(parent, &f);
	unpark_file_close(&f);
	parent->map.generation = header.generation;
	/* They were admitted by keys that may be others than ours. */
	parent->keys_generation = header.generation;
	if (parent->tickets < header.tickets)
		parent->tickets = header.tickets;
	return (wrong);
}

/* What it has to know of us, and who is beside it from now on. */
static void
adopt_introduce(struct process *p)
{
	struct parent *parent;
	struct process *other;
	uint32_t i;

	parent = p->parent;
	process_send_copy(p, p->place->role->map, parent->map.fd, NULL, 0);
	if (p->place->role->id != ROLE_WORKER) {
		/* It has let some in by now that have no key any more. */
		keys_show(p);
		return;
	}
	wiring_networks(p);
	block_introduce(p);
	gossip_source_introduce(p);
	gossip_source_tell_default(p);
	/* Whoever was there is to come to us. */
	process_send(p, PW_ROUTER_END, -1, NULL, 0);
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		other = parent->workers[i].child;
		if (other == NULL || process_is_adopted(other))
			continue;
		/* Of both, ours can do without. */
		wiring_connect(other, p);
		(void)channel_flush(&other->channel);
	}
	/* Before its answer none of its sessions moves, see places.c. */
	p->unanswered++;
	process_send(p, p->place->role->ping, -1, NULL, 0);
}

/* All are ours: what they say is heard, and their sessions move. */
void
adopt_over(struct parent *parent)
{
	struct adopt *adopt;
	struct process *p;
	struct ward *ward;
	uint32_t i;

	adopt = &parent->successor.adopt;
	parent->places.renewal.taking_over = 1;
	for (i = 0; i < adopt->nwards; i++) {
		ward = &adopt->wards[i];
		p = ward->process;
		p->state = CHILD_RUNNING;
		logfd_open(p, ward->log, ward->words);
		adopt_introduce(p);
		if (p->place->role->id == ROLE_WORKER)
			places_leave(p->place);
		else
			p->place->leaving = p->place->retired = 1;
		/* We may have been told to end before it was ours. */
		if (parent->stopping)
			process_send(p, p->place->role->shutdown, -1, NULL, 0);
		ev_io_start(parent->loop, &p->watcher);
		channel_resume(&p->channel);
		(void)channel_flush(&p->channel);
	}
	parent->places.renewal.taking_over = 0;
	places_moved(parent);
	if (parent->places.leaving == 0)
		beside_end(parent);
}
