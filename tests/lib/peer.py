# SPDX-License-Identifier: LGPL-2.1-or-later
"""A peer written from the protocol's description alone: it announces itself by mDNS, and exchanges
frames by UDP, one datagram each.  To the tests it is the tunnel's end of the Macs' network.

It does not look for others: they find it, greet it, and their datagrams tell where they are.
Frames of EtherType 0x88B6 ("confirmation") are answered, or not: confirms=False is another program
that does not know them.
"""
import os
import select
import socket
import struct
import time

from proc import wait_until
from wire import Ether

MDNS = "224.0.0.251", 5353
SERVICE = "_basilisk-ether._udp.local"
PTR, TXT, SRV, ADDRESS = 12, 16, 33, 1
CONFIRMATION = b"\x88\xb6BTAP\x01"
HELLO, ACK = 1, 2
ANNOUNCE_EVERY = 0.3


def domain(name):
    return b"".join(bytes((len(p),)) + p.encode() for p in name.split(".")) + b"\0"


def record(name, kind, data, unique=True, ttl=120):
    head = struct.pack(">HHIH", kind, 0x8001 if unique else 1, ttl, len(data))
    return domain(name) + head + data


class Peer(Ether):
    def __init__(self, host, mac=None, confirms=True, announces=True):
        self.host = host
        self.card = f"the tunnel at {host.name}"
        self.mac = mac or b"\xb2" + os.urandom(5)
        self.confirms = confirms
        self.announces = announces
        self.peers = {}  # MAC: where its frames came from
        self.cookie = os.urandom(8)
        self.next_announcement = 0
        self.frames_socket, self.mdns = host.inside(self.open)
        self.frames_socket.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE

    def open(self):
        frames = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        frames.bind((self.host.address, 0))
        mdns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        mdns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mdns.bind(("", MDNS[1]))
        card = socket.inet_aton(self.host.address)
        mdns.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, card)
        mdns.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        return frames, mdns

    def close(self):
        self.frames_socket.close()
        self.mdns.close()

    @property
    def port(self):
        return self.frames_socket.getsockname()[1]

    def announcement(self, ttl=120):
        """An mDNS response: the service, where it is, what it says of itself; a goodbye, if ttl is 0."""
        name = f"Basilisk {self.mac.hex()}"
        full, target = f"{name}.{SERVICE}", f"btap-{self.mac.hex()}.local"
        text = [f"mac={self.mac.hex()}", f"port={self.port}", "version=1.0", "mode=p2p"]
        text += [f"hostname={self.host.name}", "attach=no"]
        strings = b"".join(bytes((len(t),)) + t.encode() for t in text)
        records = [
            record(SERVICE, PTR, domain(full), unique=False, ttl=ttl),
            record(full, SRV, struct.pack(">HHH", 0, 0, self.port) + domain(target), ttl=ttl),
            record(full, TXT, strings, ttl=ttl),
            record(target, ADDRESS, socket.inet_aton(self.host.address), ttl=ttl),
        ]
        return struct.pack(">HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)

    def send(self, frame):
        if frame[0] & 1:
            targets = set(self.peers.values())
        else:
            targets = {self.peers[frame[:6]]}
        for target in targets:
            self.frames_socket.sendto(frame, target)

    def send_to(self, mac, frame):
        """Sends it there, whatever address it has."""
        self.frames_socket.sendto(frame, self.peers[mac])

    def confirm(self, frame, sender):
        if self.confirms and frame[19] == HELLO and len(frame) >= 60:
            head = frame[6:12] + self.mac + CONFIRMATION + bytes((ACK,))
            answer = head + self.cookie + frame[20:28]
            self.frames_socket.sendto(answer.ljust(60, b"\0"), sender)

    def receive(self, seconds):
        """The next frame that is no confirmation, or None.  Announces itself all the while."""
        deadline = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if self.announces and now >= self.next_announcement:
                self.mdns.sendto(self.announcement(), MDNS)
                self.next_announcement = now + ANNOUNCE_EVERY
            wait = min(deadline, self.next_announcement) if self.announces else deadline
            if select.select([self.frames_socket], [], [], max(0, wait - now))[0]:
                frame, sender = self.frames_socket.recvfrom(65536)
                self.peers[frame[6:12]] = sender
                if frame[12:19] != CONFIRMATION:
                    return frame
                self.confirm(frame, sender)
            elif now >= deadline:
                return None


def await_goodbyes_believed(host, stations):
    """All goodbyes that went over the LAN until now are believed or not: one that is said last, by a
    peer on that host who then answers nobody, is believed by each of the stations."""
    with Peer(host) as last:

        def known():
            last.receive(0.02)
            return all(last.mac in station.status()["peer"] for station in stations)

        wait_until(known, 5, "all to know who will say goodbye")
        last.mdns.sendto(last.announcement(ttl=0), MDNS)
        wait_until(
            lambda: not any(last.mac in station.status()["peer"] for station in stations),
            10,
            "all to believe the goodbye",
            step=0.05,
        )
