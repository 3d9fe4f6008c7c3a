/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork.c: see fork.h.
 *
 * The handler runs in the child with locks in any state: it only closes numbers. Children made in
 * other ways (vfork, posix_spawn) execute a program at once, which closes them as well.
 */
#include "fork.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "control_thread.h"
#include "device.h"

#define DEVICES_MAX MAC_SLOTS

static struct {
	pthread_once_t once;
	int err;
	struct bt_device *_Atomic device[DEVICES_MAX];
} state = { .once = PTHREAD_ONCE_INIT };

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void in_child(void)
{
	for (int i = 0; i < DEVICES_MAX; i++) {
		const struct bt_device *d = atomic_load(&state.device[i]);

		if (!d)
			continue;
		close_fd(d->slot.lock);
		close_fd(d->slot.directory);
		close_fd(d->tap);
		close_fd(d->tunnel.data);
		close_fd(d->tunnel.control);
		close_fd(d->fast.fd);
		close_fd(d->epoll);
		close_fd(d->notice[0]);
		close_fd(d->notice[1]);
		close_fd(d->capture);
		if (d->control)
			control_thread_close_in_child(d->control);
		atomic_store(&state.device[i], NULL);
	}
}

static void register_handler(void)
{
	state.err = -pthread_atfork(NULL, NULL, in_child);
}

int fork_remember(struct bt_device *device)
{
	struct bt_device *none;

	pthread_once(&state.once, register_handler);
	if (state.err)
		return state.err;
	for (int i = 0; i < DEVICES_MAX; i++) {
		none = NULL;
		if (atomic_compare_exchange_strong(&state.device[i], &none, device))
			return 0;
	}
	return -EMFILE;
}

void fork_forget(struct bt_device *device)
{
	for (int i = 0; i < DEVICES_MAX; i++) {
		struct bt_device *found = device;

		if (atomic_compare_exchange_strong(&state.device[i], &found, NULL))
			return;
	}
}
