/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/auth/fake_registry.h"
#include "regress/unit/still_clock.h"

/*
 * Keys that are there before anybody asks, and the list of beacons: auth as a
 * whole, with snapshot, cache and registry.
 */
#define FLEET 50000U

static uint32_t at;

static void
pass(double seconds)
{
	still_pass(seconds);
	at = PROTO_NONCES_MAX;
}

static int
reply(uint32_t node, const uint8_t *secret)
{
	if (at == PROTO_NONCES_MAX) {
		if (!want_nonces(PROTO_NONCES_MAX))
			return (0);
		at = 0;
	}
	return (put_verify(at++, node, 0, secret));
}

static int
in(uint32_t node, const uint8_t *key)
{
	struct msg_admit msg;

	return (get(&parent, AP_ADMIT, &msg, sizeof(msg)) && msg.node == node &&
		msg.keyid == keycache_id(key));
}

static int
put_file(
    uint32_t type, const void *msg, size_t msglen, const char *text, size_t len)
{
	int fd;

	fd = memfd_create("file", 0);
	if (fd == -1 || write(fd, text, len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET) != 0)
		return (0);
	return (put(&parent, type, fd, msg, msglen));
}

static int
put_snapshot(const char *text, size_t len)
{
	struct msg_snapshot msg;

	memset(&msg, 0, sizeof(msg));
	(void)strlcpy(msg.path, "snapshot", sizeof(msg.path));
	msg.written = clock_seconds();
	return (put_file(PA_SNAPSHOT, &msg, sizeof(msg), text, len));
}

/* A whole fleet takes a slow machine a while. */
#define READ_TURNS 10000

static int
read_so(uint32_t result, uint32_t keys)
{
	struct msg_snapshot_read msg;

	return (next_within(&parent, READ_TURNS) == 1 &&
		imsg_get_type(&imsg) == AP_SNAPSHOT &&
		imsg_get_data(&imsg, &msg, sizeof(msg)) == 0 &&
		msg.result == result && msg.keys == keys && msg.bad == 0);
}

/* A fleet of nodes from `first` on, all with the key; the length. */
static size_t
snapshot_of(uint32_t first, uint32_t count, const uint8_t *key, char **text)
{
	char b64[64];
	size_t len;
	uint32_t i;

	(void)sodium_bin2base64(b64, sizeof(b64), key, PROTO_KEY_LEN,
	    sodium_base64_VARIANT_ORIGINAL);
	*text = malloc(100 + (size_t)count * 100);
	if (*text == NULL)
		return (0);
	len = (size_t)snprintf(*text, 100, "{\"nodes\":{");
	for (i = 0; i < count; i++)
		len += (size_t)snprintf(*text + len, 100,
		    "%s\"%u\":{\"public_key\":\"%s\"}", i == 0 ? "" : ",",
		    first + i, b64);
	return (len + (size_t)snprintf(*text + len, 100, "}}"));
}

static int
snapshot(uint32_t first, uint32_t count, const uint8_t *key)
{
	size_t len;
	char *text;
	int result;

	len = snapshot_of(first, count, key, &text);
	result = put_snapshot(text, len);
	free(text);
	return (result);
}

/* Nobody is served before the snapshot is read. */
static void
start(void)
{
	struct msg_nonces_wanted wanted;
	struct msg_hello hello;
	int fd;

	fd = channel_to(&parent);
	from_parent_open(&auth, fd);
	CHECK(put_hello(BEACOND_VERSION) && put_settings(0));
	CHECK(put_memory(PA_MAP, 0));
	CHECK(put_memory(PA_COUNTERS, COUNTERS_BYTES));
	CHECK(fake_conf(80, 100));
	CHECK(put_worker(9));
	CHECK(snapshot(1, FLEET, pk));
	wanted.count = 1;
	CHECK(put(&worker, WA_NONCES, -1, &wanted, sizeof(wanted)));
	CHECK(put(&parent, PA_START, -1, NULL, 0));
	CHECK(read_so(KEYS_READ, FLEET));
	CHECK(get(&parent, AP_READY, &hello, sizeof(hello)));
	CHECK(next(&worker) == 1 && imsg_get_type(&imsg) == AW_NONCES);
	ev_timer_stop(auth.loop, &auth.second);
	at = PROTO_NONCES_MAX;
	pass(2);
}

/* Everybody at once, and not one request. */
static void
cold_stampede(void)
{
	uint32_t node;

	CHECK(fake_connect());
	CHECK(fake_lookups() == 0);
	/* All of the fleet would take a while; each is as good as another. */
	for (node = 1; node <= FLEET; node += 25) {
		CHECK(reply(node, sk));
		CHECK(in(node, pk));
	}
	CHECK(fake_lookups() == 0);
	CHECK(auth.lookups.nwaiting == 0);
}

/* A key that is known stays so, whatever comes in the place of a snapshot. */
static void
snapshots_that_are_none(void)
{
	char *text;
	size_t len;

	len = snapshot_of(1, 100, pk2, &text);
	CHECK(put_snapshot(text, len - 1));
	CHECK(read_so(KEYS_KEPT, 0));
	CHECK(put_snapshot(text, 0));
	CHECK(read_so(KEYS_KEPT, 0));
	CHECK(put_snapshot("{\"nodes\":null}", 14));
	CHECK(read_so(KEYS_KEPT, 0));
	/* One that is replaced while it is read. */
	CHECK(snapshot(1, FLEET, pk2));
	CHECK(snapshot(1, FLEET, pk));
	CHECK(read_so(KEYS_SUPERSEDED, 0));
	CHECK(read_so(KEYS_READ, FLEET));
	free(text);
	CHECK(reply(77, sk));
	CHECK(in(77, pk));
	CHECK(next(&parent) == 0);
}

static void
not_a_file(void)
{
	struct msg_snapshot msg;
	int fds[2];

	memset(&msg, 0, sizeof(msg));
	CHECK(pipe(fds) == 0);
	CHECK(put(&parent, PA_SNAPSHOT, fds[0], &msg, sizeof(msg)));
	CHECK(read_so(KEYS_KEPT, 0));
	(void)close(fds[1]);
}

/* A snapshot's keys are old with it: then the registry is asked as well. */
static void
old_snapshot(void)
{
	pass(601);
	CHECK(reply(78, sk));
	CHECK(in(78, pk));
	CHECK(fake_lookups() == 1 && fake_asked[0] == 78);
	/* A strict registry does not show it: the snapshot does. */
	CHECK(fake_gone(78));
	fake_hear();
	CHECK(reply(78, sk));
	CHECK(in(78, pk));
	pass(3);
	(void)fake_lookups();
	CHECK(fake_gone(78));
	fake_hear();
}

/* Half of the fleet is gone, one has another key. */
static void
new_snapshot(void)
{
	struct msg_closed msg;

	session(0, 200, 31, pk);
	session(1, FLEET, 32, pk);
	/* No registry: what is in no snapshot is nobody. */
	CHECK(fake_ended(REGISTRY_CLOSED, 1));
	CHECK(fake_conf(0, 100));
	CHECK(snapshot(1, FLEET / 2, pk));
	CHECK(read_so(KEYS_READ, FLEET / 2));
	CHECK(get(&parent, AP_REVOKE, &msg, sizeof(msg)));
	CHECK(msg.node == FLEET && msg.generation == 32);
	session(1, FLEET, 0, pk);
	CHECK(snapshot(1, FLEET / 2, pk2));
	CHECK(read_so(KEYS_READ, FLEET / 2));
	CHECK(next(&parent) == 0);
	CHECK(reply(200, sk2));
	CHECK(in(200, pk2));
	CHECK(reply(200, sk));
	CHECK(in(200, pk));
	pass(600);
	fake_second();
	CHECK(get(&parent, AP_REVOKE, &msg, sizeof(msg)));
	CHECK(msg.node == 200 && msg.generation == 31);
	session(0, 200, 0, pk);
	ev_timer_stop(auth.loop, &auth.second);
	while (next(&parent) == 1)
		CHECK(imsg_get_type(&imsg) == AP_REVOKE);
	/* As the tests after this one want it. */
	CHECK(fake_conf(80, 100));
	pass(2);
}

static int
cache(uint32_t load, int fd)
{
	struct msg_cache msg;

	memset(&msg, 0, sizeof(msg));
	msg.wall = clock_wall();
	msg.load = load;
	return (put(&parent, PA_CACHE, fd, &msg, sizeof(msg)));
}

/* What was learned survives auth: here, what it has forgotten. */
static void
cache_there_and_back(void)
{
	struct msg_cache_written msg;
	int fd, fd2;

	CHECK(fake_connect());
	CHECK(reply(900001, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(900001, pk, PROTO_KEY_LEN));
	CHECK(in(900001, pk));
	fd = memfd_create("cache", 0);
	CHECK(ftruncate(fd, PROTO_CACHE_BYTES) == 0);
	CHECK(cache(0, dup(fd)));
	fd2 = memfd_create("cache", 0);
	CHECK(cache(0, fd2));
	CHECK(get(&parent, AP_CACHE, &msg, sizeof(msg)));
	/* One was too small: nothing for that. */
	if (msg.bytes == 0)
		CHECK(get(&parent, AP_CACHE, &msg, sizeof(msg)));
	else
		CHECK(next(&parent) == 1);
	learned_remove(&auth.store.learned, 900001);
	CHECK(fake_ended(REGISTRY_CLOSED, 1));
	CHECK(ftruncate(fd, PROTO_CACHE_HEADER + PROTO_CACHE_ENTRY) == 0);
	CHECK(cache(1, fd));
	CHECK(put(&parent, PA_PING, -1, NULL, 0));
	CHECK(get(&parent, AP_PONG, NULL, 0));
	/* There is no registry to be asked. */
	CHECK(reply(900001, sk));
	CHECK(in(900001, pk));
}

static int
beacon(
    uint32_t id, const char *host, uint32_t port, uint32_t first, uint32_t last)
{
	struct msg_beacon_row msg;

	return (get(&parent, AP_BEACON, &msg, sizeof(msg)) &&
		msg.beacon == id && strcmp(msg.host, host) == 0 &&
		msg.port == port && msg.first == first && msg.last == last);
}

/* On the list, and the list, again and again. */
static void
enrolls(void)
{
	struct msg_registry_conf conf;

	conf = auth.conf;
	conf.enroll = 1;
	conf.beacon_id = 9;
	conf.port = 9001;
	(void)strlcpy(conf.host, "b.example", sizeof(conf.host));
	(void)strlcpy(conf.token, "secret", sizeof(conf.token));
	CHECK(put(&parent, PA_REGISTRY_CONF, -1, &conf, sizeof(conf)));
	CHECK(fake_connect());
	fake_hear();
	ev_timer_stop(auth.loop, &auth.second);
	fake_nobjects = 0;
	fake_second();
	fake_hear();
	CHECK(fake_nobjects == 2);
	CHECK(strcmp(fake_objects[0],
		  "{\"type\":\"beacon_register\",\"beacon_id\":9,"
		  "\"addr\":\"b.example:9001\",\"admin_token\":\"secret\"}") ==
	      0);
	CHECK(strcmp(fake_objects[1], "{\"type\":\"beacon_list\"}") == 0);
	CHECK(fake_object_say("{\"type\":\"beacon_register_ok\"}"));
	CHECK(fake_object_say("{\"type\":\"beacon_list_ok\",\"beacons\":["
			      "{\"id\":9,\"addr\":\"b.example:9001\"},"
			      "{\"id\":1,\"addr\":\"192.0.2.1:9000\"},"
			      "{\"id\":2,\"addr\":\"c.example:9000\"}]}"));
	CHECK(next(&parent) == 1 && imsg_get_type(&imsg) == AP_BEACON);
	CHECK(beacon(2, "c.example", 9000, 0, 1));
	CHECK(auth.enrolled == clock_seconds() && auth.beacons == 2);
	pass(29);
	fake_second();
	fake_hear();
	CHECK(fake_nobjects == 2);
	pass(1);
	fake_second();
	fake_hear();
	CHECK(fake_nobjects == 4);
	/* Refused: the list all the same, and the connection stays. */
	CHECK(fake_object_say("{\"type\":\"error\","
			      "\"error\":\"invalid admin token\"}"));
	CHECK(fake_error("request failed"));
	fake_hear();
	CHECK(auth.enrolled == clock_seconds() - 30);
	CHECK(auth.registry.fd != -1 && auth.registry.count == 0);
	/* A heartbeat's answer is none. */
	pass(30);
	fake_second();
	fake_hear();
	CHECK(fake_type(0x81, "", 0));
	fake_hear();
	CHECK(auth.registry.fd == -1);
}

int
main(void)
{
	if (ends_init() == -1)
		return (1);
	RUN(start);
	RUN(cold_stampede);
	RUN(snapshots_that_are_none);
	RUN(not_a_file);
	RUN(old_snapshot);
	RUN(new_snapshot);
	RUN(cache_there_and_back);
	RUN(enrolls);
	return (test_failed());
}
