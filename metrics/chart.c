/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "metrics/chart.h"

#define CHART_WIDTH  360
#define CHART_HEIGHT 90
#define CHART_EDGE   4 /* above the highest and below zero */

static double
chart_highest(const struct ring *ring, enum ring_series series)
{
	double highest, value;
	uint32_t i;

	highest = 0.;
	for (i = 0; i < ring_points(ring); i++) {
		value = ring_value(ring, series, i);
		if (value > highest)
			highest = value;
	}
	return (highest);
}

static void
chart_line(struct out *out, const struct ring *ring, enum ring_series series,
    double highest)
{
	double x, y;
	uint32_t i, n;

	n = ring_points(ring);
	out_printf(out, "<polyline points=\"");
	for (i = 0; i < n; i++) {
		/* Now is at the right. */
		x = CHART_WIDTH - (n - 1. - i) * CHART_WIDTH / (RING_SIZE - 2);
		y = highest == 0. ? 0. : ring_value(ring, series, i) / highest;
		out_printf(out, "%s%.1f,%.1f", i == 0 ? "" : " ", x,
		    CHART_HEIGHT - CHART_EDGE -
			y * (CHART_HEIGHT - 2 * CHART_EDGE));
	}
	out_printf(out, "\"/>");
}

/* One series, as a line from ten minutes ago until now. */
void
chart_write(struct out *out, const struct ring *ring, enum ring_series series,
    const char *title)
{
	double highest, now;
	uint32_t n;

	n = ring_points(ring);
	highest = chart_highest(ring, series);
	now = n == 0 ? 0. : ring_value(ring, series, n - 1);
	out_printf(out,
	    "<figure><figcaption>%s: now %.*f, most %.*f</figcaption>"
	    "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">",
	    title, series != RING_PEERS, now, series != RING_PEERS, highest,
	    CHART_WIDTH, CHART_HEIGHT, title);
	if (n != 0)
		chart_line(out, ring, series, highest);
	out_printf(out, "</svg></figure>\n");
}
