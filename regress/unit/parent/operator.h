/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_PARENT_OPERATOR_H
#define REGRESS_UNIT_PARENT_OPERATOR_H

#include <ev.h>
#include <stdlib.h>

#include "common/imsg.h"

/* An operator's end of a channel to a parent that has the default loop. */

/* All that can be done at once is. */
static inline void
turn(void)
{
	int i;

	for (i = 0; i < 4; i++)
		(void)ev_run(ev_default_loop(EVFLAG_NOENV), EVRUN_NOWAIT);
}

static inline void
ask(struct imsgbuf *end, uint32_t type, const void *data, size_t len)
{
	if (imsg_compose(end, type, 0, 0, -1, data, len) == -1 ||
	    imsgbuf_write(end) == -1)
		abort();
	turn();
}

/* Boolean: the next that came is of that type; then it is in data. */
static inline int
told(struct imsgbuf *end, uint32_t type, void *data, size_t len)
{
	struct imsg imsg;
	int r;

	if (imsgbuf_get(end, &imsg) != 1 &&
	    (imsgbuf_read(end) != 1 || imsgbuf_get(end, &imsg) != 1))
		return (0);
	r = imsg_get_type(&imsg) == type && imsg_get_len(&imsg) == len &&
	    imsg_get_data(&imsg, data, len) == 0;
	imsg_free(&imsg);
	return (r);
}

#endif /* REGRESS_UNIT_PARENT_OPERATOR_H */
