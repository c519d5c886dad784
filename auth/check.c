/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "common/attributes.h"
#include "common/child.h"

#include "auth/auth.h"
#include "auth/sandbox.h"

/*
 * For "beacond -n", which has become an ordinary user: reads the key file that
 * is open as standard input, in the sandbox that auth reads it in, and says
 * what is wrong with it.  Returns the exit status.
 */
int
check_key_file(const char *path)
{
	static struct keyfile kf;
	static const struct child child = { .name = "beacond-auth" };
	int more;

	log_init(child.name, LOG_TO_PARENT);
	if (attributes_close_above(LOG_CHILD_FD) == -1)
		fatal("close_range, then close of each descriptor");
	if (sodium_init() == -1)
		fatalx("sodium_init: libsodium does not start");
	child_confine(&child);
	auth_sandbox();

	keyfile_begin(&kf, STDIN_FILENO, path);
	while ((more = keyfile_step(&kf)) == 1)
		continue;
	if (more == -1)
		fatal("%s", path);
	log_info("%u keys in %s, %u bad lines", kf.cache.count, path, kf.bad);
	if (kf.cache.count == 0)
		log_warnx("%s: no key in it: nobody of it can log in, and a "
			  "reload would not believe it",
		    path);
	return (kf.bad == 0 ? 0 : 1);
}
