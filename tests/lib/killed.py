# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, killed before each of its system calls in turn: whatever was half made, the host does
not notice, another run completes it, and one --release leaves the host as it was before.

The state after a kill is compared by all that rtnetlink tells (netstate.py).  Most kills leave
a state that an earlier one left, too: what follows from it is then known.
"""
import os

from netstate import difference
from stand import ATTACH, RELEASE, Stand
from tracer import At


def kill_at(tracer, index, argv):
    """Run it up to that call; False where it ended before, by itself."""
    event = tracer.start(*argv)
    if index:
        event = tracer.to(index)
    killed = isinstance(event, At)
    end = tracer.kill() if killed else event
    if end.fd is not None:
        os.close(end.fd)
    assert end.signal == 9 if killed else end.status == 0, end
    return killed


def detach(stand):
    """The attachment, with no TAP left."""
    end = stand.attach()
    os.close(end.fd)


def check_rerun(stand, when):
    end = stand.attach()
    stand.check_guest(end)
    stand.probe()
    os.close(end.fd)
    stand.check_released(f"a rerun after {when}")


def kill_everywhere(world, attachment, argv, prepare, way=None):
    """Returns how many different states the kills left."""
    with Stand(world, attachment, way) as stand:
        tracer = stand.root if argv is RELEASE else stand.user
        prepare(stand)
        at_first = stand.state()
        seen = []
        index = 0
        while kill_at(tracer, index, argv):
            when = f"{argv[-1]} killed before call {index}"
            state = stand.state()
            if state not in seen:
                stand.check_host_kept(state, when)
                seen.append(state)
                check_rerun(stand, when)
                prepare(stand)
                kill_at(tracer, index, argv)
                again = stand.state()
                assert again == state, f"not repeatable:\n{difference(state, again)}"
            if state != at_first:
                stand.check_released(when)
                prepare(stand)
            index += 1
        assert index > 200, index  # else it was not the whole of it
        stand.check_released("all")
        return len(seen)


def check_attach(world, attachment, way=None):
    argv = way.argv(0) if way else ATTACH
    # half-made states exist, or nothing was tested
    assert kill_everywhere(world, attachment, argv, lambda stand: None, way) > 10


def check_release(world, attachment):
    assert kill_everywhere(world, attachment, RELEASE, detach) > 1
