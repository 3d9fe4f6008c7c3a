# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes of a test: started in a host's namespaces, as a user, output kept in files.

Relies on nsenter and setpriv (util-linux).  Must never leave one running: World.close() ends all
that it started, and the test's own pid namespace ends with the test.
"""
import os
import re
import signal
import subprocess
import time


class Timeout(AssertionError):
    """What was awaited did not come in time."""


def strain():
    """How many programs want each processor of this machine, now or in the last minute: 1 to 8."""
    with open("/proc/loadavg") as file:
        in_a_minute, _, _, now, _ = file.read().split()
    wanting = max(float(in_a_minute), float(now.partition("/")[0]))
    return min(max(1.0, wanting / os.cpu_count()), 8.0)


def late(start, seconds):
    """Whether that many seconds are over since then; more of them on a machine that is busy."""
    spent = time.monotonic() - start
    return spent >= seconds and spent >= seconds * strain()


def wait_until(condition, seconds=15.0, what=None, step=0.01):
    """Await a true value of condition() and return it; say what was missing otherwise."""
    start = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        if late(start, seconds):
            raise Timeout(f"not within {seconds} s: {what or condition.__doc__ or condition}")
        time.sleep(step)


def enter(namespaces, argv, user=None):
    """argv as it has to be executed to run in the namespaces, as (uid, gid, groups).

    The descriptors in namespaces have to be passed on.  Each step replaces the one before, so the
    process id is the program's own.
    """
    command = []
    if namespaces:
        names = {"mnt": "mount"}
        command += ["nsenter"]
        command += [f"--{names.get(k, k)}=/proc/self/fd/{fd}" for k, fd in namespaces.items()]
        command += ["--"]
    if user:
        uid, gid, groups = user
        command += ["setpriv", f"--reuid={uid}", f"--regid={gid}"]
        command += [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]
        command += ["--"]
    return command + list(argv)


class Process:
    """A running program.  stdout and stderr are files in folder, readable while it runs."""

    def __init__(self, argv, *, name, folder, env, namespaces=None, user=None, pass_fds=()):
        self.name = name
        self.stdout_path = os.path.join(folder, name + ".out")
        self.stderr_path = os.path.join(folder, name + ".err")
        namespaces = namespaces or {}
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.popen = subprocess.Popen(
                enter(namespaces, argv, user),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=env,
                pass_fds=(*namespaces.values(), *pass_fds),
                start_new_session=True,
            )
        self.pid = self.popen.pid

    @property
    def stdout(self):
        with open(self.stdout_path, errors="replace") as file:
            return file.read()

    @property
    def stderr(self):
        with open(self.stderr_path, errors="replace") as file:
            return file.read()

    def running(self):
        return self.popen.poll() is None

    def wait(self, seconds=30):
        """Await the end; return the exit status, negative for a signal."""
        start = time.monotonic()
        while True:
            try:
                return self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                if late(start, seconds):
                    raise Timeout(f"{self.name} still runs after {seconds} s") from None

    def expect(self, pattern, seconds=15.0, stream="stderr"):
        """Await a line that matches in the output; return the match."""

        def found():
            match = re.search(pattern, getattr(self, stream), re.MULTILINE)
            if not match and not self.running():
                match = re.search(pattern, getattr(self, stream), re.MULTILINE)
                if not match:
                    raise AssertionError(f"{self.name} ended without {pattern!r} on {stream}")
            return match

        return wait_until(found, seconds, f"{pattern!r} on {stream} of {self.name}")

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self):
        """Stops it where it is; the signal alone leaves its threads some moments more."""

        def stopped():
            tasks = os.listdir(f"/proc/{self.pid}/task")
            return all(self.state_of(task) == "T" for task in tasks)

        self.signal(signal.SIGSTOP)
        wait_until(stopped, what=f"{self.name} stopped")

    def state_of(self, task):
        """The letter of proc(5) for one of its threads."""
        with open(f"/proc/{self.pid}/task/{task}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]

    def go_on(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        if self.running():
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def story(self, limit=4000):
        """What it said, for the report of a failed test."""
        state = "running" if self.running() else f"ended with {self.popen.returncode}"
        text = f"--- {self.name} (pid {self.pid}, {state})\n"
        for label, content in (("out", self.stdout), ("err", self.stderr)):
            for line in content[-limit:].splitlines():
                text += f"    {label}| {line}\n"
        return text
