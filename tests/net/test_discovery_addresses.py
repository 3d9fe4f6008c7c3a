# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a peer is reached: every address of its host will do."""
import ipaddress
import itertools
import json
import time

import avahi
from avahi import Avahi
from case import limit, needs
from numbered import await_all_know_all, await_ways, check_all_pairs, frame, number_of
from proc import wait_until
from station import Station
from world import REFUSE


def address_of(station, peer):
    """The address that station sends to peer at."""
    text = station.status()["peer"][peer.mac]["at"].rpartition(":")[0].strip("[]")
    return ipaddress.ip_address(text)


def addresses(host, mac):
    """Where `basilisk-tap peers` says that it is; asked by a user of no emulator."""
    done = host.run(["basilisk-tap", "peers", "--json"], user="guest")
    assert done.returncode == 0, done
    for peer in json.loads(done.stdout)["peers"]:
        if peer["mac"] == mac.hex(":"):
            return [ipaddress.ip_address(a) for a in peer["addresses"]]
    return []


def both_refused(world, *lans):
    """attic and cellar, each with a card on each LAN."""
    hosts = []
    for name in ("attic", "cellar"):
        hosts.append(world.host(name, policy=REFUSE))
        for number, lan in enumerate(lans):
            card = f"nic{number}" if number else "nic"
            hosts[-1].plug(lan, card=card, default_route=not number)
    return hosts


@needs(avahi.missing)
def test_hosts_without_ipv4(world):
    """Link-local IPv6 and nothing else, by both ways of discovery."""
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar", "desk")]
    for host in hosts:
        host.ip("addr flush dev nic scope global")
    Avahi(hosts[2])
    stations = [Station(host) for host in hosts]
    await_all_know_all(stations)
    for one in stations:
        for other in stations:
            if one is not other:
                assert address_of(one, other).is_link_local
    check_all_pairs(stations)


@needs(avahi.missing)
def test_hosts_without_ipv6(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar", "desk")]
    for host in hosts:
        host.sysctl("net/ipv6/conf/all/disable_ipv6", "1")
    Avahi(hosts[2])
    stations = [Station(host) for host in hosts]
    await_all_know_all(stations)
    check_all_pairs(stations)


def test_all_addresses_of_a_host_are_announced(world):
    """Two of IPv4, one of them on a second card; a global one of IPv6; the link-local ones."""
    first, second = world.lan(), world.lan()
    attic, cellar = both_refused(world, first, second)
    attic.ip("addr add 10.77.0.1/24 dev nic", "addr add fd09::1/64 dev nic nodad")
    station = Station(attic)
    found = addresses(cellar, station.mac)
    for text in (attic.cards["nic"], attic.cards["nic1"], "10.77.0.1", "fd09::1"):
        assert ipaddress.ip_address(text) in found, found
    assert sum(a.is_link_local for a in found) == 2, found
    assert not [a for a in found if a.is_loopback], found


def test_address_that_is_added_later_is_announced(world):
    lan = world.lan()
    attic, cellar = both_refused(world, lan)
    station = Station(attic)
    mac = station.mac
    new = ipaddress.ip_address("10.77.0.1")
    assert new not in addresses(cellar, mac)
    attic.ip("addr add 10.77.0.1/24 dev nic")
    wait_until(lambda: new in addresses(cellar, mac), 5, "the new address")
    attic.ip("addr del 10.77.0.1/24 dev nic")
    wait_until(lambda: new not in addresses(cellar, mac), 5, "its end")
    assert addresses(cellar, mac), "the others are still announced"


def test_network_that_comes_later_is_used(world):
    """Started without any cable, as a notebook may be."""
    lan = world.lan()
    attic, cellar = both_refused(world, lan)
    attic.ip("link set nic down")
    stations = [Station(attic), Station(cellar)]
    assert not stations[0].status()["peer"]
    attic.ip("link set nic up")
    await_all_know_all(stations, 5)
    check_all_pairs(stations)


def test_network_that_came_while_too_much_happened_is_used(world):
    """The kernel tells a program that stands still no more changes than it has room for, and then
    Avahi's idea of the cards would be wrong for good."""
    attic = world.host("attic", world.lan(), policy=REFUSE)
    lan = world.lan()
    stations = [Station(attic), Station(world.host("cellar", lan, policy=REFUSE))]
    stations[0].process.stop()
    attic.ip(*["link add passing type bridge", "link del passing"] * 200)
    attic.plug(lan, card="nic1", default_route=False)
    stations[0].process.go_on()
    await_all_know_all(stations, 10)
    check_all_pairs(stations)


def attempts(stations):
    """A function that sends a frame each way between the two; True once both arrive."""
    numbers = itertools.count(1000)

    def get_through():
        number = next(numbers)
        for one, other in (stations, stations[::-1]):
            one.send(frame(other.mac, one.mac, number))
        for one, other in (stations, stations[::-1]):
            if not any(number_of(f, one.mac) == number for f in other.frames(0.1)):
                return False
        return True

    return get_through


@limit(150)
def test_two_hosts_on_two_lans_go_on_when_either_fails(world):
    lans = [world.lan(), world.lan()]
    hosts = both_refused(world, *lans)
    stations = [Station(host) for host in hosts]
    await_all_know_all(stations)
    check_all_pairs(stations)
    gets_through = attempts(stations)
    for lan in lans:
        lan.ip("link set lan down")
        start = time.monotonic()
        wait_until(gets_through, 10, "the other LAN to be used")
        print(f"frames go the other way after {time.monotonic() - start:.1f} s")
        lan.ip("link set lan up")
        for station in stations:
            while list(station.frames(1.5)):
                pass  # those that waited for an address that nobody answered for
        check_all_pairs(stations)
        await_all_know_all(stations)
        for station in stations:  # heard of by both again, before the other one fails
            other = next(s for s in stations if s is not station)
            wait_until(lambda s=station, o=other: len(addresses(s.host, o.mac)) >= 4, 10, "both")


def test_bridged_hosts_go_on_by_the_tunnel_when_their_lan_fails(world):
    """Nothing says so to either of them, and a second LAN is left, by which nobody is bridged."""
    lans = [world.lan(), world.lan()]
    hosts = [world.host(name, lans[0]) for name in ("desk", "attic")]
    for host in hosts:
        host.plug(lans[1], card="side", default_route=False)
    stations = [Station(host) for host in hosts]
    await_all_know_all(stations)
    await_ways(stations, lambda a, b: "tap")
    gets_through = attempts(stations)
    assert gets_through()
    lans[0].ip("link set lan down")
    start = time.monotonic()
    wait_until(gets_through, 10, "the other LAN to be used")
    print(f"frames go the other way after {time.monotonic() - start:.1f} s")
    check_all_pairs(stations)
