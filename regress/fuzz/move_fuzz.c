/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * Sessions that come from another worker and go to it.  Some come from one that
 * lies in all that it says; others go there and back by way of one that hands
 * on what it is told.  Whatever the first does, the worker lives, its other
 * peers notice nothing, and nothing is left of it; to the second not a packet
 * is lost, doubled or out of order.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/counters.h"
#include "regress/fuzz/loop.h"
#include "regress/fuzz/world.h"
#include "worker/packet.h"
#include "worker/worker.h"

#define BATCHES   3     /* from places 1 on, of which the first has a channel */
#define MEMBERS   3     /* sessions of a batch at most */
#define PATIENCE  60000 /* milliseconds in which nobody is idle for too long */
#define TRIP_FROM 1

/* The sessions that the parent knows: those of clients[i] have node i + 1. */
static struct at {
	struct opened *opened; /* NULL: none */
	uint32_t slot;
} at[NODES];

/* A batch that comes in. */
struct batch {
	int fd;          /* to the worker; -1: the old owner has closed it */
	uint32_t ticket; /* 0: there is none */
	uint32_t count;
	uint32_t who[NODES];                /* clients */
	const struct opened *opened[NODES]; /* their sessions */
	uint64_t ready;                     /* as the worker says */
	int heard;                          /* boolean: it has */
	int settled;                        /* boolean: the parent has */
	int done;                           /* boolean: the worker says so */
	uint32_t slot[NODES];
};
static struct batch batches[BATCHES];

/* Sessions that go away, and come back by batches[0]. */
static struct trip {
	int step;
	int roomy; /* boolean: there is a place for each of them */
	uint32_t ticket;
	struct imsgbuf from;
} trip;

struct move_out {
	struct msg_move head;
	struct msg_move_session rows[NODES];
};
static int gone = -1; /* where some went that do not come back */

static uint32_t tickets;
static uint32_t passed; /* milliseconds */

static struct batch *
batch_of(uint32_t ticket)
{
	uint32_t i;

	for (i = 0; i < BATCHES; i++)
		if (batches[i].ticket == ticket)
			return (&batches[i]);
	return (NULL);
}

/* Boolean: the parent still knows that session, and no later one. */
static int
is_of_batch(const struct batch *b, uint32_t i)
{
	return (b->opened[i] == at[b->who[i]].opened);
}

/* Is one of them where the worker says? */
static void
check_ready(const struct batch *b, const struct msg_move_ready *msg)
{
	const struct session *s;
	uint32_t i;

	REQUIRE(msg->mask >> b->count == 0);
	for (i = 0; i < b->count; i++) {
		if ((msg->mask >> i & 1) == 0 || !is_of_batch(b, i))
			continue;
		REQUIRE(msg->slot[i] < SESSIONS);
		s = &world.worker->sessions[msg->slot[i]];
		REQUIRE(s->state == SESSION_OPEN);
		REQUIRE(s->peer.node == b->who[i] + 1);
		REQUIRE(
		    s->peer.generation == at[b->who[i]].opened->msg.generation);
		REQUIRE(!ev_is_active(&s->io));
		net_session(s->io.fd);
		REQUIRE((fcntl(s->io.fd, F_GETFL) & O_NONBLOCK) != 0);
	}
}

/* What the worker tells the parent. */
static void
moves(const struct imsg *imsg)
{
	struct msg_move_ready ready;
	struct msg_move_done done;
	struct batch *b;

	if (imsg_get_type(imsg) == WP_MOVE_DONE) {
		REQUIRE(imsg_get_data(imsg, &done, sizeof(done)) == 0);
		b = batch_of(done.ticket);
		REQUIRE(b != NULL && b->settled && !b->done);
		b->done = 1;
		return;
	}
	REQUIRE(imsg_get_type(imsg) == WP_MOVE_READY);
	REQUIRE(imsg_get_data(imsg, &ready, sizeof(ready)) == 0);
	b = batch_of(ready.ticket);
	if (b == NULL) /* it was called off, and is forgotten */
		return;
	REQUIRE(!b->heard);
	b->heard = 1;
	b->ready = ready.mask;
	memcpy(b->slot, ready.slot, sizeof(b->slot));
	if (!b->settled)
		check_ready(b, &ready);
}

/* What it tells worker 1: which answers when it is asked to, below. */
static void
marks(const struct imsg_header *header)
{
	REQUIRE(header->len == sizeof(*header) && header->pid == 0);
	REQUIRE(header->type == WW_MARK || header->type == WW_MARKED ||
		header->type == WW_FENCE);
}

/* Worker 1 says what is no packet. */
static void
mark(uint32_t type, uint32_t ticket)
{
	struct imsg_header header;

	memset(&header, 0, sizeof(header));
	header.type = type;
	header.len = sizeof(header);
	header.peerid = ticket;
	sibling_send((const uint8_t *)&header, sizeof(header));
}

/* What follows from it all happens. */
static void
turns(int most)
{
	while (most-- > 0 &&
	       loop_turn() + world_hear() + sibling_read(SIZE_MAX) > 0)
		continue;
}

static int
is_here(uint32_t who)
{
	return (at[who].opened != NULL && !at[who].opened->closed &&
		clients[who].fd != -1);
}

/* The map has the session there from now on. */
static void
map_write(uint32_t who, uint32_t worker, uint32_t slot)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_add(&world.map, who + 1, 0);
	REQUIRE(number != PEERMAP_NONE);
	entry = *pmap_entry(&world.map, number);
	entry.generation = at[who].opened->msg.generation;
	entry.worker = (uint8_t)worker;
	entry.slot = at[who].slot = slot;
	pmap_store(&world.map, number, &entry);
}

/* Whoever does not come is nowhere any more. */
static void
lose(uint32_t who)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_find(&world.map, who + 1);
	if (number != PEERMAP_NONE) {
		entry = *pmap_entry(&world.map, number);
		entry.generation = 0;
		pmap_store(&world.map, number, &entry);
	}
	if (at[who].opened != NULL)
		at[who].opened->closed = 1;
	at[who].opened = NULL;
	client_hang_up(&clients[who]);
}

/* The worker hears of a batch from that place. */
static void
begin_in(struct batch *b, uint32_t place)
{
	struct {
		struct msg_move head;
		struct msg_move_session rows[NODES];
	} msg;
	uint32_t i;
	int pair[2];

	memset(&msg, 0, sizeof(msg));
	for (i = 0; i < b->count; i++) {
		b->opened[i] = at[b->who[i]].opened;
		msg.rows[i].node = b->who[i] + 1;
		msg.rows[i].generation = at[b->who[i]].opened->msg.generation;
	}
	msg.head.ticket = b->ticket = ++tickets;
	msg.head.worker = place;
	msg.head.count = b->count;
	b->heard = b->settled = b->done = 0;
	b->ready = 0;
	REQUIRE(channel_pair(pair) == 0);
	b->fd = pair[0];
	world_tell(PW_MOVE_IN, pair[1], &msg,
	    sizeof(msg.head) + b->count * sizeof(msg.rows[0]));
}

/* A liar's batch: as many of them as are free. */
static void
act_in(struct batch *b, uint8_t how)
{
	struct opened *opened;
	uint32_t i, n;

	if (b->ticket != 0 || (b == batches && trip.step != 0))
		return;
	b->count = 0;
	for (n = 0; n < NODES && b->count < 1 + (how & 3U) % MEMBERS; n++) {
		i = (n + (how >> 2)) % NODES;
		if (at[i].opened != NULL || world.nopened == OPENED)
			continue;
		opened = &world.opened[world.nopened++];
		memset(opened, 0, sizeof(*opened));
		opened->msg.node = i + 1;
		opened->msg.generation = pmap_next_generation(&world.map);
		/* The worker says nothing of it before it has it. */
		opened->closed = 1;
		at[i].opened = opened;
		map_write(i, (uint32_t)(b - batches) + 1, 0);
		b->who[b->count++] = i;
	}
	if (b->count > 0)
		begin_in(b, (uint32_t)(b - batches) + 1);
}

/* PW_MOVED for those of the mask that are ready, and PW_FENCE. */
static void
settle_in(struct batch *b, uint64_t mask)
{
	struct msg_moved msg;
	uint32_t i;

	if (b->ticket == 0 || b->settled)
		return;
	mask &= b->ready;
	for (i = 0; i < b->count; i++)
		if (!is_of_batch(b, i))
			mask &= ~(UINT64_C(1) << i);
	b->settled = 1;
	msg.ticket = b->ticket;
	msg.worker = (uint32_t)(b - batches) + 1;
	msg.mask = mask;
	for (i = 0; i < b->count; i++)
		if ((mask >> i & 1) != 0) {
			at[b->who[i]].opened->closed = 0;
			map_write(b->who[i], 0, b->slot[i]);
		}
	world_tell(PW_MOVED, -1, &msg, sizeof(msg));
	if (mask == 0)
		b->done = 1;
	else
		world_tell(PW_FENCE, -1, &msg, sizeof(msg));
}

/* Of a liar's batch those that have not come are lost. */
static void
settle_lies(struct batch *b, uint64_t mask)
{
	uint64_t came;
	uint32_t i;

	if (b->ticket == 0 || b->settled)
		return;
	came = mask & b->ready;
	settle_in(b, mask);
	for (i = 0; i < b->count; i++)
		if ((came >> i & 1) == 0 && is_of_batch(b, i))
			lose(b->who[i]);
}

static void
close_in(struct batch *b)
{
	if (b->fd != -1)
		(void)close(b->fd);
	b->fd = -1;
}

/* Batch b is over: its place may have another. */
static void
end_in(struct batch *b)
{
	close_in(b);
	if (b->ticket == 0)
		return;
	turns(8);
	settle_lies(b, UINT64_MAX);
	turns(8);
	b->ticket = 0;
}

/* One message of a batch, with or without a descriptor, which it takes. */
static void
say(struct batch *b, uint32_t type, int fd, const void *data, size_t len)
{
	struct imsgbuf out;
	int i;

	if (b->fd == -1 || imsgbuf_init(&out, b->fd) == -1) {
		if (fd != -1)
			(void)close(fd);
		return;
	}
	imsgbuf_allow_fdsend(&out);
	REQUIRE(imsg_compose(&out, type, 0, 0, fd, data, len) == 1);
	for (i = 0; i < 64 && imsgbuf_queued(&out) > 0; i++) {
		if (imsgbuf_write(&out) == -1)
			break;
		if (imsgbuf_queued(&out) > 0)
			(void)loop_turn();
	}
	/* Half of a message is one that the rest of them comes within. */
	imsgbuf_clear(&out);
}

/* What a liar may say is the connection of a session. */
static int
descriptor(uint8_t kind, struct client *c)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, pair[2];

	switch (kind & 7) {
	case 1:
		REQUIRE(pipe2(pair, O_NONBLOCK | O_CLOEXEC) == 0);
		(void)close(pair[1]);
		return (pair[0]);
	case 2:
		return (open("/dev/null", O_RDWR | O_CLOEXEC | O_NONBLOCK));
	case 3:
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		REQUIRE(fd != -1);
		REQUIRE(bind(fd, (struct sockaddr *)&sun,
			    sizeof(sun.sun_family)) == 0 &&
			listen(fd, 1) == 0);
		return (fd);
	case 4:
		return (-1);
	case 5:
		fd = client_come(c, c->node);
		if (fd != -1)
			REQUIRE(fcntl(fd, F_SETFL, 0) == 0);
		return (fd);
	default:
		return (client_come(c, c->node));
	}
}

/* The least that is true, and then changed at some places. */
static void
lie_state(struct batch *b, struct input *input)
{
	static const uint16_t words[16] = { 0, 1, 2, 3, 8, 14, 15, 125, 127,
		128, 1400, 16000, 32768, 32800, 40000, 65535 };
	uint8_t bytes[sizeof(struct msg_move_state) + MOVE_STATE_MORE + 8];
	struct msg_move_state *state;
	struct client *c;
	uint32_t word;
	uint8_t how, what;
	size_t off;

	how = input_u8(input);
	memset(bytes, 0, sizeof(bytes));
	state = (void *)bytes;
	state->magic = MOVE_STATE_MAGIC;
	state->version = MOVE_STATE_VERSION;
	state->len = (uint16_t)(sizeof(*state) + (how & 0x80 ? how : 0U));
	state->session = how & 3;
	state->ping = 30000;
	for (what = input_u8(input); (what & 7) != 0; what--) {
		off = input_u8(input);
		word = words[off >> 4];
		if (what & 0x80)
			word = input_u32(input);
		off =
		    (off & 0xf) * 4U + offsetof(struct msg_move_state, pending);
		if (what & 0x40)
			off = input_u16(input) % (sizeof(bytes) / 4) * 4U;
		memcpy(bytes + off, &word, sizeof(word));
	}
	c = &clients[b->who[state->session % b->count]];
	if (client_logged_in(c) && !c->deaf)
		return;
	c->node = b->who[state->session % b->count] + 1;
	say(b, WM_STATE, descriptor(what >> 3, c), bytes,
	    state->len <= sizeof(bytes) ? state->len : sizeof(*state));
	c->deaf = c->wild = 1;
	ledger_wild(c->party);
}

/* Bytes of one of its sessions: frames as the worker makes them, or any. */
static void
lie_bytes(struct batch *b, struct input *input)
{
	static struct {
		struct msg_move_bytes head;
		uint8_t bytes[MOVE_CHUNK + 1];
	} msg;
	const uint8_t *bytes;
	uint8_t how;
	size_t len, n;

	how = input_u8(input);
	msg.head.session = how & 3;
	msg.head.kind = how >> 2 & 3;
	len =
	    how & 0x80 ? input_u16(input) % (MOVE_CHUNK + 2U) : input_u8(input);
	n = 0;
	if (how & 0x40)
		n = ws_header_build(msg.bytes, WS_BINARY,
		    len > WS_HEADER_MAX ? len - WS_HEADER_MAX : 0);
	bytes = input_bytes(input, input_u8(input), &len);
	if ((how & 0x40) == 0) {
		memcpy(msg.bytes, bytes, len);
		n = len;
	} else
		n += input_u16(input) % (MOVE_CHUNK + 1 - WS_HEADER_MAX);
	say(b, WM_BYTES, -1, &msg, sizeof(msg.head) + n);
}

static void
lie_close(struct batch *b, struct input *input)
{
	struct msg_move_close msg;
	const uint8_t *text;
	size_t len;

	memset(&msg, 0, sizeof(msg));
	msg.session = input_u8(input) & 3;
	msg.code = input_u16(input);
	text =
	    input_bytes(input, input_u8(input) % (sizeof(msg.text) + 1), &len);
	memcpy(msg.text, text, len);
	say(b, WM_CLOSE, -1, &msg, sizeof(msg));
}

/* The old owner says something. */
static void
act_lie(struct batch *b, struct input *input)
{
	const uint8_t *bytes;
	uint8_t how;
	size_t len;

	how = input_u8(input);
	if (b->ticket == 0 || (b == batches && trip.step != 0))
		return;
	world.ended = 1;
	switch (how & 7) {
	case 0:
	case 1:
		lie_state(b, input);
		break;
	case 2:
	case 3:
		lie_bytes(b, input);
		break;
	case 4:
		say(b, WM_END, -1, NULL, 0);
		break;
	case 5:
		lie_close(b, input);
		break;
	case 6:
		say(b, WM_LAST, -1, NULL, 0);
		break;
	default:
		bytes = input_bytes(input, how >> 3, &len);
		if (how & 0x80)
			close_in(b);
		else
			say(b, WM_STATE + (how >> 3), -1, bytes, len);
		break;
	}
}

/* An honest old owner says all of a new peer's session. */
static void
act_come(uint32_t who)
{
	struct msg_move_state state;
	struct batch *b;
	int fd;

	b = &batches[1];
	if (b->ticket != 0 || at[who].opened != NULL)
		return;
	act_in(b, (uint8_t)(who << 2));
	if (b->ticket == 0)
		return;
	fd = client_come(&clients[b->who[0]], b->who[0] + 1);
	memset(&state, 0, sizeof(state));
	state.magic = MOVE_STATE_MAGIC;
	state.version = MOVE_STATE_VERSION;
	state.len = sizeof(state);
	state.ping = 30000;
	if (fd != -1)
		say(b, WM_STATE, fd, &state, sizeof(state));
	say(b, WM_END, -1, NULL, 0);
	turns(8);
	settle_lies(b, UINT64_MAX);
	say(b, WM_LAST, -1, NULL, 0);
	turns(8);
	end_in(b);
}

/* What the worker says of those that leave comes back to it. */
static void
trip_carry(void)
{
	struct imsg imsg;
	int i;

	if (trip.step == 0)
		return;
	for (i = 0; i < 8; i++) {
		turns(2);
		if (imsgbuf_read(&trip.from) != 1)
			break;
		while (imsgbuf_get(&trip.from, &imsg) == 1) {
			say(&batches[0], imsg_get_type(&imsg),
			    imsg_get_fd(&imsg), imsg.data, imsg_get_len(&imsg));
			imsg_free(&imsg);
		}
	}
}

/* PW_MOVE_OUT of those of `which` that are here: they are who[]. */
static void
fill_out(struct move_out *msg, uint8_t which, uint32_t who[NODES])
{
	uint32_t i, n;

	memset(msg, 0, sizeof(*msg));
	for (i = n = 0; i < NODES; i++) {
		if ((which >> i & 1) == 0 || !is_here(i) || clients[i].deaf)
			continue;
		who[n] = i;
		msg->rows[n].node = i + 1;
		msg->rows[n].generation = at[i].opened->msg.generation;
		msg->rows[n++].slot = at[i].slot;
	}
	msg->head.ticket = ++tickets;
	msg->head.worker = TRIP_FROM;
	msg->head.count = n;
}

/* Some of those that are here leave. */
static void
trip_begin(uint8_t which)
{
	struct move_out msg;
	struct batch *b;
	int pair[2];

	b = &batches[0];
	if (b->ticket != 0)
		return;
	fill_out(&msg, which, b->who);
	b->count = msg.head.count;
	if (b->count == 0)
		return;
	trip.roomy = world.worker->load + b->count <= SESSIONS;
	begin_in(b, TRIP_FROM);
	trip.ticket = msg.head.ticket;
	REQUIRE(channel_pair(pair) == 0);
	REQUIRE(imsgbuf_init(&trip.from, pair[0]) == 0);
	imsgbuf_allow_fdrecv(&trip.from);
	world_tell(PW_MOVE_OUT, pair[1], &msg,
	    sizeof(msg.head) + b->count * sizeof(msg.rows[0]));
	trip.step = 1;
}

/* The parent's word: those of the mask have moved. */
static void
trip_settle(uint8_t mask)
{
	struct msg_moved msg;
	struct batch *b;
	uint64_t went;
	uint32_t i;

	b = &batches[0];
	went = b->ready & mask;
	for (i = 0; i < b->count; i++)
		if (at[b->who[i]].opened->closed)
			went &= ~(UINT64_C(1) << i);
	settle_in(b, went);
	msg.ticket = trip.ticket;
	msg.worker = 0;
	msg.mask = went;
	world_tell(PW_MOVED, -1, &msg, sizeof(msg));
	if (went != 0)
		world_tell(PW_FENCE, -1, &msg, sizeof(msg));
}

static void
trip_end(void)
{
	trip_carry();
	(void)close(trip.from.fd);
	imsgbuf_clear(&trip.from);
	close_in(&batches[0]);
	turns(8);
	REQUIRE(batches[0].done || world.ended);
	batches[0].ticket = 0;
	trip.step = 0;
}

static void
trip_step(uint8_t how)
{
	trip_carry();
	switch (trip.step) {
	case 0:
		trip_begin(how);
		break;
	case 1:
		mark(WW_MARKED, trip.ticket);
		trip_carry();
		REQUIRE(batches[0].heard);
		REQUIRE(
		    world.ended || !trip.roomy ||
		    batches[0].ready == UINT64_MAX >> (64 - batches[0].count));
		trip.step++;
		break;
	case 2:
		trip_settle(how == 0 ? 0xff : how);
		trip.step++;
		break;
	default:
		mark(WW_FENCE, trip.ticket);
		trip_end();
		break;
	}
	trip_carry();
}

/* Some go away for good, to one that perhaps does not read. */
static void
act_leave(uint8_t how)
{
	struct move_out msg;
	struct msg_moved moved;
	uint32_t i, who[NODES];
	int pair[2];

	if (trip.step != 0)
		return;
	fill_out(&msg, how, who);
	if (msg.head.count == 0)
		return;
	world.ended = 1;
	if (gone != -1)
		(void)close(gone);
	REQUIRE(channel_pair(pair) == 0);
	gone = pair[0];
	world_tell(PW_MOVE_OUT, pair[1], &msg,
	    sizeof(msg.head) + msg.head.count * sizeof(msg.rows[0]));
	turns(4);
	for (i = 0; i < msg.head.count; i++) {
		map_write(who[i], TRIP_FROM, 0);
		at[who[i]].opened->closed = 1;
		clients[who[i]].deaf = clients[who[i]].wild = 1;
		ledger_wild(clients[who[i]].party);
	}
	moved.ticket = msg.head.ticket;
	moved.worker = 0;
	moved.mask = UINT64_MAX >> (64 - msg.head.count);
	world_tell(PW_MOVED, -1, &moved, sizeof(moved));
	world_tell(PW_FENCE, -1, &moved, sizeof(moved));
}

/* To where they went nothing more is said. */
static void
leave_end(void)
{
	if (gone == -1)
		return;
	(void)close(gone);
	gone = -1;
	turns(8);
}

/* A peer sends a packet to another, in one frame or several. */
static void
act_relay(uint32_t who, struct input *input)
{
	static uint8_t packet[PACKET_RELAY_LEN + 33000];
	struct client *c;
	uint8_t how;
	size_t len, n;

	how = input_u8(input);
	len = (how & 0x80 ? input_u16(input) % 32700U : how >> 3) +
	      PACKET_RELAY_LEN;
	c = &clients[who];
	if (!client_logged_in(c) || client_room(c, len + 64) == NULL)
		return;
	packet[0] = PACKET_RELAY;
	packet_put_u32(packet + 1, c->node);
	packet_put_u32(packet + 5, 1 + (how & 7));
	ledger_write(c->party, c->node, 1 + (how & 7),
	    packet + PACKET_RELAY_LEN, len - PACKET_RELAY_LEN);
	n = how & 0x40 ? len / 2 : len;
	client_frame(c, n == len ? 0x80 | WS_BINARY : WS_BINARY, packet, n);
	if (n == len)
		return;
	if (how & 0x20)
		client_ping(c, how);
	client_frame(c, 0x80 | WS_CONTINUATION, packet + n, len - n);
}

static void
act_client(uint32_t who, struct input *input)
{
	struct client *c;
	const uint8_t *bytes;
	uint8_t how;
	size_t n;

	how = input_u8(input);
	c = &clients[who];
	switch (how & 7) {
	case 0:
	case 1:
		(void)client_push(c, input_u16(input));
		break;
	case 2:
		(void)client_read(c, input_u16(input));
		break;
	case 3:
		client_ping(c, how >> 3);
		break;
	case 4:
		if (how & 0x80)
			client_hang_up(c);
		break;
	case 5:
		bytes = input_bytes(input, how >> 3, &n);
		c->wild = 1;
		world.ended = 1;
		ledger_wild(c->party);
		client_add(c, bytes, n);
		break;
	case 6:
		(void)client_push(c, SIZE_MAX);
		break;
	default:
		client_frame(c, 0x80 | WS_TEXT,
		    (const uint8_t *)"\xe2\x82\xac text", 5U + (how >> 6));
		c->wild |= how >> 6 & 1;
		world.ended |= c->wild;
		break;
	}
}

/* Worker 1 has a packet for somebody here, as if from nodes that it has. */
static void
act_sibling(struct input *input)
{
	static uint8_t message[IMSG_HEADER_SIZE + 256];
	struct imsg_header header;
	uint8_t how;
	size_t n;

	how = input_u8(input);
	if (how & 0x80) {
		mark(how & 0x40   ? WW_MARK
		     : how & 0x20 ? WW_FENCE
				  : WW_MARKED,
		    tickets - (how & 3U));
		return;
	}
	n = input_u8(input);
	header.type = WW_PACKET;
	header.len = (uint32_t)(sizeof(header) + n);
	header.pid = 1 + (how & 7);
	header.peerid = 1 + (how >> 3 & 7);
	memcpy(message, &header, sizeof(header));
	ledger_write(PARTY_SIBLING, header.pid, header.peerid,
	    message + sizeof(header), n);
	sibling_send(message, sizeof(header) + n);
}

/* The session of that one is to end. */
static void
act_drop(uint32_t who)
{
	struct msg_close msg;

	if (!is_here(who))
		return;
	msg.slot = at[who].slot;
	msg.generation = at[who].opened->msg.generation;
	msg.reason = CLOSE_REVOKED;
	world.ended = 1;
	world_tell(PW_CLOSE, -1, &msg, sizeof(msg));
}

static void
act_time(uint8_t how)
{
	uint32_t ms;

	ms = how & 0x80 ? 1100 : 1U + how;
	passed += ms;
	fuzz_pass(ms);
}

/* Whoever is not here any more makes room for another. */
static void
forget(void)
{
	uint32_t i;

	for (i = 0; i < NODES; i++)
		if (at[i].opened != NULL && at[i].opened->closed &&
		    clients[i].fd != -1 && clients[i].eof && trip.step == 0)
			lose(i);
}

static void
act_other(uint8_t what, struct input *input)
{
	switch (what) {
	case 0:
	case 1:
		act_drop(input_u8(input) % NODES);
		break;
	case 2:
		net_little(input_u8(input));
		break;
	case 3:
		/* Worker 1 is another one now. */
		sibling_spoil();
		sibling_anew();
		break;
	case 4:
		leave_end();
		break;
	default:
		act_leave(input_u8(input));
		break;
	}
}

static void
act(struct input *input)
{
	struct batch *b;
	uint8_t what, who;

	what = input_u8(input);
	who = what >> 4 & 7;
	b = &batches[who % BATCHES];
	switch (what & 0xf) {
	case 0:
		act_come(who);
		break;
	case 1:
		act_in(b, input_u8(input));
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		act_lie(b, input);
		break;
	case 6:
		if (b != batches || trip.step == 0)
			settle_lies(
			    b, what & 0x80 ? input_u8(input) : UINT64_MAX);
		break;
	case 7:
		if (b != batches || trip.step == 0)
			end_in(b);
		break;
	case 8:
	case 9:
		trip_step(input_u8(input));
		break;
	case 10:
	case 11:
		act_relay(who, input);
		break;
	case 12:
		act_client(who, input);
		break;
	case 13:
		act_sibling(input);
		break;
	case 14:
		act_time(input_u8(input));
		break;
	default:
		act_other(who, input);
		break;
	}
	turns(what & 0x80 ? 1 : 8);
	forget();
}

/* All is read, by everybody. */
static void
settle(void)
{
	int i, n, rounds;

	net_little(0);
	for (rounds = 0, n = 1; n > 0; rounds++) {
		REQUIRE(rounds < 10000);
		n = loop_turn() + world_hear() + sibling_read(SIZE_MAX);
		for (i = 0; i < CLIENTS; i++) {
			n += client_push(&clients[i], SIZE_MAX);
			n += client_read(&clients[i], SIZE_MAX);
		}
	}
}

/* Whoever has done nothing wrong is still served. */
static void
check_the_others(void)
{
	uint32_t i;

	for (i = 0; i < NODES; i++)
		if (is_here(i) && !clients[i].wild && passed < PATIENCE)
			REQUIRE(world.ended || client_logged_in(&clients[i]));
}

static void
finish(void)
{
	uint32_t i;

	for (i = 0; i < NODES; i++) {
		client_hang_up(&clients[i]);
		turns(4);
	}
	settle();
	/* Whoever was told half has gone by now, and who has closed. */
	for (i = 0; i < 8; i++) {
		fuzz_pass(3000);
		settle();
	}
	memset(at, 0, sizeof(at));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	world.moves = moves;
	world.marks = marks;
	world_start();
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint32_t i;

	fuzz_descriptors_mark();
	ledger_begin(data, size);
	clients_begin();
	world_begin(0);
	passed = 0;
	for (i = 0; i < BATCHES; i++) {
		batches[i].ticket = 0;
		batches[i].fd = -1;
	}
	while (input.size > 0)
		act(&input);
	while (trip.step != 0)
		trip_step(0);
	leave_end();
	for (i = 0; i < BATCHES; i++)
		end_in(&batches[i]);
	settle();
	check_the_others();
	world_settled();
	finish();
	world_rest();
	net_rest();
	sibling_rest();
	world_map_clear();
	settle();
	fuzz_descriptors_check();
	return (0);
}
