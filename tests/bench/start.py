# SPDX-License-Identifier: LGPL-2.1-or-later
"""From exec to descriptor: the helper beside Debian's qemu-bridge-helper, in turn, in one run.

qemu-bridge-helper adds a TAP to a bridge that exists, and has
its own policy file, which allows it.
"""
import itertools
import os
import socket
import time

import helper
from table import measured

QEMU_HELPER = "/usr/lib/qemu/qemu-bridge-helper"
ROUNDS_MIN = 30


def milliseconds(argv, status):
    """Wall time until the answer is here; the descriptor is closed, the process awaited."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        fd = theirs.fileno()
        argv = [word.replace("@", str(fd)) for word in argv]
        begin = time.perf_counter()
        silent = (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)
        keep = [(os.POSIX_SPAWN_DUP2, fd, fd), silent]
        pid = os.posix_spawn(argv[0], argv, {}, file_actions=keep)
        theirs.close()
        if status == 0 or "--slot" in " ".join(argv):
            _, got = helper.receive(ours)
        else:  # qemu-bridge-helper refuses by its exit status alone
            got = None
        spent = (time.perf_counter() - begin) * 1e3
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status:
            spent = (time.perf_counter() - begin) * 1e3
        assert code == status, (argv, code)
        if got is not None:
            os.close(got)
        return spent


def bench(world, table, seconds):
    deadline = time.monotonic() + seconds
    desk = world.host("desk", world.lan(), policy="allow all\n")
    desk.ip("link add br0 type bridge", "link set br0 up")
    desk.write("/etc/qemu/bridge.conf", "allow br0\n")
    ours = [helper.HELPER, "--fd=@", "--slot=0"]
    theirs = [QEMU_HELPER, "--use-vnet", "--fd=@"]
    release = [helper.HELPER, "--release"]
    commands = {
        "attach, all there already": (ours, 0),
        "refusal": ([*ours, "--br=none"], 12),
        "qemu-bridge-helper": ([*theirs, "--br=br0"], 0),
        "qemu-bridge-helper, refusal": ([*theirs, "--br=br9"], 1),
    }

    def body():
        rounds = []
        orders = itertools.cycle(itertools.permutations(commands))
        while len(rounds) < ROUNDS_MIN or time.monotonic() < deadline:
            one = {"attach, nothing there": milliseconds(ours, 0)}
            # each comes after each of the others equally often: the kernel is still busy taking a
            # TAP down when the next program starts, and that must not be to one side's cost
            for name in next(orders):
                one[name] = milliseconds(*commands[name])
            rounds.append(one)
            assert os.spawnv(os.P_WAIT, release[0], release) == 0
        return rounds

    rounds = desk.inside(body)
    table.section(f"helper, from exec to descriptor, {len(rounds)} rounds", "ms")
    for name in sorted(rounds[0]):
        plain = "qemu-bridge-helper" + (", refusal" if "refusal" in name else "")
        values, beside = ([r[n] for r in rounds] for n in (name, plain))
        table.row(name, measured(values, None if name == plain else beside))
    table.end()
