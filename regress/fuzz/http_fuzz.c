/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "worker/http.h"
#include "worker/networks.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_response(const struct http_request *req, int status)
{
	static struct http_date date;
	char response[HTTP_RESPONSE_MAX];
	size_t len;

	len = http_response_build(
	    response, sizeof(response), status, req, http_date(&date, 1));
	if (len >= sizeof(response) || len != strlen(response) ||
	    strncmp(response, "HTTP/1.1 ", 9) != 0 ||
	    strstr(response, "\r\n\r\n") == NULL)
		abort();
}

/* Who is no proxy is the client; without a client it is a proxy. */
static void
check_forwarded(const struct http_request *req)
{
	static struct networks proxies = { .n = 1,
		.list = {
		    { .addr = { [10] = 0xff, 0xff, 10 }, .prefix = 104 } } };
	enum forwarded_kind kind;
	uint8_t addr[16];

	for (kind = 0; kind < FORWARDED_KINDS; kind++) {
		memcpy(addr, proxies.list[0].addr, sizeof(addr));
		if (!http_forwarded(
			&req->forwarded[kind], kind, &proxies, addr) &&
		    !networks_have(&proxies, addr))
			abort();
	}
}

/* The answer to all of it must be the answer to the least that has one. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request part, whole;
	size_t low, high, n;

	if (http_request_parse(data, size, &whole) == 0) {
		if (size >= HTTP_HEAD_MAX || whole.status != 0)
			abort();
		return (0);
	}
	if (whole.head_len > size || whole.head_len > HTTP_HEAD_MAX ||
	    (whole.status == 101 && whole.head_len == 0))
		abort();
	low = 0;
	high = size;
	while (low < high) {
		n = low + (high - low) / 2;
		if (http_request_parse(data, n, &part) == 0)
			low = n + 1;
		else
			high = n;
	}
	if (http_request_parse(data, low, &part) != 1 ||
	    part.status != whole.status || part.head_len != whole.head_len ||
	    strcmp(part.accept, whole.accept) != 0)
		abort();
	check_response(&whole, whole.status);
	check_response(&whole, 503);
	if (whole.head_len > 0)
		check_forwarded(&whole);
	return (0);
}
