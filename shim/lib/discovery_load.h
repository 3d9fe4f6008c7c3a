/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_load.h: Avahi's libraries, loaded at run time: who needs none gets none, and a machine
 * without them still has a network, if without discovery.
 *
 * Not linked for another reason, too: libavahi-core and libavahi-client both export an
 * avahi_entry_group_free(), for different objects. Linked, one of them would be what a third
 * library of the emulator's process gets for the other, and that crashes. So each is loaded with
 * its symbols to itself, and finds its own first (RTLD_DEEPBIND).
 *
 * A struct of function pointers is declared from a list of their names:
 *
 *   #define FUNCTIONS(f) f(avahi_client_new) f(avahi_client_free)
 *   struct library { FUNCTIONS(LOAD_POINTER) };
 *   static const char *const names[] = { FUNCTIONS(LOAD_NAME) };
 *   error = LOAD("libavahi-client.so.3", names, &library);
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_LOAD_H
#define BASILISK_TAP_SHIM_DISCOVERY_LOAD_H

#include <stddef.h>

/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration, which takes none */
#define LOAD_POINTER(function) __typeof__(function) *function;
#define LOAD_NAME(function)    #function,
#define LOAD(file, names, library)                                                                 \
	({                                                                                         \
		_Static_assert(sizeof(*(library)) ==                                               \
				       sizeof(names) / sizeof(*(names)) * sizeof(void *),          \
			       "a name for each pointer");                                         \
		load_functions(file, names, sizeof(names) / sizeof(*(names)), library);            \
	})

/*
 * Loads @file, for good, and writes the addresses of @n functions to @pointers. 0, or -ELIBACC: it
 * is not installed, or not the right one; the reason is said at debug level.
 */
int load_functions(const char *file, const char *const names[], size_t n, void *pointers);

#endif
