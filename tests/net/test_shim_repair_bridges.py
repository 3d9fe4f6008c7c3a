# SPDX-License-Identifier: LGPL-2.1-or-later
"""As test_shim_repair.py, of guests that are attached by a bridge: the administrator's (join), or
one of the helper's own on a spare card (bridge).
"""
import time

from helper import taps
from numbered import OTHER, check_all_pairs, frame, number_of
from observe import neighbour
from proc import late, wait_until
from station import Station
from wire import BROADCAST, Wire
from world import ALLOW, REFUSE

repair = neighbour("test_shim_repair")
SECONDS = 2  # from the event until all is as it is to be


def make_bridge(desk):
    desk.ip(
        "link add br0 type bridge mcast_snooping 0",
        "link set br0 up",
        "addr flush dev nic",
        "link set nic master br0",
        f"addr add {desk.address}/24 dev br0",
        "route add default via 10.9.0.254",
    )


class Attached:
    """A bridged station at a desk, a wire beyond it, and a peer that is reached by tunnel alone."""

    def __init__(self, world, attachment):
        lan = world.lan()
        self.desk = world.host("desk", lan)
        self.attic = Station(world.host("attic", lan, policy=REFUSE))
        if attachment == "join":
            make_bridge(self.desk)
            self.desk.policy(ALLOW + "join br0\n")
        else:
            lan = world.lan()
            self.desk.plug(lan, "spare", address=0)
            self.desk.policy(ALLOW + "attach bridge\nuplink spare\n")
        self.wire = Wire(world.host("beyond", lan))
        self.station = Station(self.desk, debug=False)
        self.check(attachment)
        self.attic.await_peer(self.station.mac, proven="1")
        self.station.await_peer(self.attic.mac, proven="1")

    def check(self, attachment, seconds=SECONDS):
        """That it is what status says, and that both ways to the LAN work."""
        wait_until(lambda: self.station.status()["attach"] == attachment, seconds, attachment)
        repair.check_on_lan(self.station, self.wire, seconds)

    def lines(self):
        return repair.lines(self.station)


def deleted_tap(world, attachment):
    a = Attached(world, attachment)
    for _ in range(2):
        repair.delete_tap(a.desk)
        a.check(attachment)
    assert len(taps(a.desk)) == 1
    check_all_pairs([a.station, a.attic])
    assert len(a.lines()) == 5, a.lines()  # twice lost, twice back


def withdrawn_permission(world, attachment):
    a = Attached(world, attachment)
    a.desk.policy(REFUSE)
    a.check(attachment)  # what it has it keeps
    repair.delete_tap(a.desk)
    start = time.monotonic()
    a.attic.await_peer(a.station.mac, 2, attach="no", way="tunnel")
    check_all_pairs([a.station, a.attic])
    assert not late(start, 3)
    assert "peer to peer" in a.lines()[-1], a.lines()
    assert not taps(a.desk)


def unplugged(a, card, attachment):
    a.desk.ip(f"link set {card} down")
    time.sleep(0.5)  # it lasts a while: nothing to await
    a.desk.ip(f"link set {card} up")
    a.check(attachment)
    check_all_pairs([a.station, a.attic])


def test_join_deleted_tap_is_replaced(world):
    deleted_tap(world, "join")


def test_bridge_deleted_tap_is_replaced(world):
    deleted_tap(world, "bridge")


def test_join_permission_withdrawn_means_peer_to_peer(world):
    withdrawn_permission(world, "join")


def test_bridge_permission_withdrawn_means_peer_to_peer(world):
    withdrawn_permission(world, "bridge")


def test_join_deleted_hub_is_repaired(world):
    a = Attached(world, "join")
    a.desk.ip("link del bthub")
    a.check("join")


def test_bridge_deleted_hub_is_repaired(world):
    a = Attached(world, "bridge")
    a.desk.ip("link del bthub")
    a.check("bridge")


def test_bridge_that_is_deleted_is_made_again(world):
    a = Attached(world, "bridge")
    a.desk.ip("link del br-basilisk")
    a.check("bridge")
    check_all_pairs([a.station, a.attic])


def test_join_bridge_deleted_and_made_again(world):
    """Without it the card is one like any other, so the guests go to the LAN by that; which is as
    good when the bridge is there again, until something else is mended."""
    a = Attached(world, "join")
    a.desk.ip("link del br0")
    a.check("patch")
    make_bridge(a.desk)
    repair.check_on_lan(a.station, a.wire, SECONDS)
    unplugged(a, "nic", "join")


def taken_out(world, attachment):
    """Of the bridge, by hand."""
    a = Attached(world, attachment)
    a.desk.ip("link set btlan nomaster")
    a.check(attachment)


def test_join_hub_taken_out_of_the_bridge_is_put_back(world):
    taken_out(world, "join")


def test_bridge_hub_taken_out_of_the_bridge_is_put_back(world):
    taken_out(world, "bridge")


def test_join_line_withdrawn_leaves_the_host(world):
    """At the next repair: the LAN is no longer for guests, the tunnel is."""
    a = Attached(world, "join")
    a.desk.policy(ALLOW)
    a.desk.ip("link del bthub")
    a.attic.await_peer(a.station.mac, SECONDS, attach="host", way="tunnel")
    check_all_pairs([a.station, a.attic])
    a.station.send(frame(BROADCAST, a.station.mac, OTHER))
    assert not [f for f in a.wire.frames(0.3) if number_of(f, a.station.mac) == OTHER]


def test_join_card_unplugged_and_back(world):
    a = Attached(world, "join")
    unplugged(a, "nic", "join")


def test_bridge_card_unplugged_and_back(world):
    a = Attached(world, "bridge")
    unplugged(a, "spare", "bridge")
