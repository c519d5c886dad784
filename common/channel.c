/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"

/* Channels with something to send; flushed before the loop blocks. */
static TAILQ_HEAD(, channel) channel_dirty = TAILQ_HEAD_INITIALIZER(
    channel_dirty);
static ev_prepare channel_prepare;

/* One message's data, where its numbers are aligned. */
static union {
	max_align_t align;
	uint8_t bytes[MAX_IMSGSIZE];
} channel_data;

/* Whoever may open the control socket can break the rules all day. */
static struct log_limit channel_refusals;

static void channel_read(struct ev_loop *, ev_io *, int);
static void channel_write(struct ev_loop *, ev_io *, int);

/* Ends a channel; the owner may free it in on_end, so this comes last. */
static void
channel_end(struct channel *ch, const char *reason)
{
	channel_close(ch);
	ch->on_end(ch->owner, reason);
}

static void
channel_mark(struct channel *ch)
{
	if (ch->dirty)
		return;
	ch->dirty = 1;
	TAILQ_INSERT_TAIL(&channel_dirty, ch, entry);
}

static void
channel_unmark(struct channel *ch)
{
	if (!ch->dirty)
		return;
	ch->dirty = 0;
	TAILQ_REMOVE(&channel_dirty, ch, entry);
}

static void
channel_flush_all(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct channel *ch;

	while ((ch = TAILQ_FIRST(&channel_dirty)) != NULL) {
		channel_unmark(ch);
		if (!ev_is_active(&ch->writer))
			(void)channel_flush(ch);
	}
}

/* Once per process, before the first channel_open(). */
void
channel_loop_init(struct ev_loop *loop)
{
	ev_prepare_init(&channel_prepare, channel_flush_all);
	ev_prepare_start(loop, &channel_prepare);
	ev_unref(loop);
}

/* Two connected ends, non-blocking and close-on-exec.  0, or -1 with errno. */
int
channel_pair(int pair[2])
{
	return (socketpair(
	    AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
}

/*
 * Starts to serve fd, which the channel owns from now on (also on failure).
 * rules is the table of what may come in, name is for the log; both and owner
 * stay the caller's.  state begins as ~0: every message is in its state until
 * the owner says otherwise.  Returns 0, or -1 with errno.
 */
int
channel_open(struct channel *ch, struct ev_loop *loop, int fd, const char *name,
    const struct channel_rule *rules, size_t nrules, channel_end_fn on_end,
    void *owner)
{
	size_t i;

	memset(ch, 0, sizeof(*ch));
	if (imsgbuf_init(&ch->imsgbuf, fd) == -1 ||
	    imsgbuf_set_spare(&ch->imsgbuf) == -1) {
		imsgbuf_clear(&ch->imsgbuf);
		(void)close(fd);
		return (-1);
	}
	for (i = 0; i < nrules; i++)
		if (rules[i].fd == CHANNEL_FD)
			imsgbuf_allow_fdrecv(&ch->imsgbuf);
	imsgbuf_set_limit(&ch->imsgbuf, CHANNEL_LIMIT);
	ch->loop = loop;
	ch->name = name;
	ch->rules = rules;
	ch->nrules = nrules;
	ch->on_end = on_end;
	ch->owner = owner;
	ch->state = ~0U;
	ch->open = 1;
	ev_io_init(&ch->reader, channel_read, fd, EV_READ);
	ev_io_init(&ch->writer, channel_write, fd, EV_WRITE);
	ch->reader.data = ch;
	ch->writer.data = ch;
	ev_io_start(loop, &ch->reader);
	return (0);
}

/* Lets go of the descriptor and of all that is queued; on_end is not called. */
void
channel_close(struct channel *ch)
{
	if (!ch->open)
		return;
	ch->open = 0;
	channel_unmark(ch);
	loop_stop(ch->loop, &ch->writer);
	loop_close(ch->loop, &ch->reader);
	imsgbuf_clear(&ch->imsgbuf);
}

/*
 * Without memory there is room for a message as long as the other end reads.
 */
static int
channel_compose(struct channel *ch, uint32_t type, uint32_t id, int fd,
    const struct iovec *iov, int iovcnt)
{
	if (imsg_composev(&ch->imsgbuf, type, id, 0, fd, iov, iovcnt) == 1)
		return (0);
	if (errno != ENOMEM || imsgbuf_write(&ch->imsgbuf) == -1 ||
	    imsg_composev(&ch->imsgbuf, type, id, 0, fd, iov, iovcnt) == -1)
		return (-1);
	return (0);
}

/*
 * Queues one message; fd (or -1) belongs to the channel from now on.  Returns
 * 0, or -1: the queue is full (ENOBUFS), the channel is closed (EPIPE), or
 * there is no memory (ENOMEM).
 */
int
channel_send(struct channel *ch, uint32_t type, uint32_t id, int fd,
    const void *data, size_t len)
{
	struct iovec iov;

	iov.iov_base = (void *)(uintptr_t)data;
	iov.iov_len = len;
	if (fd == -1)
		return (channel_sendv(ch, type, id, &iov, 1));
	if (!ch->open) {
		(void)close(fd);
		errno = EPIPE;
		return (-1);
	}
	imsgbuf_allow_fdsend(&ch->imsgbuf);
	if (channel_compose(ch, type, id, fd, &iov, 1) == -1) {
		(void)close(fd);
		return (-1);
	}
	channel_mark(ch);
	return (0);
}

/* As channel_send(), with a duplicate of fd, which stays the caller's. */
int
channel_send_copy(struct channel *ch, uint32_t type, uint32_t id, int fd,
    const void *data, size_t len)
{
	int copy;

	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return (copy == -1 ? -1 : channel_send(ch, type, id, copy, data, len));
}

/* As channel_send(), from several pieces and without a descriptor. */
int
channel_sendv(struct channel *ch, uint32_t type, uint32_t id,
    const struct iovec *iov, int iovcnt)
{
	if (!ch->open) {
		errno = EPIPE;
		return (-1);
	}
	if (channel_compose(ch, type, id, -1, iov, iovcnt) == -1)
		return (-1);
	channel_mark(ch);
	return (0);
}

/* Bytes that wait to be sent. */
size_t
channel_queued(const struct channel *ch)
{
	return (ch->open ? imsgbuf_queued(&ch->imsgbuf) : 0);
}

/* Boolean: it is open, nothing waits to be sent, and no message is in half. */
int
channel_rests(const struct channel *ch)
{
	return (ch->open && imsgbuf_rests(&ch->imsgbuf));
}

/* Why the channel ends, if it is not the other end's fault. */
static const char *
channel_failure(const char *call)
{
	static char text[256];

	(void)snprintf(text, sizeof(text), "%s: %s%s", call, strerror(errno),
	    log_remedy(errno));
	return (text);
}

/*
 * Sends what is queued without waiting for the end of the turn.  Returns 0, or
 * -1 if that ended the channel (on_end has been called).
 */
int
channel_flush(struct channel *ch)
{
	if (!ch->open)
		return (-1);
	channel_unmark(ch);
	if (imsgbuf_write(&ch->imsgbuf) == -1) {
		/* What the other end said before it went is still to read. */
		if (errno != EPIPE && errno != ECONNRESET) {
			channel_end(ch, channel_failure("sendmsg"));
			return (-1);
		}
		ev_io_stop(ch->loop, &ch->writer);
		return (0);
	}
	if (imsgbuf_queuelen(&ch->imsgbuf) > 0)
		ev_io_start(ch->loop, &ch->writer);
	else
		ev_io_stop(ch->loop, &ch->writer);
	return (0);
}

static void
channel_write(struct ev_loop *loop, ev_io *w, int revents)
{
	if (!loop_deaf(loop, w, revents))
		(void)channel_flush(w->data);
}

/* The one place where a message is held against the table. */
static const char *
channel_check(
    struct channel *ch, struct imsg *imsg, const struct channel_rule **found)
{
	const struct channel_rule *rule;
	uint32_t type;
	size_t i, len;

	type = imsg_get_type(imsg);
	len = imsg_get_len(imsg);
	rule = NULL;
	for (i = 0; i < ch->nrules; i++)
		if (ch->rules[i].type == type)
			rule = &ch->rules[i];
	if (rule == NULL)
		return ("message of unknown type");
	*found = rule;
	if (len < rule->min || len > rule->max)
		return ("message of wrong size");
	if (rule->fd == CHANNEL_NO_FD && imsg_has_fd(imsg))
		return ("descriptor where none belongs");
	if (rule->fd == CHANNEL_FD && !imsg_has_fd(imsg))
		return ("descriptor missing");
	if ((rule->states & ch->state) == 0)
		return ("message out of turn");
	return (channel_charge(ch, rule->cost));
}

/*
 * Takes `cost` messages off what the other end may send.  Returns NULL, or what
 * is wrong with it.
 */
const char *
channel_charge(struct channel *ch, uint32_t cost)
{
	if (ch->budget == NULL || budget_take(ch->budget, cost))
		return (NULL);
	return ("flood of messages");
}

/* Checks one message and hands it over.  Returns NULL, or what is wrong. */
static const char *
channel_take(struct channel *ch, struct imsg *imsg)
{
	const struct channel_rule *rule;
	const char *reason;
	size_t len;
	int fd;

	rule = NULL;
	len = imsg_get_len(imsg);
	reason = channel_check(ch, imsg, &rule);
	if (reason == NULL) {
		fd = imsg_get_fd(imsg);
		if (len > 0)
			(void)imsg_get_data(imsg, channel_data.bytes, len);
		if (rule->fd == CHANNEL_FD && fd == -1)
			reason = "descriptor lost";
		else
			reason = rule->handler(
			    ch->owner, channel_data.bytes, len, fd);
	}
	if (reason != NULL)
		log_limited(&channel_refusals, clock_seconds(),
		    "%s: %s: type %#x%s%s, %zu bytes", ch->name, reason,
		    imsg_get_type(imsg), rule == NULL ? "" : " ",
		    rule == NULL ? "" : rule->name, len);
	imsg_free(imsg);
	return (reason);
}

/* Returns 0, or -1 if the channel has ended. */
static int
channel_dispatch(struct channel *ch)
{
	const char *reason;
	struct imsg imsg;
	int n;

	while (!ch->paused) {
		n = imsgbuf_get(&ch->imsgbuf, &imsg);
		if (n == 0)
			return (0);
		if (n == -1) {
			channel_end(ch, "malformed message");
			return (-1);
		}
		reason = channel_take(ch, &imsg);
		if (reason != NULL) {
			channel_end(ch, reason);
			return (-1);
		}
	}
	return (0);
}

static void
channel_read(struct ev_loop *loop, ev_io *w, int revents)
{
	struct channel *ch;

	if (loop_deaf(loop, w, revents))
		return;
	ch = w->data;
	/* After a resume: what was read before the pause comes first. */
	if (channel_dispatch(ch) == -1 || ch->paused ||
	    (revents & EV_READ) == 0)
		return;
	switch (imsgbuf_read(&ch->imsgbuf)) {
	case -1:
		if (errno == ECONNRESET)
			channel_end(ch, NULL);
		else
			channel_end(ch, errno == EBADMSG || errno == ERANGE
					    ? "unreadable message"
					    : channel_failure("recvmsg"));
		break;
	case 0:
		channel_end(ch, NULL);
		break;
	default:
		(void)channel_dispatch(ch);
		break;
	}
}

/* Reads nothing from the other end until channel_resume(). */
void
channel_pause(struct channel *ch)
{
	if (!ch->open || ch->paused)
		return;
	ch->paused = 1;
	loop_stop(ch->loop, &ch->reader);
}

void
channel_resume(struct channel *ch)
{
	if (!ch->open || !ch->paused)
		return;
	ch->paused = 0;
	ev_io_start(ch->loop, &ch->reader);
	ev_feed_event(ch->loop, &ch->reader, EV_CUSTOM);
}
