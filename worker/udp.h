/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_UDP_H
#define WORKER_UDP_H

#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/worker.h"

#define UDP_BATCH        64 /* datagrams of one recvmmsg(2) */
#define UDP_DATAGRAM_MAX 65535
#define UDP_OUT          64         /* messages of one sendmmsg(2) */
#define UDP_SEGMENTS     32         /* datagrams in one message (GSO) */
#define UDP_SEGMENT_MAX  1400       /* bytes; larger ones go alone */
#define UDP_QUEUE_MAX    (1U << 20) /* bytes that wait for a socket */
#define UDP_ROOM         (RX_HEADROOM + UDP_DATAGRAM_MAX + 65 + 128)

/* By which addresses a datagram leaves, as a socket is told. */
struct udp_ends {
	struct sockaddr_in6 far; /* or a sockaddr_in, and zeroes */
	uint8_t near[16];        /* zero: as the socket is bound */
};

union udp_control {
	struct cmsghdr hdr;
	uint8_t buf[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		    CMSG_SPACE(sizeof(uint16_t))];
};

/* Datagrams for one endpoint; more than one only if they are of one size. */
struct udp_out {
	struct iovec iov[UDP_SEGMENTS];
	struct udp_ends ends;
	union udp_control control;
};

/* A datagram that the kernel did not take yet. */
struct udp_waiting {
	STAILQ_ENTRY(udp_waiting) entry;
	struct udp_ends ends;
	size_t len;
	uint8_t data[];
};

struct udp_socket {
	ev_io reader;
	ev_io writer;
	struct worker *worker;
	uint32_t share; /* of gossip; 0: UDP_LISTENER */
	uint32_t kind;  /* enum udp_kind */
	sa_family_t family;
	int v6only;       /* boolean */
	int any;          /* boolean: bound to all addresses of this machine */
	struct path path; /* of the datagram that is being dealt with; its
			   * listener is ours */
	uint32_t nout;
	struct mmsghdr headers[UDP_OUT];
	struct udp_out out[UDP_OUT];
	uint8_t last[UDP_OUT]; /* hash -> 1 + message; 0: none */
	STAILQ_HEAD(, udp_waiting) waiting;
	size_t waiting_bytes;
};

/* udp_control.c */
void udp_control_in(const struct msghdr *, uint8_t[16]);
void udp_control_out(const struct udp_socket *, struct msghdr *,
    const struct udp_ends *, union udp_control *);

/* udp_send.c */
int udp_reaches(const struct udp_socket *, const uint8_t[16]);
void udp_write(struct ev_loop *, ev_io *, int);

#endif /* WORKER_UDP_H */
