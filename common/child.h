/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include <sys/types.h>

/*
 * How a role program begins (doc/architecture.md 6). The parent starts it with
 * a channel on CHILD_PARENT_FD, a log socket on LOG_CHILD_FD, and these
 * arguments:
 *
 *	[-u UID -g GID [-r ROOT]]
 *
 * ids are numbers and ROOT an empty directory; they are given only when the
 * child starts as root.
 */
struct child {
	const char *name;
	const char *root; /* NULL: no chroot */
	uid_t uid;
	gid_t gid;
	int drop; /* boolean: uid and gid are to be taken on */
};

void child_start(struct child *, int, char **, const char *);
void child_confine(const struct child *);

#endif /* COMMON_CHILD_H */
