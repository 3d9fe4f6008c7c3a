# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, one system call at a time: the other end of tests/tools/tracer.c.

    tracer = Tracer(host)
    at = tracer.start(HELPER, "--fd=9", "--slot=0")     # At: before its first call
    at = tracer.until("sendmsg")
    end = tracer.kill()                                 # End: what came of it

One run at a time: the next start() needs the end of the one before.
"""
import array
import collections
import os
import shutil
import signal
import socket
import subprocess

from proc import enter
from world import BUILD

PROGRAM = os.path.join(BUILD, "tests", "tools", "tracer")
FD = 9  # the number of the reply's socket in the helper
PATIENCE = 40  # seconds; many times all of the helper's own deadlines together
# x86-64, which is what the tracer can do
NUMBERS = {
    "read": 0, "write": 1, "open": 2, "close": 3, "fstat": 5, "mmap": 9, "mprotect": 10,
    "munmap": 11, "brk": 12, "ioctl": 16, "pread64": 17, "access": 21, "dup2": 33, "setitimer": 38,
    "getpid": 39, "socket": 41, "connect": 42, "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47,
    "bind": 49, "getsockname": 51, "setsockopt": 54, "getsockopt": 55, "execve": 59,
    "uname": 63, "fcntl": 72, "umask": 95, "getuid": 102, "getgid": 104, "geteuid": 107,
    "getegid": 108, "getppid": 110, "getgroups": 115, "setgroups": 116, "setresuid": 117,
    "setresgid": 119, "capget": 125, "capset": 126, "prctl": 157, "gettid": 186,
    "exit_group": 231, "ppoll": 271, "openat": 257, "newfstatat": 262, "dup3": 292,
    "prlimit64": 302, "getrandom": 318, "close_range": 436,
}  # fmt: skip
NAMES = {number: name for name, number in NUMBERS.items()}

At = collections.namedtuple("At", "pid index name fd")
Call = collections.namedtuple("Call", "name fd argument nl_type path")


class End(collections.namedtuple("End", "status signal stuck calls stderr message fd")):
    def __repr__(self):
        return str({**self._asdict(), "calls": len(self.calls), "message": self.message[:400]})


def name_of(number):
    return NAMES.get(number, f"call-{number}")


class Tracer:
    """service: the user that a service manager runs the helper as, behind whose socket it is then
    asked by the words of argv. mortal: its own alarm ends it, although it is held up here."""

    def __init__(self, host, user="mac", service=None, mortal=False):
        self.host, self.user, self.service = host, user, service
        self.pid = None
        program = host.world.path("tracer")  # hosts do not see the tree if it is in /tmp
        if not os.path.exists(program):
            shutil.copy(PROGRAM, program)
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        with theirs:
            self.process = subprocess.Popen(
                enter(host.namespaces, [program, *(["mortal"] if mortal else [])]),
                stdin=theirs,
                env=host.environment(user),
                pass_fds=tuple(host.namespaces.values()),
            )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Whatever it traces dies with it."""
        self.socket.close()
        self.process.wait()

    def command(self, *words):
        self.socket.send("\0".join(map(str, words)).encode() + b"\0")
        stuck = False
        while True:
            try:
                message, control, _, _ = self.socket.recvmsg(
                    1 << 18, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC
                )
            except TimeoutError:
                assert not stuck, "the tracer says nothing"
                os.kill(self.pid, signal.SIGKILL)
                stuck = True
                continue
            assert message, "the tracer ended"
            fds = array.array("i")
            for _, _, data in control:
                fds.frombytes(data)
            return self.event(message, fds[0] if fds else None, stuck)

    def event(self, message, fd, stuck):
        if message.startswith(b"at "):
            pid, index, number, first = map(int, message.split()[1:])
            self.pid = pid
            return At(pid, index, name_of(number), first)
        assert self.socket.recv(10) == b"done"
        head, _, rest = message.partition(b"\n")
        stderr, _, reply = rest.partition(b"\0")
        _, status, loop, *calls = head.decode().split()
        status = os.waitstatus_to_exitcode(int(status))
        calls = [call.split(":", 4) for call in calls]
        return End(
            status if status >= 0 else None,
            -status if status < 0 else None,
            stuck or loop == "1",
            [Call(name_of(int(n)), int(f), int(a), int(t), path) for n, f, a, t, path in calls],
            stderr.decode(errors="replace"),
            reply,
            fd,
        )

    # ---- commands; each returns what happened: At or End
    def start(self, *argv, fd=FD):
        uid, gid, groups = self.host.identity(self.user) or (0, 0, [])
        who = uid, gid, ",".join(map(str, groups)) or "-"
        if self.service:
            return self.command("serve", *who, self.service, *argv)
        return self.command("start", *who, fd, *argv)

    def to(self, index):
        return self.command("to", index)

    def until(self, name, fd=-1):
        return self.command("until", NUMBERS[name], fd)

    def kill(self):
        return self.command("kill")

    def go(self):
        return self.command("go")

    def run(self):
        """Quicker than go(): its calls are not noted."""
        return self.command("run")

    def fail(self, number, always=False):
        return self.command("fail-always" if always else "fail", number)

    def instead(self, number, first=0, second=0):
        return self.command("instead", number, first, second)

    def int80(self, number):
        return self.command("int80", number)

    def refuse(self, number):
        return self.command("refuse", number)
