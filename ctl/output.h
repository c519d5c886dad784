/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include <jansson.h>

#include "ctl/ctl.h"

/*
 * How the rows of an answer are written to standard output.  begin and end
 * enclose the rows of one command; missing takes the place of the row of a node
 * that the beacon has not.
 */
struct output {
	void (*begin)(enum action);
	void (*summary)(const struct msg_ctl_summary *);
	void (*child)(const struct msg_ctl_child *);
	void (*metrics)(const uint64_t[COUNTER_MAX + 1]);
	void (*peer)(const struct msg_ctl_peer *);
	void (*peer_row)(const struct msg_ctl_peer *);
	void (*node)(const struct msg_ctl_entry *);
	void (*node_row)(const struct msg_ctl_entry *);
	void (*beacon)(const struct msg_ctl_beacon *);
	void (*blocked)(const struct msg_ctl_blocked *);
	void (*worker)(const struct msg_ctl_worker *);
	void (*registry)(const struct msg_ctl_registry *);
	void (*missing)(enum action, uint32_t);
	void (*end)(enum action);
};

extern const struct output output_text;
extern const struct output output_json;

/* output_registry.c */
void output_registry_text(const struct msg_ctl_registry *);
json_t *output_registry_json(const struct msg_ctl_registry *);

/* output_workers.c */
void output_workers_head(void);
void output_worker_text(const struct msg_ctl_worker *);
json_t *output_worker_json(const struct msg_ctl_worker *);

/* format.c */
#define FORMAT_ADDRESS_LEN 64
#define FORMAT_TIME_LEN    32
#define FORMAT_AGE_LEN     32

const char *format_address(
    const uint8_t[16], uint32_t, char[FORMAT_ADDRESS_LEN]);
const char *format_blocked(
    const struct msg_ctl_blocked *, char[FORMAT_ADDRESS_LEN]);
const char *format_time(uint64_t, char[FORMAT_TIME_LEN]);
const char *format_age(uint64_t t, uint64_t now, char[FORMAT_AGE_LEN]);
const char *format_role(uint32_t);
const char *format_state(uint32_t);

#endif /* CTL_OUTPUT_H */
