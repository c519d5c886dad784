/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#include "ctl/probe.h"

#define GOODBYE_TIMEOUT INT64_C(1000000000)

static void
give_up(struct probe *p, const struct probe_end *e, const char *step)
{
	const char *hint;

	hint = "";
	if (e->ws->close_code == WS_STATUS_POLICY)
		hint = " (the beacon does not know this key for this node)";
	else if (e->ws->close_code == WS_STATUS_NORMAL)
		hint = " (somebody else has logged in as this node)";
	(void)snprintf(p->error, sizeof(p->error), "node %" PRIu32 ": %s: %s%s",
	    e->node, step, e->ws->error, hint);
}

/* All that comes before the first packet.  Returns 0 or -1. */
static int
log_in(struct probe *p, struct probe_end *e, const struct node_key *key)
{
	const char *failed;
	int64_t start;

	failed = NULL;
	start = 0;
	if (ws_client_connect(e->ws, &e->url, p->timeout) == -1)
		failed = "connect";
	else if (start = ws_now(),
	    ws_client_upgrade(e->ws, &e->url, start + p->timeout) == -1)
		failed = "upgrade";
	else if (login(e->ws, e->node, key, p->timeout) == -1)
		failed = "login";
	if (failed != NULL) {
		give_up(p, e, failed);
		return (-1);
	}
	e->login = ws_now() - start;
	if (!p->json && !p->plugin)
		printf("node %" PRIu32 " logged in at %s: time=%.2f ms\n",
		    e->node, e->ws->address, (double)e->login / 1e6);
	return (0);
}

/* Returns 0, or -1 with p->error; PROBE_UNKNOWN if it could not be tried. */
static int
open_end(struct probe *p, struct probe_end *e)
{
	struct node_key key;
	int ok;

	if (keyfile_read(e->keyfile, &key, p->error, sizeof(p->error)) == -1) {
		p->status = PROBE_UNKNOWN;
		return (-1);
	}
	e->ws = ws_client_new();
	if (e->ws == NULL)
		err(PROBE_UNKNOWN, NULL);
	ok = log_in(p, e, &key) == 0;
	sodium_memzero(&key, sizeof(key));
	return (ok ? 0 : -1);
}

static void
run(struct probe *p)
{
	struct probe_end *failed;
	int i;

	for (i = 0; i < p->ends; i++)
		if (open_end(p, &p->end[i]) == -1)
			return;
	failed = echo_run(p);
	if (failed != NULL)
		give_up(p, failed, "relay");
	for (i = 0; i < p->ends && failed == NULL; i++)
		ws_client_goodbye(p->end[i].ws, ws_now() + GOODBYE_TIMEOUT);
}

/* The command probe with its own command line.  Returns an exit code. */
int
probe(int argc, char *argv[], int json)
{
	struct probe p;
	int i;

	probe_options(argc, argv, &p);
	p.json = json;
	run(&p);
	if (p.status == PROBE_OK)
		p.status = probe_judge(&p);
	probe_report(&p);
	if (p.textfile != NULL && probe_textfile(&p) == -1)
		p.status = PROBE_UNKNOWN;
	for (i = 0; i < p.ends; i++)
		ws_client_free(p.end[i].ws);
	return ((int)p.status);
}
