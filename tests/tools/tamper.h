/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tamper.h: what tracer.c does to the process that it traces: its registers and its memory.
 *
 * Relies on the process standing still. The registers are the one thing that depends on the
 * machine. A call that is not made is replaced by a ppoll() that fails, which the helper's own
 * filter allows: the filter judges what the tracer made of a call.
 */
#ifndef BASILISK_TAP_TESTS_TAMPER_H
#define BASILISK_TAP_TESTS_TAMPER_H

#include <errno.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <linux/ptrace.h> /* after <sys/ptrace.h>, which has enumerators of the same names */

#include "sanitizer.h"

#define CALLS_MAX  2500 /* the longest run has a fifth of it: more is a loop */
#define PATH_SHOWN 64	/* with the final NUL */

enum inject { NOTHING, FAIL, FAIL_ALWAYS, REFUSE, INSTEAD, INT80 };

struct call {
	uint64_t nr, args[6];
	uint16_t nl_type;
	char path[PATH_SHOWN];
};

struct run {
	pid_t pid;
	int reply, error; /* our end of the socket pair; its stderr */
	int status;
	bool ended, stuck;
	bool mortal; /* SIGALRM ends it, by which it bounds its own life */
	struct call calls[CALLS_MAX];
	unsigned int count; /* the call it stands before is number count - 1 */
	enum inject inject;
	int error_number;
	uint64_t other[3];    /* INSTEAD, INT80: the number and two arguments */
	uint64_t failing;     /* FAIL_ALWAYS: the number */
	bool failed;	      /* the call it is in was replaced */
	bool planted;	      /* the instruction of the call it is in was replaced */
	struct places places; /* where calls came from, so far */
	int refused;	      /* descriptor whose answer is to be changed, or -1 */
};

static void die(const char *what)
{
	fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The signal that it stopped for, if it is to get it: its life's bound goes on while it stands. */
static int passed_on(const struct run *run)
{
	const int signal = WSTOPSIG(run->status);

	return signal == SIGTRAP || (signal == SIGALRM && !run->mortal) ? 0 : signal;
}

/* ---- registers, the one thing that depends on the machine */
#ifdef __x86_64__
static void replace_call(struct run *run)
{
	struct user_regs_struct r;

	ptrace(PTRACE_GETREGS, run->pid, NULL, &r);
	r.orig_rax = SYS_ppoll;
	r.rdi = r.rsi = r.r10 = 0;
	r.rdx = 1; /* no address: EFAULT */
	ptrace(PTRACE_SETREGS, run->pid, NULL, &r);
}

static void set_result(struct run *run, const struct call *call, int error)
{
	struct user_regs_struct r;

	ptrace(PTRACE_GETREGS, run->pid, NULL, &r);
	r.rax = (unsigned long long)-(long long)error;
	r.rdi = call->args[0];
	r.rsi = call->args[1];
	r.rdx = call->args[2];
	r.r10 = call->args[3];
	ptrace(PTRACE_SETREGS, run->pid, NULL, &r);
}
static void make_other_call(struct run *run)
{
	struct user_regs_struct r;

	ptrace(PTRACE_GETREGS, run->pid, NULL, &r);
	r.orig_rax = run->other[0];
	r.rdi = run->other[1];
	r.rsi = run->other[2];
	ptrace(PTRACE_SETREGS, run->pid, NULL, &r);
}

/* When the call returns, the processor finds "int $0x80" where "syscall" was, and goes there. */
static void plant_int80(struct run *run)
{
	struct user_regs_struct r;
	long text;

	ptrace(PTRACE_GETREGS, run->pid, NULL, &r);
	text = ptrace(PTRACE_PEEKTEXT, run->pid, r.rip - 2, NULL);
	text = (text & ~0xffffL) | 0x80cd;
	if (ptrace(PTRACE_POKETEXT, run->pid, r.rip - 2, text) < 0)
		die("changing the program");
	r.orig_rax = SYS_ppoll;
	r.rdi = r.rsi = r.r10 = 0;
	r.rdx = 1;
	ptrace(PTRACE_SETREGS, run->pid, NULL, &r);
}

static void go_to_int80(struct run *run)
{
	struct user_regs_struct r;

	ptrace(PTRACE_GETREGS, run->pid, NULL, &r);
	r.rip -= 2;
	r.rax = run->other[0];
	ptrace(PTRACE_SETREGS, run->pid, NULL, &r);
}
#else
#error "tests/tools/tracer.c: how are registers changed on this machine?"
#endif

/* ---- the traced process's memory */
static bool peek(const struct run *run, uint64_t at, void *to, size_t len)
{
	struct iovec mine = { to, len }, its = { (void *)(uintptr_t)at, len };

	return process_vm_readv(run->pid, &mine, 1, &its, 1, 0) == (ssize_t)len;
}

static bool poke(const struct run *run, uint64_t at, const void *from, size_t len)
{
	struct iovec mine = { (void *)(uintptr_t)from, len }, its = { (void *)(uintptr_t)at, len };

	return process_vm_writev(run->pid, &mine, 1, &its, 1, 0) == (ssize_t)len;
}

/* Byte by byte: the end of the string may be the end of the memory. */
static void peek_path(const struct run *run, uint64_t at, char *path)
{
	size_t n = 0;

	for (; n < PATH_SHOWN - 1 && peek(run, at + n, path + n, 1) && path[n]; n++)
		if (path[n] <= ' ' || path[n] > '~')
			path[n] = '?';
	path[n] = '\0';
}

/* A message that the kernel only acknowledges: then nothing happens but an answer to be changed. */
static void defuse_request(struct run *run, const struct call *call)
{
	struct nlmsghdr header;

	if (!peek(run, call->args[1], &header, sizeof(header)))
		die("reading the request");
	header.nlmsg_type = NLMSG_NOOP;
	header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (!poke(run, call->args[1], &header, sizeof(header)))
		die("changing the request");
	run->refused = (int)call->args[0];
}

static void change_answer(struct run *run, const struct call *call)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;
	struct msghdr message;
	struct iovec part;

	if (call->nr != SYS_recvmsg || (int)call->args[0] != run->refused ||
	    !peek(run, call->args[1], &message, sizeof(message)) ||
	    !peek(run, (uint64_t)(uintptr_t)message.msg_iov, &part, sizeof(part)) ||
	    !peek(run, (uint64_t)(uintptr_t)part.iov_base, &answer, sizeof(answer)) ||
	    answer.header.nlmsg_type != NLMSG_ERROR)
		return;
	answer.error.error = -run->error_number;
	if (!poke(run, (uint64_t)(uintptr_t)part.iov_base, &answer, sizeof(answer)))
		die("changing the answer");
	run->refused = -1;
}

#endif
