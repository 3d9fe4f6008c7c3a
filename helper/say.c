/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * say.c: see say.h. Not syslog(3): that opens its socket when it likes and reads the time zone.
 */
#include "say.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "early.h"

#define LINE_MAX_LEN 512

static size_t format_line(char *line, const char *begin, int number, const char *format,
			  va_list args)
{
	int len = snprintf(line, LINE_MAX_LEN, begin, number);

	len += vsnprintf(line + len, LINE_MAX_LEN - (size_t)len, format, args);
	return len < LINE_MAX_LEN ? (size_t)len : LINE_MAX_LEN - 1;
}

/* #syscall ppoll */
int say_wait(int fd, short events)
{
	const struct timespec patience = { .tv_sec = 1 };
	struct pollfd p = { .fd = fd, .events = events };
	int n = ppoll(&p, 1, &patience, NULL);

	return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

/*
 * FD_OUT is for what ends before the filter is loaded.
 * #syscall write fd=ERR
 */
void say_line(int fd, const char *format, ...)
{
	char line[LINE_MAX_LEN + 1];
	va_list args;
	size_t len;

	va_start(args, format);
	len = format_line(line, "%.0d", 0, format, args);
	va_end(args);
	line[len++] = '\n';
	if (fd == FD_ERR && say_wait(fd, POLLOUT))
		return;
	if (write(fd, line, len) < 0)
		return; /* there is nobody else to tell */
}

/* #syscall sendto fd=LOG */
void say_log(int fd, const char *format, ...)
{
	char line[LINE_MAX_LEN];
	va_list args;
	size_t len;

	if (fd < 0)
		return;
	va_start(args, format);
	len = format_line(line, "<%d>basilisk-tap-helper: ", LOG_AUTHPRIV | LOG_INFO, format, args);
	va_end(args);
	if (sendto(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) < 0 && errno == EAGAIN &&
	    say_wait(fd, POLLOUT) == 0) /* somebody has filled the log's queue */
		sendto(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}
