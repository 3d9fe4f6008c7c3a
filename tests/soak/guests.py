# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that come and go: chatter.c, a stand-in, and the real emulator.  Both speak the test ROM's
protocol and answer each other's echoes.
"""
import os
import re
import shutil
import socket
import subprocess

import emulator
from case import Skip
from proc import Timeout, wait_until
from world import BUILD, TREE

HERE = os.path.dirname(os.path.realpath(__file__))
ASK_MAX = 64  # as in chatter.c


def program(world):
    """chatter.c, built with the library that the hosts have, and with held.c."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise Skip("no C compiler")
    path = world.path("chatter")
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]
    flags += ["-I" + os.path.join(TREE, "shim", "lib"), "-Wl,-rpath,/usr/local/lib"]
    library = os.path.join(BUILD, "libbasilisk-tap.so.0")
    sources = [os.path.join(HERE, name) for name in ("chatter.c", "held.c")]
    subprocess.run([compiler, *flags, "-o", path, *sources, library], check=True)
    return path


class Guest:
    """process, host, user; mac once it is known."""

    mac = None
    user = "mac"

    def kill(self):
        """As abruptly as can be, and whatever it is doing."""
        self.process.kill()
        self.forget()

    def forget(self):
        world = self.host.world
        world.processes.remove(self.process)
        for path in (self.process.stdout_path, self.process.stderr_path):
            os.unlink(path)

    def running(self):
        return self.process.running()


class Chatter(Guest):
    def __init__(self, host, path, user="mac", ether="auto", *words):
        self.host, self.user, self.ether = host, user, ether
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [path, ether, str(theirs.fileno()), *words]
        self.process = host.start(argv, user=user, name="chatter", pass_fds=(theirs.fileno(),))
        theirs.close()

    def opened(self, seconds=20):
        if not self.mac:
            self.socket.settimeout(seconds)
            word, _, mac = self.socket.recv(100).decode().partition(" ")
            assert word == "open", self.process.story()
            self.mac = bytes.fromhex(mac)
        return self

    def say(self, words):
        self.socket.send(words.encode())

    def ask(self, macs, milliseconds):
        assert len(macs) <= ASK_MAX, len(macs)
        self.say(" ".join(["ask", str(milliseconds), *(mac.hex() for mac in macs)]))

    def missing(self, seconds):
        """The MACs that gave no echo; ask() was before."""
        self.socket.settimeout(seconds)
        word, *macs = self.socket.recv(4096).decode().split(" ")
        assert word == "missing", word
        return [bytes.fromhex(mac) for mac in macs]

    def forget(self):
        self.socket.close()
        super().forget()

    def end(self):
        """As an emulator ends, with close()."""
        self.socket.shutdown(socket.SHUT_RDWR)
        status = self.process.wait(20)
        assert status == 0, self.process.story()
        self.forget()


class Mac(Guest):
    """The real emulator. Its home is used again by the next one."""

    def __init__(self, host, home=None):
        self.host = host
        self.emulator = emulator.Emulator(host, name="Soak", home=home)
        self.home = self.emulator.home
        self.process = self.emulator.process

    def opened(self, seconds=20):
        line = self.emulator.opened(seconds)
        self.mac = bytes.fromhex(re.search(r"MAC ([0-9a-f:]{17})", line)[1].replace(":", ""))
        return self


def await_echoes(guests, seconds=60):
    """Every one of them that can ask gets an echo of every other: how many pairs; or Timeout."""
    askers = [guest for guest in guests if isinstance(guest, Chatter)]
    for guest in guests:
        guest.opened()
    for asker in askers:
        asker.ask([g.mac for g in guests if g is not asker], seconds * 1000)
    wrong = []
    for asker in askers:
        for mac in asker.missing(seconds + 20):
            to = next(g for g in guests if g.mac == mac)
            wrong.append(f"{asker.host.name} {asker.mac.hex()} -> {to.host.name} {mac.hex()}")
    if wrong:
        raise Timeout(f"no echo within {seconds} s: " + "; ".join(wrong))
    return len(askers) * (len(guests) - 1)


def await_gone(host):
    wait_until(
        lambda: not any(link.startswith("btap") for link in host.links()),
        what=f"the end of the TAPs of {host.name}",
    )
