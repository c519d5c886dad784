/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "parent/conf_internal.h"

/* The next byte; a backslash before a newline hides both. */
static int
next_char(struct conf_parser *p, struct conf_source *s)
{
	int c;

	for (;;) {
		if (p->nbytes > CONF_BYTES_MAX)
			return (EOF);
		c = getc(s->fp);
		if (c == EOF)
			return (EOF);
		if (++p->nbytes > CONF_BYTES_MAX) {
			conf_error(p, "more than %u bytes of configuration",
			    CONF_BYTES_MAX);
			return (EOF);
		}
		if (c == '\n')
			s->next++;
		if (c != '\\')
			return (c);
		c = getc(s->fp);
		if (c != '\n') {
			ungetc(c, s->fp);
			return ('\\');
		}
		s->next++;
		p->nbytes++;
	}
}

/*
 * Read one line into p->text, or nothing of a line that can't be used.  0: end
 * of the file.
 */
static int
read_line(struct conf_parser *p, struct conf_source *s)
{
	size_t len;
	int c, control, first;

	len = 0;
	control = 0;
	first = s->next;
	c = next_char(p, s);
	if (c == EOF)
		return (0);
	s->at.line = first;
	for (; c != EOF && c != '\n'; c = next_char(p, s)) {
		if ((c < ' ' && c != '\t') || c == 0x7f)
			control = 1;
		if (len < sizeof(p->text))
			p->text[len++] = (char)c;
	}
	if (len == sizeof(p->text))
		conf_error(p, "line longer than %zu bytes", len - 1);
	else if (control && p->text[len - 1] == '\r')
		conf_error(p, "carriage return (end lines with LF alone)");
	else if (control)
		conf_error(p, "control character");
	if (control || len == sizeof(p->text))
		len = 0;
	p->text[len] = '\0';
	return (1);
}

/* Append a byte to the last word.  -1, reported: no room. */
static int
put_char(struct conf_parser *p, char c)
{
	/* One byte stays for the word's NUL. */
	if (p->poollen + 1 >= sizeof(p->pool)) {
		conf_error(p, "line too long after its macros' expansion");
		return (-1);
	}
	p->pool[p->poollen++] = c;
	return (0);
}

static int
begin_word(struct conf_parser *p, int quoted)
{
	if (p->nwords == CONF_WORDS_MAX || p->poollen == sizeof(p->pool)) {
		conf_error(p, "too many words");
		return (-1);
	}
	p->words[p->nwords].text = p->pool + p->poollen;
	p->words[p->nwords].quoted = quoted;
	p->nwords++;
	return (0);
}

/* "=" is a word of its own wherever it stands. */
static const char *
lex_word(struct conf_parser *p, const char *s)
{
	size_t n;

	n = strcspn(s, " \t\"#=");
	if (n == 0)
		n = 1;
	if (begin_word(p, 0) == -1)
		return (NULL);
	for (; n > 0; n--) {
		if (put_char(p, *s++) == -1)
			return (NULL);
	}
	p->pool[p->poollen++] = '\0';
	return (s);
}

/* s is behind the first quote; the result is behind the second. */
static const char *
lex_string(struct conf_parser *p, const char *s)
{
	if (begin_word(p, 1) == -1)
		return (NULL);
	for (; *s != '"'; s++) {
		if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		if (*s == '\0') {
			conf_error(p, "string without its closing quote");
			return (NULL);
		}
		if (put_char(p, *s) == -1)
			return (NULL);
	}
	p->pool[p->poollen++] = '\0';
	return (s + 1);
}

static int
is_name(char c)
{
	return (isalnum((unsigned char)c) || c == '_');
}

static struct conf_macro *
find_macro(struct conf_parser *p, const char *name, size_t len)
{
	int i;

	for (i = 0; i < p->nmacros; i++) {
		if (strlen(p->macros[i].name) == len &&
		    memcmp(p->macros[i].name, name, len) == 0)
			return (&p->macros[i]);
	}
	return (NULL);
}

/*
 * Split text into words, added to p->words.  Within a macro's value, which
 * expand 0 says, no macro is expanded: so that takes bounded time.  -1,
 * reported.
 */
static int
lex(struct conf_parser *p, const char *s, int expand)
{
	const struct conf_macro *m;
	size_t n;

	for (;;) {
		s += strspn(s, " \t");
		if (*s == '\0' || *s == '#')
			return (0);
		if (*s == '$' && expand) {
			for (n = 0, s++; is_name(s[n]); n++)
				continue;
			m = find_macro(p, s, n);
			if (m == NULL) {
				conf_error(p, "macro \"%.*s\" is not defined",
				    (int)n, s);
				return (-1);
			}
			if (lex(p, m->value, 0) == -1)
				return (-1);
			s += n;
		} else if (*s == '"')
			s = lex_string(p, s + 1);
		else
			s = lex_word(p, s);
		if (s == NULL)
			return (-1);
	}
}

/*
 * Read the next line into p->words; a line with an error in it, which is
 * reported, has none.  0: end of the file.
 */
int
conf_lex_line(struct conf_parser *p)
{
	struct conf_source *s;

	s = &p->sources[p->depth - 1];
	p->nwords = 0;
	p->poollen = 0;
	if (read_line(p, s) == 0) {
		if (ferror(s->fp))
			conf_error(p, "cannot read the file");
		return (0);
	}
	if (lex(p, p->text, 1) == -1)
		p->nwords = 0;
	return (1);
}

/* Is word i this keyword?  A string never is one. */
int
conf_lex_is(const struct conf_parser *p, int i, const char *keyword)
{
	return (i < p->nwords && !p->words[i].quoted &&
		strcmp(p->words[i].text, keyword) == 0);
}

/* Words first to end - 1 with a blank between; returns as strlcat(3) does. */
size_t
conf_lex_join(
    const struct conf_parser *p, int first, int end, char *buf, size_t size)
{
	size_t len;
	int i;

	len = 0;
	buf[0] = '\0';
	for (i = first; i < end && i < p->nwords; i++) {
		if (i > first)
			strlcat(buf, " ", size);
		len = strlcat(buf, p->words[i].text, size);
	}
	return (len);
}

/* The macro of that name, a new one perhaps; NULL, reported: it can't be. */
static struct conf_macro *
name_macro(struct conf_parser *p, const char *name)
{
	struct conf_macro *m;
	size_t len;

	for (len = 0; is_name(name[len]); len++)
		continue;
	if (len == 0 || len >= sizeof(m->name) || name[len] != '\0') {
		conf_error(p, "\"%s\" cannot name a macro", name);
		return (NULL);
	}
	m = find_macro(p, name, len);
	if (m != NULL)
		return (m);
	if (p->nmacros == CONF_MACROS_MAX) {
		conf_error(p, "more than %d macros", CONF_MACROS_MAX);
		return (NULL);
	}
	m = &p->macros[p->nmacros++];
	strlcpy(m->name, name, sizeof(m->name));
	return (m);
}

/* Take the line NAME = WORD..., replacing an earlier value of that macro. */
void
conf_lex_define(struct conf_parser *p)
{
	struct conf_macro *m;

	if (p->nwords < 3) {
		conf_error(p, "expected: NAME = VALUE");
		return;
	}
	m = name_macro(p, p->words[0].text);
	if (m == NULL)
		return;
	if (conf_lex_join(p, 2, p->nwords, m->value, sizeof(m->value)) >=
	    sizeof(m->value))
		conf_error(
		    p, "value longer than %zu bytes", sizeof(m->value) - 1);
}
