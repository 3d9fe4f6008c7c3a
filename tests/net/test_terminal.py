# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the command does for somebody who watches: colour and progress on a terminal, and nothing of
either in a file or a pipe, or for who does not want it."""
import fcntl
import os
import pty
import re
import select
import termios

from case import needs
from numbered import await_all_know_all
from station import Station
from world import REFUSE

ESCAPE = re.compile(r"\x1b\[[0-9;]*[mK]")
PROGRESS = "\x1b[K"
RED, GREEN, YELLOW = "\x1b[1;31m", "\x1b[32m", "\x1b[33m"
TERM = {"TERM": "xterm"}


def script_missing():
    return None if os.path.exists("/usr/bin/script") else "no script(1) (bsdutils)"


def watched(host, words, env=None, more=""):
    """What a terminal gets from the command; (exit status, text)."""
    line = f"basilisk-tap {words} {more}"
    argv = ["script", "--quiet", "--return", "--command", line, "/dev/null"]
    done = host.run(argv, user="mac", env={**TERM, **(env or {})})
    return done.returncode, done.stdout  # each line end has become "\n", a mere "\r" as well


def without_progress(text):
    """As it stays on the screen: each progress line is wiped by the next."""
    return re.sub(r"\n\x1b\[K([^\n]*(?=\n\x1b\[K))?", "", text)


def piped(host, words, env=None):
    """In a pipe, of a session that has a terminal."""
    done = host.run(["basilisk-tap", *words.split()], user="mac", env={**TERM, **(env or {})})
    assert "\x1b" not in done.stdout + done.stderr and "..." not in done.stderr, done
    return done


def line_of(text, name):
    """The line of that host's emulator, but for how long ago it was heard of."""
    [line] = [line for line in text.splitlines() if line.endswith("  " + name)]
    return re.sub(r"\d+ s ago +", "N s ago  ", line)


@needs(script_missing)
def test_doctor_is_in_colour_and_tells_its_progress_on_a_terminal_alone(world):
    host = world.host("desk", world.lan(), policy=REFUSE)
    status, seen = watched(host, "doctor")
    assert status == 1 and f"{RED}problem\x1b[0m  denied: " in seen, seen
    assert f"{YELLOW}note   \x1b[0m  no-avahi-daemon: " in seen, seen
    for step in ("asking the helper", "trying the firewall", "listening for other emulators"):
        assert f"{PROGRESS}{step} ..." in seen, (step, seen)
    plain = piped(host, "doctor")
    assert plain.returncode == 1 and ESCAPE.sub("", without_progress(seen)) == plain.stdout
    host.policy("allow all\n")
    assert f"{GREEN}nothing is in the way\x1b[0m\n" in watched(host, "doctor")[1]


@needs(script_missing)
def test_status_and_peers_are_in_colour_on_a_terminal_alone(world):
    lan = world.lan()
    host, attic = world.host("desk", lan), world.host("attic", lan, policy=REFUSE)
    with Station(host) as bridged, Station(attic) as other:
        await_all_know_all([bridged, other])
        status, seen = watched(host, "peers")
        assert status == 0 and f"{PROGRESS}listening ..." in seen, seen
        assert f"{GREEN}bridge (patch)" in seen and f"{YELLOW}p2p (no)" in seen, seen
        plain = line_of(ESCAPE.sub("", without_progress(seen)), "attic")
        assert plain == line_of(piped(host, "peers").stdout, "attic"), plain
        for where, colour, word in ((host, GREEN, "bridged"), (attic, YELLOW, "peer to peer")):
            status, seen = watched(where, "status")
            assert status == 0 and f": {colour}{word}\x1b[0m, MAC " in seen, seen
            assert f": {word}, MAC " in piped(where, "status").stdout


@needs(script_missing)
def test_who_wants_no_colour_gets_none(world):
    """https://no-color.org: any value but an empty one.  A "dumb" terminal has no codes at all."""
    host = world.host("desk", world.lan(), policy=REFUSE)
    for env, colour, progress in (
        ({"NO_COLOR": "1"}, False, True),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
    ):
        seen = watched(host, "doctor", env)[1]
        assert (RED in seen, PROGRESS in seen) == (colour, progress), (env, seen)
    for words in ("doctor", "status", "peers"):
        seen = watched(host, words + " --json")[1]
        assert "\x1b[0m" not in seen and RED not in seen and GREEN not in seen, seen


def test_output_and_progress_go_by_their_own_streams(world):
    """stdout into a file: it is plain, and who watches stderr still sees the progress."""
    host = world.host("desk", world.lan(), policy=REFUSE)
    ours, theirs = pty.openpty()
    mode = termios.tcgetattr(theirs)
    mode[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, mode)
    flags = fcntl.fcntl(ours, fcntl.F_GETFL)
    fcntl.fcntl(ours, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    line = f"basilisk-tap doctor 2>&{theirs}"
    done = host.run(["sh", "-c", line], user="mac", env=TERM, pass_fds=(theirs,))
    seen = b""
    while select.select([ours], [], [], 0)[0]:
        seen += os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1 and "\x1b" not in done.stdout and "problem  " in done.stdout, done
    assert b"trying the firewall ..." in seen and seen.endswith(b"\r\x1b[K"), seen
