/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_CONF_INTERNAL_H
#define PARENT_CONF_INTERNAL_H

#include <sys/socket.h>
#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "parent/conf.h"

/*
 * What conf_*.c share.  A configuration is read line by line: a line becomes
 * at most CONF_WORDS_MAX words (conf_lex.c), the first words name a row of
 * conf_directives (conf_table.c), the rest is its value (conf_value.c).
 * Everything has a fixed size, so nothing but an address can run out of memory.
 */
#define CONF_BYTES_MAX    (1U << 20) /* of all files together */
#define CONF_LINE_MAX     1024 /* bytes of a line, its continuations too */
#define CONF_POOL_MAX     2048 /* bytes of a line's words */
#define CONF_WORDS_MAX    64
#define CONF_MACROS_MAX   256
#define CONF_NAME_MAX     32  /* bytes of a macro's name */
#define CONF_VALUE_MAX    256 /* bytes of its value */
#define CONF_DEPTH_MAX    8   /* files open at a time */
#define CONF_BEACONS_MAX  1024
#define CONF_NETWORKS_MAX 1024             /* of one kind */
#define CONF_NEW_LEN      sizeof(CONF_NEW) /* what a new file's name has */
#define CONF_REGISTRY_MAX 100              /* requests/s, doc/protocol.md 6 */

enum conf_type {
	CONF_NUMBER,
	CONF_CHOICE, /* one of a few words */
	CONF_STRING,
	CONF_HOST,    /* NAME port PORT or, if it may be, "/PATH" */
	CONF_BEACON,  /* ADDRESS port PORT, at most once */
	CONF_ADDRESS, /* ADDRESS port PORT, repeatable */
	CONF_NETWORK  /* ADDRESS[/PREFIX] or some in braces, repeatable */
};

struct conf_directive {
	const char *name;   /* its words */
	const char *syntax; /* what follows them */
	enum conf_type type;
	enum conf_address_kind kind; /* CONF_ADDRESS, CONF_NETWORK */
	size_t offset;               /* in struct config: the value */
	uint32_t number;             /* the default, */
	const char *string;          /* or this */
	const char
	    *start; /* NULL: a reload changes it; else see conf_table.c */
	/*
	 * CONF_NUMBER: its range; CONF_STRING: bytes; CONF_HOST: bytes of a
	 * path (0: none may be given) and of a name; others: of the port.
	 */
	uint32_t min;
	uint32_t max;
	const char *zero;         /* CONF_NUMBER: the word for 0 */
	const char *const *words; /* CONF_CHOICE: for 0, 1, ...; then NULL */
	int bare;                 /* CONF_CHOICE: 1 if no word follows */
};

struct conf_source {
	FILE *fp;
	struct conf_place at; /* of the present line */
	int next;             /* number of the next line */
	dev_t dev;
	ino_t ino;
};

struct conf_macro {
	char name[CONF_NAME_MAX];
	char value[CONF_VALUE_MAX];
};

struct conf_word {
	const char *text;
	int quoted;
};

struct conf_parser {
	struct config *conf;
	FILE *errors;
	int nerrors;
	uint32_t nbytes;
	struct conf_source sources[CONF_DEPTH_MAX];
	int depth; /* sources in use; the last is being read */
	struct conf_macro macros[CONF_MACROS_MAX];
	int nmacros;
	char text[CONF_LINE_MAX];
	char pool[CONF_POOL_MAX];
	size_t poollen;
	struct conf_word words[CONF_WORDS_MAX];
	int nwords;
};

/* conf_table.c */
extern const struct conf_directive conf_directives[];
extern const size_t conf_ndirectives;

/* conf_lex.c */
int conf_lex_line(struct conf_parser *);
int conf_lex_is(const struct conf_parser *, int, const char *);
size_t conf_lex_join(
    const struct conf_parser *, int first, int end, char *, size_t);
void conf_lex_define(struct conf_parser *);

/* conf_value.c */
void conf_value_set(struct conf_parser *, const struct conf_directive *, int);

/* conf_host.c */
void conf_host_set(
    struct conf_parser *, const struct conf_directive *, const char *, int);

/* conf_suggest.c */
void conf_suggest(struct conf_parser *);

/* conf_parse.c */
int conf_parse_stream(struct config *, FILE *fp, const char *, FILE *errors);

/* conf_source.c */
int conf_source_push(struct conf_parser *, FILE *, const char *);
int conf_source_open(struct conf_parser *, const char *);
void conf_source_pop(struct conf_parser *);
void conf_error(struct conf_parser *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
void conf_error_at(struct conf_parser *, const struct conf_place *,
    const char *, ...) __attribute__((format(printf, 3, 4)));

/* conf_address.c */
const char *conf_address_parse(
    const char *, uint16_t, struct sockaddr_storage *, socklen_t *);
int conf_address_any(const struct sockaddr_storage *);
struct conf_address *conf_address_add(struct conf_parser *,
    const struct conf_directive *, const struct sockaddr_storage *, socklen_t,
    int);
void conf_address_format(const struct sockaddr_storage *, char *, size_t);
uint16_t conf_address_port(const struct sockaddr_storage *);

#endif /* PARENT_CONF_INTERNAL_H */
