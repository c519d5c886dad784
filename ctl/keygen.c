/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <inttypes.h>
#include <sodium.h>
#include <unistd.h>

#include "ctl/ctl.h"

/* The command keygen with its own command line.  Returns an exit code. */
int
keygen(int argc, char *argv[])
{
	char base64[KEY_BASE64_LEN], error[512];
	struct node_key key;
	uint32_t node;
	int ch;

	node = 0;
	optind = 0;
	while ((ch = getopt(argc, argv, "+:n:")) != -1) {
		if (ch != 'n')
			usage("keygen: %s: no such option, or a word is "
			      "missing behind it",
			    argv[optind - 1]);
		if (parse_node(optarg, &node) == -1)
			usage("keygen: %s: not a node id (1 to 4294967295)",
			    optarg);
	}
	if (argc - optind != 1)
		usage("keygen: one FILE to write the key to");
	if (keyfile_create(argv[optind], &key, error, sizeof(error)) == -1) {
		warnx("keygen: %s", error);
		return (CTL_FAILED);
	}
	key_base64(&key, base64);
	sodium_memzero(&key, sizeof(key));
	if (node != 0)
		printf("%" PRIu32 " %s\n", node, base64);
	else
		printf("NODE_ID %s\n", base64);
	return (CTL_OK);
}
