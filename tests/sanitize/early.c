/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * early.c: AddressSanitizer gets up before any other library in a program that only has it
 * preloaded. It is the first to be initialised, by the linker's flag, and asks for memory.
 *
 * Else whoever asks first wakes it, and that is libgpg-error of the emulator's toolkit, from within
 * bindtextdomain(): that holds a lock which the sanitizer, looking for functions that are not
 * there, lets go in dlerror(); and the next one to want the lock waits for ever.
 */
#include <stdlib.h>

static void __attribute__((constructor)) ask(void)
{
	void *volatile memory = malloc(1);

	free(memory);
}
