# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs a process to have the card, beside frames: memory, wake-ups, its other descriptors,
the time to start; and what the calls for a frame cost in themselves."""
import os
import statistics
import time

import helper
import pairs
from memory import kilobytes
from proc import wait_until
from table import quartiles
from wire import Wire

PRELOAD = "/usr/local/lib/basilisk-tap/basilisk-tap-preload.so"
SETTLED = 10  # seconds: until then the discovery often announces itself


def bench(world, table, seconds):
    end = time.monotonic() + seconds
    program = pairs.build(world, "costs", "costs.c")
    lan = world.lan()
    desk, machine = world.host("desk", lan, policy="allow all\n"), world.host("machine", lan)
    alone, quiet, still = (world.host(name, world.lan()) for name in ("alone", "quiet", "still"))
    table.section("cost", "figure", "beside")
    watched = start_idle(quiet, still, program)
    begin = time.monotonic()
    tell_calls(world, table, desk, alone, seconds * 0.15)
    tell_others(table, desk, program, time.monotonic() + seconds * 0.2)
    tell_first(table, desk, machine, program, end - seconds * 0.3)
    time.sleep(max(0, begin + SETTLED - time.monotonic()))
    tell_idle(table, watched, max(4, end - time.monotonic()))
    table.end()


def start_idle(quiet, still, program):
    """What they cost is looked at when all has settled."""
    kinds = {
        "no card": (quiet, [], None),
        "peer to peer": (quiet, ["auto-p2p"], "mac"),
        "bridged": (still, ["auto-bridge"], "mac"),
    }
    watched = {}
    for name, (host, words, user) in kinds.items():
        watched[name] = host.start([program, "idle", *words], user=user)
        watched[name].expect("ready", 20, stream="stdout")
    return watched


def wake_ups(pid):
    """How often its threads were given a processor."""
    times = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            times += int(file.read().split()[2])
    return times


def tell_idle(table, watched, seconds):
    before = {name: wake_ups(process.pid) for name, process in watched.items()}
    time.sleep(seconds)
    private = {name: kilobytes(process.pid) for name, process in watched.items()}
    for name in ("peer to peer", "bridged"):
        more = private[name] - private["no card"]
        table.row(f"{name}: private memory, kB", more, f"all of the process: {private[name]}")
        table.bound(f"{name}: private memory", more, 1024, unit=" kB")
    for name in ("peer to peer", "bridged"):
        times = wake_ups(watched[name].pid) - before[name]
        table.row(f"{name}, idle: wake-ups in {seconds:.0f} s", times, "mDNS' own are among them")


def numbers(process):
    assert process.returncode == 0, process
    return [float(word) for word in process.stdout.split()]


def tell_others(table, desk, program, deadline):
    """The least of each, in turns: what else the machine does only adds."""
    plain, loaded = [], []
    while len(plain) < 6 or time.monotonic() < deadline:
        plain.append(numbers(desk.run([program, "others"])))
        argv = ["env", "LD_PRELOAD=" + PRELOAD, program, "others", "auto-p2p"]
        loaded.append(numbers(desk.run(argv)))
    for name, ours, other in zip(("read()", "write()", "poll()"), zip(*loaded), zip(*plain)):
        more = min(ours) - min(other)
        what = f"preload library: {name} of other descriptors"
        table.row(what + ", ns", f"{more:+.1f}", f"{min(other):.1f} without it")
        table.bound(what, more, 20, unit=" ns")


def tell_first(table, desk, machine, program, deadline):
    """From the start of the program to its first frame on the LAN; a program that does nothing
    is started in the same way for what that alone takes."""
    spent, nothing = [], []
    with Wire(machine) as wire:
        while len(spent) < 5 or (time.monotonic() < deadline and len(spent) < 50):
            start = time.monotonic()
            desk.run(["true"], user="mac")
            nothing.append((time.monotonic() - start) * 1e3)
            wire.drain()
            start = time.monotonic()
            guest = desk.start([program, "first", "auto-bridge"], user="mac")
            wire.expect(lambda f: f[6] == 0xB2 and f[12:14] == b"\x88\xb5", 5, "its first frame")
            spent.append((time.monotonic() - start) * 1e3)
            taps = helper.taps(desk)
            guest.kill()
            wait_until(lambda: helper.taps(desk) < taps, what="the end of the TAP")
    low, high = quartiles(spent)
    table.row(
        "bridged: start to first frame, ms",
        f"{statistics.median(spent):.1f}",
        f"quartiles {low:.1f}, {high:.1f}; starting anything: {statistics.median(nothing):.1f}",
    )
    table.bound("bridged: start to first frame", statistics.median(spent), 50, unit=" ms")


def tell_calls(world, table, desk, alone, seconds):
    """Per frame, both ends in one thread: send, poll, receive, receive, poll; and in bursts."""
    program = pairs.build(world, "calls", "calls.c", "way.c")
    answers = [helper.ask(desk, slot=slot) for slot in (5, 6)]
    fds = tuple(answer.fd for answer in answers)
    taps = [*(f"fd:{fd}" for fd in fds), *(answer.reply.mac.hex() for answer in answers)]
    udp = [f"udp:700{a},127.0.0.1,700{b}" for a, b in ((1, 2), (2, 1))] + [pairs.OWN, pairs.OTHER]
    ways = (
        (desk, "bridged", taps, ["auto-bridge/slot=7", "auto-bridge/slot=4", "-", "-"]),
        (alone, "tunnel", udp, ["auto-p2p/slot=7", "auto-p2p/slot=8", "-", "-"]),
    )
    for host, name, plain, ours in ways:
        argv = [program, str(int(seconds * 500)), *plain, *ours]
        done = host.run(argv, user="mac", pass_fds=fds, seconds=60)
        assert done.returncode == 0, done
        best = [float(line[2:]) for line in done.stdout.splitlines() if line.startswith("= ")]
        half = len(best) // 2
        kinds = [f"{how}, {n} bytes" for how in ("alone", "in bursts of 16") for n in pairs.LENGTHS]
        for kind, other, own in zip(kinds, best[:half], best[half:]):
            beside = f"{other:.0f} by the plain descriptor ({own / other:.2f})"
            table.row(f"{name}: all calls for a frame {kind}, ns", f"{own:.0f}", beside)
    for answer in answers:
        helper.close(answer)
