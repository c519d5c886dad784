/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <syslog.h>

#include "common/blocks.h"
#include "ctl/ctl.h"
#include "regress/unit/test.h"

#define WORDS_MAX 8

static struct command cmd;
static char *words[WORDS_MAX];
static char *said;

/* Parses words up to a NULL; what is said goes to said. */
static int
parse(const char *a, const char *b, const char *c, const char *d)
{
	const char *in[] = { a, b, c, d };
	size_t size;
	FILE *err;
	int n, ret;

	free(said);
	said = NULL;
	for (n = 0; n < 4 && in[n] != NULL; n++) {
		free(words[n]);
		words[n] = strdup(in[n]);
	}
	err = open_memstream(&said, &size);
	ret = parse_command(n, words, &cmd, err);
	fclose(err);
	return (ret);
}

static void
commands(void)
{
	static const struct {
		const char *a, *b, *c;
		enum action action;
	} t[] = {
		{ "show", "summary", NULL, ACTION_SHOW_SUMMARY },
		{ "show", "metrics", NULL, ACTION_SHOW_METRICS },
		{ "show", "peer", "5", ACTION_SHOW_PEER },
		{ "show", "peers", NULL, ACTION_SHOW_PEERS },
		{ "show", "node", "5", ACTION_SHOW_NODE },
		{ "show", "nodes", NULL, ACTION_SHOW_NODES },
		{ "show", "beacons", NULL, ACTION_SHOW_BEACONS },
		{ "reload", NULL, NULL, ACTION_RELOAD },
		{ "stop", NULL, NULL, ACTION_STOP },
		{ "keygen", NULL, NULL, ACTION_KEYGEN },
		{ "probe", NULL, NULL, ACTION_PROBE },
		{ "sh", "s", NULL, ACTION_SHOW_SUMMARY },
		{ "r", NULL, NULL, ACTION_RELOAD },
		{ "sho", "be", NULL, ACTION_SHOW_BEACONS },
		{ "show", "blocked", NULL, ACTION_SHOW_BLOCKED },
		{ "show", "workers", NULL, ACTION_SHOW_WORKERS },
		{ "drop", "7", NULL, ACTION_DROP },
		{ "block", "7", NULL, ACTION_BLOCK },
		{ "unblock", "::/0", NULL, ACTION_UNBLOCK },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		CHECK(parse(t[i].a, t[i].b, t[i].c, NULL) == 0);
		CHECK(cmd.action == t[i].action);
		CHECK(said[0] == '\0');
	}
}

static void
whole_word_wins_over_longer(void)
{
	CHECK(parse("show", "peer", "7", NULL) == 0);
	CHECK(cmd.action == ACTION_SHOW_PEER && cmd.node == 7);
	CHECK(parse("show", "peers", NULL, NULL) == 0);
	CHECK(cmd.action == ACTION_SHOW_PEERS);
}

static void
levels(void)
{
	CHECK(parse("log", "level", "error", NULL) == 0);
	CHECK(cmd.action == ACTION_LOG_LEVEL && cmd.level == LOG_ERR);
	CHECK(parse("log", "level", "i", NULL) == 0);
	CHECK(cmd.action == ACTION_LOG_LEVEL && cmd.level == LOG_INFO);
	CHECK(parse("log", "level", "loud", NULL) == -1);
	CHECK(strstr(said, "error warning notice info") != NULL);
	CHECK(parse("log", "level", NULL, NULL) == -1);
}

static void
ambiguous(void)
{
	CHECK(parse("show", "pee", NULL, NULL) == -1);
	CHECK(strstr(said, "ambiguous word \"pee\"") != NULL);
	CHECK(parse("s", NULL, NULL, NULL) == -1);
	CHECK(strstr(said, "ambiguous") != NULL);
	CHECK(parse("show", "", NULL, NULL) == -1);
}

static void
errors_name_the_valid_words(void)
{
	CHECK(parse("show", "everything", NULL, NULL) == -1);
	CHECK(strstr(said, "\"everything\"") != NULL);
	CHECK(strstr(said, " summary metrics peer peers node nodes beacons") !=
	      NULL);
	CHECK(parse("show", NULL, NULL, NULL) == -1);
	CHECK(strstr(said, "missing") != NULL);
	CHECK(strstr(said, "beacons") != NULL);
	CHECK(parse(NULL, NULL, NULL, NULL) == -1);
	CHECK(strstr(said, "show drop block unblock log drain undrain reload "
			   "upgrade park stop keygen probe") != NULL);
	CHECK(parse("shows", NULL, NULL, NULL) == -1);
	CHECK(parse("stop", "now", NULL, NULL) == -1);
	CHECK(strstr(said, "\"now\"") != NULL);
	CHECK(parse("show", "peer", "1", "2") == -1);
}

static void
node_ids(void)
{
	uint32_t node;

	CHECK(parse_node("1", &node) == 0 && node == 1);
	CHECK(parse_node("4294967295", &node) == 0 && node == UINT32_MAX);
	CHECK(parse_node("0", &node) == -1);
	CHECK(parse_node("4294967296", &node) == -1);
	CHECK(parse_node("-1", &node) == -1);
	CHECK(parse_node("7x", &node) == -1);
	CHECK(parse_node("", &node) == -1);
	CHECK(parse("show", "peer", "seven", NULL) == -1);
	CHECK(parse("show", "peer", NULL, NULL) == -1);
}

static void
blocks_are_of_nodes_and_networks(void)
{
	static const uint8_t net[16] = { [10] = 0xff, 0xff, 192, 0, 2 };

	CHECK(parse("block", "192.0.2.9/24", NULL, NULL) == 0);
	CHECK(cmd.action == ACTION_BLOCK && cmd.block.seconds == 0);
	CHECK(cmd.block.prefix == 120);
	CHECK(memcmp(cmd.block.addr, net, sizeof(net)) == 0);
	CHECK(parse("block", "2001:db8::1", "for", "12h") == 0);
	CHECK(cmd.block.prefix == 128 && cmd.block.seconds == 43200);
	CHECK(parse("block", "7", "f", "90") == 0);
	CHECK(cmd.block.prefix == BLOCKS_NODE && cmd.block.seconds == 90);
	CHECK(parse("block", "7", "for", NULL) == -1);
	CHECK(parse("block", "7", "8", NULL) == -1);
	CHECK(strstr(said, "valid here: for\n") != NULL);
	CHECK(parse("unblock", "7", "for", "9") == -1);
	CHECK(parse("block", "192.0.2.0/33", NULL, NULL) == -1);
	CHECK(parse("block", "2001:db8::/129", NULL, NULL) == -1);
	CHECK(parse("block", "0", NULL, NULL) == -1);
	CHECK(strstr(said, "neither a node id nor a network") != NULL);
	CHECK(parse("block", NULL, NULL, NULL) == -1);
}

static void
rows_are_chosen_and_sorted(void)
{
	CHECK(parse("show", "peers", "sort", "age") == 0);
	CHECK(cmd.action == ACTION_SHOW_PEERS && cmd.select.sort == SORT_AGE);
	CHECK(parse("show", "nodes", "from", "10.0.0.0/8") == 0);
	CHECK(cmd.select.from_len == 105 && cmd.select.worker == 0);
	CHECK(parse("show", "nodes", "worker", "3") == 0);
	CHECK(cmd.select.worker == 4);
	CHECK(parse("show", "nodes", "limit", "5") == 0);
	CHECK(cmd.select.most == 5);
	CHECK(parse("show", "nodes", "limit", "0") == -1);
	CHECK(parse("show", "nodes", "worker", "64") == -1);
	CHECK(parse("show", "peers", "from", "::/0") == 0);
	CHECK(cmd.select.from_len == 1);
	CHECK(parse("show", "peers", "traffic", "5000000000") == 0);
	CHECK(cmd.select.traffic == 5000000000);
	CHECK(parse("show", "peers", "traffic", "-1") == -1);
	CHECK(parse("show", "peers", "sort", "traffic") == 0);
	CHECK(cmd.select.sort == SORT_TRAFFIC);
	CHECK(parse("show", "peers", "sort", "queue") == 0);
	CHECK(cmd.select.sort == SORT_QUEUE);
	CHECK(parse("show", "nodes", "sort", "queue") == -1);
	CHECK(parse("show", "nodes", "traffic", "1") == -1);
	CHECK(parse("show", "peers", "sort", "size") == -1);
	CHECK(parse("show", "peers", "sort", NULL) == -1);
}

static void
times(void)
{
	uint32_t seconds;

	CHECK(parse_seconds("1", &seconds) == 0 && seconds == 1);
	CHECK(parse_seconds("30m", &seconds) == 0 && seconds == 1800);
	CHECK(parse_seconds("3650d", &seconds) == 0);
	CHECK(seconds == CTL_BLOCK_SECONDS_MAX);
	CHECK(parse_seconds("3651d", &seconds) == -1);
	CHECK(parse_seconds("0", &seconds) == -1);
	CHECK(parse_seconds("m", &seconds) == -1);
	CHECK(parse_seconds("", &seconds) == -1);
	CHECK(parse_seconds("5w", &seconds) == -1);
	CHECK(parse_seconds("1234567890123456", &seconds) == -1);
}

static void
rest_is_the_commands(void)
{
	CHECK(parse("probe", "-c", "3", "ws://h") == 0);
	CHECK(cmd.argc == 4 && cmd.argv == words);
	CHECK(parse("keygen", NULL, NULL, NULL) == 0);
	CHECK(cmd.argc == 1);
}

int
main(void)
{
	RUN(commands);
	RUN(whole_word_wins_over_longer);
	RUN(levels);
	RUN(ambiguous);
	RUN(errors_name_the_valid_words);
	RUN(node_ids);
	RUN(blocks_are_of_nodes_and_networks);
	RUN(rows_are_chosen_and_sorted);
	RUN(times);
	RUN(rest_is_the_commands);
	return (test_failed());
}
