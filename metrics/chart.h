/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef METRICS_CHART_H
#define METRICS_CHART_H

#include "metrics/out.h"
#include "metrics/ring.h"

void chart_number(struct out *, double);
void chart_write(
    struct out *, const struct ring *, enum ring_series, const char *);

#endif /* METRICS_CHART_H */
