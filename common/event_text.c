/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/address.h"
#include "common/event.h"
#include "common/log.h"
#include "common/log_fields.h"

static const struct {
	int level;
	const char *name;
	const char *reason; /* "": none */
} event_rows[EVENT_MAX] = {
#define X(id, level, name, reason) [EVENT_##id] = { LOG_##level, name, reason },
	EVENT_LIST(X)
#undef X
};

/* What is told beyond what all have: numbers, then text. */
static const struct {
	const char *name;
	const char *numbers[EVENT_NUMBERS];
	const char *text;
} event_families[] = {
	{ "login", { NULL }, NULL },
	{ "end", { "seconds", "in", "out", "bytes_in", "bytes_out" }, "note" },
	{ "request-refused", { "status" }, "request" },
	{ "upgrade-refused", { "status" }, "request" },
	{ "login-refused", { NULL }, "note" },
	{ "spoofed", { "claimed" }, NULL },
	{ "punch-refused", { NULL }, NULL },
	{ "sync-refused", { NULL }, NULL },
	{ "proxy-refused", { NULL }, "note" },
	{ "discover-refused", { NULL }, NULL },
	{ "beacon-refused", { NULL }, "note" },
	{ "accept-paused", { NULL }, "note" },
	{ "kept-back", { "lines", "most" }, "of" },
};

/* The priority of its line, as in syslog(3). */
int
event_level(enum event_kind kind)
{
	return (event_rows[kind].level);
}

/* Can it be printed?  A child may have made it. */
int
event_valid(const struct event *e)
{
	return (e->kind < EVENT_MAX && e->text_len <= sizeof(e->text) &&
		(e->kind != EVENT_KEPT_BACK || e->number[2] < EVENT_MAX));
}

static void
event_remote(struct log_fields *f, const struct event *e)
{
	static const uint8_t none[16];
	char text[ADDRESS_TEXT_LEN];

	if (memcmp(e->addr, none, sizeof(none)) == 0)
		log_fields_word(f, "remote", NULL);
	else if (e->port == 0)
		log_fields_word(f, "remote", address_host(e->addr, text));
	else
		log_fields_word(
		    f, "remote", address_text(e->addr, e->port, text));
}

static void
event_more(struct log_fields *f, const struct event *e)
{
	size_t family, i;

	for (family = 0;
	     strcmp(event_families[family].name, event_rows[e->kind].name) != 0;
	     family++)
		continue;
	for (i = 0; i < EVENT_NUMBERS; i++)
		if (event_families[family].numbers[i] != NULL)
			log_fields_number(
			    f, event_families[family].numbers[i], e->number[i]);
	if (e->kind == EVENT_KEPT_BACK)
		log_fields_word(f, "of", event_rows[e->number[2]].name);
	else if (e->text_len > 0 && event_families[family].text != NULL)
		log_fields_bytes(
		    f, event_families[family].text, e->text, e->text_len);
}

/*
 * Writes the line of a valid event of the process procname; worker: its number,
 * or EVENT_NO_WORKER.
 */
void
event_write(const char *procname, uint32_t worker, const struct event *e)
{
	struct log_fields f;
	const char *reason;
	int level;

	/* What was kept back weighs as much as each of its lines. */
	reason = event_rows[e->kind].reason;
	level = event_rows[e->kind].level;
	if (e->kind == EVENT_KEPT_BACK) {
		reason = event_rows[e->number[2]].reason;
		level = event_rows[e->number[2]].level;
	}
	if (!log_wanted(level))
		return;
	log_begin(&f, level, procname);
	log_fields_word(&f, "event", event_rows[e->kind].name);
	if (e->node == 0)
		log_fields_word(&f, "node", NULL);
	else
		log_fields_number(&f, "node", e->node);
	event_remote(&f, e);
	if (worker == EVENT_NO_WORKER)
		log_fields_word(&f, "worker", NULL);
	else
		log_fields_number(&f, "worker", worker);
	log_fields_word(&f, "reason", *reason == '\0' ? NULL : reason);
	event_more(&f, e);
	log_end(&f, level);
}
