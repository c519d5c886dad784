/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"
#include "parent/token.h"

/*
 * beacond -n: what a start would find wrong although the configuration is
 * well-formed.  The key file is opened as the user that a start becomes, and
 * read by nobody but auth's own parser, in auth's program and its sandbox.
 */

#define CHECK_FD_FIRST 16    /* above all that the program finds open */
#define CHECK_NOBODY   65534 /* reads the keys if no user is named */

static const struct {
	const char *name; /* of the directive */
	size_t field;
	int root; /* boolean: it may be */
} check_named[] = {
	{ "user", offsetof(struct config, user), 0 },
	{ "worker user", offsetof(struct config, worker_user), 0 },
	{ "auth user", offsetof(struct config, auth_user), 0 },
	{ "metrics user", offsetof(struct config, metrics_user), 0 },
	{ "router user", offsetof(struct config, router_user), 1 },
};

/* Are there all the users?  Returns how many are not, or not to be had. */
static int
check_users(const struct config *conf)
{
	const struct conf_place *at;
	const struct passwd *pw;
	const char *user;
	char why[PRIVS_WHY_MAX];
	size_t i;
	int bad;

	bad = 0;
	for (i = 0; i < sizeof(check_named) / sizeof(check_named[0]); i++) {
		at = conf_given(conf, check_named[i].name);
		if (at == NULL)
			continue;
		user = (const char *)conf + check_named[i].field;
		if (privs_find(user, &pw, why) == 0 ||
		    (check_named[i].root && pw != NULL && pw->pw_uid == 0))
			continue;
		(void)fprintf(stderr, "%s:%d: %s \"%s\" %s\n", at->file,
		    at->line, check_named[i].name, user, why);
		bad++;
	}
	return (bad);
}

/* Root alone needs somebody to become.  Returns how much is wrong. */
static int
check_root(const struct config *conf)
{
	const struct conf_file *file;

	if (geteuid() != 0 || conf->user[0] != '\0')
		return (0);
	file = STAILQ_FIRST(&conf->files);
	(void)fprintf(stderr,
	    "%s: started as root without a user to become; "
	    "set: user \"_beacond\"\n",
	    file == NULL ? "stdin" : file->path);
	return (1);
}

/*
 * Likewise.  Whether a start is to be root's or, as under the unit, the user's
 * itself, root cannot tell: so it may belong to either.
 */
static int
check_token(const struct config *conf)
{
	const struct conf_place *at;
	const struct passwd *pw;
	const char *wrong;
	char why[PRIVS_WHY_MAX];
	uid_t owner;

	at = conf_given(conf, "admin token file");
	if (at == NULL)
		return (0);
	owner = geteuid();
	if (owner == 0 && conf->user[0] != '\0' &&
	    privs_find(conf->user, &pw, why) == 0)
		owner = pw->pw_uid;
	wrong = token_wrong(conf->token_file, owner);
	if (wrong == NULL)
		return (0);
	(void)fprintf(stderr, "%s:%d: admin token file %s: %s\n", at->file,
	    at->line, conf->token_file, wrong);
	return (1);
}

/* In the child: the program, with the keys and the log in their places. */
static void check_exec(int program, int keys, int log, const char *path)
    __attribute__((noreturn));

static void
check_exec(int program, int keys, int log, const char *path)
{
	char *argv[4], *env[SPAWN_ENV_MAX + 1];

	spawn_environment(env);
	argv[0] = (char *)(uintptr_t)roles[ROLE_AUTH].program;
	argv[1] = (char *)(uintptr_t) "-n";
	argv[2] = (char *)(uintptr_t)path;
	argv[3] = NULL;
	program = fcntl(program, F_DUPFD_CLOEXEC, CHECK_FD_FIRST);
	log = fcntl(log, F_DUPFD_CLOEXEC, CHECK_FD_FIRST);
	if (program == -1 || log == -1 || dup2(keys, STDIN_FILENO) == -1 ||
	    dup2(log, LOG_CHILD_FD) == -1)
		fatal("%s: fcntl DUPFD or dup2", argv[0]);
	(void)syscall(SYS_execveat, program, "", argv, env, AT_EMPTY_PATH);
	fatal("%s: execveat", argv[0]);
}

/* What it says, until it has ended. */
static void
check_listen(int log)
{
	unsigned char line[LOG_LINE_MAX];
	char text[4 * LOG_LINE_MAX + 1];
	ssize_t n;

	while ((n = recv(log, line, sizeof(line), 0)) > 0 ||
	       (n == -1 && errno == EINTR)) {
		if (n == -1)
			continue;
		logfd_escape(text, line + 1, (size_t)n - 1);
		log_line(LOG_WARNING, log_name(), text);
	}
}

/* Returns 0, or -1: it has said what is wrong. */
static int
check_end(pid_t pid)
{
	pid_t ended;
	int status;

	do
		ended = waitpid(pid, &status, 0);
	while (ended == -1 && errno == EINTR);
	if (ended == -1)
		fatal("waitpid");
	if (WIFSIGNALED(status))
		log_warnx("%s died of SIG%s", roles[ROLE_AUTH].program,
		    sigabbrev_np(WTERMSIG(status)));
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1);
}

/* Returns 0, or -1 likewise. */
static int
check_read(int program, int keys, const char *path)
{
	int log[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, log) == -1)
		fatal("socketpair");
	pid = fork();
	if (pid == -1)
		fatal("fork");
	if (pid == 0)
		check_exec(program, keys, log[1], path);
	(void)close(log[1]);
	check_listen(log[0]);
	(void)close(log[0]);
	return (check_end(pid));
}

/* Root becomes the user for good: there is nothing else left to do. */
static int
check_keys(const struct config *conf)
{
	const struct passwd *pw;
	char why[PRIVS_WHY_MAX];
	struct role_program program;
	int keys;

	if (conf->keys_file[0] == '\0')
		return (0);
	spawn_open_program(&program, roles[ROLE_AUTH].program);
	if (conf->user[0] != '\0' && privs_find(conf->user, &pw, why) == 0)
		privs_leave(pw->pw_uid, pw->pw_gid);
	keys = keys_open(conf->keys_file, 0);
	if (keys == -1)
		return (-1);
	privs_leave(CHECK_NOBODY, CHECK_NOBODY);
	return (check_read(program.fd, keys, conf->keys_file));
}

/* Returns 0, or -1: all that is wrong was said. */
int
check(const struct config *conf)
{
	int bad;

	bad = check_users(conf) + check_root(conf) + check_token(conf);
	if (check_keys(conf) == -1)
		bad++;
	return (bad == 0 ? 0 : -1);
}
