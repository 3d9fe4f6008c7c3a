# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tunnel where the kernel does not send: frames are dropped and counted, nothing ends, and it
goes on as soon as the reason has gone.
"""
import time

import nft
from numbered import OTHER, await_all_know_all, check_all_pairs, frame
from proc import late, wait_until
from station import Station
from wire import BROADCAST
from world import REFUSE

OUTPUT = 3  # the hook
LOST = 0.5  # seconds; a frame that has not come by then does not, and is sent again


def pair(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar")]
    for host in hosts:  # one way to fail, not two
        host.sysctl("net/ipv6/conf/nic/disable_ipv6", "1")
    stations = [Station(host, debug=False) for host in hosts]
    await_all_know_all(stations)
    return hosts, stations


def drops(station):
    facts = station.status()
    return int(facts["drop-not-sent"]) + int(facts["drop-no-room"])


def check_drops_and_recovers(stations, start, end, counted=True):
    """start() makes sending fail, end() mends it: frames to one and to all, taken and lost."""
    one, other = stations
    before, sent = drops(one), one.counter("sent")
    start()
    for number in range(50):
        one.send(frame(other.mac, one.mac, OTHER + number))
        one.send(frame(BROADCAST, one.mac, OTHER + number))
    wait_until(lambda: one.counter("sent") == sent + 100, 5, "all frames to be taken")
    if counted:
        assert drops(one) == before + 100, (before, drops(one))
    end()
    start = time.monotonic()
    while True:
        try:
            check_all_pairs(stations, LOST)
            break
        except AssertionError:
            assert not late(start, 4)
    await_all_know_all(stations)
    assert [len(s.said()) for s in stations] == [1, 1], [s.said() for s in stations]


def test_route_that_goes_and_comes(world):
    """EHOSTUNREACH, for a peer on the host's own network."""
    hosts, stations = pair(world)
    route = f"route {{}} unreachable {hosts[1].address}/32"
    check_drops_and_recovers(
        stations, lambda: hosts[0].ip(route.format("add")), lambda: hosts[0].ip(route.format("del"))
    )


def test_card_that_is_down_for_a_while(world):
    """ENETUNREACH."""
    hosts, stations = pair(world)
    check_drops_and_recovers(
        stations, lambda: hosts[0].ip("link set nic down"), lambda: hosts[0].ip("link set nic up")
    )


def test_firewall_that_lets_nothing_out(world):
    """EPERM."""
    hosts, stations = pair(world)
    check_drops_and_recovers(
        stations,
        lambda: nft.chain(hosts[0], "inet", OUTPUT, nft.DROP),
        lambda: nft.remove(hosts[0], "inet"),
    )


def test_queue_without_room(world):
    """Of a card whose queue is full the kernel tells a UDP socket nothing: lost as on a wire."""
    hosts, stations = pair(world)

    def tc(words):
        done = hosts[0].run(["tc", "qdisc", *words.split()])
        assert done.returncode == 0, done.stderr

    check_drops_and_recovers(
        stations,
        lambda: tc("add dev nic root tbf rate 8kbit burst 200 limit 200"),
        lambda: tc("del dev nic root"),
        counted=False,
    )
