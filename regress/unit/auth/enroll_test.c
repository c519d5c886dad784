/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/still_clock.h"

#include "auth/beacon_list.h"
#include "regress/unit/auth/parts.h"

static int may_ask = 1, full; /* what the registry's side says */
static int enrolls, lists;
static int no_text;  /* boolean: beacon_list_request() fails */
static int bad_list; /* boolean: beacon_list_parse() does */

int
registry_may_ask(const struct registry *r)
{
	return (may_ask);
}

int
registry_object(
    struct registry *r, enum registry_kind kind, const char *object, size_t len)
{
	if (full)
		return (-1);
	enrolls += kind == REGISTRY_ENROLL;
	lists += kind == REGISTRY_LIST;
	return (0);
}

size_t
beacon_list_request(
    const struct msg_registry_conf *conf, char *out, size_t size)
{
	return (no_text ? 0 : 5);
}

int
beacon_list_parse(const char *object, size_t len, uint32_t own,
    void (*row)(void *, const struct msg_beacon_row *), void *arg,
    uint32_t *count)
{
	static const struct msg_beacon_row one;

	if (bad_list)
		return (-1);
	row(arg, &one);
	*count = 1;
	return (0);
}

static int
turn(void)
{
	enrolls = lists = 0;
	enroll_turn(&auth);
	return (enrolls);
}

static void
test_again_and_again(void)
{
	auth.conf.enroll = 1;
	CHECK(turn() == 1 && lists == 1);
	CHECK(turn() == 0);
	still_pass(29);
	CHECK(turn() == 0);
	still_pass(1);
	CHECK(turn() == 1 && lists == 1);
}

static void
test_not_unasked_nor_without_a_registry(void)
{
	still_pass(30);
	auth.conf.enroll = 0;
	CHECK(turn() == 0);
	auth.conf.enroll = 1;
	may_ask = 0;
	CHECK(turn() == 0);
	may_ask = 1;
	CHECK(turn() == 1);
}

/* Full: it is tried again at once; no text: that will not get better. */
static void
test_what_could_not_be_asked(void)
{
	still_pass(30);
	full = 1;
	CHECK(turn() == 0);
	full = 0;
	CHECK(turn() == 1);
	still_pass(30);
	no_text = 1;
	CHECK(turn() == 0);
	no_text = 0;
	CHECK(turn() == 0);
	still_pass(30);
	CHECK(turn() == 1);
}

static void
test_answers(void)
{
	struct msg_beacon_row row;
	struct wire_answer a;

	memset(&a, 0, sizeof(a));
	a.kind = WIRE_OBJECT;
	auth.enrolled = auth.beacons = 0;
	enroll_answer(&auth, REGISTRY_ENROLL, &a);
	CHECK(auth.enrolled == clock_seconds() && auth.beacons == 0);
	enroll_answer(&auth, REGISTRY_LIST, &a);
	CHECK(auth.beacons == 1);
	CHECK(parts_told(AP_BEACON, &row, sizeof(row)) == 1);
	/* Refused, or no list: nothing of it counts. */
	auth.enrolled = 0;
	a.kind = WIRE_ERROR;
	enroll_answer(&auth, REGISTRY_ENROLL, &a);
	enroll_answer(&auth, REGISTRY_LIST, &a);
	a.kind = WIRE_OBJECT;
	bad_list = 1;
	enroll_answer(&auth, REGISTRY_LIST, &a);
	CHECK(auth.enrolled == 0);
	CHECK(parts_told(AP_BEACON, &row, sizeof(row)) == -1);
}

int
main(void)
{
	parts_loop();
	RUN(test_again_and_again);
	RUN(test_not_unasked_nor_without_a_registry);
	RUN(test_what_could_not_be_asked);
	RUN(test_answers);
	return (test_failed());
}
