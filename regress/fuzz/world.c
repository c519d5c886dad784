/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/child.h"
#include "common/clock.h"
#include "common/counters.h"
#include "common/failures.h"
#include "common/log.h"
#include "regress/fuzz/loop.h"
#include "regress/fuzz/world.h"
#include "worker/worker.h"

/* The one file that looks into a worker. */

struct world world;

static uint64_t counted[COUNTER_MAX]; /* when the run began */
static uint8_t used[65536];           /* nonces, by the low bits of a number */

int worker_main(int, char **);
void __wrap_child_start(struct child *, int, char **, const char *);
void __wrap_child_confine(const struct child *);

void
__wrap_child_start(struct child *child, int argc, char **argv, const char *name)
{
	(void)child;
	(void)argc;
	(void)argv;
	log_init(name, fuzz_log_target());
}

void
__wrap_child_confine(const struct child *child)
{
	(void)child;
}

static void
tell(struct imsgbuf *imsgbuf, uint32_t type, int fd, const void *data,
    size_t len)
{
	int i;

	REQUIRE(imsg_compose(imsgbuf, type, 0, 0, fd, data, len) == 1);
	for (i = 0; imsgbuf_queued(imsgbuf) > 0; i++) {
		REQUIRE(i < 100);
		if (imsgbuf_write(imsgbuf) == -1) {
			imsgbuf_drop_queue(imsgbuf);
			return;
		}
		if (imsgbuf_queued(imsgbuf) > 0)
			(void)loop_turn();
	}
}

/* The parent says something; fd (or -1) goes with it. */
void
world_tell(uint32_t type, int fd, const void *data, size_t len)
{
	tell(&world.parent, type, fd, data, len);
}

void
world_auth_tell(uint32_t type, const void *data, size_t len)
{
	if (world.auth.fd != -1)
		tell(&world.auth, type, -1, data, len);
}

/* Settings of which the bits of `how` choose the unusual ones. */
void
world_settings(uint8_t how)
{
	struct msg_settings s;

	memset(&s, 0, sizeof(s));
	s.auth_timeout = 10;
	s.head_timeout = 5;
	s.idle_timeout = 90;
	s.ping_interval = 30;
	s.write_timeout = 10;
	s.max_peers = how & 0x01 ? 2 : 0;
	s.max_frame = how & 0x02 ? 2000 : MESSAGE_MAX;
	s.legacy_signatures = 1;
	s.log_level = LOG_INFO;
	s.source_packet_limit = how & 0x04 ? 4 : 0;
	s.source_upgrade_limit = how & 0x08 ? 1 : 0;
	s.require_punch_grant = (how & 0x10) != 0;
	s.punch_source_limit = how & 0x20 ? 1 : 0;
	s.punch_total_limit = how & 0x20 ? 2 : 0;
	s.gossip_from_any = (how & 0x40) != 0;
	s.max_sockets = SESSIONS;
	world_tell(PW_SETTINGS, -1, &s, sizeof(s));
}

static void
let_go(struct imsgbuf *imsgbuf)
{
	int fd;

	fd = imsgbuf->fd;
	if (fd == -1)
		return;
	imsgbuf_clear(imsgbuf);
	(void)close(fd);
}

/* Auth is gone, or dead and born again: what it knew is forgotten. */
void
world_auth_anew(void)
{
	int pair[2];

	let_go(&world.auth);
	world.nverifies = 0;
	world.nonces_owed = 0;
	REQUIRE(channel_pair(pair) == 0);
	REQUIRE(imsgbuf_init(&world.auth, pair[0]) == 0);
	world_tell(PW_AUTH, pair[1], NULL, 0);
}

/* Auth hands out nonces; each begins with its number. */
void
world_nonces(uint32_t most)
{
	uint8_t
	    buf[sizeof(struct msg_nonces) + PROTO_NONCES_MAX * PROTO_NONCE_LEN];
	struct msg_nonces msg;
	uint32_t i;
	uint8_t *value;

	msg.count = most < PROTO_NONCES_MAX ? most : PROTO_NONCES_MAX;
	if (msg.count > world.nonces_owed)
		msg.count = world.nonces_owed;
	if (msg.count == 0)
		return;
	world.nonces_owed -= msg.count;
	msg.first = world.next_nonce;
	msg.wall = clock_wall_offset();
	memset(buf, 0x5a, sizeof(buf));
	memcpy(buf, &msg, sizeof(msg));
	for (i = 0; i < msg.count; i++) {
		value = buf + sizeof(msg) + (size_t)i * PROTO_NONCE_LEN;
		memcpy(value, &world.next_nonce, sizeof(world.next_nonce));
		used[world.next_nonce++ % sizeof(used)] = 0;
	}
	world_auth_tell(
	    AW_NONCES, buf, sizeof(msg) + (size_t)msg.count * PROTO_NONCE_LEN);
}

static void
hear_verify(const struct msg_verify *verify)
{
	struct client *c;

	REQUIRE(verify->slot < SESSIONS);
	REQUIRE(!used[verify->nonce % sizeof(used)]);
	used[verify->nonce % sizeof(used)] = 1;
	c = client_of(ledger_signer(verify->sig));
	if (c != NULL && !c->wild) {
		REQUIRE(verify->node == c->node);
		REQUIRE(c->nonce == 0 || verify->nonce == c->nonce);
	}
	if (world.nverifies == VERIFIES)
		memmove(world.verifies, world.verifies + 1,
		    --world.nverifies * sizeof(*verify));
	world.verifies[world.nverifies++] = *verify;
	if (world.prompt)
		world_judge(0, 0);
}

static void
hear_grant(const struct msg_grant *grant)
{
	struct msg_granted msg;

	msg.request = grant->request;
	msg.ok = grant->request & 1;
	if (world.prompt)
		world_auth_tell(AW_GRANTED, &msg, sizeof(msg));
}

static void
auth_message(const struct imsg *imsg)
{
	struct msg_nonces_wanted wanted;
	struct msg_first_key key;
	struct msg_verify verify;
	struct msg_grant grant;

	switch (imsg_get_type(imsg)) {
	case WA_NONCES:
		REQUIRE(imsg_get_data(imsg, &wanted, sizeof(wanted)) == 0);
		REQUIRE(wanted.count > 0 && wanted.count <= PROTO_NONCES_MAX);
		world.nonces_owed += wanted.count;
		REQUIRE(world.nonces_owed <= 1024);
		if (world.prompt)
			world_nonces(PROTO_NONCES_MAX);
		break;
	case WA_VERIFY:
		REQUIRE(imsg_get_data(imsg, &verify, sizeof(verify)) == 0);
		hear_verify(&verify);
		break;
	case WA_FIRST_KEY:
		REQUIRE(imsg_get_data(imsg, &key, sizeof(key)) == 0);
		REQUIRE(key.node != 0);
		break;
	case WA_GRANT:
		REQUIRE(imsg_get_data(imsg, &grant, sizeof(grant)) == 0);
		REQUIRE(grant.pad == 0);
		hear_grant(&grant);
		break;
	default:
		REQUIRE(!"message to auth");
	}
}

static void
hear_closed(const struct msg_closed *closed)
{
	struct peermap_entry entry;
	uint32_t i, number;

	for (i = 0; i < world.nopened; i++)
		if (world.opened[i].msg.generation == closed->generation)
			break;
	REQUIRE(i < world.nopened && !world.opened[i].closed);
	REQUIRE(world.opened[i].msg.node == closed->node);
	world.opened[i].closed = 1;
	world.ended = 1;
	number = pmap_find(&world.map, closed->node);
	if (number == PEERMAP_NONE)
		return;
	entry = *pmap_entry(&world.map, number);
	if (entry.generation != closed->generation)
		return;
	entry.generation = 0;
	pmap_store(&world.map, number, &entry);
}

static void
hear_endpoint(const struct msg_endpoint *seen)
{
	struct peermap_entry entry;
	uint32_t number;

	REQUIRE(seen->node != 0 && seen->port != 0);
	REQUIRE(seen->port <= UINT16_MAX && seen->flags <= UINT8_MAX);
	if (!world.prompt)
		return;
	number = pmap_add(&world.map, seen->node, 0);
	REQUIRE(number != PEERMAP_NONE);
	entry = *pmap_entry(&world.map, number);
	memcpy(entry.addr, seen->addr, sizeof(entry.addr));
	entry.port = (uint16_t)seen->port;
	entry.flags = (uint8_t)seen->flags;
	entry.seen = entry.moved = clock_seconds();
	pmap_store(&world.map, number, &entry);
	if (seen->answer)
		world_tell(PW_ENDPOINT, -1, seen, sizeof(*seen));
}

static void
hear_sync(const struct imsg *imsg)
{
	struct msg_sync sync;

	REQUIRE(imsg_get_len(imsg) >= sizeof(sync));
	memcpy(&sync, imsg->data, sizeof(sync));
	REQUIRE(sync.port != 0 && sync.count <= PROTO_SYNC_CHUNK);
	REQUIRE(
	    imsg_get_len(imsg) == sizeof(sync) + sync.count * sizeof(uint32_t));
}

static void
parent_message(const struct imsg *imsg)
{
	struct msg_endpoint seen;
	struct msg_closed closed;

	switch (imsg_get_type(imsg)) {
	case WP_READY:
		REQUIRE(imsg_get_len(imsg) == sizeof(struct msg_hello));
		break;
	case WP_CLOSED:
		REQUIRE(imsg_get_data(imsg, &closed, sizeof(closed)) == 0);
		hear_closed(&closed);
		break;
	case WP_STAT:
		REQUIRE(imsg_get_len(imsg) ==
			sizeof(struct msg_stat) + sizeof(struct msg_stat_row));
		REQUIRE(world.stats-- > 0);
		break;
	case WP_ENDPOINT:
		REQUIRE(imsg_get_data(imsg, &seen, sizeof(seen)) == 0);
		hear_endpoint(&seen);
		break;
	case WP_SYNC:
		hear_sync(imsg);
		break;
	case WP_PONG:
		REQUIRE(imsg_get_len(imsg) == 0 && world.pings-- > 0);
		break;
	case WP_STILL:
		world_still_heard(imsg);
		break;
	default:
		REQUIRE(world.moves != NULL);
		world.moves(imsg);
	}
}

static int
hear(struct imsgbuf *imsgbuf, void (*message)(const struct imsg *))
{
	struct imsg imsg;
	int heard, n;

	if (imsgbuf->fd == -1)
		return (0);
	heard = 0;
	REQUIRE(imsgbuf_read(imsgbuf) == 1);
	while ((n = imsgbuf_get(imsgbuf, &imsg)) == 1) {
		REQUIRE(!imsg_has_fd(&imsg));
		message(&imsg);
		imsg_free(&imsg);
		heard++;
	}
	REQUIRE(n == 0);
	return (heard);
}

/* Parent and auth take what the worker has said; returns how much that was. */
int
world_hear(void)
{
	static uint64_t heard;
	int n;

	if (net_sent() == heard)
		return (0);
	heard = net_sent();
	n = hear(&world.parent, parent_message);
	n += hear(&world.auth, auth_message);
	n += world_still_hear();
	if (n > 0) /* perhaps not all */
		heard = 0;
	return (n);
}

/* The old owner of a node's session hears that it has been replaced. */
static void
replaced(const struct peermap_entry *old, uint32_t slot)
{
	struct msg_close msg;
	uint32_t i;

	if (old->generation == 0 || old->worker != 0)
		return;
	for (i = 0; i < world.nopened; i++)
		if (world.opened[i].msg.generation == old->generation)
			if (world.opened[i].party != 0)
				ledger_silence(world.opened[i].party);
	msg.slot = old->slot;
	msg.generation = old->generation;
	msg.reason = CLOSE_REPLACED;
	if (slot != old->slot)
		world_tell(PW_CLOSE, -1, &msg, sizeof(msg));
}

static void
admit(const struct msg_verify *verify)
{
	struct peermap_entry entry, old;
	struct opened *opened;
	struct client *c;
	uint32_t number;

	if (world.nopened == OPENED)
		return;
	number = pmap_add(&world.map, verify->node, 0);
	REQUIRE(number != PEERMAP_NONE);
	entry = old = *pmap_entry(&world.map, number);
	opened = &world.opened[world.nopened++];
	opened->msg.slot = verify->slot;
	opened->msg.serial = verify->serial;
	opened->msg.node = verify->node;
	opened->msg.generation = pmap_next_generation(&world.map);
	opened->party = ledger_signer(verify->sig);
	opened->closed = 0;
	entry.generation = opened->msg.generation;
	entry.worker = 0;
	entry.slot = verify->slot;
	pmap_store(&world.map, number, &entry);
	replaced(&old, verify->slot);
	c = client_of(opened->party);
	if (c != NULL)
		c->open = 1;
	world_tell(PW_OPEN, -1, &opened->msg, sizeof(opened->msg));
}

/* Auth has judged one of those that log in. */
void
world_judge(uint32_t which, uint8_t verdict)
{
	struct msg_refused refused;
	struct msg_refuse refuse;
	struct msg_verify verify;

	if (world.nverifies == 0)
		return;
	which %= world.nverifies;
	verify = world.verifies[which];
	memmove(&world.verifies[which], &world.verifies[which + 1],
	    (--world.nverifies - which) * sizeof(verify));
	refuse.slot = refused.slot = verify.slot;
	refuse.serial = refused.serial = verify.serial;
	refused.reason = 1 + (uint32_t)(verdict >> 2) % (REFUSED_MAX - 1);
	refuse.reason = 1 + (verdict >> 2 & 1);
	switch (verdict & 3) {
	case 0:
		admit(&verify);
		break;
	case 1:
		world_auth_tell(AW_REFUSED, &refused, sizeof(refused));
		break;
	case 2:
		world_tell(PW_REFUSE, -1, &refuse, sizeof(refuse));
		break;
	default: /* nothing comes of it */
		break;
	}
}

static void
send_copy(uint32_t type, int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	REQUIRE(fd != -1);
	world_tell(type, fd, NULL, 0);
}

static void
introduce(void)
{
	struct msg_hello hello;
	int fd;

	proto_fill_hello(&hello);
	hello.worker = 0;
	hello.epoch = 1;
	world_tell(PW_HELLO, -1, &hello, sizeof(hello));
	world_settings(0);
	send_copy(PW_MAP, world.map.fd);
	fd = memfd_create("counters", MFD_CLOEXEC);
	REQUIRE(fd != -1 && ftruncate(fd, COUNTERS_BYTES) == 0);
	world_tell(PW_COUNTERS, fd, NULL, 0);
}

static void
drained(int status)
{
	REQUIRE(status == 0);
	REQUIRE(world.worker->draining && world.worker->nupgraded == 0);
	world.drained = 1;
}

/*
 * The descriptors that a child finds open, in the place of what this process
 * may have been given, and our end of its channel.
 */
static void
channel_ends(int ends[2])
{
	int i, null, pair[2];

	REQUIRE(channel_pair(pair) == 0);
	for (i = 0; i < 2; i++) {
		ends[i] = fcntl(pair[i], F_DUPFD_CLOEXEC, LOG_CHILD_FD + 1);
		REQUIRE(ends[i] != -1);
		(void)close(pair[i]);
	}
	REQUIRE(dup2(ends[1], CHILD_PARENT_FD) == CHILD_PARENT_FD);
	(void)close(ends[1]);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	REQUIRE(dup2(null, LOG_CHILD_FD) == LOG_CHILD_FD);
	if (null != LOG_CHILD_FD)
		(void)close(null);
}

/* Once: starts the worker as its own main() does. */
void
world_start(void)
{
	static char name[] = "beacond-worker";
	static char *argv[] = { name, NULL };
	const struct channel *channel;
	int pair[2];

	channel_ends(pair);
	REQUIRE(pmap_create(&world.map) == 0);
	REQUIRE(imsgbuf_init(&world.parent, pair[0]) == 0);
	imsgbuf_allow_fdsend(&world.parent);
	world.auth.fd = -1;
	world.next_nonce = 1;
	fuzz_on_exit = drained;
	(void)worker_main(1, argv);
	channel = loop_owner(CHILD_PARENT_FD);
	REQUIRE(channel != NULL);
	world.worker = channel->owner;
	introduce();
	net_start();
	world_auth_anew();
	sibling_anew();
	world_tell(PW_START, -1, NULL, 0);
	world.prompt = 1;
	while (loop_turn() + world_hear() > 0)
		continue;
}

static uint64_t
since(enum counter c)
{
	return (counters_read(counters, c) - counted[c]);
}

/* A run begins, with a worker at rest. */
void
world_begin(uint8_t settings)
{
	int i;

	for (i = 0; i < COUNTER_MAX; i++)
		counted[i] = counters_read(counters, i);
	world.nopened = 0;
	world.drained = world.ended = 0;
	/* Nonces and budgets of before are over. */
	fuzz_pass(60000);
	world_settings(settings);
	(void)loop_turn();
}

/* All sessions are over: what the worker has must be what it began with. */
void
world_rest(void)
{
	struct worker *w;
	uint32_t i;

	w = world.worker;
	REQUIRE(w->load == 0 && counters->own[OWN_CONNECTIONS] == 0);
	REQUIRE(w->nupgraded == 0 && w->queued == 0);
	for (i = 0; i < INBOUND_KINDS; i++)
		REQUIRE(w->inbound[i].bytes == 0);
	REQUIRE(since(COUNTER_UPGRADE_OK) ==
		since(COUNTER_AUTH_OK) + since(COUNTER_AUTH_FAIL));
	REQUIRE(since(COUNTER_ACCEPTED) == net_accepted());
	for (i = 0; i < world.nopened; i++)
		REQUIRE(world.opened[i].closed);
	REQUIRE(world.stats == 0 && world.pings == 0);
	world.nverifies = 0;
	w->draining = 0;
}

/* Nothing is under way any more, and all that was sent has been read. */
void
world_settled(void)
{
	uint64_t drops;
	int i;

	drops = 0;
	for (i = 0; i < COUNTER_MAX; i++)
		if (strstr(counters_name(i), "drops_total") != NULL)
			drops += since(i);
	if (world.ended)
		return;
	REQUIRE(ledger_missing() <= drops);
	REQUIRE(since(COUNTER_FRAMES_OUT) == clients_frames());
}
