# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, started by someone who means ill with what he hands it: arguments and descriptors;
what must come of that is in lib/hostile.py.
"""
import contextlib
import itertools
import os
import resource
import socket
import struct
import time

import ns
import starter
from case import over
from hostile import DEADLINE, WORDS, Desk, check, fill, full_pipe, start
from helper import CODES, HELPER, made_by, pair
from modes import without_privilege
from ways import CAPABILITY, SETUID
from world import ALLOW

SO_PASSCRED, SCM_CREDENTIALS = 16, 2

# ---- the argument list
@over(SETUID, CAPABILITY)
def test_start_without_any_argument_is_refused(world, way):
    desk = Desk(world)
    with start(desk.host, argv=[]) as run:
        status = run.wait(DEADLINE)
        # a kernel since 5.18 makes it one empty name: then there is nothing to do
        assert status in (CODES["usage"], CODES["hostile-start"]), (status, run.said())
        assert len(run.said().splitlines()) == 1, run.said()
    desk.check_untouched("no arguments")


@over(SETUID, CAPABILITY)
def test_name_of_the_program_is_not_believed(world, way):
    desk = Desk(world)
    for name in ("", "/etc/passwd", "%n%n%s", "x" * 100000):
        check(desk, "ok", argv=[name, "--fd=9", *WORDS], what=name[:20])


@over(SETUID, CAPABILITY)
def test_hundred_thousand_words_are_refused(world, way):
    desk = Desk(world)
    check(desk, "usage", argv=[HELPER, "--fd=9", *["--use-vnet"] * 100000, "--frobnicate"])
    check(desk, "ok", argv=[HELPER, "--fd=9", *["--slot=0"] * 1000])


@over(SETUID, CAPABILITY)
def test_numbers_are_read_strictly(world, way):
    desk = Desk(world)
    wrong = "", "-1", "+9", " 9", "9 ", "09", "0x9", "9.0", "4294967305", "18446744073709551625"
    for number in wrong:
        check(desk, "bad-descriptor", argv=[HELPER, f"--fd={number}", *WORDS], what=number)
    for number in (*wrong, "16"):
        check(desk, "usage", argv=[HELPER, "--fd=9", f"--slot={number}"], what=number)


@over(SETUID, CAPABILITY)
def test_names_that_are_formats_or_paths_are_refused(world, way):
    desk = Desk(world, policy=ALLOW + "join br0\n")
    for name in ("%s%n", "../nic", "a/b", "nic:1", "br 0", "", ".", "..", "br\x1b[2J", "x" * 4000):
        check(desk, "bad-name", argv=[HELPER, "--fd=9", "--slot=0", f"--br={name}"], what=name)
    for name in ("lo", "nic", "bthub", "BR0", "br0\\"):
        words = ["--slot=0", f"--br={name}"]
        check(desk, "bridge-refused", words=words, what=name)


# ---- descriptors
@over(SETUID, CAPABILITY)
def test_standard_streams_closed_in_each_combination(world, way):
    desk = Desk(world)
    for closed in itertools.chain.from_iterable(
        itertools.combinations(range(3), n) for n in (1, 2, 3)
    ):
        nothing = {number: None for number in closed}
        check(desk, "ok", descriptors=nothing, what=f"without {closed}")
        # and with something to say on one that is not there
        check(desk, "usage", descriptors=nothing, words=["--frobnicate"], what=f"without {closed}")


def test_closed_stream_with_nothing_to_put_in_its_place_ends_it(world):
    """/dev/null is a socket, which nobody can open: what it opened next would be descriptor 0.  With
    setuid or a file capability the loader looks before."""
    desk = Desk(world)
    path = world.path("socket")

    def ends(closed, code):
        nothing = {} if closed is None else {closed: None}
        argv = [HELPER, "--version"]
        with starter.start(desk.host, HELPER, argv, user="mac", descriptors=nothing) as run:
            assert run.wait(DEADLINE) == CODES[code], (closed, run.said())

    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
    with without_privilege():
        for closed in (None, 0, 2):
            ends(closed, "ok")
        desk.host.inside(lambda: ns.bind(path, "/dev/null"))
        for closed, code in ((None, "ok"), (0, "hostile-start"), (2, "hostile-start")):
            ends(closed, code)


@over(SETUID, CAPABILITY)
def test_reply_socket_has_any_number(world, way):
    desk = Desk(world)
    for number in (*range(3, 12), 31, 32, 33, 39, 40, 63, 64, 1000, 1023, 1024, 2000):
        check(desk, "ok", fd=number, what=number)


@over(SETUID, CAPABILITY)
def test_inherited_descriptors_at_the_helpers_own_numbers_get_nothing(world, way):
    desk = Desk(world)
    pairs = {number: pair(desk.host, "mac") for number in (3, 4, 5, 6, 7, 8, 32, 33, 34, 35, 36)}
    descriptors = {number: theirs.fileno() for number, (_, theirs) in pairs.items()}
    cases = (
        ("ok", WORDS),
        ("usage", ["--frobnicate"]),
        ("bad-name", ["--br=a/b"]),
        ("quota", ["--slot=15"]),
    )
    for allowed, words in cases:
        check(desk, allowed, words=words, descriptors=dict(descriptors), what=words)
    check(desk, "bad-descriptor", argv=[HELPER, "--fd=77"], descriptors=descriptors)
    for ours, theirs in pairs.values():
        with ours, theirs:
            ours.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                raise AssertionError(f"came out of an inherited descriptor: {ours.recv(1000)}")


@over(SETUID, CAPABILITY)
def test_hundreds_of_inherited_descriptors(world, way):
    """Up to all that may be open: then it is refused, and has still given up its privileges."""
    desk = Desk(world)
    ways = set()
    allowed = "ok", "hostile-start", "system", "loader", "bad-policy", "no-tun", "foreign-namespace"
    for count in (20, 900, *range(1005, 1024)):

        def prepare():
            resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
            with contextlib.suppress(OSError):
                for _ in range(count - 4):
                    os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)

        ways.add(check(desk, *allowed, prepare=prepare, what=f"{count} descriptors"))
    assert "ok" in ways and len(ways) > 1, ways


def refuse_descriptor(desk, descriptor, fd=9):
    with start(desk.host, fd=fd, descriptors={fd: descriptor}) as run:
        status, said = run.wait(DEADLINE), run.said()
    assert status == CODES["bad-descriptor"], (status, said)
    assert len(said.splitlines()) == 1 and str(fd) in said, said
    desk.check_untouched(said)


@over(SETUID, CAPABILITY)
def test_reply_descriptor_that_is_no_own_stream_socket_is_refused(world, way):
    desk = Desk(world)
    host = desk.host

    def listening(address):
        server = socket.socket(socket.AF_UNIX)
        server.bind(address)
        server.listen()
        return [server]

    def unconnected():
        return [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET),
                socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)]  # fmt: skip

    def tcp():
        server = socket.create_server(("127.0.0.1", 0))
        return [socket.create_connection(server.getsockname())]

    with contextlib.ExitStack() as stack:
        wrong = [os.pipe()[1], os.open("/dev/null", os.O_RDWR), os.open("/", os.O_RDONLY)]
        wrong += [os.memfd_create("file"), os.eventfd(0), os.open("/dev/net/tun", os.O_RDWR)]
        for descriptor in wrong:
            stack.callback(os.close, descriptor)
        sockets = [*made_by(host, "mac", lambda: listening("")), *made_by(host, "mac", unconnected)]
        sockets += made_by(host, "mac", tcp)
        for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            sockets += made_by(host, "mac", lambda: socket.socketpair(socket.AF_UNIX, kind))
        # lisa's daemon, to whom mac connects
        [daemon] = made_by(host, "lisa", lambda: listening("\0lisa"))
        sockets += made_by(host, "mac", lambda: [connected("\0lisa")])
        for sock in (*sockets, daemon):
            stack.enter_context(sock)
            wrong.append(sock.fileno())
        for descriptor in wrong:
            refuse_descriptor(desk, descriptor)
        accepted, _ = daemon.accept()
        accepted.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            raise AssertionError(f"this was sent to lisa: {accepted.recv(1000)}")
        accepted.close()


def connected(address):
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    return client


@over(SETUID, CAPABILITY)
def test_full_reply_socket_is_waited_for_no_longer_than_the_deadline(world, way):
    desk = Desk(world)
    ours, theirs = pair(desk.host, "mac")
    with ours, theirs:
        fill(theirs)
        begun = time.monotonic()
        with start(desk.host, theirs=theirs) as run:
            assert run.wait(DEADLINE) == CODES["handover"], run.said()
        assert time.monotonic() - begun > 0.5, "it did not wait at all"
    desk.release()


@over(SETUID, CAPABILITY)
def test_closed_reply_socket_ends_the_tap(world, way):
    desk = Desk(world)
    ours, theirs = pair(desk.host, "mac")
    with theirs:
        ours.close()
        with start(desk.host, theirs=theirs) as run:
            assert run.wait(DEADLINE) == CODES["handover"], run.said()
    desk.release()


@over(SETUID, CAPABILITY)
def test_full_stderr_is_waited_for_no_longer_than_the_deadline(world, way):
    desk = Desk(world)
    with full_pipe() as writer:
        for words in (["--frobnicate"], ["--slot=99"]):
            check(desk, "usage", words=words, descriptors={2: writer}, what="a full stderr")


@over(SETUID, CAPABILITY)
def test_broken_stderr_is_no_reason_to_die(world, way):
    desk = Desk(world)
    reader, writer = os.pipe()
    os.close(reader)
    check(desk, "usage", words=["--frobnicate"], descriptors={2: writer}, what="a broken stderr")
    os.close(writer)


@over(SETUID, CAPABILITY)
def test_telling_a_reader_that_never_reads_ends(world, way):
    """Or else: processes that their starter cannot end, and that no limit of his counts."""
    desk = Desk(world)
    with full_pipe() as writer, contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(start(desk.host, argv=[HELPER, verb], descriptors={1: writer}))
            for verb in ("--status", "--help", "--check", "--version")
        ]
        for run in runs:
            run.wait(15)


@over(SETUID, CAPABILITY)
def test_nothing_that_is_sent_bears_the_name_of_root(world, way):
    """Who receives from a unix socket can ask the kernel who sent it."""
    desk = Desk(world)
    for words in (WORDS, ["--slot=0", "--br=nobridge"], ["--frobnicate"]):
        (ours, theirs), (near, far) = (pair(desk.host, "mac") for _ in range(2))
        with ours, theirs, near, far:
            for sock in (ours, near):
                sock.setsockopt(socket.SOL_SOCKET, SO_PASSCRED, 1)
            with start(desk.host, theirs=theirs, words=words, descriptors={2: far.fileno()}) as run:
                run.wait(DEADLINE)
            theirs.close()
            far.close()
            uids = credentials(ours) + credentials(near)
            assert uids and set(uids) == {way.owner("mac")}, (words, uids)


def credentials(sock):
    found = []
    while True:
        message, control, _, _ = sock.recvmsg(4096, 200)
        if not message:
            return found
        for level, kind, data in control:
            if kind == SCM_CREDENTIALS:
                found.append(struct.unpack("=iII", data)[1])
            else:
                os.close(struct.unpack("=i", data[:4])[0])
