/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>
#include <sys/mman.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/fdstat.h"
#include "common/imsg.h"

#include "frame/frame_internal.h"

/* What the parent and the workers of the beacon say, and the calls for it. */

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

static void
frame_refused(struct beacond_frame *bf, const struct link *link,
    const struct imsg_header *header, const uint8_t *data, size_t len)
{
	if (header->pid == FRAME_NOT_CONNECTED &&
	    frame_again(
		bf, (uint32_t)(link - bf->links), header->peerid, data, len))
		return;
	if (bf->calls.refused != NULL)
		bf->calls.refused(bf->arg, header->peerid,
		    (enum beacond_frame_reason)header->pid, data, len);
}

/*
 * We have asked for it, or that worker is about to end, and waits for what we
 * have written for it.
 */
static void
frame_left(struct beacond_frame *bf, struct link *link)
{
	if (!link->leaving && !link->left) {
		(void)frame_send(bf, (uint32_t)(link - bf->links), FRAME_LEAVE,
		    0, 0, NULL, 0);
		link->done = 1;
	}
	bf->staying -= (uint32_t)link->leaving;
	link->leaving = 0;
	link->left = 1;
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
		frame_refused(bf, link, header, data, len);
		break;
	/* Said twice it counts once: nobody says it for another. */
	case FRAME_JOINED:
		bf->joining -= !link->joined;
		link->joined = 1;
		break;
	case FRAME_LEFT:
		frame_left(bf, link);
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

void
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
	if (bf->closing)
		frame_leave_link(bf, number);
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
int
frame_take(struct beacond_frame *bf, uint32_t number)
{
	struct imsg_header header;
	struct link *link;
	uint8_t *data;
	int busy, fd, r;

	link = &bf->links[number];
	busy = link->busy;
	link->busy = 1;
	while ((r = link_next(link, &header, &data, &fd)) == 1) {
		if (number == CONTROL)
			r = frame_from_parent(
			    bf, &header, data, header.len - sizeof(header), fd);
		else
			r = frame_from_worker(bf, link, &header, data,
			    header.len - sizeof(header), fd);
		if (r == -1)
			break;
	}
	link->busy = busy;
	return (r);
}

/*
 * Boolean: next the beacon tells of a channel, and that is in nobody's way; or
 * what comes next is still to be read.
 */
static int
frame_may_be_news(const struct beacond_frame *bf)
{
	struct imsg_header header;
	const struct link *link;

	link = &bf->links[CONTROL];
	if (link->in_len < sizeof(header))
		return (1);
	memcpy(&header, link->in + link->in_off, sizeof(header));
	return ((header.type == FRAME_CHANNEL || header.type == FRAME_WINDOW) &&
		header.peerid < WORKERS_MAX && !bf->links[header.peerid].busy);
}

/*
 * Takes new channels, as far as the beacon has told of them; but not in the
 * place of one whose data a call has in its hands.  That, and all that is no
 * channel, stays for the end of the turn.  One read ends behind a descriptor.
 */
void
frame_news(struct beacond_frame *bf)
{
	struct imsg_header header;
	struct link *link;
	uint8_t *data;
	int fd, r;

	link = &bf->links[CONTROL];
	while (link->fd != -1 && frame_may_be_news(bf)) {
		r = link_next(link, &header, &data, &fd);
		if (r == 1 && frame_from_parent(bf, &header, data,
				  header.len - sizeof(header), fd) == -1) {
			bf->error = errno;
			return;
		}
		/* Its end is met by the next turn. */
		if (r == -1 || (r == 0 && link_read(link, SIZE_MAX) != 1))
			return;
	}
}

/*
 * A link can be read.  Until beacond_frame_open() returns, of a channel nothing
 * is read but its JOINED, which comes first: what is behind waits in the
 * socket, as calls could not make anything of it.  Returns 0, or -1 with errno:
 * all is over.
 */
int
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
