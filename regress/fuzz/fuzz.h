/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_FUZZ_FUZZ_H
#define REGRESS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "common/log.h"

/*
 * What targets share whose input is a small program: a byte that says what to
 * do, and some that say how.  Where the input ends, zeros follow.
 */
struct input {
	const uint8_t *data;
	size_t size;
};

uint8_t input_u8(struct input *);
uint16_t input_u16(struct input *);
uint32_t input_u32(struct input *);
const uint8_t *input_bytes(struct input *, size_t, size_t *);

/* What must hold; else it is printed, and the run ends as a crash. */
#define REQUIRE(expr)                                           \
	do {                                                    \
		if (!(expr))                                    \
			fuzz_broken(__FILE__, __LINE__, #expr); \
	} while (0)
void fuzz_broken(const char *, int, const char *) __attribute__((noreturn));

/* To nowhere, unless FUZZ_LOG is in the environment: then to standard error. */
enum log_target fuzz_log_target(void);

/* Called when a descriptor is closed. */
extern void (*fuzz_on_close)(int);

struct pollfd;
int fuzz_poll(struct pollfd *, unsigned);
void fuzz_descriptors_mark(void);
void fuzz_descriptors_check(void);
void fuzz_descriptors_close(void);

/* Both clocks stand still but for this, in nanoseconds. */
#define FUZZ_SECOND 1000000000LL
struct fuzz_clocks {
	int64_t mono;
	int64_t wall; /* since 1970 */
};
extern struct fuzz_clocks fuzz_clocks;
void fuzz_pass(uint32_t);
void fuzz_move_wall(int64_t);

/* Called for exit(3) with that status, and may return if that is 0. */
extern void (*fuzz_on_exit)(int);

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int LLVMFuzzerInitialize(int *, char ***);

#endif /* REGRESS_FUZZ_FUZZ_H */
