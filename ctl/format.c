/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>
#include <netinet/in.h>

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/address.h"
#include "ctl/output.h"

/*
 * addr: 16 bytes in network order, IPv6 or v4-mapped; port in host order.
 * Returns buf: "192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.1" where the port
 * is 0 (a proxy tells none), or "-" for no address at all.
 */
const char *
format_address(
    const uint8_t addr[16], uint32_t port, char buf[FORMAT_ADDRESS_LEN])
{
	static const uint8_t none[16];

	if (memcmp(addr, none, sizeof(none)) == 0)
		(void)strlcpy(buf, "-", FORMAT_ADDRESS_LEN);
	else if (port == 0)
		(void)address_host(addr, buf);
	else
		(void)address_text(addr, port, buf);
	return (buf);
}

/* A node's id, or "192.0.2.0/24".  Returns buf. */
const char *
format_blocked(
    const struct msg_ctl_blocked *blocked, char buf[FORMAT_ADDRESS_LEN])
{
	uint32_t node;

	if (blocked->prefix <= 128)
		return (
		    address_network_text(blocked->addr, blocked->prefix, buf));
	memcpy(&node, blocked->addr, sizeof(node));
	(void)snprintf(buf, FORMAT_ADDRESS_LEN, "%" PRIu32, node);
	return (buf);
}

/* Unix seconds as ISO 8601 in UTC; "-" for 0. */
const char *
format_time(uint64_t t, char buf[FORMAT_TIME_LEN])
{
	struct tm tm;
	time_t clock;

	clock = (time_t)t;
	if (t == 0 || t > INT32_MAX * 16ULL || gmtime_r(&clock, &tm) == NULL ||
	    strftime(buf, FORMAT_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)strlcpy(buf, "-", FORMAT_TIME_LEN);
	return (buf);
}

/* From t to now, both unix seconds: "04:05:06" or "3d 04:05:06". */
const char *
format_age(uint64_t t, uint64_t now, char buf[FORMAT_AGE_LEN])
{
	char days[24];
	uint64_t s;

	s = now > t ? now - t : 0;
	days[0] = '\0';
	if (s >= 86400)
		(void)snprintf(days, sizeof(days), "%" PRIu64 "d ", s / 86400);
	(void)snprintf(buf, FORMAT_AGE_LEN, "%s%02u:%02u:%02u", days,
	    (unsigned int)(s / 3600 % 24), (unsigned int)(s / 60 % 60),
	    (unsigned int)(s % 60));
	return (buf);
}

const char *
format_role(uint32_t role)
{
	static const char *const name[] = { "parent", "auth", "worker",
		"metrics" };

	return (role < sizeof(name) / sizeof(name[0]) ? name[role] : "?");
}

const char *
format_state(uint32_t state)
{
	static const char *const name[] = {
		[CHILD_DOWN] = "down",
		[CHILD_STARTING] = "starting",
		[CHILD_RUNNING] = "running",
	};

	return (state < sizeof(name) / sizeof(name[0]) ? name[state] : "?");
}
