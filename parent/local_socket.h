/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_LOCAL_SOCKET_H
#define PARENT_LOCAL_SOCKET_H

#include <sys/types.h>
#include <sys/un.h>

/* A UNIX socket that programs of this machine connect to. */
struct local_socket {
	const char *what; /* "control socket", for messages */
	struct sockaddr_un sun;
	int fd;
};

void local_socket_clear(
    struct local_socket *, const char *what, const char *path);
void local_socket_bind(struct local_socket *, mode_t, int backlog);
void local_socket_remove(struct local_socket *);

#endif /* PARENT_LOCAL_SOCKET_H */
