/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_IMSG_H
#define COMMON_IMSG_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

/*
 * Messages, some with a descriptor, over a unix stream socket: the API of
 * imsg_init(3) where it serves, with these differences:
 *
 * - a received descriptor waits until the header that it belongs to is
 *   complete: Linux may hand it over with the first byte of that header;
 * - what is queued for sending has a bound in bytes;
 * - permission to send and to receive descriptors are two things;
 * - a received message lies in the buffer it was read into, and is valid only
 *   until the next imsgbuf_get(), imsgbuf_read() or imsgbuf_clear();
 * - pid is sent as given: it is a second number for the use of the sender.
 */
#define IMSG_HEADER_SIZE  16
#define MAX_IMSGSIZE      16384 /* header included */
#define IMSGBUF_READ_SIZE 65535
#define IMSGBUF_FD_MAX    64         /* descriptors that wait for a header */
#define IMSGBUF_LIMIT     (4U << 20) /* default bound of a queue, bytes */

/* On the wire before the data, in host order. */
struct imsg_header {
	uint32_t type;
	uint32_t len; /* header included, and IMSG_FD_MARK */
	uint32_t peerid;
	uint32_t pid;
};
#define IMSG_FD_MARK 0x80000000U /* a descriptor belongs to this message */
_Static_assert(sizeof(struct imsg_header) == IMSG_HEADER_SIZE, "padding");

/* Room for exactly one descriptor (CMSG_SPACE would be room for two). */
union imsg_control {
	struct cmsghdr hdr;
	unsigned char buf[CMSG_SPACE(sizeof(int))];
};
#define IMSG_CONTROL_LEN CMSG_LEN(sizeof(int))

struct imsg_chunk;
TAILQ_HEAD(imsg_chunks, imsg_chunk);

struct imsgbuf {
	int fd;
	int fdrecv; /* boolean: descriptors may come in */
	int fdsend; /* boolean: and go out */

	unsigned char *rbuf;
	size_t rsize; /* bytes allocated */
	size_t rpos;  /* first byte not yet taken by imsgbuf_get() */
	size_t rlen;  /* end of what was read */

	/* Ring of descriptors without a header; -1: was lost on its way. */
	int fds[IMSGBUF_FD_MAX];
	unsigned int fdhead;
	unsigned int nfds;

	struct imsg_chunks chunks; /* to be sent */
	struct imsg_chunk *spare;  /* for the next one; NULL: in use */
	size_t queued;             /* bytes in there */
	size_t limit;              /* most bytes in there */
	uint32_t messages;         /* in there */
};

struct imsg {
	uint32_t type;
	uint32_t peerid;
	uint32_t pid;
	int marked; /* boolean: the header says it carries a descriptor */
	int fd;     /* -1: none, lost, or claimed */
	unsigned char *data;
	size_t len; /* of data */
};

/* imsg.c: receiving */
int imsgbuf_init(struct imsgbuf *, int);
void imsgbuf_allow_fdrecv(struct imsgbuf *);
void imsgbuf_allow_fdsend(struct imsgbuf *);
void imsgbuf_clear(struct imsgbuf *);
int imsgbuf_read(struct imsgbuf *);
int imsgbuf_get(struct imsgbuf *, struct imsg *);
int imsgbuf_rests(const struct imsgbuf *);

uint32_t imsg_get_type(const struct imsg *);
size_t imsg_get_len(const struct imsg *);
int imsg_has_fd(const struct imsg *);
int imsg_get_fd(struct imsg *);
int imsg_get_data(const struct imsg *, void *, size_t);
void imsg_free(struct imsg *);

/* imsg_send.c: sending */
int imsg_compose(struct imsgbuf *, uint32_t type, uint32_t id, uint32_t pid,
    int, const void *, size_t);
int imsg_composev(struct imsgbuf *, uint32_t type, uint32_t id, uint32_t pid,
    int fd, const struct iovec *, int iovcnt);
void imsgbuf_set_limit(struct imsgbuf *, size_t);
int imsgbuf_write(struct imsgbuf *);
int imsgbuf_flush(struct imsgbuf *, int);
uint32_t imsgbuf_queuelen(const struct imsgbuf *);
size_t imsgbuf_queued(const struct imsgbuf *);
int imsgbuf_set_spare(struct imsgbuf *);
void imsgbuf_free_spare(struct imsgbuf *);
void imsgbuf_drop_queue(struct imsgbuf *);

#endif /* COMMON_IMSG_H */
