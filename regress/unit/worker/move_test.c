/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"

/* What the parent says of moves goes to whoever it is of. */

static char done[64]; /* in this order */

static void
note(const char *what)
{
	(void)strlcat(done, what, sizeof(done));
}

int
move_out_is(const struct worker *of, uint32_t ticket)
{
	return (ticket == 7);
}

void
move_out_settled(struct worker *of, const struct msg_moved *msg)
{
	note(msg->mask == 5 ? "out " : "? ");
}

void
move_in_settled(struct worker *of, const struct msg_moved *msg)
{
	note(msg->mask == 5 ? "in " : "? ");
}

void
move_out_fenced(struct worker *of, uint32_t place, uint32_t ticket)
{
	note(place == 3 && ticket == 7 ? "own " : "? ");
}

void
route_message(struct worker *of, struct sibling *to, uint32_t type,
    uint32_t peerid, uint32_t pid, const uint8_t *bytes, size_t len)
{
	note(to == w.routes.siblings[100] && type == WW_FENCE && peerid == 7 &&
		     len == 0
		 ? "fence "
		 : "? ");
}

static void
settled(uint32_t ticket)
{
	struct msg_moved msg = { ticket, 0, 5 };

	done[0] = '\0';
	move_settled(&w, &msg);
}

static void
fence(uint32_t place)
{
	struct msg_moved msg = { 7, place, 0 };

	done[0] = '\0';
	move_fence(&w, &msg);
}

static void
test_what_has_become_of_it_is_told_to_its_end(void)
{
	settled(7);
	CHECK(strcmp(done, "out ") == 0);
	settled(8);
	CHECK(strcmp(done, "in ") == 0);
}

static void
test_a_fence_goes_to_where_they_were(void)
{
	static struct sibling sib;

	fence(3);
	CHECK(strcmp(done, "own ") == 0);
	fence(100);
	CHECK(strcmp(done, "") == 0);
	w.routes.siblings[100] = &sib;
	fence(100);
	CHECK(strcmp(done, "") == 0);
	sib.open = 1;
	fence(100);
	CHECK(strcmp(done, "fence ") == 0);
	fence(PROTO_PLACES_MAX);
	CHECK(strcmp(done, "") == 0);
	fence(UINT32_MAX);
	CHECK(strcmp(done, "") == 0);
}

int
main(void)
{
	w.hello.worker = 3;
	RUN(test_what_has_become_of_it_is_told_to_its_end);
	RUN(test_a_fence_goes_to_where_they_were);
	return (test_failed());
}
