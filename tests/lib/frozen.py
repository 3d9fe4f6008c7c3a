# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, stopped between any two of its calls while others go on: another user's helper, or
root's --release, runs from beginning to end; then the first one goes on, or is killed.  Whoever is
told of a TAP has one that works, and in the end one --release leaves the host as it was.
"""
import os

import helper
from desk import is_releasing
from netstate import NEWLINK
from stand import ATTACH, RELEASE, Stand
from tracer import At, Tracer

ROUTE = 4  # its netlink socket: helper/early.h
NEWTFILTER = 44  # <linux/rtnetlink.h>


def whole_run(tracer, argv):
    """The calls of a run that nobody stops."""
    tracer.start(*argv)
    end = tracer.go()
    assert end.status == 0, end
    if end.fd is not None:
        os.close(end.fd)
    return end.calls


def acting(calls):
    """The numbers of those with which it acts, the last one included."""
    return range(next(i for i, call in enumerate(calls) if call.nl_type), len(calls))


def acting_calls(tracer, argv):
    return acting(whole_run(tracer, argv))


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
        for index in acting_calls(stand.user, stand.argv):
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
        for index in acting_calls(stand.user, ATTACH):
            what = f"stopped at {index}"
            stop_at(stand.user, index, ATTACH)
            stand.root.start(*RELEASE)
            released = stand.root.go()
            ways.add(helper.NAMES.get(released.status))
            assert released.status in (0, helper.CODES["in-use"]), (what, released)
            stand.probe()
            close(finish(stand, stand.user.go(), what, "system"))
            stand.check_released(what)
        assert ways == {"ok", "in-use"}, ways


def attach_past(world, attachment, then):
    """An attach from beginning to end while a --release is stopped before each call in turn."""
    with Stand(world, attachment) as stand:
        close(stand.attach().fd)
        calls = whole_run(stand.root, RELEASE)
        # when it has noted that it takes all down it looks for TAPs once more
        noted = first_of(calls, NEWTFILTER)
        looks = [i for i, call in enumerate(calls) if call.nl_type and i > noted][0]
        for index in acting(calls):
            what = f"release stopped at {index}, then {then}"
            close(stand.attach().fd)
            stop_at(stand.root, index, RELEASE)
            stand.user.start(*ATTACH)
            end = stand.user.go()
            released = stand.root.kill() if then == "kill" else stand.root.go()
            assert released.signal == 9 or released.status in (0, helper.CODES["in-use"]), released
            stand.probe()
            if index <= looks and released.signal is None:  # it has seen the TAP, and cut nobody off
                assert released.status == helper.CODES["in-use"], (what, released)
                assert not is_releasing(stand.desk), what
            if end.status == 0 and "bthub" not in stand.desk.links():
                # a release that was under way when there was no TAP yet has cut this one off, as
                # its library sees by this, and asks for
                stand.user.start(*ATTACH, "--repair")
                repaired = stand.user.go()
                assert repaired.status == 0 and repaired.fd is None, (what, repaired)
            close(finish(stand, end, what, "system"))
            stand.check_released(what)


def first_of(calls, nl_type):
    return next(i for i, call in enumerate(calls) if (call.fd, call.nl_type) == (ROUTE, nl_type))


def release_past_first_attach(world, attachment):
    """A --release has looked at a pair with which nothing was done yet, and stops; one attaches, which
    changes the card, and is gone again; what is undone then is all."""
    with Stand(world, attachment) as stand:
        made = first_of(whole_run(stand.user, ATTACH), NEWLINK)
        stand.release()

        def begin():
            stop_at(stand.user, made + 1, ATTACH)
            close(stand.user.kill().fd)
            assert "bthub" in stand.desk.links()

        begin()
        noted = first_of(whole_run(stand.root, RELEASE), NEWTFILTER)
        begin()
        stop_at(stand.root, noted, RELEASE)
        close(stand.attach().fd)
        end = stand.root.go()
        assert end.status == 0, end
        stand.check_released("the release that had looked too early")


def release_past_release(world, attachment):
    """A --release from beginning to end while another one is stopped before each call in turn."""
    with Stand(world, attachment) as stand, Tracer(stand.desk, user=None) as other:
        close(stand.attach().fd)
        for index in acting_calls(stand.root, RELEASE):
            close(stand.attach().fd)
            stop_at(stand.root, index, RELEASE)
            other.start(*RELEASE)
            for end in (other.go(), stand.root.go()):
                assert end.status == 0, f"stopped at {index}: {end}"
            stand.check_released(f"release stopped at {index}")


def stand_still(world, attachment, argv, prepare, way=None):
    """One stops before each call in turn, for ever; the guest of another user goes on meanwhile,
    and when it is killed, with nothing run again in between."""
    with Stand(world, attachment, way) as stand, stand.tracer("lisa") as lisa:
        lisa.start(*stand.other)
        other = lisa.go()
        stand.check_guest(other)
        mac = stand.mac_of("lisa", 1)
        own = prepare(stand)
        for index in acting_calls(stand.user, argv):
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
