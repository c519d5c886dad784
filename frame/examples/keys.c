/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <beacond/frame.h>

/*
 * The smallest source of keys: the lines "NODE BASE64" of a file, as it is at
 * that time.  Usage: keys SOCKET FILE
 */

static volatile sig_atomic_t stop;

static void
stopped(int sig)
{
	stop = 1;
}

/* Boolean: 44 characters are a key. */
static int
key_decode(const char *text, uint8_t key[32])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *digit;
	uint32_t bits;
	size_t i, n;

	if (strlen(text) != 44 || text[43] != '=')
		return (0);
	bits = 0;
	for (i = n = 0; i < 43; i++) {
		digit = strchr(digits, text[i]);
		if (digit == NULL)
			return (0);
		bits = bits << 6 | (uint32_t)(digit - digits);
		/* Four characters are three bytes; the first gives none. */
		if (i % 4 != 0)
			key[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	return (1);
}

static int
lookup(void *arg, uint32_t node, uint8_t key[32])
{
	char line[128], text[65];
	unsigned int other;
	int found;
	FILE *f;

	f = fopen(arg, "r");
	if (f == NULL)
		err(1, "%s", (const char *)arg);
	found = 0;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "%u %64s", &other, text) == 2 &&
			other == node && key_decode(text, key);
	(void)fclose(f);
	return (found);
}

int
main(int argc, char **argv)
{
	struct beacond_keys *keys;

	if (argc != 3)
		errx(2, "usage: keys SOCKET FILE");
	(void)signal(SIGTERM, stopped);
	/* Who connects is the beacon's user, not ours; and keys are public. */
	(void)umask(0);
	keys = beacond_keys_open(argv[1], lookup, argv[2]);
	if (keys == NULL)
		err(1, "%s", argv[1]);
	(void)puts("ready");
	(void)fflush(stdout);
	while (!stop)
		if (beacond_keys_dispatch(keys, 1000) == -1)
			err(1, "%s", argv[1]);
	beacond_keys_close(keys);
	return (0);
}
