/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/notify.h"
#include "parent/parent.h"
#include "parent/reload_listen.h"
#include "parent/resize.h"

#define RELOAD_REFUSED "serving; a reload was refused, see the log"
#define RELOAD_WAITS   "serving; something waits for a restart, see the log"

/* What a reload needs before it changes anything. */
struct reload_needs {
	int keys; /* the key file, open; -1: there is to be none */
	struct listen_change listeners;
	int restart; /* boolean: for something that is named in the log */
};

static void
reload_needs_restart(struct reload_needs *needs, const char *what)
{
	needs->restart = 1;
	log_warnx("\"%s\" has changed: needs a restart, kept as it was", what);
}

/* What was settled at start, perhaps as root, is only looked at. */
static void
reload_compare(struct reload_needs *needs, const struct config *old,
    const struct config *new)
{
	const char *last, *what;
	size_t next;

	last = "";
	for (next = 0; (what = conf_changed(old, new, &next)) != NULL;) {
		if (strcmp(what, last) != 0)
			reload_needs_restart(needs, what);
		last = what;
	}
}

static void
reload_log_errors(char *errors)
{
	char *line;

	while ((line = strsep(&errors, "\n")) != NULL)
		if (*line != '\0')
			log_warnx("%s", line);
}

/*
 * Reads the configuration as the file has it now into conf.  Returns 0, EINVAL
 * (it has errors, now logged), or ENOMEM.
 */
static int
reload_parse(struct config *conf, const char *path)
{
	FILE *stream;
	char *errors;
	size_t size;
	int result;

	errors = NULL;
	stream = open_memstream(&errors, &size);
	if (stream == NULL)
		return (ENOMEM);
	result = conf_parse(conf, path, stream) == -1 ? EINVAL : 0;
	/* What is wrong must not be lost. */
	if (fclose(stream) == EOF)
		result = ENOMEM;
	if (errors != NULL)
		reload_log_errors(errors);
	free(errors);
	return (result);
}

/* The new configuration; NULL with *error (see above): nothing changes. */
static struct config *
reload_read(const char *path, int *error)
{
	struct config *conf;

	conf = conf_new();
	*error = conf == NULL ? ENOMEM : reload_parse(conf, path);
	if (*error == 0)
		return (conf);
	log_warnx("reload: %s %s, nothing changed",
	    *error == ENOMEM ? "no memory for" : "errors in", path);
	conf_free(conf);
	return (NULL);
}

/* Children get what can change while they run. */
static void
reload_tell(struct parent *parent)
{
	struct process *worker;
	uint32_t i;

	/* Who is about to be started is told then. */
	if (parent->auth.child != NULL)
		wiring_settings(parent->auth.child);
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		worker = parent->workers[i].child;
		if (worker == NULL)
			continue;
		wiring_settings(worker);
		wiring_networks(worker);
	}
	endpoint_exempt(parent);
	gossip_reload(parent);
	beacons_reload(parent);
	registry_reload(parent);
}

/*
 * Landlock allows the registry's port of the start, and there may be nobody to
 * look up a name.
 */
static void
reload_keep_registry(const struct parent *parent, struct config *conf,
    struct reload_needs *needs)
{
	if (conf->registry.port == 0 ||
	    (conf->registry.port == parent->conf_start->registry.port &&
		(parent->resolve.fd != -1 || !conf_has_names(conf))))
		return;
	if (memcmp(&conf->registry, &parent->conf->registry,
		sizeof(conf->registry)) != 0)
		reload_needs_restart(needs, "registry");
	conf->registry = parent->conf->registry;
}

/* Auth goes on with the keys of a file that is not named any more. */
static void
reload_keep_keys(const struct parent *parent, struct config *conf,
    struct reload_needs *needs)
{
	if (conf->keys_file[0] != '\0' || parent->conf->keys_file[0] == '\0')
		return;
	reload_needs_restart(needs, "keys file");
	(void)strlcpy(
	    conf->keys_file, parent->conf->keys_file, sizeof(conf->keys_file));
}

/*
 * All that may fail: a reload is done whole or not at all.  Returns 0, or why
 * it is not done, with the reason logged.
 */
static int
reload_prepare(
    struct parent *parent, struct config *conf, struct reload_needs *needs)
{
	needs->restart = 0;
	reload_keep_keys(parent, conf, needs);
	needs->keys = -1;
	if (conf->keys_file[0] != '\0') {
		needs->keys = keys_open(conf->keys_file, parent->keys);
		if (needs->keys == -1)
			return (ENOKEY);
	}
	if (reload_listen_prepare(parent, conf, &needs->listeners) == 0) {
		if (resize_prepare(parent, conf_workers(conf, parent->cpus)) ==
		    0)
			return (0);
		listen_change_undo(parent, &needs->listeners);
	}
	if (needs->keys != -1)
		(void)close(needs->keys);
	return (EINVAL);
}

/* Nothing of this can fail. */
static void
reload_commit(
    struct parent *parent, struct config *conf, struct reload_needs *needs)
{
	reload_compare(needs, parent->conf_start, conf);
	reload_keep_registry(parent, conf, needs);
	parent->reload_waits = needs->restart;
	if (parent->conf != parent->conf_start)
		conf_free(parent->conf);
	parent->conf = conf;
	wiring_log_conf(parent);
	privs_check_files(parent);
	resize_commit(parent, conf_workers(conf, parent->cpus));
	reload_listen_commit(parent, &needs->listeners);
	reload_tell(parent);
	resize_tell(parent);
	reload_listen_tell(parent);
	log_info("configuration read again");
	if (needs->keys != -1)
		keys_send_fd(parent, needs->keys);
}

static int
reload_all(struct parent *parent)
{
	struct reload_needs needs;
	struct config *conf;
	int error;

	if (control_is_parting(parent)) {
		log_warnx("reload: sessions go to another parent just now, "
			  "nothing changed");
		return (EBUSY);
	}
	if (strcmp(parent->conf_file, "-") == 0) {
		log_warnx("the configuration came from standard input: "
			  "only the keys are read again");
		return (keys_send(parent) == -1 ? ENOKEY : 0);
	}
	conf = reload_read(parent->conf_file, &error);
	if (conf == NULL)
		return (error);
	error = reload_prepare(parent, conf, &needs);
	if (error != 0) {
		log_warnx("reload: %s, nothing changed",
		    error == ENOKEY ? "no key file" : "no listeners like that");
		conf_free(conf);
		return (error);
	}
	reload_commit(parent, conf, &needs);
	return (0);
}

/* For metrics; a reload with the keys from before is none that was done. */
static void
reload_note(struct parent *parent, int done)
{
	parent->reload_failed = !done;
	if (done)
		parent->reloaded = clock_seconds();
	counters_add(done ? COUNTER_RELOADS : COUNTER_RELOADS_FAILED, 1);
}

static void
reload_end(struct parent *parent, int changed, const char *status)
{
	if (parent->reloading) {
		notify_ready(status);
		reload_note(parent, changed);
	}
	parent->reloading = 0;
	control_reloaded(parent, changed);
}

/* Auth has read the keys, or kept the old ones: now a reload is over. */
void
reload_over(struct parent *parent, int changed)
{
	if (!changed)
		reload_end(parent, 0, "serving, with the keys from before");
	else
		reload_end(
		    parent, 1, parent->reload_waits ? RELOAD_WAITS : "serving");
}

/*
 * An auth was started anew.  If there is no key file for it to read, a reload
 * that waited for the one before is over, or it would never be.
 */
void
reload_lost(struct parent *parent)
{
	if (parent->reloading && parent->keys_asked == 0)
		reload_end(parent, 0, RELOAD_REFUSED);
}

/*
 * Reads configuration and keys again.  Open sessions do not notice, but for
 * those whose key is gone.  Returns 0 (auth will answer the PA_KEYS), or why
 * nothing has changed: EINVAL (errors in the configuration), ENOMEM (no memory
 * for it), ENOKEY (no key file), EBUSY (about to end).
 */
int
reload(struct parent *parent)
{
	int error;

	if (parent->stopping)
		return (EBUSY);
	if (parent->successor.pending) {
		log_warnx("reload: what another parent had is still to come, "
			  "nothing changed");
		return (EBUSY);
	}
	parent->reloading = 1;
	notify_reloading();
	error = reload_all(parent);
	/* If there is a key file, auth's word about it comes later. */
	if (error != 0) {
		/* One before it may still wait for that word. */
		parent->reloading = parent->keys_asked != 0;
		reload_note(parent, 0);
		notify_ready(RELOAD_REFUSED);
	} else if (parent->keys_asked == 0)
		reload_over(parent, 1);
	return (error);
}

void
reload_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)reload(w->data);
}
