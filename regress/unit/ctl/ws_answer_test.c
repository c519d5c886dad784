/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "ctl/ws_client.h"
#include "regress/unit/test.h"

#define ACCEPT   "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define STATUS   "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE  "Upgrade: websocket\r\n"
#define CONN     "Connection: Upgrade\r\n"
#define ACCEPTED "Sec-WebSocket-Accept: " ACCEPT "\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: pilot.v1\r\n"
#define HEAD     STATUS UPGRADE CONN ACCEPTED
#define END      "\r\n"

static const char *
wrong(const char *text)
{
	static char head[4096];

	strlcpy(head, text, sizeof(head));
	return (ws_answer_status(head) == 101 ? ws_answer_wrong(head, ACCEPT)
					      : "status");
}

static int
good(const char *text)
{
	return (wrong(text) == NULL);
}

static int
bad(const char *text, const char *what)
{
	const char *got;

	got = wrong(text);
	return (got != NULL && strstr(got, what) != NULL);
}

static void
status(void)
{
	CHECK(ws_answer_status("HTTP/1.1 100 Continue\r\n\r\n") == 100);
	CHECK(ws_answer_status("HTTP/1.1 503 \r\n\r\n") == 503);
	CHECK(ws_answer_status("HTTP/1.1 101\r\n\r\n") == 101);
	CHECK(ws_answer_status("HTTP/1.0 426 x\r\n\r\n") == 426);
	CHECK(ws_answer_status("HTTP/1.1 1010 x\r\n\r\n") == -1);
	CHECK(ws_answer_status("HTTP/1.1 10 x\r\n\r\n") == -1);
	CHECK(ws_answer_status("HTTP/1.1 -01 x\r\n\r\n") == -1);
	CHECK(ws_answer_status("HTTP/1.1  101 x\r\n\r\n") == -1);
	CHECK(ws_answer_status("HTTP/2.0 101 x\r\n\r\n") == -1);
	CHECK(ws_answer_status("HTTP/1.") == -1 && ws_answer_status("") == -1);
}

static void
spellings(void)
{
	CHECK(good(HEAD END) && good(HEAD PROTOCOL END));
	CHECK(good("HTTP/1.2 101\r\n" ACCEPTED CONN UPGRADE END));
	CHECK(good(STATUS "UPGRADE:WebSocket\r\nconnection:\tuPGRADE \r\n"
			  "sec-websocket-accept:   " ACCEPT " \t\r\n"
			  "SEC-WEBSOCKET-PROTOCOL:pilot.v1\r\n" END));
	CHECK(good(STATUS UPGRADE ACCEPTED
	    "Connection: keep-alive\r\nX: y\r\nConnection: Upgrade\r\n" END));
	CHECK(good(STATUS UPGRADE ACCEPTED
	    "Connection: Upgrade\r\nConnection: keep-alive\r\n" END));
	CHECK(good(STATUS UPGRADE ACCEPTED
	    "Connection: keep-alive ,, Upgrade\t,\r\n" END));
	CHECK(good(STATUS CONN ACCEPTED "Upgrade: , websocket,\r\n" END));
	CHECK(good(STATUS UPGRADE ACCEPTED
	    "Connection: keep-alive,\r\n Upgrade\r\n" END));
	CHECK(good(STATUS UPGRADE CONN "Sec-WebSocket-Accept:\r\n\t" ACCEPT
				       "\r\n \r\n" END));
	CHECK(good(HEAD "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nX:\r\n"
			"Content-Length: 5\r\nX-Connection: close\r\n"
			"Server: caf\xe9\r\n" END));
	CHECK(good(HEAD "Sec-WebSocket-Extensions:\r\n" END));
	CHECK(good(HEAD "Sec-WebSocket-Protocol: \r\n" END));
}

static void
upgrade(void)
{
	CHECK(bad("HTTP/1.0 101 x\r\n" UPGRADE CONN ACCEPTED END, "1.0"));
	CHECK(bad(STATUS CONN ACCEPTED END, "Upgrade: "));
	CHECK(bad(STATUS CONN ACCEPTED "Upgrade: h2c\r\n" END, "Upgrade: "));
	CHECK(bad(HEAD "Upgrade: h2c\r\n" END, "Upgrade: "));
	CHECK(bad(
	    STATUS CONN ACCEPTED "Upgrade : websocket\r\n" END, "Upgrade: "));
	CHECK(bad(
	    STATUS CONN ACCEPTED "Upgrade: websockets\r\n" END, "Upgrade: "));
	CHECK(bad(STATUS UPGRADE ACCEPTED END, "Connection"));
	CHECK(bad(STATUS UPGRADE ACCEPTED "Connection: Upgraded\r\n" END,
	    "Connection"));
	CHECK(bad(STATUS UPGRADE ACCEPTED "Connection: no-upgrade\r\n" END,
	    "Connection"));
}

static void
accept_key(void)
{
	CHECK(bad(STATUS UPGRADE CONN END, "Accept"));
	CHECK(bad(
	    STATUS UPGRADE CONN "Sec-WebSocket-Accept: x\r\n" END, "Accept"));
	CHECK(
	    bad(STATUS UPGRADE CONN "Sec-WebSocket-Accept: " ACCEPT "=\r\n" END,
		"Accept"));
	CHECK(bad(STATUS UPGRADE CONN
	    "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" END,
	    "Accept"));
	CHECK(bad(HEAD ACCEPTED END, "Accept"));
}

static void
what_was_not_offered(void)
{
	CHECK(bad(HEAD "Sec-WebSocket-Extensions: permessage-deflate\r\n" END,
	    "extension"));
	CHECK(bad(HEAD "Sec-WebSocket-Protocol: pilot.v2\r\n" END, "protocol"));
	CHECK(bad(HEAD "Sec-WebSocket-Protocol: Pilot.v1\r\n" END, "protocol"));
	CHECK(bad(HEAD PROTOCOL PROTOCOL END, "protocol"));
	CHECK(bad(
	    HEAD "Sec-WebSocket-Protocol: pilot.v1, x\r\n" END, "protocol"));
}

int
main(void)
{
	RUN(status);
	RUN(spellings);
	RUN(upgrade);
	RUN(accept_key);
	RUN(what_was_not_offered);
	return (test_failed());
}
