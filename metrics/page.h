/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef METRICS_PAGE_H
#define METRICS_PAGE_H

#include "common/sums.h"
#include "metrics/out.h"
#include "metrics/ring.h"

#define PAGE_TYPE "text/html; charset=utf-8"

void page_write(struct out *, const struct sums_data *, const struct ring *);

#endif /* METRICS_PAGE_H */
