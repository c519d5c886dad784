/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include "common/address.h"
#include "common/sums.h"
#include "metrics/out.h"

/* HTTP's names for the two forms. */
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_TYPE_OPEN \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

const char *text_role(uint64_t);
const char *text_beacon(
    const struct sums_data *, uint32_t, char[ADDRESS_TEXT_LEN]);
void text_write(struct out *, const struct sums_data *, int openmetrics);

#endif /* METRICS_TEXT_H */
