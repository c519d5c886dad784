/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>

#include "common/sandbox_child.h"
#include "worker/sandbox.h"

/*
 * All that a worker does once it is confined.  What comes with every packet
 * stands without checks: for such a call the kernel keeps the answer and does
 * not run the filter again.
 *
 * Each row says what for; and then, what it does to an object that others hold
 * as well: the listeners (all workers and the parent), the UDP sockets (the
 * successors), the memory that the parent shares, the other ends of channels,
 * log and standard error.
 */
const struct sandbox_rule worker_sandbox_rules[] = {
	/*
	 * libev's loop; the second name is that of newer CPUs.
	 * Shared: nothing.  The list of what is watched is the worker's own.
	 * Who waits for a listener with EPOLLEXCLUSIVE stands behind those who
	 * wait without, and they are all woken.
	 */
	SANDBOX_ALLOW(epoll_wait), SANDBOX_ALLOW(epoll_pwait),
	SANDBOX_ALLOW(epoll_ctl),

	/*
	 * Sessions, and packets of other workers: one read a burst.  Channels,
	 * which bring descriptors too.  UDP.
	 * Shared: nothing but what has come in, which is this worker's to take;
	 * a listener has nothing to read.
	 */
	SANDBOX_ALLOW(recvfrom), SANDBOX_ALLOW(readv), SANDBOX_ALLOW(recvmsg),
	SANDBOX_ALLOW(recvmmsg),

	/*
	 * UDP, sessions, channels, the log.
	 * Shared: a listener sends nothing, and MSG_FASTOPEN connects only a
	 * stream socket that is not connected, of which there is none as long
	 * as nobody can end a listener or dissolve a connection.  A check that
	 * there is no such flag would cost 20 ns a call.  In a UDP socket stay
	 * what MSG_MORE has begun and errors that were asked for with
	 * SO_TIMESTAMPING: the parent drops both before a successor has it
	 * (parent/listen_check.c).  A descriptor that goes along is closed by
	 * whoever is no accomplice.
	 */
	SANDBOX_ALLOW(sendmmsg), SANDBOX_ALLOW(sendto), SANDBOX_ALLOW(sendmsg),

	/*
	 * Sessions begin.
	 * Shared: takes a connection off a queue that is for all workers.  That
	 * is what it is for; how many, nobody can tell a worker.
	 */
	SANDBOX_ALLOW(accept4),
	/*
	 * Sessions end.
	 * Shared: nothing, it lets go of the worker's own descriptor.  But
	 * shutdown(2) acts on the socket: it ends a listener for all, and a UDP
	 * socket for good.
	 */
	SANDBOX_ALLOW(close),

	/*
	 * Which address a UDP socket has, and whether IPv4 is in it; whether a
	 * slow reader makes progress.
	 * Shared: nothing, they only tell.  SO_ERROR would take an error away,
	 * and setsockopt(2) is for whoever has the socket.
	 */
	SANDBOX_ALLOW(getsockname),
	SANDBOX_ALLOW2(getsockopt, SANDBOX_IS(1, IPPROTO_IPV6),
	    SANDBOX_IS(2, IPV6_V6ONLY)),
	SANDBOX_ALLOW2(
	    getsockopt, SANDBOX_IS(1, IPPROTO_TCP), SANDBOX_IS(2, TCP_INFO)),

	/*
	 * Sessions move to another worker, who looks whether what it gets
	 * would block it.
	 * Shared: nothing, a duplicate is one more descriptor, and F_GETFL
	 * only tells.  F_SETFL would change the socket for all.
	 */
	SANDBOX_ALLOW1(fcntl, SANDBOX_IS(1, F_DUPFD_CLOEXEC)),
	SANDBOX_ALLOW1(fcntl, SANDBOX_IS(1, F_GETFL)),

	SANDBOX_CHILD_ROWS
};

const size_t worker_sandbox_nrules =
    sizeof(worker_sandbox_rules) / sizeof(worker_sandbox_rules[0]);

void
worker_sandbox(void)
{
	sandbox_enter(worker_sandbox_rules, worker_sandbox_nrules);
}
