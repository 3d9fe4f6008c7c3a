# SPDX-License-Identifier: LGPL-2.1-or-later
"""A load program at one end of a way and an echo at the other; many ways are there at once, and are
measured in turns, so that the machine's moods hit all alike."""
import collections
import os
import subprocess
import time

import helper
from proc import enter
from world import BUILD, TREE

LENGTHS = (64, 1514)
FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]
OWN, OTHER = "020000000001", "020000000002"  # where a way has no address of its own


def build(world, name, *sources):
    """A program of the bench with the installed library, as its users build theirs."""
    output, local = world.path(name), world.place.local
    argv = ["cc", *FLAGS, "-I", local + "/include"]
    argv += [os.path.join(TREE, "tests/bench", source) for source in sources]
    argv += ["-o", output, "-L", local + "/lib", "-lbasilisk-tap", "-Wl,-rpath,/usr/local/lib"]
    subprocess.run([*argv, "-Wl,-rpath-link," + local + "/lib", "-ldl", "-pthread"], check=True)
    return output


def build_inside(world, name, source):
    """The same with the library's own parts, which it does not show to its users."""
    output = world.path(name)
    argv = ["cc", *FLAGS, "-I", os.path.join(TREE, "shim/lib"), "-I", os.path.join(TREE, "proto")]
    argv += [os.path.join(TREE, "tests/bench", source), "-o", output]
    subprocess.run([*argv, BUILD + "/libbasilisk-tap.a", "-ldl", "-pthread"], check=True)
    return output


class Asker:
    """The load program, which measures when asked."""

    def __init__(self, host, program, way, target, source="-", *, user=None, pass_fds=()):
        argv = [program, "ask", way, target, source]
        self.process = subprocess.Popen(
            enter(host.namespaces, argv, host.identity(user)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=host.environment(user),
            pass_fds=(*host.namespaces.values(), *pass_fds),
        )
        said = ""
        for said in iter(self.process.stdout.readline, ""):
            if said in ("settled\n", "no answer\n"):
                break
        assert said == "settled\n", f"{way}: {said!r}: no echo from {target}"

    def ask(self, what, length, seconds):
        self.process.stdin.write(f"{what} {length} {seconds}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer.startswith("= "), answer
        return float(answer[2:])


def echo(host, program, way, *, user=None, pass_fds=()):
    """An echo at that end; the MAC it has by itself."""
    process = host.start([program, "echo", way], user=user, pass_fds=pass_fds)
    return process.expect(r"^(\w+) is its MAC\nready", 20, stream="stdout")[1]


def plain_tap(here, there, program):
    """TAPs of the helper's at both ends, read and written by their descriptors."""
    near, far = (helper.ask(host, slot=1) for host in (here, there))
    assert near.status == far.status == 0, (near, far)
    macs = [answer.reply.mac.hex() for answer in (near, far)]
    try:
        echo(there, program, f"fd:{far.fd}", pass_fds=(far.fd,))
        return Asker(here, program, f"fd:{near.fd}", macs[1], macs[0], pass_fds=(near.fd,))
    finally:
        os.close(near.fd)
        os.close(far.fd)


def plain_udp(here, there, program):
    echo(there, program, f"udp:7000,{here.address},7000")
    return Asker(here, program, f"udp:7000,{there.address},7000", OTHER, OWN)


def library(here, there, program, ether):
    """Slots are given, so that nobody has the address of one of plain_tap()."""
    mac = echo(there, program, ether, user="mac")
    return Asker(here, program, ether, mac, user="mac")


def ours_and_plain(here, there, program):
    """What the first of each two is measured beside is the second."""
    return {
        "bridged": library(here, there, program, "auto-bridge/slot=0"),
        "the TAP's descriptor": plain_tap(here, there, program),
        "tunnel": library(here, there, program, "auto-p2p/slot=4"),
        "connected UDP": plain_udp(here, there, program),
    }


def measure(askers, deadline, *, seconds=0.02, kinds=("rate", "trip"), lengths=LENGTHS, least=3):
    """{(way, kind, length): a value of each round}: as many rounds as there is time for."""
    values = collections.defaultdict(list)
    rounds = 0
    while rounds < least or time.monotonic() < deadline:
        rounds += 1
        for kind in kinds:
            for length in lengths:
                # the one that begins has a colder machine: each in its turn
                ways = list(askers)
                if rounds % 2:
                    ways.reverse()
                for way in ways:
                    values[way, kind, length].append(askers[way].ask(kind, length, seconds))
    return values, rounds
