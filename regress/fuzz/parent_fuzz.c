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
#include <signal.h>
#include <string.h>

#include "regress/fuzz/family.h"
#include "regress/fuzz/loop.h"

static struct input program;

/* Until nothing happens any more. */
static void
settle(void)
{
	int turns;

	for (turns = 0; loop_turn() + children_hear() > 0; turns++)
		REQUIRE(turns < 10000);
}

static void
act_time(uint8_t how)
{
	static const uint16_t milliseconds[4] = { 10, 500, 2000, 10000 };
	int i;

	if (how & 0x80) {
		fuzz_move_wall(how & 0x40 ? -3600 : 3600);
		return;
	}
	for (i = 0; i <= (how >> 2 & 7); i++) {
		fuzz_pass(milliseconds[how & 3]);
		settle();
	}
}

static void
act(void)
{
	uint8_t what;

	what = input_u8(&program);
	switch (what & 7) {
	case 3:
	case 4:
		operator_acts(&program);
		break;
	case 5:
		act_time(input_u8(&program));
		break;
	case 6:
		habits = input_u8(&program);
		break;
	case 7:
		if ((what & 0xf0) == 0xf0)
			loop_signal(what & 8 ? SIGTERM : SIGHUP);
		else if ((what & 0x80) == 0)
			loop_order(what >> 4);
		else
			family_conf(what >> 4);
		break;
	default:
		child_acts(&program);
		break;
	}
	if (what & 8 && (what & 7) != 7)
		(void)loop_turn();
	else
		settle();
}

static void
run(void)
{
	int i;

	settle();
	while (program.size > 0 && !loop_over())
		act();
	habits = 0xff;
	settle();
	for (i = 0; i < 10; i++) {
		(void)operators_hear();
		settle();
	}
	children_check();
	family_check();
	/* As long as operators have to wait for anything. */
	for (i = 0; (i < 5 || operators_wait()) && !loop_over(); i++) {
		REQUIRE(i < 40);
		fuzz_pass(2000);
		settle();
		(void)operators_hear();
	}
	if (loop_over())
		return;
	operators_end(1);
	settle();
	family_check();
	loop_signal(SIGTERM);
	settle();
	REQUIRE(loop_over());
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
