/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/bench/load.h"

#define PEERS_MAX 100000

static const struct mode {
	const char *name;
	enum run run;
	enum via via[2]; /* of the even peers, of the odd ones */
} modes[] = {
	{ "ws", RUN_PAIRS, { VIA_WS, VIA_WS } },
	{ "tcp", RUN_PAIRS, { VIA_TCP, VIA_TCP } },
	{ "udp", RUN_PAIRS, { VIA_UDP, VIA_UDP } },
	{ "mixed", RUN_PAIRS, { VIA_UDP, VIA_WS } },
	{ "login", RUN_LOGIN, { VIA_WS, VIA_WS } },
	{ "idle", RUN_IDLE, { VIA_WS, VIA_WS } },
	{ "idle-tcp", RUN_IDLE, { VIA_TCP, VIA_TCP } },
	{ "keys", RUN_KEYS, { VIA_WS, VIA_WS } },
};

static void
usage(void)
{
	fprintf(stderr,
	    "usage: load ws|tcp|udp|mixed [-1] -p PORT[,PORT] [-u PORT]\n"
	    "           [-n PAIRS] [-w WINDOW | -r RATE] [-s SIZE]\n"
	    "           [-L] [-d SECONDS] [-c PACKETS] [-b BASE] [-k AT_ONCE]\n"
	    "       load login|idle|idle-tcp -p PORT[,PORT] [-n PEERS]\n"
	    "           [-b BASE] [-k AT_ONCE] [-d SECONDS] [-R SECONDS]\n"
	    "       load keys [-n NODES] [-b BASE] FILE\n");
	exit(2);
}

static uint64_t
number(const char *text, uint64_t min, uint64_t max)
{
	const char *why;
	long long n;

	n = strtonum(text, (long long)min, (long long)max, &why);
	if (why != NULL)
		errx(2, "%s: number is %s", text, why);
	return ((uint64_t)n);
}

static void
parse_ports(char *list)
{
	char *one;

	while ((one = strsep(&list, ",")) != NULL) {
		if (load.ntcp == PORTS_MAX)
			errx(2, "too many ports");
		load.tcp_ports[load.ntcp++] = (uint16_t)number(one, 1, 65535);
	}
}

static void
parse_option(int ch)
{
	switch (ch) {
	case '1':
		load.echo = 0;
		break;
	case 'b':
		load.base = (uint32_t)number(optarg, 0, 1000000);
		break;
	case 'c':
		load.packets = number(optarg, 1, 1000000000);
		break;
	case 'd':
		load.seconds = number(optarg, 1, 86400);
		break;
	case 'k':
		load.at_once = (uint32_t)number(optarg, 1, PEERS_MAX);
		break;
	case 'L':
		load.lives = 1;
		load.again = 1;
		break;
	case 'n':
		load.npeers = (uint32_t)number(optarg, 1, PEERS_MAX);
		break;
	case 'p':
		parse_ports(optarg);
		break;
	case 'r':
		load.rate = number(optarg, 1, 10000000);
		break;
	case 'R':
		load.again = (uint32_t)number(optarg, 1, 60);
		break;
	case 's':
		load.size = (uint32_t)number(optarg, STAMP_LEN, PAYLOAD_MAX);
		break;
	case 'u':
		load.udp_port = (uint16_t)number(optarg, 1, 65535);
		break;
	case 'w':
		load.window = (uint32_t)number(optarg, 1, 4096);
		break;
	default:
		usage();
	}
}

static int
mode_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(name, modes[i].name) != 0)
			continue;
		load.mode = modes[i].name;
		load.run = modes[i].run;
		memcpy(load.via, modes[i].via, sizeof(load.via));
		return (0);
	}
	return (-1);
}

/* Fills in load, or ends the program. */
void
options_parse(int argc, char *argv[])
{
	int ch;

	load.npeers = 50;
	load.at_once = 256;
	load.window = 32;
	load.seconds = 3;
	load.size = 64;
	load.echo = 1;
	load.addr.s_addr = htonl(INADDR_LOOPBACK);
	if (argc < 2 || mode_find(argv[1]) == -1)
		usage();
	optind = 2;
	while ((ch = getopt(argc, argv, "1b:c:d:k:Ln:p:R:r:s:u:w:")) != -1)
		parse_option(ch);
	load.keys_path = argv[optind];
	if ((load.run == RUN_KEYS) != (argc - optind == 1))
		usage();
	if (load.run != RUN_KEYS &&
	    ((load.ntcp == 0 && load.via[1] != VIA_UDP) ||
		(load.udp_port == 0 && load.via[0] == VIA_UDP)))
		usage();
	if (load.run == RUN_PAIRS)
		load.npeers *= 2;
	else if (load.packets != 0 || load.rate != 0)
		usage();
}
