# SPDX-License-Identifier: LGPL-2.1-or-later
"""Base chains of nf_tables with a policy, or with one port closed, by netlink: all that these tests
need of a firewall.

Source: <linux/netfilter/nf_tables.h>, <linux/netfilter/nfnetlink.h>.
"""
import os
import socket
import struct

NETLINK_NETFILTER = 12
REQUEST, ACK, CREATE = 1, 4, 0x400
BATCH_BEGIN, BATCH_END = 16, 17
NEWTABLE, DELTABLE, NEWCHAIN, NEWRULE = 10 << 8 | 0, 10 << 8 | 2, 10 << 8 | 3, 10 << 8 | 6
NESTED = 0x8000
FAMILY = {"ip": 2, "ip6": 10, "inet": 1, "arp": 3, "netdev": 5, "bridge": 7}
DROP, ACCEPT = 0, 1


def attribute(kind, payload):
    data = struct.pack("=HH", 4 + len(payload), kind) + payload
    return data + bytes(-len(data) % 4)


def message(kind, family, payload=b"", flags=0, resource=0, serial=0):
    body = struct.pack("=BB", family, 0) + struct.pack(">H", resource) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, serial, 0) + body


def nested(kind, *attributes):
    return attribute(kind | NESTED, b"".join(attributes))


def number(kind, value):
    return attribute(kind, struct.pack(">I", value))


def commit(host, family, *messages):
    """One transaction of (type, payload, flags)."""
    batch = message(BATCH_BEGIN, 0, resource=10)
    for serial, (kind, payload, flags) in enumerate(messages, 1):
        batch += message(kind, FAMILY[family], payload, flags | CREATE | ACK, serial=serial)
    batch += message(BATCH_END, 0, resource=10)

    def body():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
            sock.settimeout(5)
            sock.bind((0, 0))
            sock.send(batch)
            for _ in messages:
                answer = sock.recv(8192)
                error = struct.unpack_from("=i", answer, 16)[0]
                if error:
                    raise OSError(-error, f"nf_tables: {os.strerror(-error)}")

    host.inside(body)


def new_chain(hook, policy, device, kind, table):
    where = [number(1, hook), attribute(2, struct.pack(">i", 0))]
    if device:
        where.append(attribute(3, device.encode() + b"\0"))
    new = attribute(1, table) + attribute(3, b"c\0") + nested(4, *where)
    return new + number(5, policy) + attribute(7, kind)


def chain(host, family, hook, policy, device=None, kind=b"filter\0", table=b"t\0"):
    """A table with one chain at that hook (a number), which does that with all that comes."""
    new = new_chain(hook, policy, device, kind, table)
    commit(host, family, (NEWTABLE, attribute(1, table), 0), (NEWCHAIN, new, 0))


def remove(host, family, table=b"t\0"):
    """What chain() made."""
    commit(host, family, (DELTABLE, attribute(1, table), 0))


def expression(name, *attributes):
    return nested(1, attribute(1, name.encode() + b"\0"), nested(2, *attributes))


def is_equal(value):
    return expression("cmp", number(1, 1), number(2, 0), nested(3, attribute(1, value)))


def close_port(host, family, hook, port, table=b"t\0"):
    """As `udp dport PORT drop` in a chain at that hook that lets all else pass."""
    rule = nested(
        4,
        expression("meta", number(1, 1), number(2, 16)),  # the protocol above IP
        is_equal(bytes((socket.IPPROTO_UDP,))),
        expression("payload", number(1, 1), number(2, 2), number(3, 2), number(4, 2)),
        is_equal(struct.pack(">H", port)),
        expression("immediate", number(1, 0), nested(2, nested(2, number(1, DROP)))),
    )
    new = new_chain(hook, ACCEPT, None, b"filter\0", table)
    rule = attribute(1, table) + attribute(2, b"c\0") + rule
    commit(
        host,
        family,
        (NEWTABLE, attribute(1, table), 0),
        (NEWCHAIN, new, 0),
        (NEWRULE, rule, 0x800),  # NLM_F_APPEND
    )
