/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef CTL_WS_CLIENT_H
#define CTL_WS_CLIENT_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "common/ws_frame.h"

/*
 * A WebSocket client (RFC 6455) that waits: one connection, one step after the
 * other, each until a deadline.  Every function that can fail leaves a message
 * in error.  With TLS (wss://) the bytes pass through ws_tls.c.
 */
#define WS_CLIENT_MAX 65536 /* bytes of the largest message taken */
#define WS_SEND_MAX   1024  /* bytes of the largest message sent */
#define WS_HEAD_MAX   65536 /* bytes of an answer's head */
#define WS_ERROR_LEN  256
#define WS_REMOTE_LEN 128 /* bytes shown of a text of the other end */
#define WS_PATH_LEN   512

#define WS_SUBPROTOCOL "pilot.v1" /* the one that is offered */

struct ssl_st;

struct ws_url {
	int tls;        /* boolean */
	char host[256]; /* without brackets */
	char port[6];
	char authority[272]; /* as the Host header has it */
	char path[WS_PATH_LEN];
};

struct ws_client {
	int fd;
	struct ssl_st *tls; /* NULL: there is none */
	int64_t expires; /* s, wall: the first of its certificates; 0: none */
	short want;      /* what to wait for before the next try */
	int close_code;  /* of the other end's close frame; 0: none came */
	int opcode;      /* of the message in msg; 0: none */
	int complete;    /* boolean: all of it is there */
	size_t msg_len;
	size_t rx_len;
	char address[80]; /* numeric, of the connected end */
	char error[WS_ERROR_LEN];
	uint8_t msg[WS_CLIENT_MAX];
	uint8_t rx[WS_CLIENT_MAX + WS_HEADER_MAX];
};

/* ws_connect.c */
int ws_url_parse(const char *, struct ws_url *, const char **);
struct ws_client *ws_client_new(void);
void ws_client_free(struct ws_client *);
int ws_client_connect(struct ws_client *, const struct ws_url *, int64_t);
int ws_client_upgrade(struct ws_client *, const struct ws_url *, int64_t);

/* ws_answer.c */
int ws_answer_status(const char *);
const char *ws_answer_wrong(char *, const char *);

/* ws_tls.c */
int ws_tls_begin(struct ws_client *, const char *);
int ws_tls_handshake(struct ws_client *);
ssize_t ws_tls_read(struct ws_client *, void *, size_t);
ssize_t ws_tls_write(struct ws_client *, const void *, size_t);
void ws_tls_end(struct ws_client *);

/* ws_client.c */
int64_t ws_now(void);
int ws_client_wait(struct ws_client *, short, int64_t);
int ws_client_wait_either(struct ws_client *[2], int64_t);
int ws_client_fill(struct ws_client *, size_t, int64_t);
void ws_client_consume(struct ws_client *, size_t);
int ws_client_write(struct ws_client *, const void *, size_t, int64_t);
int ws_client_send(struct ws_client *, int, const void *, size_t, int64_t);
int ws_client_recv(struct ws_client *, int64_t);
void ws_client_goodbye(struct ws_client *, int64_t);
void ws_client_quote(char[WS_REMOTE_LEN], const void *, size_t);

#endif /* CTL_WS_CLIENT_H */
