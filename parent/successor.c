/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/control.h"
#include "parent/inherit.h"
#include "parent/notify.h"
#include "parent/parent.h"
#include "parent/unpark_file.h"

/*
 * We take over from another parent (doc/moving.md): what it has left with the
 * service manager, or from itself while it runs.  Our children are started,
 * stand still, get its sessions, and then all goes on.
 */

/* What the service manager has kept, if that is why we are started. */
static void
successor_kept(struct successor *s)
{
	struct park_header header;
	char name[INHERIT_NAME_LEN];
	struct unpark_file *f;
	uint32_t i;
	int fd;

	s->file = inherit_take_named(INHERIT_OURS "file");
	f = &s->unpark.file;
	for (i = 0; i < PARK_QUEUES_MAX; i++) {
		(void)snprintf(
		    name, sizeof(name), INHERIT_OURS "queue-%04u", i);
		fd = inherit_take_named(name);
		if (fd == -1)
			break;
		f->queues[f->nqueues++] = fd;
	}
	if (s->file == -1 || unpark_file_head(s->file, &header) == -1) {
		/* Nor is it kept for whoever comes after us. */
		if (s->file != -1)
			(void)close(s->file);
		unpark_file_close(f);
		inherit_each_name(notify_let_go);
		return;
	}
	s->pending = 1;
	s->steered = header.steered != 0;
	s->steer_key = header.steer_key;
	s->nworkers = header.nworkers;
	s->keys = header.keys;
}

/* Whoever comes is ours from now on. */
static void
successor_open(struct parent *parent)
{
	const struct listener *listener;

	control_resume(parent);
	router_resume(parent);
	if (parent->metrics.child != NULL)
		TAILQ_FOREACH(listener, &parent->listeners, entry)
			wiring_listener(parent->metrics.child, listener);
}

/* There may be another number of workers, and no order among their sockets. */
static void
successor_steer(struct parent *parent)
{
	uint32_t i;

	steer_on(parent);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].child != NULL)
			wiring_settings(parent->workers[i].child);
}

/* We have all, and nobody else has it: all goes on. */
static void
successor_over(struct parent *parent)
{
	struct msg_still msg;

	parent->successor.pending = 0;
	if (parent->successor.adopt.likely)
		adopt_over(parent);
	unpark_ahead_free(parent);
	/*
	 * Auth's looks at who has come may have been over by then.  If nobody
	 * stands still, it has time for another: when they have moved.
	 */
	if (parent->successor.adopt.likely)
		parent->keys_missed = clock_seconds();
	else if (parent->auth.child != NULL)
		(void)keys_send(parent);
	successor_steer(parent);
	if (parent->successor.asks)
		successor_open(parent);
	msg.stage = STILL_NOT;
	msg.ticket = 0;
	process_send_workers(parent, PW_STILL, &msg, sizeof(msg));
	inherit_each_name(notify_let_go);
	log_info("%u sessions taken over", parent->successor.unpark.taken);
	supervise_serve(parent);
}

/* Few enough are left to have them stand still; or they are never fewer. */
#define SUCCESSOR_FEW 256

static void
successor_unparked(struct parent *parent)
{
	struct successor *s;

	s = &parent->successor;
	(void)close(s->file);
	s->file = -1;
	if (!s->asks)
		successor_over(parent);
	else if (s->last)
		successor_taken(parent);
	else {
		s->last = s->unpark.sessions < SUCCESSOR_FEW ||
			  ++s->rounds == PARK_ROUNDS_MAX;
		if (s->last)
			log_info("%u sessions have come ahead; now the rest",
			    s->unpark.taken);
		successor_ask(parent);
	}
}

/* Its children are here, and what it knows of them. */
static void
successor_adopt(struct parent *parent)
{
	const char *wrong;

	wrong = adopt_read(parent, parent->successor.file);
	/* It stays, and has to be asked to kill one of them, perhaps. */
	parent->successor.nurse =
	    fcntl(parent->successor.fd, F_DUPFD_CLOEXEC, 0);
	if (wrong == NULL && parent->successor.nurse == -1)
		wrong = "no descriptor is left for what it is to be asked";
	if (wrong != NULL)
		successor_give_up(parent, wrong);
	(void)close(parent->successor.file);
	parent->successor.file = -1;
	log_info("its workers and their %u sessions can be ours",
	    parent->successor.unpark.taken);
	successor_taken(parent);
}

/* The file is here, and its queues, or its children. */
static void
successor_kept_is_here(struct parent *parent)
{
	if (parent->successor.adopt.likely) {
		successor_adopt(parent);
		return;
	}
	unpark_begin(parent, parent->successor.file, successor_unparked);
}

/*
 * Our children are ready; once more, if one has died since: what was begun goes
 * on.
 */
static void
successor_go(struct parent *parent)
{
	if (parent->successor.begun)
		return;
	parent->successor.begun = 1;
	if (parent->successor.asks) {
		successor_open_channel(
		    parent, successor_kept_is_here, successor_over);
		successor_ask(parent);
	} else
		successor_kept_is_here(parent);
}

/* At start, before anything is bound; ask: boolean: one runs. */
void
successor_init(struct parent *parent, int ask)
{
	struct successor *s;

	s = &parent->successor;
	s->file = -1;
	s->asks = ask;
	s->go = successor_go;
	if (ask)
		successor_ask_sockets(parent);
	else
		successor_kept(s);
	/* Until ours are read: an empty file is not believed. */
	parent->keys = s->keys;
}
