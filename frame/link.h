/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef FRAME_LINK_H
#define FRAME_LINK_H

#include <stddef.h>
#include <stdint.h>

struct imsg_header;

#define LINK_IN_SIZE (64U << 10) /* bytes of one read */
#ifndef LINK_OUT_MAX
#define LINK_OUT_MAX (4U << 20) /* bytes that wait to be sent */
#endif
#define LINK_FULL    (188U << 10) /* enough for one write, see ROUTE_STAGE */
#define LINK_READS   4            /* in one turn */
#define LINK_FDS_MAX 64           /* descriptors whose message is to come */

/* A socket with messages on it, read and written in bulk. */
struct link {
	int fd; /* -1: none */
	uint8_t *in;
	size_t in_off; /* of the first byte that is not dealt with */
	size_t in_len;
	uint8_t *out;
	size_t out_off;
	size_t out_len; /* bytes behind it */
	int fds[LINK_FDS_MAX];
	unsigned int nfds;
	int writing;     /* boolean: it waits for the socket to take more */
	uint8_t *window; /* NULL: messages come by the socket only */
	uint32_t taken;  /* up to where in it we are done */
	int owes;        /* boolean: and have not said so */
	int joined;
	int busy;    /* boolean: what it has said is being dealt with */
	int leaving; /* boolean: LEFT is waited for */
	int left;
	int done; /* boolean: we have answered LEFT, and write no more */
};

int link_open(struct link *, int);
void link_close(struct link *);
int link_read(struct link *, size_t most);
int link_next(struct link *, struct imsg_header *, uint8_t **data, int *fd);
int link_add(
    struct link *, const struct imsg_header *, const void *data, size_t len);
int link_flush(struct link *);

#endif /* FRAME_LINK_H */
