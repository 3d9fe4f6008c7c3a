# SPDX-License-Identifier: LGPL-2.1-or-later
"""A station: a stand-in for the emulator, and said to be one.  It makes the emulator's calls under
the preload library, and hands every frame to the test and back, byte for byte.

Where the real emulator takes a second to start and has a protocol of its own, dozens of these
can run, send any frame, and stop reading when they are told.
"""
import os
import pathlib
import select
import shutil
import socket

import sanitize
from proc import wait_until
from station_program import EXIT, FILL, FORK, GO, LEAVE, STOP
from wire import Ether
from world import USERS

HERE = os.path.dirname(os.path.realpath(__file__))


def program(world):
    """The program, where the host's users can read it."""
    path = world.path("station_program.py")
    if not os.path.exists(path):
        shutil.copy(os.path.join(HERE, "station_program.py"), path)
    return path


class Station(Ether):
    """mac is its MAC address; raises AssertionError where it gets no network.

    stderr, a path, takes what it says instead of the file that said() and story() read.
    """

    def __init__(self, host, ether="auto", *, user="mac", debug=True, env=None, wait=True,
                 waits="both", stderr=None):  # fmt: skip
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        theirs.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)  # SO_SNDBUFFORCE
        self.host, self.socket, self.mac, self.uid = host, ours, None, USERS[user][0]
        log = "debug" if debug else "info"
        settings = {"LD_PRELOAD": sanitize.preload(), "BASILISK_TAP_LOG": log}
        settings.update(env or {})
        argv = ["env", *(f"{k}={v}" for k, v in settings.items())]
        argv += ["/usr/bin/python3", "-B", program(host.world), ether, str(theirs.fileno()), waits]
        if stderr:
            argv = ["sh", "-c", 'exec "$@" 2>"$0"', stderr, *argv]
        self.process = host.start(
            argv, user=user, name=f"station-{ether.replace('/', '-')}", pass_fds=(theirs.fileno(),)
        )
        theirs.close()
        self.card = self.process.name
        if wait:
            self.joined()

    def joined(self, seconds=60):
        self.socket.settimeout(seconds)
        self.mac = self.socket.recv(6)
        assert len(self.mac) == 6, self.process.story()
        return self

    def send(self, frame):
        self.socket.send(frame)

    def receive(self, seconds):
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        frame = self.socket.recv(2048)
        if not frame:
            raise AssertionError(self.process.story())
        return frame

    def freeze(self):
        self.socket.send(STOP)

    def thaw(self):
        self.socket.send(GO)

    def close(self):
        """Ends it as the emulator ends, with close()."""
        if self.socket.fileno() >= 0:
            self.socket.close()
            self.process.wait()

    def exit(self):
        """Ends it by exit(), without close(); returns the exit status."""
        self.socket.send(EXIT)
        return self.process.wait()

    def fork(self):
        """A child of it comes, and ends by exit()."""
        self.socket.send(FORK)

    def leave_child(self):
        """A child of it comes, and stays.  Returns once it is there."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        before = children.read_text()
        self.socket.send(LEAVE)
        wait_until(lambda: children.read_text() != before, what="the child")

    def fill(self):
        """It has no descriptor left.  Returns once that is so."""
        self.socket.send(FILL)
        self.process.expect("full: ", stream="stdout")

    # ---- what it says of itself
    def ask(self, word):
        """The raw answer of its status socket."""

        def body():
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.settimeout(30)
                sock.connect(f"/tmp/basilisk-tap-{self.uid}/slot-{self.mac[5] & 15}.sock")
                sock.send(word)
                return sock.recv(1 << 16).decode()

        return self.host.inside(body)

    def said(self):
        """What it said on stderr, line by line."""
        return [line for line in self.process.stderr.splitlines() if line.startswith("basilisk-")]

    def story(self, pattern, seconds=5.0):
        return self.process.expect(pattern, seconds)

    def status(self):
        """Counters and state by key, from the command; peers as {MAC: {key: value}} at "peer"."""
        facts, peers = {}, {}
        for line in self.ask(b"status").splitlines():
            key, _, value = line.partition("=")
            if key == "peer":
                mac, *words = value.split(" ")
                peers[bytes.fromhex(mac.replace(":", ""))] = dict(w.split("=", 1) for w in words)
            else:
                facts[key] = value
        facts["peer"] = peers
        return facts

    def counter(self, key):
        return int(self.status()[key])

    def await_peer(self, mac, seconds=5.0, **facts):
        """Await that the peer is known, with these facts: proven="1", way="tunnel", ..."""

        def known():
            peer = self.status()["peer"].get(mac)
            return peer if peer and all(peer[k] == v for k, v in facts.items()) else None

        return wait_until(known, seconds, f"{mac.hex(':')} with {facts} at {self.card}")
