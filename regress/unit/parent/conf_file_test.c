/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/* What pairs of files can't show: the files themselves, and large inputs. */
#include <sys/queue.h>
#include <sys/stat.h>

#include <arpa/inet.h>
#include <err.h>
#include <glob.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/conf.h"
#include "parent/conf_internal.h"
#include "regress/unit/test.h"

#define LISTEN     "listen on 127.0.0.1 port 0\n"
#define LISTEN_UDP "listen udp on 127.0.0.1 port 0\n"

static char dir[] = "/tmp/conf_file_test.XXXXXX";
static char *errors;

static int
parse(struct config *conf, const char *path)
{
	FILE *fp;
	size_t len;
	int rv;

	free(errors);
	errors = NULL;
	fp = open_memstream(&errors, &len);
	if (fp == NULL)
		abort();
	rv = conf_parse(conf, path, fp);
	fclose(fp);
	return (rv);
}

/* Parse into a configuration that nobody looks at. */
static int
try(const char *path)
{
	struct config *conf;
	int rv;

	conf = conf_new();
	if (conf == NULL)
		abort();
	rv = parse(conf, path);
	conf_free(conf);
	return (rv);
}

static FILE *
create(const char *name)
{
	FILE *fp;

	fp = fopen(name, "w");
	if (fp == NULL)
		abort();
	return (fp);
}

/* Parse a file of n lines: before, a number from 0 on, after. */
static int
try_lines(int n, const char *before, const char *after)
{
	FILE *fp;
	int i;

	fp = create("lines");
	fprintf(fp, LISTEN_UDP "beacon id 1\n");
	for (i = 0; i < n; i++)
		fprintf(fp, "%s%d%s\n", before, i, after);
	fclose(fp);
	return (try("lines"));
}

static int
says(const char *text)
{
	if (errors != NULL && strstr(errors, text) != NULL)
		return (1);
	printf("# expected \"%s\" in: %.200s\n", text, errors);
	return (0);
}

/* Printing can't show a field that is both set and printed wrongly. */
static void
values(void)
{
	struct config *conf;
	FILE *fp;

	conf = conf_new();
	CHECK(conf != NULL);
	CHECK(conf->workers == 0 && conf->auth_timeout == 10);
	CHECK(conf->idle_timeout == 90 && conf->ping_interval == 30);
	CHECK(conf->write_timeout == 10 && conf->max_peers == 50000);
	CHECK(conf->max_frame == 65536 && conf->legacy_signatures == 1);
	CHECK(conf->source_packet_limit == 4000);
	CHECK(conf->source_byte_limit == 0);
	CHECK(conf->source_upgrade_limit == 500);
	CHECK(conf->punch_source_limit == 1 && conf->punch_total_limit == 10);
	CHECK(conf->require_punch_grant == 0 && conf->beacon_id == 0);
	CHECK(conf->accept_gossip_from_any == 0);
	CHECK(conf->default_beacon.ss_family == AF_UNSPEC);
	fp = create("values");
	fprintf(fp, LISTEN_UDP
	    "workers 3\nkeys file k\ncontrol socket c\n"
	    "user u\nworker user w\nauth user a\nauth timeout 4\n"
	    "idle timeout 6\nping interval 5\nwrite timeout 7\n"
	    "max peers 8\nmax frame 129\nlegacy signatures no\n"
	    "source packet limit 10\nsource upgrade limit 11\n"
	    "require punch grant\npunch source limit 12\n"
	    "punch total limit 13\nbeacon id 14\naccept gossip from any\n"
	    "default beacon 192.0.2.1 port 15\n");
	fclose(fp);
	CHECK(parse(conf, "values") == 0);
	CHECK(conf->workers == 3 && strcmp(conf->keys_file, "k") == 0);
	CHECK(strcmp(conf->control_socket, "c") == 0);
	CHECK(strcmp(conf->user, "u") == 0);
	CHECK(strcmp(conf->worker_user, "w") == 0);
	CHECK(strcmp(conf->auth_user, "a") == 0);
	CHECK(conf->auth_timeout == 4 && conf->idle_timeout == 6);
	CHECK(conf->ping_interval == 5 && conf->write_timeout == 7);
	CHECK(conf->max_peers == 8 && conf->max_frame == 129);
	CHECK(conf->legacy_signatures == 0);
	CHECK(conf->source_packet_limit == 10);
	CHECK(conf->source_upgrade_limit == 11);
	CHECK(conf->require_punch_grant == 1);
	CHECK(conf->punch_source_limit == 12 && conf->punch_total_limit == 13);
	CHECK(conf->beacon_id == 14 && conf->accept_gossip_from_any == 1);
	CHECK(conf->default_beacon.ss_family == AF_INET);
	CHECK(conf->default_beacon_len == sizeof(struct sockaddr_in));
	conf_free(conf);
}

static int
is_address(const struct conf_address *a, enum conf_address_kind kind,
    int prefix, int line)
{
	return (a != NULL && a->kind == kind && a->prefix == prefix &&
		a->line == line && strcmp(a->file, "addresses") == 0);
}

static void
addresses(void)
{
	struct config *conf;
	const struct conf_address *a;
	const struct sockaddr_in *sin;
	const struct sockaddr_in6 *sin6;
	FILE *fp;

	conf = conf_new();
	CHECK(conf != NULL);
	fp = create("addresses");
	fprintf(fp, "beacon id 1\nlisten udp \\\n on * port 1\n"
		    "listen on 192.0.2.1 port 258\npeer beacon ::1 port 3\n"
		    "punch exempt 192.0.2.0/24\n");
	fclose(fp);
	CHECK(parse(conf, "addresses") == 0);
	a = TAILQ_FIRST(&conf->addresses);
	CHECK(is_address(a, CONF_LISTEN_UDP, -1, 2));
	CHECK(a->sslen == sizeof(*sin6) && a->ss.ss_family == AF_INET6);
	sin6 = (const struct sockaddr_in6 *)&a->ss;
	CHECK(IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr));
	CHECK(sin6->sin6_port == htons(1));
	a = TAILQ_NEXT(a, entry);
	CHECK(is_address(a, CONF_LISTEN, -1, 4));
	CHECK(a->sslen == sizeof(*sin) && a->ss.ss_family == AF_INET);
	sin = (const struct sockaddr_in *)&a->ss;
	CHECK(sin->sin_addr.s_addr == htonl(0xc0000201));
	CHECK(sin->sin_port == htons(258));
	a = TAILQ_NEXT(a, entry);
	CHECK(is_address(a, CONF_PEER_BEACON, -1, 5));
	a = TAILQ_NEXT(a, entry);
	CHECK(is_address(a, CONF_PUNCH_EXEMPT, 24, 6));
	CHECK(TAILQ_NEXT(a, entry) == NULL);
	conf_free(conf);
}

static void
modes(void)
{
	CHECK(try_lines(0, "", "") == 0);
	CHECK(chmod("lines", 0664) == 0);
	CHECK(try("lines") == 0);
	CHECK(chmod("lines", 0602) == 0);
	CHECK(try("lines") == -1);
	CHECK(says("lines: everyone can write it (chmod o-w it)\n"));
	CHECK(chmod("lines", 0600) == 0);
}

static void
kinds(void)
{
	CHECK(try("missing") == -1);
	CHECK(says("missing: No such file or directory\n"));
	CHECK(try(".") == -1);
	CHECK(says(".: not a regular file\n"));
	CHECK(mkfifo("fifo", 0600) == 0);
	CHECK(try("fifo") == -1);
	CHECK(says("fifo: not a regular file\n"));
}

static void
standard_input(void)
{
	CHECK(try_lines(1, "max peers 1", "x") == -1);
	CHECK(freopen("lines", "r", stdin) != NULL);
	CHECK(try("-") == -1);
	CHECK(says("stdin:3: "));
}

static void
long_path(void)
{
	char path[CONF_PATH_MAX + 1];

	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	memcpy(path, "./", 2);
	memcpy(path + sizeof(path) - 6, "lines", 5);
	CHECK(try_lines(0, "", "") == 0);
	CHECK(try(path) == -1);
	CHECK(says("path is longer than 255 bytes\n"));
	CHECK(try(path + 2) == -1); /* "///...lines", another file */
	CHECK(says("No such file"));
}

/* Files 0, 1, ... n - 1, each of which includes the next. */
static int
try_chain(int n)
{
	FILE *fp;
	char name[32];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "chain%d", i);
		fp = create(name);
		if (i < n - 1)
			fprintf(fp, "include \"chain%d\"\n", i + 1);
		else
			fprintf(fp, LISTEN);
		fclose(fp);
	}
	return (try("chain0"));
}

static void
include_depth(void)
{
	CHECK(try_chain(CONF_DEPTH_MAX) == 0);
	CHECK(try_chain(CONF_DEPTH_MAX + 1) == -1);
	CHECK(says("chain7:1: files include each other more than 8 deep\n"));
}

static void
include_cycle(void)
{
	FILE *fp;

	fp = create("cycle");
	fprintf(fp, "include \"other\"\n" LISTEN);
	fclose(fp);
	CHECK(symlink("cycle", "other") == 0);
	CHECK(try("cycle") == -1);
	CHECK(says("cycle:1: other: the file includes itself\n"));
}

/* A comment that makes the file `name` this long. */
static void
fill(const char *name, long bytes)
{
	FILE *fp;
	long n;

	fp = create(name);
	fprintf(fp, LISTEN);
	for (n = strlen(LISTEN); n < bytes; n++)
		putc(n % 64 == 0 ? '\n' : '#', fp);
	fclose(fp);
}

static void
size(void)
{
	fill("full", CONF_BYTES_MAX);
	CHECK(try("full") == 0);
	fill("full", CONF_BYTES_MAX + 1);
	CHECK(try("full") == -1);
	CHECK(says("more than 1048576 bytes of configuration\n"));
}

/* Small files multiply when each includes the next many times. */
static void
include_bomb(void)
{
	FILE *fp;
	char name[32];
	int i, j;

	for (i = 0; i < CONF_DEPTH_MAX; i++) {
		snprintf(name, sizeof(name), "bomb%d", i);
		fp = create(name);
		for (j = 0; j < 1000; j++)
			fprintf(fp, "include \"bomb%d\"\n", i + 1);
		fclose(fp);
	}
	fp = create("bomb8");
	fprintf(fp, "# nothing\n");
	fclose(fp);
	CHECK(try("bomb1") == -1);
	CHECK(says("more than 1048576 bytes of configuration\n"));
}

static void
counts(void)
{
	CHECK(try_lines(CONF_MACROS_MAX, "m", " = 1") == 0);
	CHECK(try_lines(CONF_MACROS_MAX + 1, "m", " = 1") == -1);
	CHECK(says("lines:259: more than 256 macros\n"));
	CHECK(try_lines(CONF_BEACONS_MAX, "peer beacon ::1 port 1", "") == 0);
	CHECK(try_lines(CONF_BEACONS_MAX + 1, "peer beacon ::1 port 1", "") ==
	      -1);
	CHECK(says("lines:1027: \"peer beacon\" more than 1024 times\n"));
	CHECK(try_lines(CONF_NETWORKS_MAX, "punch exempt ::", "") == 0);
	CHECK(try_lines(CONF_NETWORKS_MAX + 1, "punch exempt ::", "") == -1);
	CHECK(says("lines:1027: \"punch exempt\" more than 1024 times\n"));
}

static void
clean_up(void)
{
	glob_t g;
	size_t i;

	if (glob("*", 0, NULL, &g) == 0) {
		for (i = 0; i < g.gl_pathc; i++)
			unlink(g.gl_pathv[i]);
		globfree(&g);
	}
	if (chdir("/") == -1 || rmdir(dir) == -1)
		err(1, "%s", dir);
	free(errors);
}

/* Where another program can be, each alone in its line. */
static void
hosts(void)
{
	static const char *const good[] = {
		"registry registry.example port 9000",
		"registry 192.0.2.1 port 1",
		"registry ::1 port 65535",
		"registry \"/run/registry\"",
		"advertise b-1.example port 9001",
	};
	static const char *const bad[] = {
		"registry",
		"registry 192.0.2.1",
		"registry 192.0.2.1 port",
		"registry 192.0.2.1 port 0",
		"registry 192.0.2.1 port 65536",
		"registry relative",
		"registry \"\"",
		"registry \"/path\" port 1",
		"registry -x port 1",
		"registry 0.0.0.0 port 1",
		"registry 1.2.3 port 1",
		"registry \"a b\" port 1",
		"advertise \"/path\"",
		"advertise \"a\\\"b\" port 1",
	};
	char line[64];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(line, sizeof(line), "%s #", good[i]);
		CHECK(try_lines(1, line, "") == 0);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(line, sizeof(line), "%s #", bad[i]);
		CHECK(try_lines(1, line, "") == -1);
	}
}

int
main(void)
{
	umask(022);
	if (mkdtemp(dir) == NULL || chdir(dir) == -1)
		err(1, "%s", dir);
	RUN(values);
	RUN(addresses);
	RUN(modes);
	RUN(kinds);
	RUN(standard_input);
	RUN(long_path);
	RUN(include_depth);
	RUN(include_cycle);
	RUN(size);
	RUN(include_bomb);
	RUN(counts);
	RUN(hosts);
	clean_up();
	return (test_failed());
}
