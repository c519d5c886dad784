/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/budget.h"

#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

static int
take_all(struct budget *b)
{
	int n;

	for (n = 0; n < 1000000 && budget_take(b, 1); n++)
		continue;
	return (n);
}

static void
test_burst_then_rate(void)
{
	struct budget b;

	budget_init(&b, 80, 100);
	CHECK(take_all(&b) == 100);
	still_pass(0.5);
	CHECK(take_all(&b) == 40);
	still_pass(3600);
	CHECK(take_all(&b) == 100);
	CHECK(!budget_take(&b, 1));
}

/* However often it is asked, no part of a second is lost or gained. */
static void
test_small_steps(void)
{
	struct budget b;
	int i, n;

	budget_init(&b, 7, 10);
	(void)take_all(&b);
	n = 0;
	for (i = 0; i < 100000; i++) {
		still_pass(0.001);
		n += budget_take(&b, 1);
	}
	CHECK(n == 700);
}

static void
test_several_at_once(void)
{
	struct budget b;

	budget_init(&b, 10, 10);
	CHECK(!budget_take(&b, 11));
	CHECK(budget_take(&b, 10));
	CHECK(!budget_take(&b, 1));
	still_pass(0.35);
	CHECK(!budget_take(&b, 4));
	CHECK(budget_take(&b, 3));
}

static void
test_large_numbers(void)
{
	struct budget b;

	budget_init(&b, 1, UINT32_MAX);
	CHECK(budget_take(&b, UINT32_MAX));
	still_pass(1e6);
	CHECK(budget_take(&b, 1000000));
	CHECK(!budget_take(&b, 1));
	budget_init(&b, 1000000000, UINT32_MAX);
	CHECK(budget_take(&b, UINT32_MAX));
	still_pass(0.5);
	CHECK(budget_take(&b, 500000000));
	CHECK(!budget_take(&b, 1));
}

static void
test_persecond(void)
{
	struct persecond p = { 0, 0 };

	CHECK(persecond_take(&p, 5, 3, 4));
	CHECK(!persecond_take(&p, 5, 2, 4));
	CHECK(persecond_take(&p, 5, 1, 4));
	CHECK(!persecond_take(&p, 5, 1, 4));
	/* Lowered meanwhile, or taking more than there can be. */
	CHECK(!persecond_take(&p, 5, 1, 2));
	CHECK(!persecond_take(&p, 5, UINT32_MAX, 4));
	CHECK(persecond_take(&p, 6, 4, 4));
}

static void
test_other_limits(void)
{
	struct budget b;

	budget_init(&b, 80, 100);
	CHECK(budget_take(&b, 70));
	budget_change(&b, 10, 20);
	CHECK(budget_left(&b) == 20);
	CHECK(take_all(&b) == 20);
	/* Nothing for free by a change, there and back. */
	budget_change(&b, 80, 100);
	CHECK(budget_left(&b) == 0);
	still_pass(0.5);
	CHECK(budget_left(&b) == 40);
	CHECK(take_all(&b) == 40);
}

int
main(void)
{
	RUN(test_burst_then_rate);
	RUN(test_small_steps);
	RUN(test_several_at_once);
	RUN(test_large_numbers);
	RUN(test_persecond);
	RUN(test_other_limits);
	return (test_failed());
}
