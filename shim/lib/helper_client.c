/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper_client.c: see helper_client.h.
 *
 * The helper is started by clone() rather than posix_spawn(), for one reason: a child without an
 * exit signal raises no SIGCHLD and is invisible to a wait() that does not ask for it, and the
 * emulator may have a handler, or a wait() for any child.
 */
#include "helper_client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#ifndef HELPER_PATH
#define HELPER_PATH "/usr/local/lib/basilisk-tap/basilisk-tap-helper"
#endif

#define STACK_SIZE (64 * 1024)
#define FD_MIN	   3 /* the helper takes no standard descriptor for the reply */

const char *helper_path(void)
{
	const char *path = secure_getenv("BASILISK_TAP_HELPER");

	if (!path || !*path)
		return HELPER_PATH;
	return strcmp(path, "none") == 0 ? NULL : path;
}

__attribute__((format(printf, 3, 4))) static int problem(struct reply *reply, int err,
							  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reply->text, sizeof(reply->text), format, args);
	va_end(args);
	return err;
}

/* ---- the child: shares our memory, we stand still until it has called execve() ---- */

struct start {
	const char *path;
	char *const *argv;
	int fd;
	int err; /* the child's, where it could not start the program */
};

/*
 * Only system calls here, not their wrappers: those may be interposed, and would take what the
 * child does to its own descriptors for the emulator's doing.
 */
static int child_main(void *argument)
{
	static char *const environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	struct start *start = argument;
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null;

	/* the emulator's handlers must not run here: they would change its memory */
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &standard, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
	if (null > STDIN_FILENO)
		syscall(SYS_dup3, null, STDIN_FILENO, 0);
	if (null > STDOUT_FILENO)
		syscall(SYS_dup3, null, STDOUT_FILENO, 0);
	if (null > STDERR_FILENO)
		syscall(SYS_close, null);
	if (syscall(SYS_fcntl, start->fd, F_SETFD, 0) == 0)
		execve(start->path, start->argv, environment);
	start->err = errno;
	_exit(127);
}

/* The child's pid and *@pidfd, which is -1 on kernels that have none; or a negative errno. */
static pid_t child_start(struct start *start, int *pidfd)
{
	void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, before;
	pid_t pid;

	if (stack == MAP_FAILED)
		return -errno;
	*pidfd = -1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = clone(child_main, (char *)stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
		    start, pidfd);
	if (pid < 0)
		pid = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	munmap(stack, STACK_SIZE);
	return pid;
}

/* ---- waiting ---- */

/* True once @fd is readable or at its end, false when the deadline has passed. */
static bool await(int fd, uint32_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		int left = (int)(deadline - clock_ms());
		int n = poll(&p, 1, left > 0 ? left : 0);

		if (n > 0)
			return true;
		if (left <= 0 || (n < 0 && errno != EINTR))
			return false;
	}
}

/*
 * Waits for the child to end: its wait status, or -1 where it has not by the deadline. It may
 * be beyond our signals, being another user's: then it stays behind as the kernel's business.
 */
static int child_end(pid_t pid, int pidfd, uint32_t deadline)
{
	int status = -1;

	if (pidfd >= 0 && !await(pidfd, deadline)) {
		kill(pid, SIGKILL);
		await(pidfd, clock_ms() + 50);
		waitpid(pid, &status, __WALL | WNOHANG);
		return -1;
	}
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

/* Takes the one message: its length and *@fd (or -1); 0 at the end; a negative errno. */
static ssize_t take_message(int sock, uint8_t *message, size_t size, int *fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec data = { message, size };
	struct msghdr header = { .msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(sock, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	*fd = -1;
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0);
		     at += sizeof(int)) {
			int got;

			memcpy(&got, CMSG_DATA(c) + at, sizeof(got));
			if (*fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
	return n;
}

/* What came over is only believed to be a TAP once the kernel says so. */
static int tap_check(int fd)
{
	struct ifreq ifr;
	int flags;

	memset(&ifr, 0, sizeof(ifr));
	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return -errno;
	if ((ifr.ifr_flags & (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) !=
	    (IFF_TAP | IFF_NO_PI))
		return -EPROTO;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int explain_end(struct reply *reply, const char *path, int status)
{
	const char *sentence;

	if (status >= 0 && WIFSIGNALED(status))
		return problem(reply, -EIO, "the helper %s was killed by signal %d (%s)", path,
			       WTERMSIG(status), sigabbrev_np(WTERMSIG(status)) ?: "?");
	sentence = status >= 0 ? outcome_sentence((unsigned int)WEXITSTATUS(status)) : NULL;
	return problem(reply, -EIO, "the helper %s ended without a reply, exit status %d%s%s", path,
		       status >= 0 ? WEXITSTATUS(status) : -1, sentence ? ": " : "",
		       sentence ? sentence : "");
}

static int read_reply(const char *path, int sock, pid_t pid, int pidfd,
		      const struct request *request, struct reply *reply, int *tap)
{
	uint32_t deadline = clock_ms() + HELPER_DEADLINE_MS;
	uint8_t message[REPLY_LEN + 1];
	bool ready = await(sock, deadline);
	ssize_t n = ready ? take_message(sock, message, sizeof(message), tap) : 0;
	int status = child_end(pid, pidfd, deadline);
	int err;

	if (!ready)
		return problem(reply, -ETIMEDOUT, "the helper %s did not answer in %d seconds", path,
			       HELPER_DEADLINE_MS / 1000);
	if (n <= 0)
		return explain_end(reply, path, status);
	if (reply_decode(message, (size_t)n, reply))
		return problem(reply, -EPROTO,
			       "the helper %s gave a reply that is not understood: install the "
			       "same version of helper and library",
			       path);
	if (reply->code != OUTCOME_OK || request->verb != REQUEST_ATTACH) {
		if (*tap >= 0)
			close(*tap);
		*tap = -1;
		return 0;
	}
	err = *tap < 0 ? -EPROTO : tap_check(*tap);
	if (err)
		return problem(reply, err, "the helper %s handed over no usable TAP (%s)", path,
			       strerrordesc_np(-err));
	return 0;
}

/* Both ends close-on-exec, and @pair[1], the helper's, at least FD_MIN. */
static int pair_new(int pair[2])
{
	int moved;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (pair[1] >= FD_MIN)
		return 0;
	moved = fcntl(pair[1], F_DUPFD_CLOEXEC, FD_MIN);
	close(pair[1]);
	pair[1] = moved;
	if (moved >= 0)
		return 0;
	moved = -errno;
	close(pair[0]);
	return moved;
}

int helper_call(const char *path, const struct request *request, struct reply *reply, int *tap)
{
	struct request words = *request;
	char message[REQUEST_MESSAGE_MAX];
	char *argv[1 + REQUEST_WORDS_MAX + 1] = { (char *)(uintptr_t)path };
	struct start start = { .path = path, .argv = argv };
	int pair[2], pidfd = -1;
	pid_t pid;
	int err;

	*tap = -1;
	memset(reply, 0, sizeof(*reply));
	err = pair_new(pair);
	if (err)
		return problem(reply, err, "no socket to the helper (%s)", strerrordesc_np(-err));
	words.fd = start.fd = pair[1];
	err = request_split(message, request_format(&words, message), argv + 1);
	if (err < 0) {
		close(pair[1]);
		err = problem(reply, err, "the request to the helper is too long");
		goto out;
	}
	pid = child_start(&start, &pidfd);
	close(pair[1]); /* the child's own copy is left: its end is the conversation's end */
	if (pid < 0) {
		err = problem(reply, (int)pid, "the helper %s cannot be started (%s)", path,
			      strerrordesc_np((int)-pid));
		goto out;
	}
	if (start.err) {
		waitpid(pid, NULL, __WALL);
		err = problem(reply, -start.err, "the helper %s cannot be started (%s)", path,
			      strerrordesc_np(start.err));
		goto out;
	}
	err = read_reply(path, pair[0], pid, pidfd, request, reply, tap);
	if (err && *tap >= 0) {
		close(*tap);
		*tap = -1;
	}
out:
	if (pidfd >= 0)
		close(pidfd);
	close(pair[0]);
	return err;
}
