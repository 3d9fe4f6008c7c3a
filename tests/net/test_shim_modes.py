# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bridged and unbridged guests on several hosts: every frame arrives, and arrives once."""
from case import limit
from helper import taps
from numbered import SETTLED, await_all_know_all, await_ways, check_all_pairs, collect, frame
from numbered import number_of, pairs
from proc import wait_until
from station import Station
from wire import BROADCAST, Wire, mac_text
from world import ALLOW, REFUSE


def two_and_two(world):
    """Two bridged and two refused on three hosts, who know each other and the way to each."""
    lan = world.lan()
    desk = world.host("desk", lan)
    attic = world.host("attic", lan, policy=REFUSE)
    both = world.host("both", lan, policy="allow user mac\ndeny user lisa\n")
    stations = [Station(desk), Station(attic), Station(both), Station(both, user="lisa")]
    bridged = {stations[0], stations[2]}
    await_all_know_all(stations)
    await_ways(stations, lambda a, b: "tap" if {a, b} <= bridged else "tunnel")
    return lan, desk, both, stations, bridged


@limit(120)
def test_two_bridged_and_two_refused_on_three_hosts(world):
    lan, desk, both, stations, bridged = two_and_two(world)
    check_all_pairs(stations)
    with Wire(world.host("machine", lan)) as wire:
        for number, station in enumerate(stations):
            station.send(frame(BROADCAST, station.mac, number))
        for to in stations:  # by the tunnel it comes after it has gone out by the TAP
            awaited = {station.mac for station in stations if station is not to}
            to.expect(lambda got: awaited.discard(got[6:12]) or not awaited, what="all broadcasts")
        seen = [s.mac for got in wire.frames(SETTLED) for s in stations
                if number_of(got, s.mac) is not None]  # fmt: skip
        assert sorted(seen) == sorted(s.mac for s in bridged), seen


@limit(120)
def test_no_frame_of_any_pair_is_doubled_while_modes_change(world):
    """As above, with frames from each to each and to all, all the while; one of the bridged loses
    its TAP for good, and the other one's is deleted twice."""
    lan, desk, both, stations, bridged = two_and_two(world)
    seen, sent, changes = {}, 0, {10: desk, 25: both, 40: both}
    for round_ in range(60):
        if round_ in changes:
            (tap,) = taps(changes[round_])
            changes[round_].ip(f"link del {tap}")
        for source, to in pairs(stations):
            source.send(frame(to.mac, source.mac, sent))
            sent += 1
        for source in stations:
            source.send(frame(BROADCAST, source.mac, sent))
            sent += 1
        count(seen, stations, 0.02)
        if round_ == 20:
            wait_until(lambda: taps(desk), 2, "a new TAP")
            (tap,) = taps(desk)
            desk.policy(REFUSE)
            desk.ip(f"link del {tap}")
        if round_ == 35:
            wait_until(lambda: taps(both), 2, "a new TAP")
    count(seen, stations, SETTLED)
    twice = {key: times for key, times in seen.items() if times > 1}
    assert not twice, twice
    expected = 60 * (len(pairs(stations)) + len(stations) * (len(stations) - 1))
    print(f"{expected - len(seen)} of {expected} frames lost")
    assert len(seen) > 0.7 * expected
    await_ways(stations, lambda a, b: "tunnel")
    check_all_pairs(stations)


def count(seen, stations, seconds):
    for key, times in collect(stations, seconds).items():
        seen[key] = seen.get(key, 0) + times


def test_two_lans_that_only_the_tunnel_joins(world):
    """Both are bridged, each to a LAN of its own: the first guess is wrong, and is corrected."""
    router = world.host("router")
    hosts = []
    for name in ("desk", "attic"):
        lan = world.lan()
        router.plug(lan, card=name, address=254, default_route=False)
        hosts.append(world.host(name, lan))
    router.sysctl("net/ipv4/ip_forward", "1")
    # multicast DNS stops at a router: a third card joins the two hosts for that
    middle = world.lan()
    for host in hosts:
        host.plug(middle, card="side", default_route=False)
    stations = [Station(host) for host in hosts]
    await_ways(stations, lambda a, b: "tunnel")
    check_all_pairs(stations)


def test_two_namespaces_of_one_host(world):
    """The same machine-id, so the same prefix, but nothing in common: the guess is wrong."""
    lan = world.lan()
    hosts = [world.host(name, lan, machine_id="0123456789abcdef0123456789abcdef",
                        policy=ALLOW + "attach host\n") for name in ("desk", "attic")]  # fmt: skip
    stations = [Station(hosts[0]), Station(hosts[1], "auto/slot=1")]
    assert stations[0].mac[:4] == stations[1].mac[:4]
    await_ways(stations, lambda a, b: "tunnel")
    check_all_pairs(stations)


def test_cloned_machine_id_on_one_lan(world):
    """Two hosts that take each other's guests for their own: what comes from there is dropped."""
    lan = world.lan()
    hosts = [world.host(name, lan, machine_id="0123456789abcdef0123456789abcdef")
             for name in ("desk", "attic")]  # fmt: skip
    stations = [Station(hosts[0]), Station(hosts[1], "auto/slot=1")]
    await_ways(stations, lambda a, b: "tunnel")
    check_all_pairs(stations)


def test_unknown_destination_without_a_tap_goes_nowhere(world):
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    station = Station(attic)
    station.send(frame(b"\x00\x05\x02\x01\x02\x03", station.mac, 1))
    wait_until(lambda: station.counter("drop-no-way") == 1, what="the drop to be counted")


def test_slots_users_and_ports(world):
    """Each has its own MAC and port; who starts again has the same MAC."""
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    stations = [Station(attic), Station(attic), Station(attic, user="lisa"), Station(attic)]
    macs = [s.mac for s in stations]
    assert len(set(macs)) == 4, [mac_text(m) for m in macs]
    assert [m[5] & 15 for m in macs] == [0, 1, 0, 2]
    ports = sorted(int(s.status()["port"]) for s in stations)
    assert ports == [6066, 6067, 6068, 6069], ports
    stations[1].close()
    again = Station(attic)
    assert again.mac == macs[1]
    stations[0].process.kill()
    assert Station(attic).mac == macs[0]


def test_mac_is_the_same_in_all_modes_and_better_ones_come_at_the_next_start(world):
    lan = world.lan()
    desk = world.host("desk", lan, policy=REFUSE)
    refused = Station(desk)
    mac = refused.mac
    desk.policy(ALLOW)
    desk.ip("link set nic down", "link set nic up")  # an event, at which bridged ones are mended
    attic = Station(world.host("attic", lan, policy=REFUSE))
    attic.await_peer(mac, proven="1")
    assert refused.status()["attach"] == "no" and not taps(desk)
    refused.close()
    bridged = Station(desk)
    assert bridged.status()["attach"] == "patch" and bridged.mac == mac
    bridged.close()
    assert Station(desk, "auto-p2p").mac == mac
