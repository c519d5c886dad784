/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/sockios.h>
#include <poll.h>
#include <unistd.h>

#include "ctl/output.h"
#include "regress/unit/test.h"

/*
 * control() runs in a child of its own; this process plays the parent's end of
 * the control socket.
 */
static char dir[] = "/tmp/control_test.XXXXXX";
static char path[64];
static int listener;
static struct imsgbuf server;
static pid_t client;
static FILE *outputs[2];
static char out[1 << 18], said[4096];

static void
client_run(const struct command *cmd, int json)
{
	close(listener);
	if (dup2(fileno(outputs[0]), STDOUT_FILENO) == -1 ||
	    dup2(fileno(outputs[1]), STDERR_FILENO) == -1)
		_exit(99);
	exit(control(cmd, path, json));
}

/* Starts the command and takes its request of the given type and size. */
static int
begin(enum action action, int json, uint32_t type, void *data, size_t size)
{
	struct command cmd;
	struct imsg imsg;
	int n;

	memset(&cmd, 0, sizeof(cmd));
	cmd.action = action;
	cmd.node = 7777;
	outputs[0] = tmpfile();
	outputs[1] = tmpfile();
	fflush(stdout);
	client = fork();
	if (client == 0)
		client_run(&cmd, json);
	if (imsgbuf_init(&server, accept(listener, NULL, NULL)) == -1)
		abort();
	while ((n = imsgbuf_get(&server, &imsg)) == 0)
		if (imsgbuf_read(&server) != 1)
			return (0);
	return (n == 1 && imsg_get_type(&imsg) == type &&
		imsg_get_len(&imsg) == size &&
		(size == 0 || imsg_get_data(&imsg, data, size) == 0));
}

static void
reply(uint32_t type, const void *data, size_t len)
{
	if (imsg_compose(&server, type, 0, 0, -1, data, len) == -1)
		abort();
	/* Who has heard enough may hang up. */
	if (imsgbuf_flush(&server, 5000) == -1 && errno != EPIPE)
		abort();
}

static void
reply_end(int error)
{
	struct msg_ctl_end end;

	end.error = (uint32_t)error;
	reply(CTL_END, &end, sizeof(end));
}

static void
slurp(FILE *f, char *text, size_t size)
{
	rewind(f);
	text[fread(text, 1, size - 1, f)] = '\0';
	fclose(f);
}

/* Hangs up; returns the exit code of the command. */
static int
finish(void)
{
	int status;

	close(server.fd);
	imsgbuf_clear(&server);
	if (waitpid(client, &status, 0) == -1 || !WIFEXITED(status))
		return (-1);
	slurp(outputs[0], out, sizeof(out));
	slurp(outputs[1], said, sizeof(said));
	return (WEXITSTATUS(status));
}

static struct msg_ctl_peer
a_peer(void)
{
	static const uint8_t addr[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	struct msg_ctl_peer peer;

	memset(&peer, 0, sizeof(peer));
	peer.node = 7777;
	peer.worker = 1;
	peer.slot = 42;
	peer.generation = 9;
	peer.since = 1767225600;
	peer.stat.frames_in = 1ULL << 40;
	peer.stat.frames_out = 5;
	memcpy(peer.stat.addr, addr, sizeof(addr));
	peer.stat.port = 4000;
	peer.stat.queued = 17;
	peer.stat.bytes_in = 6000;
	peer.stat.bytes_out = 7000;
	peer.stat.known = 1;
	return (peer);
}

static void
send_summary(void)
{
	struct msg_ctl_summary summary;
	struct msg_ctl_child child;

	memset(&summary, 0, sizeof(summary));
	memset(summary.version, '9', sizeof(summary.version));
	summary.started = 1767225601;
	summary.now = summary.started + 90061;
	summary.peers = 3;
	summary.max_peers = 50000;
	summary.keys = 100;
	summary.key_lines_bad = 2;
	reply(CTL_SUMMARY, &summary, sizeof(summary));
	memset(&child, 0, sizeof(child));
	child.pid = 4711;
	child.state = CHILD_RUNNING;
	reply(CTL_CHILD, &child, sizeof(child));
	child.role = 2;
	child.worker = 1;
	child.restarts = 4;
	child.load = 33;
	reply(CTL_CHILD, &child, sizeof(child));
	reply_end(0);
}

static void
summary_text(void)
{
	CHECK(begin(ACTION_SHOW_SUMMARY, 0, CTL_SHOW_SUMMARY, NULL, 0));
	send_summary();
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "beacond 9999999999999999, up 1d 01:01:01 since "
			  "2026-01-01T00:00:01Z\n") == out);
	CHECK(strstr(out, "peers    3 of at most 50000\n") != NULL);
	CHECK(strstr(out, "100 (2 bad lines skipped)") != NULL);
	CHECK(strstr(out, "parent         4711 running") != NULL);
	CHECK(strstr(out, "worker 1       4711 running          4       33") !=
	      NULL);
	CHECK(said[0] == '\0');
}

static void
summary_json(void)
{
	const char *role, *state, *version;
	int load, peers, pid;
	json_t *root;

	CHECK(begin(ACTION_SHOW_SUMMARY, 1, CTL_SHOW_SUMMARY, NULL, 0));
	send_summary();
	CHECK(finish() == CTL_OK);
	root = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	CHECK(json_unpack(root, "{s:s, s:i, s:[{}, {s:s, s:s, s:i, s:i} !]}",
		  "version", &version, "peers", &peers, "children", "role",
		  &role, "state", &state, "pid", &pid, "load", &load) == 0);
	CHECK(strcmp(version, "9999999999999999") == 0 && peers == 3);
	CHECK(strcmp(role, "worker") == 0 && strcmp(state, "running") == 0);
	CHECK(pid == 4711 && load == 33);
	json_decref(root);
}

static void
send_metrics(void)
{
	uint64_t value[COUNTER_MAX + 1];
	uint64_t i;

	for (i = 0; i <= COUNTER_MAX; i++)
		value[i] = 1000 + i;
	reply(CTL_METRICS, value, sizeof(value));
	reply_end(0);
}

static void
metrics_text(void)
{
	char line[256];
	char *p;
	int lines;

	CHECK(begin(ACTION_SHOW_METRICS, 0, CTL_SHOW_METRICS, NULL, 0));
	send_metrics();
	CHECK(finish() == CTL_OK);
	lines = *out != '#';
	for (p = out; (p = strchr(p, '\n')) != NULL; p++)
		lines += p[1] != '#' && p[1] != '\0';
	CHECK(lines == COUNTER_MAX + 1);
	CHECK(strstr(out, "pilot_beacon_wss_connections_total"
			  "{outcome=\"auth_ok\"} 1002\n") != NULL);
	(void)snprintf(line, sizeof(line), "\npilot_beacon_wss_active %d\n",
	    1000 + COUNTER_MAX);
	CHECK(strstr(out, line) != NULL);
}

static void
metrics_json(void)
{
	json_t *labels, *root, *row;
	const char *name;
	json_int_t value;

	CHECK(begin(ACTION_SHOW_METRICS, 1, CTL_SHOW_METRICS, NULL, 0));
	send_metrics();
	CHECK(finish() == CTL_OK);
	root = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	CHECK(json_array_size(root) == COUNTER_MAX + 1);
	row = json_array_get(root, COUNTER_MAX);
	CHECK(json_unpack(row, "{s:s, s:{!}, s:I!}", "name", &name, "labels",
		  "value", &value) == 0);
	CHECK(strcmp(name, METRIC_ACTIVE_PEERS) == 0);
	CHECK(value == 1000 + COUNTER_MAX);
	row = json_array_get(root, COUNTER_BRIDGE_WU);
	CHECK(json_unpack(row, "{s:s, s:o, s:I!}", "name", &name, "labels",
		  &labels, "value", &value) == 0);
	CHECK(strcmp(name, "pilot_beacon_relay_bridge_total") == 0);
	CHECK(value == 1000 + COUNTER_BRIDGE_WU);
	row = json_pack(
	    "{s:s, s:s}", "src_transport", "wss", "dst_transport", "udp");
	CHECK(json_equal(labels, row));
	json_decref(row);
	json_decref(root);
}

static void
peer_connected(void)
{
	struct msg_ctl_node node;
	struct msg_ctl_peer peer;
	json_t *root;

	peer = a_peer();
	CHECK(begin(ACTION_SHOW_PEER, 0, CTL_SHOW_PEER, &node, sizeof(node)));
	CHECK(node.node == 7777);
	reply(CTL_PEER, &peer, sizeof(peer));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "worker      1, slot 42, generation 9\n") != NULL);
	CHECK(strstr(out, "address     192.0.2.1:4000\n") != NULL);
	CHECK(strstr(out, "since       2026-01-01T00:00:00Z (") != NULL);
	CHECK(strstr(out, "frames in   1099511627776\n") != NULL);
	CHECK(strstr(out, "bytes in    6000\nbytes out   7000\n") != NULL);
	CHECK(begin(ACTION_SHOW_PEER, 1, CTL_SHOW_PEER, &node, sizeof(node)));
	reply(CTL_PEER, &peer, sizeof(peer));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	root = json_loads(out, 0, NULL);
	CHECK(json_is_true(json_object_get(root, "connected")));
	CHECK(strcmp(json_string_value(json_object_get(root, "address")),
		  "192.0.2.1:4000") == 0);
	json_decref(root);
}

static void
peer_not_connected(void)
{
	struct msg_ctl_node node;
	json_t *root;

	CHECK(begin(ACTION_SHOW_PEER, 0, CTL_SHOW_PEER, &node, sizeof(node)));
	reply_end(ENOENT);
	CHECK(finish() == CTL_FAILED);
	CHECK(out[0] == '\0');
	CHECK(strstr(said, "node 7777: not connected\n") != NULL);
	CHECK(begin(ACTION_SHOW_PEER, 1, CTL_SHOW_PEER, &node, sizeof(node)));
	reply_end(ENOENT);
	CHECK(finish() == CTL_FAILED);
	root = json_loads(out, 0, NULL);
	CHECK(json_is_false(json_object_get(root, "connected")));
	json_decref(root);
}

static void
many_peers(void)
{
	struct msg_ctl_peer peer;
	json_t *root;
	uint32_t i;

	peer = a_peer();
	CHECK(begin(ACTION_SHOW_PEERS, 1, CTL_SHOW_PEERS, NULL, 0));
	for (i = 1; i <= 500; i++) {
		peer.node = i;
		reply(CTL_PEER, &peer, sizeof(peer));
	}
	reply_end(0);
	CHECK(finish() == CTL_OK);
	root = json_loads(out, 0, NULL);
	CHECK(json_array_size(root) == 500);
	CHECK(json_integer_value(
		  json_object_get(json_array_get(root, 499), "node")) == 500);
	json_decref(root);
	CHECK(begin(ACTION_SHOW_PEERS, 1, CTL_SHOW_PEERS, NULL, 0));
	reply_end(0);
	CHECK(finish() == CTL_OK && strcmp(out, "[]\n") == 0);
	CHECK(begin(ACTION_SHOW_PEERS, 0, CTL_SHOW_PEERS, NULL, 0));
	reply(CTL_PEER, &peer, sizeof(peer));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "500             1 192.0.2.1:4000   ") != NULL);
	CHECK(strstr(out, " 6000         7000         17 ") != NULL);
	/* Its worker does not answer. */
	memset(&peer.stat, 0, sizeof(peer.stat));
	CHECK(begin(ACTION_SHOW_PEERS, 0, CTL_SHOW_PEERS, NULL, 0));
	reply(CTL_PEER, &peer, sizeof(peer));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "500             1 -   ") != NULL);
	CHECK(begin(ACTION_SHOW_PEERS, 1, CTL_SHOW_PEERS, NULL, 0));
	reply(CTL_PEER, &peer, sizeof(peer));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "\"bytes_out\":null,\"queued\":null") != NULL);
}

static struct msg_ctl_entry
an_entry(void)
{
	struct msg_ctl_entry entry;

	memset(&entry, 0, sizeof(entry));
	entry.node = 7777;
	entry.generation = 1;
	entry.since = 1767225600;
	entry.addr[0] = 0x20;
	entry.addr[1] = 0x01;
	entry.addr[15] = 1;
	entry.port = 4000;
	entry.beacon = 12;
	entry.beacon_addr[15] = 1;
	entry.beacon_port = 9001;
	return (entry);
}

static void
nodes(void)
{
	struct msg_ctl_node node;
	struct msg_ctl_entry entry;

	entry = an_entry();
	CHECK(begin(ACTION_SHOW_NODE, 0, CTL_SHOW_NODE, &node, sizeof(node)));
	reply(CTL_NODE, &entry, sizeof(entry));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "websocket  worker 0, generation 1, since") != NULL);
	CHECK(strstr(out, "udp        [2001::1]:4000, seen") != NULL);
	CHECK(strstr(out, "beacon     12 at [::1]:9001\n") != NULL);
	CHECK(begin(ACTION_SHOW_NODE, 0, CTL_SHOW_NODE, &node, sizeof(node)));
	reply_end(ENOENT);
	CHECK(finish() == CTL_FAILED);
	CHECK(strstr(said, "node 7777: not known\n") != NULL);
	entry.generation = 0;
	entry.beacon_port = 0;
	CHECK(begin(ACTION_SHOW_NODES, 1, CTL_SHOW_NODES, NULL, 0));
	reply(CTL_NODE, &entry, sizeof(entry));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strcmp(out, "[{\"node\":7777,\"websocket\":null,"
			  "\"udp\":{\"address\":\"[2001::1]:4000\","
			  "\"flags\":0,\"seen\":0},\"beacon\":null}]\n") == 0);
}

static void
beacons(void)
{
	struct msg_ctl_beacon beacon;

	memset(&beacon, 0, sizeof(beacon));
	beacon.addr[15] = 1;
	beacon.port = 9001;
	beacon.configured = 1;
	CHECK(begin(ACTION_SHOW_BEACONS, 0, CTL_SHOW_BEACONS, NULL, 0));
	reply(CTL_BEACON, &beacon, sizeof(beacon));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "[::1]:9001") != NULL);
	CHECK(strstr(out, "yes        never\n") != NULL);
	CHECK(begin(ACTION_SHOW_BEACONS, 1, CTL_SHOW_BEACONS, NULL, 0));
	reply(CTL_BEACON, &beacon, sizeof(beacon));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strcmp(out, "[{\"address\":\"[::1]:9001\",\"id\":0,\"nodes\":0,"
			  "\"configured\":true,\"registered\":false,"
			  "\"heard\":0}]\n") == 0);
	beacon.configured = 0;
	beacon.registered = 1;
	CHECK(begin(ACTION_SHOW_BEACONS, 0, CTL_SHOW_BEACONS, NULL, 0));
	reply(CTL_BEACON, &beacon, sizeof(beacon));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "registry   never\n") != NULL);
}

static void
registry(void)
{
	struct msg_ctl_registry m;

	memset(&m, 0, sizeof(m));
	(void)strlcpy(m.name, "192.0.2.1 port 9000", sizeof(m.name));
	m.failures = 3;
	m.written = 1;
	m.status.link = REGISTRY_UP;
	m.status.snapshot = 44;
	m.status.latency_max = 1500;
	m.counter[COUNTER_LOOKUP_GONE - CTL_REGISTRY_FIRST] = 77;
	CHECK(begin(ACTION_SHOW_REGISTRY, 0, CTL_SHOW_REGISTRY, NULL, 0));
	reply(CTL_REGISTRY, &m, sizeof(m));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "registry   192.0.2.1 port 9000\n"
			  "link       up, 3 failures in a row\n") == out);
	CHECK(strstr(out, " 77 not found,") != NULL);
	CHECK(strstr(out, "longest 1.5 ms\n") != NULL);
	CHECK(strstr(out, "snapshot   44 keys, written 1970-01-01") != NULL);
	CHECK(begin(ACTION_SHOW_REGISTRY, 1, CTL_SHOW_REGISTRY, NULL, 0));
	reply(CTL_REGISTRY, &m, sizeof(m));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "\"link\":\"up\"") != NULL);
	CHECK(strstr(out, "\"not_found\":77") != NULL);
	CHECK(strstr(out, "\"max\":1500") != NULL);
}

static void
workers(void)
{
	struct msg_ctl_worker m;

	memset(&m, 0, sizeof(m));
	m.worker = 1;
	m.pid = 4321;
	m.state = CTL_WORKER_LEAVING;
	m.sessions = 50;
	m.all = 400;
	m.out = 32;
	m.to = 65;
	CHECK(begin(ACTION_SHOW_WORKERS, 0, CTL_SHOW_WORKERS, NULL, 0));
	reply(CTL_WORKER, &m, sizeof(m));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "WORKER") == out);
	CHECK(
	    strstr(out, "\n1          4321 leaving         50  12.5%") != NULL);
	CHECK(strstr(out, " 32 to 1 ") != NULL);
	CHECK(begin(ACTION_SHOW_WORKERS, 1, CTL_SHOW_WORKERS, NULL, 0));
	reply(CTL_WORKER, &m, sizeof(m));
	m.state = CTL_WORKER_STATES;
	m.out = 0;
	reply(CTL_WORKER, &m, sizeof(m));
	reply_end(0);
	CHECK(finish() == CTL_OK);
	CHECK(strstr(out, "[{\"worker\":1,\"place\":0,\"pid\":4321,"
			  "\"state\":\"leaving\",\"sessions\":50,") == out);
	CHECK(strstr(out, "\"moving_out\":32,\"moving_to\":65,") != NULL);
	CHECK(strstr(out, "\"state\":\"?\"") != NULL);
	CHECK(strstr(out, "\"moving_out\":0,\"moving_to\":null,") != NULL);
}

/* An answer to show peers that must end the command. */
static int
rejects(uint32_t type, size_t len)
{
	static const uint8_t zero[4096];

	if (!begin(ACTION_SHOW_PEERS, 0, CTL_SHOW_PEERS, NULL, 0))
		return (0);
	reply(type, zero, len);
	reply_end(0);
	return (finish() == CTL_FAILED);
}

static void
wrong_answers(void)
{
	CHECK(rejects(CTL_PEER, sizeof(struct msg_ctl_peer) - 1));
	CHECK(strstr(said, "wrong size") != NULL);
	CHECK(rejects(CTL_PEER, sizeof(struct msg_ctl_peer) + 1));
	CHECK(rejects(CTL_PEER, 0));
	CHECK(rejects(CTL_END, 0));
	CHECK(rejects(CTL_END, 8));
	CHECK(rejects(CTL_NODE, sizeof(struct msg_ctl_entry)));
	CHECK(strstr(said, "unexpected") != NULL);
	CHECK(rejects(0, 0));
	CHECK(rejects(CTL_SHOW_PEERS, 0));
}

static void
beacond_hangs_up(void)
{
	CHECK(begin(ACTION_SHOW_PEERS, 0, CTL_SHOW_PEERS, NULL, 0));
	CHECK(finish() == CTL_FAILED);
	CHECK(strstr(said, "closed the connection") != NULL);
}

static void
error_of_a_list(void)
{
	CHECK(begin(ACTION_SHOW_PEERS, 0, CTL_SHOW_PEERS, NULL, 0));
	reply_end(EBUSY);
	CHECK(finish() == CTL_FAILED);
	CHECK(strstr(said, "show peers: Device or resource busy") != NULL);
}

static void
reload_answers(void)
{
	CHECK(begin(ACTION_RELOAD, 0, CTL_RELOAD, NULL, 0));
	reply_end(0);
	CHECK(finish() == CTL_OK && said[0] == '\0');
	CHECK(begin(ACTION_RELOAD, 0, CTL_RELOAD, NULL, 0));
	reply_end(EINVAL);
	CHECK(finish() == CTL_FAILED);
	CHECK(strstr(said, "has errors") != NULL);
	CHECK(begin(ACTION_RELOAD, 0, CTL_RELOAD, NULL, 0));
	reply_end(EACCES);
	CHECK(finish() == CTL_FAILED);
	CHECK(strstr(said, "Permission denied") != NULL);
	CHECK(begin(ACTION_RELOAD, 0, CTL_RELOAD, NULL, 0));
	reply_end(ERESTART);
	CHECK(finish() == CTL_RESTART);
	CHECK(strstr(said, "done, but for what waits") != NULL);
}

/* Waits until the command has read all that was sent to it. */
static int
drained(void)
{
	int i, queued;

	for (i = 0; i < 5000; i++) {
		if (ioctl(server.fd, SIOCOUTQ, &queued) == -1)
			return (0);
		if (queued == 0)
			return (1);
		(void)poll(NULL, 0, 1);
	}
	return (0);
}

static void
stop_waits_for_the_end(void)
{
	int status;

	CHECK(begin(ACTION_STOP, 0, CTL_STOP, NULL, 0));
	reply_end(0);
	/* A byte too many must not pass for the end either. */
	CHECK(drained());
	CHECK(send(server.fd, "x", 1, 0) == 1 && drained());
	/* The pause can only miss a fault, never invent one. */
	(void)poll(NULL, 0, 50);
	CHECK(waitpid(client, &status, WNOHANG) == 0);
	CHECK(finish() == CTL_OK);
	CHECK(begin(ACTION_STOP, 0, CTL_STOP, NULL, 0));
	reply_end(EPERM);
	CHECK(finish() == CTL_FAILED);
}

static void
nobody_listens(void)
{
	int status;

	client = fork();
	if (client == 0) {
		struct command cmd;

		memset(&cmd, 0, sizeof(cmd));
		cmd.action = ACTION_RELOAD;
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(99);
		exit(control(&cmd, "/nonexistent/socket", 0));
	}
	CHECK(waitpid(client, &status, 0) == client);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == CTL_FAILED);
}

static void
set_up(void)
{
	struct sockaddr_un sun;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	(void)strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener == -1 ||
	    bind(listener, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(listener, 1) == -1)
		abort();
	/* Whatever hangs, the test ends. */
	(void)alarm(60);
}

int
main(void)
{
	set_up();
	RUN(summary_text);
	RUN(summary_json);
	RUN(metrics_text);
	RUN(metrics_json);
	RUN(peer_connected);
	RUN(peer_not_connected);
	RUN(many_peers);
	RUN(nodes);
	RUN(beacons);
	RUN(registry);
	RUN(workers);
	RUN(wrong_answers);
	RUN(beacond_hangs_up);
	RUN(error_of_a_list);
	RUN(reload_answers);
	RUN(stop_waits_for_the_end);
	RUN(nobody_listens);
	(void)unlink(path);
	(void)rmdir(dir);
	return (test_failed());
}
