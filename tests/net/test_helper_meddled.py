# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, where an administrator changes or takes away what it makes, between two runs or during
one: it makes it anew, or it says no, and one --release leaves the host as it was.
"""
import errno
import os
import re
import socket
import time

from case import limit
from desk import check_reaches, release, tc, two, unchanged
from guest import Guest
from helper import CODES, HELPER, NAMES, ask, close, parse_reply, refused, taps
from netstate import NetState, difference
from proc import wait_until
from stand import ATTACH, RELEASE, Stand
from tracer import At, Tracer
from wire import Wire
from world import ALLOW, USERS

ROUTE, TUN = 4, 6  # its netlink socket and /dev/net/tun: helper/early.h
RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWTFILTER = 16, 28, 44
RTM_GETLINK, RTM_NEWQDISC, RTM_GETTFILTER = 18, 36, 46
TAP = f"btap{USERS['mac'][0]:x}-0"
NOTE = "/sys/class/net/bthub/ifalias"


def note(host, *changes):
    """Change bthub's note, where there is one, by (pattern, replacement) each."""

    def body():
        with open(NOTE) as file:
            text = file.read().strip()
        for pattern, to in changes:
            text = re.sub(pattern, to, text)
        with open(NOTE, "w") as file:
            file.write(text)

    host.inside(lambda: os.path.exists(NOTE) and body())


def run(tracer, argv):
    tracer.start(*argv)
    end = tracer.go()
    assert end.status == 0, end
    return end


def requests_of(calls, kind):
    """The numbers of the requests of that kind to rtnetlink."""
    return [i for i, call in enumerate(calls) if (call.nl_type, call.fd) == (kind, ROUTE)]


def last_looks(calls):
    """The numbers of the requests with which it looks, in the end, at what stands."""
    requests = [(i, call.nl_type) for i, call in enumerate(calls) if call.nl_type]
    changes = [n for n, (i, kind) in enumerate(requests) if kind % 4 != 2 and calls[i].fd == ROUTE]
    return [i for i, _ in requests[changes[-1] + 1 :]]


def meddle(stand, index, change):
    """change() happens before call number index of an attach; returns its End."""
    stand.user.start(*ATTACH)
    at = stand.user.to(index)
    assert isinstance(at, At), at
    change()
    return stand.user.go()


# ---- during a run
def test_what_is_taken_away_at_the_end_of_a_run_is_made_again(world):
    with Stand(world, "patch") as stand:
        end = run(stand.user, ATTACH)
        looks = last_looks(end.calls)
        os.close(end.fd)
        stand.check_released("a run with nothing wrong")

        def another_pair():
            stand.desk.ip("link del bthub")
            close(ask(stand.desk, user="lisa", slot=1))

        changes = {
            "made anew by another": another_pair,
            "bthub deleted": lambda: stand.desk.ip("link del bthub"),
            "another attachment": lambda: note(stand.desk, (r"attach=\d+", "attach=5")),
            "another card": lambda: note(stand.desk, (r"uplink=\d+", "uplink=0")),
            "the TAP down": lambda: stand.desk.ip(f"link set {TAP} down"),
        }
        for what, change in changes.items():
            end = meddle(stand, looks[0], change)
            assert end.status == 0, (what, end)
            # and it was seen: what stands was looked at more than once
            assert len(last_looks(end.calls)) < len([c for c in end.calls if c.nl_type]), what
            stand.check_guest(end)
            os.close(end.fd)
            # what was done to the card is known, although its note was lost
            stand.check_released(what)


def lower(stand):
    """The TAP, where there is one: it is not what it was made, which harms nothing."""
    stand.desk.run(f"ip link set {TAP} down".split())


def test_what_is_changed_again_and_again_is_given_up(world):
    with Stand(world, "patch") as stand:
        stand.user.start(*ATTACH)
        event = stand.user.until("sendto")
        for _ in range(2000):
            lower(stand)
            event = stand.user.to(event.index + 1)
            if not isinstance(event, At):
                break
        assert NAMES[event.status] == "system" and event.fd is None, event
        assert b"changed while it was made" in event.message, event
        stand.check_released("all")


def test_card_that_takes_no_flag_is_done_without(world):
    with Stand(world, "patch") as stand:
        end = run(stand.user, ATTACH)
        os.close(end.fd)
        stand.check_released("a run with nothing wrong")
        accepted = requests_of(end.calls, RTM_NEWNEIGH)[0]
        flags = next(i for i in requests_of(end.calls, RTM_NEWLINK) if i > accepted)
        stand.user.start(*ATTACH)
        assert isinstance(stand.user.to(flags), At)
        end = stand.user.refuse(errno.EINVAL)
        assert end.status == 0 and parse_reply(end.message).attach == "none", end
        os.close(end.fd)
        stand.check_released("all")


def test_who_cannot_look_what_became_of_it_gives_up_at_once(world):
    with Stand(world, "patch") as stand:
        end = run(stand.user, ATTACH)
        os.close(end.fd)
        stand.check_released("a run with nothing wrong")
        stand.user.start(*ATTACH)
        looks = last_looks(end.calls)
        stand.user.to(looks[0])
        lower(stand)
        stand.user.to(looks[-1] + 1)  # all but that it has seen, now it looks what there is
        stand.user.until("sendto", ROUTE)
        end = stand.user.refuse(errno.EPERM)
        assert NAMES[end.status] == "system" and end.fd is None, end
        stand.check_released("all")


def give_up(stand, last=None, change=None):
    """An attach whose TAP is put down at each of its calls; before call number last, change()."""
    stand.user.start(*ATTACH)
    event = stand.user.until("sendto")
    while isinstance(event, At) and event.index != last:
        lower(stand)
        event = stand.user.to(event.index + 1)
    if isinstance(event, At):
        change()
        event = stand.user.go()
    assert NAMES[event.status] == "system" and event.fd is None, event
    return event


def test_who_gives_up_leaves_alone_what_another_has_made_meanwhile(world):
    """The other one comes when he has looked for the last time but one."""
    with Stand(world, "patch") as stand, stand.tracer("lisa") as lisa:
        end = give_up(stand)
        stand.check_released("the first")
        # bthub, card and TAP, then bthub, btlan, and what bthub remembers
        looks = [*[RTM_GETLINK] * 5, RTM_GETTFILTER]
        requests = [(i, call.nl_type) for i, call in enumerate(end.calls) if call.nl_type]
        kinds = [kind for _, kind in requests]
        last = max(n for n in range(len(kinds)) if kinds[n : n + 6] == looks) + 3
        others = []

        def another():
            stand.desk.ip("link del bthub")
            others.append(run(lisa, stand.other))

        give_up(stand, requests[last][0], another)
        stand.check_guest(others[0])
        os.close(others[0].fd)
        stand.release()
        # of what the card was like before, the note went with bthub
        stand.desk.ip("link set nic allmulticast off")
        tc(stand.desk, "qdisc del dev nic clsact")
        stand.check_released("all")


def test_who_gives_up_takes_his_filters_off_a_card_that_is_no_longer_wanted(world):
    """The other one, by another policy, comes when he is about to put them there."""
    with Stand(world, "patch") as stand, stand.tracer("lisa") as lisa:
        end = give_up(stand)
        stand.check_released("the first")
        others = []

        def another():
            stand.desk.policy(ALLOW + "attach none\n")
            others.append(run(lisa, stand.other))

        give_up(stand, requests_of(end.calls, RTM_NEWQDISC)[-1], another)
        left = [line for line in stand.net.snapshot() if line.startswith(("filter nic", "qdisc nic ffff"))]
        assert not left, left
        os.close(others[0].fd)
        stand.check_released("all")


def test_bridge_that_another_makes_meanwhile_is_not_taken(world):
    with Stand(world, "bridge") as stand:
        end = run(stand.user, ATTACH)
        os.close(end.fd)
        stand.check_released("a run with nothing wrong")
        # the first new link is the TAP's, by ioctl; the first by netlink is the bridge
        first = requests_of(end.calls, RTM_NEWLINK)[0]
        end = meddle(stand, first, lambda: stand.desk.ip("link add br-basilisk type bridge"))
        assert NAMES[end.status] == "foreign-device", end
        stand.release()
        assert "br-basilisk" in stand.desk.links()
        stand.desk.ip("link del br-basilisk")
        stand.check_released("all")


def test_change_to_another_attachment_with_any_request_refused(world):
    """Whatever of the old one stays, the next run takes it away, or the release."""
    with Stand(world, "patch") as stand:
        changed = ALLOW + "attach none\n"

        def prepare():
            stand.desk.policy(ALLOW)
            os.close(stand.attach().fd)
            stand.desk.policy(changed)

        prepare()
        end = run(stand.user, ATTACH)
        os.close(end.fd)
        stand.check_released("a run with nothing wrong")
        ways = set()
        for index in [i for i, call in enumerate(end.calls) if call.nl_type]:
            prepare()
            stand.user.start(*ATTACH)
            stand.user.to(index)
            end = stand.user.refuse(errno.EPERM)
            assert NAMES[end.status] in ("ok", "system"), (index, end)
            ways.add(NAMES[end.status])
            stand.probe()
            if end.fd is not None:
                os.close(end.fd)
            os.close(run(stand.user, ATTACH).fd)
            stand.check_released(f"request {index} refused")
        assert ways == {"ok", "system"}, ways


def test_bridge_that_was_asked_for_by_name_is_joined_or_refused(world):
    """It goes in the last moment, where a card that the policy has chosen could be done without."""
    machine, desk = two(world, policy=ALLOW + "join br0\n")
    asked = [*ATTACH[:3], "--br=br0"]
    with Tracer(desk) as tracer:
        desk.ip("link add br0 type bridge", "link set br0 up")
        end = run(tracer, asked)
        os.close(end.fd)
        wait_until(lambda: not taps(desk), what="the end of the TAP")
        release(desk)
        tracer.start(*asked)
        tracer.to(requests_of(end.calls, RTM_NEWLINK)[-1])  # with which btlan becomes its port
        desk.ip("link del br0")
        end = tracer.go()
        assert NAMES[end.status] == "uplink-unfit" and end.fd is None, end
        assert b"br0" in end.message, end


# ---- between two runs
def test_note_that_is_not_understood_is_as_good_as_none(world):
    machine, desk = two(world)
    with unchanged(desk):
        close(ask(desk))
        wait_until(lambda: not taps(desk), what="the end of the TAP")
        note(desk, (r"attach=\d+", "attach=99"))
        answer = ask(desk)
        assert answer.status == 0 and answer.reply.attach == "patch", answer
        close(answer)
        release(desk)


def test_release_knows_its_filters_on_a_card_without_a_note(world):
    """And leaves alone what looks like them; what it cannot know, it says."""
    machine, desk = two(world)
    desk.plug(world.lan(), "second", default_route=False)
    tc(desk, "qdisc add dev second clsact")
    for preference in (24700, 24701):
        words = f"tc filter add dev second egress pref {preference} handle 1 protocol all bpf bytecode"
        assert desk.run([*words.split(), "1,6 0 0 0"]).returncode == 0
    with unchanged(desk, ("nic", "second")):
        for broken in (False, True):
            close(ask(desk))
            wait_until(lambda: not taps(desk), what="the end of the TAP")
            desk.ip("link del bthub")
            if broken:  # by whoever began to put it right by hand
                tc(desk, "filter del dev nic ingress pref 24701")
            done = desk.run([HELPER, "--release"])
            assert done.returncode == 0, done
            (line,) = done.stderr.splitlines()
            words = re.findall("'(.*?)'", line)
            assert line.startswith("basilisk-tap-helper: nic: ") and len(words) == 2, line
            for command in words:
                assert desk.run(command.split()).returncode == 0, command
        done = desk.run([HELPER, "--release"])
        assert (done.returncode, done.stderr) == (0, ""), done


def test_host_gets_another_identity_when_its_last_guest_has_gone(world):
    """All its filters are for the addresses that follow from the machine-id."""
    machine, desk = two(world)
    with unchanged(desk):
        guest = Guest(desk)
        desk.write("/etc/machine-id", "1" * 32 + "\n")
        line = refused(ask(desk, user="lisa"), "other-attachment")
        assert "1 TAPs have MACs of another machine-id" in line, line
        guest.close()
        wait_until(lambda: not taps(desk), what="the end of the TAP")
        again = Guest(desk)
        assert again.mac[:4] != guest.mac[:4], again.mac
        with Wire(machine) as lan, Wire(desk) as host:
            check_reaches(again, lan, host)
        again.close()
        release(desk)


def test_search_for_filters_with_any_request_refused(world):
    """It says so, and the next --release does the rest."""
    with Stand(world, "patch") as stand:

        def forget():
            os.close(stand.attach().fd)
            stand.desk.ip("link del bthub")

        forget()
        end = run(stand.root, RELEASE)
        ways = set()
        for index in [i for i, call in enumerate(end.calls) if call.nl_type]:
            forget()
            stand.root.start(*RELEASE)
            stand.root.to(index)
            ways.add(NAMES[stand.root.refuse(errno.EPERM).status])
            stand.release()
            left = [line for line in stand.net.snapshot() if re.match("filter nic|fdb nic b2", line)]
            assert not left, (index, left)
        assert ways == {"ok", "system"}, ways


def test_filters_follow_the_policy_to_another_card(world):
    """Which has what the first one was given, but from the administrator: it stays."""
    machine, desk = two(world, policy=ALLOW + "uplink nic\n")
    desk.plug(world.lan(), "second", default_route=False)
    tc(desk, "qdisc add dev second clsact")
    desk.ip("link set second allmulticast on")
    with unchanged(desk, ("nic", "second")) as net:
        for card in ("nic", "second", "nic"):
            desk.policy(ALLOW + f"uplink {card}\n")
            answer = ask(desk)
            assert answer.status == 0 and answer.reply.uplink == card, answer
            cards = {line.split()[1] for line in net.snapshot() if line.startswith("filter ")}
            assert cards & {"nic", "second"} == {card}, cards
            close(answer)
            wait_until(lambda: not taps(desk), what="the end of the TAP")
        release(desk)


def test_bridge_of_anothers_with_our_name_is_left_alone(world):
    machine, desk = two(world, policy=ALLOW + "attach bridge\nuplink spare\n")
    desk.plug(world.lan(), "spare", address=0)
    desk.ip("link add br-basilisk type veth peer name other")
    with unchanged(desk, ("nic", "spare")):
        refused(ask(desk), "foreign-device")
        release(desk)
    assert "br-basilisk" in desk.links()


def test_bridge_whose_card_has_gone_is_released(world):
    machine, desk = two(world, policy=ALLOW + "attach bridge\nuplink spare\n")
    with unchanged(desk):
        desk.plug(world.lan(), "spare", address=0)
        desk.ip("link set spare down")
        close(ask(desk))
        wait_until(lambda: not taps(desk), what="the end of the TAP")
        with Tracer(desk, user=None) as tracer:
            looks = requests_of(run(tracer, RELEASE).calls, RTM_NEWLINK)
            close(ask(desk))
            wait_until(lambda: not taps(desk), what="the end of the TAP")
            tracer.start(*RELEASE)
            tracer.to(looks[-1])  # where it puts down the card that it has put up
            end = tracer.refuse(errno.EPERM)
            assert NAMES[end.status] == "system" and "br-basilisk" in desk.links(), end
        desk.ip("link del spare")
        release(desk)
    assert desk.links() == {"lo", "nic"}


def test_card_that_was_taken_out_of_our_bridge_is_its_owners_again(world):
    machine, desk = two(world, policy=ALLOW + "attach bridge\nuplink spare\n")
    desk.plug(world.lan(), "spare", address=0)
    desk.ip("link set spare down")
    close(ask(desk))
    assert desk.run("ip link show spare up".split()).stdout
    desk.ip("link set spare nomaster", "addr add 10.77.0.1/24 dev spare")
    with NetState(desk) as net:
        net.settle("spare")
        before = [line for line in net.snapshot() if " spare " in line]
        release(desk)
        after = [line for line in net.snapshot() if " spare " in line]
        assert after == before, difference(before, after)
    assert "br-basilisk" not in desk.links()


def test_stranger_with_the_number_of_a_card_without_filters_is_left_alone(world):
    """The card went while no guest was there; nobody has run the helper since."""
    machine, desk = two(world)
    index = desk.inside(lambda: socket.if_nametoindex("nic"))
    close(ask(desk))
    wait_until(lambda: not taps(desk), what="the end of the TAP")
    desk.ip("link del nic", f"link add stranger index {index} type veth peer name other",
            "link set stranger up allmulticast on", "link set other up")  # fmt: skip
    with NetState(desk) as net:
        net.settle("stranger", "other")
        before = [line for line in net.snapshot() if " stranger " in line and "bthub" not in line]
        release(desk)
        after = [line for line in net.snapshot() if " stranger " in line and "bthub" not in line]
        assert after == before, difference(before, after)
    assert desk.links() == {"lo", "stranger", "other"}


def test_release_names_as_many_as_it_can(world):
    machine, desk = two(world)
    guests = [Guest(desk, slot=slot) for slot in range(8)]
    guests += [Guest(desk, user="lisa", slot=slot) for slot in range(8)]
    done = desk.run([HELPER, "--release"])
    assert done.returncode == CODES["in-use"], done
    first, second = f"{guests[0].card} of user 7001", f"{guests[1].card} of user 7001"
    assert f"{first}, {second}" in done.stderr and len(done.stderr.splitlines()) == 1, done
    for guest in guests:
        guest.close()
    release(desk)


# ---- more of them than there can be
@limit(120)
def test_hundreds_of_taps_and_filters_of_others_are_no_reason_to_fail(world):
    """TAPs with names like ours, made by an administrator, and filters on bthub, in the moment
    between the quota and the sweep."""
    with Stand(world, "patch") as stand:
        answer = ask(stand.desk, user="lisa", slot=1)  # whose places on bthub there are, too
        assert answer.status == 0, answer
        end = run(stand.user, ATTACH)
        os.close(end.fd)
        filters = requests_of(end.calls, RTM_NEWTFILTER)[0]  # the TAP's own: it is counted by then
        wait_until(lambda: len(taps(stand.desk)) == 1, what="the end of the TAP")
        names = [f"btap{9000 + i:x}-0" for i in range(257)]

        def crowd():
            stand.desk.ip(*(f"tuntap add {name} mode tap" for name in names))

        end = meddle(stand, filters, crowd)
        assert end.status == 0, end
        stand.check_guest(end)
        os.close(end.fd)
        close(answer)
        wait_until(lambda: not taps(stand.desk) - set(names), what="the end of the TAPs")
        # and who comes next is over the number of all
        answer = ask(stand.desk)
        assert NAMES[answer.status] == "quota", answer
        stand.desk.ip("link add br9 type bridge")
        stand.desk.policy(ALLOW + "join br9\n")
        answer = ask(stand.desk, br="br9")
        assert NAMES[answer.status] == "quota", answer
        stand.desk.ip("link del br9")
        done = stand.desk.run([HELPER, "--release"])
        assert NAMES[done.returncode] == "system" and "TAPs" in done.stderr, done
        stand.desk.ip(*(f"link del {name}" for name in names))
        stand.check_released("all")


def test_as_many_filters_on_the_hub_as_nobody_counts(world):
    machine, desk = two(world)
    with unchanged(desk):
        close(ask(desk))
        wait_until(lambda: not taps(desk), what="the end of the TAP")
        add = "filter add dev bthub ingress pref 11 handle {} protocol all bpf bytecode '1,6 0 0 0'"
        lines = "".join(add.format(f"0x{n:x}") + "\n" for n in range(1000, 1700))
        done = desk.run(["sh", "-c", f'echo "{lines}" | tc -batch -'])
        assert done.returncode == 0, done
        answer = ask(desk)
        assert answer.status == 0, answer
        close(answer)
        release(desk)


def test_foreign_filters_where_our_memory_is_do_not_keep_a_release(world):
    """Of two cards each in turn seems to be one to which something was done."""
    machine, desk = two(world)
    with unchanged(desk):
        close(ask(desk))
        for number in (7777, 7778):
            add = f"tc filter add dev bthub egress pref 3 handle {number} protocol all"
            done = desk.run([*add.split(), "bpf", "bytecode", "1,6 0 0 0"])
            assert done.returncode == 0, done
        release(desk)
    assert desk.links() == {"lo", "nic"}


def test_release_is_given_the_time_that_the_kernel_takes(world):
    """256 leftovers took it 12 s on a busy machine; a run that somebody asked a TAP of has 5 s."""
    machine, desk = two(world)
    with unchanged(desk), Tracer(desk, user=None, mortal=True) as tracer:
        close(ask(desk))
        wait_until(lambda: not taps(desk), what="the end of the TAP")
        tracer.start(*RELEASE)
        assert isinstance(tracer.until("sendto"), At)
        time.sleep(6)  # not for anything to happen, but as long as it takes
        end = tracer.go()
        assert end.status == 0, end
    assert desk.links() == {"lo", "nic"}
