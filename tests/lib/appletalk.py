# SPDX-License-Identifier: LGPL-2.1-or-later
"""An AppleTalk phase 2 node on a Wire: the other machine, whose Chooser looks for Macs.

AARP, AEP echo and NBP, both asking and answering.  It is one program of one thread: it answers what
comes in while one of its own questions waits for an answer, or while serve() runs.
"""
import collections
import struct
import time

from proc import Timeout, late

GROUP = bytes.fromhex("090007ffffff")
SNAP_AARP = bytes.fromhex("aaaa03000000" "80f3")
SNAP_DDP = bytes.fromhex("aaaa03080007" "809b")
AARP_ETHERTALK = bytes.fromhex("0001809b0604")
REQUEST, RESPONSE, PROBE = 1, 2, 3
NBP_SOCKET, AEP_SOCKET = 2, 4
NBP, AEP = 2, 4

Entity = collections.namedtuple("Entity", "net node socket name type zone")
Packet = collections.namedtuple("Packet", "mac net node socket to_socket kind data")


def frame_8023(target, source, payload):
    return target + source + struct.pack(">H", len(payload)) + payload


def aarp_frame(target, source, function, sender, sought, sought_mac=bytes(6)):
    """sender and sought are (net, node)."""
    body = SNAP_AARP + AARP_ETHERTALK + struct.pack(">H", function)
    body += source + struct.pack(">BHB", 0, *sender) + sought_mac + struct.pack(">BHB", 0, *sought)
    return frame_8023(target, source, body)


def ddp_frame(target, source, sender, receiver, kind, data):
    """sender and receiver are (net, node, socket)."""
    header = struct.pack(">HHHHBBBBB", 13 + len(data), 0, receiver[0], sender[0], receiver[1],
                         sender[1], receiver[2], sender[2], kind)  # fmt: skip
    return frame_8023(target, source, SNAP_DDP + header + data)


def parse_aarp(frame):
    """(function, sender's MAC, sender, sought) or None."""
    if len(frame) < 50 or frame[14:28] != SNAP_AARP + AARP_ETHERTALK:
        return None
    function = int.from_bytes(frame[28:30], "big")
    sender = struct.unpack(">xHB", frame[36:40])
    return function, frame[30:36], sender, struct.unpack(">xHB", frame[46:50])


def parse_ddp(frame):
    if len(frame) < 35 or frame[14:22] != SNAP_DDP:
        return None
    length, _, _, net, _, node, to_socket, socket, kind = struct.unpack(">HHHHBBBBB", frame[22:35])
    if not 13 <= length & 0x3FF <= len(frame) - 22:
        return None
    data = frame[35 : 22 + (length & 0x3FF)]
    return Packet(frame[6:12], net, node, socket, to_socket, kind, data)


def pascal(*names):
    return b"".join(bytes((len(n),)) + n.encode("mac_roman") for n in names)


def parse_tuples(data):
    """The entities of an NBP packet."""
    found, at = [], 2
    for _ in range(data[0] & 15):
        net, node, socket, _ = struct.unpack(">HBBB", data[at : at + 5])
        at += 5
        names = []
        for _ in range(3):
            names.append(data[at + 1 : at + 1 + data[at]].decode("mac_roman"))
            at += 1 + data[at]
        found.append(Entity(net, node, socket, *names))
    return found


class Node:
    def __init__(self, wire, name="Machine", kind="Macintosh", net=0xFF00, node=1):
        self.wire = wire
        self.address = net, node
        self.name = pascal(name, kind, "*")
        self.kind = kind
        self.socket = 0x81
        self.id = 0
        self.answered = collections.Counter()

    # ---- what others ask
    def answer(self, frame):
        aarp = parse_aarp(frame)
        if aarp:
            function, mac, sender, sought = aarp
            if function != RESPONSE and sought == self.address:
                self.wire.send(aarp_frame(mac, self.wire.mac, RESPONSE, self.address, sender, mac))
                self.answered["AARP"] += 1
            return
        packet = parse_ddp(frame)
        if not packet or (packet.net, packet.node) == self.address:
            return
        if packet.to_socket == AEP_SOCKET and packet.kind == AEP and packet.data[:1] == b"\1":
            self.reply(packet, AEP_SOCKET, packet.socket, AEP, b"\2" + packet.data[1:])
            self.answered["AEP"] += 1
        elif packet.to_socket == NBP_SOCKET and packet.kind == NBP and packet.data[0] == 0x21:
            asked = parse_tuples(packet.data)[0]
            if asked.type in ("=", self.kind):
                data = b"\x31" + packet.data[1:2] + struct.pack(">HBBB", *self.address, 0x80, 1)
                self.reply(packet, NBP_SOCKET, asked.socket, NBP, data + self.name)
                self.answered["NBP"] += 1

    def reply(self, packet, socket, to_socket, kind, data):
        receiver = packet.net, packet.node, to_socket
        sender = *self.address, socket
        self.wire.send(ddp_frame(packet.mac, self.wire.mac, sender, receiver, kind, data))

    def serve(self, seconds, wanted=lambda frame: None):
        """Answer what comes in, until wanted(frame) has a true value, and return that."""
        start = time.monotonic()
        while not late(start, seconds):
            frame = self.wire.receive(min(seconds, 0.1))
            if frame is not None:
                value = wanted(frame)
                if value:
                    return value
                self.answer(frame)
        return None

    # ---- what we ask
    def ask(self, frame, wanted, what, seconds, tries=3):
        """Send frame until it is answered: AppleTalk's own protocols repeat as well."""
        for _ in range(tries):
            self.wire.send(frame)
            value = self.serve(seconds / tries, wanted)
            if value:
                return value
        raise Timeout(f"no {what} in {seconds} s")

    def aarp(self, address, seconds=10.0):
        """The MAC of the node (net, node)."""

        def wanted(frame):
            got = parse_aarp(frame)
            return got[1] if got and got[0] == RESPONSE and got[2] == address else None

        request = aarp_frame(GROUP, self.wire.mac, REQUEST, self.address, address)
        return self.ask(request, wanted, f"AARP response for {address}", seconds)

    def echo(self, mac, address, data, seconds=3.0):
        """AppleTalk's ping; returns the data that came back."""
        sender = *self.address, self.socket
        frame = ddp_frame(mac, self.wire.mac, sender, (*address, AEP_SOCKET), AEP, b"\1" + data)

        def wanted(frame):
            got = parse_ddp(frame)
            mine = got and (got.net, got.node) == address and got.to_socket == self.socket
            return got if mine and got.kind == AEP and got.data[:1] == b"\2" else None

        return self.ask(frame, wanted, f"AEP reply of {address}", seconds).data[1:]

    def look_up(self, name="=", kind="Macintosh", seconds=3.0):
        """What a Chooser does; returns the first answer as (MAC of the sender, Entity)."""
        self.id = self.id % 255 + 1
        data = bytes((0x21, self.id)) + struct.pack(">HBBB", *self.address, self.socket, 0)
        sender = *self.address, self.socket
        data += pascal(name, kind, "*")
        frame = ddp_frame(GROUP, self.wire.mac, sender, (0, 255, NBP_SOCKET), NBP, data)

        def wanted(frame):
            got = parse_ddp(frame)
            if not got or got.kind != NBP or got.to_socket != self.socket:
                return None
            if got.data[:2] != bytes((0x31, self.id)):
                return None
            return got.mac, parse_tuples(got.data)[0]

        return self.ask(frame, wanted, f"NBP answer for {name}:{kind}@*", seconds)
