/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_load.c: see discovery_load.h.
 */
#include "discovery_load.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "log.h"
#include "standard.h"

/* Sanitizers cannot live with it, and their test programs have no third library. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#undef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0
#endif

int load_functions(const char *file, const char *const names[], size_t n, void *pointers)
{
	struct standard standard;
	void *handle;

	standard_hold(&standard); /* the loader opens each library that this one needs */
	handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND);
	standard_release(&standard);
	if (!handle) {
		log_say(LOG_DEBUG, "%s", dlerror());
		return -ELIBACC;
	}
	for (size_t i = 0; i < n; i++) {
		void *function = dlsym(handle, names[i]);

		if (!function) {
			log_say(LOG_DEBUG, "%s", dlerror());
			return -ELIBACC;
		}
		memcpy((char *)pointers + i * sizeof(function), &function, sizeof(function));
	}
	return 0;
}
