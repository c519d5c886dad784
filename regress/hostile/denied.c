/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <err.h>
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * denied ERRNO CALL[=N][,CALL...] COMMAND [ARGUMENT...]: runs the command where
 * these system calls fail (those with N as the first argument), as a container
 * or an older kernel has it.
 */
static const struct {
	const char *name;
	int number;
} denied_errors[] = {
	{ "EAFNOSUPPORT", EAFNOSUPPORT },
	{ "ENOSYS", ENOSYS },
	{ "EPERM", EPERM },
};

static int
denied_errno(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(denied_errors) / sizeof(denied_errors[0]); i++)
		if (strcmp(name, denied_errors[i].name) == 0)
			return (denied_errors[i].number);
	errx(2, "%s: which error?", name);
}

static void
denied_call(scmp_filter_ctx filter, char *name, int error)
{
	struct scmp_arg_cmp first;
	char *call;
	int number;

	call = strsep(&name, "=");
	number = seccomp_syscall_resolve_name(call);
	if (number == __NR_SCMP_ERROR)
		errx(2, "%s: no such call", call);
	first.arg = 0;
	first.op = SCMP_CMP_EQ;
	first.datum_a = name == NULL ? 0 : strtoull(name, NULL, 10);
	if (seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((uint32_t)error),
		number, name != NULL, &first) != 0)
		errx(2, "%s: no rule", call);
}

int
main(int argc, char **argv)
{
	scmp_filter_ctx filter;
	char *name;

	if (argc < 4)
		errx(2, "usage: denied errno call[,call...] command ...");
	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (filter == NULL)
		errx(2, "no filter");
	while ((name = strsep(&argv[2], ",")) != NULL)
		denied_call(filter, name, denied_errno(argv[1]));
	if (seccomp_load(filter) != 0)
		errx(2, "the kernel refuses the filter");
	(void)execvp(argv[3], &argv[3]);
	err(2, "%s", argv[3]);
}
