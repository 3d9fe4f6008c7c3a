# SPDX-License-Identifier: LGPL-2.1-or-later
"""A little IPv4 for a guest without an emulator: it asks for an address, and pings it."""
import os
import socket
import struct

from wire import BROADCAST

ADDRESS = "{}.77"  # of the guest, in the target's /24


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def header(protocol, length, source, target):
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, protocol, 0)
    return head[:10] + struct.pack(">H", checksum(head + ends)) + ends


def resolve(guest, source, target):
    """The MAC of an IPv4 address, by ARP."""
    ask = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + guest.mac + socket.inet_aton(source)
    guest.send((BROADCAST + guest.mac + b"\x08\x06" + ask + bytes(6) + socket.inet_aton(target)))

    def answer(frame):
        arp = frame[14:42]
        if frame[12:14] == b"\x08\x06" and arp[6:8] == b"\0\2":
            return arp[14:18] == socket.inet_aton(target) and arp[8:14]
        return None

    return guest.expect(answer, what=f"an answer to ARP for {target}")


def ping(guest, target, size=56):
    """One echo request; raises where no equal reply comes."""
    source = ADDRESS.format(target.rpartition(".")[0])
    mac = resolve(guest, source, target)
    payload = os.urandom(size + size % 2)
    echo = struct.pack(">BBHHH", 8, 0, 0, 77, 1) + payload
    echo = echo[:2] + struct.pack(">H", checksum(echo)) + echo[4:]
    ip = header(socket.IPPROTO_ICMP, len(echo), source, target)
    guest.send(mac + guest.mac + b"\x08\x00" + ip + echo)
    guest.expect(lambda frame: frame[14:15] == b"\x45" and payload in frame, what="an echo reply")
