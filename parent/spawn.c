/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"

#define SPAWN_FD_FIRST 16 /* above all that a child finds open */
#define SPAWN_ENV_MAX  32

static const char *const spawn_names[ROLE_MAX] = {
	[ROLE_WORKER] = "beacond-worker",
	[ROLE_AUTH] = "beacond-auth",
};

/* What a child keeps of the environment: knobs of malloc and sanitizers. */
static const char *const spawn_env[] = {
	"ASAN_OPTIONS=",
	"GLIBC_TUNABLES=",
	"LSAN_OPTIONS=",
	"MALLOC_",
	"UBSAN_OPTIONS=",
};

extern char **environ;

/* The directory of our own program; "" if it cannot be told. */
static void
spawn_own_directory(char *dir, size_t size)
{
	ssize_t n;
	char *slash;

	n = readlink("/proc/self/exe", dir, size - 1);
	dir[n == -1 ? 0 : n] = '\0';
	slash = strrchr(dir, '/');
	if (slash == NULL)
		dir[0] = '\0';
	else
		*slash = '\0';
}

static void
spawn_check_program(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		fatal("%s", path);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
		fatalx("%s: not an executable file; install it again", path);
	if ((st.st_mode & 022) != 0)
		fatalx("%s: others can write to it; chmod go-w %s", path, path);
}

static int
spawn_open_program(const char *name)
{
	char own[PATH_MAX], path[PATH_MAX + 32];
	int fd;

	fd = -1;
	spawn_own_directory(own, sizeof(own));
	(void)snprintf(path, sizeof(path), "%s/%s", own, name);
	if (own[0] != '\0')
		fd = open(path, O_PATH | O_CLOEXEC);
	if (fd == -1) {
		(void)snprintf(path, sizeof(path), "%s/%s", LIBEXECDIR, name);
		fd = open(path, O_PATH | O_CLOEXEC);
	}
	if (fd == -1)
		fatal("%s: neither beside beacond nor in %s; install it there",
		    name, LIBEXECDIR);
	spawn_check_program(fd, path);
	return (fd);
}

/*
 * Opens the programs of all roles: a restart, years later, runs what was
 * checked now.  Fatal with the remedy if one is missing.
 */
void
spawn_open_programs(struct parent *parent)
{
	int role;

	for (role = 0; role < ROLE_MAX; role++)
		parent->programs[role].fd =
		    spawn_open_program(spawn_names[role]);
}

static void
spawn_environment(char *env[SPAWN_ENV_MAX + 1])
{
	size_t i, n;
	char **var;

	n = 0;
	for (var = environ; *var != NULL; var++)
		for (i = 0; i < sizeof(spawn_env) / sizeof(spawn_env[0]); i++)
			if (n < SPAWN_ENV_MAX && strncmp(*var, spawn_env[i],
						     strlen(spawn_env[i])) == 0)
				env[n++] = *var;
	env[n] = NULL;
}

/* In the child: puts the descriptors of common/child.h in their places. */
static int
spawn_descriptors(struct process *p, int *program, int channel, int logfd)
{
	*program = fcntl(*program, F_DUPFD_CLOEXEC, SPAWN_FD_FIRST);
	channel = fcntl(channel, F_DUPFD, SPAWN_FD_FIRST);
	logfd = fcntl(logfd, F_DUPFD, SPAWN_FD_FIRST);
	if (*program == -1 || channel == -1 || logfd == -1)
		return (-1);
	if (dup2(p->parent->devnull, STDIN_FILENO) == -1 ||
	    dup2(p->parent->devnull, STDOUT_FILENO) == -1)
		return (-1);
	/* In the foreground a sanitizer's last words are seen. */
	if (!p->parent->foreground &&
	    dup2(p->parent->devnull, STDERR_FILENO) == -1)
		return (-1);
	if (dup2(channel, CHILD_PARENT_FD) == -1 ||
	    dup2(logfd, LOG_CHILD_FD) == -1)
		return (-1);
	return (close_range(LOG_CHILD_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC));
}

static void
spawn_exec(struct process *p, pid_t self, int channel, int logfd)
{
	struct role_program *program;
	char *argv[8], *env[SPAWN_ENV_MAX + 1], gid[16], uid[16];
	int argc, fd;

	program = &p->parent->programs[p->role];
	argc = 0;
	argv[argc++] = (char *)(uintptr_t)spawn_names[p->role];
	if (program->drop) {
		(void)snprintf(uid, sizeof(uid), "-u%u", program->uid);
		(void)snprintf(gid, sizeof(gid), "-g%u", program->gid);
		argv[argc++] = uid;
		argv[argc++] = gid;
		argv[argc++] = (char *)(uintptr_t) "-r";
		argv[argc++] = (char *)(uintptr_t)program->root;
	}
	argv[argc] = NULL;
	spawn_environment(env);

	/* Should the parent die before the child has said this by itself. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != self)
		_exit(1);
	fd = program->fd;
	if (program->drop && privs_hand_over() == -1)
		_exit(1);
	if (spawn_descriptors(p, &fd, channel, logfd) == -1)
		_exit(1);
	(void)fexecve(fd, argv, env);
	log_init(p->name, LOG_TO_PARENT);
	log_warn("cannot execute %s", spawn_names[p->role]);
	_exit(1);
}

static const struct channel_rule *
spawn_rules(const struct process *p, size_t *n)
{
	if (p->role == ROLE_AUTH) {
		*n = dispatch_auth_nrules;
		return (dispatch_auth_rules);
	}
	*n = dispatch_worker_nrules;
	return (dispatch_worker_rules);
}

static void
spawn_close(int pair[2])
{
	if (pair[0] != -1)
		(void)close(pair[0]);
	if (pair[1] != -1)
		(void)close(pair[1]);
}

/*
 * Starts p's program and opens the channel to it; on_end is called when that
 * ends.  The caller watches p->pid.  Returns 0, or -1 with nothing left behind
 * and the reason logged.
 */
int
spawn(struct process *p, channel_end_fn on_end)
{
	const struct channel_rule *rules;
	size_t nrules;
	pid_t self;
	int channel[2], logs[2];

	channel[0] = channel[1] = logs[0] = logs[1] = -1;
	if (metrics_page(p) == -1 || channel_pair(channel) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, logs) == -1)
		goto fail;
	self = getpid();
	p->pid = fork();
	if (p->pid == -1) {
		p->pid = 0;
		goto fail;
	}
	if (p->pid == 0)
		spawn_exec(p, self, channel[1], logs[1]);
	(void)close(channel[1]);
	(void)close(logs[1]);
	rules = spawn_rules(p, &nrules);
	logfd_open(p, logs[0]);
	if (channel_open(&p->channel, p->parent->loop, channel[0], p->name,
		rules, nrules, on_end, p) == -1)
		fatal("%s: channel", p->name);
	return (0);
fail:
	log_warn("%s: cannot be started", p->name);
	spawn_close(channel);
	spawn_close(logs);
	return (-1);
}
