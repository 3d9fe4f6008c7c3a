# SPDX-License-Identifier: LGPL-2.1-or-later
"""From exec to descriptor: the helper beside Debian's qemu-bridge-helper, in turn, in one run.

Each round runs the ways one after the other, so that the machine's moods hit all alike; a ratio is
the median of the rounds' own ratios. qemu-bridge-helper adds a TAP to a bridge that exists, and has
its own policy file, which allows it.
"""
import os
import socket
import statistics
import time

import helper

ROUNDS = 30
QEMU_HELPER = "/usr/lib/qemu/qemu-bridge-helper"


def milliseconds(argv, status):
    """Wall time until the answer is here; the descriptor is closed, the process awaited."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        fd = theirs.fileno()
        argv = [word.replace("@", str(fd)) for word in argv]
        begin = time.perf_counter()
        keep = [(os.POSIX_SPAWN_DUP2, fd, fd), (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
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


def bench(world, tell):
    desk = world.host("desk", world.lan(), policy="allow all\n")
    desk.ip("link add br0 type bridge", "link set br0 up")
    desk.write("/etc/qemu/bridge.conf", "allow br0\n")
    ours = [helper.HELPER, "--fd=@", "--slot=0"]
    theirs = [QEMU_HELPER, "--use-vnet", "--fd=@"]
    release = [helper.HELPER, "--release"]

    def body():
        rounds = []
        for _ in range(ROUNDS):
            cold = milliseconds(ours, 0)
            rounds.append(
                {
                    "attach, attachment present": milliseconds(ours, 0),
                    "attach, cold": cold,
                    "refusal": milliseconds([*ours, "--br=none"], 12),
                    "qemu-bridge-helper": milliseconds([*theirs, "--br=br0"], 0),
                    "qemu-bridge-helper, refusal": milliseconds([*theirs, "--br=br9"], 1),
                }
            )
            assert os.spawnv(os.P_WAIT, release[0], release) == 0
        return rounds

    rounds = desk.inside(body)
    tell(f"{'helper, exec to descriptor, ms':34} median   min     max     ratio to qemu-bridge-helper's")
    for name in rounds[0]:
        values = [r[name] for r in rounds]
        against = "qemu-bridge-helper" + (", refusal" if "refusal" in name else "")
        ratio = statistics.median(r[name] / r[against] for r in rounds)
        tell(f"  {name:32} {statistics.median(values):6.2f} {min(values):7.2f} {max(values):7.2f}   {ratio:.2f}")
