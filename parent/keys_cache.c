/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/memory.h"
#include "parent/newfile.h"
#include "parent/parent.h"

/*
 * Auth fills memory of a size that it cannot change, and this file copies that,
 * as it is, to a file beside the cache, whose place it then takes.  Whether a
 * cache is to be believed, auth decides: there is a checksum in it.  So what a
 * power cut leaves of it does no harm, and nobody waits for the disk.
 */
static const char *
keys_cache_path(const struct parent *parent)
{
	return (parent->conf_start->keys_cache);
}

/* What was being written is given up, or is done. */
static void
keys_cache_end(struct keys_cache *c)
{
	ev_timer_stop(c->parent->loop, &c->writer);
	if (c->data != NULL)
		(void)munmap(c->data, c->size);
	if (c->memory != -1)
		(void)close(c->memory);
	if (c->file != -1)
		(void)close(c->file);
	c->data = NULL;
	c->memory = c->file = -1;
	c->asked = 0;
	if (c->last != NULL)
		c->last(c->parent);
}

static void
keys_cache_failed(struct keys_cache *c, const char *what)
{
	char path[CONF_PATH_MAX];

	log_warn("keys cache %s: %s", keys_cache_path(c->parent), what);
	newfile_path(keys_cache_path(c->parent), path);
	(void)unlink(path);
	keys_cache_end(c);
}

static void
keys_cache_complete(struct keys_cache *c)
{
	char path[CONF_PATH_MAX];

	newfile_path(keys_cache_path(c->parent), path);
	if (rename(path, keys_cache_path(c->parent)) == -1)
		keys_cache_failed(c, "rename");
	else
		keys_cache_end(c);
}

/* Some of it, in each turn of the loop. */
static void
keys_cache_write(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keys_cache *c;
	size_t len;
	ssize_t n;

	c = w->data;
	len = c->size - c->done;
	if (len > CACHE_TURN)
		len = CACHE_TURN;
	n = write(c->file, c->data + c->done, len);
	if (n == -1 && errno != EINTR) {
		keys_cache_failed(c, "write");
		return;
	}
	c->done += n == -1 ? 0 : (size_t)n;
	if (c->done == c->size)
		keys_cache_complete(c);
}

static void
keys_cache_send(struct process *auth, int fd, uint32_t load)
{
	struct msg_cache msg;

	memset(&msg, 0, sizeof(msg));
	msg.wall = clock_wall();
	msg.load = load;
	process_send_copy(auth, PA_CACHE, fd, &msg, sizeof(msg));
}

/* Has auth say what it has learned, if it is not at that already. */
void
keys_cache_ask(struct parent *parent)
{
	struct keys_cache *c;

	c = &parent->cache;
	if (keys_cache_path(parent)[0] == '\0' || keys_cache_busy(parent) ||
	    parent->auth.child == NULL ||
	    parent->auth.child->state != CHILD_RUNNING)
		return;
	c->memory = memory_shared("keys", PROTO_CACHE_BYTES);
	if (c->memory == -1) {
		log_warn("keys cache: memory for it");
		return;
	}
	c->asked = 1;
	keys_cache_send(parent->auth.child, c->memory, 0);
}

static void
keys_cache_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keys_cache *c;

	c = w->data;
	w->repeat = CACHE_EVERY;
	ev_timer_again(loop, w);
	if (!c->parent->stopping)
		keys_cache_ask(c->parent);
}

/* Once, with the loop at hand. */
void
keys_cache_init(struct parent *parent)
{
	struct keys_cache *c;

	c = &parent->cache;
	c->parent = parent;
	c->memory = c->file = -1;
	ev_timer_init(&c->writer, keys_cache_write, 0., 0.001);
	c->writer.data = c;
	ev_timer_init(&c->due, keys_cache_timer, CACHE_EVERY, CACHE_EVERY);
	c->due.data = c;
	if (keys_cache_path(parent)[0] != '\0')
		ev_timer_start(parent->loop, &c->due);
}

/* For an auth that was just started: before it begins. */
void
keys_cache_introduce(struct process *auth)
{
	const char *path, *why;
	int fd;

	path = keys_cache_path(auth->parent);
	if (path[0] == '\0' || auth->parent->registry.target.name[0] == '\0')
		return;
	fd = newfile_open(path, PROTO_CACHE_BYTES, &why);
	if (fd == -1 && why != NULL)
		log_warnx("keys cache %s: %s: not used", path, why);
	if (fd == -1)
		return;
	keys_cache_send(auth, fd, 1);
	(void)close(fd);
}

/* Auth is lost: what it was asked for does not come any more. */
void
keys_cache_lost(struct process *auth)
{
	struct keys_cache *c;

	c = &auth->parent->cache;
	if (c->asked)
		keys_cache_end(c);
}

/*
 * Auth has filled the memory, so far.  Returns NULL, or in what way it broke
 * the rules.
 */
const char *
keys_cache_answer(struct parent *parent, const struct msg_cache_written *answer)
{
	char path[CONF_PATH_MAX];
	struct keys_cache *c;
	void *data;

	c = &parent->cache;
	if (!c->asked)
		return ("a cache that it was not asked for");
	if (answer->bytes > PROTO_CACHE_BYTES)
		return ("a cache larger than its memory");
	c->asked = 0;
	if (answer->bytes == 0) {
		keys_cache_end(c);
		return (NULL);
	}
	c->size = (size_t)answer->bytes;
	c->done = 0;
	data = mmap(NULL, c->size, PROT_READ, MAP_SHARED, c->memory, 0);
	if (data == MAP_FAILED) {
		keys_cache_failed(c, "mmap");
		return (NULL);
	}
	c->data = data;
	c->file = newfile_create(keys_cache_path(parent), path);
	if (c->file == -1) {
		keys_cache_failed(c, "create");
		return (NULL);
	}
	/* A large one less often. */
	c->due.repeat = CACHE_EVERY + (double)c->size / CACHE_RATE;
	ev_timer_again(parent->loop, &c->due);
	ev_timer_again(parent->loop, &c->writer);
	return (NULL);
}

/* We end: once more, and `last` is called when that is done. */
void
keys_cache_last(struct parent *parent, void (*last)(struct parent *))
{
	keys_cache_ask(parent);
	parent->cache.last = last;
}

/* Boolean: one is being written, or auth is to say what. */
int
keys_cache_busy(const struct parent *parent)
{
	return (parent->cache.asked || parent->cache.file != -1);
}
