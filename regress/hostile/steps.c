/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/syscall.h>
#include <sys/types.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/child.h"
#include "worker/worker.h"

/*
 * A real worker that stops itself, once, when it comes to a message that the
 * test names: before it is sent, or when it is on its way.  Whoever is to die
 * or to hang at that step can be chosen at leisure (test_move_steps.py).
 */

/* Of the names of the environment that the parent hands on, see spawn.c. */
#define STEPS_VARIABLE "MALLOC_STOP_AT" /* "0x782 1": type, boolean: after */

static unsigned steps_type;
static int steps_after;
static pid_t steps_self;

void __real_child_confine(const struct child *);
void __wrap_child_confine(const struct child *);
int __real_channel_send(
    struct channel *, uint32_t, uint32_t, int, const void *, size_t);
int __wrap_channel_send(
    struct channel *, uint32_t, uint32_t, int, const void *, size_t);
int __real_channel_sendv(
    struct channel *, uint32_t, uint32_t, const struct iovec *, int);
int __wrap_channel_sendv(
    struct channel *, uint32_t, uint32_t, const struct iovec *, int);
void __real_route_message(struct worker *, struct sibling *, uint32_t, uint32_t,
    uint32_t, const uint8_t *, size_t);
void __wrap_route_message(struct worker *, struct sibling *, uint32_t, uint32_t,
    uint32_t, const uint8_t *, size_t);

void
__wrap_child_confine(const struct child *child)
{
	const char *at;

	at = getenv(STEPS_VARIABLE);
	if (at == NULL ||
	    sscanf(at, "%x %d", &steps_type, &steps_after) != 2)
		steps_type = 0;
	steps_self = getpid();
	__real_child_confine(child);
}

static void
steps_stop(uint32_t type, int after)
{
	if (type != steps_type || after != steps_after)
		return;
	steps_type = 0;
	/* What abort(3) does, any child may. */
	(void)syscall(SYS_tgkill, steps_self, steps_self, SIGSTOP);
}

int
__wrap_channel_send(struct channel *ch, uint32_t type, uint32_t id, int fd,
    const void *data, size_t len)
{
	int r;

	steps_stop(type, 0);
	r = __real_channel_send(ch, type, id, fd, data, len);
	if (type == steps_type)
		(void)channel_flush(ch);
	steps_stop(type, 1);
	return (r);
}

int
__wrap_channel_sendv(struct channel *ch, uint32_t type, uint32_t id,
    const struct iovec *iov, int n)
{
	int r;

	steps_stop(type, 0);
	r = __real_channel_sendv(ch, type, id, iov, n);
	if (type == steps_type)
		(void)channel_flush(ch);
	steps_stop(type, 1);
	return (r);
}

void
__wrap_route_message(struct worker *w, struct sibling *sib, uint32_t type,
    uint32_t id, uint32_t number, const uint8_t *data, size_t len)
{
	steps_stop(type, 0);
	__real_route_message(w, sib, type, id, number, data, len);
}
