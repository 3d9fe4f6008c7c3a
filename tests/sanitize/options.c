/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c: what AddressSanitizer is told in every program of `make check-asan`, also in one that
 * clears its environment. Linked into nothing else.
 *
 * No leaks are looked for at the end: that needs ptrace(), which the helper has given away, and
 * memory that the emulator's libraries never free is no business of ours. Under the helper's filter
 * a report cannot be written to a file: the attempt kills, which the test sees. A signal that
 * somebody sends kills as it does without the sanitizer.
 *
 * What the sanitizer itself does before _exit(), where it cleans the whole stack, a large
 * environment at its beginning included; by mmap(), which the filter forbids, were it not told how:
 * #syscall sigaltstack
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0:verify_asan_link_order=0:use_sigaltstack=0:"
	       "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:"
	       "clear_shadow_mmap_threshold=16777216:log_path=/run/basilisk-tap-reports/asan";
}
