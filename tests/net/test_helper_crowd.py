# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many helpers at once, and much that comes and goes around one."""
import os

import starter
from case import limit, over
from desk import release, two, unchanged
from helper import CODES, HELPER, ask, close, guest_mac, tap_name, taps
from proc import wait_until
from ways import SETUID, WAYS
from wire import BROADCAST, Wire
from world import ALLOW


def give_back(found):
    for _, fd in found:
        if fd is not None:
            os.close(fd)


@limit(120)
@over(*WAYS)
def test_64_starts_at_once_get_exactly_the_quota(world, way):
    machine, desk = two(world)
    with unchanged(desk):
        found = way.crowd(desk, [i % 16 for i in range(64)])
        names = [name for name, _ in found]
        assert names.count("ok") == 8, names
        assert set(names) <= {"ok", "quota", "slot-busy"}, names
        held = {tap_name(fd) for _, fd in found if fd is not None}
        assert len(held) == 8 == len(taps(desk)), held
        with Wire(machine) as lan:
            for name, fd in found:
                if fd is not None:
                    check_frame_to(lan, fd)
        give_back(found)
        release(desk)


def check_frame_to(lan, fd):
    frame = BROADCAST + guest_mac(fd) + b"\x88\xb5" + os.urandom(46)
    os.write(fd, frame)
    lan.expect(lambda got: got == frame, what=f"frame of {tap_name(fd)}")


@limit(60)
def test_total_is_kept_by_users_who_start_at_once(world):
    machine, desk = two(world, policy=ALLOW + "max-total 5\n")
    found = SETUID.crowd(desk, range(8))
    others = SETUID.crowd(desk, range(8), user="lisa")
    assert [name for name, _ in others].count("ok") + [n for n, _ in found].count("ok") <= 5
    give_back(found + others)
    # of those that race for the last place all may lose; one who comes alone does not
    wait_until(lambda: not taps(desk), what="the end of the TAPs")
    held = [ask(desk, slot=slot) for slot in range(6)]
    assert [answer.status for answer in held] == [0] * 5 + [CODES["quota"]], held
    for answer in held:
        close(answer)


@limit(60)
def test_attach_and_release_at_once_end_well(world):
    machine, desk = two(world)
    with unchanged(desk):
        for _ in range(15):
            releases = [starter.start(desk, HELPER, [HELPER, "--release"], user=None)
                        for _ in range(2)]  # fmt: skip
            found = SETUID.crowd(desk, range(2))
            for run in releases:
                status, said = run.wait(20), run.said()
                assert status in (0, CODES["in-use"]) or "another --release" in said, (status, said)
                run.close()
            assert {name for name, _ in found} <= {"ok", "system"}, found
            give_back(found)
            wait_until(lambda: not taps(desk), what="the end of the TAPs")
        release(desk)


def test_devices_that_come_and_go_do_not_disturb_a_run(world):
    """What the kernel lists changes while it is listed: more devices than fit into one answer."""
    machine, desk = two(world)
    desk.ip(*(f"link add b{i} type bridge" for i in range(60)))
    churn = starter.start(desk, "/usr/bin/python3", ["python3", "-c", CHURN], user=None)
    try:
        for slot in range(60):
            answer = ask(desk, slot=slot % 8)
            assert answer.status == 0, (slot, answer)
            close(answer)
        assert churn.status is None
    finally:
        churn.close()
    release(desk)


CHURN = """
import fcntl, os, struct
while True:
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", b"churn", 0x1002))
    os.close(tap)
"""
