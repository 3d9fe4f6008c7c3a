/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.h: what is said on stderr: one line a message, "basilisk-tap: " before it, each by one
 * write() so that lines of several threads stay whole. Takes no locks, never allocates,
 * keeps errno. BASILISK_TAP_LOG (error, info, debug) says how much; info where it is unset.
 */
#ifndef BASILISK_TAP_SHIM_LOG_H
#define BASILISK_TAP_SHIM_LOG_H

enum log_level { LOG_ERROR, LOG_INFO, LOG_DEBUG };

/*
 * Reads the level from the environment, which must not be changing: another thread's setenv()
 * would pull it from under us, so it is not looked at again.
 */
void log_start(void);

/*
 * Says a line if the level is at least @level. At most 511 bytes are written. A line is left out
 * where stderr takes none for a tenth of a second; one of LOG_DEBUG, which may be said with a lock
 * held, where it takes none now.
 */
void log_say(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
