/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * A router at its worker: any bytes, cut anywhere, from a program that reads
 * when it likes.  Its messages do what beacond-frame(7) says, in their order,
 * and the first bad one ends the channel.  What it is told is whole and in
 * order; what it is not told is counted, and waits within a bound.  In every
 * second run they share memory.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "regress/fuzz/fuzz.h"
#include "regress/fuzz/loop.h"
#include "worker/worker.h"
#include "worker/ws_utf8.h"

/* Nodes 1 and 2 are here, 3 at the other worker; of 4 the session is over. */
#define NODES    6
#define SAID_MAX (512U << 10) /* bytes */
#define TOLD_MAX 65536        /* messages */

/* Most that may wait in us: two queues, and a message that has begun. */
#define WAITS_MAX (ROUTE_QUEUE_MAX + ROUTE_EVENTS_MAX + ROUTE_MESSAGE_MAX)

/* What the program is to be told, or not: then it is counted. */
struct told {
	struct imsg_header header;
	uint32_t sum;
};

static struct worker w;
static struct session sessions[2];
static int program = -1;

static uint8_t said[SAID_MAX];         /* all that it has said */
static size_t said_len, sent, said_at; /* up to which it has been sent, done */
static struct told told[TOLD_MAX];
static uint32_t told_len, told_at, missed, missed_events;
static uint8_t heard[2 * ROUTE_MESSAGE_MAX]; /* that it has not dealt with */
static size_t heard_len;
static uint64_t dropped; /* as counted when it began */
static uint32_t serial;
static int bad;  /* boolean: it has said what it may not */
static int left; /* boolean: it gets no more */
static enum router_parting parting;
static uint32_t parted; /* tick; when the worker said that it is to end */

static int shared = -1; /* the memory for a window */
static uint8_t *window_map;
static uint8_t *window;         /* as it has it; NULL: there is none */
static uint32_t put, got;       /* of the window, as the turn began */
static struct msg_frame_at had; /* the last message that it has met there */
static int hasty;               /* boolean: it has freed what it had not read */
static struct {
	const uint8_t *begin, *end;
} burst[64]; /* what was written, with its headroom */
static uint32_t nburst;

int lookup_anew(struct worker *, uint32_t, uint32_t *, struct peermap_entry *);

static uint32_t
sum(const uint8_t *data, size_t len)
{
	uint32_t n, word;

	n = (uint32_t)len;
	for (; len >= sizeof(word); data += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		n = n * 31 + word;
	}
	for (; len > 0; len--)
		n = n * 31 + *data++;
	return (n);
}

/* The worker has told it that, or has counted that it did not. */
static void
tell(uint32_t type, uint32_t node, uint32_t number, const uint8_t *data,
    size_t len)
{
	struct told *t;

	REQUIRE(told_len < TOLD_MAX);
	t = &told[told_len++];
	t->header.type = type;
	t->header.len = (uint32_t)(sizeof(t->header) + len);
	t->header.peerid = node;
	t->header.pid = number;
	t->sum = sum(data, len);
}

static void
leaves_off(void)
{
	left = 1;
	tell(FRAME_LEFT, 0, 0, NULL, 0);
}

/* It says LEAVE: of its own, or as the answer to LEFT. */
static void
leaves(void)
{
	if (parting == ROUTER_TOLD)
		parting = ROUTER_ANSWERED;
	else
		leaves_off();
}

/* What is there in the window; NULL: no message can be. */
static const uint8_t *
at_place(const struct msg_frame_at *at)
{
	uint32_t place;

	place = FRAME_WINDOW_PLACE(at->at);
	if (window == NULL || at->len > FRAME_DATA_MAX ||
	    at->at - got > put - got || at->len > put - at->at ||
	    place + at->len > FRAME_WINDOW_BYTES)
		return (NULL);
	return (window + place);
}

/* A WRITE of any kind: what it is of.  Returns 0 if it is bad. */
static int
is_write(const struct imsg_header *h, const uint8_t **data, size_t *len)
{
	struct msg_frame_at at;

	if (h->type == FRAME_WRITE)
		return (*len > 0);
	if (h->type != FRAME_WRITE_AT || *len != sizeof(at))
		return (0);
	memcpy(&at, *data, sizeof(at));
	*data = at_place(&at);
	*len = at.len;
	return (*data != NULL && at.len > 0);
}

static int
is_free(const struct imsg_header *h, size_t len)
{
	return (h->type == FRAME_FREE && len == 0 && h->pid - got <= put - got);
}

/* The message to which the worker has come; 0: it is not whole. */
static size_t
next(struct imsg_header *header)
{
	size_t n;

	n = sent - said_at;
	if (n < sizeof(*header))
		return (0);
	memcpy(header, said + said_at, sizeof(*header));
	if (header->len >= sizeof(*header) &&
	    header->len <= ROUTE_MESSAGE_MAX && header->len > n)
		return (0);
	return (header->len);
}

static int
is_close(const uint8_t *data, size_t len)
{
	uint32_t code, utf8;

	if (len < sizeof(code) || len > sizeof(code) + FRAME_TEXT_MAX)
		return (0);
	memcpy(&code, data, sizeof(code));
	utf8 = 0;
	data += sizeof(code);
	len -= sizeof(code);
	return ((code == 1000 || code == 1001 || code == 1002 || code == 1003 ||
		    (code >= 1007 && code <= 1014) ||
		    (code >= 3000 && code <= 4999)) &&
		memchr(data, '\0', len) == NULL &&
		ws_utf8_check(&utf8, data, len) == 0 && ws_utf8_done(utf8));
}

/* By its length alone, which is all that is asked for. */
static int
has_room(size_t len)
{
	return (len % 16 != 13);
}

/* Why a frame comes back; 0: it does not. */
static uint32_t
refused(uint32_t node, size_t len)
{
	if (node != 1 && node != 2)
		return (FRAME_NOT_CONNECTED);
	if (len > PROTO_DELIVERY_MAX)
		return (FRAME_TOO_LARGE);
	return (has_room(len) ? 0 : FRAME_QUEUE_FULL);
}

/*
 * Passes over the messages of which nobody but the program hears, and over none
 * that is bad.  Returns 1 if another is next.
 */
static int
pass(struct imsg_header *h)
{
	const uint8_t *data;
	size_t len;

	for (; next(h) > 0; said_at += h->len) {
		if (h->len < sizeof(*h) || h->len > ROUTE_MESSAGE_MAX)
			return (1);
		data = said + said_at + sizeof(*h);
		len = h->len - sizeof(*h);
		if (is_free(h, len))
			got = (h->pid + 63) & ~63U;
		else if (is_write(h, &data, &len) &&
			 refused(h->peerid, len) != 0)
			tell(FRAME_REFUSED, h->peerid, refused(h->peerid, len),
			    data, len);
		else if (h->type == FRAME_LEAVE && len == 0)
			leaves();
		else if (h->type != FRAME_CLOSE || !is_close(data, len) ||
			 ((h->peerid == 1 || h->peerid == 2) &&
			     (h->pid == 0 || h->pid == 70 + h->peerid)))
			return (1);
	}
	return (0);
}

/* A message has had its effect: it must have been that one. */
static void
done(uint32_t type, const struct session *s, const uint8_t *data, size_t len)
{
	const uint8_t *of;
	struct imsg_header h;
	size_t n;

	REQUIRE(!bad && pass(&h) && h.peerid == s->peer.node);
	of = said + said_at + sizeof(h);
	n = h.len - sizeof(h);
	if (type == FRAME_WRITE)
		REQUIRE(is_write(&h, &of, &n));
	else
		REQUIRE(h.type == type);
	REQUIRE(n == len && memcmp(data, of, len) == 0);
	said_at += h.len;
}

int
lookup_anew(struct worker *of, uint32_t node, uint32_t *hint,
    struct peermap_entry *entry)
{
	memset(entry, 0, sizeof(*entry));
	*hint = PEERMAP_NONE;
	entry->node = node;
	entry->worker = node == 3;
	entry->slot = (node - 1) % 4; /* there are two */
	entry->generation = node == 4 ? 71 : 70 + node;
	return (node > 0 && node < NODES);
}

int
outq_has_room(const struct worker *of, const struct session *s, size_t len)
{
	return (has_room(len));
}

/* Until the burst ends nothing else lies there. */
static void
keep(const uint8_t *begin, const uint8_t *end)
{
	uint32_t i;

	for (i = 0; i < nburst; i++)
		REQUIRE(begin >= burst[i].end || end <= burst[i].begin);
	if (nburst == sizeof(burst) / sizeof(burst[0]))
		return;
	burst[nburst].begin = begin;
	burst[nburst++].end = end;
}

/* What is written is written into, too. */
int
session_write_frame(struct worker *of, uint32_t slot, uint32_t generation,
    uint8_t *frame, size_t len)
{
	REQUIRE(slot < 2 && sessions[slot].peer.generation == generation);
	done(FRAME_WRITE, &sessions[slot], frame, len);
	keep(frame - FRAME_HEADROOM, frame + len);
	memset(frame - FRAME_HEADROOM, 0xee, FRAME_HEADROOM + len);
	return (1);
}

/* None of them has just gone elsewhere, */
int
move_out_late(struct worker *of, uint32_t node, uint32_t generation,
    uint8_t *frame, size_t len)
{
	return (0);
}

/* or is about to go. */
int
move_end(struct worker *of, uint32_t node, uint32_t generation, uint32_t code,
    const char *why)
{
	return (0);
}

void
session_close(struct worker *of, struct session *s, int code, const char *why)
{
	uint8_t data[sizeof(uint32_t) + FRAME_TEXT_MAX];
	uint32_t wide;

	REQUIRE(strlen(why) <= FRAME_TEXT_MAX && s->why == WHY_ROUTER);
	wide = (uint32_t)code;
	memcpy(data, &wide, sizeof(wide));
	memcpy(data + sizeof(wide), why, strlen(why));
	done(FRAME_CLOSE, s, data, sizeof(wide) + strlen(why));
}

void
burst_end(struct worker *of)
{
	nburst = 0;
}

static void
relay_frame(struct worker *of, struct origin *peer, uint8_t *packet, size_t len)
{
	REQUIRE(router_channel(&w) == NULL || left);
}

static void
relay_peer(struct worker *of, const struct origin *peer, int came)
{
	REQUIRE(router_channel(&w) == NULL || left);
}

static const struct upper relay = { relay_frame, relay_peer };

/* What is read now is read while the window is so. */
static void
look_at_window(void)
{
	put = w.router.window.put;
	got = w.router.window.got;
}

/* In one turn the worker deals with all that it has been sent. */
static void
turn(void)
{
	struct imsg_header h;
	int open;

	open = router_channel(&w) != NULL;
	look_at_window();
	(void)loop_turn();
	route_flush(&w);
	if (open && pass(&h))
		bad = 1;
	REQUIRE(!bad || router_channel(&w) == NULL);
}

static void
miss(const struct imsg_header *header)
{
	missed++;
	missed_events +=
	    header->type != FRAME_FRAME && header->type != FRAME_REFUSED;
}

/*
 * A message that lies in the window, as if it had come by the channel.  It
 * reads what it frees: what lies there is what was put there.
 */
static const uint8_t *
heard_at(struct imsg_header *header, const uint8_t *data, uint32_t *len)
{
	REQUIRE(window != NULL && header->len == sizeof(*header) + sizeof(had));
	memcpy(&had, data, sizeof(had));
	REQUIRE(had.len <= FRAME_DATA_MAX &&
		FRAME_WINDOW_PLACE(had.at) + had.len <= FRAME_WINDOW_BYTES);
	header->type = FRAME_FRAME;
	header->len = (uint32_t)sizeof(*header) + had.len;
	*len = had.len;
	return (window + FRAME_WINDOW_PLACE(had.at));
}

/* Up to `most` bytes of what it says. */
static void
send_some(size_t most)
{
	ssize_t n;

	if (most > said_len - sent)
		most = said_len - sent;
	n = send(program, said + sent, most, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		sent += (size_t)n;
}

/* One message of what it was told: the next one, or some were dropped. */
static void
hear(struct imsg_header header, const uint8_t *data)
{
	struct told *t;
	uint32_t len;
	int at;

	len = header.len - (uint32_t)sizeof(header);
	at = header.type == FRAME_FRAME_AT;
	if (at)
		data = heard_at(&header, data, &len);
	for (;;) {
		REQUIRE(told_at < told_len);
		t = &told[told_at++];
		if (memcmp(&t->header, &header, sizeof(header)) == 0 &&
		    ((at && hasty) || t->sum == sum(data, len)))
			return;
		miss(&t->header);
	}
}

/* It reads, up to so many bytes; returns if there were any. */
static int
read_some(size_t most)
{
	struct imsg_header header;
	size_t off;
	ssize_t n;

	if (most > sizeof(heard) - heard_len)
		most = sizeof(heard) - heard_len;
	n = recv(program, heard + heard_len, most, MSG_DONTWAIT);
	if (n <= 0)
		return (0);
	heard_len += (size_t)n;
	for (off = 0; heard_len - off >= sizeof(header); off += header.len) {
		memcpy(&header, heard + off, sizeof(header));
		REQUIRE(header.len >= sizeof(header) &&
			header.len <= ROUTE_MESSAGE_MAX);
		if (header.len > heard_len - off)
			break;
		hear(header, heard + off + sizeof(header));
	}
	heard_len -= off;
	memmove(heard, heard + off, heard_len);
	return (1);
}

static size_t
length(uint8_t choice)
{
	static const uint16_t lengths[8] = { 0, 1, 29, 120, 1024, 2048, 32768,
		65535 };

	return ((size_t)lengths[choice & 7] + (choice >> 7));
}

static void
say(uint32_t type, uint32_t node, uint32_t number, const uint8_t *data,
    size_t len, size_t more)
{
	struct imsg_header header;

	header.type = type;
	header.len = (uint32_t)(sizeof(header) + len + more);
	header.peerid = node;
	header.pid = number;
	if (said_len + header.len > sizeof(said))
		return;
	memcpy(said + said_len, &header, sizeof(header));
	if (len > 0)
		memcpy(said + said_len + sizeof(header), data, len);
	memset(said + said_len + sizeof(header) + len, (int)++serial, more);
	said_len += header.len;
}

static void
say_close(struct input *input)
{
	uint8_t data[sizeof(uint32_t) + 256];
	const uint8_t *text;
	uint32_t code;
	uint8_t how;
	size_t len;

	how = input_u8(input);
	code = input_u16(input);
	memcpy(data, &code, sizeof(code));
	text = input_bytes(input, input_u8(input), &len);
	memcpy(data + sizeof(code), text, len);
	say(FRAME_CLOSE, how % NODES, how & 0x80 ? 70U + how % NODES : how >> 3,
	    data, sizeof(code) + len, 0);
}

/* From the window: what it has met there, or anything. */
static void
say_at(struct input *input)
{
	struct msg_frame_at at;
	uint8_t how;

	how = input_u8(input);
	at = had;
	switch (how >> 4 & 7) {
	case 0:
		at.at += input_u8(input);
		at.len = input_u16(input);
		break;
	case 1:
		at.at = input_u32(input);
		at.len = input_u32(input);
		break;
	case 2:
		at.at -= 64;
		break;
	default:
		break;
	}
	say(FRAME_WRITE_AT, how % NODES, 0, (const uint8_t *)&at, sizeof(at),
	    0);
}

/* It is done with what it has read; or so it says. */
static void
say_free(struct input *input)
{
	uint8_t how;

	how = input_u8(input);
	if (how & 0x80) {
		hasty = 1;
		say(FRAME_FREE, 0, had.at + input_u32(input), NULL, 0, how & 1);
		return;
	}
	say(FRAME_FREE, 0, had.at + had.len, NULL, 0, 0);
}

static void
say_bytes(struct input *input)
{
	const uint8_t *data;
	size_t len;

	data = input_bytes(input, input_u8(input), &len);
	if (said_len + len > sizeof(said))
		return;
	memcpy(said + said_len, data, len);
	said_len += len;
}

/* What a peer does. */
static void
peer_acts(struct input *input)
{
	static uint8_t packet[FRAME_DATA_MAX];
	struct origin peer;
	uint8_t how;
	size_t len;
	int there;

	how = input_u8(input);
	memset(&peer, 0, sizeof(peer));
	peer.node = 1 + (how & 1);
	peer.generation = ++serial;
	there = router_channel(&w) != NULL && !left;
	if (told_len > TOLD_MAX / 2)
		return;
	if (how & 2) {
		if (there)
			tell(how & 4 ? FRAME_CAME : FRAME_GONE, peer.node,
			    serial, NULL, 0);
		w.upper.peer(&w, &peer, (how & 4) != 0);
		return;
	}
	len = length(input_u8(input));
	memset(packet, (int)serial, len);
	if (there)
		tell(FRAME_FRAME, peer.node, serial, packet, len);
	w.upper.frame(&w, &peer, packet, len);
}

/* Ticks pass: one that reads nothing is done without after ten seconds. */
static void
time_passes(uint32_t ticks)
{
	const struct sibling *sib;
	uint32_t since;
	int late;

	while (ticks-- > 0) {
		w.tick++;
		turn();
		sib = router_channel(&w);
		since =
		    sib != NULL && route_waits(sib) ? w.tick - sib->took : 0;
		late = parting == ROUTER_TOLD && w.tick - parted >= TICKS(2);
		router_tick(&w);
		REQUIRE((router_channel(&w) == NULL) ==
			(sib == NULL || since >= TICKS(10) || late));
	}
}

/* The worker is to end. */
static void
worker_parts(void)
{
	int stays;

	if (router_channel(&w) != NULL && parting == ROUTER_UNTOLD) {
		parting = ROUTER_TOLD;
		parted = w.tick;
		leaves_off();
	}
	stays = router_stays(&w);
	REQUIRE(
	    stays == (router_channel(&w) != NULL && parting == ROUTER_TOLD));
}

static void
check_bound(void)
{
	const struct sibling *sib;

	sib = router_channel(&w);
	REQUIRE(sib == NULL || sib->queue.len + sib->rest_len <= WAITS_MAX);
}

/* The parent says that it is gone: what it has said before still counts. */
static void
goes(void)
{
	struct imsg_header h;
	int open;

	send_some(SIZE_MAX);
	open = router_channel(&w) != NULL;
	look_at_window();
	router_recv_last(&w);
	if (open && pass(&h))
		bad = 1;
	REQUIRE(router_channel(&w) == NULL);
}

static void
act(struct input *input)
{
	struct input again;
	uint8_t what;
	int most;

	what = input_u8(input);
	if ((what & 0xf) == 15 && input->size > 0 &&
	    (input->data[0] & 0xf) != 15) {
		/* The next one several times; up to queues that are full. */
		again = *input;
		for (most = what >> 4; most >= 0; most--) {
			*input = again;
			act(input);
		}
		return;
	}
	switch (what & 0xf) {
	case 0:
	case 1:
		say(FRAME_WRITE, (what >> 4) % NODES, 0, NULL, 0,
		    length(input_u8(input)));
		break;
	case 2:
		say_close(input);
		break;
	case 3:
		say(FRAME_LEAVE, 0, 0, NULL, 0, what >> 7);
		break;
	case 4:
		say(FRAME_WRITE + (what >> 4), 1, 0, NULL, 0, 1);
		break;
	case 5:
		say_bytes(input);
		break;
	case 6:
		send_some(input_u8(input));
		break;
	case 7:
		send_some(SIZE_MAX);
		break;
	case 8:
	case 9:
	case 10:
		peer_acts(input);
		break;
	case 11:
		(void)read_some(input_u16(input));
		break;
	case 12:
		time_passes(1U + (what >> 4) * 8);
		break;
	case 13:
		route_flush(&w);
		break;
	case 14:
		if (what >> 4 == 7)
			goes();
		else if (what >> 4 == 5)
			worker_parts();
		else if (what & 0x10)
			say_at(input);
		else
			say_free(input);
		break;
	default:
		break;
	}
	if (what & 0x80)
		turn();
	check_bound();
}

/* All is said and read; what it was not told has been counted. */
static void
settle(void)
{
	int i;

	for (i = 0; i < 10000; i++) {
		send_some(SIZE_MAX);
		turn();
		if (!read_some(SIZE_MAX) && sent == said_len)
			break;
		if (router_channel(&w) == NULL)
			sent = said_len;
	}
	REQUIRE(i < 10000);
	while (told_at < told_len)
		miss(&told[told_at++].header);
}

static uint64_t
drops(void)
{
	return (counters_read(counters, COUNTER_DROP_ROUTER_FULL) +
		counters_read(counters, COUNTER_DROP_ROUTER_LOST));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static uint8_t rx[RX_HEADROOM + RX_SIZE];
	struct peermap_header *header;
	uint32_t i;

	(void)argc;
	(void)argv;
	log_init("fuzz", fuzz_log_target());
	/* Where it logs, and no descriptor of a run. */
	REQUIRE(dup2(open("/dev/null", O_RDWR | O_CLOEXEC), LOG_CHILD_FD) ==
		LOG_CHILD_FD);
	header = calloc(1, PEERMAP_BYTES);
	REQUIRE(header != NULL);
	header->index = PEERMAP_INDEX(0, PEERMAP_SHIFT_MIN, 0);
	peermap_view(&w.map, header);
	w.loop = ev_default_loop(0);
	w.rx = rx + RX_HEADROOM;
	w.sessions = sessions;
	w.nslots = 2;
	for (i = 0; i < 2; i++) {
		sessions[i].state = SESSION_OPEN;
		sessions[i].peer.slot = i;
		sessions[i].peer.node = 1 + i;
		sessions[i].peer.generation = 71 + i;
	}
	router_otherwise(&w, &relay);
	shared = memfd_create("window", MFD_CLOEXEC);
	REQUIRE(shared != -1 && ftruncate(shared, FRAME_WINDOW_BYTES) == 0);
	window_map = mmap(NULL, FRAME_WINDOW_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED, shared, 0);
	REQUIRE(window_map != MAP_FAILED);
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	int pair[2];

	fuzz_descriptors_mark();
	said_len = sent = said_at = heard_len = 0;
	told_len = told_at = missed = missed_events = serial = 0;
	bad = left = hasty = 0;
	parting = ROUTER_UNTOLD;
	nburst = 0;
	memset(&had, 0, sizeof(had));
	window = size % 2 == 0 ? NULL : window_map;
	dropped = drops();
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0, pair) == 0);
	program = pair[1];
	tell(FRAME_JOINED, 0, 0, NULL, 0);
	if (window != NULL)
		router_share(&w, fcntl(shared, F_DUPFD_CLOEXEC, 0));
	router_recv_open(&w, pair[0]);
	while (input.size > 0)
		act(&input);
	settle();
	(void)close(program);
	turn();
	dropped = drops() - dropped;
	REQUIRE(dropped <= missed && missed - missed_events <= dropped);
	REQUIRE(router_channel(&w) == NULL && loop_watchers() == 0);
	fuzz_descriptors_check();
	return (0);
}
