/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c: see process.h.
 *
 * The handler of fork() runs in the child with locks in any state: it only closes numbers. Children
 * made in other ways (vfork, posix_spawn) execute a program at once, which closes them as well.
 *
 * The handler of exit() may run in a child of vfork(), which shares all memory with us; in a signal
 * handler; and while other threads use the device. So it asks for the process id, takes no
 * lock, frees nothing, and waits for the control thread no longer than EXIT_MS.
 */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "control_thread.h"
#include "device.h"

#define DEVICES_MAX MAC_SLOTS
#define EXIT_MS	    500

struct entry {
	struct bt_device *_Atomic device;
	atomic_bool ending; /* somebody ends it */
};

static struct {
	pthread_once_t once;
	int err;
	_Atomic pid_t owner;
	_Atomic unsigned int forks_begun, forks_ended;
	struct entry entry[DEVICES_MAX];
} state = { .once = PTHREAD_ONCE_INIT };

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void before_fork(void)
{
	atomic_fetch_add(&state.forks_begun, 1);
}

static void after_fork(void)
{
	atomic_fetch_add(&state.forks_ended, 1);
}

static void in_child(void)
{
	for (int i = 0; i < DEVICES_MAX; i++) {
		const struct bt_device *d = atomic_load(&state.entry[i].device);

		if (!d)
			continue;
		close_fd(d->slot.lock);
		close_fd(d->slot.directory);
		close_fd(d->tap);
		close_fd(d->tunnel.data);
		close_fd(d->tunnel.control);
		close_fd(d->fast.fd);
		close_fd(d->wait.set);
		close_fd(d->notice[0]);
		close_fd(d->notice[1]);
		close_fd(d->capture);
		if (d->control)
			control_thread_close_in_child(d->control);
		atomic_store(&state.entry[i].device, NULL);
		atomic_store(&state.entry[i].ending, false);
	}
	after_fork();
}

unsigned int process_fork_mark(void)
{
	return atomic_load(&state.forks_ended);
}

bool process_forked_since(unsigned int mark)
{
	return atomic_load(&state.forks_begun) != mark;
}

static void at_exit(void)
{
	struct control_thread *control[DEVICES_MAX];
	struct timespec deadline;
	int n = 0;

	if (atomic_load(&state.owner) != getpid())
		return;
	for (int i = 0; i < DEVICES_MAX; i++) {
		struct entry *e = &state.entry[i];
		const struct bt_device *d;

		if (!atomic_load(&e->device) || atomic_exchange(&e->ending, true))
			continue;
		d = atomic_load(&e->device); /* nobody frees it from here on */
		if (d && device_is_ours(d) && d->control)
			control[n++] = d->control;
	}
	/* all at once: the time is for all of them */
	for (int i = 0; i < n; i++)
		control_thread_quit(control[i]);
	deadline = clock_after(EXIT_MS);
	for (int i = 0; i < n; i++)
		control_thread_await(control[i], &deadline);
}

/*
 * Not a destructor: handlers run before all destructors, while every library that the control
 * thread uses still works; and those of the program that are older run after this one.
 */
static void register_handlers(void)
{
	state.err = -pthread_atfork(before_fork, after_fork, in_child);
	if (!state.err && atexit(at_exit) != 0)
		state.err = -ENOMEM;
}

int process_remember(struct bt_device *device)
{
	struct bt_device *none;

	pthread_once(&state.once, register_handlers);
	if (state.err)
		return state.err;
	atomic_store(&state.owner, getpid());
	for (int i = 0; i < DEVICES_MAX; i++) {
		none = NULL;
		if (atomic_compare_exchange_strong(&state.entry[i].device, &none, device))
			return 0;
	}
	return -EMFILE;
}

static struct entry *find(const struct bt_device *device)
{
	for (int i = 0; i < DEVICES_MAX; i++)
		if (atomic_load(&state.entry[i].device) == device)
			return &state.entry[i];
	return NULL;
}

bool process_claim_end(const struct bt_device *device)
{
	struct entry *e = find(device);

	return e && !atomic_exchange(&e->ending, true);
}

void process_forget(const struct bt_device *device)
{
	struct entry *e = find(device);

	if (!e)
		return;
	atomic_store(&e->ending, false);
	atomic_store(&e->device, NULL);
}
