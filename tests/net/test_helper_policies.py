# SPDX-License-Identifier: LGPL-2.1-or-later
"""The policy says something else from one run of the helper to the next: whatever stood before, a
repair of a TAP that is alive and the next start do what it says now, by no other card than that, and
one --release leaves the host as it was.
"""
import itertools
import os

import ns
from case import limit
from desk import check_reaches, release, repair, unchanged
from frozen import whole_run
from guest import Guest
from netstate import NEWLINK, NetState, difference
from proc import wait_until
from stand import ATTACH, OTHER, Stand
from tracer import At, Tracer
from wire import Wire
from world import ALLOW

# attachment, uplink as the reply names it, card that leads to the LAN, lines of the policy
POLICIES = (
    ("patch", "nic", "nic", "uplink nic\n"),
    ("patch", "second", "second", "uplink second\n"),
    ("patch", "spare", "spare", "uplink spare\n"),  # which is a bridge's in others
    ("host", "nic", None, "uplink nic\nattach host\n"),
    ("none", "", None, "attach none\n"),
    ("join", "br0", "third", "uplink third\njoin br0\n"),
    ("bridge", "br-basilisk", "spare", "uplink spare\nattach bridge\n"),
    ("bridge", "br-basilisk", "other", "uplink other\nattach bridge\n"),
)
CARDS = "nic", "second", "third", "spare", "other"


class Desk:
    """With five cards, each on a LAN of its own, of which the last one is down, and a bridge."""

    def __init__(self, world):
        lans = [world.lan() for _ in CARDS]
        self.host = world.host("desk", lans[0])
        for lan, card in zip(lans[1:], CARDS[1:]):
            self.host.plug(lan, card, address=0)
        self.host.ip("link add br0 type bridge mcast_snooping 0", "link set br0 up",
                     "link set third master br0", "link set other down")  # fmt: skip
        self.lans = dict(zip(CARDS, lans))
        self.wires = {card: Wire(world.host(f"beyond-{card}", lan)) for lan, card in zip(lans, CARDS)}

    def close(self):
        for wire in self.wires.values():
            wire.close()

    def ports(self, bridge):
        said = self.host.run(["ip", "-o", "link", "show", "master", bridge])
        return {line.split(": ")[1].split("@")[0] for line in said.stdout.splitlines()}

    def passes_frames(self, card):
        """What a bridge brings up is so a little later, also to the switch at its other end."""
        return self.host.inside(lambda: ns.passes_frames(card)) and ns.in_ns(
            self.lans[card].namespaces, lambda: ns.passes_frames("p1")
        )

    def check(self, guest, reply, policy, net):
        attach, uplink, card, lines = policy
        assert (reply.attach, reply.uplink) == (attach, uplink), reply
        if card:
            wait_until(lambda: self.passes_frames(card), what=f"{card} to be up")
            check_reaches(guest, self.wires[card])
        filtered = {line.split()[1] for line in net.snapshot() if line.startswith("filter ")}
        assert filtered & set(CARDS) == ({uplink} if attach in ("patch", "host") else set()), filtered
        ours = {"btlan"} if attach == "join" else set()
        assert self.ports("br0") == {"third"} | ours, self.ports("br0")
        ours = {"btlan", card} if attach == "bridge" else set()
        assert self.ports("br-basilisk") == ours, self.ports("br-basilisk")


@limit(120)
def test_policy_that_changes_is_followed_from_each_to_each(world):
    desk = Desk(world)
    host = desk.host
    with unchanged(host) as net:
        for before, after in itertools.permutations(POLICIES, 2):
            try:
                host.policy(ALLOW + before[3])
                first = Guest(host)
                desk.check(first, first.reply, before, net)
                host.policy(ALLOW + after[3])
                answer = repair(host)
                assert answer.status == 0, answer
                desk.check(first, answer.reply, after, net)
                second = Guest(host, user="lisa", slot=1)
                desk.check(second, second.reply, after, net)
            except Exception as error:
                raise AssertionError(f"from {before[3]!r} to {after[3]!r}") from error
            first.close()
            second.close()
            release(host)
    desk.close()


@limit(120)
def test_helper_killed_while_it_changes_the_bridges_card_leaves_nothing(world):
    """Before each of its requests; the next start goes on from there, or the release."""
    desk = Desk(world)
    host = desk.host
    before, after = (policy for policy in POLICIES if policy[0] == "bridge")

    def prepare():
        host.policy(ALLOW + before[3])
        Guest(host).close()
        host.policy(ALLOW + after[3])

    with unchanged(host) as net, Tracer(host) as tracer:
        at_first = net.snapshot()
        prepare()
        tracer.start(*ATTACH)
        end = tracer.go()
        os.close(end.fd)
        for index in [i for i, call in enumerate(end.calls) if call.nl_type]:
            for goes_on in (True, False):
                release(host)
                now = net.snapshot()
                assert now == at_first, f"before {index}:\n{difference(at_first, now)}"
                prepare()
                tracer.start(*ATTACH)
                assert isinstance(tracer.to(index), At), index
                tracer.kill()
                if goes_on:
                    with Guest(host) as guest:
                        desk.check(guest, guest.reply, after, net)
        release(host)
    desk.close()


@limit(120)
def test_who_is_stopped_while_another_goes_elsewhere_leaves_nothing_on_his_card(world):
    """Before each of his requests; when he goes on he does one or two things more to the card that the
    other one has left, and is killed.  But for the one that has the card take all groups, which he
    has noted just before: by then that is undone, and the note gone."""
    with Stand(world, "patch") as stand, stand.tracer("lisa") as lisa:
        calls = whole_run(stand.user, ATTACH)
        stand.check_released("a run with nothing wrong")
        requests = [i for i, call in enumerate(calls) if call.nl_type]
        noted = [i for i in requests if calls[i].nl_type == NEWLINK][-1]
        for index, later in zip(requests, [*requests[2:], requests[-1], len(calls)]):
            if index == noted:
                continue
            stand.desk.policy(ALLOW)
            stand.user.start(*ATTACH)
            assert isinstance(stand.user.to(index), At), index
            stand.desk.policy(ALLOW + "attach none\n")
            lisa.start(*OTHER)
            end = lisa.go()
            assert end.status == 0, (index, end)
            os.close(end.fd)
            event = stand.user.to(later)
            if isinstance(event, At):
                event = stand.user.kill()
            if event.fd is not None:
                os.close(event.fd)
            stand.check_released(f"an attach that went on from {index} to {later}")


def test_card_that_is_wanted_leaves_a_bridge_of_ours_whose_guests_have_gone(world):
    """Nothing but the bridge itself tells of it: bthub was deleted by hand."""
    desk = Desk(world)
    bridge, patch = POLICIES[6], POLICIES[2]
    desk.host.policy(ALLOW + bridge[3])
    Guest(desk.host).close()
    desk.host.ip("link del bthub")
    desk.host.policy(ALLOW + patch[3])
    with Guest(desk.host) as guest, NetState(desk.host) as net:
        desk.check(guest, guest.reply, patch, net)
    release(desk.host)
    assert not desk.host.links() & {"bthub", "br-basilisk"}
    desk.close()
