# SPDX-License-Identifier: LGPL-2.1-or-later
"""Base chains of nf_tables with a policy, by netlink: all that these tests need of a firewall.

Source: <linux/netfilter/nf_tables.h>, <linux/netfilter/nfnetlink.h>.
"""
import os
import socket
import struct

NETLINK_NETFILTER = 12
REQUEST, ACK, CREATE = 1, 4, 0x400
BATCH_BEGIN, BATCH_END = 16, 17
NEWTABLE, NEWCHAIN = 10 << 8 | 0, 10 << 8 | 3
FAMILY = {"ip": 2, "ip6": 10, "inet": 1, "arp": 3, "netdev": 5, "bridge": 7}
DROP, ACCEPT = 0, 1


def attribute(kind, payload):
    data = struct.pack("=HH", 4 + len(payload), kind) + payload
    return data + bytes(-len(data) % 4)


def message(kind, family, payload=b"", flags=0, resource=0, serial=0):
    body = struct.pack("=BB", family, 0) + struct.pack(">H", resource) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, serial, 0) + body


def chain(host, family, hook, policy, device=None, kind=b"filter\0", table=b"t\0"):
    """A table with one chain at that hook (a number), which does that with all that comes."""
    where = attribute(1, struct.pack(">I", hook)) + attribute(2, struct.pack(">i", 0))
    if device:
        where += attribute(3, device.encode() + b"\0")
    new = attribute(1, table) + attribute(3, b"c\0") + attribute(4 | 0x8000, where)
    new += attribute(5, struct.pack(">I", policy)) + attribute(7, kind)
    number = FAMILY[family]
    batch = message(BATCH_BEGIN, 0, resource=10)
    batch += message(NEWTABLE, number, attribute(1, table), CREATE | ACK, serial=1)
    batch += message(NEWCHAIN, number, new, CREATE | ACK, serial=2)
    batch += message(BATCH_END, 0, resource=10)

    def body():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
            sock.settimeout(5)
            sock.bind((0, 0))
            sock.send(batch)
            for _ in range(2):
                answer = sock.recv(8192)
                error = struct.unpack_from("=i", answer, 16)[0]
                if error:
                    raise OSError(-error, f"nf_tables: {os.strerror(-error)}")

    host.inside(body)
