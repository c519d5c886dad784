/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/probe.h"

#define COUNT_DEFAULT   3
#define TIMEOUT_DEFAULT 5
#define TIMEOUT_MAX     60
#define GOODBYE_TIMEOUT INT64_C(1000000000)

struct probe {
	const char *keyfile;
	uint32_t node;
	uint32_t count;
	int64_t timeout; /* nanoseconds a step */
	struct ws_url url;
};

static uint32_t
number(const char *text, uint32_t min, uint32_t max)
{
	const char *errstr;
	uint32_t n;

	n = (uint32_t)strtonum(text, min, max, &errstr);
	if (errstr != NULL)
		usage("probe: %s: %s", text, errstr);
	return (n);
}

static void
probe_options(int argc, char *argv[], struct probe *p)
{
	const char *error;
	int ch;

	memset(p, 0, sizeof(*p));
	p->count = COUNT_DEFAULT;
	p->timeout = TIMEOUT_DEFAULT;
	optind = 0;
	while ((ch = getopt(argc, argv, "+:c:i:n:w:")) != -1) {
		switch (ch) {
		case 'c':
			p->count = number(optarg, 0, UINT32_MAX);
			break;
		case 'i':
			p->keyfile = optarg;
			break;
		case 'n':
			p->node = number(optarg, 1, UINT32_MAX);
			break;
		case 'w':
			p->timeout = number(optarg, 1, TIMEOUT_MAX);
			break;
		default:
			usage("probe: %s: no such option, or a word is "
			      "missing behind it",
			    argv[optind - 1]);
		}
	}
	if (p->keyfile == NULL || p->node == 0)
		usage("probe: -i KEYFILE and -n NODE say who logs in");
	if (argc - optind != 1)
		usage("probe: one URL to log in at");
	if (ws_url_parse(argv[optind], &p->url, &error) == -1)
		errx(CTL_USAGE, "probe: %s: %s", argv[optind], error);
	p->timeout *= INT64_C(1000000000);
}

static int
complain(const struct probe *p, const struct ws_client *c, const char *step)
{
	const char *hint;

	hint = "";
	if (c->close_code == WS_STATUS_POLICY)
		hint = " (the beacon does not know this key for this node)";
	else if (c->close_code == WS_STATUS_NORMAL)
		hint = " (somebody else has logged in as this node)";
	warnx(
	    "probe: node %" PRIu32 ": %s: %s%s", p->node, step, c->error, hint);
	return (-1);
}

/* All that comes before the first packet.  Returns 0 or -1. */
static int
probe_login(
    const struct probe *p, struct ws_client *c, const struct node_key *key)
{
	int64_t start;

	if (ws_client_connect(c, &p->url, p->timeout) == -1)
		return (complain(p, c, "connect"));
	start = ws_now();
	if (ws_client_upgrade(c, &p->url, start + p->timeout) == -1)
		return (complain(p, c, "upgrade"));
	if (login(c, p->node, key, p->timeout) == -1)
		return (complain(p, c, "login"));
	printf("node %" PRIu32 " logged in at %s: time=%.2f ms\n", p->node,
	    c->address, (double)(ws_now() - start) / 1e6);
	return (0);
}

static void
print_stats(const struct probe *p, const struct echo_stats *s)
{
	uint32_t lost;

	lost = s->sent - s->received;
	printf("--- node %" PRIu32 " at %s ---\n"
	       "%" PRIu32 " packets sent, %" PRIu32 " received, %.1f%% lost\n",
	    p->node, p->url.authority, s->sent, s->received,
	    s->sent != 0 ? 100.0 * lost / s->sent : 0.0);
	if (s->received != 0)
		printf("round-trip min/avg/max = %.2f/%.2f/%.2f ms\n",
		    (double)s->min / 1e6, (double)s->sum / s->received / 1e6,
		    (double)s->max / 1e6);
}

static int
probe_run(
    const struct probe *p, struct ws_client *c, const struct node_key *key)
{
	struct echo_stats stats;
	int ok;

	if (probe_login(p, c, key) == -1)
		return (CTL_FAILED);
	ok = echo_run(c, p->node, p->count, p->timeout, &stats) == 0;
	if (!ok)
		(void)complain(p, c, "relay");
	else
		ws_client_goodbye(c, ws_now() + GOODBYE_TIMEOUT);
	print_stats(p, &stats);
	return (ok && stats.received == stats.sent ? CTL_OK : CTL_FAILED);
}

/* The command probe with its own command line.  Returns an exit code. */
int
probe(int argc, char *argv[])
{
	char error[512];
	struct node_key key;
	struct ws_client *c;
	struct probe p;
	int status;

	probe_options(argc, argv, &p);
	if (keyfile_read(p.keyfile, &key, error, sizeof(error)) == -1) {
		warnx("probe: %s", error);
		return (CTL_FAILED);
	}
	c = ws_client_new();
	if (c == NULL)
		err(CTL_FAILED, NULL);
	status = probe_run(&p, c, &key);
	sodium_memzero(&key, sizeof(key));
	ws_client_free(c);
	return (status);
}
