/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sends.c: what write() does and how long it takes; the peers are the test's.
 */
#include "traps.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define FRAME	  1514
#define WRITES	  4000
#define MOST_MS	  1
#define NOT_AGAIN 0x6261 /* in a place where the call has no argument */

/* To all, or to whoever has sent us something, which the test has seen to. */
static void make_frame(int fd, bool group, uint8_t *frame)
{
	CHECK(group || read(fd, frame, FRAME) >= 14);
	if (group)
		memset(frame, 0xff, 6);
	else
		memmove(frame, frame + 6, 6);
	memcpy(frame + 6, mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	memset(frame + 14, 0x5a, FRAME - 14);
}

static struct rusage usage(void)
{
	struct rusage now;

	CHECK(getrusage(RUSAGE_THREAD, &now) == 0);
	return now;
}

/*
 * Frames to all and to one as fast as write() takes them. Says how often the thread waited for
 * something, and in how many calls over a millisecond went by; not of those in which it had to give
 * the processor to somebody else, whose time that was.
 */
static void hurried(void)
{
	static uint8_t frame[2][FRAME];
	int fd = card(), slow = 0, interrupted = 0;
	struct rusage first, before, after;
	double start, worst = 0, spent;

	printf("open %02x%02x%02x%02x%02x%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	await_the_test();
	make_frame(fd, true, frame[0]);
	make_frame(fd, false, frame[1]);
	allocations = 0;
	first = usage();
	for (int i = 0; i < WRITES; i++) {
		before = usage();
		start = now();
		CHECK(write(fd, frame[i & 1], FRAME) == FRAME);
		spent = now() - start;
		after = usage();
		if (after.ru_nivcsw != before.ru_nivcsw) {
			interrupted++;
			continue;
		}
		slow += spent > MOST_MS / 1e3;
		worst = spent > worst ? spent : worst;
	}
	printf("%d writes: waited %ld, slow %d, worst %.0f us, interrupted %d, allocations %ld\n",
	       WRITES, after.ru_nvcsw - first.ru_nvcsw, slow, worst * 1e6, interrupted,
	       allocations);
	fflush(stdout);
	await_the_test();
	close(fd);
}

#ifdef __x86_64__ /* where it is known which register has which argument */

static const void *frame_written;
static int calls, messages, copies, others;

/* Counts a call of the card's to send something, which is then made, but for NOT_AGAIN the same. */
static void on_call(int number, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const struct mmsghdr *message = (const struct mmsghdr *)(uintptr_t)r[REG_RSI];

	(void)number;
	if (info->si_syscall != SYS_sendmmsg) {
		others++;
		r[REG_RAX] = -EIO;
		return;
	}
	calls++;
	for (unsigned int i = 0; i < (unsigned int)r[REG_RDX]; i++) {
		const struct msghdr *m = &message[i].msg_hdr;

		messages++;
		copies += m->msg_iovlen != 1 || m->msg_iov->iov_base != frame_written ||
			  m->msg_iov->iov_len != FRAME || m->msg_controllen;
	}
	r[REG_RAX] =
		syscall(SYS_sendmmsg, r[REG_RDI], message, r[REG_RDX], r[REG_R10], 0, NOT_AGAIN);
	if (r[REG_RAX] < 0)
		r[REG_RAX] = -errno;
}

#define LOAD(field)		   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)

/* This thread's calls that send something, and no other's. */
static void watch_calls(void)
{
	struct sock_filter code[] = {
		LOAD(nr),
		IF(SYS_sendto, 6, 0),
		IF(SYS_sendmsg, 5, 0),
		IF(SYS_writev, 4, 0),
		IF(SYS_io_uring_enter, 3, 0),
		IF(SYS_sendmmsg, 0, 3),
		LOAD(args[5]),
		IF(NOT_AGAIN, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	const struct sigaction action = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO };

	CHECK(sigaction(SIGSYS, &action, NULL) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* One frame to all, and what the kernel is given for it. */
static void fanned(void)
{
	static uint8_t frame[FRAME];
	int fd = card();

	printf("open %02x%02x%02x%02x%02x%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	await_the_test();
	make_frame(fd, true, frame);
	CHECK(write(fd, frame, 60) == 60); /* the first of all may be worth a word to others */
	frame_written = frame;
	watch_calls();
	CHECK(write(fd, frame, FRAME) == FRAME);
	printf("%d calls, %d messages, %d copies, %d others\n", calls, messages, copies, others);
	fflush(stdout);
	await_the_test();
}

#else

static void fanned(void)
{
	printf("open 000000000000\n");
	CHECK(!"made for x86-64");
}

#endif

const struct trap traps_of_sends[] = {
	{ "hurried", hurried },
	{ "fanned", fanned },
	{ NULL, NULL },
};
