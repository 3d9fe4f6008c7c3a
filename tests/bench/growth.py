# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs when there is more of it: peers, emulators, bytes in a frame, guests of a host."""
import itertools
import os
import re
import statistics
import time

import helper
import pairs
from memory import kilobytes
from proc import wait_until
from table import measured
from world import REFUSE

PEERS = (1, 10, 100, 1000, 10000)
EMULATORS = (1, 2, 10, 25, 50)
BYTES = (64, 256, 512, 1024, 1514)
GUESTS = (1, 2, 4, 8, 16, 32)
SLOTS = 16  # of each user
LOOKS, CROWDS = 5, 3  # repetitions of what takes no turns with anything
CROWD = itertools.count(1)


def bench(world, table, seconds):
    begin = time.monotonic()
    grow_peers(world, table)
    grow_frames(world, table, begin + seconds * 0.45)
    grow_guests(world, table, seconds * 0.2)
    grow_emulators(world, table)


# ---- peers


def grow_peers(world, table):
    program = pairs.build_inside(world, "peers", "peers.c")
    host = world.host("alone")
    found = {count: [] for count in PEERS}
    for _ in range(LOOKS):
        for count in PEERS:
            told = host.run([program, str(count)]).stdout.split()
            found[count].append([float(word) for word in told])
    busy, turn, size = ([[one[n] for one in found[count]] for count in PEERS] for n in range(3))
    table.section(f"peers known, {LOOKS} rounds", *PEERS)
    table.row("look-up of one of 16 that are busy, ns", *map(measured, busy))
    table.row("look-up of each in turn, ns", *map(measured, turn))
    # below that it is less than the pages of memory it is in
    sizes = [f"{max(one):.1f}" if count >= 1000 else "" for count, one in zip(PEERS, size)]
    table.row("bytes for each", *sizes)
    table.end()
    table.bound("bytes for each of 10,000 peers", max(size[-1]), 128)
    median = statistics.median
    table.bound("a look-up among 10,000, beside one", median(busy[-1]) / median(busy[0]), 4)


# ---- the length of frames


def grow_frames(world, table, deadline):
    program = pairs.build(world, "load", "load.c", "way.c")
    lan = world.lan()
    here, there = (world.host(name, lan) for name in ("short", "long"))
    askers = pairs.ours_and_plain(here, there, program)
    values, rounds = pairs.measure(askers, deadline, kinds=("rate",), lengths=BYTES)
    table.section(f"frames/s by length, {rounds} rounds", *(f"{length} bytes" for length in BYTES))
    for ours, plain in (("bridged", "the TAP's descriptor"), ("tunnel", "connected UDP")):
        for way, beside in ((ours, plain), (plain, None)):
            plains = [beside and values[beside, "rate", n] for n in BYTES]
            rates = [values[way, "rate", n] for n in BYTES]
            table.row(way, *map(measured, rates, plains))
    table.end()


# ---- guests of one host


def grow_guests(world, table, seconds):
    """One guest echoes to a machine of the LAN, while more and more others are there too."""
    program = pairs.build(world, "load", "load.c", "way.c")
    lan = world.lan()
    policy = f"allow all\nmax-taps {SLOTS}\nmax-total 64\n"
    desk, machine = world.host("desk", lan, policy=policy), world.host("machine", lan)
    card = machine.mac_of("nic").hex()
    first = helper.ask(desk, slot=0)
    pairs.echo(desk, program, f"fd:{first.fd}", pass_fds=(first.fd,))
    asker = pairs.Asker(machine, program, "card:nic", first.reply.mac.hex(), card)
    others, cells = [], {"trip": [], "rate": [], "cast": []}
    for count in GUESTS:
        while len(others) < count - 1:
            user, slot = divmod(len(others) + 1, SLOTS)
            others.append(helper.ask(desk, user=("mac", "guest", "lisa")[user], slot=slot))
            assert others[-1].status == 0, others[-1]
        for kind in ("trip", "rate", "cast"):
            some = [asker.ask(kind, 64, seconds / len(GUESTS) / 20) for _ in range(5)]
            cells[kind].append(some)
    helper.close(first)
    for other in others:
        helper.close(other)
    table.section("guests of one host, 5 rounds", *GUESTS)
    table.row("round trip to one of them, µs", *map(measured, cells["trip"]))
    table.row("frames/s to it and back", *map(measured, cells["rate"]))
    table.row("a broadcast to all of them, µs", *map(measured, cells["cast"]))
    table.end()


# ---- emulators on a network


def processor_ms(pid):
    spent = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            spent += int(file.read().split()[0])
    return spent / 1e6


def crowd(world, program, count):
    """Seconds until all know all; of each, kilobytes and milliseconds; on two hosts."""
    lan = world.lan()
    names = (f"attic{next(CROWD)}", f"cellar{next(CROWD)}")
    hosts = [world.host(name, lan, policy=REFUSE) for name in names]
    begin = time.monotonic()
    processes = []
    for one in range(count):
        host, user = hosts[one % 2], 7101 + one // 2 // SLOTS
        identity = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]
        processes.append(host.start([*identity, program, str(count - 1), "30"], name="crowd"))

    def told():
        last = re.compile(r"^(complete|short) ([\d.]+)", re.MULTILINE)
        lines = [last.search(process.stdout) for process in processes]
        return all(lines) and lines

    lines = wait_until(told, 40, f"{count} to know each other", step=0.05)
    assert all(line[1] == "complete" for line in lines), "not all know all within 30 s"
    spent = max(float(line[2]) for line in lines) - begin
    memory = [kilobytes(p.pid) for p in processes]
    processor = [processor_ms(p.pid) for p in processes]
    for process in processes:
        process.kill()
    return spent, memory, processor


def grow_emulators(world, table):
    program = pairs.build(world, "crowd", "../lib/crowd.c")
    spent, memory, processor = ([[] for _ in EMULATORS] for _ in range(3))
    for _ in range(CROWDS):
        for n, count in enumerate(EMULATORS):
            seconds, kilobytes, ms = crowd(world, program, count)
            spent[n].append(seconds)
            memory[n] += kilobytes
            processor[n] += ms
    table.section(f"emulators on two hosts, peer to peer (stand-ins), {CROWDS} rounds", *EMULATORS)
    table.row("from the first start until all know all, s", *map(measured, spent))
    table.row("private memory of each, all of the process, kB", *map(measured, memory))
    table.row("processor time of each until then, ms", *map(measured, processor))
    table.end()
