/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/faults/calls.h"

/*
 * Calls that fail when a test wants them to: linked into a program, these take
 * the place of libc's, in its libraries as well.  All processes that have them
 * share a page: the test writes its plan there, they count.
 */
#define FAULTS_PATH "MALLOC_FAULTS" /* the parent lets MALLOC_* through */
#define FAULTS_LOG  4               /* LOG_CHILD_FD: whole lines or none */

/* In place of an error. */
#define FAULTS_SHORT (-1) /* one byte, or one message */
#define FAULTS_NO_FD (-2) /* the descriptor that comes along is lost */

enum { FAULTS_MINUS, FAULTS_AFTER, FAULTS_NONE, FAULTS_CODE, FAULTS_LESS };

#define FAULTS_NUMBER(name, symbol, how) CALL_##name,
enum { CALLS(FAULTS_NUMBER) CALL_MAX };

#define FAULTS_SYMBOL(name, symbol, how) symbol,
static const char *const faults_symbols[] = { CALLS(FAULTS_SYMBOL) };

#define FAULTS_HOW(name, symbol, how) FAULTS_##how,
static const uint8_t faults_how[] = { CALLS(FAULTS_HOW) };

#define FAULTS_ROLES 4

static struct {
	/* The plan; armed is written last. */
	atomic_uint armed; /* boolean */
	int32_t pid;       /* of whom; 0: of whoever is of that role */
	uint32_t role;
	uint32_t call;
	int32_t error;
	uint32_t first; /* the first one that fails, from 1 on */
	uint32_t every; /* and then each so-manieth; 0: no more */
	uint32_t limit; /* that many fail at most */
	/* Since it was armed. */
	atomic_uint count;
	atomic_uint failed;
	/* Since the page is there: what each role has called. */
	atomic_uint calls[FAULTS_ROLES][CALL_MAX];
} * faults_page;

#define FAULTS_FDS 1024

static uint32_t faults_role;
static uint8_t faults_accepted[FAULTS_FDS]; /* booleans */
static void *faults_real[CALL_MAX];

/* By their own names, since they would call themselves by the usual ones. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

/* All arguments of all calls come in registers, numbers like pointers. */
typedef intptr_t faults_fn(
    intptr_t a, intptr_t b, intptr_t c, intptr_t d, intptr_t e, intptr_t f);

static intptr_t
faults_call(int call, const intptr_t a[6])
{
	faults_fn *fn;

	switch (call) {
	case CALL_malloc:
		return ((intptr_t)__libc_malloc((size_t)a[0]));
	case CALL_calloc:
		return ((intptr_t)__libc_calloc((size_t)a[0], (size_t)a[1]));
	case CALL_realloc:
		return ((intptr_t)__libc_realloc((void *)a[0], (size_t)a[1]));
	default:
		break;
	}
	if (faults_real[call] == NULL)
		faults_real[call] = dlsym(RTLD_NEXT, faults_symbols[call]);
	fn = (faults_fn *)faults_real[call];
	return (fn(a[0], a[1], a[2], a[3], a[4], a[5]));
}

/* Is this a connection of the network's? */
static int
faults_is_connection(int fd)
{
	return (fd >= 0 && fd < FAULTS_FDS && faults_accepted[fd]);
}

/* Could the kernel say this to this call? */
static int
faults_possible(int call, int error, const intptr_t a[6])
{
	switch (call) {
	case CALL_poll:
		return ((int)a[2] != 0);
	case CALL_epoll_wait:
		/* Who does not wait is not interrupted. */
		return ((int)a[3] != 0);
	case CALL_epoll_ctl:
		return ((int)a[1] == EPOLL_CTL_ADD);
	case CALL_read:
	case CALL_write:
		/* libev's own, by which its signals wake it up */
		return (a[2] != sizeof(uint64_t));
	case CALL_readv:
	case CALL_recv:
	case CALL_send:
		/* The other end of a channel does not vanish. */
		return ((error != ECONNRESET && error != ETIMEDOUT &&
			    error != EPIPE) ||
			faults_is_connection((int)a[0]));
	case CALL_sendmsg:
		return ((error != ECONNRESET && error != EPIPE) ||
			faults_is_connection((int)a[0]));
	default:
		return (1);
	}
}

/* Asked for by the plan just now?  0, or the error. */
static int
faults_planned(int call, const intptr_t a[6])
{
	unsigned int n;

	if (faults_page == NULL)
		return (0);
	atomic_fetch_add(&faults_page->calls[faults_role][call], 1);
	if (!atomic_load(&faults_page->armed) ||
	    faults_page->role != faults_role ||
	    faults_page->call != (uint32_t)call ||
	    !faults_possible(call, faults_page->error, a))
		return (0);
	if (faults_page->pid != 0 && faults_page->pid != getpid())
		return (0);
	n = atomic_fetch_add(&faults_page->count, 1) + 1;
	if (n < faults_page->first)
		return (0);
	n -= faults_page->first;
	if (n != 0 && (faults_page->every == 0 || n % faults_page->every != 0))
		return (0);
	if (atomic_load(&faults_page->failed) >= faults_page->limit)
		return (0);
	atomic_fetch_add(&faults_page->failed, 1);
	return (faults_page->error);
}

/* One byte of what a message has, or room for one. */
static intptr_t
faults_short_message(int call, const intptr_t a[6])
{
	struct msghdr msg, *whole;
	struct iovec iov;
	intptr_t b[6], r;

	whole = (struct msghdr *)a[1];
	if (whole->msg_iovlen == 0)
		return (faults_call(call, a));
	msg = *whole;
	iov = whole->msg_iov[0];
	if (iov.iov_len > 1)
		iov.iov_len = 1;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	memcpy(b, a, sizeof(b));
	b[1] = (intptr_t)&msg;
	r = faults_call(call, b);
	if (call == CALL_recvmsg) {
		whole->msg_controllen = msg.msg_controllen;
		whole->msg_flags = msg.msg_flags;
	}
	return (r);
}

static intptr_t
faults_short(int call, const intptr_t a[6])
{
	struct iovec iov;
	intptr_t b[6];

	memcpy(b, a, sizeof(b));
	if (a[0] == FAULTS_LOG)
		return (faults_call(call, a));
	if (call == CALL_sendmsg || call == CALL_recvmsg)
		return (faults_short_message(call, a));
	if (call == CALL_readv) {
		iov = ((struct iovec *)a[1])[0];
		iov.iov_len = 1;
		b[1] = (intptr_t)&iov;
	}
	if (b[2] > 1)
		b[2] = 1;
	return (faults_call(call, b));
}

/* As the kernel does when this process may have no descriptor more. */
static intptr_t
faults_no_fd(int call, const intptr_t a[6])
{
	struct msghdr *msg;
	struct cmsghdr *cmsg;
	intptr_t r;
	int fd;

	r = faults_call(call, a);
	msg = (struct msghdr *)a[1];
	cmsg = r <= 0 ? NULL : CMSG_FIRSTHDR(msg);
	if (cmsg == NULL || cmsg->cmsg_type != SCM_RIGHTS) {
		/* Not this one, then. */
		atomic_fetch_sub(&faults_page->failed, 1);
		return (r);
	}
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	(void)close(fd);
	msg->msg_controllen = 0;
	msg->msg_flags |= MSG_CTRUNC;
	return (r);
}

static intptr_t
faults_fail(int call, int error, const intptr_t a[6])
{
	if (faults_how[call] == FAULTS_AFTER)
		(void)faults_call(call, a);
	errno = error;
	switch (faults_how[call]) {
	case FAULTS_NONE:
		return (0);
	case FAULTS_CODE:
		return (error);
	default:
		return (-1);
	}
}

/* As it should be. */
static intptr_t
faults_well(int call, const intptr_t a[6])
{
	intptr_t r;

	r = faults_call(call, a);
	if (call == CALL_accept4 && (int)r >= 0 && (int)r < FAULTS_FDS)
		faults_accepted[(int)r] = 1;
	return (r);
}

static intptr_t
faults_made(int call, const intptr_t a[6])
{
	int error;

	if (call == CALL_close && faults_is_connection((int)a[0]))
		faults_accepted[a[0]] = 0;
	error = faults_planned(call, a);
	switch (error) {
	case 0:
		return (faults_well(call, a));
	case FAULTS_SHORT:
		return (faults_short(call, a));
	case FAULTS_NO_FD:
		return (faults_no_fd(call, a));
	default:
		return (faults_fail(call, error, a));
	}
}

#define FAULTS_DEFINE(name, symbol, how)                              \
	intptr_t faults_as_##name(intptr_t a, intptr_t b, intptr_t c, \
	    intptr_t d, intptr_t e, intptr_t f) __asm__(symbol);      \
	intptr_t faults_as_##name(intptr_t a, intptr_t b, intptr_t c, \
	    intptr_t d, intptr_t e, intptr_t f)                       \
	{                                                             \
		const intptr_t args[6] = { a, b, c, d, e, f };        \
                                                                      \
		return (faults_made(CALL_##name, args));              \
	}
CALLS(FAULTS_DEFINE)

/* Which program this is: children are called "beacond-worker: worker[0]". */
static uint32_t
faults_own_role(void)
{
	static const char *const programs[FAULTS_ROLES] = { "beacond",
		"beacond-worker", "beacond-auth", "beacond-metrics" };
	const char *name;
	uint32_t i;

	name = program_invocation_short_name;
	for (i = 1; i < FAULTS_ROLES; i++)
		if (strncmp(name, programs[i], strlen(programs[i])) == 0)
			return (i);
	return (0);
}

__attribute__((constructor)) static void
faults_open(void)
{
	const char *path;
	void *page;
	int call, fd;

	path = getenv(FAULTS_PATH);
	if (path == NULL)
		return;
	for (call = 0; call < CALL_MAX; call++)
		faults_real[call] = dlsym(RTLD_NEXT, faults_symbols[call]);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		_exit(99);
	page = mmap(NULL, sizeof(*faults_page), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		_exit(98);
	(void)close(fd);
	faults_role = faults_own_role();
	faults_page = page;
}
