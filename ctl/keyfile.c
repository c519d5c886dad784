/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

/*
 * A node's key file: comment lines and one line with the base64 of the 32-byte
 * seed of an Ed25519 key pair (RFC 8032).
 */
#define KEYFILE_MAX   4096 /* bytes read of one */
#define KEYFILE_TITLE "# beacond node key\n"

_Static_assert(
    sizeof(((struct node_key *)NULL)->public) == crypto_sign_PUBLICKEYBYTES,
    "public key");
_Static_assert(
    sizeof(((struct node_key *)NULL)->secret) == crypto_sign_SECRETKEYBYTES,
    "secret key");
_Static_assert(
    KEY_BASE64_LEN == sodium_base64_ENCODED_LEN(crypto_sign_SEEDBYTES,
			  sodium_base64_VARIANT_ORIGINAL),
    "base64");

static void
encode(char out[KEY_BASE64_LEN], const uint8_t bytes[32])
{
	(void)sodium_bin2base64(
	    out, KEY_BASE64_LEN, bytes, 32, sodium_base64_VARIANT_ORIGINAL);
}

/* The public half as it stands in the beacon's key file. */
void
key_base64(const struct node_key *key, char out[KEY_BASE64_LEN])
{
	encode(out, key->public);
}

static int
write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, text, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (-1);
		text += n;
		len -= (size_t)n;
	}
	return (0);
}

static int
write_seed(int fd, const uint8_t seed[crypto_sign_SEEDBYTES])
{
	char base64[KEY_BASE64_LEN], text[128];
	int n, ret;

	encode(base64, seed);
	n = snprintf(text, sizeof(text), "%s%s\n", KEYFILE_TITLE, base64);
	ret = write_all(fd, text, (size_t)n);
	sodium_memzero(base64, sizeof(base64));
	sodium_memzero(text, sizeof(text));
	return (ret == -1 ? -1 : fsync(fd));
}

/*
 * Makes a key pair and its file, which must not exist yet, readable by its
 * owner only.  Returns 0, or -1 with a message in error.
 */
int
keyfile_create(const char *path, struct node_key *key, char *error, size_t len)
{
	uint8_t seed[crypto_sign_SEEDBYTES];
	int fd, ret;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1) {
		(void)snprintf(error, len, "%s: %s", path, strerror(errno));
		return (-1);
	}
	randombytes_buf(seed, sizeof(seed));
	(void)crypto_sign_seed_keypair(key->public, key->secret, seed);
	ret = write_seed(fd, seed);
	sodium_memzero(seed, sizeof(seed));
	if (close(fd) == -1 || ret == -1) {
		(void)snprintf(error, len, "%s: %s", path, strerror(errno));
		(void)unlink(path);
		return (-1);
	}
	return (0);
}

/* The whole file as a string; -1 with errno, EFBIG if it cannot be one. */
static int
slurp(const char *path, char text[KEYFILE_MAX], struct stat *st)
{
	size_t len;
	ssize_t n;
	int fd, saved;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return (-1);
	n = fstat(fd, st);
	for (len = 0; n != -1 && len < KEYFILE_MAX; len += (size_t)n) {
		n = read(fd, text + len, KEYFILE_MAX - len);
		if (n <= 0)
			break;
	}
	saved = errno;
	close(fd);
	if (n == -1 || len == KEYFILE_MAX) {
		errno = n == -1 ? saved : EFBIG;
		return (-1);
	}
	text[len] = '\0';
	return (0);
}

static int
parse_seed(char *text, struct node_key *key)
{
	uint8_t seed[crypto_sign_SEEDBYTES];
	const char *end;
	char *line;
	size_t n;
	int found;

	found = 0;
	while ((line = strsep(&text, "\n")) != NULL) {
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (found++ ||
		    sodium_base642bin(seed, sizeof(seed), line, strlen(line),
			NULL, &n, &end, sodium_base64_VARIANT_ORIGINAL) == -1 ||
		    *end != '\0' || n != sizeof(seed)) {
			found = 0;
			break;
		}
	}
	if (found)
		(void)crypto_sign_seed_keypair(key->public, key->secret, seed);
	sodium_memzero(seed, sizeof(seed));
	return (found ? 0 : -1);
}

/*
 * Reads the key pair of a file made by keyfile_create().  Returns 0, or -1 with
 * a message in error.
 */
int
keyfile_read(const char *path, struct node_key *key, char *error, size_t len)
{
	char text[KEYFILE_MAX];
	struct stat st;
	int ret;

	ret = -1;
	if (slurp(path, text, &st) == -1)
		(void)snprintf(error, len, "%s: %s", path, strerror(errno));
	else if ((st.st_mode & S_IRWXO) != 0)
		(void)snprintf(error, len,
		    "%s: a secret key that others can read (chmod 600 it)",
		    path);
	else if (parse_seed(text, key) == -1)
		(void)snprintf(
		    error, len, "%s: not a key file of beaconctl keygen", path);
	else
		ret = 0;
	sodium_memzero(text, sizeof(text));
	return (ret);
}
