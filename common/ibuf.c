/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/ibuf.h"

/*
 * A buffer for up to max bytes, len of them allocated at once.  NULL with
 * EINVAL if max is 0 or less than len, or with ENOMEM.
 */
struct ibuf *
ibuf_dynamic(size_t len, size_t max)
{
	struct ibuf *buf;

	if (max == 0 || max < len) {
		errno = EINVAL;
		return (NULL);
	}
	buf = calloc(1, sizeof(*buf));
	if (buf == NULL)
		return (NULL);
	if (len > 0) {
		buf->buf = malloc(len);
		if (buf->buf == NULL) {
			free(buf);
			return (NULL);
		}
	}
	buf->size = len;
	buf->max = max;
	return (buf);
}

/* A buffer for exactly len bytes; fails as ibuf_dynamic() does. */
struct ibuf *
ibuf_open(size_t len)
{
	return (ibuf_dynamic(len, len));
}

/* Takes NULL; keeps errno.  To free a view is a fault of the program. */
void
ibuf_free(struct ibuf *buf)
{
	int saved;

	if (buf == NULL)
		return;
	if (buf->max == 0)
		abort();
	saved = errno;
	free(buf->buf);
	free(buf);
	errno = saved;
}

/* Makes view show the len bytes at data. */
void
ibuf_from_buffer(struct ibuf *view, void *data, size_t len)
{
	memset(view, 0, sizeof(*view));
	view->buf = data;
	view->size = len;
	view->wpos = len;
}

/* Takes len bytes from buf and makes view show them; 0, or -1 with EBADMSG. */
int
ibuf_get_ibuf(struct ibuf *buf, size_t len, struct ibuf *view)
{
	unsigned char *data;

	data = ibuf_data(buf);
	if (ibuf_skip(buf, len) == -1)
		return (-1);
	ibuf_from_buffer(view, data, len);
	return (0);
}

/* Doubled, so that many small additions cost few copies. */
static int
ibuf_grow(struct ibuf *buf, size_t need)
{
	unsigned char *data;
	size_t size;

	size = buf->size > buf->max / 2 ? buf->max : buf->size * 2;
	if (size < need)
		size = need;
	data = realloc(buf->buf, size);
	if (data == NULL)
		return (-1);
	buf->buf = data;
	buf->size = size;
	return (0);
}

/*
 * Adds len bytes of no defined value and returns where they are, valid until
 * the next addition.  NULL with ERANGE (no room, or a view) or ENOMEM.
 */
void *
ibuf_reserve(struct ibuf *buf, size_t len)
{
	void *data;

	if (buf->max < buf->wpos || len > buf->max - buf->wpos) {
		errno = ERANGE;
		return (NULL);
	}
	if (len > buf->size - buf->wpos &&
	    ibuf_grow(buf, buf->wpos + len) == -1)
		return (NULL);
	data = buf->buf + buf->wpos;
	buf->wpos += len;
	return (data);
}

/* Adds the len bytes at data; 0, or -1 with ERANGE or ENOMEM. */
int
ibuf_add(struct ibuf *buf, const void *data, size_t len)
{
	void *to;

	if (len == 0)
		return (0);
	to = ibuf_reserve(buf, len);
	if (to == NULL)
		return (-1);
	memcpy(to, data, len);
	return (0);
}

/*
 * ibuf_add_nN() adds an N-bit number in network order, ibuf_add_hN() in host
 * order.  They return 0, or -1 with EINVAL if the value has more than N bits,
 * and fail as ibuf_add() does.
 */
static int
ibuf_check(uint64_t value, uint64_t max)
{
	if (value > max) {
		errno = EINVAL;
		return (-1);
	}
	return (0);
}

int
ibuf_add_n8(struct ibuf *buf, uint64_t value)
{
	uint8_t v;

	if (ibuf_check(value, UINT8_MAX) == -1)
		return (-1);
	v = (uint8_t)value;
	return (ibuf_add(buf, &v, sizeof(v)));
}

int
ibuf_add_n16(struct ibuf *buf, uint64_t value)
{
	uint16_t v;

	if (ibuf_check(value, UINT16_MAX) == -1)
		return (-1);
	v = htobe16((uint16_t)value);
	return (ibuf_add(buf, &v, sizeof(v)));
}

int
ibuf_add_n32(struct ibuf *buf, uint64_t value)
{
	uint32_t v;

	if (ibuf_check(value, UINT32_MAX) == -1)
		return (-1);
	v = htobe32((uint32_t)value);
	return (ibuf_add(buf, &v, sizeof(v)));
}

int
ibuf_add_n64(struct ibuf *buf, uint64_t value)
{
	value = htobe64(value);
	return (ibuf_add(buf, &value, sizeof(value)));
}

int
ibuf_add_h16(struct ibuf *buf, uint64_t value)
{
	uint16_t v;

	if (ibuf_check(value, UINT16_MAX) == -1)
		return (-1);
	v = (uint16_t)value;
	return (ibuf_add(buf, &v, sizeof(v)));
}

int
ibuf_add_h32(struct ibuf *buf, uint64_t value)
{
	uint32_t v;

	if (ibuf_check(value, UINT32_MAX) == -1)
		return (-1);
	v = (uint32_t)value;
	return (ibuf_add(buf, &v, sizeof(v)));
}

int
ibuf_add_h64(struct ibuf *buf, uint64_t value)
{
	return (ibuf_add(buf, &value, sizeof(value)));
}

/*
 * The len bytes that begin pos bytes after the first unread one, to be
 * overwritten; NULL with ERANGE if not all of them have been added.
 */
void *
ibuf_seek(struct ibuf *buf, size_t pos, size_t len)
{
	if (pos > ibuf_size(buf) || len > ibuf_size(buf) - pos) {
		errno = ERANGE;
		return (NULL);
	}
	return (buf->buf + buf->rpos + pos);
}

/* Takes len bytes and drops them; 0, or -1 with EBADMSG. */
int
ibuf_skip(struct ibuf *buf, size_t len)
{
	if (len > ibuf_size(buf)) {
		errno = EBADMSG;
		return (-1);
	}
	buf->rpos += len;
	return (0);
}

/* Takes len bytes and copies them to data; 0, or -1 with EBADMSG. */
int
ibuf_get(struct ibuf *buf, void *data, size_t len)
{
	const void *from;

	from = ibuf_data(buf);
	if (ibuf_skip(buf, len) == -1)
		return (-1);
	if (len > 0)
		memcpy(data, from, len);
	return (0);
}

/*
 * ibuf_get_nN() takes an N-bit number in network order, ibuf_get_hN() in host
 * order, and stores it in host order; 0, or -1 with EBADMSG.
 */
int
ibuf_get_n8(struct ibuf *buf, uint8_t *value)
{
	return (ibuf_get(buf, value, sizeof(*value)));
}

int
ibuf_get_n16(struct ibuf *buf, uint16_t *value)
{
	if (ibuf_get(buf, value, sizeof(*value)) == -1)
		return (-1);
	*value = be16toh(*value);
	return (0);
}

int
ibuf_get_n32(struct ibuf *buf, uint32_t *value)
{
	if (ibuf_get(buf, value, sizeof(*value)) == -1)
		return (-1);
	*value = be32toh(*value);
	return (0);
}

int
ibuf_get_n64(struct ibuf *buf, uint64_t *value)
{
	if (ibuf_get(buf, value, sizeof(*value)) == -1)
		return (-1);
	*value = be64toh(*value);
	return (0);
}

int
ibuf_get_h16(struct ibuf *buf, uint16_t *value)
{
	return (ibuf_get(buf, value, sizeof(*value)));
}

int
ibuf_get_h32(struct ibuf *buf, uint32_t *value)
{
	return (ibuf_get(buf, value, sizeof(*value)));
}

int
ibuf_get_h64(struct ibuf *buf, uint64_t *value)
{
	return (ibuf_get(buf, value, sizeof(*value)));
}

/* The first unread byte; ibuf_size() of them may be read. */
void *
ibuf_data(const struct ibuf *buf)
{
	return (buf->buf == NULL ? NULL : buf->buf + buf->rpos);
}

/* Bytes that can be read. */
size_t
ibuf_size(const struct ibuf *buf)
{
	return (buf->wpos - buf->rpos);
}

/* Bytes that can be added. */
size_t
ibuf_left(const struct ibuf *buf)
{
	return (buf->max == 0 ? 0 : buf->max - buf->wpos);
}
