/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_ATTRIBUTES_H
#define COMMON_ATTRIBUTES_H

/*
 * What a process has from whoever started it is set, not assumed: with SIGCHLD
 * blocked no death is ever seen, with SIGTERM ignored there is no end.
 */
void attributes_signals(void);
int attributes_close_above(int);

#endif /* COMMON_ATTRIBUTES_H */
