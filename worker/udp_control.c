/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/udp.h>

#include <string.h>

#include "common/address.h"
#include "worker/udp.h"

/*
 * What goes along with a datagram, between the kernel and us.  A node takes
 * nothing that does not come from the very address that it sends to, so a
 * socket that is bound to all of ours is asked to which one each came (the
 * parent has set IP_PKTINFO or IPV6_RECVPKTINFO), and told from which one each
 * leaves.
 */

static const uint8_t udp_unspecified[16];

/* Which of our addresses the datagram came to; zero if that is not told. */
void
udp_control_in(const struct msghdr *hdr, uint8_t near[16])
{
	struct in6_pktinfo six;
	struct in_pktinfo four;
	struct cmsghdr *cmsg;

	memset(near, 0, 16);
	cmsg = CMSG_FIRSTHDR(hdr);
	if (cmsg == NULL)
		return;
	if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(four))) {
		memcpy(&four, CMSG_DATA(cmsg), sizeof(four));
		address_map(near, &four.ipi_spec_dst);
	} else if (cmsg->cmsg_level == IPPROTO_IPV6 &&
		   cmsg->cmsg_type == IPV6_PKTINFO &&
		   cmsg->cmsg_len == CMSG_LEN(sizeof(six))) {
		memcpy(&six, CMSG_DATA(cmsg), sizeof(six));
		memcpy(near, &six.ipi6_addr, 16);
	}
}

static void
udp_control_add(struct msghdr *hdr, union udp_control *control, int level,
    int type, const void *data, size_t len)
{
	struct cmsghdr *cmsg;

	hdr->msg_control = control->buf;
	cmsg = (struct cmsghdr *)(void *)(control->buf + hdr->msg_controllen);
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), data, len);
	hdr->msg_controllen += CMSG_SPACE(len);
}

/* No interface: that is the routing table's business, as ever. */
static void
udp_control_near(const struct udp_socket *sock, struct msghdr *hdr,
    const uint8_t near[16], union udp_control *control)
{
	struct in6_pktinfo six;
	struct in_pktinfo four;

	if (sock->family == AF_INET) {
		memset(&four, 0, sizeof(four));
		memcpy(&four.ipi_spec_dst, near + 12, 4);
		udp_control_add(
		    hdr, control, IPPROTO_IP, IP_PKTINFO, &four, sizeof(four));
	} else {
		memset(&six, 0, sizeof(six));
		memcpy(&six.ipi6_addr, near, 16);
		udp_control_add(hdr, control, IPPROTO_IPV6, IPV6_PKTINFO, &six,
		    sizeof(six));
	}
}

/*
 * Tells the kernel which of our addresses hdr, which has no control yet, leaves
 * from, and where to cut it if it holds several datagrams.  control is in use
 * for as long as hdr is.
 */
void
udp_control_out(const struct udp_socket *sock, struct msghdr *hdr,
    const struct udp_ends *ends, union udp_control *control)
{
	uint16_t size;

	if (sock->any && memcmp(ends->near, udp_unspecified, 16) != 0)
		udp_control_near(sock, hdr, ends->near, control);
	if (hdr->msg_iovlen > 1) {
		size = (uint16_t)hdr->msg_iov[0].iov_len;
		udp_control_add(
		    hdr, control, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
	}
}
