# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, with the card changing between any two of its calls: it ends in one of its documented
ways, a repair, as the library asks for after a change, has the guest on the network again, and one
--release leaves nothing of ours on the card, wherever that is then.
"""
import itertools
import os
import re

import guest_ip
import helper
from case import limit
from desk import check_reaches
from guest import Guest
from helper import HELPER, NAMES, close, taps
from netstate import NetState
from proc import wait_until
from stand import ATTACH, RELEASE
from tracer import At, Tracer
from wire import Wire
from world import ALLOW

ROUTE, TUN = 4, 6  # its netlink socket and /dev/net/tun: helper/early.h
EVERY = 5  # of the calls with which it acts, each time another of five
ENDS = {"ok", "system", "uplink-unfit"}


def vanish(world, desk, away):
    desk.ip("link del nic")


def take_another_name(world, desk, away):
    """And somebody else takes its old one."""
    desk.ip("link set nic name lan0", "link add nic type veth peer name other",
            "link set nic up", "link set other up")  # fmt: skip
    return "lan0"


def take_another_address(world, desk, away):
    desk.ip("link set nic address 02:00:00:00:77:01")
    return "nic"


def move_away(world, desk, away):
    fd = away.namespaces["net"]
    world.ip(desk.namespaces, f"link set nic netns /proc/self/fd/{fd}", pass_fds=(fd,))


def join_a_bridge(world, desk, away):
    desk.ip("link add br0 type bridge mcast_snooping 0", "link set br0 up",
            "link set nic master br0")  # fmt: skip
    return "br0"


def go_down(world, desk, away):
    desk.ip("link set nic down", "link set nic up")
    return "nic"


def left_on(host):
    """Of ours: filters, addresses, what makes a card take all multicast."""
    with NetState(host) as net:
        lines = net.snapshot()
    ours = r"(filter |qdisc (nic|lan0) ffff|fdb (nic|lan0) b2|.*\bbt(hub|lan)\b)"
    found = [line for line in lines if re.match(ours, line)]
    for line in lines:
        link = re.match(r"link (nic|lan0) .* flags ([0-9a-f]+) ", line)
        if link and int(link[2], 16) & 0x300:  # PROMISC, ALLMULTI
            found.append(line)
    return found


def each_call(world, change):
    """Yields (desk, away, what change() returned, End, whether it was before the last look at the
    card, in words) for many of the calls, among them that look itself."""
    lan = world.lan()
    away = world.host("away")
    with Tracer(world.host("first", lan)) as tracer:
        tracer.start(*ATTACH)
        end = tracer.go()
        os.close(end.fd)
        requests = [i for i, call in enumerate(end.calls) if call.nl_type]
        first, looks = requests[0], requests[-2]  # in the end at the card and at the TAP
    some = [index + n % EVERY for n, index in enumerate(range(first, len(end.calls), EVERY))]
    names = set()
    for count, index in enumerate([looks, *some]):
        desk = world.host(f"desk{count}", lan)
        with Tracer(desk) as tracer:
            tracer.start(*ATTACH)
            at = tracer.to(index)
            if not isinstance(at, At):
                os.close(at.fd)
                break
            card = change(world, desk, away)
            end = tracer.go()
        what = f"{change.__name__} before call {index}: {end}"
        assert end.signal is None and not end.stuck and end.status in NAMES, what
        assert (end.fd is not None) == (end.status == 0), what
        names.add(NAMES[end.status])
        yield desk, away, card, end, index <= looks, what
    assert names <= ENDS and "ok" in names and count > 10, (names, count)


def check(world, change):
    for desk, away, card, end, noticed, what in each_call(world, change):
        if end.fd is not None:
            gone = change in (vanish, move_away) and noticed
            assert not gone or helper.parse_reply(end.message).attach != "patch", what
            guest = Guest(desk, ask=lambda *_, **__: helper.Answer(0, "", None, end.fd))
            answer = helper.ask(desk, "--repair", "--slot=0", "--br=auto")
            assert answer.status == 0, (what, answer)
            if change is join_a_bridge:  # of the administrator's, which no line names
                assert (answer.reply.attach, answer.reply.uplink) == ("host", "br0"), (what, answer)
            if card:
                with Wire(desk, card) as host:
                    check_reaches(guest, host)
                if change is not join_a_bridge:  # where the host's address is a card's no more
                    guest_ip.ping(guest, desk.address)
            else:
                assert answer.reply.attach == "none", (what, answer)
            guest.close()
            wait_until(lambda: not taps(desk), what="the end of the TAP")
        done = desk.run([HELPER, "--release"])
        assert done.returncode == 0, (what, done)
        assert not left_on(desk), (what, left_on(desk))
        for entry in left_on(away):  # flags are a card's own, and go with it
            assert entry.startswith("link "), (what, entry)
        if "nic" in away.links():
            away.ip("link del nic")


def released(world, change, every, prepare=lambda desk: None):
    """The card changes between two calls of a --release, which goes on; yields (what that was, what
    of ours is left on the card) for each of every so many calls."""
    lan = world.lan()
    away = world.host(f"away-{change.__name__}")
    for count in itertools.count():
        desk = world.host(f"desk{count}-{change.__name__}", lan)
        with Tracer(desk, user=None) as tracer:
            close(helper.ask(desk))
            wait_until(lambda: not taps(desk), what="the end of the TAP")
            prepare(desk)
            tracer.start(*RELEASE)
            first = tracer.until("sendto")
            at = tracer.to(first.index + count * every + count % every)
            if not isinstance(at, At):
                break
            change(world, desk, away)
            end = tracer.go()
        what = f"{change.__name__} before call {at.index} of a release: {end}"
        assert end.status == 0, what
        yield what, left_on(desk)
        if "nic" in away.links():
            away.ip("link del nic")
    assert count > 10, count


@limit(90)
def test_card_that_changes_at_any_moment_of_a_release(world):
    for change in (vanish, take_another_name, take_another_address, move_away, join_a_bridge):
        for what, left in released(world, change, EVERY):
            assert not left, (what, left)


@limit(90)
def test_card_that_vanishes_at_any_moment_while_its_filters_are_searched(world):
    """Where bthub was deleted by hand; what it told of the card besides is lost with it."""

    def forget(desk):
        desk.ip("link del bthub")

    for change in (vanish, move_away):
        for what, left in released(world, change, 1, forget):
            left = [entry for entry in left if not re.match("(link|qdisc) nic ", entry)]
            assert not left, (what, left)


@limit(90)
def test_card_that_vanishes_at_any_moment(world):
    check(world, vanish)


@limit(90)
def test_card_that_is_renamed_at_any_moment(world):
    check(world, take_another_name)


@limit(90)
def test_card_that_gets_another_address_at_any_moment(world):
    check(world, take_another_address)


@limit(90)
def test_card_that_moves_to_another_namespace_at_any_moment(world):
    check(world, move_away)


@limit(90)
def test_card_that_joins_a_bridge_at_any_moment(world):
    check(world, join_a_bridge)


@limit(90)
def test_card_that_goes_down_and_up_at_any_moment(world):
    check(world, go_down)


def test_card_is_meant_by_its_number_once_it_is_found(world):
    """The policy names a card; while the helper connects it, another one takes that name."""
    lan = world.lan()
    for count in range(12):
        desk = world.host(f"desk{count}", lan, policy=ALLOW + "uplink nic\n")
        with Tracer(desk) as tracer, NetState(desk) as net:
            tracer.start(*ATTACH)
            tracer.until("ioctl", TUN)  # it makes the TAP, lists all, and looks for the card
            for _ in range(2):
                tracer.until("sendto", ROUTE)
            at = tracer.until("recvmsg", ROUTE)
            tracer.to(at.index + 1 + 9 * count)
            take_another_name(world, desk, None)
            end = tracer.go()
            assert end.status == 0 and net.snapshot(), end
            filtered = {line.split()[1] for line in net.snapshot() if line.startswith("filter ")}
            assert "lan0" in filtered and "nic" not in filtered, (count, filtered)
            os.close(end.fd)
