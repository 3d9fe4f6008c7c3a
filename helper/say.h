/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * say.h: what the helper tells people: lines on its standard error, and one line for each
 * decision in the system's log. Only after privileges were dropped: a receiver that looks at the
 * sender's credentials must never see root.
 */
#ifndef BASILISK_TAP_HELPER_SAY_H
#define BASILISK_TAP_HELPER_SAY_H

/*
 * One line on the standard error. What cannot be written within a second is lost: a refused caller
 * must not hold the helper.
 */
void say_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line to the log @fd (negative: there is none), facility authpriv. */
void say_log(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Waits until @fd is ready for @events (poll(2)), a second at most. 0 or a negative errno. */
int say_wait(int fd, short events);

#endif
