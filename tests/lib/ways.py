# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ways to ask the helper for a TAP, over which its tests run: @over(*WAYS).

             privilege              who asks is         the helper runs as    it says no by
  SETUID     setuid root            the real user       a user of its own     reply, exit status
  CAPABILITY a file capability      the real user       the caller            reply, exit status
  SOCKET     the service manager's  the peer, by the    the service's user    reply
                                    kernel's word
  QEMU       setuid root            the real user       a user of its own     exit status, stderr

QEMU's call has no slot, its reply is one NUL byte with the descriptor.
"""
import contextlib
import socket

import helper
import modes
import starter
from activation import DYNAMIC_USER, SOCKET as SOCKET_PATH, Activation
from guest import Guest
from helper import CODES, HELPER, NAMES, Answer
from tracer import FD, Tracer
from world import SYSTEM_USERS, USERS


# A command line that is not understood has not told where to reply
UNREAD = "usage", "bad-name", "bad-descriptor"


def refused_on_stderr(answer, name):
    assert NAMES.get(answer.status) == name and answer.fd is None, answer
    [line] = answer.stderr.splitlines()
    assert line.startswith("basilisk-tap-helper: ") and ": " in line[21:], line
    return line


class Way:
    """has_reply: the answer has a Reply; owner(user): whose process the helper is in the end."""

    name = "setuid"
    has_reply = True
    slots = range(16)  # that a first, a second, … gets, or asks for

    def installed(self):
        """A context in which the helper on disk is as this way needs it."""
        return contextlib.nullcontext()

    def owner(self, user):
        return SYSTEM_USERS["_basilisk-tap"]

    def ask(self, host, *words, user="mac", slot=0, br="auto"):
        return helper.ask(host, *words, user=user, slot=slot, br=br)

    def guest(self, host, **options):
        return Guest(host, ask=self.ask, **options)

    def refused(self, answer, name):
        """Check that it is that refusal, in one line that says what to do; return the line."""
        if name in UNREAD and not answer.reply:
            return refused_on_stderr(answer, name)
        return helper.refused(answer, name)

    def crowd(self, host, slots, user="mac"):
        """Ask for all of them at the same time; [(name of the outcome, descriptor or None)]."""
        runs = []
        for slot in slots:
            ours, theirs = helper.pair(host, user)
            with theirs:
                descriptors, argv = {FD: theirs.fileno()}, self.argv(slot)
                run = starter.start(host, HELPER, argv, user=user, descriptors=descriptors)
            runs.append((run, ours))
        found = []
        for run, ours in runs:
            with run, ours:
                status = run.wait(40)
                descriptor = helper.receive(ours)[1]
                assert (descriptor is not None) == (status == 0), (status, run.said())
                found.append((NAMES.get(status, status), descriptor))
        return found

    def argv(self, slot):
        """The command line, with descriptor FD for the reply; for a Tracer too."""
        return [HELPER, f"--fd={FD}", f"--slot={slot}", "--br=auto"]

    def tracer(self, host, user="mac"):
        return Tracer(host, user)


class Capability(Way):
    name = "capability"

    def installed(self):
        return modes.by_capability()

    def owner(self, user):
        return USERS[user][0]


class Socket(Way):
    name = "socket"

    def installed(self):
        return modes.without_privilege()

    def owner(self, user):
        return DYNAMIC_USER

    def service(self, host):
        """The service manager of that host, from the first time that it is needed."""
        if not hasattr(host, "activation"):
            host.activation = Activation(host, HELPER)
        return host.activation

    def connect(self, host, user="mac", words=()):
        """A connection, on which these words were said already: who is connected has not long to
        say what he wants, and between two processes much else can run."""

        def connected():
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(SOCKET_PATH)
            if words:
                self.send(sock, *words)
            return [sock]

        self.service(host)
        [sock] = host.inside(lambda: helper.made_by(host, user, connected))
        return sock

    def ask(self, host, *words, user="mac", slot=0, br="auto"):
        words = words or (f"--slot={slot}", f"--br={br}")
        with self.connect(host, user, words) as sock:
            return self.answer(sock)

    def send(self, sock, *words):
        sock.send(b"".join(word.encode() + b"\0" for word in ("--fd=3", *words)))

    def answer(self, sock, seconds=15):
        message, fd = helper.receive(sock, seconds)
        reply = helper.parse_reply(message) if message else None
        return Answer(CODES[reply.code] if reply else None, "", reply, fd)

    def crowd(self, host, slots, user="mac"):
        socks, found = [], []
        for slot in slots:
            socks.append(self.connect(host, user, (f"--slot={slot}", "--br=auto")))
        for sock in socks:
            with sock:
                answer = self.answer(sock, 40)
                assert (answer.fd is not None) == (answer.status == 0), answer
                found.append((answer.reply and answer.reply.code, answer.fd))
        return found

    def tracer(self, host, user="mac"):
        return Tracer(host, user, service=DYNAMIC_USER)


class Qemu(Way):
    name = "qemu"
    has_reply = False
    slots = range(15, -1, -1)

    def argv(self, slot):
        return [HELPER, f"--fd={FD}", "--use-vnet", "--br=auto"]

    def ask(self, host, *words, user="mac", slot=0, br="auto"):
        for word in words:
            if word.startswith("--br="):
                br = word.removeprefix("--br=")
        return helper.ask_as_qemu(host, br, user)

    def refused(self, answer, name):
        return refused_on_stderr(answer, name)


SETUID, CAPABILITY, SOCKET, QEMU = WAYS = Way(), Capability(), Socket(), Qemu()
