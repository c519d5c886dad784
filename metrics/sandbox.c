/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>

#include "common/sandbox_child.h"
#include "metrics/sandbox.h"

/*
 * All that metrics does once it is confined.  Each row says what for; and then,
 * what it does to an object that others hold as well: the listeners (the parent
 * and the successor), the memory that the parent shares, the other ends of
 * channel, log and standard error.
 */
const struct sandbox_rule metrics_sandbox_rules[] = {
	/*
	 * libev's loop; the second name is that of newer CPUs.
	 * Shared: nothing.  The list of what is watched is metrics' own.
	 */
	SANDBOX_ALLOW(epoll_wait), SANDBOX_ALLOW(epoll_pwait),
	SANDBOX_ALLOW(epoll_ctl),

	/*
	 * Requests begin.
	 * Shared: takes a connection off the queue, which is its work.
	 */
	SANDBOX_ALLOW1(accept4, SANDBOX_IS(3, SOCK_NONBLOCK | SOCK_CLOEXEC)),

	/*
	 * The request, the answer; the log.
	 * Shared: a listener has nothing to read and sends nothing.  Neither
	 * flags nor addresses with which a socket could be opened or connected,
	 * nor shutdown(2), which would end a listener for its successor.
	 */
	SANDBOX_ALLOW1(recvfrom, SANDBOX_IS(3, 0)),
	SANDBOX_ALLOW2(sendto, SANDBOX_BITS(3, MSG_DONTWAIT | MSG_NOSIGNAL),
	    SANDBOX_IS(4, 0)),

	/*
	 * The parent's channel, which brings descriptors too.
	 * Shared: nothing.  A descriptor that goes along is closed by whoever
	 * is no accomplice.
	 */
	SANDBOX_ALLOW(recvmsg),
	SANDBOX_ALLOW1(sendmsg, SANDBOX_BITS(2, MSG_NOSIGNAL)),
	SANDBOX_ALLOW(close),

	SANDBOX_CHILD_ROWS
};

const size_t metrics_sandbox_nrules =
    sizeof(metrics_sandbox_rules) / sizeof(metrics_sandbox_rules[0]);

void
metrics_sandbox(void)
{
	sandbox_enter(metrics_sandbox_rules, metrics_sandbox_nrules);
}
