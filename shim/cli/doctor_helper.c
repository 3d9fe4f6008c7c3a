/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_helper.c: is the helper there, does its privilege count here, and does its policy allow
 * this user? Asks the helper itself, with its forms for people, which use no privilege.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "clock.h"
#include "doctor.h"
#include "helper_client.h"
#include "helper_socket.h"
#include "outcome.h"

#define ANSWER_MS 3000

/* Reads what comes before the deadline. True where the pipe has ended. */
static bool read_all(int fd, char *text, size_t size)
{
	uint32_t deadline = clock_ms() + ANSWER_MS;
	size_t len = 0;

	while (len + 1 < size) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		int32_t left = (int32_t)(deadline - clock_ms());
		ssize_t n;

		if (left <= 0 || poll(&readable, 1, left) <= 0)
			return false;
		n = read(fd, text + len, size - 1 - len);
		if (n <= 0)
			return n == 0;
		len += (size_t)n;
		text[len] = '\0';
	}
	return false;
}

/* Runs the helper with @argv; its stdout into @text. Its exit status, or -1. */
static int ask(const char *path, char *const argv[], char *text, size_t size)
{
	int pipes[2], status;
	pid_t child;

	*text = '\0';
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		/* NOLINTNEXTLINE(android-cloexec-open): it may be one of 0 to 2 already */
		int null = open("/dev/null", O_RDWR);

		if (null >= 0 && dup2(null, 0) == 0 && dup2(null, 2) == 2 && dup2(pipes[1], 1) == 1)
			execv(path, argv);
		_exit(127);
	}
	close(pipes[1]);
	/* It may have become another user, whom we cannot kill; then its own alarm ends it. */
	if (child > 0 && !read_all(pipes[0], text, size))
		kill(child, SIGKILL);
	close(pipes[0]);
	if (child < 0)
		return -1;
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void doctor_ask_helper(struct doctor *doctor)
{
	char *const argv[] = { "basilisk-tap-helper", "--status", "--json", NULL };

	doctor->helper = helper_path();
	if (!doctor->helper)
		return;
	doctor->socket = helper_socket_is(doctor->helper) || helper_socket_is(HELPER_SOCKET);
	ask(doctor->helper, argv, doctor->status, sizeof(doctor->status));
	doctor_fact(doctor->status, "uplink", "name", doctor->uplink, sizeof(doctor->uplink));
	if (!if_nametoindex(doctor->uplink))
		doctor->uplink[0] = '\0';
}

static bool has_capability(const char *path)
{
	return getxattr(path, "security.capability", NULL, 0) > 0;
}

void doctor_check_helper_file(struct doctor *doctor)
{
	const char *path = doctor->helper;
	struct statvfs fs;
	struct stat st;
	bool setuid;

	if (!path) {
		doctor_remedy(doctor_find(doctor, "helper-none", true,
					  "BASILISK_TAP_HELPER says that no helper is to be asked"),
			      "unset BASILISK_TAP_HELPER");
		return;
	}
	if (doctor->socket)
		return;
	if (stat(path, &st) < 0) {
		doctor_remedy(doctor_find(doctor, "helper-missing", true, "the helper %s: %s", path,
					  strerror(errno)),
			      "install it, as root: make install");
		return;
	}
	setuid = st.st_uid == 0 && (st.st_mode & S_ISUID);
	if (access(path, X_OK) < 0)
		doctor_remedy(doctor_find(doctor, "helper-mode", true,
					  "the helper %s is not this user's to run", path),
			      "as root: chmod 4755 %s", path);
	else if (!setuid && !has_capability(path))
		doctor_remedy(doctor_find(doctor, "helper-mode", true,
					  "the helper %s is neither setuid root nor has a file "
					  "capability: a copy or an upgrade has lost it",
					  path),
			      "as root: chown root %s && chmod 4755 %s", path, path);
	else if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID))
		doctor_remedy(
			doctor_find(doctor, "nosuid", true,
				    "the helper %s is on a file system that is mounted nosuid, "
				    "so its privilege does not count",
				    path),
			"install it elsewhere, or enable basilisk-tap.socket as root");
}

void doctor_check_no_new_privs(struct doctor *doctor)
{
	if (doctor->socket || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return;
	doctor_remedy(doctor_find(doctor, "no-new-privs", true,
				  "this session runs with no_new_privs, as sandboxes and some "
				  "services do: the helper's privilege does not count in it"),
		      "start the emulator outside of it, or enable basilisk-tap.socket as root");
}

void doctor_check_login_groups(struct doctor *doctor)
{
	const struct passwd *user = getpwuid(getuid());
	char *const now[] = { "basilisk-tap-helper", "--check", NULL };
	char *const at_login[] = { "basilisk-tap-helper", "--check", "--user",
				   user ? user->pw_name : "", NULL };
	char text[512];

	if (!doctor->helper || !user || ask(doctor->helper, now, text, sizeof(text)) == 0 ||
	    ask(doctor->helper, at_login, text, sizeof(text)) != 0)
		return;
	doctor_remedy(doctor_find(doctor, "login-groups", true,
				  "%s is in a group that the policy allows, but not in this login, "
				  "which is older",
				  user->pw_name),
		      "log out and in again, or start the emulator by 'sg GROUP -c BasiliskII'");
}

/* The outcome of that name, or OUTCOME_SYSTEM for one of a newer helper's. */
static unsigned int outcome_of(const char *name)
{
	for (unsigned int i = 0; i < OUTCOME_COUNT; i++) {
		if (strcmp(outcome_name(i), name) == 0)
			return i;
	}
	return OUTCOME_SYSTEM;
}

void doctor_check_refusal(struct doctor *doctor)
{
	static const char *const explained[] = { "helper-mode",	 "nosuid",	   "no-new-privs",
						 "login-groups", "helper-missing", "helper-none" };
	char code[32], attach[64], because[512], *colon;
	const char *remedy;
	unsigned int outcome;

	for (size_t i = 0; i < sizeof(explained) / sizeof(explained[0]); i++) {
		if (doctor_has(doctor, explained[i]))
			return;
	}
	if (!doctor_fact(doctor->status, "ether auto", "code", code, sizeof(code))) {
		if (!doctor->socket)
			doctor_remedy(doctor_find(doctor, "helper-silent", true,
						  "the helper %s does not answer", doctor->helper),
				      "run '%s --status' to see why", doctor->helper);
		return;
	}
	doctor_fact(doctor->status, "ether auto", "attach", attach, sizeof(attach));
	doctor_fact(doctor->status, "ether auto", "because", because, sizeof(because));
	outcome = outcome_of(code);
	remedy = outcome_remedy(outcome);
	if (outcome == OUTCOME_NO_PRIVILEGE && doctor->socket)
		return;
	if (outcome != OUTCOME_OK) {
		/* the helper's sentence ends with the remedy */
		colon = *remedy ? strstr(because, remedy) : NULL;
		if (colon && colon - because > 2)
			colon[-2] = '\0';
		doctor_remedy(doctor_find(doctor, outcome_name(outcome), true, "%s", because), "%s",
			      remedy);
	} else if ((strcmp(attach, "host") == 0 || strcmp(attach, "none") == 0) &&
		   !doctor_has(doctor, "wireless") && !doctor_has(doctor, "ingress")) {
		doctor_remedy(doctor_find(doctor, "attach", true, "Macs do not reach the LAN: %s",
					  because),
			      "connect a wired card, or see 'uplink' and 'attach' in "
			      "helper.conf(5)");
	}
}

/* Guests that run may be cut off; who starts next is not, so it is no problem of his. */
void doctor_check_attachment(struct doctor *doctor)
{
	char state[128];

	if (!doctor_fact(doctor->status, "attachment", "state", state, sizeof(state)) ||
	    strcmp(state, "whole") == 0 || strcmp(state, "nothing") == 0)
		return;
	/* behind the colon the helper says what mends it */
	state[strcspn(state, ":")] = '\0';
	doctor_remedy(doctor_find(doctor, "attachment", false,
				  "%s: emulators that run now may be cut off by that", state),
		      "start another emulator: that puts it right for all");
}
