/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef CTL_PROBE_H
#define CTL_PROBE_H

#include "ctl/ctl.h"
#include "ctl/ws_client.h"

#define PROBE_ERROR_LEN 512

/* Exit codes, as those of a Nagios plugin. */
enum probe_status {
	PROBE_OK,
	PROBE_WARNING,
	PROBE_CRITICAL,
	PROBE_UNKNOWN /* it could not be tried */
};

struct echo_stats {
	uint32_t sent;
	uint32_t received;
	int64_t min, max, sum; /* nanoseconds */
};

/* Who logs in where. */
struct probe_end {
	const char *keyfile;
	uint32_t node;
	const char *text; /* the URL as it was given, */
	struct ws_url url;
	struct ws_client *ws;
	int64_t login; /* ns that the login took; 0: there was none */
};

/* What is worse than that is reported. */
struct probe_limits {
	double time; /* ms, on the average */
	double loss; /* percent */
	double days; /* left to a certificate; fewer are worse */
};

struct probe {
	struct probe_end end[2]; /* who sends, who receives */
	int ends;                /* 1: the sender receives */
	int urls;                /* 2: each at a beacon of its own */
	uint32_t count;
	int64_t timeout; /* nanoseconds a step */
	struct probe_limits warning, critical;
	int plugin; /* boolean: one line for Nagios */
	int json;   /* boolean: JSON */
	const char *textfile;
	struct echo_stats stats;
	enum probe_status status;
	char error[PROBE_ERROR_LEN]; /* why there is no more; or "" */
};

/* login.c */
int login_reply_build(const char *, size_t len, uint32_t,
    const struct node_key *, char *, size_t size);
int login(struct ws_client *, uint32_t, const struct node_key *, int64_t);

/* echo.c */
struct probe_end *echo_run(struct probe *);

/* probe_options.c */
void probe_options(int, char **, struct probe *);

/* probe_judge.c */
double probe_loss(const struct probe *);
double probe_average(const struct probe *);
int probe_days(const struct probe *, double *);
enum probe_status probe_judge(const struct probe *);
const char *probe_word(enum probe_status);

/* probe_report.c */
void probe_report(const struct probe *);

/* probe_textfile.c */
int probe_textfile(const struct probe *);

#endif /* CTL_PROBE_H */
