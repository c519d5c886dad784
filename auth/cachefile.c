/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/fdstat.h"

#include "auth/cachefile.h"

#define CACHEFILE_MAGIC   "beacond"
#define CACHEFILE_VERSION 1

static void
cachefile_begin(struct cachefile *c, uint64_t wall, uint32_t now)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	c->began = now;
	(void)strlcpy(
	    c->header.magic, CACHEFILE_MAGIC, sizeof(c->header.magic));
	c->header.version = CACHEFILE_VERSION;
	c->header.wall = wall;
	(void)crypto_generichash_init(&c->sum, NULL, 0, sizeof(c->header.sum));
}

static int
cachefile_map(struct cachefile *c, int fd, int flags)
{
	void *base;

	base = mmap(NULL, c->size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (base == MAP_FAILED)
		return (-1);
	c->data = base;
	return (0);
}

/*
 * Begins to write to the memory behind fd, which stays the caller's, at wall,
 * unix seconds, and now, clock_seconds().  Returns 0, or -1 with errno.
 */
int
cachefile_save(struct cachefile *c, int fd, uint64_t wall, uint32_t now)
{
	struct stat st;

	cachefile_begin(c, wall, now);
	if (fdstat(fd, &st) == -1)
		return (-1);
	if (st.st_size != (off_t)PROTO_CACHE_BYTES) {
		errno = EINVAL;
		return (-1);
	}
	c->size = PROTO_CACHE_BYTES;
	return (cachefile_map(c, fd, MAP_SHARED));
}

/* Begins to read the file behind fd, which is taken over; likewise. */
int
cachefile_load(struct cachefile *c, int fd, uint64_t wall, uint32_t now)
{
	struct stat st;

	cachefile_begin(c, wall, now);
	c->load = 1;
	c->fd = fd;
	if (fdstat(fd, &st) == -1)
		goto fail;
	if (!S_ISREG(st.st_mode) || st.st_size < PROTO_CACHE_HEADER ||
	    st.st_size > (off_t)PROTO_CACHE_BYTES ||
	    (st.st_size - PROTO_CACHE_HEADER) % PROTO_CACHE_ENTRY != 0) {
		errno = EINVAL;
		goto fail;
	}
	c->size = (size_t)st.st_size;
	if (cachefile_map(c, -1, MAP_PRIVATE | MAP_ANONYMOUS) == 0)
		return (0);
fail:
	(void)close(fd);
	c->fd = -1;
	return (-1);
}

static void
cachefile_put(struct cachefile *c, const struct learned_entry *entry)
{
	struct cachefile_entry out;

	memset(&out, 0, sizeof(out));
	out.node = entry->node;
	if (c->began > entry->confirmed)
		out.age = c->began - entry->confirmed;
	memcpy(out.key, entry->key, sizeof(out.key));
	if (entry->previous_until > c->began) {
		out.grace = entry->previous_until - c->began;
		memcpy(out.previous, entry->previous, sizeof(out.previous));
	}
	memcpy(c->data + cachefile_bytes(c), &out, sizeof(out));
	(void)crypto_generichash_update(
	    &c->sum, (const unsigned char *)&out, sizeof(out));
	c->header.count++;
}

/* Bytes of it that are filled, or are to be there. */
size_t
cachefile_bytes(const struct cachefile *c)
{
	return (
	    PROTO_CACHE_HEADER + (size_t)c->header.count * PROTO_CACHE_ENTRY);
}

/* The header comes last, in the sum as in the memory. */
static void
cachefile_seal(struct cachefile *c, struct cachefile_header *header)
{
	memset(header->sum, 0, sizeof(header->sum));
	(void)crypto_generichash_update(
	    &c->sum, (const unsigned char *)header, sizeof(*header));
	(void)crypto_generichash_final(
	    &c->sum, header->sum, sizeof(header->sum));
}

/*
 * Writes some of what was learned.  Returns 1 if there is more, or 0 at the
 * end: see cachefile_bytes().
 */
int
cachefile_step_save(struct cachefile *c, const struct learned *learned)
{
	uint32_t end;

	end = c->at + CACHEFILE_STEP;
	for (; c->at < end && c->at < learned->used &&
	       c->header.count < PROTO_CACHE_KEYS;
	     c->at++)
		if (learned->entries[c->at].node != 0 &&
		    learned->entries[c->at].source != LEARNED_SNAPSHOT)
			cachefile_put(c, &learned->entries[c->at]);
	if (c->at < learned->used && c->header.count < PROTO_CACHE_KEYS)
		return (1);
	cachefile_seal(c, &c->header);
	memcpy(c->data, &c->header, sizeof(c->header));
	return (0);
}

/* All is there.  Returns 1, or -1 if it is not whole. */
static int
cachefile_check(struct cachefile *c)
{
	struct cachefile_header found, is;

	memcpy(&found, c->data, sizeof(found));
	is = found;
	cachefile_seal(c, &is);
	if (memcmp(&found, &is, sizeof(found)) != 0 ||
	    memcmp(found.magic, c->header.magic, sizeof(found.magic)) != 0 ||
	    found.version != CACHEFILE_VERSION ||
	    (c->size - PROTO_CACHE_HEADER) / PROTO_CACHE_ENTRY != found.count)
		return (-1);
	c->believed = 1;
	c->header.count = found.count;
	/* Seconds that it has lain there; a clock that was set: none. */
	is.wall = c->header.wall > found.wall ? c->header.wall - found.wall : 0;
	c->header.wall = is.wall;
	return (1);
}

static int
cachefile_read(struct cachefile *c)
{
	size_t from, want;
	ssize_t n;

	want = CACHEFILE_STEP * PROTO_CACHE_ENTRY;
	if (want > c->size - c->len)
		want = c->size - c->len;
	n = read(c->fd, c->data + c->len, want);
	if (n == -1 && errno == EINTR)
		return (1);
	if (n <= 0)
		return (-1);
	from = c->len < PROTO_CACHE_HEADER ? PROTO_CACHE_HEADER : c->len;
	c->len += (size_t)n;
	if (c->len > from)
		(void)crypto_generichash_update(
		    &c->sum, c->data + from, c->len - from);
	return (c->len < c->size ? 1 : cachefile_check(c));
}

static void
cachefile_take(const struct cachefile *c, const struct cachefile_entry *in,
    struct learned *learned, uint32_t stale, uint32_t max)
{
	struct learned_entry *entry;
	uint64_t age;

	age = in->age + c->header.wall;
	if (in->node == 0 || age > stale || age >= c->began ||
	    learned_find(learned, in->node) != NULL || learned->count >= max)
		return;
	entry = learned_add(learned, in->node, max);
	entry->source = LEARNED_CACHE;
	entry->confirmed = c->began - (uint32_t)age;
	memcpy(entry->key, in->key, sizeof(entry->key));
	if (in->grace > c->header.wall) {
		entry->previous_until =
		    c->began + (in->grace - (uint32_t)c->header.wall);
		memcpy(entry->previous, in->previous, sizeof(entry->previous));
	}
}

/*
 * Reads some of the file, and then learns from it what is no older than stale,
 * seconds, and not known better, up to max keys.  Returns 1 if there is more, 0
 * at the end, or -1 if it is not whole: nothing of it was believed.
 */
int
cachefile_step_load(
    struct cachefile *c, struct learned *learned, uint32_t stale, uint32_t max)
{
	struct cachefile_entry entry;
	uint32_t end;

	if (!c->believed)
		return (cachefile_read(c));
	end = c->at + CACHEFILE_STEP;
	for (; c->at < end && c->at < c->header.count; c->at++) {
		memcpy(&entry,
		    c->data + PROTO_CACHE_HEADER +
			(size_t)c->at * PROTO_CACHE_ENTRY,
		    sizeof(entry));
		cachefile_take(c, &entry, learned, stale, max);
	}
	return (c->at < c->header.count);
}

/* Gives everything back, at whatever point it is. */
void
cachefile_close(struct cachefile *c)
{
	if (c->data != NULL)
		(void)munmap(c->data, c->size);
	if (c->fd != -1)
		(void)close(c->fd);
	c->data = NULL;
	c->fd = -1;
}
