# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest may send, tried with thousands of frames put together at random: none is let through
that a receiver would take for what no guest may send.  The receiver here is a generous one: it
unwraps SNAP as often as it comes, follows all extension headers, and minds no checksum.
"""
import random
import struct

from case import limit
from guest import Guest
from wire import BROADCAST, Wire

FRAMES = 12000
AT_A_TIME = 200  # few enough for every queue on the way
IPV4, IPV6, SNAP = 0x0800, 0x86DD, b"\xaa\xaa\x03"
TAGS, OTHERS = {0x8100, 0x88A8, 0x9100}, {0x8808, 0x888E, 0x88CC}
UDP, ICMPV6, FRAGMENT, ADVERTISEMENT = 17, 58, 44, 134
EXTENSIONS = 0, 43, 60
ORGANIZATIONS = bytes(3), b"\0\0\xf8"


# ---- the receiver
def from_server(datagram, server, client, relayed):
    if len(datagram) < 4:
        return False
    source, target = struct.unpack(">HH", datagram[:4])
    if target == server and datagram[8:9] == bytes([relayed]):
        return True
    return source == server or target == client


def harm_of_ipv4(packet):
    size = (packet[0] & 15) * 4 if len(packet) >= 20 else 0
    if size < 20 or packet[0] >> 4 != 4 or packet[9] != UDP:
        return None
    later = struct.unpack(">H", packet[6:8])[0] & 0x1FFF
    return "DHCP" if not later and from_server(packet[size:], 67, 68, 2) else None


def harm_of_ipv6(packet):
    if len(packet) < 40:
        return None
    kind, rest = packet[6], packet[40:]
    while kind in (*EXTENSIONS, FRAGMENT):
        size = 8 if kind == FRAGMENT or len(rest) < 2 else 8 + 8 * rest[1]
        if len(rest) < size:
            return None
        if kind == FRAGMENT and struct.unpack(">H", rest[2:4])[0] & 0xFFF8:
            return None
        kind, rest = rest[0], rest[size:]
    if kind == ICMPV6 and rest[:1] == bytes([ADVERTISEMENT]):
        return "router advertisement"
    return "DHCPv6" if kind == UDP and from_server(rest, 547, 546, 13) else None


def harm_of(frame):
    """What it is taken for, or None."""
    to, kind, rest = frame[:6], struct.unpack(">H", frame[12:14])[0], frame[14:]
    if to[:5] == bytes.fromhex("0180c20000") and to[5] < 16:
        return "bridges' own"
    if to[:5] == bytes.fromhex("01000ccccc") and to[5] >> 4 == 12:
        return "Cisco's own"
    while kind < 0x600 and rest[:3] == SNAP and rest[3:6] in ORGANIZATIONS and len(rest) >= 8:
        kind, rest = struct.unpack(">H", rest[6:8])[0], rest[8:]
    if kind in TAGS | OTHERS:
        return f"type {kind:x}"
    return harm_of_ipv4(rest) if kind == IPV4 else harm_of_ipv6(rest) if kind == IPV6 else None


# ---- the sender
class Maker:
    def __init__(self, seed, mac):
        self.random, self.mac = random.Random(seed), mac
        self.pick, self.bytes = self.random.choice, self.random.randbytes

    def upper(self, kind):
        if kind == UDP:
            ports = [self.pick([67, 68, 546, 547, 53, 3000]) for _ in range(2)]
            message = self.pick([b"\x01", b"\x02", b"\x0d"]) + self.bytes(self.pick([0, 19]))
            datagram = struct.pack(">HHHH", *ports, 8 + len(message), 0) + message
            return datagram[: self.pick([4, 8, 28, 28, 28])]
        if kind == ICMPV6:
            return bytes([self.pick([133, ADVERTISEMENT, 135, 143])]) + self.bytes(15)
        return self.bytes(self.pick([0, 8, 20]))

    def ipv4(self):
        words, kind = self.pick([5, 5, 5, 6, 15, 4]), self.pick([UDP, UDP, ICMPV6, 6])
        piece = struct.pack(">H", self.pick([0, 0, 0x2000, 0x4000, 1]))
        head = bytes([0x40 | words, 0]) + self.bytes(4) + piece + bytes([64, kind])
        return head + self.bytes(10 + max(0, words * 4 - 20)) + self.upper(kind)

    def ipv6(self):
        kinds = [self.pick([*EXTENSIONS, FRAGMENT]) for _ in range(self.pick([0, 0, 1, 1, 2, 3]))]
        kinds.append(self.pick([UDP, ICMPV6, ICMPV6, 6, 59]))
        packet = bytes([0x60, 0, 0, 0, 0, 0, kinds[0], 255]) + self.bytes(32)
        for kind, following in zip(kinds, kinds[1:]):
            if kind == FRAGMENT:
                offset = struct.pack(">H", self.pick([0, 1, 8, 0xFFF8]))
                packet += bytes([following, 0]) + offset + self.bytes(4)
            else:
                said = self.pick([0, 0, 1, 2, 100, 255])
                there = said if self.random.random() < 0.7 and said < 150 else 0
                packet += bytes([following, said]) + self.bytes(6 + 8 * there)
        return packet + self.upper(kinds[-1])

    def frame(self):
        to = self.pick(
            [BROADCAST, bytes.fromhex("333300000001"), bytes.fromhex("0180c20000") + self.bytes(1),
             bytes.fromhex("01000ccccc") + self.bytes(1)]
        )  # fmt: skip
        kind = self.pick([IPV4, IPV6, IPV6, *TAGS, *OTHERS, 0x0806, 0x809B, 0x80F3, 0x8137])
        rest = self.ipv4() if kind == IPV4 else self.ipv6() if kind == IPV6 else self.bytes(40)
        for _ in range(self.pick([0, 0, 0, 1, 1, 2])):
            organization = self.pick([*ORGANIZATIONS, b"\x08\0\x07"])
            rest = SNAP + organization + struct.pack(">H", kind) + rest
            kind = self.pick([len(rest), 0, 0x5FF])
        frame = to + self.mac + struct.pack(">H", kind) + rest
        if self.random.random() < 0.3:
            frame = frame[: self.random.randrange(14, len(frame) + 1)]
        return frame


@limit(60)
def test_no_frame_is_let_through_that_harms(world):
    desk = world.host("desk", world.lan(), policy="allow group netdev\nattach host\n")
    with Guest(desk, slot=0) as guest, Guest(desk, slot=1) as other, Wire(desk) as host:
        maker = Maker("guard", guest.mac)
        heard, harmless = {id(end): 0 for end in (other, host)}, 0
        for _ in range(FRAMES // AT_A_TIME):
            frames = [maker.frame() for _ in range(AT_A_TIME)]
            harmless += sum(harm_of(frame) is None for frame in frames)
            for frame in frames:
                guest.send(frame)
            marker = BROADCAST + guest.mac + b"\x88\xb5" + maker.bytes(46)
            guest.send(marker)
            for end in (other, host):
                got = []
                end.expect(lambda frame: frame == marker or got.append(frame), what="marker")
                for frame in got:
                    if frame[6:12] == guest.mac:
                        assert not harm_of(frame), (end.card, harm_of(frame), frame.hex())
                        heard[id(end)] += 1
        # whoever dropped everything would pass, too: more than half of the rest has to come
        assert all(count > harmless / 2 for count in heard.values()), (heard, harmless)
