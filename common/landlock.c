/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/landlock.h"
#include "common/log.h"
#include "common/sandbox.h"

/*
 * The kernel's interface, as of its version 7 and by our own names: the
 * headers at hand may be older than the kernel.
 */
#define LANDLOCK_VERSION_FLAG 1 /* landlock_create_ruleset: tell the version */
#define LANDLOCK_PATH_BENEATH 1 /* kind of rule */
#define LANDLOCK_PORT         2 /* likewise */
#define LANDLOCK_NET_VERSION  4 /* the first that knows the latter */

#define LANDLOCK_FS_EXECUTE     0x0001
#define LANDLOCK_FS_WRITE_FILE  0x0002
#define LANDLOCK_FS_READ_FILE   0x0004
#define LANDLOCK_FS_REMOVE_FILE 0x0020
#define LANDLOCK_FS_MAKE_REG    0x0100
#define LANDLOCK_NET_BIND       0x1
#define LANDLOCK_NET_CONNECT    0x2

struct landlock_ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

struct landlock_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct landlock_port {
	uint64_t allowed;
	uint64_t port;
};

/*
 * What each version can deny.  fs: one bit a kind of access to files; net: TCP
 * bind and connect; scoped: abstract sockets and signals, if they would reach
 * a process outside.
 */
static const struct landlock_ruleset landlock_versions[] = {
	{ 0, 0, 0 },
	{ 0x1fff, 0, 0 },
	{ 0x3fff, 0, 0 },
	{ 0x7fff, 0, 0 },
	{ 0x7fff, 0x3, 0 },
	{ 0xffff, 0x3, 0 },
	{ 0xffff, 0x3, 0x3 },
};
#define LANDLOCK_VERSIONS \
	((long)(sizeof(landlock_versions) / sizeof(landlock_versions[0])))

/* Who forbids one of them has most likely not heard of the others either. */
static void landlock_fatal(const char *) __attribute__((noreturn));

static void
landlock_fatal(const char *call)
{
	fatal("%s (of landlock_create_ruleset, landlock_add_rule and "
	      "landlock_restrict_self, which must be allowed)",
	    call);
}

static long
landlock_version(void)
{
	return (syscall(
	    SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG));
}

/*
 * A ruleset that allows nothing but what is left alone, as far as this kernel
 * can deny it.  Returns
 * its descriptor; -1, said in the log, if the kernel has no Landlock: the
 * other functions do nothing then.  Any other failure is fatal.
 */
int
landlock_new(unsigned int alone)
{
	struct landlock_ruleset ruleset;
	long version;
	int fd;

#ifdef SANDBOX_NONE
	return (-1);
#endif
	version = landlock_version();
	if (version == -1 && (errno == ENOSYS || errno == EOPNOTSUPP)) {
		log_warnx(
		    "no Landlock: files are kept away by the other means "
		    "only; the kernel has none (CONFIG_SECURITY_LANDLOCK, "
		    "lsm=), or a container's seccomp profile does not "
		    "allow landlock_create_ruleset, landlock_add_rule and "
		    "landlock_restrict_self");
		return (-1);
	}
	if (version < 1)
		landlock_fatal("landlock_create_ruleset");
	if (version >= LANDLOCK_VERSIONS)
		version = LANDLOCK_VERSIONS - 1;
	ruleset = landlock_versions[version];
	if (alone & LANDLOCK_BIND)
		ruleset.net &= ~(uint64_t)LANDLOCK_NET_BIND;
	fd = (int)syscall(
	    SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	if (fd == -1)
		landlock_fatal("landlock_create_ruleset");
	return (fd);
}

/* Allows access (LANDLOCK_*) to the file, or to all beneath the directory. */
void
landlock_allow_fd(int ruleset, int fd, unsigned int access)
{
	struct landlock_beneath beneath;

	if (ruleset == -1)
		return;
	beneath.allowed = 0;
	if (access & LANDLOCK_READ)
		beneath.allowed |= LANDLOCK_FS_READ_FILE;
	if (access & LANDLOCK_EXECUTE)
		beneath.allowed |= LANDLOCK_FS_EXECUTE;
	if (access & LANDLOCK_REMOVE)
		beneath.allowed |= LANDLOCK_FS_REMOVE_FILE;
	if (access & LANDLOCK_CREATE)
		beneath.allowed |= LANDLOCK_FS_WRITE_FILE |
				   LANDLOCK_FS_MAKE_REG |
				   LANDLOCK_FS_REMOVE_FILE;
	beneath.fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH_BENEATH,
		&beneath, 0) == -1)
		landlock_fatal("landlock_add_rule");
}

/* As landlock_allow_fd(), by path; one that does not exist needs no rule. */
void
landlock_allow(int ruleset, const char *path, unsigned int access)
{
	int fd;

	if (ruleset == -1)
		return;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd == -1 && (errno == ENOENT || errno == EACCES))
		return;
	if (fd == -1)
		fatal("landlock: open %s", path);
	landlock_allow_fd(ruleset, fd, access);
	(void)close(fd);
}

/* Allows to connect to that TCP port (host order) of any machine. */
void
landlock_allow_connect(int ruleset, uint16_t port)
{
	struct landlock_port rule;

	/* An older one denies nothing of the kind. */
	if (ruleset == -1 || landlock_version() < LANDLOCK_NET_VERSION)
		return;
	rule.allowed = LANDLOCK_NET_CONNECT;
	rule.port = port;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PORT, &rule, 0) ==
	    -1)
		landlock_fatal("landlock_add_rule, for a port");
}

/* In force from here on; needs no_new_privs.  Closes the ruleset. */
void
landlock_enter(int ruleset)
{
	if (ruleset == -1)
		return;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == -1)
		landlock_fatal("landlock_restrict_self");
	(void)close(ruleset);
}

/* For a process that needs nothing by name. */
void
landlock_deny_all(void)
{
	landlock_enter(landlock_new(0));
}
