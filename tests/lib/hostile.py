# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts of the helper by someone who means ill: each is refused in a documented way or done right,
in time, and the host's network is as before unless a TAP was rightly handed over.
"""
import contextlib
import ctypes
import os
import resource
import signal

import starter
from helper import HELPER, NAMES, pair, parse_reply, receive, tap_name, taps
from netstate import NetState, difference
from proc import wait_until

WORDS = ["--slot=0", "--br=auto"]
DEADLINE = 8  # seconds: the sum of the helper's own
CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS = 0x10000000, 0x40000000, 0x00020000
PR_SET_DUMPABLE = 4
LOADER = 127  # the loader's refusal, before the helper's first instruction

libc = ctypes.CDLL(None, use_errno=True)


class Desk:
    """A host, and what it looked like before."""

    def __init__(self, world, **options):
        self.host = world.host("desk", world.lan(), **options)
        self.net = NetState(self.host)
        self.net.settle("nic")
        self.before = self.net.snapshot()

    def check_untouched(self, what):
        after = self.net.snapshot()
        assert after == self.before, f"{what}:\n{difference(self.before, after)}"

    def release(self):
        wait_until(lambda: not taps(self.host), what="the end of the TAP")
        assert self.host.run([HELPER, "--release"]).returncode == 0
        self.check_untouched("release")


def start(host, *, fd=9, words=WORDS, argv=None, theirs=None, **options):
    """The shim's call; theirs is the socket that the helper gets as descriptor fd."""
    descriptors = options.pop("descriptors", {})
    if theirs is not None:
        descriptors = {fd: theirs.fileno(), **descriptors}
    argv = [HELPER, f"--fd={fd}", *words] if argv is None else argv
    return starter.start(host, HELPER, argv, descriptors=descriptors, **options)


def check(desk, *allowed, what=None, **options):
    """Start it so; it must end in one of the allowed ways.  Returns its name: a refusal has touched
    nothing, a success handed over a TAP, which is then given back."""
    ours, theirs = pair(desk.host, "mac")
    with ours, theirs, start(desk.host, theirs=theirs, **options) as run:
        status = run.wait(DEADLINE)
        theirs.close()
        message, fd = receive(ours)
        said = run.said()
    what = f"{what}: {status} {message[:48]} {said}"
    if status == LOADER and "loader" in allowed:
        name = "loader"
    else:
        assert status in NAMES, what
        name = NAMES[status]
    assert name in allowed, what
    assert (fd is not None) == (name == "ok"), what
    if fd is None:
        desk.check_untouched(what)
        return name
    assert parse_reply(message).code == "ok" and tap_name(fd) == parse_reply(message).tap, what
    os.close(fd)
    desk.release()
    return name


def set_limit(which, soft, hard=None):
    return lambda: resource.setrlimit(which, (soft, soft if hard is None else hard))


def fill(sock):
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(4096))


@contextlib.contextmanager
def full_pipe():
    """The end of it that somebody else is to write to."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


def unshare(flags):
    uid, gid = os.getuid(), os.getgid()
    libc.prctl(PR_SET_DUMPABLE, 1)  # a change of user took it away, and with it its own /proc
    if libc.unshare(flags) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


@contextlib.contextmanager
def foreign_network(host):
    """The host's network is, for a while, one that belongs to a user namespace of mac's."""
    ready, done = os.pipe()
    holder = os.fork()
    if holder == 0:
        try:
            starter.become(host.identity("mac"))
            unshare(CLONE_NEWUSER | CLONE_NEWNET)
            os.write(done, b"x")
            signal.pause()
        except BaseException as error:
            os.write(done, repr(error).encode())
        finally:
            os._exit(1)
    os.close(done)
    kept = host.namespaces["net"]
    try:
        said = os.read(ready, 1000)
        assert said == b"x", said
        host.namespaces["net"] = os.open(f"/proc/{holder}/ns/net", os.O_RDONLY)
        yield
    finally:
        if host.namespaces["net"] != kept:
            os.close(host.namespaces["net"])
        host.namespaces["net"] = kept
        os.close(ready)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
