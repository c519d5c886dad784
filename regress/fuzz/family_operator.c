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
static int listener;

#define REQUESTS (CTL_STOP - CTL_SHOW_SUMMARY + 1U)

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

/* fd is what the parent accepts them from. */
void
operator_listener(int fd)
{
	listener = fd;
	loop_ready(fd, 0);
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
	if (noffers == OPERATORS)
		return;
	REQUIRE(channel_pair(pair) == 0);
	memset(o, 0, sizeof(*o));
	REQUIRE(imsgbuf_init(&o->channel, pair[0]) == 0);
	offers[noffers++] = pair[1];
	loop_ready(listener, EV_READ);
}

/* Asks as beaconctl does; if it does not wait for answers, it may be hung up
 * on.
 */
static void
asks(struct operator* o, struct input *input)
{
	static const uint32_t loopback = 127;
	struct msg_ctl_block block;
	struct msg_ctl_node node;
	uint32_t type;
	uint8_t how;

	how = input_u8(input);
	type = CTL_SHOW_SUMMARY + (how & 0xf) % REQUESTS;
	if (type == CTL_STOP && (how & 0xf0) != 0xf0)
		return;
	node.node = 1 + (how >> 4) % (NODES + 1);
	memset(&block, 0, sizeof(block));
	block.prefix = how & 0x80 ? 104 : BLOCKS_NODE;
	blocks_node(block.addr, node.node);
	if (how & 0x80)
		address_map(block.addr, &loopback);
	if (o->request != 0)
		o->spoilt = 1;
	o->request = type;
	if (type == CTL_SHOW_PEER || type == CTL_SHOW_NODE || type == CTL_DROP)
		(void)imsg_compose(
		    &o->channel, type, 0, 0, -1, &node, sizeof(node));
	else if (type == CTL_BLOCK || type == CTL_UNBLOCK)
		(void)imsg_compose(
		    &o->channel, type, 0, 0, -1, &block, sizeof(block));
	else
		(void)imsg_compose(&o->channel, type, 0, 0, -1, NULL, 0);
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
