/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_FAULTS_CALLS_H
#define REGRESS_FAULTS_CALLS_H

/*
 * Every call of libc's that can be made to fail: its name here, its symbol, and
 * how it fails.  MINUS: -1 and errno.  AFTER: the same, once it is done.  NONE:
 * NULL and errno.  CODE: what it returns is the error.  LESS: as MINUS, or with
 * less than it was given (a byte, or a message).
 *
 * regress/faults/calls.py reads this list, too, and says with which errors.
 */
/* clang-format off */
#define CALLS(X) \
	X(accept4, "accept4", MINUS) \
	X(access, "access", MINUS) \
	X(bind, "bind", MINUS) \
	X(calloc, "calloc", NONE) \
	X(chdir, "chdir", MINUS) \
	X(chmod, "chmod", MINUS) \
	X(chroot, "chroot", MINUS) \
	X(clock_getcpuclockid, "clock_getcpuclockid", CODE) \
	X(close, "close", AFTER) \
	X(close_range, "close_range", MINUS) \
	X(connect, "connect", MINUS) \
	X(daemon, "daemon", MINUS) \
	X(dup2, "dup2", MINUS) \
	X(epoll_create1, "epoll_create1", MINUS) \
	X(epoll_ctl, "epoll_ctl", MINUS) \
	X(epoll_wait, "epoll_wait", MINUS) \
	X(eventfd, "eventfd", MINUS) \
	X(fchown, "fchown", MINUS) \
	X(fclose, "fclose", AFTER) \
	X(fcntl, "fcntl64", MINUS) \
	X(fdopen, "fdopen", NONE) \
	X(fflush, "fflush", AFTER) \
	X(fork, "fork", MINUS) \
	X(fstat, "fstat64", MINUS) \
	X(ftruncate, "ftruncate64", MINUS) \
	X(getaddrinfo, "getaddrinfo", CODE) \
	X(getpriority, "getpriority", MINUS) \
	X(getpwnam, "getpwnam", NONE) \
	X(getrandom, "getrandom", MINUS) \
	X(getrlimit, "getrlimit64", MINUS) \
	X(getrusage, "getrusage", MINUS) \
	X(getsockname, "getsockname", MINUS) \
	X(getsockopt, "getsockopt", MINUS) \
	X(kill, "kill", MINUS) \
	X(lchown, "lchown", MINUS) \
	X(listen, "listen", MINUS) \
	X(lseek, "lseek64", MINUS) \
	X(lstat, "lstat64", MINUS) \
	X(malloc, "malloc", NONE) \
	X(memfd_create, "memfd_create", MINUS) \
	X(mkdir, "mkdir", MINUS) \
	X(mmap, "mmap64", MINUS) \
	X(munmap, "munmap", AFTER) \
	X(open, "open64", MINUS) \
	X(open_memstream, "open_memstream", NONE) \
	X(pipe2, "pipe2", MINUS) \
	X(poll, "poll", MINUS) \
	X(prctl, "prctl", MINUS) \
	X(pread, "pread64", LESS) \
	X(read, "read", LESS) \
	X(readlink, "readlink", MINUS) \
	X(readv, "readv", LESS) \
	X(realloc, "realloc", NONE) \
	X(reallocarray, "reallocarray", NONE) \
	X(realpath, "__realpath_chk", NONE) \
	X(recv, "recv", LESS) \
	X(recvmmsg, "recvmmsg", LESS) \
	X(recvmsg, "recvmsg", LESS) \
	X(rename, "rename", MINUS) \
	X(seccomp_init, "seccomp_init", NONE) \
	X(seccomp_load, "seccomp_load", CODE) \
	X(seccomp_rule_add_array, "seccomp_rule_add_array", CODE) \
	X(send, "send", LESS) \
	X(sendmmsg, "sendmmsg", LESS) \
	X(sendmsg, "sendmsg", LESS) \
	X(sendto, "sendto", MINUS) \
	X(setfsgid, "setfsgid", AFTER) \
	X(setfsuid, "setfsuid", AFTER) \
	X(setgroups, "setgroups", MINUS) \
	X(setpriority, "setpriority", MINUS) \
	X(setresgid, "setresgid", MINUS) \
	X(setresuid, "setresuid", MINUS) \
	X(setrlimit, "setrlimit64", MINUS) \
	X(setsockopt, "setsockopt", MINUS) \
	X(sigaction, "sigaction", MINUS) \
	X(signal, "signal", MINUS) \
	X(sigprocmask, "sigprocmask", MINUS) \
	X(socket, "socket", MINUS) \
	X(socketpair, "socketpair", MINUS) \
	X(sodium_init, "sodium_init", MINUS) \
	X(stat, "stat64", MINUS) \
	X(syscall, "syscall", MINUS) \
	X(sysconf, "sysconf", MINUS) \
	X(unlink, "unlink", MINUS) \
	X(waitpid, "waitpid", MINUS) \
	X(write, "write", LESS)
/* clang-format on */

#endif /* REGRESS_FAULTS_CALLS_H */
