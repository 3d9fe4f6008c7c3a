# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command and the library's example under valgrind: no wrong access, nothing lost at the end.

Avahi's libraries and libdbus are looked into too; what is still reachable at the end is theirs.
"""
import os
import shutil

import avahi
from avahi import Avahi
from case import limit, needs
from helper import taps
from observe import neighbour
from peer import Peer
from proc import wait_until
from station import Station
from world import ALLOW, REFUSE

WRONG = 99  # the exit status that valgrind gives a program in which it found something
VALGRIND = ["valgrind", "--quiet", f"--error-exitcode={WRONG}", "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect", "--track-fds=no"]  # fmt: skip


def missing():
    return None if shutil.which("valgrind") else "no valgrind (packaging/deps.sh lint)"


def clean(done):
    """Check a run: whatever its own status, valgrind has found nothing, and said nothing."""
    assert done.returncode != WRONG and "==" not in done.stderr, done
    return done


def run(host, *words, seconds=60):
    argv = [*VALGRIND, "basilisk-tap", *words]
    return clean(host.run(argv, user="mac", seconds=seconds))


@limit(300)
@needs(missing)
def test_command_is_clean_alone_and_beside_others(world):
    lan = world.lan()
    desk, attic = world.host("desk", lan, policy=ALLOW), world.host("attic", lan, policy=REFUSE)
    for words in ("--help", "--version", "mac", "status", "status --json", "nonsense",
                  "run", "run -- /no/such/program", "doctor --json", "chooser --help"):  # fmt: skip
        run(desk, *words.split())
    neighbours = [Peer(attic), Station(desk)]
    for words in ("status", "status --json", "peers", "peers --json", "doctor", "mac --slot=3",
                  "chooser", "chooser --json", "chooser ping 1.2"):  # fmt: skip
        run(desk, *words.split())
    assert neighbours


@limit(300)
@needs(missing, avahi.missing)
def test_command_is_clean_beside_avahi(world):
    desk = world.host("desk", world.lan(), policy=REFUSE)
    beside = [Avahi(desk), Station(desk)]
    for words in ("status", "peers", "doctor"):
        run(desk, *words.split())
    assert beside


def under_valgrind(world, host):
    """The example, until its standard input ends; returns what it said."""
    path = neighbour("test_shim_api").example(world)
    reader, writer = os.pipe()
    # dash knows no number of two digits
    argv = ["bash", "-c", f'exec {" ".join(VALGRIND)} "$0" auto <&{reader}', path]
    program = host.start(argv, user="mac", pass_fds=(reader,))
    os.close(reader)
    return program, writer


@limit(300)
@needs(missing)
def test_example_is_clean_on_the_lan_and_peer_to_peer(world):
    lan = world.lan()
    desk = world.host("desk", lan, policy=ALLOW)
    attic = world.host("attic", lan, policy=REFUSE)
    for host in (desk, attic):
        program, writer = under_valgrind(world, host)
        wait_until(lambda: "MAC" in program.stderr, 60, "the one line")
        assert bool(taps(host)) == (host is desk)
        os.close(writer)
        status = program.wait(60)
        assert status != WRONG and "==" not in program.stderr, program.story()
