# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, with its uplink changing between any two of its calls, and what may come of that.

It says no in one of its documented ways, or it succeeds and hands over a TAP that takes frames; it
never ends by a signal and never goes on for ever.  When the TAP is gone, one --release leaves each
card, wherever it is by then, and all else as the same change leaves it where no helper ever ran.
"""
import itertools
import os
import re

from disturb import check_end, moments
from netchange import NetChange
from netstate import NetState, difference
from shares import share_out
from stand import ATTACH, POLICY, RELEASE
from tracer import At, Tracer
from wire import BROADCAST
from world import ALLOW

MAC, OTHER_MAC, FAR_MAC, BRIDGE_MAC, OTHER_BRIDGE_MAC = (
    bytes.fromhex(f"0200000077{n:02x}") for n in range(1, 6)
)


# The helper has looked whose the card is, and what it asks for next is about that one.  The kernel has
# no request that is refused if it is another's by then.
TAKEN = "taken from another bridge at {}"


def vanish(moving):
    moving.net.delete(moving.card)


def change_mac(moving):
    moving.net.set_mac(moving.card, OTHER_MAC)


def rename(moving):
    moving.net.rename(moving.card, "lan0")


def move_away(moving):
    moving.net.move(moving.card, moving.away.namespaces["net"])
    moving.there.raise_link(moving.card)  # when the kernel forgets what else it accepted


def join_another(moving):
    moving.net.put_into(moving.card, "br9")


CHANGES = vanish, change_mac, rename, move_away, join_another


class Moving:
    """A desk, its uplink, and another network that the uplink can be moved to."""

    number = itertools.count(1)

    def __init__(self, world, attachment, argv):
        number = next(Moving.number)
        self.attachment, self.argv = attachment, argv
        self.card = "spare" if attachment == "bridge" else "nic"
        self.desk = world.host(f"desk{number}", policy=ALLOW + POLICY[attachment])
        self.away = world.host(f"away{number}", policy=None)
        for host in (self.desk, self.away):  # whose addresses and routes come when the kernel has time
            for which in ("all", "default"):
                host.sysctl(f"net/ipv6/conf/{which}/disable_ipv6", "1")
        self.net, self.there = NetChange(self.desk), NetChange(self.away)
        self.states = NetState(self.desk), NetState(self.away)
        self.user, self.root = Tracer(self.desk), Tracer(self.desk, user=None)
        self.tracer = self.root if argv is RELEASE else self.user
        self.ends = set()
        self.desk.ip(f"link add br9 address {OTHER_BRIDGE_MAC.hex(':')} up type bridge")
        if attachment == "join":
            self.desk.ip(f"link add br0 address {BRIDGE_MAC.hex(':')} up type bridge")
            self.give_address("br0")

    def close(self):
        for thing in (self.net, self.there, *self.states, self.user, self.root):
            thing.close()

    def give_address(self, card):
        self.net.add_address(card, "10.9.0.1")
        self.net.add_default_route("10.9.0.254")

    # ---- the uplink
    def plug(self):
        self.net.make_pair(self.card, MAC, "far", FAR_MAC, self.away.namespaces["net"])
        self.there.raise_link("far")
        if self.attachment == "join":
            self.net.put_into(self.card, "br0")
        self.net.raise_link(self.card)
        if self.attachment == "bridge":  # by which it is raised again
            self.net.raise_link(self.card, False)
        if self.attachment in ("patch", "host"):
            self.give_address(self.card)

    def unplug(self, change):
        if change is not vanish:
            self.there.delete("far")  # and with it the other end, wherever that is

    def snapshots(self):
        """Without what the kernel changes when it has time, where a bridge's port goes up or down: a
        link's carrier, and RTNH_F_LINKDOWN of a route."""
        lines = [line + at for at, state in zip((" at the desk", " away"), self.states)
                 for line in state.snapshot()]  # fmt: skip
        lines = [re.sub("^(link .*?) 33=..", r"\1", line) for line in lines]
        return sorted(re.sub("^(route .{16})1", r"\g<1>0", line) for line in lines)

    def look(self, change, before=None):
        """What the change leaves where no helper was; before: done by hand, as a helper does it."""
        self.plug()
        if before:
            before(self.card)
        if change:
            change(self)
        found = self.snapshots()
        self.unplug(change)
        return found

    def look_at_all(self):
        self.look(join_another)  # a bridge is another one when it has had a port
        self.left = {change: [self.look(change)] for change in CHANGES}
        if self.attachment == "patch":  # where it is now nobody can undo that
            self.left[move_away].append(self.look(move_away, self.net.set_allmulticast))
        if self.attachment == "bridge":  # it is not the helper's to lower any more
            self.left[join_another].append(self.look(join_another, self.net.raise_link))
        self.untouched = self.look(None)

    def check_left(self, change, index, what):
        found = self.snapshots()
        if change is join_another and found == self.untouched != self.left[change][0]:
            self.ends.add(TAKEN.format(index))
        elif found not in self.left[change]:
            raise AssertionError(f"{what}:\n{difference(self.left[change][0], found)}")

    # ---- runs
    def prepare(self):
        """The calls of a run while nothing changes."""
        self.look_at_all()
        self.plug()
        self.begin()
        self.tracer.start(*self.argv)
        end = self.tracer.go()
        assert end.status == 0, end
        self.finish(end)
        self.release("a run while nothing changes")
        self.unplug(None)
        return end.calls

    def begin(self):
        if self.argv is RELEASE:
            self.user.start(*ATTACH)
            self.finish(self.user.run())

    def release(self, what):
        self.root.start(*RELEASE)
        end = self.root.run()
        assert end.status == 0, f"{what}: {end}"

    def finish(self, end):
        """The guest goes."""
        if end.fd is not None:
            os.close(end.fd)

    def run(self, index, change):
        what = f"{self.argv[-1]}, {change.__name__} before call {index}"
        self.plug()
        self.begin()
        self.tracer.start(*self.argv)
        at = self.tracer.to(index)
        assert isinstance(at, At), (what, at)
        change(self)
        end = self.tracer.go()
        self.ends.add(check_end(end, what, self.argv is RELEASE, self.check_guest))
        self.release(what)
        self.check_left(change, index, f"{what}, {end.status}")
        self.unplug(change)

    def check_guest(self, end):
        assert end.fd is not None
        os.write(end.fd, BROADCAST + bytes(54))


def change_everywhere(world, attachment, argv):
    """Each of the changes, at each moment while it acts.  Returns how the runs ended."""

    def jobs(calls, *_):
        return [(index, change) for index in moments(calls) for change in CHANGES]

    ends = share_out(lambda: Moving(world, attachment, argv), jobs)
    taken = sorted(end for end in ends if end.startswith(TAKEN[:10]))
    assert len(taken) <= (1 if attachment == "bridge" else 0), taken
    return ends.difference(taken)
