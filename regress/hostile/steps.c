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
#include "common/proto_move.h"
#include "worker/worker.h"

/*
 * A real worker that stops itself, once, when it comes to a message that the
 * test names: before it is sent, or when it is on its way.  Whoever is to die
 * or to hang at that step can be chosen at leisure (test_move_steps.py).
 *
 * Or one of a later version, with more to say of a session
 * (test_move_versions.py).
 */

/* Of the names of the environment that the parent hands on, see spawn.c. */
#define STEPS_VARIABLE "MALLOC_STOP_AT" /* "0x782 1": type, boolean: after */

/*
 * What a later version knows besides of a session, in the one word or the other
 * of the feature bits: "optional" or "required".
 */
#define STEPS_LATER "MALLOC_LATER"
#define STEPS_MORE  24 /* bytes more */

static const char *steps_later;
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
	if (at == NULL || sscanf(at, "%x %d", &steps_type, &steps_after) != 2)
		steps_type = 0;
	steps_later = getenv(STEPS_LATER);
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

/* The state of a session, as a later version would say it. */
static int
steps_send_later(struct channel *ch, uint32_t id, int fd, const void *data)
{
	struct {
		struct msg_move_state state;
		uint8_t more[STEPS_MORE];
	} later;

	memset(&later, 0x5a, sizeof(later));
	memcpy(&later.state, data, sizeof(later.state));
	later.state.version++;
	later.state.len = sizeof(later);
	if (strcmp(steps_later, "required") == 0)
		later.state.required |= 0x80;
	else
		later.state.optional |= 0x80;
	return (
	    __real_channel_send(ch, WM_STATE, id, fd, &later, sizeof(later)));
}

int
__wrap_channel_send(struct channel *ch, uint32_t type, uint32_t id, int fd,
    const void *data, size_t len)
{
	int r;

	if (type == WM_STATE && steps_later != NULL)
		return (steps_send_later(ch, id, fd, data));
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
