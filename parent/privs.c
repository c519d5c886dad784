/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"

#define PRIVS_ROOT       "/run/beacond.empty" /* the children's / */
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
		fatal("getrlimit NOFILE");
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("setrlimit NOFILE");
	if (rl.rlim_cur < PRIVS_FILES_MIN)
		fatalx("only %ju open files are allowed, it takes %d%s",
		    (uintmax_t)rl.rlim_cur, PRIVS_FILES_MIN,
		    log_remedy(EMFILE));
	parent->max_files = rl.rlim_cur;
	parent->max_sockets = PEERMAP_NODES_MAX;
	if (rl.rlim_cur - PRIVS_FILES_KEPT < parent->max_sockets)
		parent->max_sockets = (uint32_t)rl.rlim_cur - PRIVS_FILES_KEPT;
	/* What children share with us is a file to the kernel. */
	if (getrlimit(RLIMIT_FSIZE, &rl) == -1)
		fatal("getrlimit FSIZE");
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_FSIZE, &rl) == -1)
		fatal("setrlimit FSIZE");
	rl.rlim_cur = rl.rlim_max = 0;
	if (setrlimit(RLIMIT_CORE, &rl) == -1)
		fatal("setrlimit CORE");
}

/* Enough descriptors for all peers?  Later is too late to hear of it. */
void
privs_check_files(const struct parent *parent)
{
	uint64_t have;
	uint32_t wanted;

	wanted = parent->conf->max_peers;
	have = (uint64_t)parent->max_sockets * parent->nworkers;
	if (wanted == 0 || have >= wanted)
		return;
	log_warnx("\"max peers\" is %u, but the limit of open files has room "
		  "for %ju only: with %u workers it takes LimitNOFILE=%u (or "
		  "ulimit -Hn)",
	    wanted, (uintmax_t)have, parent->nworkers,
	    (wanted + parent->nworkers - 1) / parent->nworkers +
		PRIVS_FILES_KEPT);
}

/*
 * Does the user namespace have this user?  The kernel ignores what it does not
 * have, and says nothing; but it always tells who was it before.
 */
static int
privs_is_mapped(const struct passwd *pw)
{
	int gid, gid_taken, uid, uid_taken;

	gid = setfsgid(pw->pw_gid);
	uid = setfsuid(pw->pw_uid);
	uid_taken = setfsuid((uid_t)uid);
	gid_taken = setfsgid((gid_t)gid);
	if (gid == -1 || uid == -1)
		fatal("setfsuid, setfsgid");
	return (
	    (uid_t)uid_taken == pw->pw_uid && (gid_t)gid_taken == pw->pw_gid);
}

/*
 * Who the user is; NULL: nobody of that name.  Returns 0, or -1 with the reason
 * and the remedy in why: it is none to become.
 */
int
privs_find(const char *user, const struct passwd **pw, char why[PRIVS_WHY_MAX])
{
	errno = 0;
	*pw = getpwnam(user);
	if (*pw == NULL && (errno == EMFILE || errno == ENFILE ||
			       errno == ENOMEM || errno == EINTR))
		(void)snprintf(why, PRIVS_WHY_MAX, "cannot be looked up: %s%s",
		    strerror(errno), log_remedy(errno));
	else if (*pw == NULL)
		(void)snprintf(why, PRIVS_WHY_MAX,
		    "does not exist; create it: "
		    "useradd -r -s /usr/sbin/nologin %s",
		    user);
	else if ((*pw)->pw_uid == 0)
		(void)snprintf(why, PRIVS_WHY_MAX, "is root; name another");
	else if (geteuid() == 0 && !privs_is_mapped(*pw))
		(void)snprintf(why, PRIVS_WHY_MAX,
		    "does not exist in this user namespace: "
		    "uid %u or gid %u is not mapped; map them (subuid(5)), "
		    "or start as the user itself",
		    (*pw)->pw_uid, (*pw)->pw_gid);
	else
		return (0);
	return (-1);
}

static const struct passwd *
privs_user(const char *user)
{
	const struct passwd *pw;
	char why[PRIVS_WHY_MAX];

	if (privs_find(user, &pw, why) == -1)
		fatalx("user \"%s\" %s", user, why);
	return (pw);
}

/*
 * An empty directory for the children to be locked up in.  Like ntpd, we trust
 * it only if nobody but root can put anything there.
 */
static void
privs_make_root(void)
{
	struct stat st;

	if (mkdir(PRIVS_ROOT, 0555) == -1 && errno != EEXIST)
		fatal("mkdir %s", PRIVS_ROOT);
	if (lstat(PRIVS_ROOT, &st) == -1)
		fatal("lstat %s", PRIVS_ROOT);
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0)
		fatalx("%s: not a directory that root alone can write to; "
		       "remove it",
		    PRIVS_ROOT);
	/* Whatever the umask was: all enter it, as other users. */
	if ((st.st_mode & 0555) != 0555 && chmod(PRIVS_ROOT, 0555) == -1)
		fatal("chmod %s", PRIVS_ROOT);
}

/* As whom the children of a role run: its own user or else the parent's. */
static void
privs_role(
    struct role_program *program, const char *user, const char *otherwise)
{
	const struct passwd *pw;

	pw = privs_user(user[0] != '\0' ? user : otherwise);
	program->drop = 1;
	program->uid = pw->pw_uid;
	program->gid = pw->pw_gid;
	program->root = PRIVS_ROOT;
}

/* What starting and ending children of other users takes, and no more. */
static const int privs_kept[] = { CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT,
	CAP_KILL };
#define PRIVS_NKEPT (sizeof(privs_kept) / sizeof(privs_kept[0]))

static int
privs_is_kept(int cap)
{
	size_t i;

	for (i = 0; i < PRIVS_NKEPT; i++)
		if (privs_kept[i] == cap)
			return (1);
	return (0);
}

/*
 * Nobody here or below can ever have another capability again.  Without
 * CAP_SETPCAP the kernel keeps the set as it is: no_new_privs does the same.
 */
static void
privs_bound(void)
{
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!privs_is_kept(cap) && prctl(PR_CAPBSET_READ, cap) == 1 &&
		    prctl(PR_CAPBSET_DROP, cap) == -1 && errno != EPERM)
			fatal("prctl CAPBSET_DROP");
}

static int
privs_has(int cap)
{
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	memset(&header, 0, sizeof(header));
	header.version = _LINUX_CAPABILITY_VERSION_3;
	if (syscall(SYS_capget, &header, data) == -1)
		fatal("capget");
	return ((data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap)) != 0);
}

static void
privs_check_capabilities(void)
{
	size_t i;

	for (i = 0; i < PRIVS_NKEPT; i++)
		if (!privs_has(privs_kept[i]))
			fatalx("root lacks what it takes to start children as "
			       "other users; give it CAP_SETUID, CAP_SETGID, "
			       "CAP_SYS_CHROOT and CAP_KILL, or start as the "
			       "user itself");
}

/*
 * The control socket and the UDP sockets are to be the user's.  Root that may
 * neither write where it is a stranger nor give away what it has made acts as
 * the user, as far as files are concerned.
 */
static void
privs_borrow(const struct passwd *pw)
{
	if (privs_has(CAP_CHOWN) && privs_has(CAP_DAC_OVERRIDE))
		return;
	(void)setfsgid(pw->pw_gid);
	(void)setfsuid(pw->pw_uid);
}

/*
 * After the change of ids: takes up the kept capabilities again.  Inheritable,
 * so that spawn.c can hand them to a child, which uses them to become its own
 * user and then has none.
 */
static void
privs_keep(void)
{
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	size_t i;

	memset(&header, 0, sizeof(header));
	memset(data, 0, sizeof(data));
	header.version = _LINUX_CAPABILITY_VERSION_3;
	for (i = 0; i < PRIVS_NKEPT; i++)
		data[CAP_TO_INDEX(privs_kept[i])].permitted |=
		    CAP_TO_MASK(privs_kept[i]);
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &header, data) == -1)
		fatal("capset");
}

/* The control socket goes with the user, who may unlink it in its directory. */
static void
privs_become(const struct passwd *pw, const char *socket, const char *directory)
{
	if (lchown(socket, pw->pw_uid, pw->pw_gid) == -1)
		fatal("lchown %s to user \"%s\"", socket, pw->pw_name);
	if (directory[0] != '\0' &&
	    lchown(directory, pw->pw_uid, pw->pw_gid) == -1)
		fatal("lchown %s to user \"%s\"", directory, pw->pw_name);
	privs_bound();
	if (prctl(PR_SET_KEEPCAPS, 1) == -1)
		fatal("prctl KEEPCAPS");
	if (setgroups(1, &pw->pw_gid) == -1)
		fatal("setgroups to that of user \"%s\"", pw->pw_name);
	if (setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == -1)
		fatal("setresgid to that of user \"%s\"", pw->pw_name);
	if (setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == -1)
		fatal("setresuid to user \"%s\"", pw->pw_name);
	privs_keep();
}

/*
 * Before anything is bound: as root, who the parent and its children are to
 * be, and whether that can be.
 */
void
privs_prepare(struct parent *parent)
{
	const struct config *conf;
	int role;

	conf = parent->conf;
	if (geteuid() != 0)
		return;
	if (conf->user[0] == '\0')
		fatalx("started as root without a user to become; "
		       "set: user \"_beacond\"");
	privs_check_capabilities();
	privs_make_root();
	for (role = ROLE_PARENT + 1; role < ROLE_MAX; role++)
		privs_role(&parent->programs[role],
		    (const char *)conf + parent->roles[role].user, conf->user);
	privs_borrow(privs_user(conf->user));
}

/* As root: that user and nobody else from now on. */
void
privs_leave(uid_t uid, gid_t gid)
{
	if (geteuid() != 0)
		return;
	if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		fatal("cannot become uid %u, gid %u: it takes CAP_SETUID and "
		      "CAP_SETGID, or start as a user that is not root",
		    uid, gid);
}

/* As root: who the parent is from now on. */
static void
privs_users(struct parent *parent)
{
	const struct config *conf;
	const struct passwd *pw;

	conf = parent->conf;
	pw = privs_user(conf->user);
	if (listen_chown(parent, pw->pw_uid) == -1)
		fatal("fchown of the UDP sockets to user \"%s\"", conf->user);
	privs_become(pw, conf->control_socket, control_made(parent));
}

/* In a new child that is to change its ids: the means to do so survive exec. */
int
privs_hand_over(void)
{
	size_t i;

	for (i = 0; i < PRIVS_NKEPT; i++)
		if (privs_kept[i] != CAP_KILL &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, privs_kept[i],
			0, 0) == -1)
			return (-1);
	return (0);
}

/* Boolean: there is nobody to become. */
static int
privs_is_already(const char *user)
{
	const struct passwd *pw;

	if (user[0] == '\0')
		return (1);
	pw = getpwnam(user);
	return (pw != NULL && pw->pw_uid == geteuid());
}

/* Gives up what is not needed once everything is bound; as root, root. */
void
privs_drop(struct parent *parent)
{
	if (geteuid() == 0)
		privs_users(parent);
	else if (!privs_is_already(parent->conf->user))
		log_info("not started as root: \"user %s\" has no effect",
		    parent->conf->user);
#ifndef SANITIZED
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("prctl DUMPABLE");
#endif
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("prctl NO_NEW_PRIVS");
}
