/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c: see log.h.
 */
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "quiet.h"

#define PATIENCE_MS 100

/* of the process, as its stderr is */
static _Atomic int level_wanted = LOG_INFO;

void log_start(void)
{
	const char *value = secure_getenv("BASILISK_TAP_LOG");

	if (value && strcmp(value, "debug") == 0)
		level_wanted = LOG_DEBUG;
	else if (value && strcmp(value, "error") == 0)
		level_wanted = LOG_ERROR;
	else
		level_wanted = LOG_INFO;
}

/* False where nobody reads any more, too. */
static bool is_writable(enum log_level level)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	int saved = errno, n = poll(&p, 1, level == LOG_DEBUG ? 0 : PATIENCE_MS);

	errno = saved;
	return n == 1 && (p.revents & (POLLOUT | POLLERR | POLLNVAL)) == POLLOUT;
}

void log_say(enum log_level level, const char *format, ...)
{
	int wanted = level_wanted, saved = errno;
	char line[512] = "basilisk-tap: ";
	size_t len = strlen(line);
	struct iovec all = { .iov_base = line };
	struct timespec now;
	va_list args;
	int n;

	if ((int)level > wanted || !is_writable(level))
		return;
	/* who asks for the whole story wants to know when each part of it was */
	if (wanted == LOG_DEBUG) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		len += (size_t)snprintf(line + len, sizeof(line) - len, "[%lld.%06ld] ",
					(long long)now.tv_sec, now.tv_nsec / 1000);
	}
	va_start(args, format);
	n = vsnprintf(line + len, sizeof(line) - len, format, args);
	va_end(args);
	if (n > 0)
		len += (size_t)n < sizeof(line) - len ? (size_t)n : sizeof(line) - len - 1;
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	line[len++] = '\n';
	all.iov_len = len;
	/* a closed or full stderr is nothing that could be told to anyone */
	quiet_writev(STDERR_FILENO, &all, 1);
	errno = saved;
}
