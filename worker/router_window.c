/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <stdlib.h>
#include <string.h>

#include "common/fdstat.h"
#include "common/log.h"
#include "worker/worker.h"

/*
 * The window, beacond-frame(7): what peers send lies there, so that a program
 * that only says where to each message is to go needs neither read it nor send
 * it back.  It is used in a circle, in the order in which the program is done
 * with it; what has no room goes by the channel.
 *
 * Whatever lies there can change at any moment: it is written and copied, and
 * nobody here looks at it.
 */

/* Each message begins with a line of its own. */
#define WINDOW_ALIGN 64U

/* Smaller ones cost the same in the channel, and leave the room to others. */
#define WINDOW_MESSAGE_MIN 256

/* Copies of one burst, before each FRAME_HEADROOM bytes. */
#ifndef WINDOW_COPIES
#define WINDOW_COPIES (256U << 10)
#endif
_Static_assert(
    WINDOW_COPIES >= FRAME_HEADROOM + FRAME_DATA_MAX, "any message fits");

static uint32_t
window_align(uint32_t at)
{
	return ((at + WINDOW_ALIGN - 1) & ~(WINDOW_ALIGN - 1));
}

/* fd is the memory that the parent has made.  Without memory there is none. */
void
router_window_open(struct window *window, int fd)
{
	router_window_close(window);
	window->copies = malloc(WINDOW_COPIES);
	window->base =
	    fdstat_map(fd, FRAME_WINDOW_BYTES, PROT_READ | PROT_WRITE);
	if (window->copies != NULL && window->base != NULL)
		return;
	log_warn("the router: without shared memory");
	router_window_close(window);
}

void
router_window_close(struct window *window)
{
	if (window->base != NULL)
		(void)munmap(window->base, FRAME_WINDOW_BYTES);
	free(window->copies);
	memset(window, 0, sizeof(*window));
}

/* Boolean: the message lies in the window now, *at is where. */
int
router_window_put(
    struct window *window, const uint8_t *bytes, size_t len, uint32_t *at)
{
	uint32_t begin, end;

	if (window->base == NULL || len < WINDOW_MESSAGE_MIN)
		return (0);
	/* Empty it is used from its beginning on, which is still warm. */
	if (window->got == window->put)
		window->got = window->put =
		    (window->put + FRAME_WINDOW_BYTES - 1) &
		    ~(FRAME_WINDOW_BYTES - 1);
	begin = window->put;
	if (FRAME_WINDOW_PLACE(begin) + len > FRAME_WINDOW_BYTES)
		begin += FRAME_WINDOW_BYTES - FRAME_WINDOW_PLACE(begin);
	end = window_align(begin + (uint32_t)len);
	if (end - window->got > FRAME_WINDOW_BYTES) {
		counters_add(COUNTER_ROUTER_WINDOW_FULL, 1);
		return (0);
	}
	memcpy(window->base + FRAME_WINDOW_PLACE(begin), bytes, len);
	window->put = end;
	*at = begin;
	return (1);
}

/* Boolean: no copy of such a message can be made in this burst. */
int
router_window_is_full(
    const struct window *window, const struct msg_frame_at *msg)
{
	return (msg->len > FRAME_DATA_MAX ||
		window->copied + FRAME_HEADROOM + msg->len > WINDOW_COPIES);
}

/* No copy is in use. */
void
router_window_burst(struct window *window)
{
	window->copied = 0;
}

/*
 * A copy of what lies there, if there is room, until router_window_burst(); it
 * may be written into, as may FRAME_HEADROOM bytes before it.  NULL: there is
 * no such message.
 */
uint8_t *
router_window_take(struct window *window, const struct msg_frame_at *msg)
{
	uint8_t *copy;

	if (window->base == NULL || msg->len == 0 ||
	    router_window_is_full(window, msg) ||
	    msg->at - window->got > window->put - window->got ||
	    msg->len > window->put - msg->at ||
	    FRAME_WINDOW_PLACE(msg->at) + msg->len > FRAME_WINDOW_BYTES)
		return (NULL);
	copy = window->copies + window->copied + FRAME_HEADROOM;
	memcpy(copy, window->base + FRAME_WINDOW_PLACE(msg->at), msg->len);
	window->copied += FRAME_HEADROOM + msg->len;
	return (copy);
}

/* FRAME_FREE.  Returns 0, or -1: nothing of it is in use. */
int
router_window_free(struct window *window, uint32_t at)
{
	if (at - window->got > window->put - window->got)
		return (-1);
	window->got = window_align(at);
	return (0);
}
