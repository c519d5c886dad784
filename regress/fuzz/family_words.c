/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "parent/peermap_write.h"
#include "regress/fuzz/family.h"
#include "regress/fuzz/loop.h"

/*
 * What children say.  Where it may be against the rules, they may be killed for
 * it; where it is, they must be.
 */

/* It is of this build, and knows who it is. */
void
child_says_ready(struct child_play *c)
{
	struct msg_hello hello;

	proto_fill_hello(&hello);
	hello.worker = c->number;
	hello.epoch = c->epoch;
	c->ready = 1;
	child_say(c, c->auth ? AP_READY : WP_READY, -1, &hello, sizeof(hello));
}

void
child_says_closed(struct child_play *c, uint32_t node, uint32_t generation)
{
	struct msg_closed msg;

	msg.node = node;
	msg.generation = generation;
	child_say(c, WP_CLOSED, -1, &msg, sizeof(msg));
}

/* Bit 0: whose part of the work; others: rather the one in the other place. */
static struct child_play *
worker_of(uint32_t which)
{
	struct child_play *c, *other;

	c = child_alive(0, which & 1);
	other = child_alive(0, (which & 1) + PROTO_WORKERS_MAX);
	if (c == NULL || (other != NULL && which > 1))
		return (other);
	return (c);
}

static void
must_die(struct child_play *c)
{
	c->wild = 1;
	c->bad = !c->garbled;
}

/* The end of a session of its own, of another's, or of none. */
static void
says_closed(struct child_play *c, struct input *input)
{
	struct opened *o;
	uint8_t how;

	how = input_u8(input);
	if (nopened == 0 || how & 0x80) {
		if ((how & 7) == 0)
			must_die(c);
		child_says_closed(c, how & 7, (how & 7) == 0 ? 0 : 1000);
		return;
	}
	o = &opened[how % nopened];
	if (o->moves && c->ready)
		return;
	if (family_has_session(o->msg.node, o->msg.generation) &&
	    !family_owns(c->number, o->msg.node, o->msg.generation))
		must_die(c);
	if (o->worker == c->number && o->epoch == c->epoch && !c->garbled)
		o->over = 1;
	child_says_closed(c, o->msg.node, o->msg.generation);
}

static void
says_stat(struct child_play *c, struct input *input)
{
	struct {
		struct msg_stat head;
		struct msg_stat_row row;
	} reply;
	uint8_t how;

	how = input_u8(input);
	memset(&reply, 0, sizeof(reply));
	/* About nothing that anybody waits for. */
	reply.head.request = UINT32_MAX - how;
	reply.head.count = 1;
	reply.row.known = how & 3;
	reply.row.port = how >> 2 & 1 ? UINT16_MAX : UINT16_MAX + 1U;
	if (reply.row.known > 1 || reply.row.port > UINT16_MAX)
		must_die(c);
	child_say(c, WP_STAT, -1, &reply, sizeof(reply));
}

static void
says_endpoint(struct child_play *c, struct input *input)
{
	struct msg_endpoint msg;
	uint16_t port;
	uint8_t how;

	how = input_u8(input);
	memset(&msg, 0, sizeof(msg));
	msg.node = 1 + (how & 7) % NODES;
	family_address(how >> 3, msg.addr, &port);
	msg.port = port;
	how = input_u8(input);
	msg.answer = how & 1;
	msg.flags = how & 2 ? PEERMAP_UDP_EX : 0;
	if (how & 4)
		msg.port++;
	if (!family_reaches(c->number, msg.addr, msg.port))
		must_die(c);
	if ((how & 0xf8) == 0xf8) {
		must_die(c);
		if (how & 1)
			msg.node = 0;
		else
			msg.port = how & 2 ? 0 : 65536;
	}
	child_say(c, WP_ENDPOINT, -1, &msg, sizeof(msg));
}

/* A chunk of a Sync, of ids that follow each other. */
static void
says_sync(struct child_play *c, struct input *input)
{
	static uint8_t
	    data[sizeof(struct msg_sync) + PROTO_SYNC_CHUNK * sizeof(uint32_t)];
	struct msg_sync msg;
	uint32_t i, id;
	uint8_t how;

	how = input_u8(input);
	memset(&msg, 0, sizeof(msg));
	family_address(how, msg.addr, &msg.port);
	msg.first = (how & 0x80) != 0;
	msg.last = (how & 0x40) != 0;
	msg.beacon = 7;
	msg.port += (how & 0x30) == 0x30 ? input_u8(input) : 0;
	how = input_u8(input);
	msg.count = how & 0xf;
	if (how & 0x80)
		msg.count = PROTO_SYNC_CHUNK - msg.count;
	id = (how >> 4 & 7) * 3;
	for (i = 0; i < msg.count; i++, id++)
		memcpy(data + sizeof(msg) + i * sizeof(id), &id, sizeof(id));
	memcpy(data, &msg, sizeof(msg));
	if (!family_reaches(c->number, msg.addr, 0))
		must_die(c);
	else if (!msg.first || how & 0x80) /* out of turn, or too long */
		c->wild = 1;
	child_say(
	    c, WP_SYNC, -1, data, sizeof(msg) + msg.count * sizeof(uint32_t));
}

static void
says_admit(struct child_play *c, struct input *input)
{
	struct child_play *worker;
	struct msg_admit msg;
	uint8_t how;

	how = input_u8(input);
	memset(&msg, 0, sizeof(msg));
	worker = worker_of(how & 1);
	msg.worker = worker == NULL ? how & 1 : worker->number;
	msg.epoch = worker == NULL ? 1 : worker->epoch;
	msg.node = 1 + (how >> 1 & 7) % NODES;
	msg.slot = how >> 4;
	msg.serial = input_u8(input);
	msg.keyid = how;
	if (nopened >= OPENED - 2)
		return;
	if (msg.serial >= 0xf0) {
		must_die(c);
		if (msg.serial & 1)
			msg.worker = PROTO_PLACES_MAX;
		else if (msg.serial & 2)
			msg.epoch += CHILDREN;
		else if (msg.serial & 4)
			msg.node = 0;
		else
			msg.pad = 1;
	}
	child_say(c, AP_ADMIT, -1, &msg, sizeof(msg));
}

static void
says_revoke(struct child_play *c, struct input *input)
{
	struct msg_closed msg;
	uint8_t how;

	how = input_u8(input);
	msg.node = 1 + how % NODES;
	msg.generation = how;
	if (nopened > 0 && (how & 0x80) == 0) {
		msg.node = opened[how % nopened].msg.node;
		msg.generation = opened[how % nopened].msg.generation;
	}
	if ((int32_t)(msg.generation - family_keys_generation()) > 0)
		c->wild = 1;
	child_say(c, AP_REVOKE, -1, &msg, sizeof(msg));
}

static void
says_keys(struct child_play *c, struct input *input)
{
	struct msg_keys_read msg;
	uint8_t how;

	how = input_u8(input);
	memset(&msg, 0, sizeof(msg));
	msg.result = how & 3;
	if (c->keys == 0 || msg.result > KEYS_SUPERSEDED)
		must_die(c);
	else
		c->keys--;
	child_say(c, AP_KEYS, -1, &msg, sizeof(msg));
}

static void
says_hostile(struct child_play *c, struct input *input)
{
	struct child_play *worker;
	struct msg_hostile msg;
	uint8_t how;

	how = input_u8(input);
	memset(&msg, 'x', sizeof(msg));
	worker = worker_of(how & 1);
	msg.worker = worker == NULL ? how & 1 : worker->number;
	msg.epoch = worker == NULL ? 1 : worker->epoch - (how >> 1 & 1);
	msg.reason[how & 4 ? 5 : 0] = '\0';
	c->wild = 1; /* there is a bound to complaints */
	if (worker != NULL)
		worker->wild = 1;
	if ((how & 0xf0) == 0xf0) {
		must_die(c);
		if (how & 8)
			msg.worker = PROTO_PLACES_MAX;
		else
			memset(msg.reason, 'x', sizeof(msg.reason));
	}
	child_say(c, AP_HOSTILE, -1, &msg, sizeof(msg));
}

/* Any type, any bytes, perhaps with a descriptor. */
static void
says_anything(struct child_play *c, struct input *input)
{
	const uint8_t *data;
	uint32_t type;
	uint8_t how;
	size_t len;
	int fd;

	how = input_u8(input);
	type = (c->auth ? AP_READY : WP_READY) + (how & 0xf);
	data = input_bytes(input, input_u8(input), &len);
	fd = -1;
	c->wild = 1;
	if (how & 0x10) {
		must_die(c);
		fd = fcntl(c->log, F_DUPFD_CLOEXEC, 0);
	}
	child_say(c, type, fd, data, len);
}

/* Bytes that need not be messages at all. */
static void
says_bytes(struct child_play *c, struct input *input)
{
	const uint8_t *data;
	size_t len;

	data = input_bytes(input, input_u8(input), &len);
	c->wild = c->garbled = 1;
	if (c->channel.fd != -1)
		(void)send(
		    c->channel.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
says_aloud(struct child_play *c, struct input *input)
{
	const uint8_t *data;
	uint8_t how;
	size_t len;

	how = input_u8(input);
	data = input_bytes(input, how & 0x7f, &len);
	if (c->log == -1)
		return;
	if (how & 0x80)
		(void)send(c->log, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (write(c->words, data, len) == -1)
		return;
}

static void
ends(struct child_play *c, struct input *input)
{
	uint8_t how;
	int fd;

	how = input_u8(input);
	c->wild = 1;
	if (how & 1) {
		child_die(c, how & 2 ? SIGSEGV : (how & 0xf0) << 4);
		return;
	}
	/* It lives, but does not talk any more. */
	fd = c->channel.fd;
	if (fd == -1)
		return;
	(void)shutdown(fd, how & 2 ? SHUT_WR : SHUT_RDWR);
}

static void
worker_acts(struct child_play *c, uint8_t what, struct input *input)
{
	switch (what) {
	case 0:
		says_closed(c, input);
		break;
	case 1:
		says_stat(c, input);
		break;
	case 2:
	case 3:
		says_endpoint(c, input);
		break;
	default:
		says_sync(c, input);
		break;
	}
}

static void
auth_acts(struct child_play *c, uint8_t what, struct input *input)
{
	switch (what) {
	case 0:
	case 1:
	case 2:
		says_admit(c, input);
		break;
	case 3:
		says_revoke(c, input);
		break;
	case 4:
		says_keys(c, input);
		break;
	default:
		says_hostile(c, input);
		break;
	}
}

/* A worker whose sessions go elsewhere. */
static void
stands_still(struct child_play *c, uint8_t what, struct input *input)
{
	switch (what) {
	case 13:
		child_says_still(c, input);
		break;
	case 14:
		child_says_parked(c, input);
		break;
	default:
		child_says_moved(c, input);
		break;
	}
}

/* One of the children does something. */
void
child_acts(struct input *input)
{
	struct child_play *c;
	uint8_t what, who;

	who = input_u8(input);
	what = who >> 4;
	c = (who & 3) == 3 ? child_alive(1, 0) : worker_of(who & 5);
	if (c == NULL)
		return;
	/* too early for a worker */
	if ((what < 6 || what == 13 || what == 15) && !c->ready && !c->auth)
		must_die(c);
	if (c->killed || c->channel.fd == -1)
		return;
	if (what < 6 && c->auth)
		auth_acts(c, what, input);
	else if (what < 6)
		worker_acts(c, what, input);
	else if (what < 8)
		says_anything(c, input);
	else if (what == 8)
		says_bytes(c, input);
	else if (what < 11)
		says_aloud(c, input);
	else if (what == 11)
		ends(c, input);
	else if (what == 12) {
		if (c->ready)
			must_die(c);
		child_says_ready(c);
	} else if (!c->auth)
		stands_still(c, what, input);
}
