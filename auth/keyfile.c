/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

#include "auth/keyfile.h"

#define KEYFILE_KEY_CHARS 44 /* PROTO_KEY_LEN bytes as padded base64 */

/*
 * Begins to read a file that is known as path in messages.  The descriptor is
 * taken over; -1 if all is going to come by keyfile_feed().
 */
void
keyfile_begin(struct keyfile *kf, int fd, const char *path)
{
	keycache_init(&kf->cache);
	kf->fd = fd;
	(void)strlcpy(kf->path, path, sizeof(kf->path));
	kf->line = 1;
	kf->bad = 0;
	kf->len = 0;
	kf->too_long = 0;
}

static void
keyfile_bad(struct keyfile *kf, uint32_t line, const char *what)
{
	if (++kf->bad <= KEYFILE_NAMED_MAX)
		log_warnx("%s:%u: %s", kf->path, line, what);
}

static int
keyfile_blank(char c)
{
	return (c == ' ' || c == '\t');
}

/* One word of [*p, end); leaves *p behind it and the blanks that follow. */
static size_t
keyfile_word(const char **p, const char *end, const char **word)
{
	const char *at;
	size_t len;

	*word = at = *p;
	while (at < end && !keyfile_blank(*at))
		at++;
	len = (size_t)(at - *word);
	while (at < end && keyfile_blank(*at))
		at++;
	*p = at;
	return (len);
}

static uint32_t
keyfile_node(const char *word, size_t len)
{
	uint64_t node;
	size_t i;

	node = 0;
	if (len > 10)
		return (0);
	for (i = 0; i < len; i++) {
		if (word[i] < '0' || word[i] > '9')
			return (0);
		node = node * 10 + (uint64_t)(word[i] - '0');
	}
	return (node > UINT32_MAX ? 0 : (uint32_t)node);
}

static int
keyfile_key(const char *word, size_t len, uint8_t key[PROTO_KEY_LEN])
{
	size_t keylen;

	if (len != KEYFILE_KEY_CHARS ||
	    sodium_base642bin(key, PROTO_KEY_LEN, word, len, NULL, &keylen,
		NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return (-1);
	return (keylen == PROTO_KEY_LEN ? 0 : -1);
}

/* Returns NULL or what is wrong with a line that holds more than a comment. */
static const char *
keyfile_entry(
    const char *p, const char *end, uint32_t *node, uint8_t key[PROTO_KEY_LEN])
{
	const char *word;
	size_t len;

	len = keyfile_word(&p, end, &word);
	*node = keyfile_node(word, len);
	if (*node == 0)
		return ("node id is not a number from 1 to 4294967295");
	len = keyfile_word(&p, end, &word);
	if (len == 0)
		return ("no key");
	if (keyfile_key(word, len, key) == -1)
		return ("key is not 32 bytes in base64");
	if (p != end)
		return ("more than a node id and a key");
	return (NULL);
}

static int
keyfile_line(struct keyfile *kf, const char *p, size_t len)
{
	uint8_t key[PROTO_KEY_LEN];
	const char *comment, *end, *what;
	uint32_t node;

	if (len > 0 && p[len - 1] == '\r')
		len--;
	if (memchr(p, '\0', len) != NULL) {
		keyfile_bad(kf, kf->line, "NUL byte");
		return (0);
	}
	comment = memchr(p, '#', len);
	end = comment == NULL ? p + len : comment;
	while (p < end && keyfile_blank(*p))
		p++;
	if (p == end)
		return (0);
	what = keyfile_entry(p, end, &node, key);
	if (what == NULL &&
	    keycache_add(&kf->cache, node, kf->line, key) == -1) {
		if (errno != ENOSPC)
			return (-1);
		what = "too many keys";
	}
	if (what != NULL)
		keyfile_bad(kf, kf->line, what);
	return (0);
}

static void
keyfile_gather(struct keyfile *kf, const char *data, size_t len)
{
	if (len > sizeof(kf->partial) - kf->len) {
		kf->too_long = 1;
		return;
	}
	memcpy(kf->partial + kf->len, data, len);
	kf->len += len;
}

/* The line is complete but for what data holds of it. */
static int
keyfile_finish_line(struct keyfile *kf, const char *data, size_t len)
{
	int result;

	result = 0;
	if (kf->len > 0 || kf->too_long || len > sizeof(kf->partial)) {
		keyfile_gather(kf, data, len);
		data = kf->partial;
		len = kf->len;
	}
	if (kf->too_long)
		keyfile_bad(kf, kf->line, "line too long");
	else
		result = keyfile_line(kf, data, len);
	kf->line++;
	kf->len = 0;
	kf->too_long = 0;
	return (result);
}

/*
 * Takes the next len bytes of the file, cut wherever the caller likes.
 * Returns 0, or -1 with errno ENOMEM.
 */
int
keyfile_feed(struct keyfile *kf, const char *data, size_t len)
{
	const char *newline;
	size_t n;

	while ((newline = memchr(data, '\n', len)) != NULL) {
		n = (size_t)(newline - data);
		if (keyfile_finish_line(kf, data, n) == -1)
			return (-1);
		data += n + 1;
		len -= n + 1;
	}
	keyfile_gather(kf, data, len);
	return (0);
}

static void
keyfile_double(void *arg, const struct keycache_entry *entry)
{
	keyfile_bad(arg, entry->line, "node has a key already");
}

/*
 * The file has ended: kf->cache is ready to be searched.  Returns 0, or -1
 * with errno ENOMEM.
 */
int
keyfile_end(struct keyfile *kf)
{
	if ((kf->len > 0 || kf->too_long) &&
	    keyfile_finish_line(kf, "", 0) == -1)
		return (-1);
	if (keycache_finish(&kf->cache, keyfile_double, kf) == -1)
		return (-1);
	if (kf->bad > KEYFILE_NAMED_MAX)
		log_warnx("%s: %u more bad lines", kf->path,
		    kf->bad - KEYFILE_NAMED_MAX);
	return (0);
}

/*
 * Reads one chunk.  Returns 1 if there is more, 0 at the end (see
 * keyfile_end()), or -1 with errno.
 */
int
keyfile_step(struct keyfile *kf)
{
	ssize_t n;

	n = read(kf->fd, kf->chunk, sizeof(kf->chunk));
	if (n == -1)
		return (errno == EINTR ? 1 : -1);
	if (n == 0)
		return (keyfile_end(kf));
	return (keyfile_feed(kf, kf->chunk, (size_t)n) == -1 ? -1 : 1);
}

/* Gives everything back, at whatever point the reading is. */
void
keyfile_close(struct keyfile *kf)
{
	keycache_free(&kf->cache);
	if (kf->fd != -1)
		(void)close(kf->fd);
	kf->fd = -1;
}
