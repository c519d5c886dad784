/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdint.h>

#include "common/ibuf.h"
#include "regress/unit/test.h"

static void
open_and_dynamic(void)
{
	struct ibuf *buf;

	errno = 0;
	CHECK(ibuf_open(0) == NULL && errno == EINVAL);
	errno = 0;
	CHECK(ibuf_dynamic(5, 4) == NULL && errno == EINVAL);
	buf = ibuf_open(4);
	CHECK(buf != NULL && ibuf_size(buf) == 0 && ibuf_left(buf) == 4);
	CHECK(ibuf_add(buf, "abc", 3) == 0);
	errno = 0;
	CHECK(ibuf_add(buf, "de", 2) == -1 && errno == ERANGE);
	CHECK(ibuf_size(buf) == 3 && ibuf_left(buf) == 1);
	CHECK(ibuf_add(buf, "d", 1) == 0 && ibuf_add(buf, NULL, 0) == 0);
	CHECK(memcmp(ibuf_data(buf), "abcd", 4) == 0);
	errno = 0;
	CHECK(ibuf_reserve(buf, SIZE_MAX) == NULL && errno == ERANGE);
	ibuf_free(buf);
	ibuf_free(NULL);
}

static void
growth(void)
{
	struct ibuf *buf;
	unsigned char *data;
	unsigned int i;

	buf = ibuf_dynamic(0, 1000);
	CHECK(buf != NULL && ibuf_size(buf) == 0);
	for (i = 0; i < 1000; i++)
		CHECK(ibuf_add_n8(buf, i & 0xff) == 0);
	errno = 0;
	CHECK(ibuf_add_n8(buf, 1) == -1 && errno == ERANGE);
	CHECK(ibuf_left(buf) == 0 && ibuf_size(buf) == 1000);
	data = ibuf_data(buf);
	for (i = 0; i < 1000; i++)
		CHECK(data[i] == (i & 0xff));
	ibuf_free(buf);
}

static void
numbers(void)
{
	static const unsigned char net[] = { 0xa1, 0xb1, 0xb2, 0xc1, 0xc2, 0xc3,
		0xc4, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8 };
	struct ibuf *buf;
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;
	uint8_t v8;

	buf = ibuf_dynamic(1, 64);
	CHECK(buf != NULL);
	CHECK(ibuf_add_n8(buf, 0xa1) == 0 && ibuf_add_n16(buf, 0xb1b2) == 0);
	CHECK(ibuf_add_n32(buf, 0xc1c2c3c4) == 0);
	CHECK(ibuf_add_n64(buf, 0xd1d2d3d4d5d6d7d8) == 0);
	CHECK(ibuf_size(buf) == sizeof(net));
	CHECK(memcmp(ibuf_data(buf), net, sizeof(net)) == 0);
	CHECK(ibuf_add_h16(buf, 0x1112) == 0);
	CHECK(ibuf_add_h32(buf, 0x21222324) == 0);
	CHECK(ibuf_add_h64(buf, 0x3132333435363738) == 0);
	CHECK(ibuf_get_n8(buf, &v8) == 0 && v8 == 0xa1);
	CHECK(ibuf_get_n16(buf, &v16) == 0 && v16 == 0xb1b2);
	CHECK(ibuf_get_n32(buf, &v32) == 0 && v32 == 0xc1c2c3c4);
	CHECK(ibuf_get_n64(buf, &v64) == 0 && v64 == 0xd1d2d3d4d5d6d7d8);
	v16 = 0x1112;
	CHECK(memcmp(ibuf_data(buf), &v16, sizeof(v16)) == 0);
	CHECK(ibuf_get_h16(buf, &v16) == 0 && v16 == 0x1112);
	CHECK(ibuf_get_h32(buf, &v32) == 0 && v32 == 0x21222324);
	CHECK(ibuf_get_h64(buf, &v64) == 0 && v64 == 0x3132333435363738);
	CHECK(ibuf_size(buf) == 0);
	ibuf_free(buf);
}

static void
numbers_too_big(void)
{
	struct ibuf *buf;

	buf = ibuf_open(64);
	CHECK(buf != NULL);
	errno = 0;
	CHECK(ibuf_add_n8(buf, 0x100) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(ibuf_add_n16(buf, 0x10000) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(ibuf_add_n32(buf, 0x100000000) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(ibuf_add_h16(buf, 0x10000) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(ibuf_add_h32(buf, 0x100000000) == -1 && errno == EINVAL);
	CHECK(ibuf_size(buf) == 0);
	CHECK(ibuf_add_n8(buf, 0xff) == 0 && ibuf_add_n16(buf, 0xffff) == 0);
	CHECK(ibuf_add_n32(buf, 0xffffffff) == 0);
	CHECK(ibuf_size(buf) == 7);
	ibuf_free(buf);
}

/* A getter that finds one byte too little fails and takes nothing. */
#define CHECK_SHORT(get, value)                                            \
	do {                                                               \
		ibuf_from_buffer(&view, bytes, sizeof(value) - 1);         \
		errno = 0;                                                 \
		CHECK(get(&view, &(value)) == -1 && errno == EBADMSG);     \
		CHECK(ibuf_size(&view) == sizeof(value) - 1);              \
		ibuf_from_buffer(&view, bytes, sizeof(value));             \
		CHECK(get(&view, &(value)) == 0 && ibuf_size(&view) == 0); \
	} while (0)

static void
short_getters(void)
{
	unsigned char bytes[8] = { 0 };
	struct ibuf view, sub;
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;
	uint8_t v8;

	CHECK_SHORT(ibuf_get_n8, v8);
	CHECK_SHORT(ibuf_get_n16, v16);
	CHECK_SHORT(ibuf_get_n32, v32);
	CHECK_SHORT(ibuf_get_n64, v64);
	CHECK_SHORT(ibuf_get_h16, v16);
	CHECK_SHORT(ibuf_get_h32, v32);
	CHECK_SHORT(ibuf_get_h64, v64);
	ibuf_from_buffer(&view, bytes, 4);
	errno = 0;
	CHECK(ibuf_get(&view, &v64, 5) == -1 && errno == EBADMSG);
	errno = 0;
	CHECK(ibuf_skip(&view, 5) == -1 && errno == EBADMSG);
	errno = 0;
	CHECK(ibuf_skip(&view, SIZE_MAX) == -1 && errno == EBADMSG);
	errno = 0;
	CHECK(ibuf_get_ibuf(&view, 5, &sub) == -1 && errno == EBADMSG);
	CHECK(ibuf_size(&view) == 4);
	CHECK(ibuf_get(&view, NULL, 0) == 0 && ibuf_skip(&view, 4) == 0);
}

static void
views(void)
{
	char bytes[] = "abcdefgh";
	struct ibuf view, sub;
	uint8_t v;

	ibuf_from_buffer(&view, bytes, 8);
	CHECK(ibuf_skip(&view, 1) == 0);
	CHECK(ibuf_get_ibuf(&view, 3, &sub) == 0);
	CHECK(ibuf_size(&sub) == 3 && ibuf_size(&view) == 4);
	CHECK(memcmp(ibuf_data(&sub), "bcd", 3) == 0);
	CHECK(ibuf_skip(&sub, 3) == 0 && ibuf_get_n8(&sub, &v) == -1);
	CHECK(ibuf_get_n8(&view, &v) == 0 && v == 'e');
	CHECK(ibuf_left(&view) == 0);
	errno = 0;
	CHECK(ibuf_add(&view, "x", 1) == -1 && errno == ERANGE);
	ibuf_from_buffer(&view, NULL, 0);
	errno = 0;
	CHECK(ibuf_add(&view, "x", 1) == -1 && errno == ERANGE);
}

static void
seek(void)
{
	struct ibuf *buf;

	buf = ibuf_open(16);
	CHECK(buf != NULL && ibuf_add(buf, "abcdef", 6) == 0);
	CHECK(ibuf_skip(buf, 2) == 0);
	CHECK(memcmp(ibuf_seek(buf, 1, 3), "def", 3) == 0);
	memcpy(ibuf_seek(buf, 0, 1), "C", 1);
	CHECK(memcmp(ibuf_data(buf), "Cdef", 4) == 0);
	errno = 0;
	CHECK(ibuf_seek(buf, 1, 4) == NULL && errno == ERANGE);
	errno = 0;
	CHECK(ibuf_seek(buf, 5, 0) == NULL && errno == ERANGE);
	errno = 0;
	CHECK(ibuf_seek(buf, 1, SIZE_MAX) == NULL && errno == ERANGE);
	ibuf_free(buf);
}

int
main(void)
{
	RUN(open_and_dynamic);
	RUN(growth);
	RUN(numbers);
	RUN(numbers_too_big);
	RUN(short_getters);
	RUN(views);
	RUN(seek);
	return (test_failed());
}
