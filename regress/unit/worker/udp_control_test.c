/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/udp.h>

#include "regress/unit/worker/parts.h"
#include "worker/udp.h"

/* What goes along with a datagram: what we write is what the kernel reads. */

static struct udp_socket sock;
static union udp_control control;
static struct iovec iov[2];

/* A message of n datagrams from 192.0.2.near (0: as bound). */
static struct msghdr
out(uint8_t near, size_t n)
{
	struct udp_ends ends;
	struct endpoint at;
	struct msghdr hdr;

	memset(&ends, 0, sizeof(ends));
	memset(&hdr, 0, sizeof(hdr));
	memset(&control, 0, sizeof(control));
	at = parts_endpoint(near, 0);
	if (near != 0)
		memcpy(ends.near, at.addr, sizeof(ends.near));
	iov[0].iov_len = iov[1].iov_len = 1234;
	hdr.msg_iov = iov;
	hdr.msg_iovlen = n;
	udp_control_out(&sock, &hdr, &ends, &control);
	return (hdr);
}

static void
test_nothing_where_nothing_is_to_be_said(void)
{
	struct msghdr hdr;

	sock.family = AF_INET;
	sock.any = 0;
	hdr = out(1, 1);
	CHECK(hdr.msg_controllen == 0 && hdr.msg_control == NULL);
	sock.any = 1;
	hdr = out(0, 1);
	CHECK(hdr.msg_controllen == 0 && hdr.msg_control == NULL);
}

static void
test_the_address_that_it_leaves_from(void)
{
	struct in_pktinfo four;
	struct in6_pktinfo six;
	struct endpoint at;
	struct cmsghdr *cmsg;
	struct msghdr hdr;

	at = parts_endpoint(9, 0);
	sock.any = 1;
	sock.family = AF_INET;
	hdr = out(9, 1);
	cmsg = CMSG_FIRSTHDR(&hdr);
	CHECK(cmsg != NULL && CMSG_NXTHDR(&hdr, cmsg) == NULL);
	CHECK(cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO);
	memcpy(&four, CMSG_DATA(cmsg), sizeof(four));
	CHECK(memcmp(&four.ipi_spec_dst, at.addr + 12, 4) == 0);
	CHECK(four.ipi_ifindex == 0);
	sock.family = AF_INET6;
	hdr = out(9, 1);
	cmsg = CMSG_FIRSTHDR(&hdr);
	CHECK(cmsg != NULL && cmsg->cmsg_level == IPPROTO_IPV6 &&
	      cmsg->cmsg_type == IPV6_PKTINFO);
	memcpy(&six, CMSG_DATA(cmsg), sizeof(six));
	CHECK(memcmp(&six.ipi6_addr, at.addr, 16) == 0);
	CHECK(six.ipi6_ifindex == 0);
}

static void
test_where_it_is_cut(void)
{
	struct cmsghdr *cmsg;
	struct msghdr hdr;
	uint16_t size;

	sock.family = AF_INET6;
	sock.any = 1;
	hdr = out(9, 2);
	CHECK(hdr.msg_controllen <= sizeof(control));
	cmsg = CMSG_FIRSTHDR(&hdr);
	CHECK(cmsg != NULL && cmsg->cmsg_type == IPV6_PKTINFO);
	cmsg = CMSG_NXTHDR(&hdr, cmsg);
	CHECK(cmsg != NULL && cmsg->cmsg_level == SOL_UDP &&
	      cmsg->cmsg_type == UDP_SEGMENT);
	memcpy(&size, CMSG_DATA(cmsg), sizeof(size));
	CHECK(size == 1234);
	sock.any = 0;
	hdr = out(9, 2);
	cmsg = CMSG_FIRSTHDR(&hdr);
	CHECK(cmsg != NULL && cmsg->cmsg_type == UDP_SEGMENT);
}

/* One control message of that kind comes in; is `near` address 192.0.2.9? */
static int
in(int level, int type, const void *data, size_t len)
{
	struct endpoint at;
	struct cmsghdr *cmsg;
	struct msghdr hdr;
	uint8_t near[16];

	memset(&hdr, 0, sizeof(hdr));
	hdr.msg_control = control.buf;
	hdr.msg_controllen = CMSG_SPACE(len);
	cmsg = CMSG_FIRSTHDR(&hdr);
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), data, len);
	memset(near, 'x', sizeof(near));
	udp_control_in(&hdr, near);
	at = parts_endpoint(9, 0);
	if (memcmp(near, at.addr, 16) == 0)
		return (1);
	memset(at.addr, 0, sizeof(at.addr));
	return (memcmp(near, at.addr, 16) == 0 ? 0 : -1);
}

static void
test_the_address_that_it_came_to(void)
{
	struct in_pktinfo four;
	struct in6_pktinfo six;
	struct endpoint at;
	struct msghdr hdr;
	uint8_t near[16];

	at = parts_endpoint(9, 0);
	memset(&four, 0, sizeof(four));
	memcpy(&four.ipi_spec_dst, at.addr + 12, 4);
	memset(&six, 0, sizeof(six));
	memcpy(&six.ipi6_addr, at.addr, 16);
	CHECK(in(IPPROTO_IP, IP_PKTINFO, &four, sizeof(four)) == 1);
	CHECK(in(IPPROTO_IPV6, IPV6_PKTINFO, &six, sizeof(six)) == 1);
	/* Too short, another kind, none at all: it is not told. */
	CHECK(in(IPPROTO_IP, IP_PKTINFO, &four, sizeof(four) - 1) == 0);
	CHECK(in(IPPROTO_IPV6, IPV6_PKTINFO, &six, sizeof(four)) == 0);
	CHECK(in(IPPROTO_IP, IP_TTL, &four, sizeof(four)) == 0);
	memset(&hdr, 0, sizeof(hdr));
	near[0] = 'x';
	udp_control_in(&hdr, near);
	CHECK(near[0] == 0);
}

int
main(void)
{
	RUN(test_nothing_where_nothing_is_to_be_said);
	RUN(test_the_address_that_it_leaves_from);
	RUN(test_where_it_is_cut);
	RUN(test_the_address_that_it_came_to);
	return (test_failed());
}
