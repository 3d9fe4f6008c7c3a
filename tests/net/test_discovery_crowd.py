# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many instances at once, on two hosts: all know all, soon.  Stand-ins for the emulator."""
import os
import re
import shutil
import subprocess
import time

import avahi
import sanitize
from avahi import Avahi
from case import SLOWER, Skip, limit, needs
from proc import wait_until
from world import BUILD, REFUSE, TREE

HERE = os.path.dirname(os.path.realpath(__file__))
SLOTS = 16  # of each user
PATIENT = 120 * SLOWER  # seconds until one gives up: how soon it has to be, the test says


def program(world, name="crowd"):
    """crowd.c, or another one beside it, built with the library that the hosts have."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise Skip("no C compiler")
    path = world.path(name)
    source = os.path.join(HERE, "..", "lib", name + ".c")
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]
    flags += sanitize.FLAGS
    flags += ["-I" + os.path.join(TREE, "shim", "lib"), "-Wl,-rpath,/usr/local/lib"]
    library = os.path.join(BUILD, "libbasilisk-tap.so.0")
    if not os.path.exists(path):
        subprocess.run([compiler, *flags, "-o", path, source, library], check=True)
    return path


def start(host, path, count, others, seconds):
    """Start that many there, by as many users as it takes; one shell starts a user's."""
    crowd = []
    for user in range((count + SLOTS - 1) // SLOTS):
        some = min(SLOTS, count - user * SLOTS)
        uid = str(7101 + user)
        script = f"for i in $(seq {some}); do {path} {others} {seconds} & done; wait"
        identity = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--"]
        crowd.append(host.start([*identity, "sh", "-c", script], name=f"crowd-{uid}"))
    return crowd


def of_all():
    """Seconds that all programs have run, on all processors of this machine together; those that
    another machine had, where this one is a guest, are none of ours either."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, _, _, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + steal) / os.sysconf("SC_CLK_TCK")


def of_ours():
    """Those of the programs of this test, which has a pid namespace of its own."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                ticks += sum(map(int, file.read().rpartition(")")[2].split()[11:15]))
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has just ended, and its parent has its time
    return ticks / os.sysconf("SC_CLK_TCK")


class Time:
    """How long this test took, as it had the machine: less the share that others had of it."""

    def __init__(self):
        self.begin, self.all, self.ours = time.monotonic(), of_all(), of_ours()

    def share(self):
        others = of_all() - self.all - (of_ours() - self.ours)
        had = (time.monotonic() - self.begin) * os.cpu_count()
        return min(max(others / had, 0), 0.95)


def all_know_all(world, each, seconds, daemon=False):
    seconds *= SLOWER
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar")]
    path = program(world)
    if daemon:
        for host in hosts:
            Avahi(host)
    everyone = len(hosts) * each
    spent_on = Time()
    crowds = []
    for host in hosts:
        crowds += start(host, path, each, everyone - 1, PATIENT)

    def told():
        text = "".join(process.stdout for process in crowds)
        lines = re.findall(r"^(complete|short) ([\d.]+) (\d+)$", text, re.MULTILINE)
        return lines if len(lines) == everyone else None

    lines = wait_until(told, PATIENT + 10, f"{everyone} to be done", step=0.1)
    knew = sorted(int(count) for _, _, count in lines)
    spent = sorted(float(when) - spent_on.begin for _, when, _ in lines)
    share = spent_on.share()
    last = spent[-1] * (1 - share)
    print(f"{everyone}: median {spent[len(spent) // 2]:.2f} s, last {spent[-1]:.2f} s; {share:.0%} of")
    print(f"the machine's time was others': {last:.2f} s")
    assert knew[0] == everyone - 1, knew
    assert last <= seconds, (share, spent)


def test_two_by_twenty_five_know_each_other_within_three_seconds(world):
    all_know_all(world, 25, 3)


def test_two_by_fifty_know_each_other_within_eight_seconds(world):
    all_know_all(world, 50, 8)


@needs(avahi.missing)
@limit(120)
def test_two_by_fifty_by_the_daemon(world):
    all_know_all(world, 50, 8, daemon=True)
