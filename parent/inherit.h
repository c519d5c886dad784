/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_INHERIT_H
#define PARENT_INHERIT_H

#include <sys/socket.h>
#include <sys/un.h>

/*
 * Sockets that a service manager has opened for us, sd_listen_fds(3): then the
 * parent needs neither the right nor the network to open its own.  And those
 * that another parent has left us.
 */
#define INHERIT_OURS     "beacond-" /* how names begin */
#define INHERIT_NAME_LEN 32

void inherit_sockets(void);
int inherit_add(int);
int inherit_take(int, const struct sockaddr_storage *);
int inherit_take_port(int, const struct sockaddr_storage *);
int inherit_take_named(const char *);
void inherit_each_name(void (*)(const char *));
int inherit_take_local(const struct sockaddr_un *);
int inherit_any(void);
int inherit_has(int);
int inherit_keep(int);
void inherit_drop(int);
void inherit_report(void);

#endif /* PARENT_INHERIT_H */
