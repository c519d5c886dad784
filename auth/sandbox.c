/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>

#include "common/sandbox_child.h"
#include "auth/sandbox.h"

/*
 * All that auth does once it is confined.  Each row says what for; and then,
 * what it does to an object that others hold as well: the memory that the
 * parent shares, the other ends of channels, log and standard error.
 */
const struct sandbox_rule auth_sandbox_rules[] = {
	/*
	 * libev's loop; the second name is that of newer CPUs.
	 * Shared: nothing.  The list of what is watched is auth's own.
	 */
	SANDBOX_ALLOW(epoll_wait), SANDBOX_ALLOW(epoll_pwait),
	SANDBOX_ALLOW(epoll_ctl),

	/*
	 * Channels, which bring descriptors too; the log; requests to the
	 * registry, on a connection that the parent has made.
	 * Shared: nothing, that connection is auth's own.  Neither flags nor
	 * addresses with which a socket could be opened or connected, nor
	 * shutdown(2).  A descriptor that goes along is closed by whoever is
	 * no accomplice.
	 */
	SANDBOX_ALLOW(recvmsg),
	SANDBOX_ALLOW1(sendmsg, SANDBOX_BITS(2, MSG_NOSIGNAL)),
	SANDBOX_ALLOW2(sendto, SANDBOX_BITS(3, MSG_DONTWAIT | MSG_NOSIGNAL),
	    SANDBOX_IS(4, 0)),
	SANDBOX_ALLOW(close),

	/*
	 * The key file, which the parent has opened; the registry's answers.
	 * Shared: nothing.  The parent has it opened anew each time, so not
	 * even the place in it is anybody else's.
	 */
	SANDBOX_ALLOW(read),

	SANDBOX_CHILD_ROWS
};

const size_t auth_sandbox_nrules =
    sizeof(auth_sandbox_rules) / sizeof(auth_sandbox_rules[0]);

void
auth_sandbox(void)
{
	sandbox_enter(auth_sandbox_rules, auth_sandbox_nrules);
}
