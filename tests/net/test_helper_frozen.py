# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, setuid root, stopped between any two of its calls while others go on; what must come
of that is in lib/frozen.py.  The other ways to ask it: test_ways_stopped.py.
"""
import signal
import time

import helper
from case import limit
from desk import release, two
from frozen import (TUN, attach_past, close, go_past, release_past, release_past_release,
                    release_past_repair, stand_still, stop_at, whole_run)  # fmt: skip
from guest import Guest
from stand import ATTACH, RELEASE, Stand
from tracer import At, Tracer
from world import ALLOW

ROUTE = 4  # its netlink socket: helper/early.h
DELTFILTER = 45  # <linux/rtnetlink.h>


@limit(90)
def test_guest_of_another_goes_on_beside_a_frozen_attach_by_patch(world):
    stand_still(world, "patch", ATTACH, lambda stand: None)


@limit(90)
def test_guest_of_another_goes_on_beside_a_frozen_attach_by_join(world):
    stand_still(world, "join", ATTACH, lambda stand: None)


@limit(90)
def test_guest_of_another_goes_on_beside_a_frozen_repair(world):
    stand_still(world, "patch", [*ATTACH, "--repair"], lambda stand: stand.attach().fd)


@limit(90)
def test_another_attach_passes_a_frozen_one_by_patch(world):
    go_past(world, "patch")


@limit(90)
def test_another_attach_passes_a_frozen_one_by_join(world):
    go_past(world, "join")


@limit(90)
def test_release_passes_a_frozen_attach_by_patch(world):
    release_past(world, "patch")


@limit(90)
def test_release_passes_a_frozen_attach_by_join(world):
    release_past(world, "join")


@limit(90)
def test_release_passes_a_frozen_attach_by_bridge(world):
    release_past(world, "bridge")


@limit(90)
def test_attach_passes_a_frozen_release(world):
    attach_past(world, "patch", "go on")


@limit(90)
def test_attach_passes_a_frozen_release_that_is_then_killed(world):
    attach_past(world, "patch", "kill")


@limit(90)
def test_attach_by_bridge_passes_a_frozen_release_that_is_then_killed(world):
    attach_past(world, "bridge", "kill")


@limit(90)
def test_release_that_is_stopped_for_ever_keeps_nobody_out_for_ever(world):
    """Its own alarm ends it; and who asks meanwhile is told in time, and has changed nothing."""
    with Stand(world, "patch") as stand, Tracer(stand.desk, user=None, mortal=True) as root:
        close(stand.attach().fd)
        calls = whole_run(stand.root, RELEASE)
        close(stand.attach().fd)
        stop_at(root, calls_to_undo(calls), RELEASE)
        state, begun = stand.state(), time.monotonic()
        for argv in (ATTACH, RELEASE):
            tracer = stand.root if argv is RELEASE else stand.user
            tracer.start(*argv)
            end = tracer.go()
            assert helper.NAMES[end.status] == "system" and end.fd is None, end
            assert "--release" in end.stderr or b"it holds btap-release" in end.message, end
            assert stand.state() == state
        time.sleep(max(0, 11 - (time.monotonic() - begun)))  # a second longer than its life
        end = root.go()
        assert end.signal == signal.SIGALRM, end
        end = stand.attach()
        stand.check_guest(end)
        close(end.fd)
        stand.check_released("a release that did not end by itself")


@limit(90)
def test_start_that_is_stopped_when_it_has_a_tap_keeps_nobody_from_a_bridge(world):
    """What it will do it has told nobody; but before it does anything it will look who has."""
    machine, desk = two(world, policy=ALLOW + "join br0\n")
    desk.ip("link add br0 type bridge", "link set br0 up")
    with Tracer(desk, "lisa") as tracer:
        tracer.start(*ATTACH)
        assert isinstance(tracer.until("ioctl", TUN), At)
        assert isinstance(tracer.until("sendto", ROUTE), At)
        assert len(helper.taps(desk)) == 1
        guest = Guest(desk, br="br0")
        assert guest.reply.attach == "join", guest.reply
        end = tracer.go()
        assert helper.NAMES[end.status] == "other-attachment" and end.fd is None, end
        guest.close()
    release(desk)


def calls_to_undo(calls):
    """The number of the first request of a release that takes something away."""
    return next(i for i, call in enumerate(calls) if (call.fd, call.nl_type) == (ROUTE, DELTFILTER))


@limit(90)
def test_release_passes_a_frozen_repair_of_a_tap_that_has_gone(world):
    release_past_repair(world, "patch")


@limit(90)
def test_release_passes_a_frozen_release(world):
    release_past_release(world, "patch")


@limit(90)
def test_release_by_bridge_passes_a_frozen_release(world):
    release_past_release(world, "bridge")
