/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_TOKEN_H
#define PARENT_TOKEN_H

#include <sys/types.h>

#include "common/proto.h"

/* The file of the registry's token. */

int token_open(const char *path);
void token_read(int fd, char token[PROTO_TOKEN_LEN]);
const char *token_wrong(const char *path, uid_t);

#endif /* PARENT_TOKEN_H */
