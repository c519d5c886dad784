/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>

#include <stdlib.h>
#include <string.h>

#include "worker/worker.h"

/*
 * Bytes that wait for the rest of their frame or message.  What one session may
 * ask for is a part of what is left, so that it shrinks as the table fills, but
 * never less than INBOUND_FLOOR.  What does not fit costs the largest holder,
 * and among equals the oldest, since who means well soon has the rest.  Who has
 * not logged in has a table apart: neither peers nor strangers can have the
 * others thrown out.
 */

#define INBOUND_STEP (2U << 10) /* from one class to the next */

static const size_t inbound_most[INBOUND_KINDS] = {
	[INBOUND_PEERS] = INBOUND_PEERS_MAX,
	[INBOUND_STRANGERS] = INBOUND_STRANGERS_MAX,
};

static uint32_t
inbound_class(size_t size)
{
	return (MIN((uint32_t)size / INBOUND_STEP, INBOUND_CLASSES - 1));
}

static void
inbound_add(struct worker *w, struct held *h)
{
	struct inbound *in;
	uint32_t class;

	in = &w->inbound[h->kind];
	class = inbound_class(h->size);
	if ((in->classes & UINT64_C(1) << class) == 0)
		TAILQ_INIT(&in->by_size[class]);
	in->classes |= UINT64_C(1) << class;
	h->aside = 0;
	TAILQ_INSERT_TAIL(&in->by_size[class], h, entry);
	in->bytes += h->size;
}

static void
inbound_remove(struct worker *w, struct held *h)
{
	struct inbound *in;
	uint32_t class;

	if (h->aside)
		return;
	in = &w->inbound[h->kind];
	class = inbound_class(h->size);
	h->aside = 1;
	TAILQ_REMOVE(&in->by_size[class], h, entry);
	if (TAILQ_EMPTY(&in->by_size[class]))
		in->classes &= ~(UINT64_C(1) << class);
	in->bytes -= h->size;
}

/* Is there room for size bytes, beside `others`? */
static int
inbound_fits(size_t size, size_t others, size_t most)
{
	if (others + size > most)
		return (0);
	return (
	    size <= INBOUND_FLOOR || size <= (most - others) / INBOUND_PART);
}

/* Who is to make room for size bytes; NULL: whoever wants them holds more. */
static struct session *
inbound_largest(struct worker *w, const struct inbound *in, size_t size)
{
	uint32_t class;

	if (in->classes == 0)
		return (NULL);
	class = 63 - (uint32_t)__builtin_clzll(in->classes);
	if (size > INBOUND_FLOOR && inbound_class(size) > class)
		return (NULL);
	return (&w->sessions[TAILQ_FIRST(&in->by_size[class])->slot]);
}

/*
 * As realloc(3); old may be NULL.  Returns NULL, with old as it was, if there
 * is no room: *largest is then who is to make some, or NULL.
 */
static void *
inbound_alloc(struct worker *w, struct session *s, struct held *old,
    size_t size, struct session **largest)
{
	enum inbound_kind kind;
	struct inbound *in;
	struct held *h;
	size_t others;

	kind = s->state == SESSION_OPEN ? INBOUND_PEERS : INBOUND_STRANGERS;
	in = &w->inbound[kind];
	others = in->bytes;
	if (old != NULL && old->kind == kind)
		others -= old->size;
	*largest = NULL;
	if (!inbound_fits(size, others, inbound_most[kind])) {
		*largest = inbound_largest(w, in, size);
		if (*largest == s)
			*largest = NULL;
		return (NULL);
	}
	if (old != NULL)
		inbound_remove(w, old);
	h = realloc(old, size);
	if (h == NULL) {
		if (old != NULL)
			inbound_add(w, old);
		return (NULL);
	}
	h->slot = session_slot(w, s);
	h->size = (uint32_t)size;
	h->kind = kind;
	inbound_add(w, h);
	return (h);
}

/*
 * Keeps the start of a frame of `total` bytes, or (0) of one whose length or of
 * a head whose end is not known yet.  Returns 0, or -1 without room: if
 * *largest is not NULL, to be tried again once that session is gone.
 */
int
inbound_keep(struct worker *w, struct session *s, const uint8_t *bytes,
    size_t len, size_t total, struct session **largest)
{
	struct pending *p;

	p = inbound_alloc(w, s, NULL, sizeof(*p) + MAX(total, len), largest);
	if (p == NULL)
		return (-1);
	p->len = (uint32_t)len;
	p->total = (uint32_t)total;
	p->checked = 0;
	p->utf8 = 0;
	memcpy(p->data, bytes, len);
	s->pending = p;
	return (0);
}

/*
 * Makes room in s->message, which has at most max frame bytes, for len more.
 * Returns as inbound_keep() does.
 */
int
inbound_room(
    struct worker *w, struct session *s, size_t len, struct session **largest)
{
	struct message *m, *old;
	size_t more, need;

	old = s->message;
	need = sizeof(*m) + MESSAGE_HEADROOM + len;
	m = NULL;
	if (old != NULL) {
		need += old->len;
		if (need <= old->held.size)
			return (0);
		/* Room for more fragments, if there is plenty. */
		more = sizeof(*m) + MESSAGE_HEADROOM + w->settings.max_frame;
		more = MAX(need, MIN(2 * need, more));
		m = inbound_alloc(w, s, &old->held, more, largest);
	}
	if (m == NULL)
		m = inbound_alloc(w, s, (struct held *)old, need, largest);
	if (m == NULL)
		return (-1);
	if (old == NULL) {
		m->len = 0;
		m->utf8 = 0;
	}
	s->message = m;
	return (0);
}

/* What s holds, or NULL, is the caller's now, to be freed soon. */
struct pending *
inbound_take_pending(struct worker *w, struct session *s)
{
	struct pending *p;

	p = s->pending;
	s->pending = NULL;
	if (p != NULL)
		inbound_remove(w, &p->held);
	return (p);
}

struct message *
inbound_take_message(struct worker *w, struct session *s)
{
	struct message *m;

	m = s->message;
	s->message = NULL;
	if (m != NULL)
		inbound_remove(w, &m->held);
	return (m);
}

/* What s holds is nobody's to throw out, until inbound_take_back(). */
void
inbound_set_aside(struct worker *w, struct session *s)
{
	if (s->pending != NULL)
		inbound_remove(w, &s->pending->held);
	if (s->message != NULL)
		inbound_remove(w, &s->message->held);
}

void
inbound_take_back(struct worker *w, struct session *s)
{
	if (s->pending != NULL && s->pending->held.aside)
		inbound_add(w, &s->pending->held);
	if (s->message != NULL && s->message->held.aside)
		inbound_add(w, &s->message->held);
}

/*
 * s is closing: only the peer's close frame still matters, and what is left of
 * a longer frame is skipped as it comes.
 */
void
inbound_give_up(struct worker *w, struct session *s)
{
	struct pending *p;

	free(inbound_take_message(w, s));
	p = s->pending;
	if (p == NULL || p->total <= WS_HEADER_MAX + WS_CONTROL_MAX)
		return;
	s->skip = p->total - p->len;
	free(inbound_take_pending(w, s));
}
