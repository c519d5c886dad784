/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"
#include "common/self.h"
#include "parent/parent.h"

#define SPAWN_FD_FIRST 16 /* above all that a child finds open */

/* What a child keeps of the environment: knobs of malloc and sanitizers. */
static const char *const spawn_env[] = {
	"ASAN_OPTIONS=",
	"GLIBC_TUNABLES=",
	"LSAN_OPTIONS=",
	"MALLOC_",
	"UBSAN_OPTIONS=",
};

/* Ours is end 0 of each, the child's end 1; -1: not there. */
struct spawn_fds {
	int channel[2];
	int log[2];
	int words[2];
};

extern char **environ;

/*
 * The directory of our own program; "" if it cannot be told.  Without /proc it
 * is the name that we were started by.
 */
static void
spawn_own_directory(char dir[PATH_MAX])
{
	const char *name;
	ssize_t n;
	char *slash;

	n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	name = self_started_as();
	if (n != -1)
		dir[n] = '\0';
	else if (name == NULL || realpath(name, dir) == NULL) {
		log_warn("readlink /proc/self/exe: where is beacond");
		dir[0] = '\0';
	}
	slash = strrchr(dir, '/');
	if (slash == NULL)
		dir[0] = '\0';
	else
		*slash = '\0';
}

/* NULL, or what is wrong with it. */
static const char *
spawn_check_program(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return (strerror(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
		return ("not an executable file; install it again");
	if ((st.st_mode & 022) != 0)
		return ("others can write to it; chmod go-w");
	return (NULL);
}

/* Beside our own, or where it was installed; fatal if it is not there. */
void
spawn_open_program(struct role_program *program, const char *name)
{
	char own[PATH_MAX];
	const char *wrong;
	int n;

	program->fd = program->before = -1;
	spawn_own_directory(own);
	n = snprintf(program->path, sizeof(program->path), "%s/%s", own, name);
	if (own[0] != '\0' && (size_t)n < sizeof(program->path)) {
		program->fd = open(program->path, O_PATH | O_CLOEXEC);
		if (program->fd == -1 && errno != ENOENT)
			fatal("%s", program->path);
	}
	if (program->fd == -1) {
		(void)snprintf(program->path, sizeof(program->path), "%s/%s",
		    LIBEXECDIR, name);
		program->fd = open(program->path, O_PATH | O_CLOEXEC);
	}
	if (program->fd == -1)
		fatal("%s: neither beside beacond nor in %s; install it there",
		    name, LIBEXECDIR);
	wrong = spawn_check_program(program->fd);
	if (wrong != NULL)
		fatalx("%s: %s", program->path, wrong);
}

/*
 * Opens the programs of all roles: a restart, years later, runs what was
 * checked now.  Fatal with the remedy if one is missing.
 */
void
spawn_open_programs(struct parent *parent)
{
	int role;

	for (role = ROLE_PARENT + 1; role < ROLE_MAX; role++)
		spawn_open_program(
		    &parent->programs[role], parent->roles[role].program);
}

/*
 * Opens them anew, as they may be other ones by now: children are started from
 * these, until spawn_settle().  Returns 0, or -1 with the reason logged and
 * nothing changed.
 */
int
spawn_open_again(struct parent *parent)
{
	struct role_program *program;
	const char *wrong;
	int fd, role;

	for (role = ROLE_PARENT + 1; role < ROLE_MAX; role++) {
		program = &parent->programs[role];
		fd = open(program->path, O_PATH | O_CLOEXEC);
		wrong = fd == -1 ? strerror(errno) : spawn_check_program(fd);
		if (wrong != NULL) {
			log_warnx("%s: %s", program->path, wrong);
			if (fd != -1)
				(void)close(fd);
			spawn_settle(parent, 0);
			return (-1);
		}
		program->before = program->fd;
		program->fd = fd;
	}
	return (0);
}

/* keep: boolean: the new ones are good; else children are as before. */
void
spawn_settle(struct parent *parent, int keep)
{
	struct role_program *program;
	int role;

	for (role = ROLE_PARENT + 1; role < ROLE_MAX; role++) {
		program = &parent->programs[role];
		if (program->before == -1)
			continue;
		(void)close(keep ? program->before : program->fd);
		if (!keep)
			program->fd = program->before;
		program->before = -1;
	}
}

void
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

/*
 * In the child: puts the descriptors of common/child.h in their places.  What a
 * sanitizer or libc has to say on standard error is for the parent: ours would
 * let a child speak for the daemon, and silence it.
 */
static int
spawn_descriptors(struct process *p, int *program, const struct spawn_fds *fds)
{
	int channel, logfd, words;

	*program = fcntl(*program, F_DUPFD_CLOEXEC, SPAWN_FD_FIRST);
	channel = fcntl(fds->channel[1], F_DUPFD_CLOEXEC, SPAWN_FD_FIRST);
	logfd = fcntl(fds->log[1], F_DUPFD_CLOEXEC, SPAWN_FD_FIRST);
	words = fcntl(fds->words[1], F_DUPFD_CLOEXEC, SPAWN_FD_FIRST);
	if (*program == -1 || channel == -1 || logfd == -1 || words == -1)
		return (-1);
	if (dup2(p->parent->devnull, STDIN_FILENO) == -1 ||
	    dup2(p->parent->devnull, STDOUT_FILENO) == -1 ||
	    dup2(words, STDERR_FILENO) == -1 ||
	    dup2(channel, CHILD_PARENT_FD) == -1 ||
	    dup2(logfd, LOG_CHILD_FD) == -1)
		return (-1);
	/* All others end with the exec. */
	return (0);
}

/* In the child, which ends: errno says why. */
static void spawn_fail(const struct spawn_fds *, const char *)
    __attribute__((noreturn));

static void
spawn_fail(const struct spawn_fds *fds, const char *what)
{
	char line[LOG_LINE_MAX];
	int n;

	n = snprintf(line, sizeof(line), "%c%s: %s%s", LOG_CRIT + '0', what,
	    strerror(errno), log_remedy(errno));
	if (n > 0)
		(void)send(fds->log[1], line, (size_t)n, MSG_NOSIGNAL);
	_exit(1);
}

static void
spawn_exec(struct process *p, pid_t self, const struct spawn_fds *fds)
{
	struct role_program *program;
	char *argv[8], *env[SPAWN_ENV_MAX + 1], gid[16], uid[16], name[64];
	int argc, fd;

	program = &p->parent->programs[p->place->role->id];
	argc = 0;
	/* Which worker it is can be seen by ps(1). */
	(void)snprintf(name, sizeof(name), "%s: %s", p->place->role->program,
	    p->place->name);
	argv[argc++] = name;
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
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		spawn_fail(fds, "prctl PDEATHSIG");
	if (getppid() != self) {
		errno = ESRCH;
		spawn_fail(fds, "getppid: the parent is gone");
	}
	fd = program->fd;
	if (program->drop && privs_hand_over() == -1)
		spawn_fail(fds, "prctl CAP_AMBIENT_RAISE");
	if (spawn_descriptors(p, &fd, fds) == -1)
		spawn_fail(fds, "fcntl DUPFD or dup2");
	/* Not fexecve(3), which would try execve(2) where this is denied. */
	(void)syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
	spawn_fail(fds, "execveat");
}

/* Returns -1. */
static int
spawn_cannot(const struct process *p, const char *what)
{
	log_warn("%s cannot be started: %s", p->place->name, what);
	return (-1);
}

/* The parent's and the child's ends.  0, or -1 with the reason logged. */
static int
spawn_pairs(const struct process *p, struct spawn_fds *fds)
{
	memset(fds, 0xff, sizeof(*fds));
	if (channel_pair(fds->channel) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, fds->log) == -1)
		return (spawn_cannot(p, "socketpair"));
	if (pipe2(fds->words, O_NONBLOCK | O_CLOEXEC) == -1)
		return (spawn_cannot(p, "pipe2"));
	return (0);
}

/* What p has of a child before there is one.  0, or -1, as above. */
static int
spawn_prepare(struct process *p, struct spawn_fds *fds, channel_end_fn on_end)
{
	int fd;

	if (spawn_pairs(p, fds) == -1)
		return (-1);
	if (metrics_page(p) == -1)
		return (-1);
	fd = fds->channel[0];
	fds->channel[0] = -1;
	if (channel_open(&p->channel, p->parent->loop, fd, p->place->name,
		p->place->role->rules, *p->place->role->nrules, on_end,
		p) == -1)
		return (spawn_cannot(p, "channel"));
	return (0);
}

/* One end of each pair, or those of them that there are. */
static void
spawn_close(const struct spawn_fds *fds, int end)
{
	if (fds->channel[end] != -1)
		(void)close(fds->channel[end]);
	if (fds->log[end] != -1)
		(void)close(fds->log[end]);
	if (fds->words[end] != -1)
		(void)close(fds->words[end]);
}

/*
 * Starts p's program and opens the channel to it; on_end is called when that
 * ends.  The caller watches p->pid.  Returns 0, or -1 with nothing left behind
 * and the reason logged.
 */
int
spawn(struct process *p, channel_end_fn on_end)
{
	struct spawn_fds fds;
	pid_t pid, self;

	if (spawn_prepare(p, &fds, on_end) == -1)
		goto fail;
	self = getpid();
	pid = fork();
	if (pid == -1) {
		(void)spawn_cannot(p, "fork");
		channel_close(&p->channel);
		goto fail;
	}
	if (pid == 0)
		spawn_exec(p, self, &fds);
	p->pid = pid;
	spawn_close(&fds, 1);
	logfd_open(p, fds.log[0], fds.words[0]);
	return (0);
fail:
	spawn_close(&fds, 0);
	spawn_close(&fds, 1);
	return (-1);
}
