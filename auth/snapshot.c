/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

#include "auth/snapshot.h"

/* Where things are: the object, "nodes" in it, a node in that. */
#define SNAPSHOT_TOP   1
#define SNAPSHOT_NODES 2
#define SNAPSHOT_NODE  3

static int
snapshot_is(const unsigned char *text, size_t len, const char *word)
{
	return (len == strlen(word) && memcmp(text, word, len) == 0);
}

/* An id in decimal; 0 if it is none. */
static uint32_t
snapshot_id(const unsigned char *text, size_t len)
{
	uint64_t node;
	size_t i;

	node = 0;
	if (len > 10)
		return (0);
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return (0);
		node = node * 10 + text[i] - '0';
	}
	return (node > UINT32_MAX ? 0 : (uint32_t)node);
}

/* Called by the parser; 0 has it stop. */
static int
snapshot_name(void *ctx, const unsigned char *text, size_t len)
{
	struct snapshot *s;

	s = ctx;
	if (s->depth == SNAPSHOT_TOP)
		s->nodes = snapshot_is(text, len, "nodes");
	else if (s->depth == SNAPSHOT_NODES)
		s->node = snapshot_id(text, len);
	s->key = s->depth == SNAPSHOT_NODE && s->nodes &&
		 snapshot_is(text, len, "public_key");
	return (1);
}

static int
snapshot_text(void *ctx, const unsigned char *text, size_t len)
{
	struct snapshot *s;
	size_t keylen;

	s = ctx;
	if (!s->key)
		return (1);
	s->key = 0;
	s->has = len > 0 &&
		 sodium_base642bin(s->value, sizeof(s->value),
		     (const char *)text, len, NULL, &keylen, NULL,
		     sodium_base64_VARIANT_ORIGINAL) == 0 &&
		 keylen == sizeof(s->value);
	if (len > 0 && !s->has)
		s->bad++;
	return (1);
}

static int
snapshot_in(void *ctx)
{
	struct snapshot *s;

	s = ctx;
	s->key = 0;
	if (++s->depth == SNAPSHOT_NODE)
		s->has = 0;
	return (s->depth <= SNAPSHOT_DEPTH);
}

/* A list is none of the objects that are looked for, nor is one in it. */
static int
snapshot_in_list(void *ctx)
{
	struct snapshot *s;

	s = ctx;
	if (s->depth < SNAPSHOT_NODES)
		s->nodes = 0;
	return (snapshot_in(ctx));
}

static int
snapshot_out_list(void *ctx)
{
	struct snapshot *s;

	s = ctx;
	s->depth--;
	return (1);
}

static int
snapshot_out(void *ctx)
{
	struct snapshot *s;

	s = ctx;
	if (s->depth-- != SNAPSHOT_NODE || !s->nodes || !s->has)
		return (1);
	s->has = 0;
	if (s->node == 0)
		s->bad++;
	else if (keycache_add(&s->cache, s->node, 0, s->value) == -1) {
		if (errno != ENOSPC)
			return (0);
		s->bad++;
	}
	return (1);
}

static const yajl_callbacks snapshot_callbacks = {
	.yajl_string = snapshot_text,
	.yajl_start_map = snapshot_in,
	.yajl_map_key = snapshot_name,
	.yajl_end_map = snapshot_out,
	.yajl_start_array = snapshot_in_list,
	.yajl_end_array = snapshot_out_list,
};

/*
 * Begins to read a file that is known as path in messages and was written then.
 * The descriptor is taken over; -1 if all is going to come by snapshot_feed().
 * Returns 0, or -1 without memory, with the descriptor closed.
 */
int
snapshot_begin(struct snapshot *s, int fd, const char *path, uint32_t written)
{
	memset(s, 0, sizeof(*s));
	keycache_init(&s->cache);
	s->fd = fd;
	(void)strlcpy(s->path, path, sizeof(s->path));
	s->written = written;
	s->parser = yajl_alloc(&snapshot_callbacks, NULL, s);
	if (s->parser == NULL) {
		snapshot_close(s);
		return (-1);
	}
	/* It costs a third, and no text is kept. */
	(void)yajl_config(s->parser, yajl_dont_validate_strings, 1);
	return (0);
}

/*
 * Takes the next len bytes, cut wherever the caller likes.  Returns 0, or -1
 * if this is no snapshot.
 */
int
snapshot_feed(struct snapshot *s, const uint8_t *data, size_t len)
{
	return (yajl_parse(s->parser, data, len) == yajl_status_ok ? 0 : -1);
}

/*
 * That was all of it: s->cache is ready to be searched.  Returns 0, or -1 if it
 * is not to be believed.
 */
int
snapshot_end(struct snapshot *s)
{
	if (yajl_complete_parse(s->parser) != yajl_status_ok ||
	    s->cache.count == 0)
		return (-1);
	return (keycache_finish(&s->cache, NULL, NULL));
}

/*
 * Reads one chunk.  Returns 1 if there is more, 0 at the end, see
 * snapshot_end(), or -1.
 */
int
snapshot_step(struct snapshot *s)
{
	ssize_t n;

	n = read(s->fd, s->chunk, sizeof(s->chunk));
	if (n == -1)
		return (errno == EINTR ? 1 : -1);
	if (n == 0)
		return (snapshot_end(s));
	return (snapshot_feed(s, s->chunk, (size_t)n) == -1 ? -1 : 1);
}

/* Gives everything back, at whatever point the reading is. */
void
snapshot_close(struct snapshot *s)
{
	keycache_free(&s->cache);
	if (s->parser != NULL)
		yajl_free(s->parser);
	s->parser = NULL;
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
}
