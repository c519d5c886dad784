/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_SANDBOX_CHILD_H
#define REGRESS_UNIT_SANDBOX_CHILD_H

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdint.h>
#include <time.h>

#include "common/child.h"
#include "common/fdstat.h"
#include "common/log.h"

#include "regress/unit/sandbox_acts.h"

/* The acts that neither a worker nor auth may do, and what both may. */
#define CHILD_MAP_SIZE 65536
/* clang-format off */
#define CHILD_CALL(name, expect, ...) \
	{ #name, expect, SCMP_SYS(name), { __VA_ARGS__ } }
/* clang-format on */
#define PATH (long)"/etc/passwd"
#define RW   (PROT_READ | PROT_WRITE)
#define RX   (PROT_READ | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static int child_map_fd; /* as the peer map, sealed by its only writer */
static uint8_t *child_map;
static pid_t child_sibling;

static const struct act_call child_forbidden[] = {
	/* files */
	CHILD_CALL(openat, ACT_SOFT(EACCES), AT_FDCWD, PATH, O_RDONLY),
	CHILD_CALL(newfstatat, ACT_SOFT(EACCES), AT_FDCWD, PATH, 0, 0),
	CHILD_CALL(ioctl, ACT_SOFT(ENOTTY), 0, 0x5401, 0),
	CHILD_CALL(sysinfo, ACT_SOFT(ENOSYS), 0),
#ifdef SYS_open
	CHILD_CALL(open, ACT_DIES, PATH, O_RDONLY),
	CHILD_CALL(creat, ACT_DIES, (long)"/tmp/x", 0600),
	CHILD_CALL(stat, ACT_DIES, PATH, 0),
	CHILD_CALL(lstat, ACT_DIES, PATH, 0),
	CHILD_CALL(access, ACT_DIES, PATH, 0),
	CHILD_CALL(readlink, ACT_DIES, PATH, 0, 0),
	CHILD_CALL(unlink, ACT_DIES, (long)"/tmp/x"),
	CHILD_CALL(mkdir, ACT_DIES, (long)"/tmp/x", 0700),
	CHILD_CALL(rename, ACT_DIES, (long)"/tmp/x", (long)"/tmp/y"),
	CHILD_CALL(chmod, ACT_DIES, PATH, 0600),
#endif
	CHILD_CALL(openat2, ACT_DIES, AT_FDCWD, PATH, 0, 24),
	CHILD_CALL(statx, ACT_DIES, AT_FDCWD, PATH, 0, 0, 0),
	CHILD_CALL(faccessat, ACT_DIES, AT_FDCWD, PATH, 0),
	CHILD_CALL(readlinkat, ACT_DIES, AT_FDCWD, PATH, 0, 0),
	CHILD_CALL(unlinkat, ACT_DIES, AT_FDCWD, (long)"/tmp/x", 0),
	CHILD_CALL(name_to_handle_at, ACT_DIES, AT_FDCWD, PATH, 0, 0, 0),
	CHILD_CALL(open_by_handle_at, ACT_DIES, 0, 0, 0),
	CHILD_CALL(getdents64, ACT_DIES, 0, 0, 0),
	CHILD_CALL(chdir, ACT_DIES, (long)"/"),
	CHILD_CALL(chroot, ACT_DIES, (long)"/"),
	CHILD_CALL(mount, ACT_DIES, 0, 0, 0, 0, 0),
	CHILD_CALL(fcntl, ACT_DIES, 0, F_SETFL, O_NONBLOCK),
	CHILD_CALL(dup, ACT_DIES, 0),
	CHILD_CALL(write, ACT_DIES, 0, (long)"x", 1),
	CHILD_CALL(pwrite64, ACT_DIES, 0, (long)"x", 1, 0),
	CHILD_CALL(ftruncate, ACT_DIES, 0, 0),
	CHILD_CALL(splice, ACT_DIES, 0, 0, 1, 0, 1, 0),
	CHILD_CALL(inotify_init1, ACT_DIES, 0),

	/* sockets */
	CHILD_CALL(socket, ACT_DIES, AF_INET, SOCK_STREAM, 0),
	CHILD_CALL(socketpair, ACT_DIES, AF_UNIX, SOCK_STREAM, 0, 0),
	CHILD_CALL(connect, ACT_DIES, 0, 0, 0),
	CHILD_CALL(bind, ACT_DIES, 0, 0, 0),
	CHILD_CALL(listen, ACT_DIES, 0, 1),
	CHILD_CALL(shutdown, ACT_DIES, 0, SHUT_RD),
	CHILD_CALL(setsockopt, ACT_DIES, 0, SOL_SOCKET, SO_REUSEADDR, 0, 0),
	CHILD_CALL(getsockopt, ACT_DIES, 0, SOL_SOCKET, SO_PEERCRED, 0, 0),

	/* other processes */
	CHILD_CALL(execve, ACT_DIES, (long)"/bin/true", 0, 0),
	CHILD_CALL(execveat, ACT_DIES, AT_FDCWD, (long)"/bin/true", 0, 0, 0),
#ifdef SYS_fork
	CHILD_CALL(fork, ACT_DIES, 0),
	CHILD_CALL(vfork, ACT_DIES, 0),
#endif
	CHILD_CALL(clone, ACT_DIES, SIGCHLD, 0, 0, 0, 0),
	CHILD_CALL(clone3, ACT_DIES, 0, 0),
	CHILD_CALL(unshare, ACT_DIES, CLONE_NEWUSER),
	CHILD_CALL(setns, ACT_DIES, 0, 0),
	CHILD_CALL(ptrace, ACT_DIES, PTRACE_TRACEME, 0, 0, 0),
	CHILD_CALL(tkill, ACT_DIES, 1, 0),
	CHILD_CALL(pidfd_open, ACT_DIES, 1, 0),
	CHILD_CALL(pidfd_getfd, ACT_DIES, 0, 0, 0),
	CHILD_CALL(pidfd_send_signal, ACT_DIES, 0, 0, 0, 0),
	CHILD_CALL(rt_sigqueueinfo, ACT_DIES, 1, 0, 0),
	CHILD_CALL(process_vm_readv, ACT_DIES, 1, 0, 0, 0, 0, 0),
	CHILD_CALL(process_vm_writev, ACT_DIES, 1, 0, 0, 0, 0, 0),
	CHILD_CALL(kcmp, ACT_DIES, 1, 1, 0, 0, 0),
	CHILD_CALL(wait4, ACT_DIES, -1, 0, 0, 0),

	/* code of one's own */
	CHILD_CALL(mmap, ACT_DIES, 0, 4096, RX, ANON, -1, 0),
	{ "mmap_rwx", ACT_DIES, SCMP_SYS(mmap),
	    { 0, 4096, RW | RX, ANON, -1, 0 } },
#if LONG_MAX > INT32_MAX
	{ "mmap_high_bits", ACT_DIES, SCMP_SYS(mmap),
	    { 0, 4096, RW | 1L << 40, ANON, -1, 0 } },
#endif
	{ "mmap_fixed", ACT_DIES, SCMP_SYS(mmap),
	    { 0, 4096, RW, ANON | MAP_FIXED, -1, 0 } },
	CHILD_CALL(mprotect, ACT_DIES, 0, 4096, RX),
	CHILD_CALL(pkey_mprotect, ACT_DIES, 0, 4096, RX, 0),
	CHILD_CALL(memfd_create, ACT_DIES, (long)"x", 0),
	CHILD_CALL(madvise, ACT_DIES, 0, 4096, MADV_DONTFORK),
	CHILD_CALL(mremap, ACT_DIES, 0, 4096, 4096, MREMAP_FIXED, 0),

	/* the kernel */
	CHILD_CALL(io_uring_setup, ACT_DIES, 1, 0),
	CHILD_CALL(io_uring_enter, ACT_DIES, 0, 0, 0, 0, 0, 0),
	CHILD_CALL(bpf, ACT_DIES, 0, 0, 0),
	CHILD_CALL(perf_event_open, ACT_DIES, 0, 0, 0, 0, 0),
	CHILD_CALL(userfaultfd, ACT_DIES, 0),
	CHILD_CALL(keyctl, ACT_DIES, 0, 0, 0, 0, 0),
	CHILD_CALL(add_key, ACT_DIES, 0, 0, 0, 0, 0),
	CHILD_CALL(personality, ACT_DIES, 0),
	CHILD_CALL(init_module, ACT_DIES, 0, 0, 0),
	CHILD_CALL(futex, ACT_DIES, 0, FUTEX_LOCK_PI, 0, 0, 0, 0),
	CHILD_CALL(shmget, ACT_DIES, 0, 4096, 0600),
	CHILD_CALL(mq_open, ACT_DIES, (long)"/x", 0, 0, 0),

	/* the sandbox itself */
	CHILD_CALL(prctl, ACT_DIES, PR_SET_DUMPABLE, 1),
	CHILD_CALL(seccomp, ACT_DIES, 0, 0, 0),
	CHILD_CALL(prlimit64, ACT_DIES, 0, 0, 0, 0),
	CHILD_CALL(setresuid, ACT_DIES, 0, 0, 0),
	CHILD_CALL(setgroups, ACT_DIES, 0, 0),
	CHILD_CALL(capset, ACT_DIES, 0, 0),
};

static int
child_kill_parent(const void *arg)
{
	(void)arg;
	return (kill(getppid(), 0));
}

static int
child_kill_sibling(const void *arg)
{
	(void)arg;
	return (kill(child_sibling, 0));
}

static int
child_tgkill_sibling(const void *arg)
{
	(void)arg;
	return ((int)syscall(SYS_tgkill, child_sibling, child_sibling, 0));
}

/* The peer map, with its descriptor at hand. */
static int
child_map_shared(const void *arg)
{
	void *p;

	(void)arg;
	p = mmap(NULL, CHILD_MAP_SIZE, RW, MAP_SHARED, child_map_fd, 0);
	return (p == MAP_FAILED ? -1 : 0);
}

static int
child_map_unprotect(const void *arg)
{
	(void)arg;
	return (mprotect(child_map, CHILD_MAP_SIZE, RW));
}

static int
child_map_store(const void *arg)
{
	(void)arg;
	*(volatile uint8_t *)child_map = 1;
	return (0);
}

static int
child_map_send(const void *arg)
{
	(void)arg;
	return (send(child_map_fd, "x", 1, 0) == -1 ? -1 : 0);
}

static int
child_map_write(const void *arg)
{
	(void)arg;
	return (write(STDERR_FILENO, "x", 1) == -1 ? -1 : 0);
}

static int
child_map_unseal(const void *arg)
{
	(void)arg;
	return (fcntl(child_map_fd, F_ADD_SEALS, 0));
}

/* As malloc(3) has it with glibc.malloc.hugetlb=2, whether there are any. */
static int
child_huge(const void *arg)
{
	(void)arg;
	return (mmap(NULL, 2U << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			21 << MAP_HUGE_SHIFT,
		    -1, 0) != MAP_FAILED ||
			errno == ENOMEM
		    ? 0
		    : -1);
}

static int
child_malloc(const void *arg)
{
	static void *p[64];
	size_t i, size;

	(void)arg;
	for (size = 16; size < 8U << 20; size *= 3) {
		for (i = 0; i < 64; i++) {
			p[i] = malloc(size);
			if (p[i] == NULL)
				return (-1);
			memset(p[i], 1, size);
		}
		for (i = 0; i < 64; i++) {
			p[i] = realloc(p[i], size * 2);
			if (p[i] == NULL)
				return (-1);
		}
		for (i = 0; i < 64; i++)
			free(p[i]);
	}
	return (0);
}

static int
child_fstat(const void *arg)
{
	struct stat st;

	(void)arg;
	if (fdstat(child_map_fd, &st) == -1)
		return (-1);
	errno = EIO;
	return (st.st_size == CHILD_MAP_SIZE ? 0 : -1);
}

static int
child_map_read(const void *arg)
{
	uint8_t *p;

	(void)arg;
	p = mmap(NULL, CHILD_MAP_SIZE, PROT_READ, MAP_SHARED, child_map_fd, 0);
	if (p == MAP_FAILED)
		return (-1);
	errno = EIO;
	return (p[0] == 7 ? 0 : -1);
}

static int
child_clock(const void *arg)
{
	struct timespec ts;

	(void)arg;
	return ((int)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
}

static int
child_abort(const void *arg)
{
	(void)arg;
	abort();
}

/* exit(3) runs more than _exit(2) does. */
static int
child_fatal(const void *arg)
{
	(void)arg;
	log_init("child", LOG_TO_PARENT);
	fatalx("%s", "expected: the end of a process");
}

static void
child_memory(void)
{
	uint8_t *p;

	child_map_fd = memfd_create("map", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (child_map_fd == -1 || ftruncate(child_map_fd, CHILD_MAP_SIZE) == -1)
		exit(1);
	p = mmap(NULL, CHILD_MAP_SIZE, RW, MAP_SHARED, child_map_fd, 0);
	if (p == MAP_FAILED || fcntl(child_map_fd, F_ADD_SEALS,
				   F_SEAL_SHRINK | F_SEAL_GROW |
				       F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == -1)
		exit(1);
	p[0] = 7;
	child_map =
	    mmap(NULL, CHILD_MAP_SIZE, PROT_READ, MAP_SHARED, child_map_fd, 0);
	if (child_map == MAP_FAILED)
		exit(1);
}

/* child_confine(), as in the role's main(), comes before. */
static void
child_confined(void)
{
	struct child child;

	memset(&child, 0, sizeof(child));
	child.name = act_role;
	child_confine(&child);
}

/* The one descriptor that is open to write(2) is this one meanwhile. */
static void
child_run_stderr(
    int fd, const char *name, int expect, int (*call)(const void *))
{
	int saved;

	saved = dup(STDERR_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	act_run(name, expect, call, NULL);
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
}

static void
child_peermap_acts(void)
{
	act_run("map_shared", EPERM, child_map_shared, NULL);
	act_run("map_unprotect", EACCES, child_map_unprotect, NULL);
	act_run("map_store", ACT_FAULTS, child_map_store, NULL);
	act_run("map_send", ENOTSOCK, child_map_send, NULL);
	act_run("map_unseal", ACT_DIES, child_map_unseal, NULL);
	/* The limit on file sizes comes first, then the seal. */
	child_run_stderr(
	    child_map_fd, "map_write", ACT_LIMITED, child_map_write);
}

static void
child_acts(const char *role, void (*enter)(void))
{
	int null, status;

	null = open("/dev/null", O_WRONLY);
	act_role = role;
	act_enter = enter;
	child_memory();
	child_sibling = fork();
	if (child_sibling == 0)
		for (;;)
			(void)pause();
	act_calls(child_forbidden,
	    sizeof(child_forbidden) / sizeof(child_forbidden[0]));
	act_foreign();
	act_run("kill_parent", ACT_DIES, child_kill_parent, NULL);
	act_run("kill_sibling", ACT_DIES, child_kill_sibling, NULL);
	act_run("tgkill_sibling", ACT_DIES, child_tgkill_sibling, NULL);
	child_peermap_acts();

	act_run("malloc", ACT_LIVES, child_malloc, NULL);
	act_run("huge", ACT_LIVES, child_huge, NULL);
	act_run("fstat", ACT_LIVES, child_fstat, NULL);
	act_run("map_read", ACT_LIVES, child_map_read, NULL);
	act_run("clock", ACT_LIVES, child_clock, NULL);
	act_run("abort", ACT_ABORTS, child_abort, NULL);
	/* stderr may be a file here, which is limited to 0 bytes. */
	child_run_stderr(null, "fatal", 1, child_fatal);
	(void)close(null);
	(void)kill(child_sibling, SIGKILL);
	(void)waitpid(child_sibling, &status, 0);
}

#endif /* REGRESS_UNIT_SANDBOX_CHILD_H */
