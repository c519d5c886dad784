/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/address.h"
#include "common/blocks.h"
#include "ctl/ctl.h"

enum token_kind {
	T_KEYWORD,
	T_NODE,    /* a node id */
	T_TARGET,  /* a node id or a network */
	T_TIME,    /* how long */
	T_SORT,    /* by what rows are sorted */
	T_WORKER,  /* the number of one */
	T_FROM,    /* a network */
	T_TRAFFIC, /* how many bytes */
	T_LIMIT,   /* how many rows */
	T_END,     /* the command may end here */
	T_LEVEL,   /* a keyword that is a level, from LOG_ERR on */
	T_REST     /* a keyword; what follows is for the command itself */
};

/*
 * One word that may stand at a place, and the command that it makes, if any;
 * next: the words that may follow it.
 */
struct token {
	enum token_kind kind;
	const char *word;
	enum action action;
	const struct token *next;
};

static const struct token t_peer[] = {
	{ T_NODE, "NODE", ACTION_SHOW_PEER, NULL },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_node[] = {
	{ T_NODE, "NODE", ACTION_SHOW_NODE, NULL },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_target[] = {
	{ T_TARGET, "NODE|NETWORK", ACTION_NONE, NULL },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_time[] = {
	{ T_TIME, "TIME", ACTION_NONE, NULL },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_for[] = {
	{ T_END, "", ACTION_NONE, NULL },
	{ T_KEYWORD, "for", ACTION_NONE, t_time },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_block[] = {
	{ T_TARGET, "NODE|NETWORK", ACTION_NONE, t_for },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_drain[] = {
	{ T_END, "", ACTION_NONE, NULL },
	{ T_KEYWORD, "-t", ACTION_NONE, t_time },
	{ T_WORKER, "WORKER", ACTION_RENEW, NULL },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_drop[] = {
	{ T_NODE, "NODE", ACTION_NONE, NULL },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_peers[7], t_nodes[6];

#define SELECTION(name, kind, word, after)              \
	static const struct token name[] = {            \
		{ kind, word, ACTION_NONE, after },     \
		{ T_KEYWORD, NULL, ACTION_NONE, NULL }, \
	}

SELECTION(t_peers_sort, T_SORT, "node|age|traffic|queue", t_peers);
SELECTION(t_peers_worker, T_WORKER, "WORKER", t_peers);
SELECTION(t_peers_from, T_FROM, "NETWORK", t_peers);
SELECTION(t_peers_traffic, T_TRAFFIC, "BYTES", t_peers);
SELECTION(t_peers_limit, T_LIMIT, "NUMBER", t_peers);
SELECTION(t_nodes_sort, T_SORT, "node|age", t_nodes);
SELECTION(t_nodes_worker, T_WORKER, "WORKER", t_nodes);
SELECTION(t_nodes_from, T_FROM, "NETWORK", t_nodes);
SELECTION(t_nodes_limit, T_LIMIT, "NUMBER", t_nodes);

static const struct token t_peers[7] = {
	{ T_END, "", ACTION_NONE, NULL },
	{ T_KEYWORD, "sort", ACTION_NONE, t_peers_sort },
	{ T_KEYWORD, "worker", ACTION_NONE, t_peers_worker },
	{ T_KEYWORD, "from", ACTION_NONE, t_peers_from },
	{ T_KEYWORD, "traffic", ACTION_NONE, t_peers_traffic },
	{ T_KEYWORD, "limit", ACTION_NONE, t_peers_limit },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_nodes[6] = {
	{ T_END, "", ACTION_NONE, NULL },
	{ T_KEYWORD, "sort", ACTION_NONE, t_nodes_sort },
	{ T_KEYWORD, "worker", ACTION_NONE, t_nodes_worker },
	{ T_KEYWORD, "from", ACTION_NONE, t_nodes_from },
	{ T_KEYWORD, "limit", ACTION_NONE, t_nodes_limit },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_show[] = {
	{ T_KEYWORD, "summary", ACTION_SHOW_SUMMARY, NULL },
	{ T_KEYWORD, "metrics", ACTION_SHOW_METRICS, NULL },
	{ T_KEYWORD, "peer", ACTION_NONE, t_peer },
	{ T_KEYWORD, "peers", ACTION_SHOW_PEERS, t_peers },
	{ T_KEYWORD, "node", ACTION_NONE, t_node },
	{ T_KEYWORD, "nodes", ACTION_SHOW_NODES, t_nodes },
	{ T_KEYWORD, "beacons", ACTION_SHOW_BEACONS, NULL },
	{ T_KEYWORD, "registry", ACTION_SHOW_REGISTRY, NULL },
	{ T_KEYWORD, "blocked", ACTION_SHOW_BLOCKED, NULL },
	{ T_KEYWORD, "workers", ACTION_SHOW_WORKERS, NULL },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_level[] = {
	{ T_LEVEL, "error", ACTION_LOG_LEVEL, NULL },
	{ T_LEVEL, "warning", ACTION_LOG_LEVEL, NULL },
	{ T_LEVEL, "notice", ACTION_LOG_LEVEL, NULL },
	{ T_LEVEL, "info", ACTION_LOG_LEVEL, NULL },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_log[] = {
	{ T_KEYWORD, "level", ACTION_NONE, t_level },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

static const struct token t_main[] = {
	{ T_KEYWORD, "show", ACTION_NONE, t_show },
	{ T_KEYWORD, "drop", ACTION_DROP, t_drop },
	{ T_KEYWORD, "block", ACTION_BLOCK, t_block },
	{ T_KEYWORD, "unblock", ACTION_UNBLOCK, t_target },
	{ T_KEYWORD, "log", ACTION_NONE, t_log },
	{ T_KEYWORD, "drain", ACTION_DRAIN, t_drain },
	{ T_KEYWORD, "undrain", ACTION_UNDRAIN, NULL },
	{ T_KEYWORD, "reload", ACTION_RELOAD, NULL },
	{ T_KEYWORD, "upgrade", ACTION_UPGRADE, NULL },
	{ T_KEYWORD, "park", ACTION_PARK, NULL },
	{ T_KEYWORD, "stop", ACTION_STOP, NULL },
	{ T_REST, "keygen", ACTION_KEYGEN, NULL },
	{ T_REST, "probe", ACTION_PROBE, NULL },
	{ T_REST, "top", ACTION_TOP, NULL },
	{ T_KEYWORD, NULL, ACTION_NONE, NULL },
};

/* A node id: decimal, 1 to 2^32 - 1.  Returns 0, or -1 if it is none. */
int
parse_node(const char *word, uint32_t *node)
{
	const char *errstr;

	*node = (uint32_t)strtonum(word, 1, UINT32_MAX, &errstr);
	return (errstr == NULL ? 0 : -1);
}

/*
 * "90", "90s", "30m", "12h" or "7d", at most ten years.  Returns 0, or -1 if it
 * is none of these.
 */
int
parse_seconds(const char *word, uint32_t *seconds)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char number[16];
	const char *errstr;
	size_t i, len;
	uint32_t unit;

	len = strlen(word);
	if (len == 0 || len >= sizeof(number))
		return (-1);
	unit = 1;
	(void)strlcpy(number, word, sizeof(number));
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (word[len - 1] == units[i].unit) {
			unit = units[i].seconds;
			number[len - 1] = '\0';
		}
	*seconds = (uint32_t)strtonum(
	    number, 1, CTL_BLOCK_SECONDS_MAX / unit, &errstr);
	*seconds *= unit;
	return (errstr == NULL ? 0 : -1);
}

/* A node id or a network.  Returns 0, or -1 if it is neither. */
static int
parse_target(const char *word, struct msg_ctl_block *block)
{
	uint32_t node;

	if (parse_node(word, &node) == 0) {
		block->prefix = BLOCKS_NODE;
		blocks_node(block->addr, node);
		return (0);
	}
	return (
	    address_network_parse(word, block->addr, &block->prefix) ? 0 : -1);
}

static void
complain(
    FILE *err, const char *what, const char *word, const struct token *table)
{
	const struct token *t;

	fprintf(err, "beaconctl: %s", what);
	if (word != NULL)
		fprintf(err, " \"%s\"", word);
	if (table != NULL) {
		fprintf(err, "; valid here:");
		for (t = table; t->word != NULL; t++)
			if (t->kind != T_END)
				fprintf(err, " %s", t->word);
	}
	fprintf(err, "\n");
}

/* Returns the one keyword that word is or abbreviates. */
static const struct token *
match_keyword(const struct token *table, const char *word, FILE *err)
{
	const struct token *t, *found;
	int matches;

	found = NULL;
	matches = 0;
	for (t = table; t->word != NULL; t++) {
		if (t->kind == T_END || t->kind == T_WORKER)
			continue;
		if (strcmp(t->word, word) == 0)
			return (t);
		if (strncmp(t->word, word, strlen(word)) == 0) {
			found = t;
			matches++;
		}
	}
	if (matches == 1)
		return (found);
	complain(
	    err, matches == 0 ? "unknown word" : "ambiguous word", word, table);
	return (NULL);
}

/* From lo to hi.  Returns 0, or -1 if it is none of these. */
static int
parse_number(const char *word, uint32_t *number, uint32_t lo, uint32_t hi)
{
	const char *errstr;

	*number = (uint32_t)strtonum(word, lo, hi, &errstr);
	return (errstr == NULL ? 0 : -1);
}

/* By one of the keys that may stand there. */
static int
parse_sort(const struct token *t, const char *word, enum sort_key *sort)
{
	static const char *const keys[] = {
		[SORT_NODE] = "node",
		[SORT_AGE] = "age",
		[SORT_TRAFFIC] = "traffic",
		[SORT_QUEUE] = "queue",
	};
	enum sort_key key;

	for (key = SORT_NODE; key <= SORT_QUEUE; key++)
		if (strcmp(word, keys[key]) == 0 &&
		    strstr(t->word, word) != NULL) {
			*sort = key;
			return (0);
		}
	return (-1);
}

static int
parse_selection(const struct token *t, const char *word, struct selection *s)
{
	const char *errstr;
	int r;

	switch (t->kind) {
	case T_SORT:
		return (parse_sort(t, word, &s->sort));
	case T_WORKER:
		r = parse_number(word, &s->worker, 0, PROTO_WORKERS_MAX - 1);
		s->worker++;
		return (r);
	case T_FROM:
		r = address_network_parse(word, s->from, &s->from_len) - 1;
		s->from_len++;
		return (r);
	case T_TRAFFIC:
		s->traffic = (uint64_t)strtonum(word, 0, INT64_MAX, &errstr);
		return (errstr == NULL ? 0 : -1);
	default:
		return (parse_number(word, &s->most, 1, UINT32_MAX));
	}
}

/* A number where keywords may stand, too: the token of a worker's, or NULL. */
static const struct token *
match_worker(const struct token *table, const char *word, struct command *cmd)
{
	const struct token *t;

	for (t = table; t->word != NULL; t++)
		if (t->kind == T_WORKER &&
		    parse_selection(t, word, &cmd->select) == 0)
			return (t);
	return (NULL);
}

static int
match_value(const struct token *t, const char *word, struct command *cmd)
{
	switch (t->kind) {
	case T_NODE:
		return (parse_node(word, &cmd->node));
	case T_TARGET:
		return (parse_target(word, &cmd->block));
	case T_TIME:
		return (parse_seconds(word, &cmd->block.seconds));
	default:
		return (parse_selection(t, word, &cmd->select));
	}
}

static const struct token *
match(
    const struct token *table, const char *word, struct command *cmd, FILE *err)
{
	static const char *const what[] = {
		[T_NODE] = "not a node id (1 to 4294967295):",
		[T_TARGET] = "neither a node id nor a network:",
		[T_SORT] = "rows of this list are not sorted by",
		[T_WORKER] = "not the number of a worker:",
		[T_FROM] = "not a network:",
		[T_TRAFFIC] = "not a number of bytes:",
		[T_LIMIT] = "not a number of rows:",
		[T_TIME] = "not a time (such as 90s, 30m, 12h or 7d):",
	};
	const struct token *found;

	if (word == NULL) {
		complain(err, "a word is missing", NULL, table);
		return (NULL);
	}
	if (table->kind == T_KEYWORD || table->kind == T_REST ||
	    table->kind == T_END || table->kind == T_LEVEL) {
		found = match_worker(table, word, cmd);
		if (found == NULL)
			found = match_keyword(table, word, err);
		if (found != NULL && found->kind == T_LEVEL)
			cmd->level = (uint32_t)(LOG_ERR + (found - table));
		return (found);
	}
	if (match_value(table, word, cmd) == 0)
		return (table);
	complain(err, what[table->kind], word, NULL);
	return (NULL);
}

/*
 * Walks the words of a command line (without options).  Returns 0 with *cmd
 * filled in, or -1 after having said on err which words would be valid.
 */
int
parse_command(int argc, char **argv, struct command *cmd, FILE *err)
{
	const struct token *table, *t;
	int i;

	memset(cmd, 0, sizeof(*cmd));
	i = 0;
	table = t_main;
	do {
		if (i >= argc && table->kind == T_END)
			return (0);
		t = match(table, i < argc ? argv[i] : NULL, cmd, err);
		if (t == NULL)
			return (-1);
		if (t->action != ACTION_NONE)
			cmd->action = t->action;
		i++;
		table = t->next;
	} while (table != NULL);
	if (t->kind == T_REST) {
		cmd->argc = argc - (i - 1);
		cmd->argv = argv + (i - 1);
		return (0);
	}
	if (i < argc) {
		complain(err, "nothing may follow here, but there is", argv[i],
		    NULL);
		return (-1);
	}
	return (0);
}
