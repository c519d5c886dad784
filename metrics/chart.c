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

/* Now is at the right. */
static double
chart_x(const struct ring *ring, uint32_t i)
{
	return (CHART_WIDTH -
		(ring_points(ring) - 1. - i) * CHART_WIDTH / (RING_SIZE - 2));
}

static void
chart_points(struct out *out, const struct ring *ring, enum ring_series series,
    double highest)
{
	double y;
	uint32_t i;

	for (i = 0; i < ring_points(ring); i++) {
		y = highest == 0. ? 0. : ring_value(ring, series, i) / highest;
		out_printf(out, "%s%.1f,%.1f", i == 0 ? "" : " ",
		    chart_x(ring, i),
		    CHART_HEIGHT - CHART_EDGE -
			y * (CHART_HEIGHT - 2 * CHART_EDGE));
	}
}

/* The line, and what lies under it. */
static void
chart_line(struct out *out, const struct ring *ring, enum ring_series series,
    double highest)
{
	out_printf(
	    out, "<polygon points=\"%.1f,%d ", chart_x(ring, 0), CHART_HEIGHT);
	chart_points(out, ring, series, highest);
	out_printf(
	    out, " %d,%d\"/><polyline points=\"", CHART_WIDTH, CHART_HEIGHT);
	chart_points(out, ring, series, highest);
	out_printf(out, "\"/>");
}

/* A number as people read it: three digits and a prefix. */
void
chart_number(struct out *out, double value)
{
	static const char *const prefixes[] = { "", " k", " M", " G", " T",
		" P", " E" };
	size_t i;

	for (i = 0; value >= 999.5 && i < 6; i++)
		value /= 1000.;
	out_printf(out, "%.*f%s",
	    value >= 99.95 || value == (double)(int)value ? 0 : 1, value,
	    prefixes[i]);
}

/* One series, as a line from ten minutes ago until now. */
void
chart_write(struct out *out, const struct ring *ring, enum ring_series series,
    const char *title)
{
	double highest;
	uint32_t n;

	n = ring_points(ring);
	highest = chart_highest(ring, series);
	out_printf(out, "<figure><figcaption>%s<b>", title);
	chart_number(out, n == 0 ? 0. : ring_value(ring, series, n - 1));
	out_printf(out,
	    "</b></figcaption>"
	    "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">",
	    CHART_WIDTH, CHART_HEIGHT, title);
	if (n != 0)
		chart_line(out, ring, series, highest);
	out_printf(out, "</svg><div class=\"axis\"><span>10 min ago</span>"
			"<span>most ");
	chart_number(out, highest);
	out_printf(out, "</span><span>now</span></div></figure>\n");
}
