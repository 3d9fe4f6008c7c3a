# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each attachment, and a repair, for who asks in each of the ways; the attachments themselves are
tested in test_patch_port.py, test_helper_uplink.py and test_helper_host.py.
"""
import os

from case import limit, over
from desk import check_reaches, release, two
from helper import ask, close, refused, taps
from proc import wait_until
from stand import POLICY, Stand
from wire import Wire
from ways import CAPABILITY, QEMU, SETUID, SOCKET, WAYS


@limit(90)
@over(*WAYS)
def test_each_attachment_is_made_and_released(world, way):
    for attachment in POLICY:
        with Stand(world, attachment, way) as stand:
            end = stand.attach()
            stand.check_guest(end)
            stand.probe()
            os.close(end.fd)
            stand.check_released(attachment)


@over(SETUID, CAPABILITY, SOCKET)
def test_repair_is_for_the_live_tap_of_the_caller(world, way):
    machine, desk = two(world)
    words = "--repair", "--slot=0", "--br=auto"
    way.refused(way.ask(desk, *words), "not-alive")
    with way.guest(desk) as guest, Wire(machine) as lan, Wire(desk) as host:
        way.refused(way.ask(desk, *words, user="lisa"), "not-alive")
        way.refused(way.ask(desk, *words, user="guest"), "denied")
        desk.ip("link set btlan down", "link del bthub")
        answer = way.ask(desk, *words)
        assert answer.status == 0 and answer.fd is None, answer
        assert (answer.reply.tap, answer.reply.attach) == (guest.card, "patch"), answer
        check_reaches(guest, lan, host)
    wait_until(lambda: not taps(desk), what="the end of the TAP")
    way.refused(way.ask(desk, *words), "not-alive")
    release(desk)


@over(QEMU)
def test_guest_of_qemu_is_repaired_by_its_slot(world, way):
    """QEMU itself does not know how to ask for it; who started it can."""
    machine, desk = two(world)
    with way.guest(desk) as guest, Wire(machine) as lan, Wire(desk) as host:
        desk.ip("link del bthub")
        answer = ask(desk, "--repair", "--slot=15", "--br=auto")
        assert answer.status == 0 and answer.reply.tap == guest.card, answer
        check_reaches(guest, lan, host)
        refused(ask(desk, "--repair", "--slot=14", "--br=auto"), "not-alive")
    close(answer)
    release(desk)


@over(*WAYS)
def test_guests_of_all_users_are_on_one_network(world, way):
    machine, desk = two(world)
    with way.guest(desk) as one, way.guest(desk, user="lisa") as other, Wire(machine) as lan:
        check_reaches(one, lan, other)
        check_reaches(other, lan, one)
    release(desk)
