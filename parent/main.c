/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/event.h"
#include "common/log.h"
#include "common/loop.h"
#include "parent/adopt.h"
#include "parent/attributes.h"
#include "parent/control.h"
#include "parent/inherit.h"
#include "parent/notify.h"
#include "parent/parent.h"
#include "parent/resolver.h"
#include "parent/sandbox.h"
#include "parent/token.h"

struct options {
	int check;      /* boolean: say what is wrong and no more */
	int foreground; /* boolean */
	int verbose;    /* boolean: and print it */
	int take_over;  /* boolean: from the one that runs */
	const char *file;
};

static const char usage_text[] = "usage: beacond [-dhnuVv] [-f file]\n";

/* What is wrong with the command line, then how it should be. */
static void usage(const char *, const char *) __attribute__((noreturn));

static void
usage(const char *what, const char *why)
{
	(void)fprintf(stderr, "beacond: %s: %s\n%s", what, why, usage_text);
	exit(2);
}

static void
help(void)
{
	(void)fputs(usage_text, stdout);
	exit(0);
}

/* c is what getopt(3) has found at argv[optind - 1]. */
static void
options_take(struct options *options, int c, char **argv)
{
	switch (c) {
	case 'd':
		options->foreground = 1;
		break;
	case 'f':
		options->file = optarg;
		break;
	case 'n':
		options->check = 1;
		break;
	case 'u':
		options->take_over = 1;
		break;
	case 'v':
		options->verbose = 1;
		break;
	case 'V':
		(void)printf("beacond %s\n", BEACOND_VERSION);
		exit(0);
	case 'h':
		help();
		break;
	case ':':
		usage(argv[optind - 1], "a file is missing behind it");
	default:
		usage(argv[optind - 1], "no such option");
	}
}

static void
options_get(struct options *options, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	memset(options, 0, sizeof(*options));
	options->file = CONF_DEFAULT;
	while ((c = getopt_long(argc, argv, ":df:hnuvV", long_options, NULL)) !=
	       -1)
		options_take(options, c, argv);
	if (argc == optind)
		return;
	if (strcmp(argv[optind], "help") != 0)
		usage(argv[optind], "only options are known");
	help();
}

static struct config *
configuration(const struct options *options)
{
	struct config *conf;

	conf = conf_new();
	if (conf == NULL)
		fatal("configuration");
	if (conf_parse(conf, options->file, stderr) == -1)
		exit(1);
	if (!options->check)
		return (conf);
	if (options->verbose)
		conf_print(conf, stdout);
	if (fflush(stdout) == EOF)
		fatal("standard output");
	if (check(conf) == -1)
		exit(1);
	(void)fprintf(stderr, "configuration OK\n");
	exit(0);
}

/* Once confined we could not tell any more. */
static uint32_t
count_cpus(void)
{
	long n;

	n = sysconf(_SC_NPROCESSORS_ONLN);
	if (n < 1)
		return (1);
	return (n > PROTO_WORKERS_MAX ? PROTO_WORKERS_MAX : (uint32_t)n);
}

/* Names may have to be looked up: who does it is started before all secrets. */
static void
start_resolver(struct parent *parent)
{
	resolve_init(&parent->resolve);
	if (!conf_has_names(parent->conf))
		return;
	parent->resolve.fd = resolver_start(parent->devnull, RESOLVE_SECONDS);
	if (parent->resolve.fd == -1)
		shutdown_fatal(parent, "resolver: %s", strerror(errno));
}

/* What may fail for a reason that the operator can mend; all said to stderr. */
static void
prepare(struct parent *parent)
{
	int token;

	sandbox_check();
	parent->devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (parent->devnull == -1)
		fatal("open /dev/null");
	parent->cpus = count_cpus();
	parent->nworkers = conf_workers(parent->conf, parent->cpus);
	parent->nworkers_before = parent->nsteered = parent->nworkers;
	privs_limits(parent);
	privs_check_files(parent);
	spawn_open_programs(parent);
	privs_prepare(parent);
	control_check(parent);
	router_check(parent);
	listen_all(parent);
	steer_all(parent);
	control_bind(parent);
	router_bind(parent);
	token = token_open(parent->conf->token_file);
	privs_drop(parent);
	start_resolver(parent);
	token_read(token, parent->token);
	if (pmap_create(&parent->map) == -1)
		shutdown_fatal(parent, "without a peer map nothing works");
	if (listen_has(parent, LISTENER_METRICS) && sums_create(parent) == -1)
		shutdown_fatal(parent, "without sums there are no metrics");
	parent->holders = holders_new();
	if (parent->holders == NULL)
		shutdown_fatal(parent, "no memory for UDP nodes");
	endpoint_exempt(parent);
	parent_sandbox_files(parent);
	block_init(parent);
}

static void
detach(const struct parent *parent)
{
	int fd;

	if (parent->foreground)
		return;
	if (daemon(1, 1) == -1)
		fatal("daemon");
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(parent->devnull, fd) == -1)
			fatal("dup2");
	log_init("beacond", LOG_TO_SYSLOG);
}

static void
each_second(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *parent;

	parent = w->data;
	/* They are about to be another parent's, which does that. */
	if (parent->park.stage == PARK_ENTRUSTED)
		return;
	metrics_publish_loads(parent);
	endpoint_sweep(parent);
	event_flush(0);
	block_expire(parent);
	gossip_expire(parent);
	keys_again(parent);
	sums_publish(parent);
}

/* Once for all admissions of one turn. */
static void
before_wait(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct parent *parent;

	parent = w->data;
	if (!parent->loads_old)
		return;
	parent->loads_old = 0;
	metrics_publish_loads(parent);
}

static void
watch_signal(struct parent *parent, ev_signal *w, int number,
    void (*handler)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(w, handler, number);
	w->data = parent;
	ev_signal_start(parent->loop, w);
}

static void
start_loop(struct parent *parent)
{
	(void)signal(SIGPIPE, SIG_IGN);
	parent->loop = loop_open(1);
	channel_loop_init(parent->loop);
	drain_init(parent);
	places_init(parent);
	watch_signal(parent, &parent->sigterm, SIGTERM, drain_signal);
	watch_signal(parent, &parent->sigint, SIGINT, shutdown_signal);
	watch_signal(parent, &parent->sighup, SIGHUP, reload_signal);
	ev_timer_init(&parent->second, each_second, 1., 1.);
	parent->second.data = parent;
	ev_timer_start(parent->loop, &parent->second);
	ev_prepare_init(&parent->before_wait, before_wait);
	parent->before_wait.data = parent;
	ev_prepare_start(parent->loop, &parent->before_wait);
}

static void
watchdog_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	notify_watchdog();
}

/* The service manager is told that the loop turns, if it wants to know. */
static void
watchdog_start(struct parent *parent)
{
	double interval;

	interval = notify_watchdog_interval();
	if (interval == 0.)
		return;
	ev_timer_init(&parent->watchdog, watchdog_cb, interval, interval);
	ev_timer_start(parent->loop, &parent->watchdog);
}

static void
stop_all(struct parent *parent)
{
	router_stop(parent);
	control_stop(parent);
	event_flush(1);
	log_info("stopped");
}

int
main(int argc, char **argv)
{
	static struct parent parent;
	struct options options;

	log_init("beacond", LOG_TO_STDERR);
	attributes_set();
	options_get(&options, argc, argv);
	parent.roles = roles;
	parent.conf = configuration(&options);
	parent.conf_start = parent.conf;
	wiring_log_conf(&parent);
	parent.conf_file = options.file;
	parent.foreground = options.foreground;
	parent.started = clock_seconds();
	inherit_sockets();
	notify_open();
	successor_init(&parent, options.take_over);
	prepare(&parent);
	attributes_directory(&parent);
	detach(&parent);

	start_loop(&parent);
	listen_print_all(&parent);
	adopt_decide(&parent);
	supervise_init(&parent);
	gossip_init(&parent);
	resolve_watch(&parent.resolve, parent.loop);
	beacons_init(&parent);
	registry_init(&parent);
	keys_snapshot_init(&parent);
	keys_cache_init(&parent);
	control_start(&parent, from_ctl_rules, from_ctl_nrules);
	router_start(&parent, from_router_rules, from_router_nrules);
	watchdog_start(&parent);
	parent_sandbox();
	supervise_start_all(&parent);
	ev_run(parent.loop, 0);

	stop_all(&parent);
	return (0);
}
