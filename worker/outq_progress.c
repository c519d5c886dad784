/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <linux/tcp.h>

#include <string.h>

#include "worker/worker.h"

/* Does a peer that is slow still read? */

/* Bytes that the peer's kernel has acknowledged, modulo 2^32. */
uint32_t
outq_acked(const struct session *s)
{
	struct tcp_info info;
	socklen_t len;

	memset(&info, 0, sizeof(info));
	len = sizeof(info);
	if (getsockopt(s->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return (0);
	return ((uint32_t)info.tcpi_bytes_acked);
}

/*
 * The kernel's own buffer can take a slow peer minutes to empty, and until then
 * takes nothing from us.  So before a peer counts as stuck: has it really read
 * nothing?  Returns 1 if it has read something since the last sign of that.
 */
int
outq_progress(struct worker *w, struct session *s)
{
	struct outq *q;
	uint32_t acked;

	q = s->outq;
	acked = outq_acked(s);
	if (acked == q->acked)
		return (0);
	q->acked = acked;
	q->progress = w->tick;
	return (1);
}
