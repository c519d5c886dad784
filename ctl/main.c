/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/types.h>

#include <err.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/probe.h"
#include "ctl/top.h"

static int
run(const struct command *cmd, const char *path, int json)
{
	switch (cmd->action) {
	case ACTION_KEYGEN:
		return (keygen(cmd->argc, cmd->argv));
	case ACTION_PROBE:
		return (probe(cmd->argc, cmd->argv, json));
	case ACTION_TOP:
		return (top(cmd->argc, cmd->argv, path));
	default:
		return (control(cmd, path, json));
	}
}

/* What the exit status is when it is not the command's fault. */
static int
failed(const struct command *cmd)
{
	return (cmd->action == ACTION_PROBE ? PROBE_UNKNOWN : CTL_FAILED);
}

/* The options before the command's word. */
static void
options_get(int argc, char *argv[], const char **path, int *json)
{
	static const struct option long_options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int ch;

	/* The "+": options after the command's word are the command's. */
	while ((ch = getopt_long(argc, argv, "+:hjs:V", long_options, NULL)) !=
	       -1) {
		switch (ch) {
		case 'h':
			usage_help();
		case 'V':
			printf("beaconctl %s\n", BEACOND_VERSION);
			exit(CTL_OK);
		case 'j':
			*json = 1;
			break;
		case 's':
			*path = optarg;
			break;
		case ':':
			usage("-%c: a word is missing behind it", optopt);
		default:
			usage("%s: no such option", argv[optind - 1]);
		}
	}
}

int
main(int argc, char *argv[])
{
	const char *path;
	struct command cmd;
	int json, status;

	path = CTL_SOCKET_DEFAULT;
	json = 0;
	options_get(argc, argv, &path, &json);
	if (optind < argc && strcmp(argv[optind], "help") == 0)
		usage_help();
	if (parse_command(argc - optind, argv + optind, &cmd, stderr) == -1)
		exit(CTL_USAGE);
	if (sodium_init() == -1)
		errx(failed(&cmd), "libsodium does not start");
	status = run(&cmd, path, json);
	if (fflush(stdout) == EOF || ferror(stdout))
		err(failed(&cmd), "standard output");
	return (status);
}
