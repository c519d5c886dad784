# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Which calls fail, and with what (calls.h has how)."""

import errno
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def listed():
    with open(os.path.join(HERE, "calls.h")) as f:
        return re.findall(r'X\((\w+), "(\w+)", (\w+)\)', f.read())


CALLS = listed()
NAMES = [name for name, _, _ in CALLS]
SYMBOLS = [symbol for _, symbol, _ in CALLS]

# With what each of them fails on Linux, in what these programs do with it.
# SHORT: less than asked for; NO_FD: the descriptor that comes along is lost.
ERRORS = {
    "accept4": "EMFILE ENFILE ENOMEM ENOBUFS EINTR ECONNABORTED EPROTO EPERM",
    "access": "EACCES ENOMEM",
    "bind": "EADDRINUSE EACCES ENOMEM",
    "calloc": "ENOMEM",
    "chdir": "EACCES ENOMEM",
    "chmod": "EPERM EROFS",
    "chroot": "EPERM ENOMEM",
    "clock_getcpuclockid": "ESRCH",
    "close": "EIO EINTR",
    "close_range": "ENOSYS EPERM",
    "connect": "ECONNREFUSED EAGAIN ENOMEM",
    "daemon": "EAGAIN",
    "dup2": "EMFILE EBUSY",
    "epoll_create1": "EMFILE ENFILE ENOMEM",
    "epoll_ctl": "ENOMEM ENOSPC",
    "epoll_wait": "EINTR",
    "eventfd": "EMFILE ENFILE ENOMEM",
    "fchown": "EPERM EROFS",
    "fclose": "ENOSPC EIO",
    "fcntl": "EMFILE",
    "fdopen": "ENOMEM",
    "fflush": "ENOSPC EIO",
    "fork": "EAGAIN ENOMEM",
    "fstat": "EIO ENOMEM",
    "ftruncate": "ENOMEM ENOSPC",
    "getaddrinfo": "EAI",
    "getpriority": "EACCES",
    "getpwnam": "EMFILE ENOMEM",
    "getrandom": "",
    "getrlimit": "EPERM",
    "getrusage": "EPERM",
    "getsockname": "",
    "getsockopt": "",
    "kill": "ESRCH EPERM",
    "lchown": "EPERM EROFS",
    "listen": "EADDRINUSE",
    "lseek": "",
    "lstat": "EACCES ENOMEM",
    "malloc": "ENOMEM",
    "memfd_create": "EMFILE ENFILE ENOMEM",
    "mkdir": "EACCES ENOSPC",
    "mmap": "ENOMEM EPERM",
    "munmap": "ENOMEM",
    "open": "EMFILE ENFILE EACCES ENOMEM EINTR",
    "open_memstream": "ENOMEM",
    "pipe2": "EMFILE ENFILE",
    "poll": "EINTR",
    "prctl": "EPERM EINVAL",
    "pread": "EIO ENOMEM SHORT",
    "read": "EIO EINTR EAGAIN ENOMEM SHORT",
    "readlink": "ENOENT EACCES",
    "readv": "ECONNRESET ETIMEDOUT EAGAIN EINTR SHORT",
    "realloc": "ENOMEM",
    "reallocarray": "ENOMEM",
    "realpath": "EACCES ENOMEM",
    "recv": "ECONNRESET ETIMEDOUT EAGAIN EINTR SHORT",
    "recvmmsg": "EAGAIN EINTR ENOMEM ECONNREFUSED SHORT",
    "recvmsg": "EAGAIN EINTR SHORT NO_FD",
    "rename": "ENOSPC EACCES EROFS",
    "seccomp_init": "ENOMEM",
    "seccomp_load": "-ENOMEM",
    "seccomp_rule_add_array": "-ENOMEM",
    "send": "ECONNRESET EPIPE EAGAIN EINTR ENOBUFS ENOMEM SHORT",
    "sendmmsg": "EAGAIN ENOBUFS ENOMEM EPERM ECONNREFUSED EHOSTUNREACH EINTR "
        "SHORT",
    "sendmsg": "EAGAIN ENOBUFS ENOMEM ETOOMANYREFS EPIPE ECONNRESET EINTR SHORT",
    "sendto": "EAGAIN ENOBUFS ENOMEM EPERM EHOSTUNREACH",
    "setfsgid": "EPERM",
    "setfsuid": "EPERM",
    "setgroups": "EPERM ENOMEM",
    "setpriority": "EACCES",
    "setresgid": "EPERM",
    "setresuid": "EPERM EAGAIN",
    "setrlimit": "EPERM",
    "setsockopt": "ENOMEM ENOBUFS ENOPROTOOPT",
    "sigaction": "EINVAL",
    "signal": "EINVAL",
    "sigprocmask": "EINVAL",
    "socket": "EMFILE ENFILE ENOMEM ENOBUFS",
    "socketpair": "EMFILE ENFILE ENOMEM",
    "sodium_init": "EIO",
    "stat": "EACCES ENOMEM",
    "syscall": "ENOSYS ENOMEM EPERM",
    "sysconf": "",
    "unlink": "EACCES EROFS EBUSY",
    "waitpid": "",
    "write": "ENOSPC EIO EPIPE EAGAIN EINTR SHORT",
}

# Those that do not fail on Linux in what these programs do with them.
NEVER = {
    "getrandom": "it waits at the machine's boot only, before any of us",
    "getsockname": "of a socket of ours, into room enough, it cannot",
    "getsockopt": "likewise; a level that is not there is not asked for",
    "lseek": "within a file in memory, to where its header or its end is",
    "sysconf": "asks how large a page is, and how many CPUs there are",
    "waitpid": "libev's, with WNOHANG, when a child has ended",
}

# What is imported besides: no system call is behind it, or one that is here.
OTHER = {
    "memory and text": "memchr memcmp memcpy __memcpy_chk memmem memmove "
        "mergesort "
        "memset strchr strcmp strcspn strerror strlcat strlcpy strlen "
        "strncasecmp strncmp strnlen strrchr strsep strspn strstr strtonum "
        "__snprintf_chk __vsnprintf_chk __ctype_b_loc __explicit_bzero_chk "
        "qsort inet_ntop inet_pton sigabbrev_np sigemptyset gai_strerror "
        "__libc_current_sigrtmax free malloc_usable_size",
    "how a program starts, and ends": "__libc_start_main __cxa_finalize "
        "__gmon_start__ _ITM_deregisterTMCloneTable "
        "_ITM_registerTMCloneTable __errno_location __stack_chk_fail _exit "
        "exit getopt_long bsd_getopt getenv getauxval",
    "calls that cannot fail": "getpid getppid geteuid getegid umask "
        "clock_gettime",
    "time of day as text; tzset reads a file or not": "gmtime_r localtime_r "
        "strftime tzset",
    "a stream: fflush and fclose tell what became of it": "fputc fwrite "
        "__fprintf_chk __vfprintf_chk __printf_chk ferror getc ungetc "
        "__getdelim",
    "libev: its own calls are these here": "ev_break ev_check_start "
        "ev_check_stop ev_child_start ev_child_stop ev_clear_pending "
        "ev_default_loop ev_feed_event ev_idle_start ev_idle_stop "
        "ev_io_start ev_io_stop ev_loop_new ev_prepare_start "
        "ev_prepare_stop ev_run ev_set_allocator ev_set_syserr_cb "
        "ev_signal_start ev_timer_again ev_timer_start ev_timer_stop "
        "ev_unref",
    "libsodium, libmd, libbsd: arithmetic, and getrandom": "SHA1Init "
        "SHA1Update SHA1Final arc4random crypto_generichash "
        "crypto_generichash_init crypto_generichash_update "
        "crypto_generichash_final crypto_shorthash "
        "crypto_sign_verify_detached randombytes_buf randombytes_random "
        "randombytes_uniform sodium_base642bin sodium_bin2base64 "
        "sodium_bin2hex",
    "jansson and yajl: they fail by malloc": "json_array_get "
        "json_array_size json_delete json_dumpb json_integer_value "
        "json_loadb json_object_get json_object_seed json_object_set_new "
        "json_pack json_string json_string_length json_string_value "
        "yajl_alloc yajl_complete_parse yajl_config yajl_free yajl_parse",
    "libseccomp: what can fail of it is in the list": "seccomp_arch_native "
        "seccomp_attr_set seccomp_release",
}

NUMBERS = {"SHORT": -1, "NO_FD": -2, "EAI": -3, "-ENOMEM": -errno.ENOMEM}


def number(error):
    return NUMBERS[error] if error in NUMBERS else getattr(errno, error)
