# SPDX-License-Identifier: LGPL-2.1-or-later
"""A desk on which guests can be attached to three LANs: to one by its card, which is what nobody has to
ask for, to two by a bridge that is asked for by its name.  And two who want different ones at once.
"""
import itertools
import os
import select

import helper
from frozen import ALLMULTI, close, stop_at, whole_run
from netstate import NetState, difference
from stand import ATTACH, OTHER, RELEASE, SECONDS
from tracer import Tracer
from wire import BROADCAST, Wire
from world import ALLOW

CARDS = {"auto": "nic", "br0": "second", "br1": "third"}  # that leads to the LAN, for each --br=
POLICY = ALLOW + "join br0\njoin br1\n"
UPLINK = "uplink nic\n"


class Desk:
    """more: lines of its policy."""

    number = itertools.count(1)

    def __init__(self, world, more=UPLINK):
        lans = {br: world.lan() for br in CARDS}
        number = next(Desk.number)
        self.host = world.host(f"desk{number}", lans["auto"], policy=POLICY + more)
        for br in ("br0", "br1"):
            self.host.plug(lans[br], CARDS[br], address=0)
            self.host.ip(f"link add {br} type bridge mcast_snooping 0", f"link set {br} up",
                         f"link set {CARDS[br]} master {br}")  # fmt: skip
        self.wires = {br: Wire(world.host(f"beyond{number}-{br}", lans[br])) for br in CARDS}
        self.first, self.second = Tracer(self.host, "mac"), Tracer(self.host, "lisa")
        self.root = Tracer(self.host, user=None)
        self.net = NetState(self.host)
        self.net.settle("nic", "br0", "br1")
        self.before = self.net.snapshot()
        self.serial = 0

    def close(self):
        for thing in (*self.wires.values(), self.first, self.second, self.root, self.net):
            thing.close()

    def check(self, end, br, what):
        """Where it is a success the guest is on that LAN.  Returns whether it is."""
        name = helper.NAMES.get(end.status)
        if name != "ok":
            assert end.fd is None and name in ("other-attachment", "system"), (what, end)
            return False
        os.set_blocking(end.fd, False)
        self.check_guest(end.fd, helper.parse_reply(end.message).mac, br, what)
        return True

    def check_guest(self, fd, mac, br, what):
        """A frame to the LAN and one back; and the card takes all groups, where the guest is on it."""
        wire = self.wires[br]
        frame = self.frame(BROADCAST, mac)
        os.write(fd, frame)
        wire.expect(lambda got: got[: len(frame)] == frame, SECONDS, f"frame of {what}")
        frame = self.frame(mac, wire.mac)
        wire.send(frame)
        while True:
            assert select.select([fd], [], [], SECONDS)[0], f"{what}: the guest does not hear"
            if os.read(fd, 2000) == frame:
                break
        if br == "auto":
            flags = self.host.run(["cat", "/sys/class/net/nic/flags"]).stdout
            assert int(flags, 16) & ALLMULTI, (what, flags)

    def frame(self, to, source):
        self.serial += 1
        return to + source + b"\x88\xb5asked" + self.serial.to_bytes(41, "big")

    def release(self, what):
        self.root.start(*RELEASE)
        end = self.root.go()
        assert end.status == 0, (what, end)
        after = self.net.snapshot()
        assert after == self.before, f"{what}:\n{difference(self.before, after)}"


def asking(argv, br):
    return [*argv[:3], f"--br={br}", *argv[4:]]


def want_both(world, wants, others, repair=False):
    """repair: the first is a repair of a TAP that has gone when it was stopped."""
    desk = Desk(world)
    argv, other = asking(ATTACH, wants), asking(OTHER, others)
    ways = set()

    def held():
        return whole(desk.first, argv) if repair else None

    fd = held()
    words = [*argv, "--repair"] if repair else argv
    calls = whole_run(desk.first, words)
    close(fd)
    desk.release("the first")
    # each stop where all of it is asked for by name, elsewhere some
    every = 1 if wants in ("br0", "br1") and not repair else 3
    for index in [i for i, call in enumerate(calls) if call.nl_type or call.name == "sendmsg"][::every]:
        what = f"{wants} stopped at {index}, {others} passes"
        fd = held()
        stop_at(desk.first, index, words)
        close(fd)
        desk.second.start(*other)
        second = desk.second.go()
        has_second = desk.check(second, others, what)
        first = desk.first.go()
        has_first = False
        if repair:
            ways.add(helper.NAMES[first.status])
        else:
            has_first = desk.check(first, wants, what)
        if has_second:
            desk.check(second, others, f"{what}, and the first has gone on")
        assert not (has_first and has_second and wants != others), what
        ways.add((has_first, has_second))
        close(first.fd, second.fd)
        desk.release(what)
    desk.close()
    return ways


def whole(tracer, argv):
    tracer.start(*argv)
    end = tracer.go()
    assert end.status == 0, end
    return end.fd
