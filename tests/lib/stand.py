# SPDX-License-Identifier: LGPL-2.1-or-later
"""A desk on a LAN with one kind of attachment, made to have its helper disturbed again and again:
quick ways to attach, to release, and to see that host, LAN and guest still reach each other.
"""
import itertools
import os
import re
import select
import socket

import helper
from helper import HELPER
from netstate import ROUTE_OF_MULTICAST, NetState, difference
from tracer import FD, Tracer
from wire import BROADCAST, Wire
from world import ALLOW, USERS

POLICY = {
    "patch": "",
    "host": "attach host\n",
    "none": "attach none\n",
    "join": "join br0\n",
    "bridge": "attach bridge\nuplink spare\n",
}
REACHES_LAN = "patch", "join", "bridge"
REACHES_HOST = "patch", "host", "join"
ATTACH = [HELPER, f"--fd={FD}", "--slot=0", "--br=auto"]
OTHER = [*ATTACH[:2], "--slot=1", "--br=auto"]  # another user's
RELEASE = [HELPER, "--release"]
SECONDS = 10  # for a frame, which takes some milliseconds


def into_bridge(desk):
    """The card as a port of the administrator's bridge, which has the addresses; its name."""
    desk.ip(
        "link add br0 type bridge mcast_snooping 0",
        "link set nic master br0",
        "addr flush dev nic",
        "link set br0 up",
        f"addr add {desk.address}/24 dev br0",
        f"route add default via {desk.address.rpartition('.')[0]}.254",
    )
    return "br0"


class Stand:
    """way: the one of ways.py in which the helper is asked; by itself, setuid root and by slot."""

    number = itertools.count(1)

    def __init__(self, world, attachment, way=None):
        self.attachment = attachment
        self.way = way
        self.argv, self.other = (way.argv(0), way.argv(1)) if way else (ATTACH, OTHER)
        lan = world.lan()
        number = next(Stand.number)
        self.machine = world.host(f"machine{number}", lan, policy=None)
        self.desk = world.host(f"desk{number}", lan, policy=ALLOW + POLICY[attachment])
        self.broadcast = f"10.9.{lan.number}.255"
        self.card = "nic"
        if attachment == "join":
            self.card = into_bridge(self.desk)
        beyond = self.machine  # on the LAN where the guests are to be
        if attachment == "bridge":
            lan = world.lan()
            self.desk.plug(lan, "spare", address=0)
            beyond = world.host(f"beyond{number}", lan, policy=None)
        self.open_probe()
        self.wires = {"lan": Wire(beyond), "host": Wire(self.desk, self.card)}
        self.user, self.root = self.tracer("mac"), Tracer(self.desk, user=None)
        self.lisa = None  # made when she is needed
        self.net = NetState(self.desk)
        self.serial = 0
        # the kernel forgets a neighbour that was not asked for a minute, which on a busy machine is
        # less than what is between two probes
        self.desk.sysctl(f"net/ipv4/neigh/{self.card}/gc_stale_time", "100000")
        self.probe()
        self.net.settle(self.card, *(["spare"] if attachment == "bridge" else []))
        self.before = self.net.snapshot()

    def close(self):
        others = [self.lisa] if self.lisa else []
        for thing in (*self.wires.values(), self.user, self.root, *others, self.net, *self.ends):
            thing.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def tracer(self, user):
        return self.way.tracer(self.desk, user) if self.way else Tracer(self.desk, user)

    # ---- host and LAN
    def open_probe(self):
        def make(address):
            end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            end.bind(("", 6900))
            end.settimeout(SECONDS)
            return end

        hosts = self.desk, self.machine
        self.ends = [host.inside(lambda: make(host.address)) for host in hosts]

    def probe(self):
        """The host's own IP to the LAN and back, unicast and broadcast, each exactly once."""
        hosts = self.desk, self.machine
        for way, sender in enumerate(self.ends):
            for address in (hosts[1 - way].address, self.broadcast):
                self.serial += 1
                data = f"probe {self.serial}".encode()
                sender.sendto(data, (address, 6900))
                self.hear(self.ends[1 - way], data)
                if address == self.broadcast:  # the sender itself is among all
                    self.hear(sender, data)
        assert not select.select(self.ends, [], [], 0)[0], "the same datagram twice"

    def hear(self, end, data):
        got = end.recv(100)
        assert got == data, f"{got}, where {data} was awaited"

    # ---- the helper
    def attach(self):
        """A whole attach; returns its End, which is a success."""
        self.user.start(*self.argv)
        end = self.user.run()
        assert end.status == 0 and end.fd is not None, end
        return end

    def attach_other(self):
        """Likewise, another user's."""
        self.lisa = self.lisa or self.tracer("lisa")
        self.lisa.start(*self.other)
        end = self.lisa.run()
        assert end.status == 0 and end.fd is not None, end
        return end

    def release(self):
        self.root.start(*RELEASE)
        end = self.root.run()
        assert end.status == 0, end

    def check_released(self, when):
        """One --release, and all is as it was."""
        self.release()
        self.check_as_before(when)

    def check_as_before(self, when):
        after = self.net.snapshot()
        assert after == self.before, f"after {when}:\n{difference(self.before, after)}"

    def check_host_kept(self, state, when):
        """Whatever is half made: nothing that was the host's is gone or changed, but for what the
        patch port sets on its card, allmulti, and a spare card that was given to a bridge."""
        ours = "link nic ", "link spare ", "fdb spare "
        gone = [line for line in set(self.before) - set(state) if not line.startswith(ours)]
        assert not gone, f"{when}: {gone}"
        self.probe()

    def state(self):
        """A snapshot in which what is different each time has one name: the address that a new
        btlan gets from the kernel, and the number of a TAP that is gone.  Without the multicast
        routes that the kernel gives each link, a little later than it gives the link."""
        known = [wire.mac.hex() for wire in self.wires.values()]

        def address(match):
            mac = match[1]
            return f" 1={mac if mac in known or re.match('fe......0000', mac) else 'random'} "

        lines = []
        for line in self.net.snapshot():
            if re.match(ROUTE_OF_MULTICAST + f".* 4=({b'bt'.hex()}|{b'br-'.hex()})", line):
                continue
            if line.startswith("link btlan "):
                line = re.sub(" 1=([0-9a-f]{12}) ", address, line)
            lines.append(re.sub("^(filter bthub in 1[01]) (?![01] )[0-9a-f]+ ", r"\1 gone ", line))
        return sorted(lines)

    # ---- the guest
    def check_guest(self, end):
        """The descriptor is a TAP through which frames go to and fro, or at least out where this
        run was told to make do with less, and says why."""
        os.set_blocking(end.fd, False)
        if end.message == b"\0":  # QEMU's, which tells nothing more
            self.prefix = helper.guest_mac(end.fd)[:4]
            self.check_to_and_fro(end.fd, helper.guest_mac(end.fd))
            return
        reply = helper.parse_reply(end.message)
        assert reply.code == "ok" and helper.tap_name(end.fd) == reply.tap, reply
        self.prefix = reply.mac[:4]
        if reply.attach == self.attachment:
            self.check_to_and_fro(end.fd, reply.mac)
        else:
            assert reply.attach == "none" and reply.text, reply
            os.write(end.fd, self.frame(BROADCAST, reply.mac))

    def mac_of(self, user, slot):
        """The guest's address in that slot, as the helper makes it."""
        uid = USERS[user][0]
        return self.prefix + ((uid & 0xFFF) << 4 | slot).to_bytes(2, "big")

    def check_to_and_fro(self, fd, mac):
        reached = {"lan": REACHES_LAN, "host": REACHES_HOST}
        for name, wire in self.wires.items():
            if self.attachment in reached[name]:
                frame = self.frame(BROADCAST, mac)
                os.write(fd, frame)
                wire.expect(lambda got: got[: len(frame)] == frame, SECONDS, "guest's frame")
                frame = self.frame(mac, wire.mac)
                wire.send(frame)
                self.expect(fd, frame)
        if self.attachment == "none":
            other = self.attach_other()
            os.set_blocking(other.fd, False)
            frame = self.frame(BROADCAST, mac)
            os.write(fd, frame)
            self.expect(other.fd, frame)
            os.close(other.fd)

    def frame(self, to, source):
        self.serial += 1
        return to + source + b"\x88\xb5stand" + self.serial.to_bytes(41, "big")

    def expect(self, fd, frame):
        while select.select([fd], [], [], SECONDS)[0]:
            if os.read(fd, 2000) == frame:
                return
        raise AssertionError("the guest does not hear")
