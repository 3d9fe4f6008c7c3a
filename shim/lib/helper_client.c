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
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper_reply.h"
#include "helper_socket.h"

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

static int explain_end(struct reply *reply, const struct run *run)
{
	const char *sentence, *remedy;

	if (run->timeout)
		return helper_reply_problem(
			reply, -ETIMEDOUT,
			"the helper %s did not answer in %d seconds: see whether "
			"'%s --status' does",
			run->path, HELPER_DEADLINE_MS / 1000, run->path);
	if (run->status >= 0 && WIFSIGNALED(run->status))
		return helper_reply_problem(
			reply, -EIO,
			"the helper %s was killed by signal %d (%s): report this if it repeats",
			run->path, WTERMSIG(run->status),
			sigabbrev_np(WTERMSIG(run->status)) ?: "?");
	if (run->status < 0)
		return helper_reply_problem(
			reply, -EIO,
			"the helper %s ended without a reply: report this if it "
			"repeats",
			run->path);
	sentence = outcome_sentence((unsigned int)WEXITSTATUS(run->status));
	remedy = outcome_remedy((unsigned int)WEXITSTATUS(run->status));
	return helper_reply_problem(
		reply, -EIO, "the helper %s ended without a reply, exit status %d%s%s: %s",
		run->path, WEXITSTATUS(run->status), sentence ? ": " : "", sentence ? sentence : "",
		remedy && *remedy ? remedy : "is that a helper of this version?");
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

static int run_program(const char *path, const struct request *request, struct reply *reply,
		       int *tap)
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
		return helper_reply_problem(
			reply, err,
			"no socket to the helper (%s): end other programs, or raise "
			"'ulimit -n'",
			strerrordesc_np(-err));
	words.fd = run.fd = pair[1];
	err = request_split(message, request_format(&words, message), argv + 1);
	if (err < 0) {
		err = helper_reply_problem(reply, err, "the request to the helper is too long");
		goto out;
	}
	err = run_helper(&run);
	if (err) {
		err = helper_reply_problem(
			reply, err,
			"the helper %s cannot be started (%s): see 'basilisk-tap "
			"doctor'",
			path, strerrordesc_np(-err));
		goto out;
	}
	err = helper_reply_take(pair[0], path, request, reply, tap);
	if (err == -ENOMSG)
		err = explain_end(reply, &run);
out:
	close(pair[1]);
	close(pair[0]);
	return err;
}

/* True where a program gave no TAP for a reason that another way in does not share. */
static bool is_without_privilege(int err, const struct reply *reply)
{
	return err || reply->code == OUTCOME_NO_PRIVILEGE || reply->code == OUTCOME_NO_TUN ||
	       reply->code == OUTCOME_TUN_DENIED || reply->code == OUTCOME_DROP;
}

int helper_call(const char *path, const struct request *request, struct reply *reply, int *tap)
{
	struct reply by_socket;
	int err;

	if (helper_socket_is(path))
		return helper_socket_call(path, request, reply, tap);
	err = run_program(path, request, reply, tap);
	if (!is_without_privilege(err, reply) || !helper_socket_is(HELPER_SOCKET) ||
	    helper_socket_call(HELPER_SOCKET, request, &by_socket, tap))
		return err;
	*reply = by_socket;
	return 0;
}
