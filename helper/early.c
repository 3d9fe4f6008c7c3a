/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * early.c: see early.h. Runs with all the privileges that there are, so it is short, and uses
 * nothing of the caller's: no argument, no environment, no path, no inherited descriptor.
 */
#include "early.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "nl.h"
#include "policy.h"

#define FILES_NEEDED 64 /* descriptors, inherited ones among them */
/*
 * The kernel also counts all descriptors that the helper's user, one for all callers, has on
 * their way to receivers that have not read them yet, and lets nobody send over this limit.
 */
#define FILES_WANTED	       65536
#define INITIAL_USER_NAMESPACE 0xeffffffdu /* PROC_USER_INIT_INO of <linux/proc_ns.h> */
#define SECONDS_TO_LIVE	       5
#define TIMER_SLACK_NS	       50000 /* the kernel's own; a caller's can be centuries */

/* As high as it goes and at least @wanted if we may; returns what it came to. */
static rlim_t raise_limit(int which, rlim_t wanted)
{
	struct rlimit limit = { 0, 0 };

	getrlimit(which, &limit);
	if (limit.rlim_max < wanted)
		setrlimit(which, &(struct rlimit){ wanted, wanted });
	getrlimit(which, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(which, &limit);
	return limit.rlim_cur;
}

void early_live_for(long seconds)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_sec = seconds }, NULL);
}

int early_distrust(int argc, struct outcome *outcome)
{
	sigset_t all_but_alarm;

	/* first of all: what is opened next must not become somebody's standard output */
	for (int fd = 0; fd <= 2; fd++)
		/* NOLINTNEXTLINE(android-cloexec-open): as every standard stream */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(OUTCOME_HOSTILE_START);
	prctl(PR_SET_DUMPABLE, 0);
	/* one bound for whatever a caller may make us wait for: dying is harmless everywhere */
	early_live_for(SECONDS_TO_LIVE); /* in the place of a timer of the caller's */
	signal(SIGALRM, SIG_IGN);	 /* forgets an alarm that waits already */
	signal(SIGALRM, SIG_DFL);
	setitimer(ITIMER_VIRTUAL, &(struct itimerval){ 0 }, NULL);
	setitimer(ITIMER_PROF, &(struct itimerval){ 0 }, NULL);
	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
	sigfillset(&all_but_alarm);
	sigdelset(&all_but_alarm, SIGALRM);
	sigprocmask(SIG_SETMASK, &all_but_alarm, NULL);
	clearenv();
	umask(0777);
	raise_limit(RLIMIT_CPU, RLIM_INFINITY);
	raise_limit(RLIMIT_AS, RLIM_INFINITY);
	raise_limit(RLIMIT_FSIZE, RLIM_INFINITY);
	/* the processes of our own user are all callers', and over it nothing may be executed */
	raise_limit(RLIMIT_NPROC, RLIM_INFINITY);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	if (chdir("/") < 0 || argc < 1)
		return outcome_set(outcome, OUTCOME_HOSTILE_START, argc < 1 ? "argc is 0" : "no /");
	if (raise_limit(RLIMIT_NOFILE, FILES_WANTED) < FILES_NEEDED)
		return outcome_set(outcome, OUTCOME_HOSTILE_START,
				   "fewer than %d descriptors are allowed", FILES_NEEDED);
	return 0;
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int open_log(void)
{
	const struct sockaddr_un log = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&log, sizeof(log)) == 0)
		return fd;
	close(fd);
	return -errno;
}

int early_open(struct early *early, struct outcome *outcome)
{
	early->policy = open_file(POLICY_FILE, O_RDONLY | O_NOFOLLOW);
	early->users = open_file("/etc/passwd", O_RDONLY);
	early->groups = open_file("/etc/group", O_RDONLY);
	early->machine = open_file("/etc/machine-id", O_RDONLY);
	if (!getauxval(AT_SECURE)) /* else handover_receive() refuses */
		early->lent = open_file("/etc/subuid", O_RDONLY);
	early->tun = open_file("/dev/net/tun", O_RDWR);
	early->route = nl_socket(NETLINK_ROUTE);
	early->generic = nl_socket(NETLINK_GENERIC);
	early->log = open_log();
	return outcome_set_errno(outcome, early->route < 0 ? early->route : early->generic,
				 "netlink");
}

/*
 * The owner of a user namespace has CAP_NET_ADMIN over the network namespaces in it; helping
 * there would lend root's help to whoever typed unshare. An administrator's 'ip netns' passes.
 */
int early_check_namespace(int route, struct outcome *outcome)
{
	struct stat st = { .st_ino = 0 };
	int network = ioctl(route, SIOCGSKNS);
	int user = network < 0 ? -1 : ioctl(network, NS_GET_USERNS);

	if (user >= 0 && fstat(user, &st) == 0 && st.st_ino == INITIAL_USER_NAMESPACE)
		return 0;
	return outcome_set(outcome, OUTCOME_FOREIGN_NAMESPACE,
			   "this network namespace belongs to user namespace %lu, not to the "
			   "machine's administrator",
			   (unsigned long)st.st_ino);
}

int early_arrange(struct early *early, int reply, struct outcome *outcome)
{
	const int from[FD_END] = { [FD_REPLY] = reply,
				   [FD_ROUTE] = early->route,
				   [FD_GENERIC] = early->generic,
				   [FD_TUN] = early->tun,
				   [FD_LOG] = early->log };
	int above[FD_END];

	/* by way of high numbers: a fixed one may still be the caller's, or another of ours */
	for (int fd = FD_REPLY; fd < FD_END; fd++) {
		above[fd] = from[fd] < 0 ? -1 : fcntl(from[fd], F_DUPFD_CLOEXEC, FD_ABOVE);
		if (from[fd] >= 0 && above[fd] < 0)
			return outcome_set(outcome, OUTCOME_HOSTILE_START, "descriptors: %s",
					   strerror(errno));
	}
	for (int fd = FD_REPLY; fd < FD_END; fd++) {
		close(fd);
		if (above[fd] >= 0 && dup3(above[fd], fd, O_CLOEXEC) != fd)
			return outcome_set(outcome, OUTCOME_HOSTILE_START, "descriptors: %s",
					   strerror(errno));
	}
	early->route = FD_ROUTE;
	early->generic = FD_GENERIC;
	early->tun = early->tun < 0 ? early->tun : FD_TUN;
	early->log = early->log < 0 ? early->log : FD_LOG;
	/* no limit on further ones: the filter has no call that opens any (see FILES_WANTED) */
	return close_range(FD_END, ~0u, 0) < 0 ? outcome_set_errno(outcome, -errno, "close_range") :
						 0;
}
