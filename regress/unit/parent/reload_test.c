/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <fcntl.h>

#include "parent/notify.h"
#include "parent/reload_listen.h"
#include "parent/resize.h"
#include "regress/unit/still_clock.h"

#include "regress/unit/parent/parts.h"

/* A reload: done whole or not at all, and over once. */

/* What the file says next, and what cannot be had. */
static struct config file;
static int bad, no_memory, no_key_file, no_listeners;
static int no_workers; /* boolean: not as many as the file says */

static struct config *confs[8]; /* alive; NULL: freed */
static int nconfs, freed;
static int keys_fd;        /* the last that was opened */
static const char *status; /* the last that the service manager was told */
static int begun, readies; /* how often it was */
static int answered;       /* control_reloaded(): how often, and ... */
static int answer;         /* ... with what */
static char done[200];     /* what was done, in this order */

static void
did(const char *what)
{
	(void)strlcat(done, what, sizeof(done));
	(void)strlcat(done, " ", sizeof(done));
}

struct config *
conf_new(void)
{
	struct config *conf;

	if (no_memory)
		return (NULL);
	conf = calloc(1, sizeof(*conf));
	if (conf == NULL)
		abort();
	confs[nconfs++] = conf;
	return (conf);
}

void
conf_free(struct config *conf)
{
	int i;

	for (i = 0; i < nconfs; i++)
		if (conf != NULL && confs[i] == conf) {
			confs[i] = NULL;
			freed++;
			free(conf);
		}
}

int
conf_parse(struct config *conf, const char *path, FILE *errors)
{
	*conf = file;
	if (bad)
		fprintf(errors, "%s:1: what is this?\n", path);
	return (bad ? -1 : 0);
}

const char *
conf_changed(const struct config *old, const struct config *new, size_t *next)
{
	return (
	    (*next)++ == 0 && old->workers != new->workers ? "workers" : NULL);
}

int
control_is_parting(const struct parent *of)
{
	return (of->park.stage != PARK_NOT);
}

int
conf_has_names(const struct config *conf)
{
	return (conf->registry.name[0] == 'n');
}

int
keys_open(const char *path, uint32_t had)
{
	keys_fd = no_key_file && had == parent.keys
		      ? -1
		      : open("/dev/null", O_RDONLY | O_CLOEXEC);
	return (keys_fd);
}

void
keys_send_fd(struct parent *of, int fd)
{
	(void)close(fd);
	of->keys_asked++;
	did("keys");
}

int
keys_send(struct parent *of)
{
	if (no_key_file)
		return (-1);
	of->keys_asked++;
	did("keys");
	return (0);
}

int
reload_listen_prepare(
    struct parent *of, const struct config *conf, struct listen_change *change)
{
	return (no_listeners ? -1 : 0);
}

int
resize_prepare(struct parent *of, uint32_t nworkers)
{
	return (no_workers ? -1 : 0);
}

void
listen_change_undo(struct parent *of, struct listen_change *change)
{
	did("undone");
}

void
resize_commit(struct parent *of, uint32_t nworkers)
{
	of->nworkers = nworkers;
	did("resized");
}

void
resize_tell(struct parent *of)
{
	did("shares");
}

void
reload_listen_commit(struct parent *of, struct listen_change *change)
{
	did("listen");
}

void
reload_listen_tell(struct parent *of)
{
	did("listeners");
}

void
wiring_log_conf(struct parent *of)
{
	did("log");
}

void
privs_check_files(const struct parent *of)
{
	did("files");
}

void
wiring_settings(struct process *p)
{
	did(p->place->role->id == ROLE_AUTH ? "auth" : "worker");
}

void
wiring_networks(struct process *p)
{
	did("networks");
}

void
endpoint_exempt(struct parent *of)
{
	did("exempt");
}

void
gossip_reload(struct parent *of)
{
}

void
beacons_reload(struct parent *of)
{
}

void
registry_reload(struct parent *of)
{
}

void
notify_reloading(void)
{
	begun++;
}

void
notify_ready(const char *text)
{
	readies++;
	status = text;
}

void
control_reloaded(struct parent *of, int changed)
{
	answered++;
	answer = changed;
}

static void
forget(void)
{
	int i;

	for (i = 0; i < nconfs; i++)
		conf_free(confs[i]);
	nconfs = freed = 0;
}

static void
begin(void)
{
	forget();
	parent.conf = &parts_conf;
	parent.conf_start = &parts_conf;
	parent.conf_file = "it.conf";
	parent.stopping = parent.reloading = parent.reload_failed = 0;
	parent.keys_asked = 0;
	parent.resolve.fd = 0;
	memset(&file, 0, sizeof(file));
	parts_conf.keys_file[0] = '\0';
	parts_conf.registry = file.registry;
	bad = no_memory = no_key_file = no_listeners = no_workers = 0;
	begun = readies = answered = 0;
	done[0] = '\0';
	still_pass(1.);
}

static void
with_keys(void)
{
	(void)strlcpy(file.keys_file, "keys", sizeof(file.keys_file));
}

/* Nothing has changed, and whoever watches is told so. */
static int
was_refused(uint64_t failures)
{
	return (parent.conf == &parts_conf && done[0] == '\0' && begun == 1 &&
		readies == 1 && strstr(status, "refused") != NULL &&
		!parent.reloading && parent.reload_failed && answered == 0 &&
		freed == nconfs && COUNTED(RELOADS_FAILED) == failures + 1);
}

static void
test_all_in_its_order(void)
{
	begin();
	with_keys();
	CHECK(reload(&parent) == 0);
	/* Who is told of listeners knows the networks already. */
	CHECK(
	    strcmp(done, "log files resized listen auth worker networks worker "
			 "networks exempt shares listeners keys ") == 0);
	CHECK(parent.conf == confs[0] && fcntl(keys_fd, F_GETFD) == -1);
}

static void
test_who_is_about_to_be_started_is_told_then(void)
{
	struct process *auth, *worker;

	begin();
	auth = parent.auth.child;
	worker = parent.workers[1].child;
	parent.auth.child = parent.workers[1].child = NULL;
	CHECK(reload(&parent) == 0);
	parent.auth.child = auth;
	parent.workers[1].child = worker;
	CHECK(strcmp(done, "log files resized listen worker networks exempt "
			   "shares listeners ") == 0);
}

static void
test_over_at_once_without_keys(void)
{
	uint64_t was;

	begin();
	was = COUNTED(RELOADS);
	CHECK(reload(&parent) == 0 && !parent.reloading);
	CHECK(begun == 1 && readies == 1 && strcmp(status, "serving") == 0);
	CHECK(parent.reloaded == clock_seconds() && !parent.reload_failed);
	CHECK(answered == 1 && answer == 1 && COUNTED(RELOADS) == was + 1);
}

static void
test_over_once_when_auth_has_read_the_keys(void)
{
	uint64_t was;

	begin();
	with_keys();
	was = COUNTED(RELOADS);
	CHECK(reload(&parent) == 0 && parent.reloading);
	CHECK(readies == 0 && answered == 0 && COUNTED(RELOADS) == was);
	reload_over(&parent, 1);
	CHECK(!parent.reloading && readies == 1 && answer == 1);
	CHECK(COUNTED(RELOADS) == was + 1);
	/* What auth says of itself later is no end of it. */
	reload_over(&parent, 1);
	CHECK(readies == 1 && COUNTED(RELOADS) == was + 1);
}

static void
test_with_the_keys_from_before_it_has_failed(void)
{
	uint32_t last;
	uint64_t was;

	begin();
	with_keys();
	was = COUNTED(RELOADS_FAILED);
	last = parent.reloaded;
	CHECK(reload(&parent) == 0);
	reload_over(&parent, 0);
	CHECK(readies == 1 && strstr(status, "keys from before") != NULL);
	CHECK(answered == 1 && answer == 0 && parent.reload_failed);
	CHECK(COUNTED(RELOADS_FAILED) == was + 1 && parent.reloaded == last);
}

/* Auth has died meanwhile. */
static void
test_lost_with_auth(void)
{
	begin();
	with_keys();
	CHECK(reload(&parent) == 0);
	/* The next one was given the keys. */
	reload_lost(&parent);
	CHECK(parent.reloading && readies == 0);
	parent.keys_asked = 0;
	reload_lost(&parent);
	CHECK(!parent.reloading && readies == 1 && answer == 0);
	CHECK(strstr(status, "refused") != NULL);
	reload_lost(&parent);
	CHECK(readies == 1);
}

static void
test_refused_for_errors(void)
{
	uint64_t was;

	begin();
	was = COUNTED(RELOADS_FAILED);
	bad = 1;
	CHECK(reload(&parent) == EINVAL && was_refused(was));
	begin();
	was = COUNTED(RELOADS_FAILED);
	no_memory = 1;
	CHECK(reload(&parent) == ENOMEM && was_refused(was));
}

static void
test_refused_for_what_cannot_be_had(void)
{
	uint64_t was;

	begin();
	with_keys();
	was = COUNTED(RELOADS_FAILED);
	no_key_file = 1;
	parent.keys = 32; /* an empty one will not do, either */
	CHECK(reload(&parent) == ENOKEY && was_refused(was));
	begin();
	with_keys();
	was = COUNTED(RELOADS_FAILED);
	no_listeners = 1;
	CHECK(reload(&parent) == EINVAL && was_refused(was));
	CHECK(fcntl(keys_fd, F_GETFD) == -1);
	begin();
	with_keys();
	was = COUNTED(RELOADS_FAILED);
	no_workers = 1;
	CHECK(reload(&parent) == EINVAL && strcmp(done, "undone ") == 0);
	done[0] = '\0';
	CHECK(was_refused(was) && fcntl(keys_fd, F_GETFD) == -1);
}

static void
test_not_while_we_end(void)
{
	begin();
	parent.stopping = 1;
	CHECK(reload(&parent) == EBUSY);
	CHECK(begun == 0 && readies == 0 && nconfs == 0);
}

static void
test_not_while_sessions_change_parents(void)
{
	uint64_t was;

	/* To us: there is nobody yet who could be told that. */
	begin();
	parent.successor.pending = 1;
	CHECK(reload(&parent) == EBUSY);
	CHECK(begun == 0 && readies == 0 && nconfs == 0);
	parent.successor.pending = 0;
	/* From us. */
	begin();
	was = COUNTED(RELOADS_FAILED);
	parent.park.stage = PARK_LISTENERS;
	CHECK(reload(&parent) == EBUSY && was_refused(was));
	parent.park.stage = PARK_NOT;
	CHECK(nconfs == 0);
}

/* Also what stays as it was for the same reason; each time anew. */
static void
test_what_waits_for_a_restart(void)
{
	begin();
	file.workers = parts_conf.workers + 1;
	CHECK(reload(&parent) == 0 && parent.reload_waits && answer == 1);
	CHECK(strstr(status, "waits for a restart") != NULL);
	/* What is refused says nothing of the one before. */
	bad = 1;
	CHECK(reload(&parent) == EINVAL && parent.reload_waits);
	bad = 0;
	file.workers = parts_conf.workers;
	CHECK(reload(&parent) == 0 && !parent.reload_waits);
	CHECK(strcmp(status, "serving") == 0);
	begin();
	(void)strlcpy(
	    parts_conf.keys_file, "before", sizeof(parts_conf.keys_file));
	CHECK(reload(&parent) == 0 && parent.reload_waits);
	begin();
	parts_conf.registry.port = 80;
	file.registry.port = 81;
	CHECK(reload(&parent) == 0 && parent.reload_waits);
	/* The keys from before are the worse news. */
	with_keys();
	CHECK(reload(&parent) == 0 && parent.reload_waits);
	reload_over(&parent, 0);
	CHECK(answer == 0 && strstr(status, "keys from before") != NULL);
}

/* Only the keys, which have a name. */
static void
test_of_standard_input(void)
{
	begin();
	parent.conf_file = "-";
	CHECK(reload(&parent) == 0 && parent.reloading);
	CHECK(strcmp(done, "keys ") == 0 && parent.conf == &parts_conf);
	begin();
	parent.conf_file = "-";
	no_key_file = 1;
	CHECK(reload(&parent) == ENOKEY && strstr(status, "refused") != NULL);
}

/* That of the start is needed for as long as we run. */
static void
test_the_one_before_is_freed(void)
{
	begin();
	CHECK(reload(&parent) == 0 && freed == 0);
	CHECK(reload(&parent) == 0 && freed == 1 && confs[0] == NULL);
	CHECK(parent.conf == confs[1] && parent.conf_start == &parts_conf);
}

static void
test_keys_that_are_not_named_any_more_stay(void)
{
	begin();
	(void)strlcpy(
	    parts_conf.keys_file, "before", sizeof(parts_conf.keys_file));
	CHECK(reload(&parent) == 0);
	CHECK(strcmp(parent.conf->keys_file, "before") == 0);
	CHECK(parent.keys_asked == 1);
}

static void
test_a_registry_out_of_reach_is_kept_as_it_was(void)
{
	begin();
	parts_conf.registry.port = 80;
	file.registry.port = 81;
	CHECK(reload(&parent) == 0 && parent.conf->registry.port == 80);
	/* Another address at that port can be reached. */
	file.registry.port = 80;
	file.registry.name[0] = '1';
	CHECK(reload(&parent) == 0 && parent.conf->registry.name[0] == '1');
	/* A name, if there is somebody who knows of names. */
	file.registry.name[0] = 'n';
	parent.resolve.fd = -1;
	CHECK(reload(&parent) == 0 && parent.conf->registry.name[0] == '1');
	parent.resolve.fd = 0;
	CHECK(reload(&parent) == 0 && parent.conf->registry.name[0] == 'n');
	/* And a path has no port. */
	file.registry.port = 0;
	CHECK(reload(&parent) == 0 && parent.conf->registry.port == 0);
}

int
main(void)
{
	parts_init();
	RUN(test_all_in_its_order);
	RUN(test_who_is_about_to_be_started_is_told_then);
	RUN(test_over_at_once_without_keys);
	RUN(test_over_once_when_auth_has_read_the_keys);
	RUN(test_with_the_keys_from_before_it_has_failed);
	RUN(test_lost_with_auth);
	RUN(test_refused_for_errors);
	RUN(test_refused_for_what_cannot_be_had);
	RUN(test_not_while_we_end);
	RUN(test_not_while_sessions_change_parents);
	RUN(test_what_waits_for_a_restart);
	RUN(test_of_standard_input);
	RUN(test_the_one_before_is_freed);
	RUN(test_keys_that_are_not_named_any_more_stay);
	RUN(test_a_registry_out_of_reach_is_kept_as_it_was);
	forget();
	return (test_failed());
}
