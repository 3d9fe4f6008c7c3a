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

/* Appends to the @len bytes of the line. Returns its length, cut to what fits. */
static size_t append(char *line, size_t len, const char *format, va_list args)
{
	len += (size_t)snprintf(line + len, LINE_MAX_LEN - len, "basilisk-tap-helper: ");
	len += (size_t)vsnprintf(line + len, LINE_MAX_LEN - len, format, args);
	return len < LINE_MAX_LEN ? len : LINE_MAX_LEN - 1;
}

/* #syscall ppoll */
int say_wait(int fd, short events)
{
	const struct timespec patience = { .tv_sec = 1 };
	struct pollfd p = { .fd = fd, .events = events };
	int n = ppoll(&p, 1, &patience, NULL);

	return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

/* #syscall write fd=ERR */
void say_line(const char *format, ...)
{
	char line[LINE_MAX_LEN + 1];
	va_list args;
	size_t len;

	va_start(args, format);
	len = append(line, 0, format, args);
	va_end(args);
	line[len++] = '\n';
	if (say_wait(FD_ERR, POLLOUT) == 0 && write(FD_ERR, line, len) < 0)
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
	len = (size_t)snprintf(line, sizeof(line), "<%d>", LOG_AUTHPRIV | LOG_INFO);
	va_start(args, format);
	len = append(line, len, format, args);
	va_end(args);
	if (sendto(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) < 0 && errno == EAGAIN &&
	    say_wait(fd, POLLOUT) == 0) /* somebody has filled the log's queue */
		sendto(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}
