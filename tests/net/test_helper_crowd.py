# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many helpers at once, and much that comes and goes around one."""
import fcntl
import os

import starter
from case import limit
from desk import release, two, unchanged
from helper import CODES, HELPER, NAMES, ask, close, pair, receive, tap_name, taps
from proc import wait_until
from wire import BROADCAST, Wire
from world import ALLOW

def crowd(host, requests, user="mac"):
    """All of these at the same time; [(name of the outcome, fd or None)]."""
    runs = []
    for words in requests:
        ours, theirs = pair(host, user)
        argv = [HELPER, "--fd=9", *words]
        runs.append((ours, theirs, starter.start(host, HELPER, argv, user=user,
                                                 descriptors={9: theirs.fileno()})))  # fmt: skip
    found = []
    for ours, theirs, run in runs:
        status = run.wait(40)
        theirs.close()
        fd = receive(ours)[1]
        ours.close()
        run.close()
        assert (fd is not None) == (status == 0), (status, run)
        found.append((NAMES.get(status, status), fd))
    return found


def give_back(found):
    for _, fd in found:
        if fd is not None:
            os.close(fd)


@limit(120)
def test_64_starts_at_once_get_exactly_the_quota(world):
    machine, desk = two(world)
    with unchanged(desk):
        for words in (["--br=auto"], None):  # QEMU's, which takes any slot; the shim's, by slot
            requests = [words or [f"--slot={i % 16}"] for i in range(64)]
            found = crowd(desk, requests)
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
    name = tap_name(fd)
    uid, slot = (int(part, 16) for part in name[4:].split("-"))
    os.set_blocking(fd, False)
    low = ((uid & 0xFFF) << 4 | slot).to_bytes(2, "big")
    # the host's three bytes are the one thing not known here: any guest's frame from that TAP
    for prefix in [guest_prefix(fd, lan)]:
        frame = BROADCAST + prefix + low + b"\x88\xb5" + os.urandom(46)
        os.write(fd, frame)
        lan.expect(lambda got: got == frame, what=f"frame of {name}")


def guest_prefix(fd, lan):
    """b2:hh:hh:hh, from the address that the TAP itself wears, fe:hh:hh:hh:ii:ii."""
    request = fcntl.ioctl(fd, 0x8927, bytes(40))  # SIOCGIFHWADDR
    return b"\xb2" + request[19:22]


@limit(60)
def test_total_is_kept_by_users_who_start_at_once(world):
    machine, desk = two(world, policy=ALLOW + "max-total 5\n")
    found = crowd(desk, [[f"--slot={i}"] for i in range(8)])
    others = crowd(desk, [[f"--slot={i}"] for i in range(8)], user="lisa")
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
            found = crowd(desk, [["--slot=0"], ["--slot=1"]])
            for run in releases:
                assert run.wait(20) in (0, CODES["in-use"]), run.said()
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
