/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/* A sanitizer needs far more than a sandbox grants: such a build has none. */
#ifdef SANITIZED
#define SANDBOX_NONE
#endif

/*
 * The system calls that a process may still make (doc/architecture.md 6). Each
 * role has one table of them, with the reason beside each row; whatever is not
 * in it kills the process, and so does a call by way of another architecture.
 *
 * Rows of one call add up: it is allowed if any of them lets it through.  So
 * no call may have a row without checks beside one that has some.
 *
 * A table includes <seccomp.h> for the numbers of the calls.
 */
#define SANDBOX_CHECKS 2

/* (argument & mask) == value, on all 64 bits */
struct sandbox_check {
	unsigned int arg; /* 0 to 5 */
	uint64_t mask;
	uint64_t value; /* or SANDBOX_OWN_PID */
};
#define SANDBOX_OWN_PID UINT64_MAX

struct sandbox_rule {
	int call;  /* SCMP_SYS(name); one that this CPU lacks is no error */
	int error; /* 0: allowed; else the errno with which it fails */
	unsigned int nchecks;
	struct sandbox_check checks[SANDBOX_CHECKS];
};

/* clang-format off */
/* The rows of a table. */
#define SANDBOX_ALLOW(name)	  { SCMP_SYS(name), 0, 0, { { 0, 0, 0 } } }
#define SANDBOX_ALLOW1(name, ...) { SCMP_SYS(name), 0, 1, { __VA_ARGS__ } }
#define SANDBOX_ALLOW2(name, ...) { SCMP_SYS(name), 0, 2, { __VA_ARGS__ } }
/* What a library only tries; a build with SANDBOX_STRICT kills for it too. */
#define SANDBOX_DENY(name, error) { SCMP_SYS(name), error, 0, { { 0, 0, 0 } } }

/* Their checks: no other bits than these; exactly this. */
#define SANDBOX_BITS(arg, bits) { arg, ~(uint64_t)(bits), 0 }
#define SANDBOX_IS(arg, value)	{ arg, UINT64_MAX, (uint64_t)(value) }
/* clang-format on */

int sandbox_knows(uint32_t);
void sandbox_check(void);
void sandbox_enter(const struct sandbox_rule *, size_t);

#endif /* COMMON_SANDBOX_H */
