/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "parent/memory.h"
#include "parent/parent.h"

/*
 * A program of somebody else's in the place of our relay (beacond-frame(7)).
 * The parent lets it in and gives it a channel to each worker; no packet passes
 * here.  It is trusted with what peers send, and with nothing else.
 */

static void router_end(void *, const char *);

/* Before anything is touched, see local_socket_clear(). */
void
router_check(struct parent *parent)
{
	if (parent->conf->router_socket[0] == '\0')
		return;
	local_socket_clear(&parent->router.socket, "router socket",
	    parent->conf->router_socket);
}

/* The user that the socket is for; as root. */
static const struct passwd *
router_user(const struct config *conf)
{
	const struct passwd *pw;
	const char *name;

	name = conf->router_user[0] != '\0' ? conf->router_user : conf->user;
	pw = getpwnam(name);
	if (pw == NULL)
		fatalx("router user \"%s\" does not exist", name);
	return (pw);
}

/* Binds the socket, if there is to be one: for one user, and nobody else. */
void
router_bind(struct parent *parent)
{
	const struct passwd *pw;
	struct router *r;

	r = &parent->router;
	r->uid = geteuid();
	if (r->socket.what == NULL)
		return;
	local_socket_bind(&r->socket, 0177, 1);
	if (geteuid() != 0 && parent->conf->router_user[0] == '\0')
		return;
	pw = router_user(parent->conf);
	r->uid = pw->pw_uid;
	if (r->uid != geteuid() &&
	    lchown(r->socket.sun.sun_path, pw->pw_uid, pw->pw_gid) == -1)
		fatal("lchown %s to user \"%s\"", r->socket.sun.sun_path,
		    pw->pw_name);
}

/* Whatever happens to the file's mode. */
static int
router_allowed(const struct router *r, int fd)
{
	struct ucred cred;
	socklen_t len;

	len = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return (0);
	return (cred.uid == 0 || cred.uid == geteuid() || cred.uid == r->uid);
}

/* Somebody is there already: the newcomer is told, if it listens. */
static void
router_busy(int fd)
{
	struct {
		struct imsg_header header;
		struct msg_frame_not_welcome msg;
	} busy;

	memset(&busy, 0, sizeof(busy));
	busy.header.type = FRAME_NOT_WELCOME;
	busy.header.len = sizeof(busy);
	busy.msg.reason = FRAME_BUSY;
	(void)send(fd, &busy, sizeof(busy), MSG_NOSIGNAL);
	(void)close(fd);
}

static void
router_unpause(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct router *r;

	r = w->data;
	ev_io_start(loop, &r->listener);
}

/* Nobody was accepted: for want of descriptors or memory, not at once again. */
static void
router_pause(struct router *r, int error)
{
	if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
		return;
	ev_io_stop(r->parent->loop, &r->listener);
	ev_timer_set(&r->pause, 1., 0.);
	ev_timer_start(r->parent->loop, &r->pause);
}

static void
router_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct router *r;
	int fd;

	if (loop_deaf(loop, w, revents))
		return;
	r = w->data;
	fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		router_pause(r, errno);
		return;
	}
	if (!router_allowed(r, fd)) {
		(void)close(fd);
		return;
	}
	if (r->channel.open) {
		router_busy(fd);
		return;
	}
	if (channel_open(&r->channel, loop, fd, "router", r->rules, r->nrules,
		router_end, r) == -1)
		return;
	budget_init(&r->budget, ROUTER_RATE, ROUTER_BURST);
	r->channel.budget = &r->budget;
	r->channel.state = ROUTER_NEW;
	ev_timer_set(&r->hello, ROUTER_HELLO_SECONDS, 0.);
	ev_timer_start(loop, &r->hello);
}

static void
router_no_hello(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct router *r;

	r = w->data;
	log_warnx("router: said nothing for %.0f s", ROUTER_HELLO_SECONDS);
	channel_close(&r->channel);
}

/* With the loop at hand; rules is the table of what it may say. */
void
router_start(
    struct parent *parent, const struct channel_rule *rules, size_t nrules)
{
	struct router *r;

	r = &parent->router;
	r->parent = parent;
	r->rules = rules;
	r->nrules = nrules;
	ev_timer_init(&r->pause, router_unpause, 0., 0.);
	r->pause.data = r;
	ev_timer_init(&r->hello, router_no_hello, 0., 0.);
	r->hello.data = r;
	if (r->socket.what == NULL)
		return;
	ev_io_init(&r->listener, router_accept, r->socket.fd, EV_READ);
	r->listener.data = r;
	if (!successor_waits(&parent->successor))
		ev_io_start(parent->loop, &r->listener);
}

/* What another parent had is ours now. */
void
router_resume(struct parent *parent)
{
	if (parent->router.socket.what != NULL)
		ev_io_start(parent->loop, &parent->router.listener);
}

/* Boolean: a program is there, and has the frames. */
int
router_is_attached(const struct parent *parent)
{
	return (parent->router.channel.open &&
		parent->router.channel.state == ROUTER_ATTACHED);
}

/* The memory that it shares with a worker; without, all goes by the channel. */
static void
router_share(struct router *r, struct process *worker)
{
	int copy, fd;

	fd = memory_shared("window", FRAME_WINDOW_BYTES);
	copy = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy == -1) {
		log_warn(
		    "router: memory to share with %s", worker->place->name);
		if (fd != -1)
			(void)close(fd);
		return;
	}
	process_send(worker, PW_WINDOW, fd, NULL, 0);
	/* What comes next tells of a program that does not read. */
	(void)channel_send(
	    &r->channel, FRAME_WINDOW, worker->place->number, copy, NULL, 0);
}

/* Its channel to a worker: one that was just started, or was there before. */
void
router_introduce(struct process *worker)
{
	struct parent *parent;
	int pair[2];

	parent = worker->parent;
	/* One that may be called off is not shown, see renew.c. */
	if (!router_is_attached(parent) || worker->state == CHILD_DOWN ||
	    worker->place->candidate)
		return;
	if (channel_pair(pair) == -1) {
		log_warn("router: socketpair");
		return;
	}
	process_buffers(pair);
	if (parent->router.windows)
		router_share(&parent->router, worker);
	process_send(worker, PW_ROUTER, pair[0], NULL, 0);
	if (channel_send(&parent->router.channel, FRAME_CHANNEL,
		worker->place->number, pair[1], NULL, 0) == -1)
		log_warnx("router: does not read");
}

/* It has said a proper FRAME_HELLO, and has been told what it needs to know. */
void
router_attach(struct router *r, uint32_t version)
{
	struct parent *parent;
	uint32_t i;

	parent = r->parent;
	ev_timer_stop(parent->loop, &r->hello);
	r->channel.state = ROUTER_ATTACHED;
	r->windows = version != FRAME_VERSION_PLAIN;
	log_info("router: attached");
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].child != NULL)
			router_introduce(parent->workers[i].child);
}

/* The program is gone, or broke the rules: the workers do without. */
static void
router_end(void *owner, const char *reason)
{
	struct parent *parent;
	struct router *r;

	r = owner;
	parent = r->parent;
	ev_timer_stop(parent->loop, &r->hello);
	if (r->channel.state != ROUTER_ATTACHED)
		return;
	log_info("router: gone%s%s", reason != NULL ? ": " : "",
	    reason != NULL ? reason : "");
	process_send_workers(parent, PW_ROUTER_END, NULL, 0);
}

void
router_stop(struct parent *parent)
{
	channel_close(&parent->router.channel);
	if (parent->router.socket.what != NULL && !parent->successor.pending)
		local_socket_remove(&parent->router.socket);
}
