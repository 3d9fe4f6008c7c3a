# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes of a host's links by a netlink socket of its own: no program has to be started for each.

A change is done when its function returns, or is an OSError.
"""
import fcntl
import os
import socket
import struct

import ns
from netstate import MASTER, NEWADDR, NEWLINK, NEWROUTE

NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x400
DELLINK, SETLINK = 17, 19
ADDRESS, NAME, LINKINFO, NET_NS_FD = 1, 3, 18, 28
KIND, DATA = 1, 2  # IFLA_INFO_…
PEER = 1  # VETH_INFO_PEER
LOCAL, GATEWAY = 2, 5  # IFA_LOCAL, RTA_GATEWAY
UP, ALLMULTI = 1, 0x200
SIOCGIFINDEX = 0x8933


def attribute(kind, value):
    if isinstance(value, int):
        value = struct.pack("=I", value)
    elif isinstance(value, str):
        value = value.encode()
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def link(index=0, flags=0, which=0):
    """The head of a link message; which of its flags shall be so."""
    return struct.pack("=BxHiII", 0, 0, index, flags, which)


class NetChange:
    def __init__(self, host):
        self.socket = host.inside(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        self.socket.bind((0, 0))
        self.socket.settimeout(5)

    def close(self):
        self.socket.close()

    def request(self, kind, *parts, flags=0):
        body = b"".join(parts)
        flags |= NLM_F_REQUEST | NLM_F_ACK
        self.socket.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body)
        number = -struct.unpack_from("=i", self.socket.recv(4096), 16)[0]
        if number:
            raise OSError(number, os.strerror(number))

    def index(self, name):
        answer = fcntl.ioctl(self.socket, SIOCGIFINDEX, struct.pack("16s24x", name.encode()))
        return struct.unpack_from("=i", answer, 16)[0]

    # ---- changes
    def make_pair(self, name, mac, peer, peer_mac, peer_namespace):
        """A card, and its other end, which is in another network namespace."""
        end = link(), attribute(NAME, peer), attribute(ADDRESS, peer_mac)
        inner = attribute(PEER, b"".join(end) + attribute(NET_NS_FD, peer_namespace))
        info = attribute(KIND, "veth") + attribute(DATA, inner)
        own = attribute(NAME, name), attribute(ADDRESS, mac), attribute(LINKINFO, info)
        self.request(NEWLINK, link(), *own, flags=NLM_F_CREATE)

    def delete(self, name):
        self.request(DELLINK, link(self.index(name)))

    def raise_link(self, name, up=True):
        self.request(SETLINK, link(self.index(name), UP if up else 0, UP))

    def set_allmulticast(self, name):
        self.request(SETLINK, link(self.index(name), ALLMULTI, ALLMULTI))

    def is_up(self, name):
        answer = fcntl.ioctl(self.socket, ns.SIOCGIFFLAGS, struct.pack("16s24x", name.encode()))
        return bool(struct.unpack_from("=H", answer, 16)[0] & UP)

    def rename(self, name, to):
        """As every kernel lets an administrator do it: not while it is up."""
        was_up = self.is_up(name)
        self.raise_link(name, False)
        self.request(SETLINK, link(self.index(name)), attribute(NAME, to))
        self.raise_link(to, was_up)

    def set_mac(self, name, mac):
        self.request(SETLINK, link(self.index(name)), attribute(ADDRESS, mac))

    def move(self, name, namespace):
        self.request(SETLINK, link(self.index(name)), attribute(NET_NS_FD, namespace))

    def put_into(self, name, bridge):
        self.request(SETLINK, link(self.index(name)), attribute(MASTER, self.index(bridge)))

    def add_address(self, name, address):
        body = struct.pack("=BBBBi", socket.AF_INET, 24, 0, 0, self.index(name))
        self.request(NEWADDR, body, attribute(LOCAL, socket.inet_aton(address)), flags=NLM_F_CREATE)

    def add_default_route(self, gateway):
        # main table, by an administrator, to anywhere, unicast
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 4, 0, 1, 0)
        via = attribute(GATEWAY, socket.inet_aton(gateway))
        self.request(NEWROUTE, body, via, flags=NLM_F_CREATE)
