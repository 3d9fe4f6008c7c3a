# SPDX-License-Identifier: LGPL-2.1-or-later
"""A test's own end of an Ethernet: raw frames in and out of a card in a host's namespace."""
import socket
import struct
import time

from proc import Timeout, late

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
PACKET_ADD_MEMBERSHIP = 1
PACKET_MR_PROMISC = 1
SO_RCVBUFFORCE = 33
BROADCAST = b"\xff" * 6


def mac_text(mac):
    return mac.hex(":")


class Ether:
    """Anything that frames come from: what its receive() is good for."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def frames(self, seconds):
        """All frames until the time is over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            frame = self.receive(left)
            if frame is not None:
                yield frame

    def expect(self, wanted, seconds=15.0, what=None):
        """Await a frame for which wanted() has a true value; return that value."""
        start = time.monotonic()
        others = 0
        while not late(start, seconds):
            frame = self.receive(0.1)
            if frame is None:
                continue
            value = wanted(frame)
            if value:
                return value
            others += 1
        what = what or wanted.__name__
        raise Timeout(f"no {what} on {self.card} in {seconds} s, but {others} other frames")

    def drain(self):
        """Forget what has already come."""
        while self.receive(0) is not None:
            pass


class Wire(Ether):
    """Frames as a program on that host receives them; with everything=True, those of others too."""

    def __init__(self, host, card="nic", everything=False):
        self.card = card

        def body():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            sock.bind((card, ETH_P_ALL))
            return sock, socket.if_nametoindex(card)

        self.socket, index = host.inside(body)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 0 if everything else 1)
        self.everything = everything
        if everything:
            member = struct.pack("iHH8x", index, PACKET_MR_PROMISC, 0)
            self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, member)
        self.mac = host.mac_of(card)

    def close(self):
        self.socket.close()

    def send(self, frame):
        self.socket.send(frame)

    def receive(self, seconds):
        """The next frame, or None when none came in time."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            self.socket.settimeout(max(left, 0.0001))
            try:
                frame, (_, _, kind, _, _) = self.socket.recvfrom(65536)
            except (TimeoutError, BlockingIOError):
                return None
            if self.everything or kind != socket.PACKET_OTHERHOST:
                return frame
            if left <= 0:
                return None
