# SPDX-License-Identifier: LGPL-2.1-or-later
"""The patch port: who hears whom, how often, and what is not let through. Real TAPs and filters."""
import itertools
import os
import socket

from guest import Guest
from helper import HELPER, ask, refused, taps
from proc import wait_until
from wire import BROADCAST, Wire, mac_text

SERIAL = itertools.count(1)
APPLETALK = bytes.fromhex("090007ffffff")


def frame(to, source, serial, length=60, kind=b"\x88\xb5"):
    head = to + source + kind
    body = head + b"patch" + serial.to_bytes(4, "big")
    return body[:length] if length < len(body) else body + bytes(length - len(body))


def count(ends, sender, sent):
    """Send it, then a marker by the same way; how often each end got it before the marker."""
    marker = frame(BROADCAST, sender.mac, next(SERIAL), kind=b"\x88\xb7")
    sender.send(sent)
    sender.send(marker)
    counts = []
    for end in sorted(ends, key=lambda end: end is sender):
        got = []
        if end is sender:  # all others have the marker: nothing can be on its way to us
            got = list(end.frames(0))
        else:
            end.expect(lambda f: f[: len(marker)] == marker or got.append(f), what="marker")
        counts.append((ends.index(end), sum(f[: len(sent)] == sent for f in got)))
    return [n for _, n in sorted(counts)]


def four_ends(world, policy="allow group netdev\n"):
    """LAN machine, host, two guests of the host, each as something that sends and receives."""
    lan = world.lan()
    machine, desk = world.host("machine", lan), world.host("desk", lan, policy=policy)
    return desk, [Wire(machine), Wire(desk), Guest(desk, slot=0), Guest(desk, slot=1)]


def close(ends):
    for end in ends:
        end.close()


def await_way(sender, receiver):
    """A switch forwards to a port that has come up, but a moment later."""
    sent = frame(BROADCAST, sender.mac, next(SERIAL))

    def heard():
        sender.send(sent)
        return any(got[: len(sent)] == sent for got in receiver.frames(0.2))

    wait_until(heard, 10, "a way to " + receiver.card)


def check_matrix(ends, sources=None):
    """Every end's unicast reaches the one, its broadcast all the others, each exactly once."""
    for sender in sources or ends:
        others = [end for end in ends if end is not sender]
        for group in (BROADCAST, APPLETALK):
            sent = frame(group, sender.mac, next(SERIAL))
            assert count(ends, sender, sent) == [int(end is not sender) for end in ends], (sender.card, group)
        for receiver in others:
            sent = frame(receiver.mac, sender.mac, next(SERIAL))
            assert count(ends, sender, sent) == [int(end is receiver) for end in ends], (
                sender.card,
                receiver.card,
            )


def test_every_end_hears_every_other_exactly_once(world):
    _, ends = four_ends(world)
    assert ends[2].reply.attach == "patch"
    check_matrix(ends)
    close(ends)


LENGTHS = 14, 15, 34, 59, 60, 61, 64, 600, 1499, 1500, 1513, 1514


def test_frames_of_every_length_pass_byte_for_byte_and_once(world):
    """From each end to each other, to all, and to the group that AppleTalk uses."""
    _, ends = four_ends(world)
    for length in LENGTHS:
        for sender in ends:
            for to in [BROADCAST, APPLETALK, *(end.mac for end in ends if end is not sender)]:
                sent = to + sender.mac + b"\x88\xb5" + os.urandom(length - 14)
                wanted = [int(end is not sender and to in (BROADCAST, APPLETALK, end.mac)) for end in ends]
                assert count(ends, sender, sent) == wanted, (length, sender.card, to.hex(":"))
    close(ends)


def test_guest_without_uplink_still_reaches_the_other_guest(world):
    desk = world.host("desk")
    ends = [Guest(desk, slot=0), Guest(desk, slot=1)]
    assert ends[0].reply.attach == "none"
    check_matrix(ends)
    close(ends)


def test_attach_host_keeps_the_lan_out(world):
    _, ends = four_ends(world, policy="allow group netdev\nattach host\n")
    assert ends[2].reply.attach == "host", ends[2].reply
    check_matrix(ends[1:])
    machine, host, guest, other = ends
    sent = frame(BROADCAST, guest.mac, next(SERIAL))
    assert count([host, guest, other], guest, sent) == [1, 0, 1]
    from_lan = frame(BROADCAST, machine.mac, next(SERIAL))
    assert count([machine, host], machine, from_lan) == [0, 1]
    # neither crossed: a frame of the host's, which all hear, comes first everywhere
    sent_too = frame(BROADCAST, host.mac, next(SERIAL))
    host.send(sent_too)
    for end, foreign in ((machine, sent), (guest, from_lan), (other, from_lan)):
        got = []
        end.expect(lambda f: f[: len(sent_too)] == sent_too or got.append(f), what="host's frame")
        assert not [f for f in got if f[: len(foreign)] == foreign], end.card
    close(ends)


def test_joined_bridge_carries_guests_host_and_lan(world):
    lan = world.lan()
    machine = world.host("machine", lan)
    desk = world.host("desk", lan, policy="allow group netdev\njoin br0\n")
    desk.ip("link add br0 type bridge mcast_snooping 0", "link set nic master br0", "link set br0 up")
    desk.ip("addr flush dev nic", "addr add 10.9.0.9/24 dev br0", "route add default via 10.9.0.254")
    bridge_mac = desk.mac_of("br0")
    ends = [Wire(machine), Wire(desk, "br0"), Guest(desk, slot=0), Guest(desk, slot=1)]
    assert ends[2].reply.attach == "join" and ends[2].reply.uplink == "br0", ends[2].reply
    assert desk.mac_of("br0") == bridge_mac
    check_matrix(ends)
    close(ends)


def test_spare_card_is_bridged_as_a_whole(world):
    lan, spare = world.lan(), world.lan()
    desk = world.host("desk", lan, policy="allow group netdev\nuplink nic2\nattach bridge\n")
    desk.plug(spare, "nic2", address=0)
    machine = world.host("machine", spare)
    desk.ip("link set nic2 down")
    ends = [Wire(machine), Guest(desk, slot=0), Guest(desk, slot=1)]
    assert ends[1].reply.attach == "bridge" and ends[1].reply.uplink == "br-basilisk"
    await_way(ends[0], ends[1])
    check_matrix(ends)
    close(ends)
    wait_until(lambda: not taps(desk), what="the end of the TAPs")
    done = desk.run([HELPER, "--release"])
    assert done.returncode == 0, done
    assert desk.links() == {"lo", "nic", "nic2"}
    flags = desk.inside(lambda: open("/sys/class/net/nic2/flags").read())
    assert int(flags, 16) & 1 == 0, flags


def test_card_with_addresses_is_never_given_to_a_bridge(world):
    desk = world.host("desk", world.lan(), policy="allow group netdev\nuplink nic\nattach bridge\n")
    assert "nic has addresses" in refused(ask(desk), "uplink-unfit")
    assert desk.links() == {"lo", "nic"}


# What no Mac sends and a network can be hurt by. The source is the guest's own.
def ipv4(source_port, destination_port, fragment=0, message=b""):
    head = b"\x45\0" + (28 + len(message)).to_bytes(2, "big") + bytes(2)
    head += fragment.to_bytes(2, "big") + bytes.fromhex("4011")
    ports = source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big")
    return b"\x08\x00" + with_checksum(head, bytes(4) + b"\xff" * 4) + ports + bytes(4) + message


def with_checksum(head, addresses):
    """A LAN switch with br_netfilter drops IPv4 headers whose sum is wrong."""
    total = sum(int.from_bytes((head + addresses)[i : i + 2], "big") for i in range(0, 18, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return head + (0xFFFF - total).to_bytes(2, "big") + addresses


def ipv6(next_header, payload):
    head = bytes.fromhex("60000000") + len(payload).to_bytes(2, "big") + bytes([next_header, 255])
    return b"\x86\xdd" + head + bytes(32) + payload


def udp(source_port):
    return source_port.to_bytes(2, "big") + bytes.fromhex("022200080000")


def snap(rest, organization=bytes(3)):
    """The same behind an 802.3 length: what an access point sends is equal in both forms."""
    packet = b"\xaa\xaa\x03" + organization + rest
    return len(packet).to_bytes(2, "big") + packet


ADVERTISEMENT = b"\x86" + bytes(15)
SOLICITATION = b"\x85" + bytes(7)
NEIGHBOUR = b"\x87" + bytes(23)
DROPPED = {
    "vlan tag": (BROADCAST, bytes.fromhex("8100006488b5")),
    "service tag": (BROADCAST, bytes.fromhex("88a8006488b5")),
    "old stacked tag": (BROADCAST, bytes.fromhex("9100006488b5")),
    "bpdu": (bytes.fromhex("0180c2000000"), bytes.fromhex("0026424203")),
    "lldp": (bytes.fromhex("0180c200000e"), bytes.fromhex("88cc0207")),
    "lldp to all": (BROADCAST, bytes.fromhex("88cc0207")),
    "pause": (bytes.fromhex("0180c2000001"), bytes.fromhex("88080001ffff")),
    "pause to all": (BROADCAST, bytes.fromhex("88080001ffff")),
    "802.1x": (bytes.fromhex("0180c2000003"), bytes.fromhex("888e0101")),
    "802.1x to all": (BROADCAST, bytes.fromhex("888e0101")),
    "cdp": (bytes.fromhex("01000ccccccc"), bytes.fromhex("0020aaaa0300000c2000")),
    "pvst": (bytes.fromhex("01000ccccccd"), bytes.fromhex("0020aaaa0300000c010b")),
    "dhcp server": (BROADCAST, ipv4(67, 68)),
    "dhcp server, ip options": (
        BROADCAST,
        b"\x08\x00" + bytes.fromhex("4600002000000000401163ca0a0000010a00000201010100004300440008"),
    ),
    "dhcp server, first fragment": (BROADCAST, ipv4(67, 68, 0x2000)),
    "dhcpv6 server": (BROADCAST, ipv6(17, udp(547))),
    "router advertisement": (BROADCAST, ipv6(58, ADVERTISEMENT)),
    "router advertisement behind hop-by-hop": (
        BROADCAST,
        ipv6(0, bytes([58, 0, 5, 2, 0, 0, 1, 0]) + ADVERTISEMENT),
    ),
    "router advertisement behind destination options": (
        BROADCAST,
        ipv6(60, bytes([58, 1]) + bytes(14) + ADVERTISEMENT),
    ),
    "router advertisement in a first fragment": (
        BROADCAST,
        ipv6(44, bytes([58, 0, 0, 1]) + bytes(4) + ADVERTISEMENT),
    ),
    "router advertisement behind two headers": (
        BROADCAST,
        ipv6(0, bytes([60, 0, 1, 4, 0, 0, 0, 0, 58, 0, 1, 4, 0, 0, 0, 0]) + ADVERTISEMENT),
    ),
    "dhcp server by another port": (BROADCAST, ipv4(1067, 68)),
    "dhcpv6 server by another port": (BROADCAST, ipv6(17, udp(1547))),
    "dhcp answer to a relay": (BROADCAST, ipv4(1067, 67, message=b"\x02\x01\x06\0")),
    "dhcpv6 answer to a relay": (
        BROADCAST,
        ipv6(17, bytes.fromhex("060b02230000 0000 0d00")),
    ),
    "dhcp server in snap": (BROADCAST, snap(ipv4(67, 68))),
    "dhcp server by another port in tunnel snap": (BROADCAST, snap(ipv4(1067, 68), b"\0\0\xf8")),
    "router advertisement in snap": (BROADCAST, snap(ipv6(58, ADVERTISEMENT))),
    "router advertisement in tunnel snap": (
        BROADCAST,
        snap(ipv6(58, ADVERTISEMENT), b"\0\0\xf8"),
    ),
    "vlan tag in snap": (BROADCAST, snap(bytes.fromhex("8100006488b5"))),
    "802.1x in snap": (BROADCAST, snap(bytes.fromhex("888e0101"))),
    "lldp in tunnel snap": (BROADCAST, snap(bytes.fromhex("88cc0207"), b"\0\0\xf8")),
    "pause in snap": (BROADCAST, snap(bytes.fromhex("88080001ffff"))),
    "snap in snap": (BROADCAST, snap(snap(ipv6(58, ADVERTISEMENT)))),
    "ipv4 cut short": (BROADCAST, b"\x08\x00" + bytes.fromhex("45000014")),
    "ipv6 cut short": (BROADCAST, b"\x86\xdd" + bytes.fromhex("60000000")),
}
PASSED = {
    "aarp": (APPLETALK, b"\x00\x24\xaa\xaa\x03\0\0\0\x80\xf3"),
    "ddp": (APPLETALK, b"\x00\x24\xaa\xaa\x03\x08\x00\x07\x80\x9b"),
    "appletalk phase 1": (BROADCAST, b"\x80\x9b"),
    "arp": (BROADCAST, b"\x08\x06\x00\x01"),
    "arp in snap": (BROADCAST, snap(b"\x08\x06\x00\x01")),
    "ipx in snap": (BROADCAST, snap(b"\x81\x37\xff\xff")),
    "appletalk phase 1, from port 67": (BROADCAST, b"\x80\x9b" + ipv4(67, 68)[2:]),
    "snap of an unknown organization": (BROADCAST, snap(ipv4(67, 68), b"\x08\0\x07")),
    "ipx raw": (BROADCAST, b"\x00\x24\xff\xff"),
    "ipx": (BROADCAST, b"\x81\x37\xff\xff"),
    "decnet": (bytes.fromhex("ab0000030000"), b"\x60\x03"),
    "dhcp client": (BROADCAST, ipv4(68, 67, message=b"\x01\x01\x06\0")),
    "dhcpv6 client": (BROADCAST, ipv6(17, bytes.fromhex("02220223000c00000b000001"))),
    "later fragment": (BROADCAST, ipv4(67, 68, 0x0010)),
    "router solicitation": (bytes.fromhex("333300000002"), ipv6(58, SOLICITATION)),
    "neighbour solicitation": (bytes.fromhex("3333ff000001"), ipv6(58, NEIGHBOUR)),
    "neighbour advertisement": (BROADCAST, ipv6(58, b"\x88" + bytes(23))),
    "listener report": (
        bytes.fromhex("333300000016"),
        ipv6(0, bytes([58, 0, 5, 2, 0, 0, 1, 0]) + b"\x8f" + bytes(7)),
    ),
    "netbios": (bytes.fromhex("030000000001"), b"\x00\x2f\xf0\xf0\x03"),
    "spanning tree's neighbour address": (bytes.fromhex("0180c2000010"), b"\x88\xb5"),
    "cisco's other groups": (bytes.fromhex("01000cdddddd"), b"\x88\xb5"),
}


def heard(ends, sender, groups):
    """Send one of each, then a marker; the names that came to each end before the marker."""
    sent = {}
    for name, (to, rest) in groups.items():
        # compared without padding: a switch with br_netfilter cuts it off IP
        sent[name] = to + sender.mac + rest
        sender.send(sent[name] if "short" in name else sent[name].ljust(60, b"\0"))
    marker = frame(BROADCAST, sender.mac, 0xABCD)
    sender.send(marker)
    names = []
    for end in ends:
        got = []
        end.expect(lambda f: f[: len(marker)] == marker or got.append(f), what="marker")
        names.append([n for n, f in sent.items() if any(g[: len(f)] == f for g in got)])
    return names


def test_what_a_network_can_be_hurt_by_is_dropped(world):
    desk, ends = four_ends(world)
    others = [end for end in ends if end is not ends[2]]
    assert heard(others, ends[2], DROPPED) == [[], [], []]
    status = desk.run([HELPER, "--status"]).stdout
    assert f", refused {len(DROPPED)}, " in status, status
    close(ends)


def test_what_macs_send_passes(world):
    _, ends = four_ends(world)
    others = [end for end in ends if end is not ends[2]]
    for end, names in zip(others, heard(others, ends[2], PASSED)):
        assert names == list(PASSED), (end.card, set(PASSED) - set(names))
    close(ends)


def test_guests_may_serve_where_the_policy_says_so(world):
    _, ends = four_ends(world, policy="allow group netdev\nguests serve\n")
    serving = {n: v for n, v in DROPPED.items() if "dhcp" in n or "router" in n}
    names = heard(ends[:1], ends[2], serving)[0]
    assert names == list(serving), set(serving) - set(names)
    close(ends)


def test_headers_that_end_behind_the_frame_are_dropped(world):
    """A program that loads from there is over, and what it has said is "let it in"."""
    desk = world.host("desk", world.lan(), policy="allow group netdev\nattach none\n")
    guest = Guest(desk)
    to_stack = desk.mac_of("btlan") + guest.mac
    sent = [to_stack + ipv6(kind, bytes([17, 255]) + bytes(14)) for kind in (0, 43, 60)]
    sent += [to_stack + b"\x08\x00\x4f" + ipv4(68, 67)[3:]]
    for short in sent:
        guest.send(short)

    def all_counted():
        return f"refused {len(sent)}, " in desk.run([HELPER, "--status"]).stdout

    wait_until(all_counted, what="the count of what was dropped")
    guest.close()


def test_forged_sources_reach_nobody_and_are_counted(world):
    desk, ends = four_ends(world)
    machine, host, guest, other = ends
    forged = [other.mac, host.mac, machine.mac, BROADCAST, bytes(6), b"\xb2" + guest.mac[1:5] + b"\xff"]
    for i in range(10000):
        guest.send(frame(BROADCAST, forged[i % len(forged)], i))
    marker = frame(BROADCAST, guest.mac, 77)
    guest.send(marker)
    for end in (machine, host, other):
        got = []
        end.expect(lambda f: f[: len(marker)] == marker or got.append(f), what="marker")
        assert not [f for f in got if b"patch" in f], end.card
    status = desk.run([HELPER, "--status"]).stdout
    line = next(line for line in status.splitlines() if guest.card in line)
    assert line.endswith("forged 10000") and mac_text(guest.mac) in line, line
    close(ends)


def test_multicast_of_the_host_itself_reaches_a_guest_once(world):
    """The kernel loops such a packet back to the card's ingress, without its Ethernet header."""
    desk, ends = four_ends(world)
    group = "224.0.0.251"

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            # the loop is for members alone
            member = socket.inet_aton(group) + socket.inet_aton(desk.address)
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            udp.sendto(b"patch port, multicast", (group, 5353))

    desk.inside(send)
    marker = frame(BROADCAST, ends[1].mac, next(SERIAL))
    ends[1].send(marker)
    for guest in ends[2:]:
        got = []
        guest.expect(lambda f: f[: len(marker)] == marker or got.append(f), what="marker")
        ours = [f for f in got if b"patch port, multicast" in f]
        assert len(ours) == 1 and ours[0][:6] == bytes.fromhex("01005e0000fb"), ours
    close(ends)
