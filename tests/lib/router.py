# SPDX-License-Identifier: LGPL-2.1-or-later
"""An AppleTalk router on a Wire, with zones: it tells the network's number, lists its zones, and
looks for names on the cable and on networks behind it, which are made up here.

Behind it is one node for each name of `behind`, {(name, type, zone): (net, node)}; the router
answers for them.  Sources: Inside AppleTalk, second edition, chapters 7 and 8.
"""
import struct

import appletalk
from appletalk import GROUP, NBP, NBP_SOCKET, Node, ddp_frame, parse_ddp, parse_tuples, pascal

ZIP_SOCKET = 6
ATP, ZIP = 3, 6
NET_INFO, NET_INFO_REPLY, ZONE_LIST = 5, 6, 8
ZONE_INVALID = 0x80


class Router(Node):
    def __init__(self, wire, zone="Ethernet", zones=(), networks=(100, 105), behind=None, page=3,
                 **options):  # fmt: skip
        super().__init__(wire, net=networks[0], node=128, **options)
        self.zone = zone
        self.zones = [zone, *zones]
        self.networks = networks
        self.behind = behind or {}
        self.page = page  # zones in each part of the list
        self.name = pascal("Router", self.kind, zone)
        self.users = {}  # where look-ups came from

    def answer(self, frame):
        packet = parse_ddp(frame)
        if not packet or (packet.net, packet.node) == self.address:
            return super().answer(frame)
        target = struct.unpack(">H", frame[26:28])[0], frame[30]
        if packet.to_socket == ZIP_SOCKET and packet.kind == ZIP:
            self.tell_network(packet)
        elif packet.to_socket == ZIP_SOCKET and packet.kind == ATP:
            self.list_zones(packet)
        elif packet.to_socket == NBP_SOCKET and packet.data[0] == 0x11:
            self.look_around(packet)
        elif target in self.behind.values():
            self.answer_for(packet, target)
        elif target in self.users:
            # The test ROM answers to the frame's sender, as a node may that is new on a cable.
            self.wire.send(self.users[target] + self.wire.mac + frame[12:])
        else:
            super().answer(frame)

    def tell_network(self, packet):
        """To all nodes: whoever asks may have no address of this network yet."""
        if packet.data[0] != NET_INFO:
            return
        wanted = packet.data[6:]
        known = wanted[1:].decode("mac_roman") in self.zones
        flags = 0 if known else ZONE_INVALID
        data = struct.pack(">BBHH", NET_INFO_REPLY, flags, *self.networks) + wanted
        data += b"\6" + bytes.fromhex("090007000001")
        data += b"" if known else pascal(self.zone)
        sender = *self.address, ZIP_SOCKET
        frame = ddp_frame(GROUP, self.wire.mac, sender, (0, 255, packet.socket), ZIP, data)
        self.wire.send(frame)
        self.answered["GetNetInfo"] += 1

    def list_zones(self, packet):
        control, _, transaction, function, _, first = struct.unpack(">BBHBBH", packet.data[:8])
        if control & 0xC0 != 0x40 or function != ZONE_LIST:
            return
        part = self.zones[first - 1 : first - 1 + self.page]
        last = first - 1 + self.page >= len(self.zones)
        data = struct.pack(">BBHBBH", 0x90, 0, transaction, last, 0, len(part)) + pascal(*part)
        self.reply(packet, ZIP_SOCKET, packet.socket, ATP, data)
        self.answered["GetZoneList"] += 1

    def look_around(self, packet):
        """A broadcast request: to the cable if it has that zone, and to the networks behind."""
        asked = parse_tuples(packet.data)[0]
        zone = self.zone if asked.zone == "*" else asked.zone
        self.users[asked.net, asked.node] = packet.mac
        if zone == self.zone:
            data = b"\x21" + packet.data[1:]
            sender = *self.address, NBP_SOCKET
            self.wire.send(ddp_frame(GROUP, self.wire.mac, sender, (0, 255, 2), NBP, data))
            if asked.type in ("=", self.kind) and asked.name in ("=", "Router"):
                own = b"\x31" + packet.data[1:2] + struct.pack(">HBBB", *self.address, 0x80, 1)
                self.tell(packet, asked, own + self.name)
        for (name, kind, where), address in self.behind.items():
            if where == zone and asked.type in ("=", kind) and asked.name in ("=", name):
                data = b"\x31" + packet.data[1:2] + struct.pack(">HBBB", *address, 0x81, 1)
                self.tell(packet, asked, data + pascal(name, kind, zone))
        self.answered["NBP"] += 1

    def tell(self, packet, asked, data):
        """To the address in the request, whose owner has to prove that it is there."""
        mac = self.aarp((asked.net, asked.node))
        sender = *self.address, NBP_SOCKET
        receiver = asked.net, asked.node, asked.socket
        self.wire.send(ddp_frame(mac, self.wire.mac, sender, receiver, NBP, data))

    def answer_for(self, packet, target):
        """As the node behind would answer an echo."""
        if packet.kind == appletalk.AEP and packet.data[:1] == b"\1":
            sender = *target, appletalk.AEP_SOCKET
            receiver = packet.net, packet.node, packet.socket
            data = b"\2" + packet.data[1:]
            frame = ddp_frame(packet.mac, self.wire.mac, sender, receiver, appletalk.AEP, data)
            self.wire.send(frame)
            self.answered["echo behind"] += 1
