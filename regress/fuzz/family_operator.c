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
#include "common/proto_park.h"
#include "regress/fuzz/family.h"
#include "regress/fuzz/loop.h"

/* Operators: each request is answered by rows of its kind, and one end. */

struct operator
{
	struct imsgbuf channel; /* fd -1: none */
	uint32_t request;       /* under way, or 0 */
	uint32_t taking; /* CTL_SOCKETS to CTL_TAKE: that is done; or 0 */
	int file;        /* of CTL_TAKE, or -1; and its queues */
	int queues[PARK_QUEUES_MAX];
	uint32_t nqueues;
	int spoilt; /* boolean: has said what it may not */
	int over;   /* boolean: the parent has hung up */
};

static struct operator operators[OPERATORS];
static int offers[OPERATORS]; /* the parent's ends of those not accepted yet */
static int noffers;
static int listener; /* -1: closed */

#define REQUESTS (CTL_ADOPT - CTL_SHOW_SUMMARY + 1U)

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
	{ CTL_SOCKET, 0 },
	{ CTL_STEERED, sizeof(struct msg_ctl_steered) },
	{ CTL_FILE, 0 },
	{ CTL_QUEUE, 0 },
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

/*
 * The parent closes a descriptor: if that is what they come by, its number may
 * be another's from now on.
 */
void
operator_closed(int fd)
{
	if (fd == -1 || fd != listener)
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

/* Is there anything that operators can connect to? */
int
operator_may_connect(void)
{
	return (listener != -1);
}

static void let_go(struct operator* o)
{
	(void)close(o->file);
	o->file = -1;
	while (o->nqueues > 0)
		(void)close(o->queues[--o->nqueues]);
	o->taking = 0;
}

static void hang_up(struct operator* o)
{
	if (o->channel.fd == -1)
		return;
	let_go(o);
	family_hang_up(&o->channel);
}

static void connects(struct operator* o)
{
	int pair[2];

	hang_up(o);
	if (noffers == OPERATORS || listener == -1)
		return;
	REQUIRE(channel_pair(pair) == 0);
	memset(o, 0, sizeof(*o));
	o->file = -1;
	REQUIRE(imsgbuf_init(&o->channel, pair[0]) == 0);
	imsgbuf_allow_fdrecv(&o->channel);
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

/* May it be asked for that, after what it was answered last? */
static int
in_turn(const struct operator* o, uint32_t type)
{
	switch (type) {
	case CTL_AHEAD:
	case CTL_TAKE:
		return (o->taking == CTL_SOCKETS || o->taking == CTL_AHEAD);
	case CTL_ADOPT:
		return (o->taking == CTL_SOCKETS);
	case CTL_TAKEN: /* and then there is no answer, perhaps */
		return (0);
	default:
		return (o->taking == 0);
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
	if (o->request != 0 || !in_turn(o, type))
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

/* Sockets, a file, queues. */
static void
hear_fd(struct operator* o, struct imsg *imsg)
{
	int fd;

	fd = imsg_get_fd(imsg);
	REQUIRE(fd != -1);
	if (imsg_get_type(imsg) == CTL_FILE && o->file == -1)
		o->file = fd;
	else if (imsg_get_type(imsg) == CTL_QUEUE) {
		REQUIRE(o->nqueues < PARK_QUEUES_MAX);
		o->queues[o->nqueues++] = fd;
	} else
		(void)close(fd);
}

static void
hear_end(struct operator* o, const struct imsg *imsg)
{
	struct msg_ctl_end end;

	REQUIRE(imsg_get_data(imsg, &end, sizeof(end)) == 0);
	/* Of which request it is cannot be told then. */
	if (o->spoilt)
		let_go(o);
	else if ((o->request == CTL_TAKE || o->request == CTL_AHEAD) &&
		 end.error == 0) {
		REQUIRE(o->file != -1);
		family_check_file(
		    o->file, o->queues, o->nqueues, o->request == CTL_AHEAD);
		(void)close(o->file);
		o->file = -1;
		o->nqueues = 0;
		o->taking = o->request;
	} else if (o->request == CTL_ADOPT && end.error == 0) {
		REQUIRE(o->file != -1 && o->nqueues == 0);
		(void)close(o->file);
		o->file = -1;
		o->taking = CTL_ADOPT;
	} else if (o->request == CTL_SOCKETS && end.error == 0)
		o->taking = CTL_SOCKETS;
	else if ((o->request != CTL_TAKE && o->request != CTL_AHEAD &&
		     o->request != CTL_ADOPT) ||
		 end.error != EBUSY)
		let_go(o);
	o->request = 0;
}

static void
hear_row(struct operator* o, struct imsg *imsg)
{
	uint32_t type;
	size_t i;

	type = imsg_get_type(imsg);
	REQUIRE(type >= CTL_SUMMARY);
	REQUIRE(imsg_has_fd(imsg) ==
		(type == CTL_SOCKET || type == CTL_FILE ||
		    (type >= CTL_QUEUE && type <= CTL_WARD_WORDS)));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].type == type)
			REQUIRE(imsg_get_len(imsg) == rows[i].size);
	/* Whoever does not take what he has asked for hears of that. */
	REQUIRE(o->spoilt || o->request != 0 ||
		(type == CTL_END &&
		    (o->taking == CTL_TAKE || o->taking == CTL_AHEAD ||
			o->taking == CTL_ADOPT)));
	if (imsg_has_fd(imsg))
		hear_fd(o, imsg);
	else if (type == CTL_END)
		hear_end(o, imsg);
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

/* Nobody goes on with taking over, or waits for a service manager. */
void
operators_stop_taking(void)
{
	int i;

	for (i = 0; i < OPERATORS; i++)
		if (operators[i].taking != 0 ||
		    operators[i].request == CTL_TAKE ||
		    operators[i].request == CTL_SOCKETS ||
		    operators[i].request == CTL_PARK)
			hang_up(&operators[i]);
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
