# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guests hold of memory, to the byte, by who has asked for it: read from chatter.c."""
import functools
import os
import subprocess

from memory import kilobytes
from world import BUILD

LIBRARY = "libbasilisk-tap.so.0"
OURS, ROOM = "ours", "room for peers"
THEIRS = "libavahi", "libdbus"
# Arrays that grow with the number of peers at once and keep their size: file and function.
KEPT = {("peers.c", "grow"), ("peers.c", "peers_init"), ("discovery_known.c", "append")}


@functools.cache
def place(caller):
    """(file, function) of ours, or (library, offset in it)."""
    path, _, offset = caller.rpartition("+")
    if os.path.basename(path) not in (LIBRARY, "libbasilisk-tap.so"):
        return os.path.basename(path), offset
    before = hex(int(offset, 16) - 1)  # the call, not where it returns to
    argv = ["addr2line", "-f", "-e", os.path.join(BUILD, LIBRARY), before]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    function, line = done.stdout.split("\n")[:2]
    return os.path.basename(line.partition(":")[0]), function


def read(guest):
    """{callers: bytes} of a Chatter that has opened."""
    guest.say("held")
    guest.socket.settimeout(20)
    found = {}
    while (words := guest.socket.recv(4096).decode().split(" "))[1:]:
        assert words[0] == "held", words
        callers = tuple(words[3:])
        found[callers] = found.get(callers, 0) + int(words[1])
    return found


def pages(guest):
    """Kilobytes of memory of its own, with and without what its malloc() merely keeps."""
    everything = kilobytes(guest.process.pid)
    guest.say("trim")
    guest.socket.settimeout(20)
    assert guest.socket.recv(100) == b"trimmed"
    return everything, kilobytes(guest.process.pid)


def owner(callers):
    """The library that asked: a system's, or ours, of which the C library is a part here."""
    for caller in callers:
        name = os.path.basename(caller.rpartition("+")[0])
        for theirs in THEIRS:
            if name.startswith(theirs):
                return theirs
        if not name.startswith(("libc.", "ld-")):
            break
    return OURS


def is_kept(callers):
    return any(place(caller) in KEPT for caller in callers[:2])


def amounts(held):
    """{owner: bytes}, and those of KEPT under that."""
    found = dict.fromkeys((OURS, *THEIRS, ROOM), 0)
    for callers, count in held.items():
        of = owner(callers)
        found[ROOM if of == OURS and is_kept(callers) else of] += count
    return found


def difference(before, after):
    """Who holds more, and who less, as text."""
    lines = []
    for callers in {**before, **after}:
        more = after.get(callers, 0) - before.get(callers, 0)
        if more and not is_kept(callers):
            names = (":".join(place(caller)) for caller in callers)
            lines.append(f"{more:+6} {' < '.join(names)}")
    return "\n".join(sorted(lines, key=lambda line: -abs(int(line.split()[0]))))
