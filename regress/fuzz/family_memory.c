/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <stdlib.h>

#include "regress/fuzz/family.h"

/*
 * What a parent gets while it starts it keeps until its process ends.  Here the
 * process does not end, so that is given back for it.  What it gets later it
 * has to give back itself, or is to be found out by the leak checker.
 */
#define MEMORY_MAX 1024

static struct {
	void *at;
	size_t len; /* of a mapping; 0: it is from malloc(3) */
} memory[MEMORY_MAX];
static size_t nmemory;
static int starting;

void *__real_calloc(size_t, size_t);
void __real_free(void *);
void *__real_malloc(size_t);
void *__real_mmap(void *, size_t, int, int, int, off_t);
int __real_munmap(void *, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_calloc(size_t, size_t);
void __wrap_free(void *);
void *__wrap_malloc(size_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);
int __wrap_munmap(void *, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_reallocarray(void *, size_t, size_t);

static void *
remember(void *at, size_t len)
{
	if (!starting || at == NULL || at == MAP_FAILED)
		return (at);
	REQUIRE(nmemory < MEMORY_MAX);
	memory[nmemory].at = at;
	memory[nmemory++].len = len;
	return (at);
}

static void
forget(const void *at)
{
	size_t i;

	for (i = 0; i < nmemory; i++)
		if (memory[i].at == at) {
			memory[i] = memory[--nmemory];
			return;
		}
}

/* A parent starts, or has done so. */
void
family_memory_starting(int on)
{
	starting = on;
}

/* Its process would end now. */
void
family_memory_end(void)
{
	starting = 0;
	while (nmemory > 0) {
		nmemory--;
		if (memory[nmemory].len == 0)
			__real_free(memory[nmemory].at);
		else
			(void)__real_munmap(
			    memory[nmemory].at, memory[nmemory].len);
	}
}

void *
__wrap_malloc(size_t size)
{
	return (remember(__real_malloc(size), 0));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return (remember(__real_calloc(n, size), 0));
}

void *
__wrap_realloc(void *old, size_t size)
{
	void *p;

	p = __real_realloc(old, size);
	if (p != NULL)
		forget(old);
	return (remember(p, 0));
}

void *
__wrap_reallocarray(void *old, size_t n, size_t size)
{
	REQUIRE(size == 0 || n <= SIZE_MAX / size);
	return (__wrap_realloc(old, n * size));
}

void
__wrap_free(void *p)
{
	forget(p);
	__real_free(p);
}

void *
__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (remember(__real_mmap(at, len, prot, flags, fd, offset), len));
}

int
__wrap_munmap(void *at, size_t len)
{
	forget(at);
	return (__real_munmap(at, len));
}
