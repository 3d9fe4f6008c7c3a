# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the holder of a TAP can do with it, and devices that only have a name of ours: neither hurts
anybody else.
"""
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import time

import guest_ip
import observe
import starter
from case import limit
from desk import Ping, check_reaches, release, two, unchanged
from guest import Guest
from helper import CODES, HELPER, ask, ask_as_qemu, close, guest_mac, refused, taps
from netstate import NetState
from proc import wait_until
from wire import BROADCAST, Wire
from world import ALLOW, NETDEV, USERS

UID = USERS["mac"][0]
TUN = dict(
    SETIFF=0x400454CA, SETPERSIST=0x400454CB, SETOWNER=0x400454CC, SETLINK=0x400454CD,
    SETGROUP=0x400454CE, SETOFFLOAD=0x400454D0, SETTXFILTER=0x400454D1, SETSNDBUF=0x400454D4,
    ATTACHFILTER=0x401054D5, DETACHFILTER=0x401054D6, SETVNETHDRSZ=0x400454D8, SETQUEUE=0x400454D9,
    SETDEBUG=0x400454C9, SETCARRIER=0x400454E2,
)  # fmt: skip
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
SIOCSIFHWADDR, SIOCSIFFLAGS, SIOCSIFNAME, SIOCSIFMTU = 0x8924, 0x8914, 0x8923, 0x8922


# ---- TAPs and names that are somebody's
def persistent(desk, name, *lines):
    desk.ip(f"tuntap add {name} mode tap", *lines)


def test_leftover_of_a_holder_is_taken_back(world):
    machine, desk = two(world)
    with unchanged(desk):
        guest = Guest(desk)
        fcntl.ioctl(guest.fd, TUN["SETPERSIST"], 1)
        fcntl.ioctl(guest.fd, TUN["SETOWNER"], 65534)
        guest.close()
        assert taps(desk) == {f"btap{UID:x}-0"}
        guest = Guest(desk)
        with Wire(machine) as lan, Wire(desk) as host:
            check_reaches(guest, lan, host)
        guest.close()
        wait_until(lambda: not taps(desk), what="the end of the TAP: it is not persistent now")
        # and by --release
        guest = Guest(desk)
        fcntl.ioctl(guest.fd, TUN["SETPERSIST"], 1)
        guest.close()
        done = desk.run([HELPER, "--release"])
        assert done.returncode == 0 and not taps(desk), done


def test_leftover_on_a_bridge_keeps_nobody_else_from_the_card(world):
    """A host has one hub: but not for somebody who is not there any more."""
    machine, desk = two(world, policy=ALLOW + "join br0\n")
    desk.ip("link add br0 type bridge", "link set br0 up")
    guest = Guest(desk, br="br0")
    refused(ask(desk, user="lisa"), "other-attachment")
    fcntl.ioctl(guest.fd, TUN["SETPERSIST"], 1)
    guest.close()
    guest = Guest(desk, user="lisa")
    assert guest.reply.attach == "patch" and taps(desk) == {guest.card}, guest.reply
    with Wire(machine) as lan, Wire(desk) as host:
        check_reaches(guest, lan, host)
    guest.close()


def test_leftover_can_be_attached_to_by_its_own_user_only(world):
    machine, desk = two(world)
    guest = Guest(desk)
    fcntl.ioctl(guest.fd, TUN["SETPERSIST"], 1)
    name = guest.card
    guest.close()
    tun = desk.inside(lambda: os.open("/dev/net/tun", os.O_RDWR))
    request = ifreq(name, struct.pack("=H", IFF_TAP | IFF_NO_PI))
    try:
        for user, allowed in (("lisa", False), ("guest", False), ("mac", True)):

            def attach():
                with contextlib.suppress(PermissionError):
                    fcntl.ioctl(tun, TUN["SETIFF"], request)
                    assert allowed, "attached"
                    return
                assert not allowed, "refused"

            by_user(desk, user, attach)
    finally:
        os.close(tun)


def test_devices_of_our_names_that_are_not_ours_are_left_alone(world):
    name = f"btap{UID:x}-0"
    foreign = {
        "a bridge with a TAP's name": (f"link add {name} type bridge",),
        "a TAP of the administrator's": (f"tuntap add {name} mode tap",),
        "one with an address": (f"tuntap add {name} mode tap", f"addr add 10.5.5.5/24 dev {name}"),
        "a TUN": (f"tuntap add {name} mode tun",),
        "one of his user's": (f"tuntap add {name} mode tap user {UID}",),
        "bthub": ("link add bthub type bridge",),
        "btlan": ("link add btlan type bridge",),
        "the pair": ("link add bthub type veth peer name btlan",),
        "another pair": ("link add bthub type veth peer name other",),
        "up": ("link add bthub type veth peer name btlan", "link set bthub up"),
        "two pairs": ("link add bthub type veth peer name a", "link add btlan type veth peer name b"),
        "two pairs, one of them ours": (
            "link add bthub type veth peer name a", "link add btlan type veth peer name b",
            'link set bthub alias "basilisk-tap host=1 attach=0"',
        ),  # fmt: skip
        "its note": ("link add bthub type veth peer name btlan", "link set bthub alias mine"),
    }
    for number, (what, lines) in enumerate(foreign.items()):
        desk = world.host(f"desk{number}", world.lan())
        desk.ip(*lines)
        with NetState(desk) as net:
            net.settle("nic")
            before = net.snapshot()
            answer = ask(desk)
            assert answer.status == CODES["foreign-device"], (what, answer)
            after = net.snapshot()
            kept = [line for line in before if line not in after]
            assert not kept, (what, kept)
            if lines[0].startswith("tuntap"):  # whether it is in use nobody can say
                done = desk.run([HELPER, "--release"])
                assert done.returncode == CODES["in-use"] and name in done.stderr, done
                after = net.snapshot()
                assert not [line for line in before if line not in after], what


def test_pair_with_an_address_is_refused(world):
    machine, desk = two(world)
    close(ask(desk))
    wait_until(lambda: not taps(desk), what="the end of the TAP")
    desk.ip("addr add 10.66.0.1/24 dev btlan")
    refused(ask(desk), "foreign-device")


# ---- what a holder can do
def ifreq(name, payload):
    return struct.pack("16s", name.encode()) + payload.ljust(24, b"\0")


def hold(guest):
    """Everything that a TAP's descriptor allows without a privilege, once."""
    name, allowed = guest.card, []
    for what, argument in (
        ("SETPERSIST", 1), ("SETPERSIST", 0), ("SETOWNER", 0), ("SETOWNER", 65534),
        ("SETGROUP", NETDEV), ("SETLINK", 772), ("SETOFFLOAD", 0x1F), ("SETDEBUG", 1),
    ):  # fmt: skip
        with contextlib.suppress(OSError):
            fcntl.ioctl(guest.fd, TUN[what], argument)
            allowed.append(what)
    for what, argument in (
        ("SETSNDBUF", struct.pack("=i", 0x7FFFFFFF)), ("SETVNETHDRSZ", struct.pack("=i", 12)),
        ("SETCARRIER", struct.pack("=i", 0)), ("SETCARRIER", struct.pack("=i", 1)),
        ("SETTXFILTER", struct.pack("=HH6s", 0, 1, bytes(6))),
    ):  # fmt: skip
        with contextlib.suppress(OSError):
            fcntl.ioctl(guest.fd, TUN[what], argument)
            allowed.append(what)
    program = (ctypes.c_uint16 * 4)(6, 0, 0, 0)  # one instruction: let nothing through
    fprog = struct.pack("=HxxxxxxQ", 1, ctypes.addressof(program))
    for what, argument in (("ATTACHFILTER", fprog), ("DETACHFILTER", fprog)):
        with contextlib.suppress(OSError):
            fcntl.ioctl(guest.fd, TUN[what], argument)
            allowed.append(what)
    # what needs a privilege must be refused, on the descriptor and on any socket
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        address = struct.pack("=H6s", 1, b"\2abcde")
        for request, payload in (
            (SIOCSIFFLAGS, struct.pack("=H", 0x1103)), (SIOCSIFNAME, b"eth0"),
            (SIOCSIFMTU, struct.pack("=i", 9000)), (SIOCSIFHWADDR, address),
        ):  # fmt: skip
            try:
                fcntl.ioctl(sock, request, ifreq(name, payload))
            except OSError:
                continue
            raise AssertionError(f"{request:x} by a socket of {os.getuid()}")
    return allowed


def by_user(desk, user, function):
    """Run function as that user on the desk; what it raises comes back as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = b""
        try:
            os.close(reader)
            starter.enter(desk)
            starter.become(desk.identity(user))
            function()
        except BaseException as error:
            said = repr(error).encode()
        finally:
            os.write(writer, said)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = file.read()
    os.waitpid(child, 0)
    assert not said, said


def test_holder_who_does_all_that_a_tap_allows_hurts_nobody(world):
    machine, desk = two(world)
    with unchanged(desk):
        other, holder = Guest(desk, slot=1), Guest(desk, slot=0)
        with Wire(machine) as lan, Wire(desk) as host:
            check_reaches(other, lan, host)

            def all_of_it():
                allowed = hold(holder)
                assert {"SETPERSIST", "SETCARRIER", "ATTACHFILTER"} <= set(allowed), allowed

            by_user(desk, "mac", all_of_it)
            check_reaches(other, lan, host)
        for end in (other, holder):
            end.close()
        done = desk.run([HELPER, "--release"])
        wait_until(lambda: not taps(desk) or desk.run([HELPER, "--release"]), what="no TAP")
        assert done.returncode in (0, CODES["in-use"]), done
        release(desk)


@limit(60)
def test_storm_of_addresses_of_a_tap_takes_no_frame_of_others(world):
    """Its holder gives it the card's address, another guest's, the LAN machine's, thousands of
    times a second: nobody loses a frame, none comes twice, and others attach and release."""
    machine, desk = two(world)
    other, holder = Guest(desk, slot=1), Guest(desk, slot=0)
    with Wire(machine) as lan, Wire(desk) as host, NetState(desk):
        names = [lan.mac, host.mac, other.mac, b"\xfe" + other.mac[1:], b"\x02\0\0\0\0\1"]

        def storm():
            for i in range(1 << 30):
                request = ifreq(holder.card, struct.pack("=H6s", 1, names[i % len(names)]))
                fcntl.ioctl(holder.fd, SIOCSIFHWADDR, request)

        child = os.fork()
        if child == 0:
            try:
                starter.become(desk.identity("mac"))
                storm()
            finally:
                os._exit(1)
        try:
            ping = Ping(desk, machine.address)
            ends = [lan, host, other]
            until = time.monotonic() + 3
            rounds = 0
            while time.monotonic() < until or rounds <= 3:
                for sender in ends:
                    for receiver in ends:
                        if sender is not receiver:
                            frame = receiver.mac + sender.mac + b"\x88\xb5" + os.urandom(46)
                            sender.send(frame)
                            receiver.expect(lambda got: got == frame, what="frame in the storm")
                third = ask(desk, slot=2)
                assert third.status == 0, third
                close(third)
                rounds += 1
            sent, lost = ping.finish()
            assert not lost and sent > 500, (sent, lost, rounds)
            assert os.waitpid(child, os.WNOHANG) == (0, 0), "the storm was over"
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    other.close()
    holder.close()
    release(desk)


def with_offloads(desk, guest):
    """Its TAP, made persistent by its holder and attached to again, now with offload headers."""
    fcntl.ioctl(guest.fd, TUN["SETPERSIST"], 1)
    guest.close()
    again = desk.inside(lambda: os.open("/dev/net/tun", os.O_RDWR))
    request = ifreq(guest.card, struct.pack("=H", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    by_user(desk, "mac", lambda: fcntl.ioctl(again, TUN["SETIFF"], request))
    return again


def test_super_frames_of_a_holder_reach_nobody(world):
    """They would be put on the card as segments of any size."""
    machine, desk = two(world)
    guest = Guest(desk)
    mac = guest.mac
    again = with_offloads(desk, guest)
    with Wire(machine, everything=True) as lan, Wire(desk, everything=True) as host:
        payload = bytes(6000)
        ip = guest_ip.header(socket.IPPROTO_TCP, 20 + len(payload), "10.9.0.77", machine.address)
        tcp = struct.pack(">HHIIBBHHH", 1, 2, 0, 0, 5 << 4, 0x10, 1000, 0, 0)
        frame = lan.mac + mac + b"\x08\x00" + ip + tcp + payload
        marker = BROADCAST + mac + b"\x88\xb5" + bytes(46)

        def send():
            for size in (100, 1400, 3000, 5900, 8000):
                with contextlib.suppress(OSError):
                    os.write(again, struct.pack("<BBHHHH", 1, 1, 54, size, 34, 16) + frame)
            with contextlib.suppress(OSError):
                os.write(again, bytes(10) + frame)
            os.write(again, bytes(10) + marker)

        by_user(desk, "mac", send)
        for wire in (lan, host):
            heard = []
            wire.expect(lambda got: heard.append(len(got)) or got[:60] == marker, what="marker")
            assert max(heard) <= 1514, heard
    os.close(again)


def write_later(frame, start, offset, word):
    """The frame, with a header by which the kernel writes the word at start + offset. What it
    writes is the checksum from start on, so two bytes at the end are chosen for that."""
    bare = frame + bytes(2)
    fill = (guest_ip.checksum(bare[start:]) - word) % 0xFFFF
    return struct.pack("<BBHHHH", 1, 0, 0, 0, start, offset) + frame + fill.to_bytes(2, "big")


def test_checksums_that_a_holder_has_written_are_seen_by_the_filters(world):
    """Into a UDP port, or over the offset of a fragment, for example: in the frame that the filters
    are to see, too, not in the one that leaves the card alone."""
    machine, desk = two(world)
    guest, other = Guest(desk), Guest(desk, slot=1)
    packets = observe.neighbour("test_patch_port")
    again = with_offloads(desk, guest)
    tail = b"written later".ljust(46, b"\0")
    client = BROADCAST + guest.mac + packets.ipv4(68, 68) + tail
    piece = BROADCAST + guest.mac + packets.ipv4(67, 68, 0x00FF) + tail
    advertised = BROADCAST + guest.mac + packets.ipv6(59, packets.ADVERTISEMENT) + tail
    frames = (
        write_later(client, 34, 0, 67),
        write_later(client, 20, 14, 67),
        write_later(piece, 20, 0, 0x2000),
        write_later(advertised, 20, 0, 0x3AFF),
    )
    marker = BROADCAST + guest.mac + b"\x88\xb5" + b"marker".ljust(46, b"\0")
    with Wire(machine) as lan, Wire(desk) as host:
        by_user(desk, "mac", lambda: [os.write(again, f) for f in (*frames, bytes(10) + marker)])
        for wire in (lan, host, other):
            heard = []
            wire.expect(lambda got: got == marker or heard.append(got), what="marker")
            assert not [got for got in heard if b"written later" in got], (wire.card, heard)
        # what is honest passes, with its sum
        udp = struct.pack(">HHHH", 1000, 2000, 8 + len(tail), 0)
        ip = guest_ip.header(socket.IPPROTO_UDP, 8 + len(tail), "10.9.0.77", "10.9.0.255")
        frame = BROADCAST + guest.mac + b"\x08\x00" + ip + udp + tail
        whole = struct.pack("<BBHHHH", 1, 0, 0, 0, 34, 6) + frame
        by_user(desk, "mac", lambda: os.write(again, whole))
        summed = frame[:40] + guest_ip.checksum(frame[34:]).to_bytes(2, "big") + frame[42:]
        for wire in (lan, host, other):
            wire.expect(lambda got: got == summed, what="frame with its checksum")
    other.close()
    os.close(again)


def test_withdrawn_user_keeps_no_way_back_after_release(world):
    """A leftover may be attached to by its owner without any helper: --release is what ends it."""
    machine, desk = two(world)
    guest = Guest(desk)
    fcntl.ioctl(guest.fd, TUN["SETPERSIST"], 1)
    guest.close()
    desk.policy("deny all\n")
    assert desk.run([HELPER, "--release"]).returncode == 0
    assert not taps(desk)
    refused(ask(desk), "denied")


def test_guest_of_another_user_with_the_same_address_is_refused(world):
    """uids that are equal in their low 12 bits would get the same MAC: the second is refused."""
    import world as names

    names.USERS["twin"] = (UID + 4096, [NETDEV])
    try:
        machine, desk = two(world)
        guest = Guest(desk)
        line = refused(ask(desk, user="twin"), "slot-busy")
        assert str(UID) in line, line
        with Wire(machine) as lan, Wire(desk) as host:
            check_reaches(guest, lan, host)
        twin = ask(desk, user="twin", slot=1)
        assert twin.status == 0, twin
        close(twin)
        guest.close()
        # QEMU names no slot: it gets the next one
        held = [ask_as_qemu(desk, user=user) for user in ("mac", "twin", "mac", "twin")]
        assert [answer.status for answer in held] == [0] * 4, held
        assert len({guest_mac(answer.fd) for answer in held}) == 4
        for answer in held:
            close(answer)
    finally:
        del names.USERS["twin"]
