/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * A parent that another one has left its sessions, or that asks one that runs:
 * the input is the file with them, how their descriptors are spread over
 * queues, how the other one answers, what children do not do by themselves, and
 * then a program as parent_fuzz.c has it.  Whatever is kept, each session that
 * comes to a worker comes with its own descriptor, the map is right, in the end
 * the parent serves, or ends while the other one still does, and nothing is
 * left open.
 */
#include "regress/fuzz/family.h"
#include "regress/fuzz/loop.h"

static struct input program;

static void
run(void)
{
	int i;

	habits = (uint8_t)~input_u8(&program);
	family_acts(&program);
	for (i = 0; family_takes_over() && i < 4000; i++) {
		fuzz_pass(10);
		family_settle();
	}
	/* Without workers nobody takes them. */
	REQUIRE(loop_over() || !family_takes_over() || family_old_is_silent() ||
		child_alive(0, 0) == NULL || child_alive(0, 1) == NULL);
	if (family_old_is_silent()) {
		family_old_ends();
		family_settle();
	}
	family_ends();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	family_start();
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	program.data = data;
	program.size = size;
	fuzz_descriptors_mark();
	children_begin();
	operators_begin();
	family_keep(&program);
	family_run(input_u8(&program), run);
	operators_end(0);
	family_keep_end();
	fuzz_descriptors_check();
	return (0);
}
