/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <signal.h>

#include "regress/fuzz/family.h"
#include "regress/fuzz/loop.h"

/* What happens to a parent, by a program, and what holds when it is over. */

/* Until nothing happens any more. */
void
family_settle(void)
{
	int turns;

	for (turns = 0; loop_turn() + children_hear() + family_old_hears() > 0;
	     turns++)
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
		family_settle();
	}
}

static void
act(struct input *program)
{
	uint8_t what;

	what = input_u8(program);
	switch (what & 7) {
	case 3:
	case 4:
		operator_acts(program);
		break;
	case 5:
		act_time(input_u8(program));
		break;
	case 6:
		habits = input_u8(program);
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
		child_acts(program);
		break;
	}
	if (what & 8 && (what & 7) != 7)
		(void)loop_turn();
	else
		family_settle();
}

/* Whatever the program says, until it ends or the parent does. */
void
family_acts(struct input *program)
{
	family_settle();
	while (program->size > 0 && !loop_over())
		act(program);
	habits = 0xff;
	operators_stop_taking();
	family_settle();
}

/* All that was asked is answered, the rules have been kept, and it ends. */
void
family_ends(void)
{
	int i;

	for (i = 0; i < 10; i++) {
		(void)operators_hear();
		family_settle();
	}
	children_check();
	family_check();
	/* As long as operators have to wait for anything. */
	for (i = 0; (i < 5 || operators_wait()) && !loop_over(); i++) {
		REQUIRE(i < 40);
		fuzz_pass(2000);
		family_settle();
		(void)operators_hear();
	}
	if (loop_over())
		return;
	operators_end(1);
	family_settle();
	family_check();
	REQUIRE(family_keeps_nothing());
	loop_signal(SIGTERM);
	family_settle();
	REQUIRE(loop_over());
}
