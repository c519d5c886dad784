/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "worker/worker.h"

/*
 * Bytes that wait for the rest of their frame or message.  One peer can have
 * two times max frame here; all peers of a worker together INBOUND_MAX, beyond
 * which a session that needs more is told to try again later.  Who has not
 * logged in may fill a part of that only: strangers must not be able to have
 * peers thrown out.
 */

static void *
inbound_alloc(struct worker *w, const struct session *s, void *old,
    size_t old_size, size_t size)
{
	size_t most;
	void *p;

	most = s->state == SESSION_OPEN ? INBOUND_MAX : INBOUND_STRANGERS;
	if (w->inbound - old_size + size > most)
		return (NULL);
	p = realloc(old, size);
	if (p != NULL)
		w->inbound += size - old_size;
	return (p);
}

/*
 * Keeps the start of a frame of `total` bytes, or (0) of one whose length or of
 * a head whose end is not known yet.  Returns 0, or -1 without memory.
 */
int
inbound_keep(struct worker *w, struct session *s, const uint8_t *bytes,
    size_t len, size_t total)
{
	struct pending *p;
	size_t size;

	size = sizeof(*p) + (total > len ? total : len);
	p = inbound_alloc(w, s, NULL, 0, size);
	if (p == NULL)
		return (-1);
	p->size = (uint32_t)size;
	p->len = (uint32_t)len;
	p->total = (uint32_t)total;
	p->checked = 0;
	p->utf8 = 0;
	memcpy(p->data, bytes, len);
	s->pending = p;
	return (0);
}

/* Makes room in s->message for len more bytes; 0, or -1 without memory. */
int
inbound_room(struct worker *w, struct session *s, size_t len)
{
	struct message *m;
	size_t size;

	m = s->message;
	if (m != NULL &&
	    sizeof(*m) + MESSAGE_HEADROOM + m->len + len <= m->size)
		return (0);
	size = sizeof(*m) + MESSAGE_HEADROOM + len;
	if (m != NULL)
		size += m->len * 2 + len;
	m = inbound_alloc(w, s, m, m == NULL ? 0 : m->size, size);
	if (m == NULL)
		return (-1);
	if (s->message == NULL)
		memset(m, 0, sizeof(*m));
	m->size = (uint32_t)size;
	s->message = m;
	return (0);
}

/* p and m may be NULL. */
void
inbound_free_pending(struct worker *w, struct pending *p)
{
	if (p != NULL)
		w->inbound -= p->size;
	free(p);
}

void
inbound_free_message(struct worker *w, struct message *m)
{
	if (m != NULL)
		w->inbound -= m->size;
	free(m);
}

/*
 * s is closing: only the peer's close frame still matters, and what is left of
 * a longer frame is skipped as it comes.
 */
void
inbound_give_up(struct worker *w, struct session *s)
{
	struct pending *p;

	inbound_free_message(w, s->message);
	s->message = NULL;
	p = s->pending;
	if (p == NULL || p->total <= WS_HEADER_MAX + WS_CONTROL_MAX)
		return;
	s->skip = p->total - p->len;
	s->pending = NULL;
	inbound_free_pending(w, p);
}
