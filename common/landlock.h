/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_LANDLOCK_H
#define COMMON_LANDLOCK_H

#include <stdint.h>

/*
 * Landlock, landlock(7): what a process can reach by name.  A ruleset denies
 * all that the kernel knows to deny, but for what it is told to leave alone
 * when it is made (LANDLOCK_BIND or 0); landlock_allow() makes exceptions; from
 * landlock_enter() on it holds for this process and its children.
 */
#define LANDLOCK_READ    0x1 /* read files */
#define LANDLOCK_EXECUTE 0x2 /* execute files */
#define LANDLOCK_REMOVE  0x4 /* unlink files */
#define LANDLOCK_CREATE  0x8 /* make, write, rename and unlink them */

#define LANDLOCK_BIND 0x1 /* of TCP sockets */

int landlock_new(unsigned int);
void landlock_allow(int, const char *, unsigned int);
void landlock_allow_fd(int ruleset, int fd, unsigned int);
void landlock_allow_connect(int, uint16_t);
void landlock_enter(int);
void landlock_deny_all(void);

#endif /* COMMON_LANDLOCK_H */
