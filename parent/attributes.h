/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_ATTRIBUTES_H
#define PARENT_ATTRIBUTES_H

struct parent;

/* What the parent has from whoever started it, see common/attributes.h. */
void attributes_set(void);
void attributes_directory(const struct parent *);

#endif /* PARENT_ATTRIBUTES_H */
