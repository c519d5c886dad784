/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <errno.h>
#include <string.h>

#include "common/blocks.h"
#include "common/proto_drain.h"
#include "ctl/output.h"

/* A command of the control socket: what is sent, which rows may come back. */
struct request {
	enum action action;
	const char *name;
	uint32_t type;       /* enum ctl_request */
	uint32_t rows[2];    /* enum ctl_reply; 0: none */
	const char *missing; /* says ENOENT of a node; else NULL */
};

static const struct request requests[] = {
	{ ACTION_SHOW_SUMMARY, "show summary", CTL_SHOW_SUMMARY,
	    { CTL_SUMMARY, CTL_CHILD }, NULL },
	{ ACTION_SHOW_METRICS, "show metrics", CTL_SHOW_METRICS,
	    { CTL_METRICS, 0 }, NULL },
	{ ACTION_SHOW_PEER, "show peer", CTL_SHOW_PEER, { CTL_PEER, 0 },
	    "not connected" },
	{ ACTION_SHOW_PEERS, "show peers", CTL_SHOW_PEERS, { CTL_PEER, 0 },
	    NULL },
	{ ACTION_SHOW_NODE, "show node", CTL_SHOW_NODE, { CTL_NODE, 0 },
	    "not known" },
	{ ACTION_SHOW_NODES, "show nodes", CTL_SHOW_NODES, { CTL_NODE, 0 },
	    NULL },
	{ ACTION_SHOW_BEACONS, "show beacons", CTL_SHOW_BEACONS,
	    { CTL_BEACON, 0 }, NULL },
	{ ACTION_SHOW_REGISTRY, "show registry", CTL_SHOW_REGISTRY,
	    { CTL_REGISTRY, 0 }, NULL },
	{ ACTION_SHOW_BLOCKED, "show blocked", CTL_SHOW_BLOCKED,
	    { CTL_BLOCKED, 0 }, NULL },
	{ ACTION_SHOW_WORKERS, "show workers", CTL_SHOW_WORKERS,
	    { CTL_WORKER, 0 }, NULL },
	{ ACTION_DROP, "drop", CTL_DROP, { 0, 0 }, "not connected" },
	{ ACTION_BLOCK, "block", CTL_BLOCK, { 0, 0 }, NULL },
	{ ACTION_UNBLOCK, "unblock", CTL_UNBLOCK, { 0, 0 }, NULL },
	{ ACTION_LOG_LEVEL, "log level", CTL_LOG_LEVEL, { 0, 0 }, NULL },
	{ ACTION_DRAIN, "drain", CTL_DRAIN, { 0, 0 }, NULL },
	{ ACTION_UNDRAIN, "undrain", CTL_UNDRAIN, { 0, 0 }, NULL },
	{ ACTION_RENEW, "drain", CTL_RENEW, { CTL_SAID, 0 }, NULL },
	{ ACTION_UPGRADE, "upgrade", CTL_RENEW, { CTL_SAID, 0 }, NULL },
	{ ACTION_PARK, "park", CTL_PARK, { CTL_SAID, 0 }, NULL },
	{ ACTION_RELOAD, "reload", CTL_RELOAD, { CTL_SAID, 0 }, NULL },
	{ ACTION_STOP, "stop", CTL_STOP, { 0, 0 }, NULL },
};

/* The exact size of an answer; 0: there is no such answer. */
static size_t
row_size(uint32_t type)
{
	switch (type) {
	case CTL_SUMMARY:
		return (sizeof(struct msg_ctl_summary));
	case CTL_CHILD:
		return (sizeof(struct msg_ctl_child));
	case CTL_METRICS:
		return (sizeof(((union row *)NULL)->metrics));
	case CTL_PEER:
		return (sizeof(struct msg_ctl_peer));
	case CTL_NODE:
		return (sizeof(struct msg_ctl_entry));
	case CTL_BEACON:
		return (sizeof(struct msg_ctl_beacon));
	case CTL_BLOCKED:
		return (sizeof(struct msg_ctl_blocked));
	case CTL_WORKER:
		return (sizeof(struct msg_ctl_worker));
	case CTL_REGISTRY:
		return (sizeof(struct msg_ctl_registry));
	case CTL_SAID:
		return (sizeof(struct msg_ctl_said));
	case CTL_END:
		return (sizeof(struct msg_ctl_end));
	default:
		return (0);
	}
}

static void
row_print(const struct output *out, const struct request *r, uint32_t type,
    const union row *row)
{
	switch (type) {
	case CTL_SUMMARY:
		out->summary(&row->summary);
		break;
	case CTL_CHILD:
		out->child(&row->child);
		break;
	case CTL_METRICS:
		out->metrics(row->metrics);
		break;
	case CTL_PEER:
		if (r->action == ACTION_SHOW_PEER)
			out->peer(&row->peer);
		else
			out->peer_row(&row->peer);
		break;
	case CTL_NODE:
		if (r->action == ACTION_SHOW_NODE)
			out->node(&row->node);
		else
			out->node_row(&row->node);
		break;
	case CTL_BEACON:
		out->beacon(&row->beacon);
		break;
	case CTL_BLOCKED:
		out->blocked(&row->blocked);
		break;
	case CTL_WORKER:
		out->worker(&row->worker);
		break;
	case CTL_REGISTRY:
		out->registry(&row->registry);
		break;
	case CTL_SAID:
		(void)fprintf(stderr, "%.*s\n", (int)sizeof(row->said.text),
		    row->said.text);
		break;
	}
}

/* Takes one answer into row and returns its type. */
static uint32_t
answer(struct client *c, const struct request *r, union row *row)
{
	struct imsg imsg;
	uint32_t type;

	if (!client_answer(c, &imsg))
		errx(CTL_FAILED,
		    "%s: beacond closed the connection (it ended, has too many"
		    " such clients, or allows none of this user)",
		    r->name);
	type = imsg_get_type(&imsg);
	if (type != CTL_END && type != r->rows[0] && type != r->rows[1])
		errx(CTL_FAILED, "%s: unexpected answer %#x", r->name, type);
	if (row_size(type) == 0 ||
	    imsg_get_data(&imsg, row, row_size(type)) == -1)
		errx(CTL_FAILED,
		    "%s: answer %#x has a wrong size (are beacond and"
		    " beaconctl of one version?)",
		    r->name, type);
	imsg_free(&imsg);
	return (type);
}

static void
ask(struct client *c, const struct request *r, const struct command *cmd)
{
	struct msg_ctl_drain drain;
	struct msg_ctl_renew renew;
	struct msg_ctl_node node;

	node.node = cmd->node;
	/* None is named: all. */
	renew.worker = cmd->select.worker - 1;
	drain.seconds =
	    cmd->block.seconds != 0 ? cmd->block.seconds : DRAIN_SECONDS;
	if (r->missing != NULL)
		client_request(c, r->type, &node, sizeof(node));
	else if (r->type == CTL_DRAIN)
		client_request(c, r->type, &drain, sizeof(drain));
	else if (r->type == CTL_RENEW)
		client_request(c, r->type, &renew, sizeof(renew));
	else if (r->type == CTL_LOG_LEVEL)
		client_request(c, r->type, &cmd->level, sizeof(cmd->level));
	else if (r->type == CTL_BLOCK || r->type == CTL_UNBLOCK)
		client_request(c, r->type, &cmd->block, sizeof(cmd->block));
	else
		client_request(c, r->type, NULL, 0);
}

/* Sends the request and prints the rows; returns the errno of its end. */
static int
converse(struct client *c, const struct request *r, const struct command *cmd,
    const struct output *out)
{
	const union row *kept;
	union row row;
	uint32_t type;

	ask(c, r, cmd);
	while ((type = answer(c, r, &row)) != CTL_END)
		if (rows_take(&cmd->select, type, &row))
			row_print(out, r, type, &row);
	while ((kept = rows_next(&cmd->select, &type)) != NULL)
		row_print(out, r, type, kept);
	return ((int)row.end.error);
}

static int
show(struct client *c, const struct request *r, const struct command *cmd,
    const struct output *out)
{
	int error;

	out->begin(r->action);
	error = converse(c, r, cmd, out);
	if (error == ENOENT && r->missing != NULL)
		out->missing(r->action, cmd->node);
	else if (error != 0) {
		warnx("%s: %s", r->name, strerror(error));
		return (CTL_FAILED);
	}
	out->end(r->action);
	if (error == 0)
		return (CTL_OK);
	warnx("node %u: %s", cmd->node, r->missing);
	return (CTL_FAILED);
}

static int
reload(struct client *c, const struct request *r, const struct command *cmd)
{
	int error;

	error = converse(c, r, cmd, &output_text);
	if (error == EINVAL)
		warnx("reload: the configuration has errors and the old one"
		      " stays in force");
	else if (error == ENOKEY)
		warnx("reload: the key file cannot be read or has no keys, and"
		      " the old keys stay");
	else if (error == ETIMEDOUT)
		warnx("reload: the keys are still being read; beacond's log"
		      " says when they count");
	else if (error == ERESTART)
		warnx("reload: done, but for what waits for a restart");
	else if (error != 0)
		warnx("reload: %s", strerror(error));
	if (error == ERESTART)
		return (CTL_RESTART);
	return (error == 0 ? CTL_OK : CTL_FAILED);
}

/* drop, block, unblock, log level, drain, undrain */
static int
act(struct client *c, const struct request *r, const struct command *cmd)
{
	int error;

	error = converse(c, r, cmd, &output_text);
	if (error == ENOENT && r->missing != NULL)
		warnx("node %u: %s", cmd->node, r->missing);
	else if (error == ENOENT)
		warnx("%s: there is no such block", r->name);
	else if (error == EBUSY)
		warnx("%s: another beacond takes over just now; try again",
		    r->name);
	else if (error == ENOSPC)
		warnx("%s: there are %d blocks already", r->name, BLOCKS_MAX);
	else if (error == EINVAL && r->action == ACTION_DRAIN)
		warnx("drain: at most %d seconds", DRAIN_SECONDS_MAX);
	else if (error == EIO)
		warnx("%s: done, but not kept over a restart: the blocks file"
		      " cannot be written; beacond's log says more",
		    r->name);
	else if (error != 0)
		warnx("%s: %s", r->name, strerror(error));
	return (error == 0 ? CTL_OK : CTL_FAILED);
}

/* drain of one worker, upgrade */
static int
renew(struct client *c, const struct request *r, const struct command *cmd)
{
	int error;

	error = converse(c, r, cmd, &output_text);
	if (error == ENOENT)
		warnx("%s: there is no worker %u", r->name,
		    cmd->select.worker - 1);
	else if (error == EBUSY)
		warnx("%s: workers are being replaced already, or beacond"
		      " ends",
		    r->name);
	else if (error == ETIME)
		warnx("%s: the new workers are not ready, and all stays as"
		      " it was",
		    r->name);
	else if (error == ENOKEY)
		warnx("%s: the key file cannot be read or is empty, and all"
		      " stays as it was",
		    r->name);
	else if (error == ENOEXEC)
		warnx("%s: the programs cannot be started", r->name);
	else if (error == ETIMEDOUT)
		warnx("%s: not all sessions have moved yet; beacond goes on"
		      " with it",
		    r->name);
	else if (error != 0)
		warnx("%s: %s", r->name, strerror(error));
	return (error == 0 ? CTL_OK : CTL_FAILED);
}

static int
park(struct client *c, const struct request *r, const struct command *cmd)
{
	int error;

	error = converse(c, r, cmd, &output_text);
	if (error == EOPNOTSUPP)
		warnx("park: no service manager runs beacond, and nobody else"
		      " could keep it all");
	else if (error == EBUSY)
		warnx("park: beacond starts or ends, or sessions move");
	else if (error == EAGAIN)
		warnx("park: not possible, and all goes on");
	else if (error != 0)
		warnx("park: %s", strerror(error));
	return (error == 0 ? CTL_OK : CTL_FAILED);
}

static int
stop(struct client *c, const struct request *r, const struct command *cmd)
{
	int error;

	error = converse(c, r, cmd, &output_text);
	if (error != 0) {
		warnx("stop: %s", strerror(error));
		return (CTL_FAILED);
	}
	if (!client_wait_closed(c, CTL_STOP_TIMEOUT)) {
		warnx("stop: beacond still runs after %d seconds",
		    CTL_STOP_TIMEOUT);
		return (CTL_FAILED);
	}
	return (CTL_OK);
}

/*
 * Runs a command of the control socket at path; json: boolean.  Returns an exit
 * code.
 */
int
control(const struct command *cmd, const char *path, int json)
{
	const struct request *r;
	struct client client;
	int status;

	for (r = requests; r->action != cmd->action; r++)
		continue;
	client_open(&client, path);
	switch (cmd->action) {
	case ACTION_RELOAD:
		status = reload(&client, r, cmd);
		break;
	case ACTION_PARK:
		status = park(&client, r, cmd);
		break;
	case ACTION_RENEW:
	case ACTION_UPGRADE:
		status = renew(&client, r, cmd);
		break;
	case ACTION_LOG_LEVEL:
	case ACTION_DROP:
	case ACTION_BLOCK:
	case ACTION_UNBLOCK:
	case ACTION_DRAIN:
	case ACTION_UNDRAIN:
		status = act(&client, r, cmd);
		break;
	case ACTION_STOP:
		status = stop(&client, r, cmd);
		break;
	default:
		status =
		    show(&client, r, cmd, json ? &output_json : &output_text);
		break;
	}
	client_close(&client);
	return (status);
}
