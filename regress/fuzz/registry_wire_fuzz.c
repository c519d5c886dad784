/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * What a registry says: any bytes, in the framing that the first one names,
 * with the bound of a lookup's answer or of a list's.  No answer is longer than
 * what is there, one that is cut is no answer yet, and what it points to lies
 * within it.
 */
#include <string.h>

#include "auth/beacon_list.h"
#include "auth/registry_wire.h"
#include "regress/fuzz/fuzz.h"

static uint32_t rows;

static void
row(void *arg, const struct msg_beacon_row *r)
{
	REQUIRE(memchr(r->host, '\0', sizeof(r->host)) != NULL);
	REQUIRE(r->port <= 65535);
	REQUIRE((r->port == 0) == (r->host[0] == '\0'));
	REQUIRE((r->first != 0) == (rows == 0));
	rows++;
}

static void
list(const struct wire_answer *a)
{
	uint32_t count;

	rows = 0;
	if (beacon_list_parse(a->object, a->object_len, 7, row, NULL, &count) ==
	    -1)
		REQUIRE(rows == 0);
	else
		REQUIRE(rows == count || (rows == 1 && count == 0));
}

static void
check(const struct wire_answer *a, const uint8_t *data, size_t size)
{
	REQUIRE(a->len > WIRE_HEADER_LEN && a->len <= size);
	REQUIRE(a->kind != WIRE_FOUND || a->named);
	REQUIRE(memchr(a->error, '\0', sizeof(a->error)) != NULL);
	if (a->kind != WIRE_OBJECT)
		return;
	REQUIRE((const uint8_t *)a->object >= data);
	REQUIRE((const uint8_t *)a->object + a->object_len <= data + a->len);
	list(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_answer a, cut;
	enum wire_framing framing;
	size_t max;

	if (size == 0)
		return (0);
	framing = data[0] & 1 ? WIRE_JSON : WIRE_BINARY;
	max = data[0] & 2 ? WIRE_LIST_MAX : WIRE_ANSWER_MAX;
	for (data++, size--; size > 0; data += a.len, size -= a.len) {
		wire_parse(framing, data, size, max, &a);
		if (a.kind == WIRE_MORE || a.kind == WIRE_BAD)
			break;
		check(&a, data, size);
		wire_parse(framing, data, a.len - 1, max, &cut);
		REQUIRE(cut.kind == WIRE_MORE);
	}
	return (0);
}
