# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs started the way a hostile caller would: in a host, as a user, after any preparation.

The child is a fork of the test program, so that prepare() can do whatever a program can do to
itself before it executes another: limits, signals, descriptors, an argument list of length 0.
"""
import ctypes
import os
import resource
import select
import signal
import time
import traceback

from proc import Timeout, late

HANDLED = signal.SIGALRM, signal.SIGINT, signal.SIGPIPE  # by Python or the test program
HIGH = 3000  # descriptors below are free for whoever starts something

_libc = ctypes.CDLL(None, use_errno=True)


def execve(path, argv, environment):
    """As the kernel has it: also with no argument at all."""
    arguments = (ctypes.c_char_p * (len(argv) + 1))(*(a.encode() for a in argv), None)
    variables = (ctypes.c_char_p * (len(environment) + 1))(*environment, None)
    _libc.execve(path.encode(), arguments, variables)
    raise OSError(ctypes.get_errno(), path)


def become(identity):
    uid, gid, groups = identity
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def enter(host):
    """For a process without threads."""
    for descriptor in host.namespaces.values():
        if _libc.setns(descriptor, 0) < 0:
            raise OSError(ctypes.get_errno(), "setns")


class Started:
    def __init__(self, pid, stdout, stderr):
        self.pid, self.files = pid, {"stdout": stdout, "stderr": stderr}
        self.watch = os.pidfd_open(pid)
        self.status = None

    def wait(self, seconds=10):
        """The exit status, negative for a signal."""
        if self.status is None:
            start = time.monotonic()
            while not select.select([self.watch], [], [], seconds)[0]:
                if late(start, seconds):
                    raise Timeout(f"still running after {seconds} s")
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self.watch)
        return self.status

    def signal(self, number):
        if self.status is None:
            os.kill(self.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.wait()

    def said(self, stream="stderr"):
        """What came on stdout or stderr, if they were left as they are."""
        return os.pread(self.files[stream], 1 << 16, 0).decode(errors="replace")

    def close(self):
        self.kill()
        for file in self.files.values():
            os.close(file)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def start(host, path, argv, *, user="mac", descriptors=None, prepare=None, environment=()):
    """descriptors: {number in the program: one of ours}, beside the three standard streams; with
    None for ours the number is closed.  prepare() comes last, as the user."""
    files = [os.memfd_create(name) for name in ("stdout", "stderr")]
    with open("/dev/null", "r+b", buffering=0) as null:
        wanted = {0: null.fileno(), 1: files[0], 2: files[1], **(descriptors or {})}
        wanted = {number: ours for number, ours in wanted.items() if ours is not None}
        # what is sent to the child before it is the program must end it as it would any program
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        pid = os.fork()
        if pid == 0:
            run_child(host, path, argv, user, wanted, prepare, environment)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    return Started(pid, *files)


def run_child(host, path, argv, user, wanted, prepare, environment):
    try:
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        enter(host)
        if user:
            become(host.identity(user))
        # by way of high numbers: one that is wanted may be that of another
        for i, ours in enumerate(wanted.values()):
            os.dup2(ours, HIGH + i)
        os.closerange(0, HIGH)
        for i, number in enumerate(wanted):
            os.dup2(HIGH + i, number)
        os.closerange(HIGH, 4096)
        if prepare:
            prepare()
        execve(path, argv, [e.encode() for e in environment])
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(99)
