/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>

#include <string.h>

#include "common/event.h"
#include "parent/refusal.h"

/*
 * What the parent itself does not take, as an event for the log.  node 0, addr
 * NULL and note NULL: there is none.
 */
void
refusal_log(enum event_kind kind, uint32_t node, const uint8_t addr[16],
    uint32_t port, const char *note)
{
	struct event e;

	memset(&e, 0, sizeof(e));
	e.kind = kind;
	e.node = node;
	e.port = port;
	if (addr != NULL)
		memcpy(e.addr, addr, sizeof(e.addr));
	if (note != NULL) {
		e.text_len = (uint32_t)MIN(strlen(note), sizeof(e.text));
		memcpy(e.text, note, e.text_len);
	}
	event_log(&e);
}
