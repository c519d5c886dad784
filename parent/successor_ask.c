/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/inherit.h"
#include "parent/parent.h"

/*
 * The parent that runs is asked for what it has: at start for its sockets, and
 * when our children are ready for all sessions.  Until it has said that it has
 * ended its own children, it is the one that serves, and we end if anything
 * goes wrong.
 */

#define SUCCESSOR_WAIT 10000 /* milliseconds for the first answer */

static void successor_cannot(const char *) __attribute__((noreturn));

static void
successor_cannot(const char *why)
{
	fatalx("cannot take over from the beacond that runs, which goes on: %s",
	    why);
}

/* Why it did not do what it was asked for. */
static const char *
successor_refusal(uint32_t error)
{
	switch (error) {
	case EPERM:
		return ("that is for root and its own user");
	case EOPNOTSUPP:
		return ("a service manager runs it: restart it there");
	case EBUSY:
		return ("it starts, ends, or moves sessions; try again");
	case EAGAIN:
		return ("it could not; its log says why");
	default:
		return (strerror((int)error));
	}
}

static int
successor_connect(const char *path)
{
	struct sockaddr_un sun;
	int fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		fatalx("control socket %s: the path is too long", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		fatal("socket");
	if (connect(fd, (void *)&sun, sizeof(sun)) == -1)
		fatal("no beacond to take over from answers on %s", path);
	return (fd);
}

/* The next answer; the connection is used blocking. */
static void
successor_answer(struct imsgbuf *imsgbuf, struct imsg *imsg)
{
	struct pollfd pfd;
	int n;

	while ((n = imsgbuf_get(imsgbuf, imsg)) == 0) {
		pfd.fd = imsgbuf->fd;
		pfd.events = POLLIN;
		if (poll(&pfd, 1, SUCCESSOR_WAIT) != 1)
			successor_cannot("it does not answer");
		if (imsgbuf_read(imsgbuf) <= 0)
			successor_cannot("it has closed the connection");
	}
	if (n == -1)
		successor_cannot("malformed answer");
}

static void
successor_take_steered(struct successor *s, const struct imsg *imsg)
{
	struct msg_ctl_steered steered;

	if (imsg_get_data(imsg, &steered, sizeof(steered)) == -1)
		successor_cannot("malformed answer");
	s->steered = steered.steered != 0;
	s->steer_key = steered.key;
	s->nworkers = steered.nworkers;
	s->keys = steered.keys;
	s->alike = steered.alike;
	memcpy(s->places, steered.places, sizeof(s->places));
}

/* One row.  Returns 1 with the last. */
static int
successor_take_row(struct successor *s, struct imsg *imsg)
{
	struct msg_ctl_end end;
	int fd;

	switch (imsg_get_type(imsg)) {
	case CTL_SOCKET:
		fd = imsg_get_fd(imsg);
		if (fd == -1 || inherit_add(fd) == -1)
			successor_cannot("too many sockets");
		return (0);
	case CTL_STEERED:
		successor_take_steered(s, imsg);
		return (0);
	case CTL_END:
		if (imsg_get_data(imsg, &end, sizeof(end)) == -1)
			break;
		if (end.error != 0)
			successor_cannot(successor_refusal(end.error));
		return (1);
	default:
		break;
	}
	successor_cannot("an answer of another version");
}

/* At start: its sockets are ours as well from now on. */
void
successor_ask_sockets(struct parent *parent)
{
	struct successor *s;
	struct imsgbuf imsgbuf;
	struct imsg imsg;
	int over;

	s = &parent->successor;
	s->fd = successor_connect(parent->conf->control_socket);
	if (imsgbuf_init(&imsgbuf, s->fd) == -1)
		fatal(NULL);
	imsgbuf_allow_fdrecv(&imsgbuf);
	if (imsg_compose(&imsgbuf, CTL_SOCKETS, 0, 0, -1, NULL, 0) == -1 ||
	    imsgbuf_flush(&imsgbuf, SUCCESSOR_WAIT) == -1)
		successor_cannot("it cannot be asked");
	do {
		successor_answer(&imsgbuf, &imsg);
		over = successor_take_row(s, &imsg);
		imsg_free(&imsg);
	} while (!over);
	imsgbuf_clear(&imsgbuf);
	s->pending = 1;
}

/* As successor_cannot(), with our children there. */
void
successor_give_up(struct parent *parent, const char *why)
{
	shutdown_fatal(parent,
	    "cannot take over from the beacond that runs, which goes on: %s",
	    why);
}

static const char *
successor_file(void *owner, const void *data, size_t len, int fd)
{
	struct parent *parent;

	parent = owner;
	if (parent->successor.file != -1)
		(void)close(parent->successor.file);
	parent->successor.file = fd;
	return (NULL);
}

static const char *
successor_queue(void *owner, const void *data, size_t len, int fd)
{
	struct unpark_file *f;
	struct parent *parent;

	parent = owner;
	f = &parent->successor.unpark.file;
	if (f->nqueues == PARK_QUEUES_MAX) {
		(void)close(fd);
		return ("too many queues");
	}
	f->queues[f->nqueues++] = fd;
	return (NULL);
}

static const char *
successor_end(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_ctl_end *end;
	struct successor *s;
	struct parent *parent;

	parent = owner;
	s = &parent->successor;
	end = data;
	/* Its children do not come to rest: their sessions may. */
	if (end->error == EAGAIN && s->channel.state == SUCCESSOR_ADOPTS) {
		log_warnx("its children cannot be ours, but their sessions "
			  "may; its log says why");
		s->adopt.likely = 0;
		successor_ask(parent);
		return (NULL);
	}
	if (end->error != 0)
		successor_give_up(parent, successor_refusal(end->error));
	if (s->channel.state == SUCCESSOR_QUIET)
		return ("an end without a beginning");
	if (s->channel.state == SUCCESSOR_TAKEN)
		s->next_is = s->over;
	else if (s->file == -1)
		return ("no file");
	else {
		s->next_is = s->kept;
		s->channel.state = SUCCESSOR_QUIET;
	}
	/* Both may end this channel, which is in the caller's hands. */
	ev_feed_event(parent->loop, &s->next, EV_CUSTOM);
	return (NULL);
}

static void
successor_next(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct parent *parent;

	parent = w->data;
	if (parent->successor.next_is == parent->successor.over)
		channel_close(&parent->successor.channel);
	parent->successor.next_is(parent);
}

static const struct channel_rule successor_rules[] = {
	CHANNEL_RULE_FD(
	    CTL_FILE, 0, SUCCESSOR_TAKES | SUCCESSOR_ADOPTS, successor_file),
	CHANNEL_RULE_FD(CTL_QUEUE, 0, SUCCESSOR_TAKES, successor_queue),
	CHANNEL_RULE_FD(CTL_WARD, sizeof(struct msg_ctl_ward), SUCCESSOR_ADOPTS,
	    adopt_ward),
	CHANNEL_RULE_FD(CTL_WARD_PAGE, 0, SUCCESSOR_ADOPTS, adopt_ward_page),
	CHANNEL_RULE_FD(CTL_WARD_LOG, 0, SUCCESSOR_ADOPTS, adopt_ward_log),
	CHANNEL_RULE_FD(CTL_WARD_WORDS, 0, SUCCESSOR_ADOPTS, adopt_ward_words),
	CHANNEL_RULE(CTL_END, sizeof(struct msg_ctl_end),
	    SUCCESSOR_TAKES | SUCCESSOR_ADOPTS | SUCCESSOR_QUIET |
		SUCCESSOR_TAKEN,
	    successor_end),
};

static void
successor_ended(void *owner, const char *reason)
{
	shutdown_fatal(owner, "cannot take over from the beacond that runs: %s",
	    reason == NULL ? "it has closed the connection" : reason);
}

/*
 * Our children are ready: it can be asked from now on.  kept is called when the
 * answer to that is here; over, after successor_taken(), when the other one has
 * ended.
 */
void
successor_open_channel(struct parent *parent, void (*kept)(struct parent *),
    void (*over)(struct parent *))
{
	struct successor *s;

	s = &parent->successor;
	s->kept = kept;
	s->over = over;
	ev_prepare_init(&s->next, successor_next);
	s->next.data = parent;
	(void)fcntl(s->fd, F_SETFL, O_NONBLOCK);
	if (channel_open(&s->channel, parent->loop, s->fd,
		"the beacond that runs", successor_rules,
		sizeof(successor_rules) / sizeof(successor_rules[0]),
		successor_ended, parent) == -1)
		shutdown_fatal(parent, "channel: %s", strerror(errno));
	log_info("ready to take over");
}

/*
 * For its children, if they can be ours; for some sessions more while all goes
 * on there; or (last) for all else.
 */
void
successor_ask(struct parent *parent)
{
	struct successor *s;

	s = &parent->successor;
	s->channel.state = s->adopt.likely ? SUCCESSOR_ADOPTS : SUCCESSOR_TAKES;
	(void)channel_send(&s->channel,
	    s->adopt.likely ? CTL_ADOPT
	    : s->last       ? CTL_TAKE
			    : CTL_AHEAD,
	    0, -1, NULL, 0);
}

/* They are with our workers: it may end. */
void
successor_taken(struct parent *parent)
{
	parent->successor.channel.state = SUCCESSOR_TAKEN;
	(void)channel_send(
	    &parent->successor.channel, CTL_TAKEN, 0, -1, NULL, 0);
}
