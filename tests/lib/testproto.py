# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test ROM's own protocol (tests/rom/testproto.s), as seen from the wire."""
import collections
import struct

from wire import BROADCAST, mac_text

ETYPE = 0x88B5
MAGIC = b"BIIR"

# The rest of the fields is what the letter says: see the functions below.
Report = collections.namedtuple("Report", "letter online mac frame")
Hello = collections.namedtuple("Hello", "mac online received net node open_result")
News = collections.namedtuple("News", "mac count net node socket name")


def parse(frame):
    """The Report in a frame, or None when it is none of ours."""
    if len(frame) < 19 or frame[12:18] != struct.pack(">H4s", ETYPE, MAGIC):
        return None
    online = bool(frame[19]) if len(frame) > 19 else False
    return Report(chr(frame[18]), online, frame[20:26], frame)


def hello(mac=None, letter="H"):
    """A predicate: the hello of that Mac (None: of any); its value is the Hello."""

    def wanted(frame):
        report = parse(frame)
        if not report or report.letter != letter or mac not in (None, report.mac):
            return None
        if len(frame) < 36 or frame[6:12] != report.mac:
            return None
        received, net, node, result = struct.unpack(">IHBxh", frame[26:36])
        return Hello(report.mac, report.online, received, net, node, result)

    wanted.__name__ = f"hello of {mac_text(mac) if mac else 'a Mac'}"
    return wanted


def online(mac=None):
    """A predicate: a hello of a Mac that has its AppleTalk address."""
    inner = hello(mac)

    def wanted(frame):
        found = inner(frame)
        return found if found and found.online else None

    wanted.__name__ = "online " + inner.__name__
    return wanted


def news(mac=None, name=None):
    """A predicate: that Mac has found another by NBP, of that name."""

    def wanted(frame):
        report = parse(frame)
        if not report or report.letter != "N" or mac not in (None, report.mac) or len(frame) < 64:
            return None
        count, net, node, socket, length = struct.unpack(">HHBBB", frame[26:33])
        found = frame[33 : 33 + length].decode("mac_roman")
        if name not in (None, found):
            return None
        return News(report.mac, count, net, node, socket, found)

    wanted.__name__ = f"NBP news of {mac_text(mac) if mac else 'a Mac'} about {name or 'anyone'}"
    return wanted


def command(target, source, letter, body=b"", length=0):
    """A frame that tells the Mac what to do; padded with a pattern up to length."""
    frame = target + source + struct.pack(">H4s", ETYPE, MAGIC) + letter.encode() + b"\0" + body
    return frame + bytes((k * 7 + 3) & 255 for k in range(len(frame), length))


def echo(wire, mac, length, seconds=10.0):
    """Send an echo of so many bytes; return the answer, checked byte for byte."""
    sent = command(mac, wire.mac, "E", length=length)
    assert len(sent) == length, f"{length} is too short for an echo"
    expected = wire.mac + mac + sent[12:18] + b"R" + sent[19:]
    wire.send(sent)

    def answer(frame):
        return frame if frame[6:12] == mac and frame[12:19] == expected[12:19] else None

    got = wire.expect(answer, seconds, f"echo of {length} bytes from {mac_text(mac)}")
    assert got == expected, f"echo of {length} bytes came back as {len(got)}: {got.hex()}"
    return got


def burst(wire, mac, count, length, seconds=15.0):
    """Ask for a burst; check that all frames come, whole and in order."""
    wire.send(command(mac, wire.mac, "T", struct.pack(">HH", count, length), 60))
    tail = bytes(k & 255 for k in range(24, length))
    for left in reversed(range(count)):

        def part(frame):
            report = parse(frame)
            return frame if report and report.letter == "U" and frame[6:12] == mac else None

        frame = wire.expect(part, seconds, f"frame {count - left} of a burst of {count}")
        assert int.from_bytes(frame[20:22], "big") == left, f"frame {count - left} out of order"
        assert frame[:6] == wire.mac and frame[24:] == tail, f"frame {count - left} is damaged"


def multicast(wire, mac, group, add=True):
    """Add or delete a multicast address; return the driver's result."""
    wire.send(command(mac, wire.mac, "M" if add else "D", group + bytes(2), 60))

    def answer(frame):
        report = parse(frame)
        return frame if report and report.letter == "R" and frame[6:12] == mac else None

    return int.from_bytes(wire.expect(answer)[26:28], "big", signed=True)


def freeze(wire, mac, milliseconds):
    wire.send(command(mac, wire.mac, "S", struct.pack(">H", milliseconds), 60))


def quit(wire, mac):
    wire.send(command(mac, wire.mac, "Q", length=60))


def is_broadcast(frame):
    return frame[:6] == BROADCAST


def in_datagram(wanted):
    """A predicate for a wire: a UDP datagram that carries such a frame; its value is (addresses as
    text, the value of wanted)."""

    def seen(packet):
        if packet[12:14] == b"\x08\x00" and packet[23] == 17:
            source, target = (".".join(map(str, packet[a : a + 4])) for a in (26, 30))
            ports, frame = struct.unpack(">HH", packet[34:38]), packet[42:]
        elif packet[12:14] == b"\x86\xdd" and packet[20] == 17:
            source, target = (f"[{packet[a : a + 16].hex(':', 2)}]" for a in (22, 38))
            ports, frame = struct.unpack(">HH", packet[54:58]), packet[62:]
        else:
            return None
        value = wanted(frame) if len(frame) >= 14 else None
        return (f"{source}:{ports[0]} -> {target}:{ports[1]}", value) if value else None

    seen.__name__ = "datagram with " + wanted.__name__
    return seen
