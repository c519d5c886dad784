/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/test.h"
#include "worker/http_address.h"

static struct text
text(const char *s)
{
	struct text t;

	t.p = (const uint8_t *)s;
	t.len = strlen(s);
	return (t);
}

static void
test_hosts(void)
{
	static const char *const good[] = { "a", "a.example", "a:1", "a:65535",
		"a:", "127.0.0.1:80", "[::1]", "[::1]:443",
		"[2001:db8::1.2.3.4]", "[v1.a:b]", "[VF.x]:1", "a%20b",
		"a_b~!$&'()*+;=", "%41" };
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!http_host_valid(text(good[i]))) {
			printf("# %s\n", good[i]);
			CHECK(!"valid");
		}
}

static void
test_what_is_no_host(void)
{
	static const char *const bad[] = { "", ":", ":80", "a:65536",
		"a:99999999999999999999", "a:8o", "a:-1", "a:1:2", "a b", "a,b",
		"a@b", "a/b", "a?b", "a#b", "[::1", "[]", "[::g]", "::1",
		"[::1]x", "[127.0.0.1]", "[v.a]", "[v1.]", "[v1]", "[vg.a]",
		"%4", "%zz", "a%", "\x80", "[::1%25lo]",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (http_host_valid(text(bad[i]))) {
			printf("# %s\n", bad[i]);
			CHECK(!"no host");
		}
}

static int
taken_apart(const char *s, int result, const char *path, const char *of)
{
	struct text target, host;

	target = text(s);
	host = text("?");
	return (http_target_host(&target, &host) == result &&
		text_equals(target, path, strlen(path)) &&
		text_equals(host, of, strlen(of)));
}

static void
test_absolute_form_is_taken_apart(void)
{
	CHECK(taken_apart("http://a/b", 1, "/b", "a"));
	CHECK(taken_apart("HTTPS://a:1?q", 1, "?q", "a:1"));
	CHECK(taken_apart("http://[::1]:2#f", 1, "#f", "[::1]:2"));
	CHECK(taken_apart("http://a", 1, "", "a"));
	/* Another form: both are left alone. */
	CHECK(taken_apart("/b", 0, "/b", "?"));
	CHECK(taken_apart("*", 0, "*", "?"));
	CHECK(taken_apart("", 0, "", "?"));
	CHECK(taken_apart("http:/a/b", 0, "http:/a/b", "?"));
	CHECK(taken_apart("ftp://a/b", 0, "ftp://a/b", "?"));
	CHECK(taken_apart("a:443", 0, "a:443", "?"));
}

static void
test_absolute_form_without_a_host(void)
{
	CHECK(taken_apart("http:///b", -1, "/b", ""));
	CHECK(taken_apart("http://", -1, "", ""));
	CHECK(taken_apart("http://u@a/b", -1, "/b", "u@a"));
	CHECK(taken_apart("http://a:x/", -1, "/", "a:x"));
}

int
main(void)
{
	RUN(test_hosts);
	RUN(test_what_is_no_host);
	RUN(test_absolute_form_is_taken_apart);
	RUN(test_absolute_form_without_a_host);
	return (test_failed());
}
