/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * say.h: what the helper tells people: lines on its standard streams, and one line for each
 * decision in the system's log. Only after privileges were dropped: a receiver that looks at the
 * sender's credentials must never see root.
 */
#ifndef BASILISK_TAP_HELPER_SAY_H
#define BASILISK_TAP_HELPER_SAY_H

/* Writes one line "…" to @fd (FD_OUT or FD_ERR). What cannot be written is lost. */
void say_line(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line to the log, facility authpriv. Nothing where there is no log. */
void say_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
