/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/wait.h>

#include <stddef.h>
#include <time.h>

#include "regress/unit/auth/ends.h"

/* The process as a whole, with the test as its parent and as its workers. */
#define NODE  7777U
#define OTHER 7778U
#define SEEN  7779U /* a node that has a first key only */
#define PATH  "etc/keys"

static int
put_keys(int both)
{
	char b64[64], text[256];
	struct msg_keys msg;
	int fd, len;

	memset(&msg, 0, sizeof(msg));
	(void)strlcpy(msg.path, PATH, sizeof(msg.path));
	(void)sodium_bin2base64(
	    b64, sizeof(b64), pk, sizeof(pk), sodium_base64_VARIANT_ORIGINAL);
	len = snprintf(text, sizeof(text), "%u %s\n", NODE, b64);
	(void)sodium_bin2base64(
	    b64, sizeof(b64), pk2, sizeof(pk2), sodium_base64_VARIANT_ORIGINAL);
	if (both)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "%u %s\nrubbish\n", OTHER, b64);
	fd = memfd_create("keys", 0);
	if (fd == -1 || write(fd, text, (size_t)len) != len ||
	    lseek(fd, 0, SEEK_SET) != 0)
		return (0);
	return (put(&parent, PA_KEYS, fd, &msg, sizeof(msg)));
}

static void
start(void)
{
	struct msg_nonces_wanted wanted;
	struct msg_keys_read keys;
	struct msg_hello hello;
	int fd;

	wanted.count = 1;
	fd = channel_to(&parent);
	CHECK(fd != -1);
	from_parent_open(&auth, fd);
	CHECK(put_hello(BEACOND_VERSION));
	CHECK(put_settings(1));
	CHECK(put_memory(PA_MAP, 0));
	CHECK(put_memory(PA_COUNTERS, COUNTERS_BYTES));
	CHECK(put_keys(1));
	CHECK(put_worker(9));
	CHECK(put(&parent, PA_PING, -1, NULL, 0));
	CHECK(get(&parent, AP_PONG, NULL, 0));
	/* A worker that asks before there are keys has to wait. */
	CHECK(put(&worker, WA_NONCES, -1, &wanted, sizeof(wanted)));
	CHECK(next(&worker) == 0);
	CHECK(put(&parent, PA_START, -1, NULL, 0));
	CHECK(get(&parent, AP_KEYS, &keys, sizeof(keys)));
	CHECK(keys.keys == 2 && keys.bad == 1);
	CHECK(get(&parent, AP_READY, &hello, sizeof(hello)));
	CHECK(hello.epoch == 5);
	CHECK(strcmp(hello.version, BEACOND_VERSION) == 0);
	CHECK(next(&worker) == 1 && imsg_get_type(&imsg) == AW_NONCES);
}

static void
logins(void)
{
	CHECK(want_nonces(8));
	CHECK(put_verify(0, NODE, 0, sk));
	CHECK(admitted(0, NODE, pk));
	CHECK(put_verify(1, OTHER, 1, sk2));
	CHECK(admitted(1, OTHER, pk2));
	CHECK(put_verify(2, NODE, 0, sk2));
	CHECK(refused(2));
	CHECK(put_verify(0, NODE, 0, sk));
	CHECK(refused(0));
	CHECK(put_verify(3, SEEN, 0, sk));
	CHECK(refused(3));
	CHECK(put_settings(0));
	CHECK(put(&parent, PA_PING, -1, NULL, 0));
	CHECK(get(&parent, AP_PONG, NULL, 0));
	CHECK(put_verify(4, NODE, 1, sk));
	CHECK(refused(4));
	CHECK(next(&parent) == 0 && next(&worker) == 0);
	CHECK(counters->value[COUNTER_VERIFY_OK] == 2);
	CHECK(counters->value[COUNTER_VERIFY_LEGACY] == 1);
	CHECK(counters->value[COUNTER_VERIFY_SIGNATURE] == 2);
	CHECK(counters->value[COUNTER_VERIFY_NONCE] == 1);
	CHECK(counters->value[COUNTER_VERIFY_UNKNOWN] == 1);
}

/* Many in one read: in order, none lost at the end of a turn. */
static void
many_logins(void)
{
	uint32_t i;

	CHECK(want_nonces(PROTO_NONCES_MAX));
	for (i = 0; i < PROTO_NONCES_MAX; i++)
		CHECK(put_verify(i, NODE, 0, sk));
	for (i = 0; i < PROTO_NONCES_MAX; i++)
		CHECK(admitted(i, NODE, pk));
}

/* The parent's ping is answered between two turns of a busy worker. */
static void
ping_overtakes(void)
{
	uint32_t admits, i;

	CHECK(want_nonces(PROTO_NONCES_MAX));
	for (i = 0; i < PROTO_NONCES_MAX; i++)
		CHECK(put_verify(i, NODE, 0, sk));
	CHECK(put(&parent, PA_PING, -1, NULL, 0));
	for (admits = 0; next(&parent) == 1; admits++)
		if (imsg_get_type(&imsg) == AP_PONG)
			break;
	CHECK(imsg_get_type(&imsg) == AP_PONG);
	CHECK(admits <= 2 * AUTH_TURN);
	for (; admits < PROTO_NONCES_MAX; admits++)
		CHECK(admitted(admits, NODE, pk));
}

static void
grants(void)
{
	struct msg_first_key key;
	struct msg_granted granted;
	struct msg_grant msg;
	char text[128];
	int i;

	memset(&msg, 0, sizeof(msg));
	msg.request = 55;
	msg.requester = NODE;
	msg.target = SEEN;
	msg.expiry = (uint64_t)time(NULL) + 60;
	(void)snprintf(text, sizeof(text), "punch-grant:%u:%u:%llu", NODE, SEEN,
	    (unsigned long long)msg.expiry);
	(void)crypto_sign_detached(
	    msg.sig, NULL, (unsigned char *)text, strlen(text), sk2);
	key.node = SEEN;
	memcpy(key.key, pk2, sizeof(key.key));
	for (i = 0; i < 2; i++) {
		CHECK(put(&worker, WA_GRANT, -1, &msg, sizeof(msg)));
		CHECK(get(&worker, AW_GRANTED, &granted, sizeof(granted)));
		CHECK(granted.request == 55 && granted.ok == (uint32_t)i);
		CHECK(put(&worker, WA_FIRST_KEY, -1, &key, sizeof(key)));
	}
	/* No login by a key that anyone could have sent. */
	CHECK(want_nonces(1));
	CHECK(put_verify(0, SEEN, 0, sk2));
	CHECK(refused(0));
	key.node = NODE;
	CHECK(put(&worker, WA_FIRST_KEY, -1, &key, sizeof(key)));
	CHECK(next(&worker) == 0);
	CHECK(auth.first.count == 1);
}

static int
revoked(uint32_t node, uint32_t generation)
{
	struct msg_closed msg;

	return (get(&parent, AP_REVOKE, &msg, sizeof(msg)) &&
		msg.node == node && msg.generation == generation);
}

/* A node without a key any more, one with another, across steps of the walk */
static void
reload(void)
{
	struct msg_keys_read keys;

	session(0, NODE, 31, pk);
	session(1, OTHER, 32, pk2);
	session(2, SEEN, 0, pk2); /* no session */
	session(1500, NODE, 33, pk2);
	CHECK(put_keys(0));
	CHECK(get(&parent, AP_KEYS, &keys, sizeof(keys)));
	CHECK(keys.keys == 1 && keys.bad == 0);
	CHECK(revoked(OTHER, 32));
	CHECK(revoked(NODE, 33));
	CHECK(next(&parent) == 0);
	CHECK(want_nonces(2));
	CHECK(put_verify(0, NODE, 0, sk));
	CHECK(admitted(0, NODE, pk));
	CHECK(put_verify(1, OTHER, 0, sk2));
	CHECK(refused(1));
}

/* A login by an old key that reached the map after the walk is found, too. */
static void
second_walk(void)
{
	CHECK(ev_is_active(&auth.again));
	session(3, OTHER, 34, pk2);
	ev_invoke(auth.loop, &auth.again, EV_TIMER);
	CHECK(revoked(OTHER, 32));
	CHECK(revoked(OTHER, 34));
	CHECK(revoked(NODE, 33));
	CHECK(next(&parent) == 0);
	/* Until there is none left. */
	CHECK(ev_is_active(&auth.again));
	session(1, OTHER, 0, pk2);
	session(3, OTHER, 0, pk2);
	session(1500, NODE, 0, pk2);
	ev_timer_stop(auth.loop, &auth.again);
	ev_invoke(auth.loop, &auth.again, EV_TIMER);
	CHECK(next(&parent) == 0);
	CHECK(!ev_is_active(&auth.again));
}

/* A file that can't be read leaves keys and sessions alone. */
static void
unreadable_file(void)
{
	struct msg_keys_read keys;
	struct msg_keys msg;
	int fds[2];

	memset(&msg, 0, sizeof(msg));
	CHECK(pipe(fds) == 0);
	CHECK(put(&parent, PA_KEYS, fds[0], &msg, sizeof(msg)));
	CHECK(get(&parent, AP_KEYS, &keys, sizeof(keys)));
	CHECK(keys.result == KEYS_KEPT && keys.keys == 0 && keys.bad == 0);
	CHECK(next(&parent) == 0);
	CHECK(auth.store.file.count == 1);
	(void)close(fds[1]);
}

/* The parent does not read for a while: workers wait, nothing is lost. */
static void
slow_parent(void)
{
	struct msg_admit msg;
	uint32_t i, sent, total;

	memset(&msg, 0, sizeof(msg));
	sent = 1;
	for (total = 0; total < 60000 && sent > 0; total += sent) {
		CHECK(want_nonces(1));
		/* Worthless logins of which the answer goes to the parent. */
		sent = 0;
		for (i = 0; i < 500 && !tell_congested(&auth); i++, sent++)
			tell_parent(&auth, AP_ADMIT, &msg, sizeof(msg));
	}
	CHECK(tell_congested(&auth));
	CHECK(put_verify(0, NODE, 0, sk));
	for (i = 0; i < 20; i++)
		(void)ev_run(auth.loop, EVRUN_ONCE);
	CHECK(auth.workers[3]->channel.paused);
	for (i = 0; i < total; i++)
		CHECK(get(&parent, AP_ADMIT, &msg, sizeof(msg)));
	CHECK(admitted(0, NODE, pk));
	CHECK(next(&parent) == 0);
	CHECK(!auth.workers[3]->channel.paused);
	CHECK(want_nonces(1));
}

static int
hostile(const char *reason)
{
	struct msg_hostile msg;

	return (get(&parent, AP_HOSTILE, &msg, sizeof(msg)) &&
		msg.worker == 3 && msg.epoch == 9 &&
		strcmp(msg.reason, reason) == 0 && auth.workers[3] == NULL);
}

/* What a worker that was taken over may try; each time it is a new one. */
static void
hostile_workers(void)
{
	struct msg_nonces_wanted wanted;
	struct msg_verify verify;
	int i;

	memset(&verify, 0, sizeof(verify));
	CHECK(put(&worker, WA_VERIFY, -1, &verify, sizeof(verify) - 1));
	CHECK(hostile("message of wrong size"));
	hang_up(&worker);
	CHECK(put_worker(9));
	CHECK(put(&worker, WA_GRANT + 1, -1, NULL, 0));
	CHECK(hostile("message of unknown type"));
	hang_up(&worker);
	CHECK(put_worker(9));
	for (i = 0; i < 2; i++) {
		wanted.count = i * (PROTO_NONCES_MAX + 1);
		CHECK(put(&worker, WA_NONCES, -1, &wanted, sizeof(wanted)));
		CHECK(hostile("number of nonces out of range"));
		hang_up(&worker);
		CHECK(put_worker(9));
	}
}

/* One that asks and asks and never reads. */
static void
deaf_worker(void)
{
	struct msg_nonces_wanted wanted;
	int i;

	wanted.count = PROTO_NONCES_MAX;
	for (i = 0; i < 100000 && auth.workers[3] == NULL; i++)
		(void)ev_run(auth.loop, EVRUN_NOWAIT);
	for (i = 0; i < 100000 && auth.workers[3] != NULL; i++) {
		(void)put(&worker, WA_NONCES, -1, &wanted, sizeof(wanted));
		(void)ev_run(auth.loop, EVRUN_NOWAIT);
	}
	CHECK(hostile("does not read its answers"));
	hang_up(&worker);
}

/* One that reads all, and asks for more than anyone could answer. */
static void
greedy_worker(void)
{
	struct msg_nonces_wanted wanted;
	int i;

	CHECK(put_worker(9));
	wanted.count = 1;
	for (i = 0; i < 5; i++) {
		CHECK(want_nonces(1));
		/* As if it had; a new second in between forgives it. */
		auth.workers[3]->nonces.used = AUTH_NONCES_PER_SECOND;
		CHECK(put(&worker, WA_NONCES, -1, &wanted, sizeof(wanted)));
		if (next(&worker) == -1)
			break;
	}
	CHECK(hostile("asks for nonces without end"));
	hang_up(&worker);
}

/* A new epoch ends the old channel, and its nonces with it. */
static void
new_worker(void)
{
	struct imsgbuf old;
	uint32_t number;

	CHECK(put_worker(8));
	CHECK(want_nonces(1));
	number = first_nonce;
	old = worker;
	CHECK(put_worker(9));
	CHECK(next(&old) == -1);
	CHECK(put_verify(0, NODE, 0, sk));
	CHECK(refused(0));
	CHECK(want_nonces(1));
	CHECK(first_nonce == number);
	CHECK(put_verify(0, NODE, 0, sk));
	CHECK(admitted(0, NODE, pk));
	hang_up(&old);
	/* Its end is no offence. */
	hang_up(&worker);
	CHECK(next(&parent) == 0);
	CHECK(auth.workers[3] == NULL);
}

/* The exit status of a fresh process that is told this by its parent. */
static int
child(void (*tell)(void))
{
	int fd, status;
	pid_t pid;

	hang_up(&parent);
	fd = channel_to(&parent);
	if (fd == -1)
		return (-1);
	pid = fork();
	if (pid == 0) {
		(void)close(parent.fd);
		channel_close(&auth.parent);
		ev_loop_fork(auth.loop);
		from_parent_open(&auth, fd);
		(void)ev_run(auth.loop, 0);
		_exit(99);
	}
	(void)close(fd);
	tell();
	if (pid == -1 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return (-1);
	return (WEXITSTATUS(status));
}

static void
tell_nothing(void)
{
	(void)shutdown(parent.fd, SHUT_RDWR);
}

static void
tell_shutdown(void)
{
	(void)put_hello(BEACOND_VERSION);
	(void)put(&parent, PA_SHUTDOWN, -1, NULL, 0);
}

static void
tell_version(void)
{
	(void)put_hello("0.0-other");
}

static void
tell_start(void)
{
	(void)put_hello(BEACOND_VERSION);
	(void)put(&parent, PA_START, -1, NULL, 0);
}

static void
tell_before_hello(void)
{
	(void)put_settings(1);
}

static void
tell_worker(void)
{
	struct msg_worker msg;
	int fd;

	(void)put_hello(BEACOND_VERSION);
	fd = channel_to(&worker);
	msg.worker = PROTO_PLACES_MAX;
	msg.epoch = 1;
	(void)put(&parent, PA_WORKER, fd, &msg, sizeof(msg));
	hang_up(&worker);
}

static void
tell_another_map(void)
{
	(void)put_hello(BEACOND_VERSION);
	(void)put_memory(PA_MAP, 0);
	(void)put_memory(PA_MAP, 0);
	(void)put(&parent, PA_SHUTDOWN, -1, NULL, 0);
}

static void
tell_no_map(void)
{
	(void)put_hello(BEACOND_VERSION);
	(void)put(&parent, PA_MAP, memfd_create("map", 0), NULL, 0);
	(void)put(&parent, PA_SHUTDOWN, -1, NULL, 0);
}

/* The second, unless they were forgotten. */
static void
tell_second_counters(void)
{
	(void)put_hello(BEACOND_VERSION);
	(void)put_memory(PA_COUNTERS, COUNTERS_BYTES);
	(void)put(&parent, PA_SHUTDOWN, -1, NULL, 0);
}

static void
tell_small_counters(void)
{
	(void)put_hello(BEACOND_VERSION);
	(void)put_memory(PA_COUNTERS, COUNTERS_BYTES - 1);
	(void)put(&parent, PA_SHUTDOWN, -1, NULL, 0);
}

static void
tell_endless_path(uint32_t type, size_t len)
{
	uint8_t msg[sizeof(struct msg_snapshot)];

	memset(msg, 'x', sizeof(msg));
	(void)put_hello(BEACOND_VERSION);
	(void)put(&parent, type, memfd_create("keys", 0), msg, len);
	(void)put(&parent, PA_SHUTDOWN, -1, NULL, 0);
}

static void
tell_endless_keys(void)
{
	tell_endless_path(PA_KEYS, sizeof(struct msg_keys));
}

static void
tell_endless_snapshot(void)
{
	tell_endless_path(PA_SNAPSHOT, sizeof(struct msg_snapshot));
}

/* A configuration of the registry without an end, and one without a burst. */
static void
tell_registry_conf(size_t end, uint32_t burst)
{
	struct msg_registry_conf conf;

	memset(&conf, 0, sizeof(conf));
	conf.burst = burst;
	conf.refresh = 1;
	if (end > 0)
		memset((uint8_t *)&conf + end, 'x', PROTO_HOST_LEN);
	(void)put_hello(BEACOND_VERSION);
	(void)put(&parent, PA_REGISTRY_CONF, -1, &conf, sizeof(conf));
	(void)put(&parent, PA_SHUTDOWN, -1, NULL, 0);
}

static void
tell_endless_host(void)
{
	tell_registry_conf(offsetof(struct msg_registry_conf, host), 1);
}

static void
tell_no_burst(void)
{
	tell_registry_conf(0, 0);
}

static void
tell_burst(void)
{
	tell_registry_conf(0, 1);
}

static void
parents(void)
{
	auth.has_map = 0;
	CHECK(child(tell_nothing) == 0);
	CHECK(child(tell_shutdown) == 0);
	CHECK(child(tell_version) == 1);
	CHECK(child(tell_start) == 1);
	CHECK(child(tell_before_hello) == 1);
	CHECK(child(tell_worker) == 1);
}

/* It is trusted, and yet what it says is looked at. */
static void
parents_in_error(void)
{
	auth.has_map = 0;
	CHECK(child(tell_another_map) == 0);
	CHECK(child(tell_no_map) == 1);
	CHECK(child(tell_second_counters) == 1);
	auth.has_counters = 0;
	CHECK(child(tell_small_counters) == 1);
	CHECK(child(tell_second_counters) == 0);
	CHECK(child(tell_endless_keys) == 1);
	CHECK(child(tell_endless_snapshot) == 1);
	CHECK(child(tell_endless_host) == 1);
	CHECK(child(tell_no_burst) == 1);
	CHECK(child(tell_burst) == 0);
}

int
main(void)
{
	if (ends_init() == -1)
		return (1);
	RUN(start);
	RUN(logins);
	RUN(many_logins);
	RUN(ping_overtakes);
	RUN(grants);
	RUN(reload);
	RUN(second_walk);
	RUN(unreadable_file);
	RUN(slow_parent);
	RUN(hostile_workers);
	RUN(deaf_worker);
	RUN(greedy_worker);
	RUN(new_worker);
	RUN(parents);
	RUN(parents_in_error);
	return (test_failed());
}
