/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/ioctl.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/clock.h"
#include "ctl/top.h"

/*
 * The terminal: no more than going home, and clearing to the end of a line and
 * of the screen, which all terminals of today know (ECMA-48).  The screen is
 * the usual one, so that what is said at the end, and the last numbers, stay.
 */
static struct termios screen_before;
static int screen_changed; /* boolean: screen_before is to be put back */
static volatile sig_atomic_t screen_ends;

static void
screen_restore(void)
{
	if (screen_changed)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen_before);
	screen_changed = 0;
}

/* Keys come one by one and are not shown. */
static void
screen_keys(void)
{
	struct termios now;

	if (tcgetattr(STDIN_FILENO, &now) == -1)
		return;
	if (!screen_changed) {
		screen_before = now;
		(void)atexit(screen_restore);
	}
	screen_changed = 1;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &now);
}

static void
screen_signal(int number)
{
	if (number != SIGWINCH && number != SIGCONT)
		screen_ends = 1;
}

void
top_screen_open(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH,
		SIGCONT };
	struct sigaction action;
	const char *term;
	size_t i;

	term = getenv("TERM");
	if (!isatty(STDOUT_FILENO) || term == NULL || strcmp(term, "dumb") == 0)
		errx(CTL_USAGE, "top: standard output is no terminal that can"
				" be drawn on; -b writes line by line");
	memset(&action, 0, sizeof(action));
	action.sa_handler = screen_signal;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
	screen_keys();
	fputs("\033[H\033[J", stdout);
}

/* Draws as many lines, as far to the right, as there is room for. */
void
top_screen_show(const char *text, size_t len)
{
	const char *line, *end, *stop;
	struct winsize size;
	int row;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1 || size.ws_row < 2 ||
	    size.ws_col < 2)
		size = (struct winsize){ 24, 80, 0, 0 };
	fputs("\033[H", stdout);
	stop = text + len;
	for (line = text, row = 1; line < stop && row < size.ws_row;
	     line = end + 1, row++) {
		end = memchr(line, '\n', (size_t)(stop - line));
		printf("%.*s\033[K\n",
		    end - line < size.ws_col ? (int)(end - line)
					     : size.ws_col - 1,
		    line);
	}
	fputs("\033[J", stdout);
	if (fflush(stdout) == EOF)
		err(CTL_FAILED, "standard output");
}

/*
 * Waits so many milliseconds.  Returns 1: it is to be drawn (again); 0: the
 * user wants to go.
 */
int
top_screen_wait(int ms)
{
	struct pollfd pfd;
	uint64_t end;
	char key;
	int left;

	pfd.fd = screen_changed ? STDIN_FILENO : -1;
	pfd.events = POLLIN;
	end = clock_ns() / 1000000 + (uint64_t)ms;
	while (!screen_ends && (left = (int)(end - clock_ns() / 1000000)) > 0) {
		if (poll(&pfd, 1, left) == -1) {
			if (errno != EINTR)
				err(CTL_FAILED, "poll");
			/* Another size, or the front again. */
			screen_keys();
			return (!screen_ends);
		}
		if (pfd.revents == 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1)
			pfd.fd = -1;
		else if (key == 'q' || key == 'Q')
			return (0);
	}
	return (!screen_ends);
}
