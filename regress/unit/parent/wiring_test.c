/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/stat.h>

#include <signal.h>
#include <syslog.h>

#include "regress/unit/parent/parts.h"

/* What each child is told, and who is connected with whom. */

#define A 0 /* auth's place, as parts_child() numbers them */
#define W 1 /* worker 0's, and worker 1's is the next */
#define M 3 /* metrics' */

static char introduced[100]; /* by whom, in this order */

/* The message that was taken last. */
static uint32_t type;
static int fd = -1;
static size_t len;
static union {
	struct msg_hello hello;
	struct msg_settings settings;
	struct msg_listener listener;
	struct msg_udp udp;
	struct msg_unlisten unlisten;
	struct msg_address address;
	struct msg_sibling sibling;
	struct msg_worker worker;
	struct msg_still still;
} msg;

static void
did(const char *what)
{
	(void)strlcat(introduced, what, sizeof(introduced));
}

uint16_t
listen_network(const struct conf_address *network, uint8_t addr[16])
{
	memset(addr, 0, 16);
	addr[0] = (uint8_t)network->line;
	return ((uint16_t)network->prefix);
}

void
registry_introduce(struct process *p)
{
	did("registry ");
}

void
keys_cache_introduce(struct process *p)
{
	did("cache ");
}

void
keys_snapshot_introduce(struct process *p)
{
	did("snapshot ");
}

void
registry_show(struct process *p)
{
	did("registry' ");
}

void
keys_snapshot_show(struct process *p)
{
	did("snapshot' ");
}

void
keys_show(struct process *p)
{
	did("keys' ");
}

void
keys_begin(struct parent *of)
{
	did("keys ");
}

void
sums_publish(struct parent *of)
{
	did("sums ");
}

void
block_introduce(struct process *p)
{
	did("blocks ");
}

void
gossip_introduce(struct process *p)
{
	did("gossip ");
}

void
router_introduce(struct process *p)
{
	did("router ");
}

void
drain_introduce(struct process *p)
{
	did("drain ");
}

static struct process *
child(uint32_t i)
{
	return (process_place(&parent, i)->child);
}

/* Takes what child i was sent next; -1: nothing. */
static int
take(uint32_t i)
{
	struct imsg imsg;
	int r;

	if (fd != -1)
		(void)close(fd);
	fd = -1;
	(void)channel_flush(&child(i)->channel);
	if (imsgbuf_get(&parts_ends[i], &imsg) != 1 &&
	    (imsgbuf_read(&parts_ends[i]) != 1 ||
		imsgbuf_get(&parts_ends[i], &imsg) != 1))
		return (-1);
	type = imsg_get_type(&imsg);
	len = imsg_get_len(&imsg);
	if (imsg_has_fd(&imsg))
		fd = imsg_get_fd(&imsg);
	r = len > sizeof(msg) ||
		    (len != 0 && imsg_get_data(&imsg, &msg, len) == -1)
		? -1
		: 0;
	imsg_free(&imsg);
	return (r);
}

static int
is_told(uint32_t i, uint32_t what, size_t size, int has_fd)
{
	return (take(i) == 0 && type == what && len == size &&
		(fd != -1) == has_fd);
}

static int
is_file(int one, int other)
{
	struct stat a, b;

	return (fstat(one, &a) == 0 && fstat(other, &b) == 0 &&
		a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

static int
nobody_is_told_more(void)
{
	uint32_t i;

	for (i = 0; i < 4; i++)
		if (take(i) == 0)
			return (0);
	return (1);
}

static int
settings_of(uint32_t i, uint32_t what)
{
	wiring_settings(child(i));
	return (is_told(i, what, sizeof(msg.settings), 0));
}

static void
test_a_limit_of_all_is_shared(void)
{
	parts_conf.punch_total_limit = 0;
	CHECK(
	    settings_of(W, PW_SETTINGS) && msg.settings.punch_total_limit == 0);
	/* No share is none. */
	parts_conf.punch_total_limit = 1;
	CHECK(
	    settings_of(W, PW_SETTINGS) && msg.settings.punch_total_limit == 1);
	parts_conf.punch_total_limit = 5;
	CHECK(
	    settings_of(W, PW_SETTINGS) && msg.settings.punch_total_limit == 3);
	/* As a worker sees all of one source's datagrams. */
	parts_conf.punch_source_limit = 5;
	CHECK(settings_of(W, PW_SETTINGS) &&
	      msg.settings.punch_source_limit == 5);
}

/* What one address may open is within the limit wherever it arrives. */
static void
test_connections_do_not_spread_evenly(void)
{
	parts_conf.source_upgrade_limit = 10;
	CHECK(settings_of(W, PW_SETTINGS) &&
	      msg.settings.source_upgrade_limit == 10);
	parent.nworkers = 64;
	parts_conf.source_upgrade_limit = 640;
	wiring_settings(parent.workers[0].child);
	parent.nworkers = 2;
	CHECK(is_told(W, PW_SETTINGS, sizeof(msg.settings), 0));
	CHECK(msg.settings.source_upgrade_limit == 40);
	parts_conf.source_upgrade_limit = 0;
	CHECK(settings_of(W, PW_SETTINGS) &&
	      msg.settings.source_upgrade_limit == 0);
}

static void
test_settings_are_those_of_the_configuration(void)
{
	parts_conf.idle_timeout = 17;
	parts_conf.legacy_signatures = 4;
	parts_conf.require_punch_grant = 4;
	parts_conf.router_drop = 1;
	parent.max_sockets = 99;
	parent.steered = 2;
	parent.steer_key = 7;
	CHECK(settings_of(A, PA_SETTINGS));
	CHECK(msg.settings.idle_timeout == 17);
	CHECK(msg.settings.legacy_signatures == 1);
	CHECK(msg.settings.require_punch_grant == 1);
	CHECK(msg.settings.max_sockets == 99 && msg.settings.steered == 1);
	CHECK(msg.settings.steer_key == 7);
	/* There is nobody to wait for. */
	/* Without a socket from the start on, nobody can attach. */
	CHECK(msg.settings.router_drop == 0);
	parent.router.socket.what = "router socket";
	CHECK(settings_of(W, PW_SETTINGS) && msg.settings.router_drop == 1);
	parent.router.socket.what = NULL;
	/* A role without any. */
	wiring_settings(parent.metrics.child);
	CHECK(nobody_is_told_more());
}

static void
test_all_log_from_a_level_on(void)
{
	struct process *p;

	p = parent.workers[1].child;
	parent.workers[1].child = NULL;
	wiring_log(&parent, LOG_ERR);
	parent.workers[1].child = p;
	CHECK(parent.log_level == LOG_ERR);
	CHECK(is_told(A, PA_SETTINGS, sizeof(msg.settings), 0));
	CHECK(msg.settings.log_level == LOG_ERR);
	CHECK(is_told(W, PW_SETTINGS, sizeof(msg.settings), 0));
	CHECK(msg.settings.log_level == LOG_ERR && nobody_is_told_more());
	/* 0 is LOG_ERR in the configuration, 2 LOG_NOTICE. */
	parts_conf.log_level = 2;
	wiring_log_conf(&parent);
	CHECK(parent.log_level == LOG_NOTICE && nobody_is_told_more());
}

static void
listener(struct listener *of, enum listener_kind kind, uint32_t number)
{
	int i;

	memset(of, 0, sizeof(*of));
	of->kind = kind;
	of->number = number;
	of->nfds = kind == LISTENER_UDP ? 5 : 1;
	for (i = 0; i < of->nfds; i++)
		of->fds[i] = memfd_create("test", MFD_CLOEXEC);
}

static void
put_away(const struct listener *of)
{
	int i;

	for (i = 0; i < of->nfds; i++)
		(void)close(of->fds[i]);
}

static void
all_hear_of(const struct listener *of)
{
	uint32_t i;

	for (i = 0; i < 4; i++)
		wiring_listener(child(i), of);
}

static void
all_hear_no_more_of(const struct listener *of)
{
	uint32_t i;

	for (i = 0; i < 4; i++)
		wiring_unlisten(child(i), of);
}

static void
test_a_listener_is_of_those_who_serve_it(void)
{
	struct listener of;

	listener(&of, LISTENER_WEBSOCKET, 3);
	of.proxy_protocol = 8;
	all_hear_of(&of);
	CHECK(is_told(W, PW_LISTENER, sizeof(msg.listener), 1));
	CHECK(msg.listener.number == 3 && msg.listener.proxy_protocol == 1);
	CHECK(is_file(fd, of.fds[0]));
	CHECK(is_told(W + 1, PW_LISTENER, sizeof(msg.listener), 1));
	CHECK(nobody_is_told_more());
	all_hear_no_more_of(&of);
	CHECK(is_told(W, PW_UNLISTEN, sizeof(msg.unlisten), 0));
	CHECK(msg.unlisten.number == 3 && !msg.unlisten.udp);
	CHECK(is_told(W + 1, PW_UNLISTEN, sizeof(msg.unlisten), 0));
	put_away(&of);
	listener(&of, LISTENER_METRICS, 1);
	all_hear_of(&of);
	CHECK(is_told(M, PM_LISTENER, sizeof(msg.listener), 1));
	CHECK(msg.listener.number == 1 && is_file(fd, of.fds[0]));
	all_hear_no_more_of(&of);
	CHECK(is_told(M, PM_UNLISTEN, sizeof(msg.unlisten), 0));
	CHECK(nobody_is_told_more());
	put_away(&of);
}

/* In turn; one that was lost leaves its number behind. */
static void
test_udp_sockets_are_dealt_out(void)
{
	struct listener of;
	struct process *p;

	listener(&of, LISTENER_UDP, 2);
	(void)close(of.fds[2]);
	of.fds[2] = -1;
	p = parent.workers[0].child;
	p->pid = fork();
	if (p->pid == 0) {
		(void)pause();
		_exit(0);
	}
	all_hear_of(&of);
	(void)kill(p->pid, SIGKILL);
	(void)waitpid(p->pid, NULL, 0);
	p->pid = 0;
	CHECK(!p->killed && is_told(W, PW_UDP, sizeof(msg.udp), 1));
	CHECK(msg.udp.kind == UDP_LISTENER && msg.udp.listener == 2);
	CHECK(msg.udp.share == 0 && is_file(fd, of.fds[0]));
	CHECK(is_told(W, PW_UDP, sizeof(msg.udp), 1));
	CHECK(is_file(fd, of.fds[4]));
	CHECK(is_told(W + 1, PW_UDP, sizeof(msg.udp), 1));
	CHECK(is_file(fd, of.fds[1]));
	CHECK(is_told(W + 1, PW_UDP, sizeof(msg.udp), 1));
	CHECK(is_file(fd, of.fds[3]) && nobody_is_told_more());
	all_hear_no_more_of(&of);
	CHECK(is_told(W, PW_UNLISTEN, sizeof(msg.unlisten), 0));
	CHECK(msg.unlisten.udp && msg.unlisten.number == 2);
	CHECK(is_told(W + 1, PW_UNLISTEN, sizeof(msg.unlisten), 0));
	CHECK(nobody_is_told_more());
	put_away(&of);
}

static int
is_network(uint32_t what, uint8_t first, uint16_t prefix)
{
	return (is_told(W, what, sizeof(msg.address), 0) &&
		msg.address.addr[0] == first && msg.address.prefix == prefix);
}

static void
test_networks_and_where_they_end(void)
{
	static struct conf_address exempt, proxy;

	/* Of no other proxy than one of this machine is it known. */
	wiring_networks(parent.workers[0].child);
	CHECK(is_network(PW_EXEMPT, 0, PROTO_PREFIX_NONE));
	CHECK(is_network(PW_PROXY, 0, 104) && msg.address.addr[12] == 127);
	CHECK(is_network(PW_PROXY, 0, 128) && msg.address.addr[15] == 1);
	CHECK(is_network(PW_PROXY, 0, PROTO_PREFIX_NONE));
	exempt.kind = CONF_PUNCH_EXEMPT;
	exempt.line = 5;
	exempt.prefix = 30;
	proxy.kind = CONF_TRUSTED_PROXY;
	proxy.line = 6;
	proxy.prefix = 0;
	TAILQ_INSERT_TAIL(&parts_conf.addresses, &exempt, entry);
	TAILQ_INSERT_TAIL(&parts_conf.addresses, &proxy, entry);
	wiring_networks(parent.workers[0].child);
	TAILQ_INIT(&parts_conf.addresses);
	CHECK(is_network(PW_EXEMPT, 5, 30));
	CHECK(is_network(PW_EXEMPT, 0, PROTO_PREFIX_NONE));
	/* In place of the two. */
	CHECK(is_network(PW_PROXY, 6, 0));
	CHECK(is_network(PW_PROXY, 0, PROTO_PREFIX_NONE));
	CHECK(nobody_is_told_more());
}

/* What it is comes first, then what it stands on, then what it knows. */
static void
test_a_child_is_introduced(void)
{
	struct listener of;
	struct process *p;

	listener(&of, LISTENER_WEBSOCKET, 0);
	TAILQ_INSERT_TAIL(&parent.listeners, &of, entry);
	p = parent.workers[1].child;
	p->page_fd = of.fds[0];
	parent.map.fd = of.fds[0];
	introduced[0] = '\0';
	wiring_introduce(p);
	TAILQ_INIT(&parent.listeners);
	p->page_fd = -1;
	CHECK(is_told(W + 1, PW_HELLO, sizeof(msg.hello), 0));
	CHECK(proto_same_build(&msg.hello) && msg.hello.worker == 1);
	CHECK(msg.hello.epoch == p->epoch);
	CHECK(is_told(W + 1, PW_SETTINGS, sizeof(msg.settings), 0));
	CHECK(msg.settings.nworkers == 2);
	CHECK(is_told(W + 1, PW_MAP, 0, 1));
	CHECK(is_told(W + 1, PW_COUNTERS, 0, 1));
	CHECK(is_told(W + 1, PW_LISTENER, sizeof(msg.listener), 1));
	CHECK(strcmp(introduced, "blocks gossip router drain ") == 0);
	put_away(&of);
	while (take(W + 1) == 0)
		CHECK(type == PW_EXEMPT || type == PW_PROXY);
}

/* Sessions of another parent are to come first: it begins standing still. */
static void
test_a_worker_that_is_to_stand_still(void)
{
	parent.successor.pending = 1;
	wiring_introduce_worker(parent.workers[0].child);
	parent.successor.pending = 0;
	CHECK(is_told(W, PW_STILL, sizeof(msg.still), 0));
	CHECK(msg.still.stage == STILL_ALL && msg.still.ticket == 0);
	while (take(W) == 0)
		CHECK(type == PW_EXEMPT || type == PW_PROXY);
	wiring_introduce_worker(parent.workers[0].child);
	while (take(W) == 0)
		CHECK(type == PW_EXEMPT || type == PW_PROXY);
}

/* Nothing of the map for metrics, nothing of sums for others. */
static void
test_metrics_are_introduced(void)
{
	int file;

	file = memfd_create("test", MFD_CLOEXEC);
	parent.metrics.child->page_fd = parent.sums_fd = file;
	introduced[0] = '\0';
	wiring_introduce(parent.metrics.child);
	parent.metrics.child->page_fd = -1;
	CHECK(is_told(M, PM_HELLO, sizeof(msg.hello), 0));
	CHECK(is_told(M, PM_COUNTERS, 0, 1));
	CHECK(is_told(M, PM_SUMS, 0, 1) && is_file(fd, file));
	CHECK(strcmp(introduced, "sums ") == 0 && nobody_is_told_more());
	(void)close(file);
}

static void
test_auth_is_introduced(void)
{
	introduced[0] = '\0';
	wiring_introduce_auth(parent.auth.child);
	CHECK(strcmp(introduced, "registry cache snapshot keys ") == 0);
	CHECK(nobody_is_told_more());
	CHECK(parent.auth.child->state == CHILD_RUNNING);
	/* One beside another is not asked for anything. */
	parent.auth.candidate = 1;
	introduced[0] = '\0';
	wiring_introduce_auth(parent.auth.child);
	parent.auth.candidate = 0;
	CHECK(strcmp(introduced, "registry' cache snapshot' keys' ") == 0);
	introduced[0] = '\0';
	wiring_auth_takes_over(parent.auth.child);
	CHECK(strcmp(introduced, "registry snapshot keys ") == 0);
	CHECK(is_told(A, PA_SETTINGS, sizeof(msg.settings), 0));
	/* Nobody is let in while all stand still. */
	CHECK(!parent.auth.child->channel.paused);
	parent.park.stage = PARK_STILL;
	wiring_introduce_auth(parent.auth.child);
	parent.park.stage = PARK_NOT;
	CHECK(parent.auth.child->channel.paused);
	channel_resume(&parent.auth.child->channel);
}

/* Who scrapes is to hear of the one that serves. */
static void
test_metrics_of_one_that_waits(void)
{
	struct listener of;

	listener(&of, LISTENER_METRICS, 1);
	TAILQ_INSERT_TAIL(&parent.listeners, &of, entry);
	parent.metrics.child->page_fd = parent.sums_fd = STDIN_FILENO;
	parent.successor.pending = parent.successor.asks = 1;
	wiring_introduce_metrics(parent.metrics.child);
	parent.successor.pending = parent.successor.asks = 0;
	CHECK(is_told(M, PM_SUMS, 0, 1) && nobody_is_told_more());
	parent.metrics.child->page_fd = -1;
	TAILQ_INIT(&parent.listeners);
	put_away(&of);
}

/* What is written at one end comes out at the other. */
static int
are_connected(int one, int other)
{
	char c;

	c = 'a';
	return (write(one, "x", 1) == 1 && read(other, &c, 1) == 1 && c == 'x');
}

static void
test_auth_and_a_worker(void)
{
	int one;

	wiring_connect(parent.workers[1].child, parent.auth.child);
	CHECK(is_told(A, PA_WORKER, sizeof(msg.worker), 1));
	CHECK(msg.worker.worker == 1);
	CHECK(msg.worker.epoch == parent.workers[1].child->epoch);
	one = fd;
	fd = -1;
	CHECK(is_told(W + 1, PW_AUTH, 0, 1) && are_connected(one, fd));
	(void)close(one);
	CHECK(nobody_is_told_more());
}

static void
test_two_workers(void)
{
	int one;

	wiring_connect(parent.workers[0].child, parent.workers[1].child);
	CHECK(is_told(W, PW_SIBLING, sizeof(msg.sibling), 1));
	CHECK(msg.sibling.worker == 1);
	one = fd;
	fd = -1;
	CHECK(is_told(W + 1, PW_SIBLING, sizeof(msg.sibling), 1));
	CHECK(msg.sibling.worker == 0 && are_connected(one, fd));
	(void)close(one);
	CHECK(nobody_is_told_more());
}

static void
test_nobody_with_the_dead_or_himself(void)
{
	struct process *p;

	p = parent.workers[0].child;
	wiring_connect(p, p);
	wiring_connect(p, NULL);
	wiring_connect(NULL, p);
	p->state = CHILD_DOWN;
	wiring_connect(p, parent.workers[1].child);
	wiring_connect(parent.auth.child, p);
	p->state = CHILD_RUNNING;
	CHECK(nobody_is_told_more());
}

static const struct role_rules rules_of[ROLE_MAX] = {
	[ROLE_AUTH] = { .id = ROLE_AUTH,
	    .hello = PA_HELLO,
	    .settings = PA_SETTINGS,
	    .map = PA_MAP,
	    .counters = PA_COUNTERS,
	    .introduce = wiring_introduce_auth },
	[ROLE_WORKER] = { .id = ROLE_WORKER,
	    .hello = PW_HELLO,
	    .settings = PW_SETTINGS,
	    .map = PW_MAP,
	    .counters = PW_COUNTERS,
	    .introduce = wiring_introduce_worker },
	[ROLE_METRICS] = { .id = ROLE_METRICS,
	    .hello = PM_HELLO,
	    .counters = PM_COUNTERS,
	    .introduce = wiring_introduce_metrics },
};

int
main(void)
{
	struct place *place;
	uint32_t i;

	parts_init();
	for (i = 0; (place = process_place(&parent, i)) != NULL; i++)
		place->role = &rules_of[place->role->id];
	RUN(test_a_limit_of_all_is_shared);
	RUN(test_connections_do_not_spread_evenly);
	RUN(test_settings_are_those_of_the_configuration);
	RUN(test_all_log_from_a_level_on);
	RUN(test_a_listener_is_of_those_who_serve_it);
	RUN(test_udp_sockets_are_dealt_out);
	RUN(test_networks_and_where_they_end);
	RUN(test_a_child_is_introduced);
	RUN(test_a_worker_that_is_to_stand_still);
	RUN(test_metrics_are_introduced);
	RUN(test_auth_is_introduced);
	RUN(test_metrics_of_one_that_waits);
	RUN(test_auth_and_a_worker);
	RUN(test_two_workers);
	RUN(test_nobody_with_the_dead_or_himself);
	return (test_failed());
}
