/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/loop.h"

#include "auth/auth.h"
#include "auth/sandbox.h"

int
main(int argc, char **argv)
{
	static struct auth auth;
	struct child child;

	if (argc == 3 && strcmp(argv[1], "-n") == 0)
		return (check_key_file(argv[2]));
	child_start(&child, argc, argv, "beacond-auth");
	if (sodium_init() == -1)
		fatalx("sodium_init: libsodium does not start");
	auth.loop = loop_open(0);
	work_init(&auth);
	child_confine(&child);
	auth_sandbox();

	channel_loop_init(auth.loop);
	from_parent_open(&auth, CHILD_PARENT_FD);
	(void)ev_run(auth.loop, 0);
	fatalx("nothing left to wait for");
}
