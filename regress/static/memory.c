/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * For "make check-msan".  The sanitizer does not see what a library writes that
 * was not built with it: here it is told, by functions in the place of theirs.
 * What libraries allocate counts as written (poison_in_malloc=0); what we
 * allocate does not, as its functions are in our hands, too.
 */

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <ev.h>
#include <jansson.h>
#include <malloc.h>
#include <sanitizer/msan_interface.h>
#include <sha1.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Where a library's functions will have their variables. */
#define STACK_ROOM 65536

/* A test that has its own keeps that. */
#define WRAP(type, name, ...)            \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	__attribute__((weak)) type __wrap_##name(__VA_ARGS__)

/* What once was ours there, and not written, is not theirs. */
static void
clear_stack(void)
{
	__msan_unpoison(
	    (char *)__builtin_frame_address(0) - STACK_ROOM, STACK_ROOM);
}

WRAP(void *, malloc, size_t size)
{
	void *p;

	p = __real_malloc(size);
	if (p != NULL)
		__msan_poison(p, size);
	return (p);
}

/* It may be a library's next. */
WRAP(void, free, void *p)
{
	__msan_unpoison(p, malloc_usable_size(p));
	__real_free(p);
}

WRAP(void *, realloc, void *old, size_t size)
{
	size_t had;
	char *p;

	had = malloc_usable_size(old);
	p = __real_realloc(old, size);
	if (p != NULL && size > had)
		__msan_poison(p + had, size - had);
	return (p);
}

WRAP(void *, reallocarray, void *old, size_t n, size_t size)
{
	size_t had;
	char *p;

	had = malloc_usable_size(old);
	p = __real_reallocarray(old, n, size);
	if (p != NULL && n * size > had)
		__msan_poison(p + had, n * size - had);
	return (p);
}

WRAP(size_t, strlcpy, char *to, const char *from, size_t size)
{
	size_t len;

	__msan_check_mem_is_initialized(from, strlen(from) + 1);
	len = __real_strlcpy(to, from, size);
	if (size > 0)
		__msan_unpoison(to, (len < size ? len : size - 1) + 1);
	return (len);
}

WRAP(size_t, strlcat, char *to, const char *from, size_t size)
{
	size_t len;

	__msan_check_mem_is_initialized(from, strlen(from) + 1);
	len = __real_strlcat(to, from, size);
	__msan_unpoison(to, (len < size ? len : size - 1) + 1);
	return (len);
}

WRAP(long long, strtonum, const char *text, long long min, long long max,
    const char **error)
{
	long long number;

	number = __real_strtonum(text, min, max, error);
	if (error != NULL)
		__msan_unpoison(error, sizeof(*error));
	return (number);
}

WRAP(int, fstat64, int fd, struct stat *st)
{
	__msan_unpoison(st, sizeof(*st));
	return (__real_fstat64(fd, st));
}

WRAP(int, stat64, const char *path, struct stat *st)
{
	__msan_unpoison(st, sizeof(*st));
	return (__real_stat64(path, st));
}

WRAP(int, lstat64, const char *path, struct stat *st)
{
	__msan_unpoison(st, sizeof(*st));
	return (__real_lstat64(path, st));
}

WRAP(int, fstatat64, int fd, const char *path, struct stat *st, int flags)
{
	__msan_unpoison(st, sizeof(*st));
	return (__real_fstatat64(fd, path, st, flags));
}

WRAP(struct mallinfo2, mallinfo2, void)
{
	struct mallinfo2 info;

	info = __real_mallinfo2();
	__msan_unpoison(&info, sizeof(info));
	return (info);
}

/* What libev has on its stack may once have been ours, and not written. */
WRAP(int, ev_run, struct ev_loop *loop, int flags)
{
	int result;

	__msan_scoped_disable_interceptor_checks();
	result = __real_ev_run(loop, flags);
	__msan_scoped_enable_interceptor_checks();
	return (result);
}

WRAP(struct ev_loop *, ev_default_loop, unsigned int flags)
{
	struct ev_loop *loop;

	__msan_scoped_disable_interceptor_checks();
	loop = __real_ev_default_loop(flags);
	__msan_scoped_enable_interceptor_checks();
	return (loop);
}

/* Calls that our sources make by number. */
WRAP(long, syscall, long number, ...)
{
	long a[6], result;
	va_list ap;
	int i;

	va_start(ap, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	__msan_unpoison(a, sizeof(a));
	result = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result == 0 && number == SYS_fstat)
		__msan_unpoison((void *)a[1], sizeof(struct stat));
	if (result == 0 && number == SYS_capget)
		__msan_unpoison(
		    (void *)a[1], 2 * sizeof(struct __user_cap_data_struct));
	if (result == 0 && number == SYS_socketpair)
		__msan_unpoison((void *)a[3], 2 * sizeof(int));
	if (result == 0 && number == SYS_getsockopt)
		__msan_unpoison((void *)a[3], *(socklen_t *)a[4]);
	return (result);
}

WRAP(int, crypto_generichash, unsigned char *out, size_t out_len,
    const unsigned char *in, unsigned long long in_len,
    const unsigned char *key, size_t key_len)
{
	__msan_check_mem_is_initialized(in, in_len);
	__msan_unpoison(out, out_len);
	return (
	    __real_crypto_generichash(out, out_len, in, in_len, key, key_len));
}

WRAP(int, crypto_generichash_update, crypto_generichash_state *state,
    const unsigned char *in, unsigned long long in_len)
{
	__msan_check_mem_is_initialized(in, in_len);
	return (__real_crypto_generichash_update(state, in, in_len));
}

WRAP(int, crypto_generichash_final, crypto_generichash_state *state,
    unsigned char *out, size_t out_len)
{
	__msan_unpoison(out, out_len);
	return (__real_crypto_generichash_final(state, out, out_len));
}

WRAP(int, crypto_shorthash, unsigned char *out, const unsigned char *in,
    unsigned long long in_len, const unsigned char *key)
{
	__msan_check_mem_is_initialized(in, in_len);
	__msan_check_mem_is_initialized(key, crypto_shorthash_KEYBYTES);
	__msan_unpoison(out, crypto_shorthash_BYTES);
	return (__real_crypto_shorthash(out, in, in_len, key));
}

WRAP(int, crypto_sign_keypair, unsigned char *pk, unsigned char *sk)
{
	__msan_unpoison(pk, crypto_sign_PUBLICKEYBYTES);
	__msan_unpoison(sk, crypto_sign_SECRETKEYBYTES);
	return (__real_crypto_sign_keypair(pk, sk));
}

WRAP(int, crypto_sign_seed_keypair, unsigned char *pk, unsigned char *sk,
    const unsigned char *seed)
{
	__msan_check_mem_is_initialized(seed, crypto_sign_SEEDBYTES);
	__msan_unpoison(pk, crypto_sign_PUBLICKEYBYTES);
	__msan_unpoison(sk, crypto_sign_SECRETKEYBYTES);
	return (__real_crypto_sign_seed_keypair(pk, sk, seed));
}

WRAP(int, crypto_sign_detached, unsigned char *sig, unsigned long long *sig_len,
    const unsigned char *m, unsigned long long m_len, const unsigned char *sk)
{
	__msan_check_mem_is_initialized(m, m_len);
	__msan_unpoison(sig, crypto_sign_BYTES);
	if (sig_len != NULL)
		__msan_unpoison(sig_len, sizeof(*sig_len));
	return (__real_crypto_sign_detached(sig, sig_len, m, m_len, sk));
}

WRAP(int, crypto_sign_verify_detached, const unsigned char *sig,
    const unsigned char *m, unsigned long long m_len, const unsigned char *pk)
{
	__msan_check_mem_is_initialized(sig, crypto_sign_BYTES);
	__msan_check_mem_is_initialized(m, m_len);
	__msan_check_mem_is_initialized(pk, crypto_sign_PUBLICKEYBYTES);
	return (__real_crypto_sign_verify_detached(sig, m, m_len, pk));
}

WRAP(void, randombytes_buf, void *buf, size_t size)
{
	__msan_unpoison(buf, size);
	__real_randombytes_buf(buf, size);
}

WRAP(int, sodium_base642bin, unsigned char *bin, size_t size, const char *text,
    size_t len, const char *ignore, size_t *bin_len, const char **end,
    int variant)
{
	__msan_check_mem_is_initialized(text, len);
	__msan_unpoison(bin, size);
	if (bin_len != NULL)
		__msan_unpoison(bin_len, sizeof(*bin_len));
	if (end != NULL)
		__msan_unpoison(end, sizeof(*end));
	return (__real_sodium_base642bin(
	    bin, size, text, len, ignore, bin_len, end, variant));
}

WRAP(char *, sodium_bin2base64, char *text, size_t size,
    const unsigned char *bin, size_t len, int variant)
{
	__msan_check_mem_is_initialized(bin, len);
	__msan_unpoison(text, size);
	return (__real_sodium_bin2base64(text, size, bin, len, variant));
}

WRAP(char *, sodium_bin2hex, char *text, size_t size, const unsigned char *bin,
    size_t len)
{
	__msan_check_mem_is_initialized(bin, len);
	__msan_unpoison(text, size);
	return (__real_sodium_bin2hex(text, size, bin, len));
}

WRAP(void, SHA1Update, SHA1_CTX *ctx, const uint8_t *in, size_t len)
{
	__msan_check_mem_is_initialized(in, len);
	__real_SHA1Update(ctx, in, len);
}

WRAP(void, SHA1Final, uint8_t *out, SHA1_CTX *ctx)
{
	__msan_unpoison(out, SHA1_DIGEST_LENGTH);
	__real_SHA1Final(out, ctx);
}

/* Other libraries may have left what was not written in what is jansson's. */
static void *(*jansson_malloc)(size_t) = malloc;

static void *
clean_malloc(size_t size)
{
	void *p;

	p = jansson_malloc(size);
	if (p != NULL)
		__msan_unpoison(p, size);
	return (p);
}

WRAP(void, json_set_alloc_funcs, json_malloc_t get, json_free_t put)
{
	jansson_malloc = get;
	__real_json_set_alloc_funcs(clean_malloc, put);
}

__attribute__((constructor)) static void
clean_jansson(void)
{
	__real_json_set_alloc_funcs(clean_malloc, free);
}

WRAP(size_t, json_dumpb, const json_t *json, char *out, size_t size,
    size_t flags)
{
	size_t len;

	len = __real_json_dumpb(json, out, size, flags);
	__msan_unpoison(out, len < size ? len : size);
	return (len);
}

WRAP(json_t *, json_loadb, const char *text, size_t len, size_t flags,
    json_error_t *error)
{
	__msan_check_mem_is_initialized(text, len);
	clear_stack();
	return (__real_json_loadb(text, len, flags, error));
}
