# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, stopped at any moment while others go on: another user's helper, or
root's --release, runs from beginning to end; then the first one goes on, or is killed.  Whoever is
told of a TAP has one that works, and in the end one --release leaves the host as it was.
"""
import os

import helper
from disturb import moments
from stand import ATTACH, RELEASE, Stand
from tracer import At, Tracer

TUN = 6  # /dev/net/tun: helper/early.h
REPAIR = [*ATTACH, "--repair"]
ALLMULTI = 0x200


def whole_run(tracer, argv):
    """The calls of a run that nobody stops."""
    tracer.start(*argv)
    end = tracer.go()
    assert end.status == 0, end
    if end.fd is not None:
        os.close(end.fd)
    return end.calls


def moments_of(tracer, argv):
    return moments(whole_run(tracer, argv))


def stop_at(tracer, index, argv):
    tracer.start(*argv)
    event = tracer.to(index)
    assert isinstance(event, At), (index, event)


def finish(stand, end, what, *refusals):
    """A success has a working TAP; a refusal is one of those, without any.  Returns the fd."""
    if end.status == 0:
        try:
            stand.check_guest(end)
        except Exception as error:
            raise AssertionError(f"{what}: {end}") from error
        return end.fd
    assert end.fd is None and helper.NAMES.get(end.status) in refusals, f"{what}: {end}"
    return None


def close(*descriptors):
    for descriptor in descriptors:
        if descriptor is not None:
            os.close(descriptor)


def go_past(world, attachment, way=None):
    """One stops before each call in turn, another passes it, the first goes on."""
    with Stand(world, attachment, way) as stand, stand.tracer("lisa") as lisa:
        for index in moments_of(stand.user, stand.argv):
            what = f"stopped at {index}"
            stand.check_released("the one before")
            stop_at(stand.user, index, stand.argv)
            lisa.start(*stand.other)
            second = finish(stand, lisa.go(), f"{what}, the other")
            assert second is not None
            stand.probe()
            first = finish(stand, stand.user.go(), what)
            assert first is not None, what
            # and what the second was told is still so
            stand.check_to_and_fro(second, stand.mac_of("lisa", 1))
            close(first, second)
        stand.check_released("the last")


def release_past(world, attachment):
    """A --release from beginning to end while an attach is stopped before each call in turn."""
    with Stand(world, attachment) as stand:
        ways = set()
        for index in moments_of(stand.user, ATTACH):
            what = f"stopped at {index}"
            stop_at(stand.user, index, ATTACH)
            stand.root.start(*RELEASE)
            released = stand.root.go()
            ways.add(helper.NAMES.get(released.status))
            assert released.status in (0, helper.CODES["in-use"]), (what, released)
            stand.probe()
            end = stand.user.go()
            assert end.status == 0, (what, end)
            close(finish(stand, end, what))
            stand.check_released(what)
        assert ways == {"ok", "in-use"}, ways


def release_past_repair(world, attachment):
    """The same of a repair, the TAP of which has gone when it was stopped."""
    with Stand(world, attachment) as stand:
        held = stand.attach().fd
        calls = whole_run(stand.user, REPAIR)
        close(held)
        ways = set()
        for index in moments(calls):
            what = f"repair stopped at {index}"
            held = stand.attach().fd
            stop_at(stand.user, index, REPAIR)
            close(held)
            stand.root.start(*RELEASE)
            released = stand.root.go()
            ways.add(helper.NAMES.get(released.status))
            assert released.status in (0, helper.CODES["in-use"]), (what, released)
            repaired = stand.user.go()
            assert repaired.fd is None, (what, repaired)
            stand.check_released(what)
        assert ways == {"ok", "in-use"}, ways


def holds(calls):
    """The number of the first call after which others see that it is at work."""
    ours = [i for i, call in enumerate(calls) if (call.name, call.fd) == ("ioctl", TUN)]
    return ours[-1] + 1


def check_guest_and_card(stand, end, what):
    close(finish(stand, end, what))
    if stand.attachment == "patch":
        flags = stand.desk.run(["cat", "/sys/class/net/nic/flags"]).stdout
        assert int(flags, 16) & ALLMULTI, (what, flags)


def attach_past(world, attachment, then):
    """An attach while a --release is stopped before each call in turn: it has ended before the
    release looks, which then does nothing; or it waits, and finds whatever the release leaves."""
    with Stand(world, attachment) as stand:
        close(stand.attach().fd)
        calls = whole_run(stand.root, RELEASE)
        # when others see it it finds its own number, and lists the TAPs
        looks = [i for i, call in enumerate(calls) if call.nl_type and i >= holds(calls)][1]
        for index in moments(calls):
            what = f"release stopped at {index}, then {then}"
            close(stand.attach().fd)
            stop_at(stand.root, index, RELEASE)
            stand.user.start(*ATTACH)
            if index < holds(calls):
                end = stand.user.go()
            else:
                at = stand.user.until("ppoll", 0)
                assert isinstance(at, At), (what, at)
            released = stand.root.kill() if then == "kill" else stand.root.go()
            stand.probe()
            if released.signal is None:
                expected = helper.CODES["in-use"] if index <= looks else 0
                assert released.status == expected, (what, released)
            if index >= holds(calls):
                end = stand.user.go()
            assert end.status == 0, (what, end)
            check_guest_and_card(stand, end, what)
            stand.check_released(what)


def release_past_release(world, attachment):
    """A --release while another one is stopped before each call in turn."""
    with Stand(world, attachment) as stand, Tracer(stand.desk, user=None) as other:
        close(stand.attach().fd)
        calls = whole_run(stand.root, RELEASE)
        for index in moments(calls):
            what = f"release stopped at {index}"
            close(stand.attach().fd)
            stop_at(stand.root, index, RELEASE)
            other.start(*RELEASE)
            second, first = other.go(), stand.root.go()
            assert first.status == 0, (what, first)
            expected = "system" if index >= holds(calls) else "ok"
            assert helper.NAMES[second.status] == expected, (what, second)
            assert second.status == 0 or "another --release is under way" in second.stderr, second
            stand.check_released(what)


def stand_still(world, attachment, argv, prepare, way=None):
    """One stops before each call in turn, for ever; the guest of another user goes on meanwhile,
    and when it is killed, with nothing run again in between."""
    with Stand(world, attachment, way) as stand, stand.tracer("lisa") as lisa:
        lisa.start(*stand.other)
        other = lisa.go()
        stand.check_guest(other)
        mac = stand.mac_of("lisa", 1)
        own = prepare(stand)
        for index in moments_of(stand.user, argv):
            try:
                stop_at(stand.user, index, argv)
                stand.probe()
                stand.check_to_and_fro(other.fd, mac)
                close(stand.user.kill().fd)
                stand.check_to_and_fro(other.fd, mac)
            except Exception as error:
                raise AssertionError(f"stopped at {index}") from error
        close(other.fd, own)
        stand.check_released("all")
