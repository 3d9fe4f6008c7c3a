/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper_client.c: see helper_client.h.
 *
 * The emulator may have a handler for SIGCHLD, or a wait() for any child. So the helper is not our
 * child but our child's: that one is made by clone() without an exit signal, shares our memory
 * while we stand still, starts the helper, waits for its end, and leaves how it ended behind.
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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef HELPER_PATH
#define HELPER_PATH "/usr/local/lib/basilisk-tap/basilisk-tap-helper"
#endif

#define STACK_SIZE (64 * 1024) /* for each of the two */
#define KILL_MS	   50
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

/* ---- the two children: they share our memory; each of us stands still for the next ---- */

struct run {
	const char *path;
	char *const *argv;
	char *stack;  /* of the second child: grows down from here */
	int fd;	      /* the helper's end of the socket pair */
	int err;      /* why the helper could not be started, or 0 */
	bool timeout; /* the helper was given up */
	int status;   /* as wait() tells it, or -1 */
};

/*
 * In here only system calls by number: libc's functions may be interposed, and would take what
 * a child does to its own descriptors for the emulator's doing; and none of them may notice
 * that our thread is to be cancelled.
 */
static int helper_main(void *argument)
{
	static char *const environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	struct run *run = argument;
	uint64_t no_signals = 0;
	int null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);

	if (null > STDIN_FILENO)
		syscall(SYS_dup3, null, STDIN_FILENO, 0);
	if (null > STDOUT_FILENO)
		syscall(SYS_dup3, null, STDOUT_FILENO, 0);
	if (null > STDERR_FILENO)
		syscall(SYS_close, null);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof(no_signals));
	if (syscall(SYS_fcntl, run->fd, F_SETFD, 0) == 0)
		syscall(SYS_execve, run->path, run->argv, environment);
	run->err = errno;
	syscall(SYS_exit, 127);
	__builtin_unreachable();
}

/* True once the process behind @pidfd has ended, false after @ms. */
static bool await_end(int pidfd, long ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	/* all signals are blocked: there is no EINTR */
	return syscall(SYS_ppoll, &p, 1, &left, NULL, 0) > 0;
}

static int waiter_main(void *argument)
{
	struct run *run = argument;
	struct sigaction standard = { .sa_handler = SIG_DFL };
	int pidfd = -1, options = __WALL;
	pid_t pid;

	/* the emulator's handlers must not run here or in the helper: they are its memory's */
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &standard, NULL);
	pid = clone(helper_main, run->stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, run,
		    &pidfd);
	if (pid < 0) {
		run->err = errno;
		syscall(SYS_exit, 0);
	}
	if (pidfd >= 0 && !await_end(pidfd, HELPER_DEADLINE_MS)) {
		run->timeout = true;
		/* being another user's it may be beyond our signals: then it stays behind alone */
		syscall(SYS_kill, pid, SIGKILL);
		await_end(pidfd, KILL_MS);
		options |= WNOHANG;
	}
	if (syscall(SYS_wait4, pid, &run->status, options, NULL) != pid)
		run->status = -1;
	syscall(SYS_exit, 0);
	__builtin_unreachable();
}

/* Runs the helper to its end. 0, or a negative errno where it could not be started. */
static int run_helper(struct run *run)
{
	char *stacks = mmap(NULL, 2 * STACK_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, before;
	pid_t pid;
	int err = 0;

	if (stacks == MAP_FAILED)
		return -errno;
	run->stack = stacks + STACK_SIZE;
	run->status = -1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = clone(waiter_main, stacks + 2 * STACK_SIZE, CLONE_VM | CLONE_VFORK, run);
	if (pid < 0)
		err = -errno;
	else
		while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	munmap(stacks, 2 * STACK_SIZE);
	return err ? err : -run->err;
}

/* ---- the reply ---- */

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

static int explain_end(struct reply *reply, const struct run *run)
{
	const char *sentence;

	if (run->timeout)
		return problem(reply, -ETIMEDOUT, "the helper %s did not answer in %d seconds",
			       run->path, HELPER_DEADLINE_MS / 1000);
	if (run->status >= 0 && WIFSIGNALED(run->status))
		return problem(reply, -EIO, "the helper %s was killed by signal %d (%s)", run->path,
			       WTERMSIG(run->status), sigabbrev_np(WTERMSIG(run->status)) ?: "?");
	if (run->status < 0)
		return problem(reply, -EIO, "the helper %s ended without a reply", run->path);
	sentence = outcome_sentence((unsigned int)WEXITSTATUS(run->status));
	return problem(reply, -EIO, "the helper %s ended without a reply, exit status %d%s%s",
		       run->path, WEXITSTATUS(run->status), sentence ? ": " : "",
		       sentence ? sentence : "");
}

static int read_reply(int sock, const struct run *run, const struct request *request,
		      struct reply *reply, int *tap)
{
	uint8_t message[REPLY_LEN + 1];
	ssize_t n = take_message(sock, message, sizeof(message), tap);
	int err;

	if (n <= 0)
		return explain_end(reply, run);
	if (reply_decode(message, (size_t)n, reply))
		return problem(reply, -EPROTO,
			       "the helper %s gave a reply that is not understood: install the "
			       "same version of helper and library",
			       run->path);
	if (reply->code != OUTCOME_OK || request->verb != REQUEST_ATTACH) {
		if (*tap >= 0)
			close(*tap);
		*tap = -1;
		return 0;
	}
	err = *tap < 0 ? -EPROTO : tap_check(*tap);
	if (err)
		return problem(reply, err, "the helper %s handed over no usable TAP (%s)", run->path,
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
	struct run run = { .path = path, .argv = argv };
	int pair[2], err;

	*tap = -1;
	memset(reply, 0, sizeof(*reply));
	err = pair_new(pair);
	if (err)
		return problem(reply, err, "no socket to the helper (%s)", strerrordesc_np(-err));
	words.fd = run.fd = pair[1];
	err = request_split(message, request_format(&words, message), argv + 1);
	if (err < 0) {
		err = problem(reply, err, "the request to the helper is too long");
		goto out;
	}
	err = run_helper(&run);
	if (err) {
		err = problem(reply, err, "the helper %s cannot be started (%s)", path,
			      strerrordesc_np(-err));
		goto out;
	}
	err = read_reply(pair[0], &run, request, reply, tap);
	if (err && *tap >= 0) {
		close(*tap);
		*tap = -1;
	}
out:
	close(pair[1]);
	close(pair[0]);
	return err;
}
