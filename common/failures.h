/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_FAILURES_H
#define COMMON_FAILURES_H

/*
 * Why a client did not get in: each is a counter (common/counters.h) and an
 * event (common/event.h).  The list gives, in order: the identifier; the stage,
 * at which a connection fails once; the reason, as operators see it; the level
 * of its line; what it is.
 */
/* clang-format off */
#define FAILURE_LIST(F, X) \
	F(X, PROXY_UNTRUSTED, "proxy", "untrusted", NOTICE, \
	    "connections for the PROXY protocol that no trusted proxy made") \
	F(X, PROXY_BAD, "proxy", "malformed", NOTICE, \
	    "connections that did not begin with a good PROXY header") \
	F(X, PROXY_TIMEOUT, "proxy", "timeout", NOTICE, \
	    "connections whose PROXY header was not whole in time") \
	F(X, REQUEST_BAD, "request", "malformed", NOTICE, \
	    "requests that are no HTTP (400)") \
	F(X, REQUEST_PATH, "request", "path", NOTICE, \
	    "paths that are not served (404)") \
	F(X, REQUEST_METHOD, "request", "method", NOTICE, \
	    "methods that are not served (405)") \
	F(X, REQUEST_TIMEOUT, "request", "timeout", NOTICE, \
	    "heads not whole in time (408)") \
	F(X, REQUEST_LARGE, "request", "large", NOTICE, \
	    "request lines and heads too large (414, 431)") \
	F(X, REQUEST_CROWDED, "request", "half_open", WARNING, \
	    "connections without a request given up for newer ones") \
	F(X, REQUEST_BUSY, "request", "busy", WARNING, \
	    "connections without a request given up for want of memory") \
	F(X, REQUEST_BLOCKED, "request", "blocked", NOTICE, \
	    "connections from a blocked network") \
	F(X, UPGRADE_BAD, "upgrade", "malformed", NOTICE, \
	    "handshakes that are none (400)") \
	F(X, UPGRADE_ORIGIN, "upgrade", "origin", NOTICE, \
	    "handshakes from a page of another site (403)") \
	F(X, UPGRADE_VERSION, "upgrade", "version", NOTICE, \
	    "handshakes with another version than 13 (426)") \
	F(X, UPGRADE_RATE, "upgrade", "rate", NOTICE, \
	    "handshakes above the rate of their source (429)") \
	F(X, UPGRADE_CAPACITY, "upgrade", "capacity", WARNING, \
	    "handshakes at max peers (503)") \
	F(X, UPGRADE_BUSY, "upgrade", "busy", WARNING, \
	    "handshakes while there was no challenge (503)") \
	F(X, UPGRADE_SHUTDOWN, "upgrade", "shutdown", INFO, \
	    "handshakes while the beacon says goodbye (503)") \
	F(X, UPGRADE_BLOCKED, "upgrade", "blocked", NOTICE, \
	    "handshakes from a blocked network (403)") \
	F(X, LOGIN_ABANDONED, "login", "abandoned", NOTICE, \
	    "clients that left before the end of their login") \
	F(X, LOGIN_TIMEOUT, "login", "timeout", NOTICE, \
	    "logins not over in time") \
	F(X, LOGIN_BAD, "login", "malformed", NOTICE, \
	    "replies that are none") \
	F(X, LOGIN_PROTOCOL, "login", "protocol", NOTICE, \
	    "violations of WebSocket before login") \
	F(X, LOGIN_NONCE, "login", "nonce", NOTICE, \
	    "replies to a nonce that was used, too old or never issued") \
	F(X, LOGIN_AGE, "login", "age", NOTICE, \
	    "replies too late or before their time") \
	F(X, LOGIN_UNKNOWN, "login", "unknown", NOTICE, \
	    "replies for a node without a key") \
	F(X, LOGIN_SIGNATURE, "login", "signature", NOTICE, \
	    "replies whose signature was wrong") \
	F(X, LOGIN_UNANSWERED, "login", "unanswered", WARNING, \
	    "replies for a node of which the registry said nothing in time") \
	F(X, LOGIN_CAPACITY, "login", "capacity", WARNING, \
	    "logins at max peers") \
	F(X, LOGIN_FLAPPING, "login", "flapping", WARNING, \
	    "logins of nodes that replace themselves too often") \
	F(X, LOGIN_BLOCKED, "login", "blocked", NOTICE, \
	    "logins of blocked nodes") \
	F(X, LOGIN_BUSY, "login", "busy", WARNING, \
	    "logins given up for want of memory or of auth") \
	F(X, LOGIN_CROWDED, "login", "half_open", WARNING, \
	    "logins given up for newer connections") \
	F(X, LOGIN_SHUTDOWN, "login", "shutdown", INFO, \
	    "logins under way when the beacon said goodbye")
/* clang-format on */

/*
 * Of those, what auth says of a login.  The client hears the same whatever the
 * reason, but for the last one: that could not be said.
 */
enum refused_reason {
	REFUSED_NONCE = 1,
	REFUSED_AGE,
	REFUSED_UNKNOWN,
	REFUSED_SIGNATURE,
	REFUSED_UNANSWERED,
	REFUSED_MAX
};

#endif /* COMMON_FAILURES_H */
