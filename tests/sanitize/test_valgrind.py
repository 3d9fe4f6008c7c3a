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
from proc import wait_until
from station import Station
from world import ALLOW, REFUSE

WRONG = 99  # the exit status that valgrind gives a program in which it found something
# "Possibly lost" is what a thread has that is there at the end still: the library does not wait
# for ever for one that multicast DNS holds up.
LOST = "definite,indirect"
VALGRIND = ["valgrind", "--quiet", f"--error-exitcode={WRONG}", "--leak-check=full",
            f"--show-leak-kinds={LOST}", f"--errors-for-leak-kinds={LOST}", "--track-fds=no"]  # fmt: skip


def missing():
    return None if shutil.which("valgrind") else "no valgrind (packaging/deps.sh lint)"


def run(host, words, status=0):
    """Run the command; valgrind has found nothing, and said nothing. Returns what it printed."""
    argv = [*VALGRIND, "basilisk-tap", *words.split()]
    done = host.run(argv, user="mac", seconds=60)
    assert done.returncode == status and "==" not in done.stderr, done
    return done.stdout


@limit(300)
@needs(missing)
def test_command_is_clean_alone(world):
    desk = world.host("desk", world.lan(), policy=ALLOW)
    for words in ("--help", "--version", "mac", "doctor --json", "chooser --help"):
        run(desk, words)
    for words, status in (
        ("status", 3), ("status --json", 3), ("nonsense", 2), ("run", 2),
        ("run -- /no/such/program", 127),
    ):  # fmt: skip
        run(desk, words, status)


@limit(300)
@needs(missing)
def test_command_is_clean_beside_emulators(world):
    lan = world.lan()
    desk, attic = world.host("desk", lan, policy=ALLOW), world.host("attic", lan, policy=REFUSE)
    with Station(desk) as here, Station(attic) as there:
        here.await_peer(there.mac, 20)
        for words in ("status", "status --json", "peers", "peers --json"):
            assert there.mac.hex(":") in run(desk, words), words
        for words in ("mac --slot=3", "doctor"):
            run(desk, words)
        for words in ("chooser", "chooser --json", "chooser ping 1.2"):  # nobody speaks AppleTalk
            run(desk, words, 3)


@limit(300)
@needs(missing, avahi.missing)
def test_command_is_clean_beside_avahi(world):
    lan = world.lan()
    desk, attic = (world.host(name, lan, policy=REFUSE) for name in ("desk", "attic"))
    daemon = Avahi(desk)
    with Station(desk) as here, Station(attic) as there:
        here.await_peer(there.mac, 20)
        for words in ("status", "peers"):
            assert there.mac.hex(":") in run(desk, words), words
        run(desk, "doctor", 1)
    daemon.stop()


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
