# SPDX-License-Identifier: LGPL-2.1-or-later
"""Confirmation frames that are forged: who says what without having been asked moves nobody, ends
nobody, and makes nobody send more to a third party than he sends himself.
"""
import os
import socket
import struct

from numbered import await_all_know_all, check_all_pairs, check_none_gone, frame
from observe import neighbour
from peer import MDNS, Peer, await_goodbyes_believed
from proc import wait_until
from station import Station
from world import REFUSE

tunnel = neighbour("test_shim_tunnel")
HELLO, ACK, FIN, BYE = 1, 2, 3, 4
ATTACHMENTS = range(6)


def forged(target, source, kind, attach=0):
    """One with cookies that nobody has given away, of whom they are to be from."""
    head = target + source + tunnel.ETYPE_CONTROL + b"BTAP\x01" + bytes((kind,))
    echo = bytes(8) if kind == HELLO else os.urandom(8)
    return (head + os.urandom(8) + echo + bytes((attach > 0, attach))).ljust(60, b"\0")


def datagram(source, target, data):
    """UDP in IPv4, from wherever it is to be: (address, port) each."""
    udp = struct.pack(">HHHH", source[1], target[1], 8 + len(data), 0) + data
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    return struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0, 64, 17, 0) + addresses + udp


def spoofer(host):
    """A socket for datagram(): the kernel adds length and check sum."""
    return host.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))


def test_forged_twin_and_a_stderr_that_nobody_reads_hold_up_nothing(world):
    """That somebody has our own MAC is said: anyone can make us say it."""
    lan = world.lan()
    attic, cellar = (world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar"))
    path = os.path.join(attic.home("mac"), "pipe")
    os.mkfifo(path)
    os.chmod(path, 0o666)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    stations = [Station(attic, debug=False, stderr=path), Station(cellar)]
    await_all_know_all(stations)
    try:
        while True:
            os.write(writer, b"x")
    except BlockingIOError:
        pass
    bad = stations[0].counter("control-bad")
    stranger = tunnel.udp(world.host("stranger", lan))
    stranger.sendto(forged(stations[0].mac, stations[0].mac, HELLO), (attic.address, 6066))
    check_all_pairs(stations)
    wait_until(lambda: stations[0].counter("control-bad") > bad, 3, "that frame, counted")
    check_all_pairs(stations)
    os.close(reader)


def pair_and_stranger(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar")]
    stations = [Station(host) for host in hosts]
    await_all_know_all(stations)
    return hosts, stations, world.host("stranger", lan)


def test_forged_confirmations_move_and_end_nobody(world):
    """From an address of his own, and from the very address and port of the peer."""
    hosts, stations, stranger = pair_and_stranger(world)
    one, other = stations
    before, bad = one.status()["peer"][other.mac], one.counter("control-bad")
    own, raw = tunnel.udp(stranger), spoofer(stranger)
    attic = hosts[0].address, 6066
    count = 0
    for kind in (ACK, FIN, BYE):
        for attach in ATTACHMENTS:
            data = forged(one.mac, other.mac, kind, attach)
            own.sendto(data, attic)
            raw.sendto(datagram((hosts[1].address, 6066), attic, data), (attic[0], 0))
            count += 2
    wait_until(lambda: one.counter("control-bad") == bad + count, 3, "all of them, counted")
    after = one.status()["peer"]
    assert list(after) == [other.mac], after
    for key in ("at", "way", "proven", "attach"):
        assert after[other.mac][key] == before[key], (key, after)
    # HELLO is answered, but only to where it came from, and makes no entry
    good = one.counter("control-in")
    for _ in range(50):
        own.sendto(forged(one.mac, other.mac, HELLO), attic)
        own.sendto(forged(one.mac, b"\xb2" + os.urandom(5), HELLO), attic)
    wait_until(lambda: one.counter("control-in") >= good + 100, 3, "all of them")
    assert one.status()["peer"][other.mac]["at"] == before["at"]
    assert one.status()["peers"] == "1"
    check_all_pairs(stations)


def test_forged_announcements_move_and_end_nobody(world):
    """Somebody announces the peer as being at his own address, and says goodbye for it."""
    hosts, stations, stranger = pair_and_stranger(world)
    one, other = stations
    before = one.status()["peer"][other.mac]
    with Peer(stranger, other.mac, announces=False) as forger:
        forger.frames_socket.settimeout(10)
        forger.mdns.sendto(forger.announcement(), MDNS)
        # he is asked, and says nothing
        while (asked := forger.frames_socket.recv(2048))[6:12] != one.mac:
            pass
        assert asked[12:14] == tunnel.ETYPE_CONTROL and asked[19] == HELLO, asked.hex()
        check_all_pairs(stations)
        forger.mdns.sendto(forger.announcement(ttl=0), MDNS)
        await_goodbyes_believed(world.host("witness", world.lans[0]), stations)
        check_all_pairs(stations)
        check_none_gone(one, [other])
        after = one.status()["peer"][other.mac]
        for key in ("at", "way", "proven"):
            assert after[key] == before[key], (before, after)
        forger.frames_socket.settimeout(0.5)  # so long without one: there are no more
        try:
            while True:
                assert forger.frames_socket.recv(2048)[12:14] == tunnel.ETYPE_CONTROL
        except TimeoutError:
            pass


def test_third_party_gets_no_more_than_the_forger_sends(world):
    """HELLOs, and frames of unknown guests, under the address of somebody who never asked."""
    hosts, stations, stranger = pair_and_stranger(world)
    victim = world.host("victim", world.lans[0])
    heard, raw = tunnel.udp(victim), spoofer(stranger)
    # a new port of a switch may take a second, and then the first ARP request is lost
    ping = ["ping", "-c1", "-W1", victim.address]
    wait_until(lambda: hosts[0].run(ping).returncode == 0, 5, "a way to it")
    there, attic = heard.getsockname(), (hosts[0].address, 6066)

    def got():
        sizes = []
        heard.settimeout(0.5)  # so long without one: there are no more
        try:
            while True:
                sizes.append(len(heard.recv(2048)))
        except TimeoutError:
            return sizes

    for count, key, data in (
        (200, "control-in", lambda: forged(stations[0].mac, b"\xb2" + os.urandom(5), HELLO)),
        (2000, "drop-unknown-peer", lambda: frame(stations[0].mac, b"\xb2" + os.urandom(5), 1)),
    ):
        end = stations[0].counter(key) + count
        for _ in range(count):
            raw.sendto(datagram(there, attic, data()), (attic[0], 0))
        wait_until(lambda k=key, e=end: stations[0].counter(k) >= e, 5, "all to be read")
        sizes = got()
        print(f"{len(sizes)} datagrams for {count}")
        assert 0 < len(sizes) <= count and set(sizes) == {60}, sizes
    assert len(sizes) <= 100 + 60, len(sizes)  # of unknown guests: so many at once, then 50 a second
    assert not got(), "it goes on by itself"


def test_frames_are_a_sign_of_life(world):
    """Where nothing else is: no announcement, no answer to a confirmation."""
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    station = Station(attic)
    with Peer(world.host("machine", lan), confirms=False) as peer:
        wait_until(lambda: peer.receive(0.05) or station.mac in station.status() or
                   peer.mac in station.status()["peer"], 5, "the peer")  # fmt: skip
        peer.announces = False
        peer.peers[station.mac] = attic.address, 6066

        def silent():
            return int(station.status()["peer"][peer.mac]["heard"])

        wait_until(lambda: silent() > 1000, 5, "a second of silence")
        peer.send(frame(station.mac, peer.mac, 1))
        wait_until(lambda: silent() < 500, 1, "a sign of life")
