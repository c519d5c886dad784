/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/types.h>

#include <err.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/ctl.h"

static int
run(const struct command *cmd, const char *path, int json)
{
	switch (cmd->action) {
	case ACTION_KEYGEN:
		return (keygen(cmd->argc, cmd->argv));
	case ACTION_PROBE:
		return (probe(cmd->argc, cmd->argv));
	default:
		return (control(cmd, path, json));
	}
}

int
main(int argc, char *argv[])
{
	const char *path;
	struct command cmd;
	int ch, json, status;

	path = CTL_SOCKET_DEFAULT;
	json = 0;
	/* The "+": options after the command's word are the command's. */
	while ((ch = getopt(argc, argv, "+js:")) != -1) {
		switch (ch) {
		case 'j':
			json = 1;
			break;
		case 's':
			path = optarg;
			break;
		default:
			usage();
		}
	}
	if (parse_command(argc - optind, argv + optind, &cmd, stderr) == -1)
		usage();
	if (sodium_init() == -1)
		errx(CTL_FAILED, "libsodium does not start");
	status = run(&cmd, path, json);
	if (fflush(stdout) == EOF || ferror(stdout))
		err(CTL_FAILED, "standard output");
	return (status);
}
