/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attributes.h"
#include "common/child.h"
#include "common/fdstat.h"
#include "common/landlock.h"
#include "common/log.h"
#include "common/proto.h"
#include "common/self.h"

static uid_t
child_number(const char *text, const char *what)
{
	const char *error;
	long long n;

	n = strtonum(text, 1, UINT_MAX - 1, &error);
	if (error != NULL)
		fatalx("%s \"%s\" is %s", what, text, error);
	return ((uid_t)n);
}

static void
child_arguments(struct child *child, int argc, char **argv)
{
	int c, have;

	have = 0;
	while ((c = getopt(argc, argv, "g:r:u:V")) != -1) {
		switch (c) {
		case 'g':
			child->gid = child_number(optarg, "group id");
			have |= 1;
			break;
		case 'r':
			child->root = optarg;
			break;
		case 'u':
			child->uid = child_number(optarg, "user id");
			have |= 2;
			break;
		case 'V':
			(void)printf("%s %s\n", child->name, BEACOND_VERSION);
			exit(0);
		default:
			exit(2);
		}
	}
	child->drop = have == 3;
	if (argc != optind || (have != 0 && have != 3))
		exit(2);
}

/*
 * Takes the arguments, keeps no descriptor but stdio, the parent's channel and
 * the log, and begins to log.  Anyone but the parent is told to go away.
 */
void
child_start(struct child *child, int argc, char **argv, const char *name)
{
	struct stat st;

	memset(child, 0, sizeof(*child));
	child->name = name;
	child_arguments(child, argc, argv);
	if (fdstat(CHILD_PARENT_FD, &st) == -1 || !S_ISSOCK(st.st_mode) ||
	    fdstat(LOG_CHILD_FD, &st) == -1 || !S_ISSOCK(st.st_mode)) {
		(void)fprintf(stderr,
		    "%s: started by beacond only; run that instead\n", name);
		exit(2);
	}
	/* What the parent uses these for ends with the exec. */
	(void)fcntl(CHILD_PARENT_FD, F_SETFD, FD_CLOEXEC);
	(void)fcntl(LOG_CHILD_FD, F_SETFD, FD_CLOEXEC);
	log_init(name, LOG_TO_PARENT);
	if (attributes_close_above(LOG_CHILD_FD) == -1)
		fatal("close_range, then close of each descriptor");
	if (chdir("/") == -1)
		fatal("chdir /");

	attributes_signals();
	/* The parent ends a child through the channel; a terminal does not. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
}

static void
child_rlimit(int resource, const char *what)
{
	struct rlimit rl;

	rl.rlim_cur = rl.rlim_max = 0;
	if (setrlimit(resource, &rl) == -1)
		fatal("setrlimit %s", what);
}

/* The means to become another user have served. */
static void
child_no_capabilities(void)
{
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	memset(&header, 0, sizeof(header));
	memset(data, 0, sizeof(data));
	header.version = _LINUX_CAPABILITY_VERSION_3;
	if (syscall(SYS_capset, &header, data) == -1)
		fatal("capset");
}

static void
child_drop(const struct child *child)
{
	if (child->root != NULL &&
	    (chroot(child->root) == -1 || chdir("/") == -1))
		fatal("chroot %s", child->root);
	if (setgroups(1, &child->gid) == -1)
		fatal("setgroups to gid %u", child->gid);
	if (setresgid(child->gid, child->gid, child->gid) == -1)
		fatal("setresgid to gid %u", child->gid);
	if (setresuid(child->uid, child->uid, child->uid) == -1)
		fatal("setresuid to uid %u", child->uid);
	child_no_capabilities();
	if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 ||
	    setresgid((gid_t)-1, 0, (gid_t)-1) == 0)
		fatalx("could become root again");
}

/*
 * Gives up, for good, what the role does not need.  Everything that opens or
 * creates something (loop, libsodium, signals) comes before this; the first
 * byte from a channel comes after.
 */
void
child_confine(const struct child *child)
{
	self_begin();
	if (child->drop)
		child_drop(child);
	/* After the ids: a change of ids clears both. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		fatal("prctl PDEATHSIG");
#ifndef SANITIZED
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		fatal("prctl DUMPABLE");
#endif
	child_rlimit(RLIMIT_CORE, "CORE");
	child_rlimit(RLIMIT_FSIZE, "FSIZE");
	child_rlimit(RLIMIT_NPROC, "NPROC");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("prctl NO_NEW_PRIVS");
	landlock_deny_all();
}
