/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * A parent, with children and operators who may say anything: the input is a
 * program of what they do.  Whatever it is, who keeps the rules is never
 * killed, who breaks them always is; the peer map's sums are right and all that
 * it says leads somewhere; each request of an operator is answered; and in the
 * end no memory and no descriptor is left.
 */
#include "regress/fuzz/family.h"

static struct input program;

static void
run(void)
{
	family_acts(&program);
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
	family_run(input_u8(&program), run);
	operators_end(0);
	fuzz_descriptors_check();
	return (0);
}
