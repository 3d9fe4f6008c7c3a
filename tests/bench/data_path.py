# SPDX-License-Identifier: LGPL-2.1-or-later
"""The way of a frame: a bridged guest beside the same program on the bare TAP, and the tunnel beside
a connected UDP socket; echo between two hosts, in turns, the best of the rounds of each."""
import collections
import os
import statistics
import subprocess
import time

import helper
from proc import wait_until
from wire import Wire
from world import REFUSE, TREE

ROUNDS = 8
SECONDS = "0.2"
OWN = "020000000001"


def build(world):
    source = os.path.join(TREE, "tests/bench/data_path.c")
    output, local = world.path("data_path"), world.place.local
    argv = ["cc", "-std=gnu11", "-O2", "-D_GNU_SOURCE", "-I", local + "/include", source]
    argv += ["-o", output, "-L", local + "/lib", "-lbasilisk-tap", "-Wl,-rpath,/usr/local/lib"]
    subprocess.run([*argv, "-Wl,-rpath-link," + local + "/lib"], check=True)
    return output


class Results:
    def __init__(self):
        self.values = collections.defaultdict(list)

    def add(self, kind, output):
        for line in output.splitlines():
            words = line.split()
            if words[0] in ("trip", "rate"):
                self.values[kind, words[0], int(words[1])].append(float(words[2]))

    def tell(self, tell, title, ours, plain):
        for length in (64, 1514):
            trip = [min(self.values[kind, "trip", length]) for kind in (ours, plain)]
            rate = [max(self.values[kind, "rate", length]) for kind in (ours, plain)]
            tell(
                f"{title}, {length} bytes: round trip {trip[0]:.2f} us, {plain} {trip[1]:.2f} us: "
                f"{trip[0] / trip[1]:.2f}; {rate[0]:.0f} frames/s, {plain} {rate[1]:.0f}: "
                f"{rate[0] / rate[1]:.2f}"
            )


def run(host, argv, user=None):
    done = host.run([*argv, SECONDS], user=user, seconds=30)
    assert done.returncode == 0, done
    return done.stdout


def tell_start(tell, program, desk, machine):
    """From the start of the program to its first frame on the LAN; a program that does nothing
    is started in the same way for what that alone takes."""
    spent, nothing = [], []
    with Wire(machine) as wire:
        for _ in range(ROUNDS):
            start = time.monotonic()
            desk.run(["true"], user="mac")
            nothing.append((time.monotonic() - start) * 1e3)
            wire.drain()
            start = time.monotonic()
            guest = desk.start([program, "first", "auto"], user="mac")
            wire.expect(lambda f: f[6] == 0xB2 and f[12:14] == b"\x88\xb5", 5, "its first frame")
            spent.append((time.monotonic() - start) * 1e3)
            guest.kill()
            wait_until(lambda: not helper.taps(desk), what="the end of the TAP")
    tell(
        f"bridged, start to first frame: median {statistics.median(spent):.1f} ms, "
        f"most {max(spent):.1f} ms; of that {statistics.median(nothing):.1f} ms to start anything"
    )


def tell_others(tell, program, desk):
    """What the preload library costs the other descriptors of a process that has a card."""
    preload = "/usr/local/lib/basilisk-tap/basilisk-tap-preload.so"
    plain = desk.run([program, "others"]).stdout.split()[1:]
    loaded = desk.run(["env", "LD_PRELOAD=" + preload, program, "others"]).stdout.split()[1:]
    more = [float(b) - float(a) for a, b in zip(plain, loaded)]
    tell("preload library, other descriptors: read %+.1f ns, write %+.1f, poll %+.1f" % tuple(more))


def bench(world, tell):
    program = build(world)
    lan = world.lan()
    desk, machine = world.host("desk", lan), world.host("machine", lan)
    attic, cellar = (world.host(n, lan, policy=REFUSE) for n in ("attic", "cellar"))
    card = machine.mac_of("nic").hex()
    results = Results()
    for _ in range(ROUNDS):
        answer = helper.ask(desk)
        assert answer.status == 0, answer
        echo = desk.start([program, "echo", f"fd:{answer.fd}"], pass_fds=(answer.fd,))
        os.close(answer.fd)
        echo.expect("ready", stream="stdout")
        load = [program, "load", "card:nic", answer.reply.mac.hex(), card]
        results.add("bare TAP", run(machine, load))
        echo.kill()

        echo = desk.start([program, "echo", "auto"], user="mac")
        mac = echo.expect(r"(\w+) is its MAC", stream="stdout")[1]
        results.add("bridged", run(machine, [program, "load", "card:nic", mac, card]))
        echo.kill()

        echo = cellar.start([program, "echo", f"udp:7000,{attic.address},7001"])
        echo.expect("ready", stream="stdout")
        load = [program, "load", f"udp:7001,{cellar.address},7000", OWN, OWN]
        results.add("connected UDP", run(attic, load))
        echo.kill()

        echo = cellar.start([program, "echo", "auto-p2p"], user="mac")
        mac = echo.expect(r"(\w+) is its MAC", stream="stdout")[1]
        results.add("tunnel", run(attic, [program, "load", "auto-p2p", mac, "-"], user="mac"))
        echo.kill()
    results.tell(tell, "bridged", "bridged", "bare TAP")
    results.tell(tell, "tunnel", "tunnel", "connected UDP")
    tell_start(tell, program, desk, machine)
    tell_others(tell, program, desk)
