# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper's filter of system calls: what it allows is used, and all else kills."""
import glob
import re
import signal

import sanitize
from case import limit
from helper import NAMES
from observe import close, desk, neighbour, status_of
from stand import ATTACH, RELEASE
from tracer import NUMBERS, At, Tracer
from world import ALLOW, TREE

TUNSETIFF, TUNSETOWNER = 0x400454CA, 0x400454CC
# Descriptors of the helper once it has arranged them: early.h
FDS = {"OUT": 1, "ERR": 2, "REPLY": 3, "ROUTE": 4, "GENERIC": 5, "TUN": 6, "LOG": 7}
REQUESTS = {"TUNSETIFF": TUNSETIFF, "TUNSETOWNER": TUNSETOWNER}


def rules():
    """{(call, descriptor or None, request or None)} of the comments in the helper's sources."""
    found = set()
    for path in [p for room in ("helper", "host") for p in glob.glob(f"{TREE}/{room}/*.c")]:
        with open(path) as file:
            for line in re.findall(r"#syscall (\w+)([^*\n]*)", file.read()):
                words = dict(word.split("=") for word in line[1].split())
                for fd in words.get("fd", "").split("|"):
                    for request in words.get("request", "").split("|"):
                        found.add((line[0], FDS.get(fd), REQUESTS.get(request)))
    return found


def matches(rule, call):
    name, fd, request = rule
    return name == call.name and fd in (None, call.fd) and request in (None, call.argument)


def filtered_calls(end):
    """Those after the filter was loaded (prctl(PR_SET_SECCOMP))."""
    at = [i for i, call in enumerate(end.calls) if (call.name, call.fd) == ("prctl", 22)]
    return end.calls[at[-1] + 1 :] if at else []


def test_filter_has_at_most_ten_calls_and_each_is_used(world):
    host = desk(world, policy=ALLOW + "max-taps 2\n")
    wanted = rules()
    assert 5 < len({name for name, _, _ in wanted}) <= 10, wanted
    used, unused = [], set(wanted)
    log = neighbour("test_audit").system_log(host)
    with log, Tracer(host) as tracer, Tracer(host, user=None) as root:
        tracer.start(*ATTACH)
        kept = tracer.go()
        runs = [kept]
        for argv in (ATTACH, [*ATTACH[:2], "--slot=1"], [*ATTACH[:3], "--br=nobridge"],
                     [*ATTACH, "--repair"], [*ATTACH[:2], "--use-vnet"]):  # fmt: skip
            tracer.start(*argv)
            runs.append(tracer.go())
            close(runs[-1])
        root.start(*RELEASE)
        runs.append(root.go())
        close(kept)
        root.start(*RELEASE)
        runs.append(root.go())
        for end in runs:
            assert end.status in NAMES, end
            used += filtered_calls(end)
    for call in used:
        unused -= {rule for rule in wanted if matches(rule, call)}
        assert any(matches(rule, call) for rule in wanted), call
    assert not unused, unused


def filtered(tracer):
    """Run it until its first call under the filter."""
    at = tracer.start(*ATTACH)
    while isinstance(at, At) and status_of(at.pid)["Seccomp"] != ["2"]:
        at = tracer.until("sendto", 4)
    assert isinstance(at, At), at
    return at


def check_kills(tracer, what, number, *args):
    filtered(tracer)
    end = tracer.instead(number, *args)
    close(end)
    assert end.signal == signal.SIGSYS, (what, number, args, end)


LAST_CALL = 470
PROBES = {335, 336}  # uretprobe, uprobe: past every filter, worth nothing outside the kernel's own


@limit(120)
def test_every_other_call_kills(world):
    allowed = {NUMBERS[name] for name, _, _ in rules()} | sanitize.CALLS
    with Tracer(desk(world)) as tracer:
        for number in range(LAST_CALL + 1):
            if number not in allowed | PROBES:
                check_kills(tracer, "call", number)
        # not numbers of any call, and -1, with which a tracer says "none"
        for number in (1000, 1 << 31, 0xFFFFFFFF, 1 << 32 | 500):
            check_kills(tracer, "call", number)


def test_calls_of_the_x32_kind_kill(world):
    with Tracer(desk(world)) as tracer:
        for name, _, _ in sorted(rules(), key=str):
            check_kills(tracer, name, NUMBERS[name] | 0x40000000, 4)


def test_calls_of_the_32_bit_kind_kill(world):
    with Tracer(desk(world)) as tracer:
        for number in (1, 4, 5, 11, 54, 102, 252):  # exit, write, open, execve, ioctl …
            filtered(tracer)
            end = tracer.int80(number)
            assert end.signal == signal.SIGSYS, (number, end)


def test_allowed_calls_on_other_descriptors_and_requests_kill(world):
    with Tracer(desk(world)) as tracer:
        for name, allowed in (
            ("sendto", {4, 5, 7}), ("recvmsg", {4, 5}), ("sendmsg", {3}), ("write", {1, 2}),
        ):  # fmt: skip
            for fd in set(range(10)) - allowed | {0xFFFFFFFF, 1000}:
                check_kills(tracer, name, NUMBERS[name], fd)
        requests = {
            "TUNSETPERSIST": 0x400454CB, "TUNSETGROUP": 0x400454CE, "TUNSETDEBUG": 0x400454C9,
            "TUNSETOFFLOAD": 0x400454D0, "TUNSETQUEUE": 0x400454D9, "TUNSETIFINDEX": 0x400454DA,
            "SIOCSIFHWADDR": 0x8924, "SIOCGSKNS": 0x894C, "FIOCLEX": 0x5451, "TIOCSTI": 0x5412,
        }  # fmt: skip
        for what, request in requests.items():
            check_kills(tracer, what, NUMBERS["ioctl"], 6, request)
        for fd in (0, 1, 2, 3, 4, 5, 7, 8):
            check_kills(tracer, "ioctl", NUMBERS["ioctl"], fd, TUNSETIFF)


def test_filter_compares_what_the_kernel_compares(world):
    """The kernel takes descriptors and requests as 32 bits: so must the filter, or more bits would
    make other numbers of the same."""
    with Tracer(desk(world)) as tracer:
        for fd in (1 << 32 | 6, 0xFFFFFFFF00000006):
            filtered(tracer)
            end = tracer.instead(NUMBERS["ioctl"], fd, 0x400454CB)
            assert end.signal == signal.SIGSYS, end
            filtered(tracer)
            end = tracer.instead(NUMBERS["ioctl"], fd, 0xFFFFFFFF00000000 | TUNSETOWNER)
            close(end)
            assert end.signal is None, end  # as good as the plain one: no TAP yet, so EBADFD
