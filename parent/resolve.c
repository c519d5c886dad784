/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "parent/resolve.h"

/* Before all else; there is no resolver yet. */
void
resolve_init(struct resolve *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = -1;
}

static void
resolve_tell(struct resolve *r, const struct resolve_answer *answer)
{
	resolve_done_fn done;

	done = r->users[answer->user].done;
	r->users[answer->user].done = NULL;
	done(r->users[answer->user].owner, answer);
}

/* No name is found any more: who waits for one hears so. */
static void
resolve_gone(struct resolve *r)
{
	struct resolve_answer answer;
	uint32_t i;

	log_warnx("resolver: ended; names are not looked up any more, until a "
		  "restart");
	loop_stop(r->loop, &r->readable);
	(void)close(r->fd);
	r->fd = -1;
	memset(&answer, 0, sizeof(answer));
	answer.error = EAI_SYSTEM;
	for (i = 0; i < RESOLVE_USERS; i++) {
		answer.user = i;
		if (r->users[i].done != NULL)
			resolve_tell(r, &answer);
	}
}

/* Is it one, and to something that is still asked? */
static int
resolve_is_answer(const struct resolve *r, const struct resolve_answer *answer)
{
	return (answer->user < RESOLVE_USERS &&
		answer->count <= RESOLVE_ADDRESSES &&
		(answer->count == 0) == (answer->error != 0) &&
		r->users[answer->user].done != NULL &&
		r->users[answer->user].serial == answer->serial);
}

static void
resolve_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct resolve_answer answer;
	struct resolve *r;
	ssize_t n;

	if (loop_deaf(loop, w, revents))
		return;
	r = w->data;
	n = recv(r->fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(answer))
		resolve_gone(r);
	else if (resolve_is_answer(r, &answer))
		resolve_tell(r, &answer);
}

/* With a resolver, from now on: its answers are taken. */
void
resolve_watch(struct resolve *r, struct ev_loop *loop)
{
	r->loop = loop;
	if (r->fd == -1)
		return;
	ev_io_init(&r->readable, resolve_readable, r->fd, EV_READ);
	r->readable.data = r;
	ev_io_start(loop, &r->readable);
}

/*
 * Asks for the addresses of a name, in place of what that user asked before.
 * Returns 0, or -1: there is no resolver (any more), or it does not read.
 */
int
resolve_ask(struct resolve *r, enum resolve_user user, const char *name,
    resolve_done_fn done, void *owner)
{
	struct resolve_request request;

	resolve_cancel(r, user);
	if (r->fd == -1)
		return (-1);
	memset(&request, 0, sizeof(request));
	request.user = user;
	request.serial = ++r->serial;
	(void)strlcpy(request.name, name, sizeof(request.name));
	if (send(r->fd, &request, sizeof(request),
		MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(request))
		return (-1);
	r->users[user].done = done;
	r->users[user].owner = owner;
	r->users[user].serial = request.serial;
	return (0);
}

/* Whatever the user has asked, it does not want to hear any more. */
void
resolve_cancel(struct resolve *r, enum resolve_user user)
{
	r->users[user].done = NULL;
}

/* Boolean: the user waits for an answer. */
int
resolve_busy(const struct resolve *r, enum resolve_user user)
{
	return (r->users[user].done != NULL);
}
