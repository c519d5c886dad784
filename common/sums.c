/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include "common/fdstat.h"
#include "common/sums.h"

#define SUMS_TRIES 1000 /* a write takes some microseconds */

typedef uint64_t word __attribute__((may_alias));

#define SUMS_WORDS (sizeof(struct sums_data) / sizeof(word))

/*
 * Maps what the parent has sent, to read it.  NULL with errno: it is something
 * else.  Closes fd.
 */
const struct sums *
sums_open(int fd)
{
	return (fdstat_map(fd, SUMS_BYTES, PROT_READ));
}

/* All of it at once, for every reader.  There is one writer. */
void
sums_write(struct sums *sums, const struct sums_data *data)
{
	const word *from;
	word *to;
	size_t i;

	from = (const word *)data;
	to = (word *)&sums->data;
	__atomic_store_n(&sums->seq, sums->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (i = 0; i < SUMS_WORDS; i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
	__atomic_store_n(&sums->seq, sums->seq + 1, __ATOMIC_RELEASE);
}

/*
 * A copy of one writing.  Returns 0, or -1 if there was none, or if the writer
 * is at it all the while.
 */
int
sums_read(const struct sums *sums, struct sums_data *data)
{
	const word *from;
	uint64_t seq;
	word *to;
	size_t i;
	int tries;

	from = (const word *)&sums->data;
	to = (word *)data;
	for (tries = 0; tries < SUMS_TRIES; tries++) {
		seq = __atomic_load_n(&sums->seq, __ATOMIC_ACQUIRE);
		if (seq == 0 || (seq & 1) != 0)
			continue;
		for (i = 0; i < SUMS_WORDS; i++)
			to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&sums->seq, __ATOMIC_RELAXED) == seq)
			return (0);
	}
	return (-1);
}
