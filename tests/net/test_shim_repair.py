# SPDX-License-Identifier: LGPL-2.1-or-later
"""What breaks while a guest runs: it recovers, or falls back, and says so in a line each time.

A Station ends with an error as soon as its descriptor shows anything but "readable", so each of
these tests is also one of "never EOF, hang-up or EINTR".
"""
import os
import socket
import time

import emulator
import testproto
from case import needs
from emulator import Emulator
from helper import taps
from numbered import (
    OTHER,
    await_all_know_all,
    check_all_pairs,
    frame,
    number_of,
    numbers_until,
)
from observe import neighbour
from peer import Peer
from proc import late, wait_until
from station import Station
from wire import BROADCAST, Wire, mac_text
from world import REFUSE

addresses = neighbour("test_discovery_addresses")


def lines(station):
    """What users see, without the story for debugging: that is what LOG=info is for."""
    return station.said()


def bridged_station(world, **options):
    lan = world.lan()
    desk = world.host("desk", lan)
    wire = Wire(world.host("machine", lan))
    return desk, wire, Station(desk, debug=False, **options)


def check_on_lan(station, wire, seconds=2.0):
    """Both ways between the station and the LAN work; await that for some seconds."""
    start = time.monotonic()
    number = OTHER
    while True:
        number += 1
        station.send(frame(BROADCAST, station.mac, number))
        wire.send(frame(station.mac, wire.mac, number))
        out = any(number_of(f, station.mac) == number for f in wire.frames(0.1))
        back = any(number_of(f, wire.mac) == number for f in station.frames(0.1))
        if out and back:
            return
        assert not late(start, seconds), f"to the LAN: {out}, and back: {back}"


def cpu_seconds(station):
    with open(f"/proc/{station.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def delete_tap(host):
    (tap,) = taps(host)
    host.ip(f"link del {tap}")


def tc(host, line):
    done = host.run(["tc", *line.split()])
    assert done.returncode == 0, (line, done)


def change_filters_of(host, device, times):
    """So often that a program that stands still is not told of what comes then."""
    line = f"qdisc add dev {device} clsact\nqdisc del dev {device} clsact\n"
    done = host.run(["sh", "-c", f'for i in $(seq {times}); do printf "{line}"; done | tc -batch -'])
    assert done.returncode == 0, done


def repairs(station):
    """How often the helper was asked for one."""
    return station.process.stderr.count("] repair of ")


def test_deleted_tap_is_replaced(world):
    desk, wire, station = bridged_station(world)
    check_on_lan(station, wire)
    delete_tap(desk)
    check_on_lan(station, wire)
    first, lost, again = lines(station)
    assert "bridged" in first and first == again
    assert "peer to peer" in lost and "gone" in lost, lost
    assert len(taps(desk)) == 1


def test_new_tap_is_seen_by_who_waits_for_the_card_alone(world):
    desk, wire, station = bridged_station(world, waits="alone")
    for _ in range(3):
        check_on_lan(station, wire)
        delete_tap(desk)
    check_on_lan(station, wire)
    station.close()


def test_deleted_tap_is_replaced_while_the_guest_does_not_read(world):
    desk, wire, station = bridged_station(world)
    station.freeze()
    delete_tap(desk)
    wait_until(lambda: taps(desk), 2, "a new TAP")
    station.thaw()
    check_on_lan(station, wire)


def test_deleted_tap_and_permission_withdrawn_means_peer_to_peer(world):
    desk, wire, station = bridged_station(world)
    attic = Station(world.host("attic", world.lans[0], policy=REFUSE))
    attic.await_peer(station.mac, proven="1")
    desk.policy(REFUSE)
    delete_tap(desk)
    start = time.monotonic()
    station.await_peer(attic.mac, proven="1", way="tunnel")
    check_all_pairs([station, attic])
    assert not late(start, 2.5)
    wait_until(lambda: len(lines(station)) > 2, what="the reason why there is no other TAP")
    _, lost, refused = lines(station)
    assert "has gone" in lost and "peer to peer" in refused and "helper.conf:1 denies" in refused
    before = cpu_seconds(station)
    time.sleep(0.5)  # the dead TAP must not keep the descriptor readable
    assert cpu_seconds(station) - before < 0.1


def test_bridged_peers_of_one_that_lost_its_tap_reach_it_by_tunnel(world):
    desk, wire, station = bridged_station(world)
    other = Station(world.host("cellar", world.lans[0]))
    other.await_peer(station.mac, proven="1", way="tap")
    station.await_peer(other.mac, proven="1", way="tap")
    check_all_pairs([station, other])
    desk.policy(REFUSE)
    delete_tap(desk)
    other.await_peer(station.mac, 2, way="tunnel")
    station.await_peer(other.mac, 2, way="tunnel")
    check_all_pairs([station, other])


def test_no_frame_is_doubled_or_lost_by_tunnel_while_a_tap_goes(world):
    """One sends a numbered broadcast each 5 ms while its TAP is deleted: none comes twice, and
    once the peer is told, none is missing."""
    desk, wire, station = bridged_station(world)
    other = Station(world.host("cellar", world.lans[0]))
    station.await_peer(other.mac, proven="1", way="tap")
    other.await_peer(station.mac, proven="1", way="tap")
    desk.policy(REFUSE)
    other.drain()
    got = []
    for number in range(400):
        if number == 100:
            delete_tap(desk)
        station.send(frame(BROADCAST, station.mac, number))
        got += [number_of(f, station.mac) for f in other.frames(0.005)]
    got = [number for number in got if number is not None]
    got += numbers_until(399, other, station.mac) if 399 not in got else []
    assert len(got) == len(set(got)), "a frame came twice"
    missing = sorted(set(range(400)) - set(got))
    assert len(missing) <= 60 and all(100 <= n < 160 for n in missing), missing


def test_deleted_hub_is_repaired(world):
    desk, wire, station = bridged_station(world)
    check_on_lan(station, wire)
    desk.ip("link del bthub")
    check_on_lan(station, wire)


def test_filters_that_somebody_deletes_are_put_back(world):
    desk, wire, station = bridged_station(world)
    check_on_lan(station, wire)
    (tap,) = taps(desk)
    for of in ("nic egress", "nic ingress", "btlan ingress", "bthub ingress", f"{tap} ingress"):
        tc(desk, f"filter del dev {of}")
        check_on_lan(station, wire)
    for device in ("nic", "btlan", "bthub", tap):
        tc(desk, f"qdisc del dev {device} clsact")
        check_on_lan(station, wire)
    assert len(lines(station)) == 1, lines(station)


def test_each_loss_of_filters_is_mended_once(world):
    """And those of a card that is not ours are no loss, nor those of a TAP that has gone."""
    desk = world.host("desk", world.lan())
    desk.ip("link add other type bridge")
    tc(desk, "qdisc add dev other clsact")
    station = Station(desk)
    for number in range(1, 4):
        tc(desk, "filter del dev btlan ingress")
        wait_until(lambda n=number: repairs(station) == n, 2, "the repair")
        Station(desk).close()
        tc(desk, "qdisc del dev other clsact")
        tc(desk, "qdisc add dev other clsact")
        time.sleep(0.5)  # in which one more would come
    assert repairs(station) == 3


def test_filters_that_are_deleted_while_too_much_happens_are_put_back(world):
    """The kernel tells a program that stands still no more than it has room for."""
    desk, wire, station = bridged_station(world)
    desk.ip("link add other type bridge")
    station.process.stop()
    change_filters_of(desk, "other", 1000)
    tc(desk, "filter del dev btlan ingress")
    station.process.go_on()
    check_on_lan(station, wire)


def test_card_that_is_made_to_hear_less_hears_all_multicast_again(world):
    desk, _, _ = bridged_station(world)

    def hears_all():
        return "ALLMULTI" in desk.run(["ip", "-o", "link", "show", "nic"]).stdout

    wait_until(hears_all, 2, "the start")
    desk.ip("link set nic allmulticast off")
    wait_until(hears_all, 2, "the repair")


def test_links_that_change_while_a_guest_leaves_are_no_matter(world):
    """It waits a moment for the answer to its goodbye, which a stopped peer does not give, and
    looks at the links a moment after they have changed."""
    desk, wire, station = bridged_station(world)
    peer = Station(world.host("cellar", world.lans[0]))
    for change in ("link add left type bridge", "link set left up", "link del left"):
        station.await_peer(peer.mac, proven="1")
        peer.process.stop()
        desk.ip(change)
        station.socket.shutdown(socket.SHUT_WR)
        assert station.process.wait() == 0, station.process.story()
        peer.process.go_on()
        station = Station(desk, debug=False)


def test_changed_mac_of_the_uplink_is_followed(world):
    desk, _, station = bridged_station(world)
    check_on_lan(station, Wire(desk))
    desk.ip("link set nic down", "link set nic address 02:11:22:33:44:55", "link set nic up")
    check_on_lan(station, Wire(desk))


def test_uplink_unplugged_and_back(world):
    desk, wire, station = bridged_station(world)
    attic = Station(world.host("attic", world.lans[0], policy=REFUSE))
    check_on_lan(station, wire)
    attic.await_peer(station.mac, proven="1")
    desk.ip("link set nic down")
    time.sleep(0.5)  # it lasts a while: nothing to await
    desk.ip("link set nic up")
    check_on_lan(station, wire)
    check_all_pairs([station, attic])


def test_uplink_deleted_means_peer_to_peer_by_what_is_left(world):
    """A second card is left, by which the tunnel goes on."""
    desk, wire, station = bridged_station(world)
    attic_host = world.host("attic", world.lans[0], policy=REFUSE)
    side = world.lan()
    desk.plug(side, card="side", default_route=False)
    attic_host.plug(side, card="side", default_route=False)
    attic = Station(attic_host)
    station.await_peer(attic.mac, proven="1")
    attic.await_peer(station.mac, proven="1")
    check_all_pairs([station, attic])
    desk.ip("link del nic")
    start = time.monotonic()
    wait_until(addresses.attempts([station, attic]), 2, "the way that is left")
    print(f"by the way that is left after {time.monotonic() - start:.2f} s")
    check_all_pairs([station, attic])


def test_changed_address_of_the_host_is_told_to_the_peers(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar")]
    stations = [Station(host) for host in hosts]
    stations[0].await_peer(stations[1].mac, proven="1")
    stations[1].await_peer(stations[0].mac, proven="1")
    check_all_pairs(stations)
    for host in hosts:  # link-local addresses would hide what this is about
        host.sysctl("net/ipv6/conf/nic/disable_ipv6", "1")
    hosts[0].ip(f"addr del {hosts[0].address}/24 dev nic", "addr add 10.9.0.77/24 dev nic")
    stations[1].await_peer(stations[0].mac, 2, at="10.9.0.77:6066")
    check_all_pairs(stations)


def test_frozen_guest_stays_known(world):
    """Confirmation frames are answered by the control thread; frames wait in the socket."""
    lan = world.lan()
    one = Station(world.host("attic", lan, policy=REFUSE))
    one.freeze()
    two = Station(world.host("cellar", lan, policy=REFUSE))
    two.await_peer(one.mac, proven="1")
    for number in range(50):
        two.send(frame(one.mac, two.mac, number))
    time.sleep(0.2)  # nothing to await: it must not be read
    assert one.counter("from-tunnel") == 0
    one.thaw()
    got = numbers_until(49, one, two.mac)
    assert got == list(range(50)), got


def test_guest_that_never_reads_blocks_nobody(world):
    """SheepShaver's pattern: until Mac OS has opened its driver it does not read. What comes
    meanwhile is dropped behind what the kernel holds, and then all is well."""
    desk, wire, station = bridged_station(world)
    station.freeze()
    start = time.monotonic()
    for number in range(3000):
        wire.send(frame(station.mac, wire.mac, number))
        if number % 100 == 0:
            station.send(frame(BROADCAST, station.mac, number))
    assert not late(start, 5)
    station.thaw()
    got = [n for f in station.frames(0.3) if (n := number_of(f, wire.mac)) is not None]
    # in order, none twice; a busy machine's kernel may also drop one on the way there
    assert got == sorted(set(got)) and 100 <= len(got) < 3000, len(got)
    check_on_lan(station, wire)


@needs(emulator.missing)
def test_emulator_survives_its_peers_death_in_a_burst(world):
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    with Peer(world.host("machine", lan)) as peer:
        mac = Emulator(attic)
        mac.hello(peer)
        for _ in range(3):
            dying = Peer(world.host(f"dying{_}", lan))
            mac.hello(dying)
            # a burst of 500 full frames; after ten the other end is closed
            dying.send(testproto.command(mac.mac, dying.mac, "T", b"\x01\xf4\x05\xea", 60))
            count = 0
            for received in dying.frames(30):
                report = testproto.parse(received)
                count += bool(report and report.letter == "U")
                if count == 10:
                    break
            assert count == 10
            dying.close()
            testproto.echo(peer, mac.mac, 1514)
        mac.hello(peer)
        assert mac.quit(peer).refused == 0


def test_stopped_process_is_not_forgotten(world):
    lan = world.lan()
    stations = [Station(world.host(n, lan, policy=REFUSE)) for n in ("attic", "cellar")]
    stations[0].await_peer(stations[1].mac, proven="1")
    stations[1].await_peer(stations[0].mac, proven="1")
    stations[0].process.stop()
    time.sleep(3)  # a suspend of three seconds
    stations[0].process.go_on()
    check_all_pairs(stations)


def test_killed_peer_costs_nothing_and_is_found_again(world):
    lan = world.lan()
    hosts = [world.host(n, lan, policy=REFUSE) for n in ("attic", "cellar")]
    stations = [Station(host) for host in hosts]
    stations[0].await_peer(stations[1].mac, proven="1")
    stations[1].process.kill()
    again = Station(hosts[1])
    assert again.mac == stations[1].mac
    again.await_peer(stations[0].mac, proven="1")
    check_all_pairs([stations[0], again])


def test_closed_peer_is_gone_at_once(world):
    lan = world.lan()
    stations = [Station(world.host(n, lan, policy=REFUSE)) for n in ("attic", "cellar")]
    stations[0].await_peer(stations[1].mac, proven="1")
    stations[1].await_peer(stations[0].mac, proven="1")
    gone = stations[1].mac
    stations[1].close()
    wait_until(lambda: gone not in stations[0].status()["peer"], 1, "the end of the peer")


def test_peer_that_exits_without_close_is_gone_at_once(world):
    lan = world.lan()
    stations = [Station(world.host(n, lan, policy=REFUSE)) for n in ("attic", "cellar")]
    await_all_know_all(stations)
    gone = stations[1].mac
    start = time.monotonic()
    assert stations[1].exit() == 0
    # the peer says so itself: it was told, and need not have asked
    stations[0].story(f"{mac_text(gone)} .* is gone", 1)
    assert gone not in stations[0].status()["peer"]
    assert not late(start, 1)


def test_child_that_exits_says_no_goodbye(world):
    lan = world.lan()
    stations = [Station(world.host(n, lan, policy=REFUSE)) for n in ("attic", "cellar")]
    await_all_know_all(stations)
    for _ in range(3):
        stations[1].fork()
    check_all_pairs(stations)  # after the last one has ended
    assert "is gone" not in stations[0].process.stderr


@needs(emulator.missing)
def test_emulator_keeps_its_network_when_the_tap_is_deleted(world):
    lan = world.lan()
    desk = world.host("desk", lan)
    with Wire(world.host("machine", lan)) as wire:
        mac = Emulator(desk)
        mac.hello(wire)
        for _ in range(3):
            delete_tap(desk)
            wait_until(lambda: taps(desk), 2, "a new TAP")
            mac.hello(wire)
            testproto.echo(wire, mac.mac, 600)
        assert len(mac.lines()) == 7, mac.lines()
        assert mac.quit(wire).refused == 0


@needs(emulator.missing)
def test_emulator_goes_on_peer_to_peer_when_the_tap_is_deleted(world):
    lan = world.lan()
    desk = world.host("desk", lan)
    with Wire(world.host("machine", lan)) as wire, Peer(world.host("other", lan)) as peer:
        mac = Emulator(desk)
        mac.hello(wire)
        desk.policy(REFUSE)
        delete_tap(desk)
        mac.hello(peer)
        testproto.echo(peer, mac.mac, 1514)
        assert mac.quit(peer).refused == 0
