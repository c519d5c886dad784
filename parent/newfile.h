/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_NEWFILE_H
#define PARENT_NEWFILE_H

#include <stdint.h>

#include "parent/conf.h"

/* Files that we write and read again ourselves: newfile.c */
void newfile_path(const char *path, char new[CONF_PATH_MAX]);
int newfile_create(const char *path, char new[CONF_PATH_MAX]);
int newfile_prove(const char *path);
int newfile_open(const char *path, uint64_t most, const char **why);

#endif /* PARENT_NEWFILE_H */
