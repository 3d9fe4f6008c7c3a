# SPDX-License-Identifier: LGPL-2.1-or-later
"""All that rtnetlink tells of a host's network, to be compared: links, addresses, routes, rules,
neighbours, qdiscs, filters, forwarding entries.  What changes by itself (counters, times, whether
a neighbour was lately heard) is left out; promiscuity and allmulti counts are in.

A snapshot is a sorted list of lines, so that a difference can be read.  Interfaces are named, not
numbered: the helper's own get new numbers each time.
"""
import os
import re
import socket
import struct

from proc import wait_until

NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
DONE, ERROR = 3, 2
NEWLINK, NEWADDR, NEWROUTE, NEWNEIGH, NEWRULE = 16, 20, 24, 28, 32
NEWQDISC, NEWFILTER = 36, 44
GET = 2  # each NEW… has its GET… two further on
AF_BRIDGE = 7
NUD_NOARP, NUD_PERMANENT = 0x40, 0x80
ROUTE_OF_MULTICAST = "route 0a080000ff020005"  # ff00::/8 of a card
INGRESS, EGRESS = 0xFFFFFFF2, 0xFFFFFFF3

MASTER, LINKINFO, ALIAS, AF_SPEC, LINK, LINK_NETNSID = 10, 18, 20, 26, 5, 37
# STATS, STATS64, CARRIER_CHANGES, CARRIER_UP_COUNT, CARRIER_DOWN_COUNT
LINK_VOLATILE = {7, 23, 35, 47, 48}
INET6_STABLE = {8}  # IFLA_INET6_ADDR_GEN_MODE
# a link's state of learning: whether it was lately said to carry something
OPERSTATE = 16
IFF_VOLATILE = 0x40 | 0x10000  # RUNNING, LOWER_UP


def attributes(data):
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += (length + 3) & ~3


def text(payload):
    return payload.rstrip(b"\0").decode(errors="replace")


class NetState:
    def __init__(self, host):
        self.host = host
        self.socket = host.inside(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        self.socket.bind((0, 0))
        self.socket.settimeout(5)
        self.serial = 0

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def dump(self, kind, header):
        """[(type, payload)]; asked again when something changed meanwhile."""
        while True:
            self.serial += 1
            length = 16 + len(header)
            flags = NLM_F_REQUEST | NLM_F_DUMP
            self.socket.send(struct.pack("=IHHII", length, kind, flags, self.serial, 0) + header)
            found = self.answers()
            if found is not None:
                return found

    def answers(self):
        found, interrupted = [], False
        while True:
            data = self.socket.recv(65536)
            at = 0
            while at + 16 <= len(data):
                length, kind, flags, serial, _ = struct.unpack_from("=IHHII", data, at)
                payload = data[at + 16 : at + length]
                at += (length + 3) & ~3
                if serial != self.serial:
                    continue
                interrupted |= bool(flags & 0x10)
                if kind == DONE:
                    return None if interrupted else found
                if kind == ERROR:
                    return []
                found.append((kind, payload))

    def settle(self, *cards):
        """Await the address and the routes that the kernel gives a card a little after it is up."""

        def settled():
            lines = self.snapshot()
            for card in cards:
                route = f"{ROUTE_OF_MULTICAST}.* 4={card.encode().hex()} "
                address = f"address {card} 0a4080fd "
                if not any(re.match(route, line) for line in lines):
                    return False
                if not any(line.startswith(address) for line in lines):
                    return False
            return True

        wait_until(settled, what=f"addresses and routes of {cards}")

    # ---- each kind as lines
    def links(self):
        lines = []
        self.names = {0: "-"}
        found = [p for k, p in self.dump(NEWLINK + GET, struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0))]
        for payload in found:
            index = struct.unpack_from("=i", payload, 4)[0]
            self.names[index] = text(dict(attributes(payload[16:]))[3])
        for payload in found:
            lines.append(self.link(payload))
        return lines

    def link(self, payload):
        _, _, hardware, index, flags, _ = struct.unpack_from("=BBHiII", payload)
        elsewhere = LINK_NETNSID in dict(attributes(payload[16:]))
        words = [f"link {self.names[index]} type {hardware} flags {flags & ~IFF_VOLATILE:x}"]
        for kind, value in attributes(payload[16:]):
            if kind in LINK_VOLATILE or kind == OPERSTATE:
                continue
            if kind == LINK and elsewhere:
                value = "elsewhere"
            elif kind in (MASTER, LINK):
                value = self.name(struct.unpack("=i", value)[0])
            elif kind == ALIAS:
                value = re.sub(r"(uplink|pid)=\d+", r"\1=N", text(value))
            elif kind == LINKINFO:
                value = text(dict(attributes(value)).get(1, b""))
            elif kind == AF_SPEC:
                value = self.address_families(value)
            else:
                value = value.hex()
            words.append(f"{kind}={value}")
        return " ".join(words)

    def address_families(self, value):
        words = []
        for family, inner in attributes(value):
            for kind, payload in attributes(inner):
                if family != socket.AF_INET6 or kind in INET6_STABLE:
                    words.append(f"{family}.{kind}:{payload.hex()}")
        return ",".join(words)

    def name(self, index):
        return self.names.get(index, f"#{index}")

    def addresses(self):
        for _, payload in self.dump(NEWADDR + GET, bytes(8)):
            index = struct.unpack_from("=I", payload, 4)[0]
            rest = " ".join(f"{k}={v.hex()}" for k, v in attributes(payload[8:]) if k != 6)
            yield f"address {self.name(index)} {payload[:4].hex()} {rest}"

    def routes(self):
        for _, payload in self.dump(NEWROUTE + GET, bytes(12)):
            words = [payload[:12].hex()]
            for kind, value in attributes(payload[12:]):
                if kind == 4:  # RTA_OIF
                    value = self.name(struct.unpack("=i", value)[0]).encode()
                if kind != 12:  # RTA_CACHEINFO
                    words.append(f"{kind}={value.hex()}")
            yield "route " + " ".join(words)

    def rules(self):
        for _, payload in self.dump(NEWRULE + GET, bytes(12)):
            yield "rule " + payload.hex()

    def neighbours(self):
        """Who is known, or was set; not whether it has answered lately, and no groups."""
        for _, payload in self.dump(NEWNEIGH + GET, bytes(12)):
            family, index, state, flags, kind = struct.unpack_from("=BxxxiHBB", payload)
            found = dict(attributes(payload[12:]))
            known = "permanent" if state & NUD_PERMANENT else "learnt"
            address = found.get(2, b"").hex()
            if address and not state & NUD_NOARP:
                yield (
                    f"neighbour {family} {self.name(index)} {known} {flags} {kind}"
                    f" {found.get(1, b'').hex()} {address}"
                )

    def forwarding(self):
        """What was set; not what a bridge has learnt."""
        header = struct.pack("=BxxxiHBB", AF_BRIDGE, 0, 0, 0, 0)
        for _, payload in self.dump(NEWNEIGH + GET, header):
            _, index, state, flags, _ = struct.unpack_from("=BxxxiHBB", payload)
            found = dict(attributes(payload[12:]))
            master = self.name(struct.unpack("=i", found[9])[0]) if 9 in found else "-"
            if state & (NUD_PERMANENT | NUD_NOARP):
                yield f"fdb {self.name(index)} {found.get(2, b'').hex()} {state} {flags} {master}"

    def qdiscs(self):
        self.with_filters = set()
        for _, payload in self.dump(NEWQDISC + GET, bytes(20)):
            _, index, handle, parent, _ = struct.unpack_from("=BxxxiIII", payload)
            found = dict(attributes(payload[20:]))
            if parent == 0xFFFFFFF1:
                self.with_filters.add(index)
            yield f"qdisc {self.name(index)} {handle:x} {parent:x} {text(found[1])}"

    def filters(self):
        for index in sorted(self.with_filters):
            for parent in (INGRESS, EGRESS):
                header = struct.pack("=BxxxiIII", 0, index, 0, parent, 0)
                for _, payload in self.dump(NEWFILTER + GET, header):
                    yield self.filter(index, parent, payload)

    def filter(self, index, parent, payload):
        handle, _, info = struct.unpack_from("=III", payload, 8)
        found = dict(attributes(payload[20:]))
        options = dict(attributes(found.get(2, b"")))
        words = [
            f"filter {self.name(index)} {'in' if parent == INGRESS else 'out'} {info >> 16}",
            self.names[handle] if handle > 1 and handle in self.names else f"{handle:x}",
            text(found[1]),
            options.get(5, b"").hex(),  # TCA_BPF_OPS
            options.get(8, b"").hex() or "0",  # TCA_BPF_FLAGS
        ]
        for _, action in attributes(options.get(1, b"")):  # TCA_BPF_ACT
            words.append(self.action(action))
        return " ".join(words)

    def action(self, action):
        found = dict(attributes(action))
        kind = text(found[1])
        parms = dict(attributes(found.get(2, b""))).get(2, b"")
        if kind != "mirred" or len(parms) < 28:
            return kind
        _, _, verdict, _, _, way, target = struct.unpack_from("=IIiiiiI", parms)
        return f"mirred:{way}:{verdict}:{self.name(target)}"

    def snapshot(self):
        lines = list(self.links())
        for part in (self.addresses, self.routes, self.rules, self.neighbours, self.forwarding):
            lines += part()
        lines += self.qdiscs()
        lines += self.filters()
        return sorted(lines)

    def sysctls(self):
        """{name: value} of net.*, without those that count or are a random secret."""

        def body():
            found = {}
            for folder, _, names in os.walk("/proc/sys/net"):
                for name in names:
                    path = os.path.join(folder, name)
                    try:
                        with open(path) as file:
                            found[path] = file.read()
                    except OSError:
                        pass
            return found

        found = self.host.inside(body)
        volatile = "conntrack_count", "secret"
        return {k: v for k, v in found.items() if not any(word in k for word in volatile)}


def difference(before, after):
    """What a person can see at a glance."""
    gone, new = set(before) - set(after), set(after) - set(before)
    return "\n".join([*(f"- {line}" for line in gone), *(f"+ {line}" for line in new)])
