/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "ctl/output.h"

/* The workers: how even their parts are, which sessions are on their way. */

static const char *
worker_state(const struct msg_ctl_worker *m)
{
	static const char *const name[CTL_WORKER_STATES] = {
		[CTL_WORKER_DOWN] = "down",
		[CTL_WORKER_STARTING] = "starting",
		[CTL_WORKER_WAITING] = "waiting",
		[CTL_WORKER_RUNNING] = "running",
		[CTL_WORKER_SILENT] = "silent",
		[CTL_WORKER_DRAINING] = "draining",
		[CTL_WORKER_LEAVING] = "leaving",
		[CTL_WORKER_LEFT] = "left",
		[CTL_WORKER_ENDING] = "ending",
	};

	return (m->state < CTL_WORKER_STATES ? name[m->state] : "?");
}

void
output_workers_head(void)
{
	printf("%-6s %8s %-8s %9s %6s %9s %4s %-14s %4s %8s %s\n", "WORKER",
	    "PID", "STATE", "SESSIONS", "PART", "LOAD", "UDP", "MOVING OUT",
	    "IN", "RESTARTS", "SINCE");
}

/* For a person, a line. */
void
output_worker_text(const struct msg_ctl_worker *m)
{
	char when[FORMAT_TIME_LEN], part[16], out[32];

	(void)snprintf(part, sizeof(part), "-");
	if (m->all != 0)
		(void)snprintf(
		    part, sizeof(part), "%.1f%%", 100. * m->sessions / m->all);
	(void)snprintf(out, sizeof(out), "-");
	if (m->out != 0)
		(void)snprintf(out, sizeof(out), "%" PRIu32 " to %" PRIu32,
		    m->out, m->to % PROTO_WORKERS_MAX);
	printf("%-6" PRIu32 " %8" PRIu32 " %-8s %9" PRIu32 " %6s %9" PRIu32
	       " %4" PRIu32 " %-14s %4" PRIu32 " %8" PRIu32 " %s\n",
	    m->worker, m->pid, worker_state(m), m->sessions, part, m->load,
	    m->sockets, out, m->in, m->restarts, format_time(m->since, when));
}

static json_t *
worker_u64(uint64_t n)
{
	return (json_integer((json_int_t)n));
}

/* For a program.  NULL without memory. */
json_t *
output_worker_json(const struct msg_ctl_worker *m)
{
	return (json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o,"
			  " s:o, s:o}",
	    "worker", worker_u64(m->worker), "place", worker_u64(m->place),
	    "pid", worker_u64(m->pid), "state", worker_state(m), "sessions",
	    worker_u64(m->sessions), "load", worker_u64(m->load), "udp_sockets",
	    worker_u64(m->sockets), "moving_out", worker_u64(m->out),
	    "moving_to", m->out != 0 ? worker_u64(m->to) : json_null(),
	    "moving_in", worker_u64(m->in), "restarts", worker_u64(m->restarts),
	    "since", worker_u64(m->since)));
}
