/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/address.h"
#include "common/blocks.h"
#include "common/channel.h"
#include "common/counters.h"
#include "regress/fuzz/family.h"
#include "regress/fuzz/loop.h"

/* Operators: each request is answered by rows of its kind, and one end. */

struct operator
{
	struct imsgbuf channel; /* fd -1: none */
	uint32_t request;       /* under way, or 0 */
	int spoilt;             /* boolean: has said what it may not */
	int over;               /* boolean: the parent has hung up */
};

static struct operator operators[OPERATORS];
static int offers[OPERATORS]; /* the parent's ends of those not accepted yet */
static int noffers;
static int listener; /* -1: closed */

#define REQUESTS (CTL_RENEW - CTL_SHOW_SUMMARY + 1U)

/* Bytes of the rows of answers. */
static const struct {
	uint32_t type;
	size_t size;
} rows[] = {
	{ CTL_SUMMARY, sizeof(struct msg_ctl_summary) },
	{ CTL_CHILD, sizeof(struct msg_ctl_child) },
	{ CTL_METRICS, (COUNTER_MAX + 1) * sizeof(uint64_t) },
	{ CTL_PEER, sizeof(struct msg_ctl_peer) },
	{ CTL_NODE, sizeof(struct msg_ctl_entry) },
	{ CTL_BEACON, sizeof(struct msg_ctl_beacon) },
	{ CTL_BLOCKED, sizeof(struct msg_ctl_blocked) },
	{ CTL_SAID, sizeof(struct msg_ctl_said) },
	{ CTL_END, sizeof(struct msg_ctl_end) },
};

void
operators_begin(void)
{
	int i;

	for (i = 0; i < OPERATORS; i++)
		operators[i].channel.fd = -1;
	noffers = 0;
}

/* The parent lets go of it: that number may be another's from now on. */
static void
listener_closed(int fd)
{
	if (fd != listener)
		return;
	loop_real(fd);
	listener = -1;
}

/* fd is what the parent accepts them from. */
void
operator_listener(int fd)
{
	listener = fd;
	loop_ready(fd, 0);
	fuzz_on_close = listener_closed;
}

/* The next one in line; -1 with errno: there is none. */
int
operator_accepted(void)
{
	int fd;

	if (noffers == 0) {
		errno = EAGAIN;
		return (-1);
	}
	fd = offers[0];
	memmove(&offers[0], &offers[1], (size_t)--noffers * sizeof(fd));
	if (noffers == 0)
		loop_ready(listener, 0);
	return (fd);
}

static void hang_up(struct operator* o)
{
	int fd;

	fd = o->channel.fd;
	if (fd == -1)
		return;
	imsgbuf_clear(&o->channel);
	(void)close(fd);
}

static void connects(struct operator* o)
{
	int pair[2];

	hang_up(o);
	if (noffers == OPERATORS || listener == -1)
		return;
	REQUIRE(channel_pair(pair) == 0);
	memset(o, 0, sizeof(*o));
	REQUIRE(imsgbuf_init(&o->channel, pair[0]) == 0);
	offers[noffers++] = pair[1];
	loop_ready(listener, EV_READ);
}

/* What a request says beside its type. */
union asked {
	struct msg_ctl_node node;
	struct msg_ctl_block block;
	struct msg_ctl_level level;
	struct msg_ctl_drain drain;
	struct msg_ctl_renew renew;
};

/* Fills it in, by `how`.  Returns how many bytes that are. */
static size_t
asked_fill(union asked *asked, uint32_t type, uint8_t how)
{
	static const uint32_t loopback = 127;

	switch (type) {
	case CTL_SHOW_PEER:
	case CTL_SHOW_NODE:
	case CTL_DROP:
		asked->node.node = 1 + (how >> 4) % (NODES + 1);
		return (sizeof(asked->node));
	case CTL_BLOCK:
	case CTL_UNBLOCK:
		asked->block.prefix = how & 0x80 ? 104 : BLOCKS_NODE;
		blocks_node(asked->block.addr, 1 + (how >> 4) % (NODES + 1));
		if (how & 0x80)
			address_map(asked->block.addr, &loopback);
		return (sizeof(asked->block));
	case CTL_LOG_LEVEL:
		asked->level.level = how >> 5;
		return (sizeof(asked->level));
	case CTL_DRAIN:
		asked->drain.seconds = how & 0x80 ? UINT32_MAX : how >> 4;
		return (sizeof(asked->drain));
	case CTL_RENEW:
		asked->renew.worker = how & 0x80 ? CTL_RENEW_ALL : how >> 5;
		return (sizeof(asked->renew));
	default:
		return (0);
	}
}

/* Asks as beaconctl does; if it does not wait for answers, it may be hung up
 * on.
 */
static void
asks(struct operator* o, struct input *input)
{
	union asked asked;
	uint32_t type;
	uint8_t how;

	how = input_u8(input);
	type = CTL_SHOW_SUMMARY + (how & 0x1f) % REQUESTS;
	if (type == CTL_STOP && (how & 0xe0) != 0xe0)
		return;
	if (o->request != 0)
		o->spoilt = 1;
	o->request = type;
	memset(&asked, 0, sizeof(asked));
	(void)imsg_compose(
	    &o->channel, type, 0, 0, -1, &asked, asked_fill(&asked, type, how));
	(void)imsgbuf_write(&o->channel);
	if (o->channel.fd != -1)
		imsgbuf_drop_queue(&o->channel);
}

static void
says(struct operator* o, struct input *input)
{
	const uint8_t *data;
	uint8_t how;
	size_t len;

	how = input_u8(input);
	data = input_bytes(input, how & 0x3f, &len);
	o->spoilt = 1;
	if (how & 0x80) {
		(void)send(
		    o->channel.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	(void)imsg_compose(
	    &o->channel, CTL_SHOW_SUMMARY + (how & 0xf), 0, 0, -1, data, len);
	(void)imsgbuf_write(&o->channel);
	imsgbuf_drop_queue(&o->channel);
}

static void
hear_row(struct operator* o, const struct imsg *imsg)
{
	uint32_t type;
	size_t i;

	type = imsg_get_type(imsg);
	REQUIRE(!imsg_has_fd(imsg) && type >= CTL_SUMMARY);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].type == type)
			REQUIRE(imsg_get_len(imsg) == rows[i].size);
	REQUIRE(o->spoilt || o->request != 0);
	if (type == CTL_END)
		o->request = 0;
}

/* Returns how many rows there were. */
static int hears(struct operator* o)
{
	struct imsg imsg;
	int n, r;

	if (o->channel.fd == -1 || o->over)
		return (0);
	r = imsgbuf_read(&o->channel);
	o->over = r != 1;
	n = 0;
	while ((r = imsgbuf_get(&o->channel, &imsg)) == 1) {
		hear_row(o, &imsg);
		imsg_free(&imsg);
		n++;
	}
	REQUIRE(r == 0);
	return (n);
}

int
operators_hear(void)
{
	int i, n;

	for (i = n = 0; i < OPERATORS; i++)
		n += hears(&operators[i]);
	return (n);
}

/* One of the operators does something. */
void
operator_acts(struct input *input)
{
	struct operator* o;
	uint8_t who;

	who = input_u8(input);
	o = &operators[who % OPERATORS];
	if (who >> 4 == 0) {
		connects(o);
		return;
	}
	if (o->channel.fd == -1)
		return;
	switch (who >> 4) {
	case 1:
	case 2:
	case 3:
		asks(o, input);
		break;
	case 4:
	case 5:
		says(o, input);
		break;
	case 6:
		hang_up(o);
		break;
	default:
		(void)hears(o);
		break;
	}
}

/* Boolean: somebody waits for an answer. */
int
operators_wait(void)
{
	int i;

	for (i = 0; i < OPERATORS; i++)
		if (operators[i].channel.fd != -1 && !operators[i].spoilt &&
		    operators[i].request != 0)
			return (1);
	return (0);
}

/* answered: all of them must have been. */
void
operators_end(int answered)
{
	int i;

	for (i = 0; i < OPERATORS; i++) {
		if (answered && operators[i].channel.fd != -1 &&
		    !operators[i].spoilt)
			REQUIRE(
			    operators[i].request == 0 && !operators[i].over);
		hang_up(&operators[i]);
	}
	while (noffers > 0)
		(void)close(offers[--noffers]);
}
