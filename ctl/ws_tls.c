/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "ctl/ws_client.h"

/*
 * TLS of a client, by steps that do not wait: each says in want what it waits
 * for.  The server must prove to have the name in the URL by a certificate that
 * this machine trusts (SSL_CERT_FILE names others); there is no way round that.
 */

static int
fail(struct ws_client *c, const char *what, const char *why)
{
	(void)snprintf(c->error, sizeof(c->error), "%s: %s", what,
	    why != NULL ? why : "failed");
	return (-1);
}

/* What OpenSSL complains of, without its numbers. */
static const char *
reason(void)
{
	return (ERR_reason_error_string(ERR_peek_last_error()));
}

/* An operation has not succeeded.  Returns 0 if it is to be tried again. */
static int
not_done(struct ws_client *c, int ret)
{
	long verdict;

	switch (SSL_get_error(c->tls, ret)) {
	case SSL_ERROR_WANT_READ:
		c->want = POLLIN;
		return (0);
	case SSL_ERROR_WANT_WRITE:
		c->want = POLLOUT;
		return (0);
	case SSL_ERROR_ZERO_RETURN:
		return (fail(c, "TLS", "the other end closed the connection"));
	case SSL_ERROR_SYSCALL:
		return (fail(c, "TLS", strerror(errno)));
	default:
		verdict = SSL_get_verify_result(c->tls);
		if (verdict != X509_V_OK)
			return (fail(c, "the certificate is not accepted",
			    X509_verify_cert_error_string(verdict)));
		return (fail(c, "TLS", reason()));
	}
}

static SSL_CTX *
context(void)
{
	SSL_CTX *ctx;

	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL)
		return (NULL);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* That a WebSocket was closed is said by its close frame. */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_default_verify_paths(ctx) == 1)
		return (ctx);
	SSL_CTX_free(ctx);
	return (NULL);
}

/* Whom the certificate has to name; only a name is told to the server. */
static int
expect(SSL *tls, const char *host)
{
	struct in6_addr addr;

	if (inet_pton(AF_INET, host, &addr) == 1 ||
	    inet_pton(AF_INET6, host, &addr) == 1)
		return (
		    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host));
	return (SSL_set_tlsext_host_name(tls, host) == 1 &&
		SSL_set1_host(tls, host) == 1);
}

/* TLS from here on, with a server of that name or address.  0 or -1. */
int
ws_tls_begin(struct ws_client *c, const char *host)
{
	/* An upgrade to WebSocket is one of HTTP/1.1. */
	static const uint8_t http11[] = "\x8http/1.1";
	SSL_CTX *ctx;

	/* OpenSSL writes as to a file. */
	(void)signal(SIGPIPE, SIG_IGN);
	ctx = context();
	if (ctx == NULL)
		return (fail(c, "TLS", reason()));
	c->tls = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (c->tls == NULL || SSL_set_fd(c->tls, c->fd) != 1 ||
	    SSL_set_alpn_protos(c->tls, http11, sizeof(http11) - 1) != 0 ||
	    !expect(c->tls, host))
		return (fail(c, "TLS", reason()));
	return (0);
}

/* When the first certificate of the chain that was proved expires. */
static int64_t
first_expiry(const SSL *tls)
{
	STACK_OF(X509) * chain;
	int64_t at, first;
	struct tm tm;
	int i;

	first = INT64_MAX;
	chain = SSL_get0_verified_chain(tls);
	for (i = 0; i < sk_X509_num(chain); i++) {
		if (ASN1_TIME_to_tm(
			X509_get0_notAfter(sk_X509_value(chain, i)), &tm) != 1)
			continue;
		at = timegm(&tm);
		if (at < first)
			first = at;
	}
	return (first);
}

/* Returns 1 when it is done, 0 if it is to be tried again after want, or -1. */
int
ws_tls_handshake(struct ws_client *c)
{
	int ret;

	ERR_clear_error();
	ret = SSL_connect(c->tls);
	if (ret != 1)
		return (not_done(c, ret));
	c->expires = first_expiry(c->tls);
	return (1);
}

/* As many as there are, or 0 if it is to be tried again after want, or -1. */
ssize_t
ws_tls_read(struct ws_client *c, void *buf, size_t len)
{
	size_t n;
	int ret;

	ERR_clear_error();
	ret = SSL_read_ex(c->tls, buf, len, &n);
	return (ret == 1 ? (ssize_t)n : not_done(c, ret));
}

/* As many as were taken, or as ws_tls_read(). */
ssize_t
ws_tls_write(struct ws_client *c, const void *buf, size_t len)
{
	size_t n;
	int ret;

	ERR_clear_error();
	ret = SSL_write_ex(c->tls, buf, len, &n);
	return (ret == 1 ? (ssize_t)n : not_done(c, ret));
}

void
ws_tls_end(struct ws_client *c)
{
	SSL_free(c->tls);
	c->tls = NULL;
}
