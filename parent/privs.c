/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/prctl.h>
#include <sys/resource.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"

#define PRIVS_FILES_MIN  256 /* descriptors without which nothing works */
#define PRIVS_FILES_KEPT 64  /* of a worker's, for other than connections */

/*
 * As many descriptors as we may have; children inherit that.  No core: it
 * would hold what the sandbox keeps apart.
 */
void
privs_limits(struct parent *parent)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("getrlimit");
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("setrlimit");
	if (rl.rlim_cur < PRIVS_FILES_MIN)
		fatalx("only %ju open files are allowed; raise ulimit -Hn",
		    (uintmax_t)rl.rlim_cur);
	parent->max_sockets = PEERMAP_NODES_MAX;
	if (rl.rlim_cur - PRIVS_FILES_KEPT < parent->max_sockets)
		parent->max_sockets = (uint32_t)rl.rlim_cur - PRIVS_FILES_KEPT;
	rl.rlim_cur = rl.rlim_max = 0;
	if (setrlimit(RLIMIT_CORE, &rl) == -1)
		fatal("setrlimit");
}

/* The control socket goes with the user, who may unlink it in its directory. */
static void
privs_become(const char *user, const char *socket)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL)
		fatalx("user \"%s\" does not exist; create it: "
		       "useradd -r -s /usr/sbin/nologin %s",
		    user, user);
	if (pw->pw_uid == 0)
		fatalx("user \"%s\" is root; name another", user);
	if (lchown(socket, pw->pw_uid, pw->pw_gid) == -1)
		fatal("%s", socket);
	if (setgroups(1, &pw->pw_gid) == -1 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == -1 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == -1)
		fatal("cannot become user \"%s\"", user);
	if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
		fatalx("could become root again");
}

/* Gives up what is not needed once everything is bound; as root, root. */
void
privs_drop(struct parent *parent)
{
	const char *user;

	user = parent->conf->user;
	if (geteuid() == 0) {
		if (user[0] == '\0')
			fatalx("started as root without a user to become; "
			       "set: user \"_beacond\"");
		privs_become(user, parent->conf->control_socket);
	} else if (user[0] != '\0')
		log_info(
		    "not started as root: \"user %s\" has no effect", user);
#ifndef __SANITIZE_ADDRESS__
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("prctl DUMPABLE");
#endif
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("prctl NO_NEW_PRIVS");
}
