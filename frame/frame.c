/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/fdstat.h"
#include "common/imsg.h"
#include "common/peermap.h"
#include "common/proto_frame.h"

#include "frame/frame.h"
#include "frame/link.h"

/* The router's end of beacond-frame(7). */

_Static_assert(BEACOND_FRAME_MAX == FRAME_DATA_MAX &&
		   BEACOND_FRAME_OUT_MAX == PROTO_DELIVERY_MAX,
    "as the beacon has it");
_Static_assert(
    sizeof(struct beacond_frame_metrics) == sizeof(struct msg_frame_metrics),
    "as the beacon sends it");

#define WORKERS_MAX   PROTO_PLACES_MAX
#define CONTROL       WORKERS_MAX /* its number among the links */
#define ADDRESSES_MAX PROTO_LISTENERS_MAX
#define WAIT_MS       10000 /* for what the beacon answers at once */
#define REPLACE_MS    15000 /* in which a lost channel is replaced */

struct beacond_frame {
	struct beacond_frame_calls calls;
	void *arg;
	int epoll;
	struct peermap map;
	struct link links[WORKERS_MAX + 1];
	uint64_t lost[WORKERS_MAX]; /* ms; when its channel ended; 0: not */
	uint32_t joining;           /* channels without FRAME_JOINED */
	uint32_t staying;           /* while leaving: without FRAME_LEFT */
	int attached;
	int opened; /* boolean: the caller has us, and hears of frames */
	int error;  /* what ended it; 0: nothing has */
	struct beacond_frame_metrics metrics;
	uint32_t metrics_asked;
	/* The frame that a call has just now, if it lies in a window. */
	struct {
		const uint8_t *bytes; /* NULL: it does not */
		struct msg_frame_at is;
		uint32_t number; /* of the link */
	} held;
	uint8_t *windows[WORKERS_MAX]; /* for channels that are to come */
	uint32_t naddresses;
	struct msg_frame_address addresses[ADDRESSES_MAX];
};

static uint64_t
frame_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* It is over; the first reason counts. */
static int
frame_fail(struct beacond_frame *bf, int error)
{
	if (bf->error == 0)
		bf->error = error;
	errno = bf->error;
	return (-1);
}

static int
frame_watch(struct beacond_frame *bf, uint32_t number, int op, int writing)
{
	struct epoll_event event;

	memset(&event, 0, sizeof(event));
	event.events = EPOLLIN | (writing ? EPOLLOUT : 0);
	event.data.u32 = number;
	return (epoll_ctl(bf->epoll, op, bf->links[number].fd, &event));
}

/* A descriptor that came: it is the link's from now on. */
static int
frame_link(struct beacond_frame *bf, uint32_t number, int fd)
{
	link_close(&bf->links[number]);
	if (link_open(&bf->links[number], fd) == -1)
		return (-1);
	return (frame_watch(bf, number, EPOLL_CTL_ADD, 0));
}

/*
 * The channel to a worker has ended.  If that was started anew, another comes;
 * leaving, there is nothing to wait for.
 */
static void
frame_lost(struct beacond_frame *bf, uint32_t number)
{
	struct link *link;

	link = &bf->links[number];
	bf->staying -= (uint32_t)link->leaving;
	bf->joining -= !link->joined;
	link_close(link);
	bf->lost[number] = frame_now();
}

static int
frame_send(struct beacond_frame *bf, uint32_t number, uint32_t type,
    uint32_t node, uint32_t other, const void *data, size_t len)
{
	struct imsg_header header;

	header.type = type;
	header.len = (uint32_t)(sizeof(header) + len);
	header.peerid = node;
	header.pid = other;
	return (link_add(&bf->links[number], &header, data, len));
}

/* Sends what waits.  Returns 0, or -1 if the link has ended. */
static int
frame_flush_link(struct beacond_frame *bf, uint32_t number)
{
	struct link *link;
	int waits;

	link = &bf->links[number];
	if (link->owes && link->fd != -1 &&
	    frame_send(bf, number, FRAME_FREE, 0, link->taken, NULL, 0) == 0)
		link->owes = 0;
	if (link->fd == -1 || link->out_len == 0)
		return (0);
	waits = link_flush(link);
	if (waits == -1)
		return (-1);
	if (waits != link->writing) {
		link->writing = waits;
		(void)frame_watch(bf, number, EPOLL_CTL_MOD, waits);
	}
	return (0);
}

/* Is that a message of a worker, and of a length that it can have? */
static int
frame_is_of_worker(uint32_t type, size_t len)
{
	switch (type) {
	case FRAME_FRAME:
		return (1);
	case FRAME_FRAME_AT:
		return (len == sizeof(struct msg_frame_at));
	case FRAME_REFUSED:
		return (len > 0);
	case FRAME_CAME:
	case FRAME_GONE:
	case FRAME_JOINED:
	case FRAME_LEFT:
		return (len == 0);
	default:
		return (0);
	}
}

/*
 * Channels know nothing of each other: what a session has sent may come after
 * the first words of the one that has replaced it, at another worker.  Then it
 * is not handed on, as by the relay.
 */
static int
frame_is_late(const struct beacond_frame *bf, const struct imsg_header *header)
{
	struct peermap_entry entry;

	return (peermap_lookup(&bf->map, header->peerid, &entry) &&
		entry.generation != 0 && entry.generation != header->pid);
}

/*
 * A message that lies in the window.  A call that waits for the beacon has
 * others called within it: only what the innermost has is held.  Returns 0, or
 * -1: none can lie there.
 */
static int
frame_at(struct beacond_frame *bf, struct link *link,
    const struct imsg_header *header, const uint8_t *data)
{
	struct msg_frame_at msg;
	uint32_t place;

	memcpy(&msg, data, sizeof(msg));
	place = FRAME_WINDOW_PLACE(msg.at);
	if (link->window == NULL || msg.len > FRAME_DATA_MAX ||
	    place + msg.len > FRAME_WINDOW_BYTES)
		return (-1);
	bf->held.bytes = link->window + place;
	bf->held.is = msg;
	bf->held.number = (uint32_t)(link - bf->links);
	if (!frame_is_late(bf, header))
		bf->calls.frame(
		    bf->arg, header->peerid, link->window + place, msg.len);
	bf->held.bytes = NULL;
	link->taken = msg.at + msg.len;
	link->owes = 1;
	return (0);
}

/* Returns 0, or -1: a worker says no such thing. */
static int
frame_from_worker(struct beacond_frame *bf, struct link *link,
    const struct imsg_header *header, uint8_t *data, size_t len, int fd)
{
	if (fd != -1)
		(void)close(fd);
	if (fd != -1 || !frame_is_of_worker(header->type, len) ||
	    (!link->joined && header->type != FRAME_JOINED))
		return (-1);
	switch (header->type) {
	case FRAME_FRAME:
		if (!frame_is_late(bf, header))
			bf->calls.frame(bf->arg, header->peerid, data, len);
		break;
	case FRAME_FRAME_AT:
		return (frame_at(bf, link, header, data));
	case FRAME_CAME:
	case FRAME_GONE:
		if (bf->calls.peer != NULL)
			bf->calls.peer(bf->arg, header->peerid, header->pid,
			    header->type == FRAME_CAME);
		break;
	case FRAME_REFUSED:
		if (bf->calls.refused != NULL)
			bf->calls.refused(bf->arg, header->peerid,
			    (enum beacond_frame_reason)header->pid, data, len);
		break;
	/* Said twice it counts once: nobody says it for another. */
	case FRAME_JOINED:
		bf->joining -= !link->joined;
		link->joined = 1;
		break;
	case FRAME_LEFT:
		bf->staying -= (uint32_t)link->leaving;
		link->leaving = 0;
		link->left = 1;
		break;
	}
	return (0);
}

/* fd, or -1, is the map's from now on, or closed. */
static int
frame_welcome(struct beacond_frame *bf, int fd, size_t len)
{
	if (fd != -1 && len == sizeof(struct msg_frame_welcome) &&
	    bf->map.header == NULL)
		return (peermap_open(&bf->map, fd));
	if (fd != -1)
		(void)close(fd);
	errno = EPROTO;
	return (-1);
}

static void
frame_unmap(uint8_t **window)
{
	if (*window != NULL)
		(void)munmap(*window, FRAME_WINDOW_BYTES);
	*window = NULL;
}

/* For the next channel to that worker.  fd, or -1, is closed. */
static int
frame_window(struct beacond_frame *bf, uint32_t number, int fd)
{
	void *base;

	if (fd != -1 && number >= WORKERS_MAX) {
		(void)close(fd);
		fd = -1;
	}
	errno = EPROTO;
	if (fd == -1)
		return (-1);
	base = fdstat_map(fd, FRAME_WINDOW_BYTES, PROT_READ | PROT_WRITE);
	if (base == NULL)
		return (-1);
	frame_unmap(&bf->windows[number]);
	bf->windows[number] = base;
	return (0);
}

/* fd, or -1, is the link's from now on, or closed. */
static int
frame_channel(struct beacond_frame *bf, uint32_t number, int fd)
{
	if (fd == -1 || number >= WORKERS_MAX) {
		if (fd != -1)
			(void)close(fd);
		errno = EPROTO;
		return (-1);
	}
	if (bf->links[number].fd != -1)
		frame_lost(bf, number);
	bf->joining++;
	bf->lost[number] = 0;
	if (frame_link(bf, number, fd) == -1)
		return (-1);
	bf->links[number].window = bf->windows[number];
	bf->windows[number] = NULL;
	return (0);
}

static int
frame_not_welcome(const uint8_t *data, size_t len)
{
	struct msg_frame_not_welcome no;

	errno = EPROTO;
	if (len == sizeof(no)) {
		memcpy(&no, data, len);
		if (no.reason == FRAME_BUSY)
			errno = EBUSY;
	}
	return (-1);
}

/* What the beacon says without a descriptor.  Returns 0 or -1. */
static int
frame_from_parent_bare(
    struct beacond_frame *bf, uint32_t type, const uint8_t *data, size_t len)
{
	switch (type) {
	case FRAME_ADDRESS:
		if (len != sizeof(bf->addresses[0]))
			return (-1);
		if (bf->naddresses < ADDRESSES_MAX)
			memcpy(&bf->addresses[bf->naddresses++], data, len);
		return (0);
	case FRAME_ATTACHED:
		bf->attached = 1;
		return (0);
	case FRAME_METRICS_ARE:
		if (len != sizeof(bf->metrics) || bf->metrics_asked == 0)
			return (-1);
		bf->metrics_asked--;
		memcpy(&bf->metrics, data, len);
		return (0);
	default:
		return (-1);
	}
}

/*
 * Returns 0, or -1 with errno: the beacon does not want us, or says nonsense.
 * Before its WELCOME there is no map to look into.
 */
static int
frame_from_parent(struct beacond_frame *bf, const struct imsg_header *header,
    const uint8_t *data, size_t len, int fd)
{
	if (header->type == FRAME_WELCOME)
		return (frame_welcome(bf, fd, len));
	if (header->type == FRAME_CHANNEL && bf->map.header != NULL)
		return (frame_channel(bf, header->peerid, fd));
	if (header->type == FRAME_WINDOW && bf->map.header != NULL)
		return (frame_window(bf, header->peerid, fd));
	if (fd != -1)
		(void)close(fd);
	else if (header->type == FRAME_NOT_WELCOME)
		return (frame_not_welcome(data, len));
	errno = EPROTO;
	if (fd != -1 || bf->map.header == NULL)
		return (-1);
	return (frame_from_parent_bare(bf, header->type, data, len));
}

/* Deals with all whole messages of a link.  Returns 0, or -1 with errno. */
static int
frame_take(struct beacond_frame *bf, uint32_t number)
{
	struct imsg_header header;
	struct link *link;
	uint8_t *data;
	int fd, r;

	link = &bf->links[number];
	while ((r = link_next(link, &header, &data, &fd)) == 1) {
		if (number == CONTROL)
			r = frame_from_parent(
			    bf, &header, data, header.len - sizeof(header), fd);
		else
			r = frame_from_worker(bf, link, &header, data,
			    header.len - sizeof(header), fd);
		if (r == -1)
			return (-1);
	}
	return (r);
}

/*
 * A link can be read.  Until beacond_frame_open() returns, of a channel nothing
 * is read but its JOINED, which comes first: what is behind waits in the socket,
 * as calls could not make anything of it.  Returns 0, or -1 with errno: all is
 * over.
 */
static int
frame_readable(struct beacond_frame *bf, uint32_t number)
{
	size_t most;
	int i, r;

	most = bf->opened || number == CONTROL ? SIZE_MAX
					       : sizeof(struct imsg_header);
	r = 1;
	for (i = 0; i < LINK_READS && r == 1; i++) {
		/* A callback may have flushed, and have met the end. */
		if (bf->links[number].fd == -1)
			return (0);
		errno = ECONNRESET;
		r = link_read(&bf->links[number], most);
		if (r == 1 && frame_take(bf, number) == -1)
			r = -1;
		if (r == 1 && !bf->opened && bf->links[number].joined) {
			(void)frame_watch(bf, number, EPOLL_CTL_DEL, 0);
			return (0);
		}
	}
	/* What a worker says, or does not say, is that worker's business. */
	if (r == -1 && number != CONTROL)
		frame_lost(bf, number);
	return (r == -1 && number == CONTROL ? -1 : 0);
}

/*
 * Sends what was written.  Returns 0, or -1 with errno: the beacon is gone.
 * beacond_frame_dispatch() does it at its end.
 */
int
beacond_frame_flush(struct beacond_frame *bf)
{
	uint32_t i;

	if (bf->error != 0)
		return (frame_fail(bf, bf->error));
	for (i = 0; i <= CONTROL; i++) {
		if (frame_flush_link(bf, i) == 0)
			continue;
		if (i == CONTROL)
			return (frame_fail(bf, EPIPE));
		frame_lost(bf, i);
	}
	return (0);
}

/* Was a channel lost for good? */
static int
frame_check(struct beacond_frame *bf)
{
	uint32_t i;

	for (i = 0; i < WORKERS_MAX; i++)
		if (bf->lost[i] != 0 && frame_now() - bf->lost[i] > REPLACE_MS)
			return (frame_fail(bf, ECONNABORTED));
	return (0);
}

/*
 * Waits for so long (milliseconds; -1: for ever) until there is something to
 * do, and does it: reads what there is, calls back, sends what the callbacks
 * have written.  Returns 0, or -1 with errno: the beacon is gone, or a channel
 * has ended that it does not replace; then nothing is left but to close.
 */
int
beacond_frame_dispatch(struct beacond_frame *bf, int timeout_ms)
{
	struct epoll_event events[WORKERS_MAX + 1];
	uint32_t number;
	int i, n;

	if (bf->error != 0)
		return (frame_fail(bf, bf->error));
	n = epoll_wait(bf->epoll, events, WORKERS_MAX + 1, timeout_ms);
	if (n == -1 && errno != EINTR)
		return (frame_fail(bf, errno));
	for (i = 0; i < n; i++) {
		number = events[i].data.u32;
		if (bf->links[number].fd != -1 &&
		    (events[i].events & ~(uint32_t)EPOLLOUT) != 0 &&
		    frame_readable(bf, number) == -1)
			return (frame_fail(bf, errno));
	}
	if (beacond_frame_flush(bf) == -1)
		return (-1);
	return (frame_check(bf));
}

/* The descriptor to wait for, for reading, before beacond_frame_dispatch(). */
int
beacond_frame_fd(const struct beacond_frame *bf)
{
	return (bf->epoll);
}

/*
 * Dispatches until we are attached and *left is 0, for WAIT_MS at most.
 * Returns 0, or -1 with errno.
 */
static int
frame_wait(struct beacond_frame *bf, const uint32_t *left)
{
	uint64_t end, now;

	end = frame_now() + WAIT_MS;
	while (*left != 0 || !bf->attached) {
		now = frame_now();
		if (now >= end)
			return (frame_fail(bf, ETIMEDOUT));
		if (beacond_frame_dispatch(bf, (int)(end - now)) == -1)
			return (-1);
	}
	return (0);
}

static int
frame_connect(struct beacond_frame *bf, const char *path)
{
	struct msg_frame_hello hello;
	struct sockaddr_un sun;
	int fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	if (connect(fd, (void *)&sun, sizeof(sun)) == -1) {
		(void)close(fd);
		return (-1);
	}
	if (frame_link(bf, CONTROL, fd) == -1)
		return (-1);
	hello.version = FRAME_VERSION;
	return (
	    frame_send(bf, CONTROL, FRAME_HELLO, 0, 0, &hello, sizeof(hello)));
}

static void
frame_free(struct beacond_frame *bf)
{
	uint32_t i;

	for (i = 0; i <= CONTROL; i++)
		link_close(&bf->links[i]);
	for (i = 0; i < WORKERS_MAX; i++)
		frame_unmap(&bf->windows[i]);
	if (bf->map.header != NULL)
		(void)munmap((void *)(uintptr_t)bf->map.header, PEERMAP_BYTES);
	if (bf->epoll != -1)
		(void)close(bf->epoll);
	free(bf);
}

/* From now on it is heard what channels say after their JOINED. */
static void
frame_opened(struct beacond_frame *bf)
{
	uint32_t i;

	bf->opened = 1;
	for (i = 0; i < WORKERS_MAX; i++)
		if (bf->links[i].fd != -1)
			(void)frame_watch(bf, i, EPOLL_CTL_ADD, 0);
}

/*
 * Connects to the router socket at path and takes the relay's place: when it
 * returns, all that peers send comes to calls, from the next dispatch on.  It
 * waits for the beacon's answer.  NULL with errno: EBUSY: another program is
 * there; EPROTO: another version.
 */
struct beacond_frame *
beacond_frame_open(
    const char *path, const struct beacond_frame_calls *calls, void *arg)
{
	struct beacond_frame *bf;
	uint32_t i;
	int error;

	bf = calloc(1, sizeof(*bf));
	if (bf == NULL)
		return (NULL);
	for (i = 0; i <= CONTROL; i++)
		bf->links[i].fd = -1;
	bf->calls = *calls;
	bf->arg = arg;
	bf->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (bf->epoll == -1 || frame_connect(bf, path) == -1 ||
	    beacond_frame_flush(bf) == -1 ||
	    frame_wait(bf, &bf->joining) == -1) {
		error = errno;
		frame_free(bf);
		errno = error;
		return (NULL);
	}
	frame_opened(bf);
	return (bf);
}

/* The link to the worker that has node's session, or NULL. */
static struct link *
frame_find(const struct beacond_frame *bf, uint32_t node, uint32_t *number)
{
	struct peermap_entry entry;

	if (!peermap_lookup(&bf->map, node, &entry) || entry.generation == 0 ||
	    entry.worker >= WORKERS_MAX)
		return (NULL);
	*number = entry.worker;
	return ((struct link *)(uintptr_t)&bf->links[entry.worker]);
}

/* One more message for a peer.  Boolean: it is on its way. */
static int
frame_add(struct beacond_frame *bf, uint32_t number, uint32_t type,
    uint32_t dest, const void *data, size_t len)
{
	struct link *link;

	link = &bf->links[number];
	if (frame_send(bf, number, type, dest, 0, data, len) == -1)
		return (0);
	if (link->out_len >= LINK_FULL && !link->writing)
		(void)frame_flush_link(bf, number);
	return (1);
}

/*
 * Sends one binary message to the peer dest.  Returns 1: it is on its way, and
 * if it can't be delivered after all it comes back by calls->refused; or 0:
 * dest is not connected, more waits for its worker than may, or len is 0 or
 * more than BEACOND_FRAME_OUT_MAX.  It leaves with the next flush or dispatch,
 * or when much has gathered.
 */
int
beacond_frame_write(
    struct beacond_frame *bf, uint32_t dest, const uint8_t *frame, size_t len)
{
	struct link *link;
	uint32_t number;

	if (len == 0 || len > BEACOND_FRAME_OUT_MAX)
		return (0);
	link = frame_find(bf, dest, &number);
	if (link == NULL || link->fd == -1)
		return (0);
	return (frame_add(bf, number, FRAME_WRITE, dest, frame, len));
}

/*
 * The same for the frame that calls->frame has just now, or a part of it, which
 * is not written into any more then: between peers of one worker it is not
 * copied.  Any other is sent as by beacond_frame_write().
 */
int
beacond_frame_forward(
    struct beacond_frame *bf, uint32_t dest, const uint8_t *frame, size_t len)
{
	struct msg_frame_at msg;
	uint32_t number;
	size_t off;

	if (bf->held.bytes == NULL || frame < bf->held.bytes ||
	    frame > bf->held.bytes + bf->held.is.len)
		return (beacond_frame_write(bf, dest, frame, len));
	off = (size_t)(frame - bf->held.bytes);
	if (len == 0 || len > bf->held.is.len - off ||
	    len > BEACOND_FRAME_OUT_MAX ||
	    frame_find(bf, dest, &number) == NULL || number != bf->held.number)
		return (beacond_frame_write(bf, dest, frame, len));
	msg.at = bf->held.is.at + (uint32_t)off;
	msg.len = (uint32_t)len;
	return (frame_add(bf, number, FRAME_WRITE_AT, dest, &msg, sizeof(msg)));
}

/*
 * Ends the session of node, of that generation or (0) whichever there is, with
 * a close frame.  Returns 1, or 0: it is not connected, or that code or reason
 * (at most 123 bytes of UTF-8) cannot be sent.
 */
int
beacond_frame_close_peer(struct beacond_frame *bf, uint32_t node,
    uint32_t generation, int code, const char *reason)
{
	uint8_t data[sizeof(uint32_t) + FRAME_TEXT_MAX];
	uint32_t number, wide;
	struct link *link;
	size_t len;

	link = frame_find(bf, node, &number);
	len = strlen(reason);
	if (link == NULL || link->fd == -1 || len > FRAME_TEXT_MAX ||
	    code < 1000 || code > 4999)
		return (0);
	wide = (uint32_t)code;
	memcpy(data, &wide, sizeof(wide));
	memcpy(data + sizeof(wide), reason, len);
	return (frame_send(bf, number, FRAME_CLOSE, node, generation, data,
		    sizeof(wide) + len) == 0);
}

/* Boolean.  Some memory reads, and no system call. */
int
beacond_frame_is_connected(const struct beacond_frame *bf, uint32_t node)
{
	uint32_t number;

	return (frame_find(bf, node, &number) != NULL);
}

/* How many peers are connected. */
uint32_t
beacond_frame_peer_count(const struct beacond_frame *bf)
{
	return (atomic_load_explicit(
	    &bf->map.header->sessions, memory_order_relaxed));
}

/*
 * Waits for the beacon's answer; frames are handed on meanwhile.  Returns 0, or
 * -1 with errno, as beacond_frame_dispatch().
 */
int
beacond_frame_metrics(
    struct beacond_frame *bf, struct beacond_frame_metrics *metrics)
{
	if (bf->metrics_asked++ == 0)
		(void)frame_send(bf, CONTROL, FRAME_METRICS, 0, 0, NULL, 0);
	if (beacond_frame_flush(bf) == -1 ||
	    frame_wait(bf, &bf->metrics_asked) == -1)
		return (-1);
	*metrics = bf->metrics;
	return (0);
}

/*
 * The address at which peers connect, from number 0 on: IPv6 or v4-mapped, the
 * port in host order.  Returns 1, or 0: there are no more.
 */
int
beacond_frame_address(const struct beacond_frame *bf, unsigned int number,
    uint8_t addr[16], uint16_t *port)
{
	if (number >= bf->naddresses)
		return (0);
	memcpy(addr, bf->addresses[number].addr, 16);
	*port = (uint16_t)bf->addresses[number].port;
	return (1);
}

/* What was written to a worker has left, or it does not take it. */
static void
frame_drain(struct beacond_frame *bf, uint32_t number)
{
	struct pollfd pfd;
	struct link *link;

	link = &bf->links[number];
	pfd.fd = link->fd;
	pfd.events = POLLOUT;
	while (link->fd != -1 && link->out_len > 0 &&
	       poll(&pfd, 1, WAIT_MS) == 1 && link_flush(link) != -1)
		continue;
}

static void
frame_leave(struct beacond_frame *bf)
{
	uint32_t i;

	for (i = 0; i < WORKERS_MAX; i++) {
		if (bf->links[i].fd == -1 || bf->links[i].left)
			continue;
		bf->links[i].leaving = 1;
		bf->staying++;
		if (frame_send(bf, i, FRAME_LEAVE, 0, 0, NULL, 0) == 0)
			continue;
		/* So much waits that there is no room. */
		frame_drain(bf, i);
		(void)frame_send(bf, i, FRAME_LEAVE, 0, 0, NULL, 0);
	}
	if (beacond_frame_flush(bf) == 0)
		(void)frame_wait(bf, &bf->staying);
}

/*
 * Leaves in good order: frames that the beacon has handed over still come to
 * calls, what they write is sent, and the relay has the rest.  Then all is
 * freed.  Waits for the beacon, 10 seconds at most for each.
 */
void
beacond_frame_close(struct beacond_frame *bf)
{
	uint32_t i;

	if (bf == NULL)
		return;
	if (bf->error == 0) {
		frame_leave(bf);
		for (i = 0; i < WORKERS_MAX; i++)
			frame_drain(bf, i);
	}
	frame_free(bf);
}
