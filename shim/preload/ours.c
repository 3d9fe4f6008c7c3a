/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ours.c: see ours.h.
 */
#include "ours.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "real.h"

/* Behind the table in the same page: as fresh in a child as the table. */
struct page {
	struct ours table;
	pthread_mutex_t lock; /* of what changes the table; zero is an unlocked one */
	pid_t owner;
};

static struct page nobodys;

struct ours *_Atomic ours_table = &nobodys.table;

static struct page *page(void)
{
	return (struct page *)(void *)atomic_load(&ours_table);
}

/* A page of our own, once in a process and its children. 0 or -1 with errno set. */
static int page_make(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *new;
	int err = 0;

	if (page() != &nobodys)
		return 0;
	pthread_mutex_lock(&lock);
	if (page() == &nobodys) {
		new = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (new == MAP_FAILED || madvise(new, size, MADV_WIPEONFORK) < 0)
			err = -1;
		else
			atomic_store(&ours_table, &((struct page *)new)->table);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

bool ours_is_owner(void)
{
	return page()->owner == getpid();
}

/* With the lock held. */
static bool add(struct ours *t, int fd)
{
	for (int i = 0; i < OURS_NUMBERS; i++)
		if (t->number[i] == 0) {
			t->number[i] = fd + 1;
			t->count++;
			return true;
		}
	return false;
}

int ours_begin(int driver, int flags)
{
	struct page *p;
	int fd = driver;

	if (page_make() < 0)
		return driver;
	p = page();
	pthread_mutex_lock(&p->lock);
	if (p->table.count) {
		/* a second card: the driver's, if there is one */
		if (fd < 0)
			errno = EBUSY;
		goto out;
	}
	if (fd < 0)
		fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		goto out;
	p->owner = getpid();
	p->table.device = NULL;
	p->table.driver = driver >= 0;
	p->table.nonblocking = flags & O_NONBLOCK;
	p->table.shared = false;
	add(&p->table, fd);
out:
	pthread_mutex_unlock(&p->lock);
	return fd;
}

void ours_add(int fd)
{
	struct page *p = page();

	pthread_mutex_lock(&p->lock);
	if (p->table.count)
		add(&p->table, fd);
	pthread_mutex_unlock(&p->lock);
}

struct bt_device *ours_remove(unsigned int first, unsigned int last)
{
	struct page *p = page();
	struct bt_device *left = NULL;

	pthread_mutex_lock(&p->lock);
	for (int i = 0; i < OURS_NUMBERS; i++) {
		int number = p->table.number[i];

		if (number && (unsigned int)number - 1 >= first &&
		    (unsigned int)number - 1 <= last) {
			p->table.number[i] = 0;
			if (--p->table.count == 0)
				left = atomic_exchange(&p->table.device, NULL);
		}
	}
	pthread_mutex_unlock(&p->lock);
	return left;
}

/* With the lock held, and a device. */
static int fill(const struct ours *card, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return real()->epoll_ctl(fd, EPOLL_CTL_ADD, bt_fd(card->device), &event);
}

void ours_share(struct ours *card, int fd)
{
	struct page *p = page();

	if (card->shared || !ours_is_owner())
		return;
	pthread_mutex_lock(&p->lock);
	if (!card->shared && card->device)
		fill(card, fd);
	card->shared = true;
	pthread_mutex_unlock(&p->lock);
}

/* The number stays, and is an epoll descriptor from now on, if it was the driver's. */
static int take_from_driver(struct ours *card, int fd)
{
	int set, result;

	if (!card->driver)
		return 0;
	set = epoll_create1(EPOLL_CLOEXEC);
	if (set < 0)
		return -1;
	result = real()->dup3(set, fd, O_CLOEXEC);
	real()->close(set);
	if (card->nonblocking)
		real()->fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	return result;
}

int ours_link(struct ours *card, int fd, unsigned long request, const char *name)
{
	struct page *p = page();
	struct bt_device *device;
	int err;

	if (card->device) {
		errno = EBUSY;
		return -1;
	}
	if (!bt_is_ours(name)) {
		if (!card->driver) {
			errno = ENODEV;
			return -1;
		}
		ours_remove((unsigned int)fd, (unsigned int)fd);
		return real()->ioctl(fd, request, name);
	}
	err = bt_open(name, &device);
	if (err) {
		errno = -err;
		return -1;
	}
	if (take_from_driver(card, fd) < 0) {
		err = errno;
		bt_close(device);
		errno = err;
		return -1;
	}
	pthread_mutex_lock(&p->lock);
	card->driver = false;
	card->device = device;
	if (card->shared)
		fill(card, fd);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

int ours_wait(struct ours *card, int timeout)
{
	struct bt_device *device = card->device;
	int ready = device ? bt_wait(device, timeout) : -ENODEV;

	return ready < 0 || card->device == device ? ready : -ENODEV;
}

ssize_t ours_read(struct ours *card, int fd, void *buffer, size_t size)
{
	struct bt_device *device = card->device;
	uint8_t frame[BT_FRAME_MAX];
	bool small = size < sizeof(frame);
	ssize_t n;

	if (card->driver)
		return real()->read(fd, buffer, size);
	if (!device) {
		errno = ENODEV;
		return -1;
	}
	while ((n = bt_receive(device, small ? frame : buffer, small ? sizeof(frame) : size)) ==
	       -EAGAIN) {
		if (card->nonblocking) {
			errno = EAGAIN;
			return -1;
		}
		bt_wait(device, -1);
	}
	if (n < 0) {
		errno = (int)-n;
		return -1;
	}
	if (!small)
		return n;
	/* as the driver does it: what the buffer has no room for is lost */
	if ((size_t)n > size)
		n = (ssize_t)size;
	memcpy(buffer, frame, (size_t)n);
	return n;
}

ssize_t ours_write(struct ours *card, int fd, const void *buffer, size_t size)
{
	struct bt_device *device = card->device;
	ssize_t n;

	if (card->driver)
		return real()->write(fd, buffer, size);
	n = device ? bt_send(device, buffer, size) : -ENODEV;
	if (n >= 0)
		return n;
	errno = (int)-n;
	return -1;
}
