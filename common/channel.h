/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_CHANNEL_H
#define COMMON_CHANNEL_H

#include <sys/queue.h>

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "common/budget.h"
#include "common/imsg.h"

/*
 * A channel: an imsgbuf on libev, between two processes of which at least one
 * does not trust the other.  What may come in stands in one table per
 * direction; a message that is not in it, has the wrong size, carries a
 * descriptor where none belongs (or lacks one), or comes in the wrong state
 * ends the channel before any handler sees it.
 *
 * What goes out is gathered and leaves in one write before the loop blocks.
 */
struct channel;

enum channel_fd { CHANNEL_NO_FD, CHANNEL_FD };

struct channel_rule {
	uint32_t type;
	const char *name; /* for the log */
	size_t min, max;  /* bytes of data */
	enum channel_fd fd;
	uint32_t states; /* bit mask of channel.state */
	uint32_t cost;   /* what it takes of the channel's budget */
	/*
	 * data is aligned for every message struct and lasts until the handler
	 * returns; len is within min and max; fd is the handler's from then on,
	 * -1 where the row has none.  Returns NULL, or what is wrong with the
	 * message (a string constant): then the channel ends as for any other
	 * violation.
	 */
	const char *(*handler)(
	    void *owner, const void *data, size_t len, int fd);
};

/* Rows of such a table: a message of one size, with a descriptor, of a range */
#define CHANNEL_RULE(type, size, states, handler)                          \
	{                                                                  \
		type, #type, size, size, CHANNEL_NO_FD, states, 1, handler \
	}
#define CHANNEL_RULE_FD(type, size, states, handler)                    \
	{                                                               \
		type, #type, size, size, CHANNEL_FD, states, 1, handler \
	}
#define CHANNEL_RULE_RANGE(type, min, max, states, handler)              \
	{                                                                \
		type, #type, min, max, CHANNEL_NO_FD, states, 1, handler \
	}

/*
 * Called once when the channel has ended; reason NULL: the other end closed it.
 * The callee may free or re-open it; nothing is touched afterwards.
 */
typedef void (*channel_end_fn)(void *owner, const char *reason);

struct channel {
	struct imsgbuf imsgbuf;
	ev_io reader;
	ev_io writer;
	struct ev_loop *loop;
	const struct channel_rule *rules;
	size_t nrules;
	channel_end_fn on_end;
	void *owner;
	const char *name;      /* for the log; not copied */
	struct budget *budget; /* the owner's; NULL: all is free */
	uint32_t state;        /* one bit, compared with channel_rule.states */
	int open;
	int paused;
	int dirty; /* on the list of channels to flush */
	TAILQ_ENTRY(channel)
	entry;
};

#define CHANNEL_LIMIT (4U << 20) /* default bound of a queue, bytes */

void channel_loop_init(struct ev_loop *);
int channel_pair(int[2]);
int channel_open(struct channel *, struct ev_loop *, int, const char *,
    const struct channel_rule *, size_t, channel_end_fn, void *);
void channel_close(struct channel *);
int channel_send(
    struct channel *, uint32_t type, uint32_t id, int, const void *, size_t);
int channel_send_copy(
    struct channel *, uint32_t type, uint32_t id, int, const void *, size_t);
int channel_sendv(
    struct channel *, uint32_t type, uint32_t id, const struct iovec *, int);
const char *channel_charge(struct channel *, uint32_t);
size_t channel_queued(const struct channel *);
int channel_rests(const struct channel *);
int channel_flush(struct channel *);
void channel_pause(struct channel *);
void channel_resume(struct channel *);

#endif /* COMMON_CHANNEL_H */
