/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tracer.c: runs the helper one system call at a time, for tests that stop it anywhere: to look at
 * it, to kill it there, or to let one call fail.
 *
 * Must be root: a setuid program keeps its privilege under a tracer that has CAP_SYS_PTRACE. It is
 * steered by messages on descriptor 0, a SOCK_SEQPACKET socket (tests/lib/tracer.py has the other
 * end); each command is answered by one event. SIGALRM, by which the helper bounds its life, is
 * only passed on where this program has an argument.
 *
 *   start UID GID GROUPS FD ARGV...   become that user, execute, stop before the first call
 *                         afterwards; FD is one end of a new socket pair made by that user, whose
 *                         other end stays here. GROUPS are numbers with commas, or "-".
 *   serve UID GID GROUPS USER PROGRAM WORD...   likewise, as a service manager would: that user
 *                         asks by the words, over a connection that is descriptor 0 of
 *                         PROGRAM --socket, which is USER, with CAP_NET_ADMIN alone
 *   to N                  go on to before call number N; 0 is the first one
 *   until NR FD           go on to before a call number NR whose first argument is FD (-1: any)
 *   fail ERRNO            this call is not made and returns ERRNO, the rest runs to its end
 *   fail-always ERRNO     likewise, and so does each later call of its number
 *   refuse ERRNO          this netlink request (a sendto) is not carried out, and the kernel's
 *                         answer to it is ERRNO; the rest runs to its end
 *   instead NR ARG ARG    that call is made instead, with those first two arguments (the others
 *                         stay); the rest runs to its end
 *   int80 NR              instead of this call, call NR of the 32-bit kind is made
 *   kill                  SIGKILL, before this call
 *   go                    run to its end
 *   run                   likewise, its calls not noted: that is quicker
 *
 *   at PID INDEX NR FD                       it stands before that call
 *   end STATUS STUCK CALLS\nSTDERR\0REPLY    it ended: status as of waitpid(); STUCK 1: it was
 *                         killed because it went on and on; each call as
 *                         NR:FD:ARG:NLTYPE:PATH, with the first two arguments, and PATH only
 *                         of openat(). A descriptor that came with the reply is passed on.
 *   done                  then, when that is closed here
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service.h"
#include "tamper.h"

#define WORDS_MAX   64
#define MESSAGE_MAX 180000
#define REPLY_MAX   4096

/* ---- the run */
static void take_groups(const char *groups)
{
	gid_t list[32];
	size_t count = 0;

	for (const char *p = groups; *p != '-' && *p && count < 32; p += strcspn(p, ",")) {
		p += *p == ',';
		list[count++] = (gid_t)strtoul(p, NULL, 10);
	}
	if (setgroups(count, list) < 0)
		die("groups");
}

static void become(char *const words[])
{
	take_groups(words[3]);
	if (setgid((gid_t)strtoul(words[2], NULL, 10)) < 0 ||
	    setuid((uid_t)strtoul(words[1], NULL, 10)) < 0)
		die("becoming the user");
}

/* The kernel notes the user and the groups of whoever makes the pair. */
static void make_pair(char *const words[], int pair[2])
{
	take_groups(words[3]);
	if (setegid((gid_t)strtoul(words[2], NULL, 10)) < 0 ||
	    seteuid((uid_t)strtoul(words[1], NULL, 10)) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || seteuid(0) < 0 ||
	    setegid(0) < 0 || setgroups(0, NULL) < 0)
		die("socket pair");
}

static void child(char *words[], int reply, int error)
{
	const bool serve = strcmp(words[0], "serve") == 0;
	const int wanted = serve ? 0 : atoi(words[4]);
	int null = open("/dev/null", O_RDWR);

	/* traced before it is the user: the kernel asks whether this pair of programs is root's */
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		die("ptrace");
	raise(SIGSTOP);
	if (serve)
		become_service((uid_t)strtoul(words[4], NULL, 10));
	else
		become(words);
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(error, 2) < 0 ||
	    dup2(reply, wanted) < 0 || (reply == wanted && fcntl(reply, F_SETFD, 0) < 0))
		die("descriptors");
	if (serve)
		execl(words[5], words[5], "--socket", NULL);
	else
		execv(words[5], words + 5);
	die(words[5]);
}

static void wait_for_stop(struct run *run)
{
	if (waitpid(run->pid, &run->status, __WALL) != run->pid)
		die("waitpid");
	run->ended = WIFEXITED(run->status) || WIFSIGNALED(run->status);
}

static void start(struct run *run, char *words[])
{
	int pair[2], error[2];

	*run = (struct run){ .mortal = run->mortal };
	run->refused = -1;
	make_pair(words, pair);
	if (strcmp(words[0], "serve") == 0)
		send_request(pair[0], words + 6);
	if (pipe2(error, O_CLOEXEC) < 0 || fcntl(error[0], F_SETFL, O_NONBLOCK) < 0)
		die("pipe");
	run->reply = pair[0];
	run->error = error[0];
	run->pid = fork();
	if (run->pid == 0)
		child(words, pair[1], error[1]);
	close(pair[1]);
	close(error[1]);
	wait_for_stop(run);
	if (ptrace(PTRACE_SETOPTIONS, run->pid, NULL,
		   PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC) < 0)
		die("ptrace options");
	ptrace(PTRACE_CONT, run->pid, NULL, 0);
	do {
		wait_for_stop(run);
	} while (!run->ended && run->status >> 8 != (SIGTRAP | PTRACE_EVENT_EXEC << 8));
}

static void note_call(struct run *run, const struct ptrace_syscall_info *info)
{
	struct call *call = &run->calls[run->count++];
	struct nlmsghdr header;

	call->nr = info->entry.nr;
	memcpy(call->args, info->entry.args, sizeof(call->args));
	call->nl_type = 0;
	if (call->nr == SYS_sendto && call->args[2] >= sizeof(header) &&
	    peek(run, call->args[1], &header, sizeof(header)) && header.nlmsg_len == call->args[2])
		call->nl_type = header.nlmsg_type;
	call->path[0] = '\0';
	if (call->nr == SYS_openat)
		peek_path(run, call->args[1], call->path);
}

/* Before the call itself. */
static void enter_call(struct run *run)
{
	const struct call *call = &run->calls[run->count - 1];

	if (run->inject == REFUSE)
		defuse_request(run, call);
	if (run->inject == INSTEAD)
		make_other_call(run);
	run->planted = run->inject == INT80;
	if (run->planted)
		plant_int80(run);
	run->failed = run->inject == FAIL || (run->failing && call->nr == run->failing - 1);
	if (run->failed)
		replace_call(run);
	if (run->inject == FAIL_ALWAYS) {
		run->failing = call->nr + 1;
		replace_call(run);
		run->failed = true;
	}
	run->inject = NOTHING;
}

/* Goes on to the entry of the next call, or to the end. */
static void next_call(struct run *run)
{
	struct ptrace_syscall_info info;
	bool theirs = false;
	int signal = 0;

	if (run->count)
		enter_call(run);
	for (;;) {
		ptrace(PTRACE_SYSCALL, run->pid, NULL, signal);
		wait_for_stop(run);
		if (run->ended)
			return;
		signal = 0;
		if (WSTOPSIG(run->status) != (SIGTRAP | 0x80)) {
			signal = passed_on(run);
			continue;
		}
		ptrace(PTRACE_GET_SYSCALL_INFO, run->pid, sizeof(info), &info);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			theirs = sanitizer_calls(&run->places, run->pid, info.instruction_pointer,
						 info.entry.nr);
			if (!theirs)
				break;
		}
		if (theirs)
			continue;
		if (run->planted)
			go_to_int80(run);
		run->planted = false;
		if (run->failed)
			set_result(run, &run->calls[run->count - 1], run->error_number);
		else if (run->refused >= 0)
			change_answer(run, &run->calls[run->count - 1]);
		run->failed = false;
	}
	if (run->count == CALLS_MAX) {
		run->stuck = true;
		kill(run->pid, SIGKILL);
		wait_for_stop(run);
		return;
	}
	note_call(run, &info);
}

/* ---- commands and events */
static void say(const void *message, size_t len, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec part = { .iov_base = (void *)(uintptr_t)message, .iov_len = len };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		*CMSG_FIRSTHDR(&header) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
							    .cmsg_type = SCM_RIGHTS,
							    .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), &fd, sizeof(fd));
	}
	if (sendmsg(0, &header, MSG_NOSIGNAL) < 0)
		die("sendmsg");
}

static size_t take_reply(int from, char *to, int *fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = to, .iov_len = REPLY_MAX };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	ssize_t len = recvmsg(from, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (len > 0 && CMSG_FIRSTHDR(&header))
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(*fd));
	return len > 0 ? (size_t)len : 0;
}

static void say_end(struct run *run)
{
	static char message[MESSAGE_MAX];
	size_t len = (size_t)sprintf(message, "end %d %d", run->status, run->stuck);
	ssize_t n;
	int fd;

	for (unsigned int i = 0; i < run->count; i++)
		len += (size_t)sprintf(
			message + len, " %llu:%d:%u:%u:%s", (unsigned long long)run->calls[i].nr,
			(int)run->calls[i].args[0], (unsigned int)run->calls[i].args[1],
			run->calls[i].nl_type, run->calls[i].path);
	message[len++] = '\n';
	n = read(run->error, message + len, REPLY_MAX);
	len += n > 0 ? (size_t)n : 0;
	message[len++] = '\0';
	len += take_reply(run->reply, message + len, &fd);
	say(message, len, fd);
	close(run->reply);
	close(run->error);
	if (fd >= 0)
		close(fd);
	/* from now on nobody here has a hand on the TAP */
	say("done", 4, -1);
}

static void say_event(struct run *run)
{
	const struct call *call = &run->calls[run->count - 1];
	char message[128];
	int len;

	if (run->ended) {
		say_end(run);
		return;
	}
	len = sprintf(message, "at %d %u %llu %d", run->pid, run->count - 1,
		      (unsigned long long)call->nr, (int)call->args[0]);
	say(message, (size_t)len, -1);
}

static void go_until(struct run *run, uint64_t nr, int fd)
{
	do {
		next_call(run);
	} while (!run->ended && (run->calls[run->count - 1].nr != nr ||
				 (fd >= 0 && (int)run->calls[run->count - 1].args[0] != fd)));
}

/* Its calls take place without a word from here; nor can it be told that it goes on and on. */
static void run_free(struct run *run)
{
	int signal = 0;

	while (!run->ended) {
		ptrace(PTRACE_CONT, run->pid, NULL, signal);
		wait_for_stop(run);
		signal = run->ended ? 0 : passed_on(run);
	}
}

static void go_on(struct run *run, enum inject inject, const char *error_number)
{
	run->inject = inject;
	if (error_number)
		run->error_number = atoi(error_number);
	while (!run->ended)
		next_call(run);
}

static void obey(struct run *run, char *words[], size_t count)
{
	const char *verb = words[0];

	if ((strcmp(verb, "start") == 0 || strcmp(verb, "serve") == 0) && count > 5) {
		start(run, words);
		if (!run->ended)
			next_call(run);
	} else if (strcmp(verb, "to") == 0 && count == 2) {
		while (!run->ended && run->count - 1 < strtoul(words[1], NULL, 10))
			next_call(run);
	} else if (strcmp(verb, "until") == 0 && count == 3) {
		go_until(run, strtoul(words[1], NULL, 10), atoi(words[2]));
	} else if (strcmp(verb, "kill") == 0) {
		kill(run->pid, SIGKILL);
		wait_for_stop(run);
	} else if (strcmp(verb, "go") == 0) {
		go_on(run, NOTHING, NULL);
	} else if (strcmp(verb, "run") == 0) {
		run_free(run);
	} else if (strcmp(verb, "fail") == 0 && count == 2) {
		go_on(run, FAIL, words[1]);
	} else if (strcmp(verb, "fail-always") == 0 && count == 2) {
		go_on(run, FAIL_ALWAYS, words[1]);
	} else if ((strcmp(verb, "instead") == 0 && count == 4) ||
		   (strcmp(verb, "int80") == 0 && count == 2)) {
		for (size_t i = 1; i < count; i++)
			run->other[i - 1] = strtoull(words[i], NULL, 0);
		go_on(run, count == 4 ? INSTEAD : INT80, NULL);
	} else if (strcmp(verb, "refuse") == 0 && count == 2) {
		go_on(run, REFUSE, words[1]);
	} else {
		errno = EINVAL;
		die(verb);
	}
	say_event(run);
}

int main(int argc, char *argv[])
{
	static char message[MESSAGE_MAX + 1];
	static struct run run;
	cpu_set_t here;
	ssize_t len;

	(void)argv;
	run.mortal = argc > 1;
	/* tracer and traced take turns: on one processor that costs a third */
	CPU_ZERO(&here);
	CPU_SET((unsigned int)sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
	while ((len = recv(0, message, MESSAGE_MAX, 0)) > 0) {
		char *words[WORDS_MAX + 1];
		size_t count = 0;

		message[len] = '\0';
		for (char *p = message; p < message + len && count < WORDS_MAX; p += strlen(p) + 1)
			words[count++] = p;
		words[count] = NULL;
		obey(&run, words, count);
	}
	return 0;
}
