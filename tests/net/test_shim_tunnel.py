# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tunnel under bad input: forged, flooded, fragmented; and with peers that are not there."""
import itertools
import os
import socket
import struct
import time

import emulator
import testproto
from case import limit, needs
from emulator import Emulator
from numbered import OTHER, check_all_pairs, frame, number_of, numbers_until
from observe import neighbour
from peer import MDNS, TXT, Peer, record
from proc import Timeout, late, wait_until
from station import Station
from wire import BROADCAST
from world import REFUSE

ETYPE_CONTROL = b"\x88\xb6"


def compiled(world, name):
    """A program of tests/lib, built."""
    return neighbour("test_discovery_crowd").program(world, name)


def attic_and_machine(world, **options):
    """A refused host with a station on it, and the address of a machine on its LAN."""
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    machine = world.host("machine", lan)
    return attic, machine, Station(attic, debug=False, **options)


def control(target, source, kind):
    """A confirmation frame of that kind with no valid cookie in it."""
    return (target + source + ETYPE_CONTROL + b"BTAP\x01" + bytes((kind,))).ljust(60, b"\0")


def udp(host):
    def body():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((host.address, 0))
        return sock

    return host.inside(body)


def test_each_kind_of_bad_datagram_is_dropped_and_counted(world):
    attic, machine, station = attic_and_machine(world)
    with Peer(machine) as peer:
        wait_until(lambda: peer.receive(0.05) or station.mac in peer.peers, 5, "the station")
        stranger = udp(world.host("other", world.lans[0]))
        to = attic.address, 6066
        good = frame(station.mac, peer.mac, 1)
        cases = {
            "drop-short": good[:13],
            "drop-long": good.ljust(1515, b"\0"),
            "drop-group-source": frame(station.mac, b"\xb3" + peer.mac[1:], 1),
            "drop-own": frame(station.mac, station.mac, 1),
            "drop-not-ours": frame(peer.mac, peer.mac, 1),
            "drop-unknown-peer": frame(station.mac, b"\xb2\1\2\3\4\5", 1),
            "drop-wrong-address": good,
            "control-bad": control(station.mac, peer.mac, 7),
        }
        for key, data in cases.items():
            before = station.counter(key)
            stranger.sendto(data, to)
            wait_until(lambda k=key, b=before: station.counter(k) == b + 1, what=key)
        peer.send(good)
        # a frame that got through would come before it
        assert station.expect(lambda f: f if f[12:14] != ETYPE_CONTROL else None) == good
        # sent by the guest: under another's address, or as a confirmation frame
        for key, data in {
            "drop-foreign-source": frame(peer.mac, b"\xb2\1\2\3\4\5", 1),
            "drop-control": control(peer.mac, station.mac, 1),
        }.items():
            station.send(data)
            wait_until(lambda k=key: station.counter(k) == 1, what=key)


def test_experimental_ethertype_without_our_magic_is_the_guests(world):
    lan = world.lan()
    stations = [Station(world.host(n, lan, policy=REFUSE)) for n in ("attic", "cellar")]
    stations[0].await_peer(stations[1].mac, proven="1")
    data = stations[1].mac + stations[0].mac + ETYPE_CONTROL + b"MINE" + bytes(42)
    stations[0].send(data)
    assert stations[1].expect(lambda f: f if f[12:14] == ETYPE_CONTROL else None) == data


def test_full_frames_travel_in_fragments(world):
    """A frame of 1,514 bytes is a datagram of 1,542: two fragments; over small links, more."""
    lan = world.lan()
    hosts = [world.host(n, lan, policy=REFUSE) for n in ("attic", "cellar")]
    stations = [Station(host) for host in hosts]
    stations[0].await_peer(stations[1].mac, proven="1")
    stations[1].await_peer(stations[0].mac, proven="1")
    for mtu in (1500, 1280, 600):
        for host in hosts:
            host.ip(f"link set nic mtu {mtu}")
        data = stations[1].mac + stations[0].mac + b"\x88\xb5" + os.urandom(1500)
        start = time.monotonic()
        while True:
            stations[0].send(data)
            try:
                assert stations[1].expect(lambda f: f if len(f) == 1514 else None, 0.5) == data
                break
            except Timeout:
                assert not late(start, 15), f"MTU {mtu}"


def test_peer_that_is_gone_does_not_disturb_the_others(world):
    """Its host says "port unreachable" to each frame: nobody else loses one."""
    lan = world.lan()
    attic, cellar, shed = (world.host(n, lan, policy=REFUSE) for n in ("attic", "cellar", "shed"))
    stations = [Station(attic), Station(cellar), Station(shed)]
    for station in stations[1:]:
        stations[0].await_peer(station.mac, proven="1")
    stations[1].process.kill()
    for number in range(200):
        stations[0].send(frame(BROADCAST, stations[0].mac, number))
        stations[0].send(frame(stations[1].mac, stations[0].mac, number))
    got = numbers_until(199, stations[2], stations[0].mac)
    assert got == list(range(200)), got


def test_write_never_blocks(world):
    """10,000 frames to a peer behind a slow link are taken in no time: what has no room is lost."""
    lan = world.lan()
    hosts = [world.host(n, lan, policy=REFUSE) for n in ("attic", "cellar")]
    stations = [Station(host, debug=False) for host in hosts]
    stations[0].await_peer(stations[1].mac, proven="1")
    slow = "tc qdisc add dev nic root tbf rate 1mbit burst 5kb limit 20kb"
    done = hosts[0].run(slow.split())
    assert done.returncode == 0, done.stderr
    data = stations[1].mac + stations[0].mac + b"\x88\xb5" + bytes(1500)
    start = time.monotonic()
    for _ in range(10000):
        stations[0].send(data)  # the pair holds some hundred: this waits for the station
    wait_until(lambda: stations[0].counter("sent") >= 10000, 60, "the last to be taken")
    spent = time.monotonic() - start
    assert spent < 60, spent  # at 1 Mbit/s they would take two minutes


class Flood:
    """Those datagrams from that host to the attic, round and round, at 100,000 a second."""

    def __init__(self, host, attic, datagrams, seconds=3, port=6066):
        path = compiled(host.world, "flood")
        file = host.world.path("datagrams")
        with open(file, "wb") as out:
            out.write(b"".join(len(d).to_bytes(2, "big") + d for d in datagrams))
        argv = ["sh", "-c", f"{path} {attic.address} {port} 110000 {seconds} <{file}"]
        self.process = host.start(argv, name="flood")

    def running(self):
        return self.process.running()

    def rate(self):
        assert self.process.wait() == 0, self.process.story()
        return int(self.process.stdout)


FLOOD = 512  # different datagrams, a multiple of what flood.c sends at once


def floods(mac, peer):
    """{what it is: datagrams} for the one that has this MAC, and has that peer."""
    strangers = [b"\xb2" + os.urandom(5) for _ in range(FLOOD)]
    return {
        "random bytes": [os.urandom(1 + k % 200) for k in range(FLOOD)],
        "unknown peers": [frame(mac, s, k) for k, s in enumerate(strangers)],
        "forged source": [frame(BROADCAST, peer, k) for k in range(FLOOD)],
        "confirmation": [control(mac, s, 1 + k % 4) for k, s in enumerate(strangers)],
    }


def flood_that_can_be_had(flooder, attic):
    """How many a second this machine has time for, where nobody reads them."""
    with udp(attic) as nobody:
        return Flood(flooder, attic, [bytes(100)] * FLOOD, 1, nobody.getsockname()[1]).rate()


def echo_that_can_be_had(peer, mac):
    """Seconds that the slowest of some echoes takes without a flood."""
    spent = []
    for _ in range(10):
        start = time.monotonic()
        testproto.echo(peer, mac.mac, 600, 10)
        spent.append(time.monotonic() - start)
    return max(spent)


@limit(90)
@needs(emulator.missing)
def test_flood_of_garbage_does_not_stop_the_emulators_echo(world):
    """Beside what this machine does without one: other programs may have its time, too."""
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    flooder = world.host("flooder", lan)
    with Peer(world.host("machine", lan)) as peer:
        mac = Emulator(attic)
        mac.hello(peer)
        patience = max(0.5, 4 * echo_that_can_be_had(peer, mac))
        wanted = min(30000, flood_that_can_be_had(flooder, attic) / 4)
        for kind, datagrams in floods(mac.mac, peer.mac).items():
            flood = Flood(flooder, attic, datagrams, max(3, 6 * patience))
            answers = tries = 0
            while flood.running():
                tries += 1
                try:
                    testproto.echo(peer, mac.mac, 600, patience)
                    answers += 1
                except Timeout:
                    pass
            rate = flood.rate()
            print(f"{kind}: {rate} a second, {answers} of {tries} echoes in {patience:.1f} s")
            assert answers >= 0.5 * tries and answers >= 5, f"{kind}: {answers} of {tries}"
            assert rate > wanted, f"{kind}: {rate} a second, where {wanted} can be had"
        testproto.echo(peer, mac.mac, 1514, 10)


@limit(90)
def test_flood_costs_no_memory_and_is_counted(world):
    attic, machine, station = attic_and_machine(world)
    flooder = world.host("flooder", world.lans[0])
    with Peer(machine) as peer:
        wait_until(lambda: peer.receive(0.05) or station.mac in peer.peers, 5, "the station")
        counted = "drop-long drop-short drop-unknown-peer drop-wrong-address control-bad".split()
        known = station.status()["peers"]
        for kind, datagrams in floods(station.mac, peer.mac).items():
            before, facts = memory(station), station.status()
            flood = Flood(flooder, attic, datagrams, 2)
            wait_until(lambda f=flood: peer.receive(0.05) and False or not f.running(), 10)
            drops = {k: int(station.counter(k)) - int(facts[k]) for k in counted}
            print(f"{kind}: {memory(station) - before} bytes more, {drops}")
            assert memory(station) - before < 1 << 20
            assert sum(drops.values()) > 10000
        assert station.status()["peers"] == known


def memory(station):
    """Private bytes of the station's process."""
    with open(f"/proc/{station.process.pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) * 1024


@limit(90)
def test_flood_of_forged_announcements_is_bounded(world):
    """10,000 emulators that are not there, at the address of a third party."""
    attic, machine, station = attic_and_machine(world)
    victim = world.host("victim", world.lans[0])
    heard = udp(victim)
    heard.setblocking(False)
    with Peer(machine) as peer:
        wait_until(lambda: peer.receive(0.05) or station.mac in peer.peers, 5, "the station")
        before = memory(station)
        forger = Peer(world.host("forger", world.lans[0]), announces=False)
        forger.host = victim  # whose address the announcements tell
        port = heard.getsockname()[1]
        type(forger).port = property(lambda self: port)
        try:
            for number in range(10000):
                forger.mac = b"\xb2\xee" + number.to_bytes(4, "big")
                forger.mdns.sendto(forger.announcement(), ("224.0.0.251", 5353))
                if number % 100 == 0:
                    peer.receive(0.01)
        finally:
            del type(forger).port
            type(forger).port = PORT
        for number in range(20):
            station.send(frame(BROADCAST, station.mac, number))
            time.sleep(0.05)
        count = 0
        try:
            while heard.recv(2048):
                count += 1
        except BlockingIOError:
            pass
        print(f"the victim got {count} datagrams; {station.status()['peers']} peers")
        print(f"{memory(station) - before} bytes more")
        assert count <= 16 * 5 + 16 * 20, count
        assert memory(station) - before < 6 << 20
        assert int(station.status()["peers"]) <= 1024 + 10
        peer.send(frame(station.mac, peer.mac, 77))
        assert station.expect(lambda f: number_of(f, peer.mac)) == 77


@limit(120)
def test_flood_of_records_costs_no_more_than_it_has_bytes(world):
    """What Avahi keeps of a record can be many times as long as that: a TXT record of 4,000 strings."""
    attic, machine, station = attic_and_machine(world)

    def flood(peer, datagrams, records, strings):
        before = memory(station)
        for number in range(datagrams):
            names = (f"{number}-{k}-{len(strings)}.local" for k in range(records))
            body = b"".join(record(name, TXT, strings) for name in names)
            head = struct.pack(">HHHHHH", 0, 0x8400, 0, records, 0, 0)
            peer.mdns.sendto(head + body, MDNS)
            if number % 4 == 0:
                peer.receive(0.01)
        print(f"{memory(station) - before} bytes more")
        return memory(station) - before

    with Peer(machine) as peer:
        wait_until(lambda: peer.receive(0.05) or station.mac in peer.peers, 5, "the station")
        assert flood(peer, 600, 1, b"\1a" * 4000) < 1 << 20
        assert flood(peer, 400, 6, (b"\x13" + bytes(19)) * 64) < 16 << 20
        peer.send(frame(station.mac, peer.mac, 77))
        assert station.expect(lambda f: number_of(f, peer.mac)) == 77
    Station(world.host("cellar", world.lans[0], policy=REFUSE)).await_peer(station.mac, proven="1")


PORT = Peer.port


def test_peer_without_confirmation_gets_few_group_frames_until_it_speaks(world):
    attic, machine, station = attic_and_machine(world)
    with Peer(machine, confirms=False) as peer:
        wait_until(lambda: station.status()["peers"] == "1" or peer.receive(0.05), 5, "the peer")
        peer.drain()
        start = time.monotonic()
        for number in range(300):
            station.send(frame(BROADCAST, station.mac, number))
        wait_until(lambda: station.counter("sent") == 300, what="all to be taken")
        most = 20 * (time.monotonic() - start + 2)  # twenty in each second that it has seen of
        got = [n for f in peer.frames(0.5) if (n := number_of(f, station.mac)) is not None]
        assert 10 <= len(got) <= most, (len(got), most)
        assert station.counter("drop-unproven-peer") == 300 - len(got)
        peer.peers[station.mac] = attic.address, 6066
        peer.send(frame(station.mac, peer.mac, 5))
        assert station.expect(lambda f: number_of(f, peer.mac)) == 5
        peer.drain()
        for number in range(300):
            station.send(frame(BROADCAST, station.mac, number))
        got = numbers_until(299, peer, station.mac)
        assert got == list(range(300)), len(got)


def busy_pair(world, **options):
    """Two stations, each with a connected socket to the other."""
    lan = world.lan()
    hosts = [world.host(n, lan, policy=REFUSE) for n in ("attic", "cellar")]
    stations = [Station(host, **options) for host in hosts]
    stations[0].await_peer(stations[1].mac, proven="1")
    stations[1].await_peer(stations[0].mac, proven="1")
    numbers = itertools.count(OTHER)

    def both_have_one():
        for number in itertools.islice(numbers, 50):
            for one, other in (stations, reversed(stations)):
                one.send(frame(other.mac, one.mac, number))
        return all("a way of its own for" in station.process.stderr for station in stations)

    wait_until(both_have_one, 10)
    check_all_pairs(stations)
    return hosts, stations


def test_busy_peer_gets_a_way_of_its_own_until_nothing_is_sent(world):
    _, stations = busy_pair(world)
    # nothing is lost or doubled on the change back either
    for station in stations:
        station.story("no way of its own any more: nothing is sent", 15)
    check_all_pairs(stations)


def test_way_of_its_own_ends_where_no_descriptor_is_left(world):
    """Its socket must be gone then, or all that the peer sends would go on coming to it."""
    _, stations = busy_pair(world)
    for station in stations:
        station.fill()
    for station in stations:
        station.story("no way of its own any more: nothing is sent", 15)
    check_all_pairs(stations)


def test_way_of_its_own_is_seen_by_who_waits_for_the_card_alone(world):
    """It waits for the sockets there were when it began, and for none that comes later."""
    hosts, stations = busy_pair(world, waits="alone")
    for host in hosts:
        host.sysctl("net/ipv6/conf/nic/disable_ipv6", "1")
    hosts[0].ip(f"addr del {hosts[0].address}/24 dev nic", "addr add 10.9.0.77/24 dev nic")
    stations[1].await_peer(stations[0].mac, 2, at="10.9.0.77:6066")
    check_all_pairs(stations)
    for station in stations:
        station.close()


def test_frozen_guest_with_a_busy_peer_still_answers_for_itself(world):
    """What that peer asks comes to the socket that nobody reads: it is given up for that."""
    _, (one, other) = busy_pair(world)
    one.freeze()
    start = time.monotonic()
    number = OTHER
    while not late(start, 10) and "does not read" not in one.process.stderr:
        other.send(frame(one.mac, other.mac, number))
        number += 1
        time.sleep(0.02)
    one.story("no way of its own any more: the guest does not read")
    before = one.counter("control-in")
    asker = Station(world.host("shed", world.lans[0], policy=REFUSE))
    asker.await_peer(one.mac, proven="1")
    assert one.counter("control-in") > before
    one.thaw()
    check_all_pairs([one, other, asker])


def test_busy_peer_that_closes_is_gone_at_once(world):
    """Nobody reads that socket any more, but what its peer answers would come there."""
    _, stations = busy_pair(world)
    stations[1].close()
    stations[0].story("is gone", 1)


def test_busy_peer_that_exits_is_gone_at_once(world):
    _, stations = busy_pair(world)
    stations[1].exit()
    stations[0].story("is gone", 1)


def test_each_frame_of_a_burst_by_a_way_of_its_own_is_judged(world):
    """Bad ones among those that are as the one before, all of them waiting to be read."""
    lan = world.lan()
    station = Station(world.host("attic", lan, policy=REFUSE))
    me = station.mac
    with Peer(world.host("machine", lan)) as peer, Peer(world.host("other", lan)) as other:

        def known():
            peer.receive(0.02), other.receive(0.02)
            found = station.status()["peer"]
            return all(found.get(p.mac, {"proven": "0"})["proven"] == "1" for p in (peer, other))

        def busy():
            for number in range(50):
                station.send(frame(peer.mac, me, number))
            peer.drain()
            return "a way of its own for" in station.process.stderr

        wait_until(known, 5, "both to be known")
        wait_until(busy, 10, "a way of its own")
        station.freeze()
        station.send(frame(peer.mac, me, OTHER))
        peer.expect(lambda f: number_of(f, me) == OTHER, 2)
        bad = {
            "drop-short": frame(me, peer.mac, 0)[:13],
            "drop-long": frame(me, peer.mac, 0).ljust(1515, b"\0"),
            "drop-group-source": frame(me, b"\xb3" + peer.mac[1:], 0),
            "drop-own": frame(me, me, 0),
            "drop-not-ours": frame(bytes((me[0], me[1] ^ 1)) + me[2:], peer.mac, 0),
            "drop-unknown-peer": frame(me, peer.mac[:5] + bytes((peer.mac[5] ^ 1,)), 0),
            "drop-wrong-address": frame(me, other.mac, 0),
            "control-bad": control(me, peer.mac, 7),
        }
        before = station.status()
        good = itertools.count()
        for data in bad.values():
            for each in [frame(me, peer.mac, next(good)) for _ in range(3)] + [data]:
                peer.send_to(me, each)
        peer.send_to(me, frame(BROADCAST, peer.mac, next(good)))
        station.thaw()
        got = [n for f in station.frames(0.5) if (n := number_of(f, peer.mac)) is not None]
        assert got == list(range(next(good))), got
        after = station.status()
        counted = {key: int(after[key]) - int(before[key]) for key in bad}
        assert counted == dict.fromkeys(bad, 1), counted
        assert int(after["from-tunnel"]) - int(before["from-tunnel"]) == len(got)


def test_way_of_its_own_follows_the_peers_move(world):
    hosts, stations = busy_pair(world)
    for host in hosts:
        host.sysctl("net/ipv6/conf/nic/disable_ipv6", "1")
    hosts[0].ip(f"addr del {hosts[0].address}/24 dev nic", "addr add 10.9.0.77/24 dev nic")
    stations[1].await_peer(stations[0].mac, 2, at="10.9.0.77:6066")
    check_all_pairs(stations)
