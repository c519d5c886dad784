/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>

#include "parent/parent.h"
#include "parent/sandbox.h"

#include "regress/unit/sandbox_acts.h"

/* clang-format off */
#define CALL(name, expect, ...) { #name, expect, SYS_##name, { __VA_ARGS__ } }
/* clang-format on */
#define PATH (long)"/etc/passwd"

/* In the place of parent/move.c: there are no workers. */
void
move_cancel_all(struct parent *of)
{
}

static int prove_error; /* of files that are written anew; 0: the real one */
int __real_newfile_prove(const char *);
int __wrap_newfile_prove(const char *);

int
__wrap_newfile_prove(const char *path)
{
	if (prove_error == 0)
		return (__real_newfile_prove(path));
	errno = prove_error;
	return (-1);
}

static struct parent parent;
static char dir[] = "/tmp/sandbox-XXXXXX";
static char outside[] = "/tmp/outside-XXXXXX";
static char conf_file[64], run_socket[64], other[64];
static char cache_dir[64];
static int other_program;
static const uint16_t registry_port = 2, other_port = 3;

/*
 * The hardest only: as the children start under this filter, it is wide, and
 * Landlock does the rest.
 */
static const struct act_call forbidden[] = {
	CALL(execve, ACT_DIES, (long)"/bin/true", 0, 0),
	{ "execveat_path", ACT_DIES, SYS_execveat,
	    { AT_FDCWD, (long)"/bin/true", 0, 0, 0 } },
	{ "clone_namespace", ACT_DIES, SYS_clone,
	    { SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0 } },
	CALL(clone3, ACT_SOFT(ENOSYS), 0, 0),
	CALL(unshare, ACT_DIES, CLONE_NEWUSER),
	CALL(setns, ACT_DIES, 0, 0),
	CALL(ptrace, ACT_DIES, PTRACE_TRACEME, 0, 0, 0),
	CALL(process_vm_readv, ACT_DIES, 1, 0, 0, 0, 0, 0),
	CALL(process_vm_writev, ACT_DIES, 1, 0, 0, 0, 0, 0),
	CALL(pidfd_getfd, ACT_DIES, 0, 0, 0),
	CALL(io_uring_setup, ACT_DIES, 1, 0),
	CALL(bpf, ACT_DIES, 0, 0, 0),
	CALL(perf_event_open, ACT_DIES, 0, 0, 0, 0, 0),
	CALL(userfaultfd, ACT_DIES, 0),
	CALL(keyctl, ACT_DIES, 0, 0, 0, 0, 0),
	CALL(init_module, ACT_DIES, 0, 0, 0),
	CALL(mount, ACT_DIES, 0, 0, 0, 0, 0),
	CALL(pivot_root, ACT_DIES, 0, 0),
	CALL(open_by_handle_at, ACT_DIES, 0, 0, 0),
	CALL(personality, ACT_DIES, 0),
	{ "socket_raw", ACT_DIES, SYS_socket, { AF_INET, SOCK_RAW, 1 } },
	{ "socket_packet", ACT_DIES, SYS_socket, { AF_PACKET, SOCK_RAW, 0 } },
	{ "socket_netlink", ACT_DIES, SYS_socket, { AF_NETLINK, SOCK_RAW, 0 } },
	/* files, by Landlock or by the table */
	CALL(openat, EACCES, AT_FDCWD, PATH, O_RDONLY),
	{ "openat_proc", EACCES, SYS_openat,
	    { AT_FDCWD, (long)"/proc/self/mem", O_RDWR } },
	{ "openat_create", EACCES, SYS_openat,
	    { AT_FDCWD, (long)other, O_CREAT | O_WRONLY, 0600 } },
	{ "openat_write", EACCES, SYS_openat,
	    { AT_FDCWD, (long)conf_file, O_WRONLY } },
	{ "unlink_elsewhere", EACCES, SYS_unlinkat,
	    { AT_FDCWD, (long)outside, 0 } },
	CALL(mkdirat, ACT_DIES, AT_FDCWD, (long)other, 0700),
	CALL(renameat2, ACT_DIES, AT_FDCWD, (long)conf_file, AT_FDCWD,
	    (long)other, 0),
	CALL(fchmodat, ACT_DIES, AT_FDCWD, (long)conf_file, 0777),
};

static const struct act_call allowed[] = {
	{ "openat_conf", ACT_LIVES, SYS_openat,
	    { AT_FDCWD, (long)conf_file, O_RDONLY } },
	{ "socket_udp", ACT_LIVES, SYS_socket,
	    { AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0 } },
	CALL(memfd_create, ACT_LIVES, (long)"page", MFD_ALLOW_SEALING),
	{ "unlink_socket", ACT_LIVES, SYS_unlinkat,
	    { AT_FDCWD, (long)run_socket, 0 } },
};

static void
enter(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	parent_sandbox_files(&parent);
	parent_sandbox();
}

static void
table_has_no_dead_rows(void)
{
	CHECK(act_count(parent_sandbox_rules, parent_sandbox_nrules) > 0);
}

/* Boolean: it starts though its cache of keys cannot be written just now. */
static int
starts_without_a_cache(int error)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prove_error = error;
		enter();
		_exit(0);
	}
	return (pid != -1 && waitpid(pid, &status, 0) == pid && status == 0);
}

static void
what_can_be_done_without_is_no_reason_not_to_start(void)
{
	CHECK(starts_without_a_cache(0));
	CHECK(starts_without_a_cache(ENOSPC) && starts_without_a_cache(EROFS));
	CHECK(starts_without_a_cache(EDQUOT) && starts_without_a_cache(EIO));
	CHECK(!starts_without_a_cache(EACCES));
	CHECK(!starts_without_a_cache(EPERM));
	CHECK(!starts_without_a_cache(ENOENT));
}

/* As spawn.c does; the program ends with 3. */
static int
act_spawn(const void *fd)
{
	char *argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
		(char *)(uintptr_t) "exit 3", NULL };
	char *env[] = { NULL };
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		(void)fexecve(*(const int *)fd, argv, env);
		_exit(errno);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return (-1);
	errno = WEXITSTATUS(status);
	return (WIFEXITED(status) && errno == 3 ? 0 : -1);
}

/* A child is ours to kill, the rest of the world is not. */
static int
act_kill_child(const void *arg)
{
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0)
		for (;;)
			(void)pause();
	if (kill(pid, SIGKILL) == -1 || waitpid(pid, &status, 0) != pid)
		return (-1);
	return (0);
}

static int
act_kill_outside(const void *arg)
{
	return (kill(getppid(), 0));
}

/* To a port where nobody listens: refused by the kernel, or by Landlock. */
static int
act_connect(const void *port)
{
	struct sockaddr_in sin;
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons(*(const uint16_t *)port);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd == -1)
		return (-1);
	return (connect(fd, (const struct sockaddr *)&sin, sizeof(sin)));
}

/* A reload may bring a listener at any port. */
static int
act_bind(const void *port)
{
	struct sockaddr_in sin;
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons(*(const uint16_t *)port);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd == -1)
		return (-1);
	return (bind(fd, (const struct sockaddr *)&sin, sizeof(sin)));
}

/* The cache of keys is written beside its place, and put there. */
static int
act_cache(const void *to)
{
	char path[CONF_PATH_MAX];
	int error, fd;

	(void)snprintf(path, sizeof(path), "%s/keys.new", cache_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1)
		return (-1);
	if (write(fd, "x", 1) != 1)
		return (-1);
	if (rename(path, to) == -1) {
		error = errno;
		(void)unlink(path);
		errno = error;
		return (-1);
	}
	return (unlink(to));
}

static void
touch(const char *path)
{
	int fd;

	fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (fd == -1)
		exit(1);
	(void)close(fd);
}

static void
prepare(void)
{
	if (mkdtemp(dir) == NULL)
		exit(1);
	(void)snprintf(conf_file, sizeof(conf_file), "%s/conf", dir);
	(void)snprintf(run_socket, sizeof(run_socket), "%s/socket", dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	(void)close(mkstemp(outside));
	touch(conf_file);
	touch(run_socket);
	parent.conf = conf_new();
	if (parent.conf == NULL)
		exit(1);
	parent.conf_start = parent.conf;
	parent.conf_file = conf_file;
	(void)snprintf(cache_dir, sizeof(cache_dir), "%s/cache", dir);
	if (mkdir(cache_dir, 0700) == -1)
		exit(1);
	(void)snprintf(
	    parent.conf->keys_cache, CONF_PATH_MAX, "%s/keys", cache_dir);
	(void)strlcpy(
	    parent.conf->keys_file, conf_file, sizeof(parent.conf->keys_file));
	(void)strlcpy(parent.conf->control_socket, run_socket,
	    sizeof(parent.conf->control_socket));
	(void)strlcpy(parent.conf->registry.name, "127.0.0.1",
	    sizeof(parent.conf->registry.name));
	parent.conf->registry.port = registry_port;
	parent.programs[ROLE_WORKER].fd = open("/bin/sh", O_PATH | O_CLOEXEC);
	parent.programs[ROLE_AUTH].fd = open("/bin/sh", O_PATH | O_CLOEXEC);
	(void)strlcpy(parent.programs[ROLE_WORKER].path, "/bin/sh",
	    sizeof(parent.programs[ROLE_WORKER].path));
	(void)strlcpy(parent.programs[ROLE_AUTH].path, "/bin/sh",
	    sizeof(parent.programs[ROLE_AUTH].path));
	(void)strlcpy(parent.programs[ROLE_METRICS].path, "/bin/sh",
	    sizeof(parent.programs[ROLE_METRICS].path));
	/* Ourselves, in no directory of theirs. */
	other_program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
}

int
main(void)
{
	prepare();
	act_role = "parent";
	act_enter = enter;
	RUN(table_has_no_dead_rows);
	act_calls(forbidden, sizeof(forbidden) / sizeof(forbidden[0]));
	act_foreign();
	act_run("kill_outside", EPERM, act_kill_outside, NULL);
	act_run("spawn_other", EACCES, act_spawn, &other_program);
	act_run("cache_elsewhere", EACCES, act_cache, other);
	act_run("cache", ACT_LIVES, act_cache, parent.conf->keys_cache);
	act_run("connect_elsewhere", EACCES, act_connect, &other_port);
	act_run("bind_tcp", ACT_LIVES, act_bind, &registry_port);
	act_run("connect_registry", ECONNREFUSED, act_connect, &registry_port);
	act_calls(allowed, sizeof(allowed) / sizeof(allowed[0]));
	act_run(
	    "spawn", ACT_LIVES, act_spawn, &parent.programs[ROLE_WORKER].fd);
	act_run("kill_child", ACT_LIVES, act_kill_child, NULL);
	RUN(what_can_be_done_without_is_no_reason_not_to_start);
	(void)unlink(outside);
	(void)unlink(run_socket);
	(void)unlink(conf_file);
	(void)rmdir(cache_dir);
	(void)rmdir(dir);
	return (test_failed());
}
