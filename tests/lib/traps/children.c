/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * children.c: what a child has of its parent's card, whichever way it comes; and that we have none.
 */
#include "traps.h"

#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static int child_status(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A child sees a plain descriptor, and leaves the parent's card alone whatever it does. */
static void forked(void)
{
	int fd = card();
	uint8_t frame[60] = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		CHECK(read(fd, frame, sizeof(frame)) < 0 && errno == EINVAL);
		CHECK(write(fd, frame, sizeof(frame)) < 0 && errno == EINVAL);
		CHECK(close(fd) == 0);
		/* it may have a card of its own */
		fd = card();
		CHECK(works(fd) && (mac[5] & 15) == 1);
		CHECK(close(fd) == 0);
		exit(0); /* with the exit handlers */
	}
	CHECK(child_status(pid) == 0);
	CHECK(works(fd) && (mac[5] & 15) == 0);
	close(fd);
}

/* Whatever discovery has opened by then, no child has it. */
static void forked_for_long(void)
{
	int before = open_files(), fd = card();

	/* a child of the very moment in which Avahi connects has that, unused, until it executes */
	await_the_test();
	for (double end = now() + 2; now() < end; usleep(50000)) {
		pid_t pid = fork();

		if (pid == 0) {
			CHECK(close(fd) == 0);
			CHECK(open_files() == before);
			_exit(0);
		}
		CHECK(child_status(pid) == 0);
	}
	CHECK(works(fd) && close(fd) == 0);
}

/* A child that lives on holds neither the slot nor the port. */
static void outlived(void)
{
	int fd = card(), gate[2], ready[2];
	pid_t pid;

	CHECK(pipe(gate) == 0 && pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		CHECK(write(ready[1], "", 1) == 1);
		_exit(read(gate[0], mac, 1) != 0);
	}
	/* it gives up its copies when it first runs, which is not before fork() returns here */
	CHECK(read(ready[0], mac, 1) == 1);
	close(fd);
	fd = open(CARD, O_RDWR);
	CHECK(ioctl(fd, SIOCSIFLINK, "auto-p2p/slot=0,port=6066") == 0);
	close(fd);
	close(gate[1]);
	CHECK(child_status(pid) == 0);
}

static void vforked(void)
{
	int fd = card();
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		pid = vfork();
		if (pid == 0) {
			if (i == 0)
				close(fd);
			else if (i == 1)
				dup2(0, fd);
			else
				close_range(3, ~0u, 0);
			_exit(0);
		}
		CHECK(child_status(pid) == 0);
		CHECK(works(fd));
	}
	close(fd);
}

/* As popen() and the network scripts: a program sees none of our descriptors. */
static void executed(void)
{
	int fd = card();
	char line[256] = "";
	FILE *list = popen("ls /proc/self/fd | tr '\\n' ' '", "r");

	CHECK(list && fgets(line, sizeof(line), list));
	CHECK(pclose(list) == 0);
	if (strcmp(line, "0 1 2 3 ") != 0)
		printf("the program sees %s\n", line);
	CHECK(strcmp(line, "0 1 2 3 ") == 0);
	CHECK(system("exit 7") >> 8 == 7);
	CHECK(works(fd));
	close(fd);
}

/* The helper that was asked is nobody's child: no signal, nothing to wait for. */
static void no_child(void)
{
	int fd;

	count_signals(SIGCHLD);
	fd = open(CARD, O_RDWR);
	CHECK(fd >= 0 && ioctl(fd, SIOCSIFLINK, "auto") == 0);
	CHECK(signals == 0);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	CHECK(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
	close(fd);
}

const struct trap traps_of_children[] = {
	{ "forked", forked },	  { "forked_for_long", forked_for_long },
	{ "outlived", outlived }, { "vforked", vforked },
	{ "executed", executed }, { "no_child", no_child },
	{ NULL, NULL },
};
