/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_DENIED_H
#define PARENT_DENIED_H

#include <unistd.h>

/*
 * Who has forbidden us to open it (EACCES)?  access(2) asks for the rights of
 * the file alone, and Landlock has no say in it.
 */
static inline const char *
denied_why(const char *path)
{
	if (access(path, R_OK) == 0)
		return ("its rights are right, but Landlock allows only the "
			"directories that were in use at the start; a restart "
			"allows another");
	return ("our user must be allowed to read it");
}

#endif /* PARENT_DENIED_H */
