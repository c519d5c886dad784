/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/probe.h"

/*
 * The result for the textfile collector of Prometheus' node exporter, one file
 * for each probe.  It reads the file at any time, so that is replaced whole.
 */
#define PREFIX "pilot_beacon_probe_"

/* A label's value; a URL has nothing else that would have to be quoted. */
static void
value(FILE *f, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			(void)putc('\\', f);
		(void)putc(*text, f);
	}
}

static void
label_end(FILE *f, const char *which, const struct probe_end *e)
{
	fprintf(f, "%snode=\"%" PRIu32 "\",%surl=\"", which, e->node, which);
	value(f, e->text);
	(void)putc('"', f);
}

static void
sample(FILE *f, const struct probe *p, const char *name, double number)
{
	fprintf(f, PREFIX "%s{", name);
	label_end(f, "", &p->end[0]);
	if (p->ends == 2) {
		(void)putc(',', f);
		label_end(f, "to_", &p->end[1]);
	}
	fprintf(f, "} %.10g\n", number);
}

static void
gauge(FILE *f, const struct probe *p, const char *name, const char *help,
    double number)
{
	fprintf(f, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s gauge\n", name,
	    help, name);
	sample(f, p, name, number);
}

/* The times of the packets, and of the slower login. */
static void
times(FILE *f, const struct probe *p)
{
	const struct echo_stats *s;
	int64_t slow;

	s = &p->stats;
	slow = p->end[0].login;
	if (p->ends == 2 && p->end[1].login > slow)
		slow = p->end[1].login;
	if (slow != 0)
		gauge(f, p, "login_seconds",
		    "How long the slowest login of the last probe took.",
		    (double)slow / 1e9);
	if (s->received == 0)
		return;
	gauge(f, p, "average_time_seconds",
	    "How long the packets of the last probe took, on the average.",
	    probe_average(p) / 1e3);
	gauge(f, p, "longest_time_seconds",
	    "How long the slowest packet of the last probe took.",
	    (double)s->max / 1e9);
}

static void
all(FILE *f, const struct probe *p)
{
	double days;

	gauge(f, p, "status",
	    "What the last probe found: 0 all well, 1 a warning, 2 critical, "
	    "3 it could not be tried.",
	    p->status);
	gauge(f, p, "sent_packets", "Packets that the last probe sent.",
	    p->stats.sent);
	gauge(f, p, "received_packets", "Those of them that came.",
	    p->stats.received);
	times(f, p);
	if (probe_days(p, &days))
		gauge(f, p, "certificate_left_seconds",
		    "How long the first certificate to expire was still good "
		    "for.",
		    days * 86400);
}

/* Writes it to a new file of which only the name is missing. */
static int
fill(int fd, const struct probe *p)
{
	FILE *f;
	int failed;

	f = fdopen(fd, "w");
	if (f == NULL) {
		close(fd);
		return (-1);
	}
	all(f, p);
	failed = fflush(f) == EOF || ferror(f) || fchmod(fd, 0644) == -1;
	return (fclose(f) == EOF || failed ? -1 : 0);
}

/* Returns 0, or -1 after having said why the old file, if any, is still it. */
int
probe_textfile(const struct probe *p)
{
	char *path;
	int error, fd;

	/* Without a name that ends in .prom nobody reads it. */
	if (asprintf(&path, "%s.XXXXXX", p->textfile) == -1) {
		warn(NULL);
		return (-1);
	}
	fd = mkstemp(path);
	if (fd != -1 && fill(fd, p) == 0 && rename(path, p->textfile) == 0) {
		free(path);
		return (0);
	}
	error = errno;
	if (fd != -1)
		(void)unlink(path);
	free(path);
	errno = error;
	warn("probe: %s", p->textfile);
	return (-1);
}
