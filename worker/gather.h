/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_GATHER_H
#define WORKER_GATHER_H

#include <stddef.h>
#include <stdint.h>

struct session;
struct worker;

/* Consecutive bytes that leave together: whole frames for one session. */
struct run {
	uint8_t *base;
	uint32_t len;
	uint32_t frames;
	uint32_t next; /* index; 0: last */
};

#define GATHER_RUNS    512
#define GATHER_OUTLETS 128

struct outlet {
	uint32_t slot;
	uint32_t first; /* run */
	uint32_t last;  /* run */
	uint32_t runs;
};

/*
 * Frames on their way out, still where they were read (doc/architecture.md 5).
 */
struct gather {
	struct run runs[GATHER_RUNS]; /* 0 is not used */
	struct outlet outlets[GATHER_OUTLETS];
	uint32_t nruns;
	uint32_t noutlets;
	int held; /* boolean: bytes after the last run are kept by others */
};

void gather_frame(struct worker *, struct session *, uint8_t *, size_t);
void gather_flush(struct worker *);

#endif /* WORKER_GATHER_H */
