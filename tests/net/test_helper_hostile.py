# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, started by someone who means ill: each start is refused in a documented way or done
right, in time, and the host's network is as before unless a TAP was rightly handed over.
"""
import contextlib
import ctypes
import itertools
import os
import resource
import select
import signal
import socket
import struct
import time

import starter
from case import limit
from helper import CODES, HELPER, NAMES, made_by, pair, parse_reply, receive, tap_name, taps
from netstate import NetState, difference
from proc import wait_until
from world import ALLOW, USERS

UID = USERS["mac"][0]
OWN_UID = 7201  # _basilisk-tap
WORDS = ["--slot=0", "--br=auto"]
DEADLINE = 8  # seconds: the sum of the helper's own
# What ends a start before the helper's first instruction: the loader's refusal, or the kernel's
LOADER = 127
SO_PASSCRED, SCM_CREDENTIALS = 16, 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_TIMERSLACK, PR_SET_NO_NEW_PRIVS = 1, 4, 29, 38

_libc = ctypes.CDLL(None, use_errno=True)


class Desk:
    """A host, and what it looked like before."""

    def __init__(self, world, **options):
        self.host = world.host("desk", world.lan(), **options)
        self.net = NetState(self.host)
        self.net.settle("nic")
        self.before = self.net.snapshot()

    def check_untouched(self, what):
        after = self.net.snapshot()
        assert after == self.before, f"{what}:\n{difference(self.before, after)}"

    def release(self):
        wait_until(lambda: not taps(self.host), what="the end of the TAP")
        assert self.host.run([HELPER, "--release"]).returncode == 0
        self.check_untouched("release")


def start(host, *, fd=9, words=WORDS, argv=None, theirs=None, **options):
    """The shim's call; theirs is the socket that the helper gets as descriptor fd."""
    descriptors = options.pop("descriptors", {})
    if theirs is not None:
        descriptors = {fd: theirs.fileno(), **descriptors}
    argv = [HELPER, f"--fd={fd}", *words] if argv is None else argv
    return starter.start(host, HELPER, argv, descriptors=descriptors, **options)


def check(desk, *allowed, what=None, **options):
    """Start it so; it must end in one of the allowed ways.  Returns its name: a refusal has touched
    nothing, a success handed over a TAP, which is then given back."""
    ours, theirs = pair(desk.host, "mac")
    with ours, theirs, start(desk.host, theirs=theirs, **options) as run:
        status = run.wait(DEADLINE)
        theirs.close()
        message, fd = receive(ours)
        said = run.said()
    what = f"{what}: {status} {message[:48]} {said}"
    if status == LOADER and "loader" in allowed:
        name = "loader"
    else:
        assert status in NAMES, what
        name = NAMES[status]
    assert name in allowed, what
    assert (fd is not None) == (name == "ok"), what
    if fd is None:
        desk.check_untouched(what)
        return name
    assert parse_reply(message).code == "ok" and tap_name(fd) == parse_reply(message).tap, what
    os.close(fd)
    desk.release()
    return name


def set_limit(which, soft, hard=None):
    return lambda: resource.setrlimit(which, (soft, soft if hard is None else hard))


# ---- the argument list
def test_start_without_any_argument_is_refused(world):
    desk = Desk(world)
    with start(desk.host, argv=[]) as run:
        status = run.wait(DEADLINE)
        # a kernel since 5.18 makes it one empty name: then there is nothing to do
        assert status in (CODES["usage"], CODES["hostile-start"]), (status, run.said())
        assert len(run.said().splitlines()) == 1, run.said()
    desk.check_untouched("no arguments")


def test_name_of_the_program_is_not_believed(world):
    desk = Desk(world)
    for name in ("", "/etc/passwd", "%n%n%s", "x" * 100000):
        check(desk, "ok", argv=[name, "--fd=9", *WORDS], what=name[:20])


def test_hundred_thousand_words_are_refused(world):
    desk = Desk(world)
    check(desk, "usage", argv=[HELPER, "--fd=9", *["--use-vnet"] * 100000, "--frobnicate"])
    check(desk, "ok", argv=[HELPER, "--fd=9", *["--slot=0"] * 1000])


def test_numbers_are_read_strictly(world):
    desk = Desk(world)
    wrong = "", "-1", "+9", " 9", "9 ", "09", "0x9", "9.0", "4294967305", "18446744073709551625"
    for number in wrong:
        check(desk, "bad-descriptor", argv=[HELPER, f"--fd={number}", *WORDS], what=number)
    for number in (*wrong, "16"):
        check(desk, "usage", argv=[HELPER, "--fd=9", f"--slot={number}"], what=number)


def test_names_that_are_formats_or_paths_are_refused(world):
    desk = Desk(world, policy=ALLOW + "join br0\n")
    for name in ("%s%n", "../nic", "a/b", "nic:1", "br 0", "", ".", "..", "br\x1b[2J", "x" * 4000):
        check(desk, "bad-name", argv=[HELPER, "--fd=9", "--slot=0", f"--br={name}"], what=name)
    for name in ("lo", "nic", "bthub", "BR0", "br0\\"):
        words = ["--slot=0", f"--br={name}"]
        check(desk, "bridge-refused", words=words, what=name)


# ---- descriptors
def test_standard_streams_closed_in_each_combination(world):
    desk = Desk(world)
    for closed in itertools.chain.from_iterable(
        itertools.combinations(range(3), n) for n in (1, 2, 3)
    ):
        nothing = {number: None for number in closed}
        check(desk, "ok", descriptors=nothing, what=f"without {closed}")
        # and with something to say on one that is not there
        check(desk, "usage", descriptors=nothing, words=["--frobnicate"], what=f"without {closed}")


def test_reply_socket_has_any_number(world):
    desk = Desk(world)
    for number in (*range(3, 12), 31, 32, 33, 39, 40, 63, 64, 1000, 1023, 1024, 2000):
        check(desk, "ok", fd=number, what=number)


def test_inherited_descriptors_at_the_helpers_own_numbers_get_nothing(world):
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


def test_hundreds_of_inherited_descriptors(world):
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


def test_reply_descriptor_that_is_no_own_stream_socket_is_refused(world):
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


def test_full_reply_socket_is_waited_for_no_longer_than_the_deadline(world):
    desk = Desk(world)
    ours, theirs = pair(desk.host, "mac")
    with ours, theirs:
        fill(theirs)
        begun = time.monotonic()
        with start(desk.host, theirs=theirs) as run:
            assert run.wait(DEADLINE) == CODES["handover"], run.said()
        assert time.monotonic() - begun > 0.5, "it did not wait at all"
    desk.release()


def fill(sock):
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(4096))


def test_closed_reply_socket_ends_the_tap(world):
    desk = Desk(world)
    ours, theirs = pair(desk.host, "mac")
    with theirs:
        ours.close()
        with start(desk.host, theirs=theirs) as run:
            assert run.wait(DEADLINE) == CODES["handover"], run.said()
    desk.release()


def test_full_stderr_is_waited_for_no_longer_than_the_deadline(world):
    desk = Desk(world)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    for words in (["--frobnicate"], ["--slot=99"]):
        check(desk, "usage", words=words, descriptors={2: writer}, what="a full stderr")
    os.close(reader)
    check(desk, "usage", words=["--frobnicate"], descriptors={2: writer}, what="a broken stderr")
    os.close(writer)


def test_nothing_that_is_sent_bears_the_name_of_root(world):
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
            assert uids and set(uids) == {OWN_UID}, (words, uids)


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


# ---- limits, signals, time
def test_small_limits(world):
    desk = Desk(world)
    limits = {
        "descriptors 3": set_limit(resource.RLIMIT_NOFILE, 3),
        "descriptors 10": set_limit(resource.RLIMIT_NOFILE, 10),
        "descriptors 20": set_limit(resource.RLIMIT_NOFILE, 20),
        "descriptors 64": set_limit(resource.RLIMIT_NOFILE, 64),
        "file size 0": set_limit(resource.RLIMIT_FSIZE, 0),
        "cpu 1": set_limit(resource.RLIMIT_CPU, 1),
        "cpu 0": set_limit(resource.RLIMIT_CPU, 0, 1),
        "core unlimited": set_limit(resource.RLIMIT_CORE, resource.RLIM_INFINITY),
        "locked memory 0": set_limit(resource.RLIMIT_MEMLOCK, 0),
        "processes 0": set_limit(resource.RLIMIT_NPROC, 0),
        "signals 0": set_limit(resource.RLIMIT_SIGPENDING, 0),
    }
    for what, prepare in limits.items():
        check(desk, "ok", "hostile-start", "loader", prepare=prepare, what=what)
    assert check(desk, "ok", prepare=limits["file size 0"]) == "ok"
    assert check(desk, "ok", prepare=limits["cpu 1"]) == "ok"


def test_small_memory(world):
    """Each size from where nothing starts to where all goes well: never half way."""
    desk = Desk(world)
    for which, sizes in (
        (resource.RLIMIT_AS, range(1 << 20, 14 << 20, 512 << 10)),
        (resource.RLIMIT_DATA, range(1 << 20, 5 << 20, 256 << 10)),
        (resource.RLIMIT_STACK, (4096, 8192, 16384, 32768, 65536, 131072)),
    ):
        for size in sizes:
            ours, theirs = pair(desk.host, "mac")
            prepare = set_limit(which, size)
            with ours, theirs, start(desk.host, theirs=theirs, prepare=prepare) as run:
                status = run.wait(DEADLINE)
                theirs.close()
                message, fd = receive(ours)
            if fd is not None:
                assert status == 0, status
                os.close(fd)
                desk.release()
            else:
                assert status, (which, size, message)
                desk.release()


def test_armed_timers_and_waiting_signals(world):
    desk = Desk(world)

    def timers():
        for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(which, 0.02, 0.001)
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())

    def death():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    def ignored():
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            _libc.signal(number, ctypes.c_void_p(1))

    def blocked():
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGXCPU, signal.SIGTSTP):
            os.kill(os.getpid(), number)

    for prepare in (timers, death, ignored, blocked):
        check(desk, "ok", prepare=prepare, what=prepare.__name__)


def test_signals_and_stops_while_it_runs(world):
    """Whatever is sent, at whatever moment: it ends, or goes on when it is let."""
    desk = Desk(world)
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGSEGV, signal.SIGSTOP, signal.SIGKILL):
        for delay in (0, 0.0005, 0.001, 0.002, 0.004):
            ours, theirs = pair(desk.host, "mac")
            with ours, theirs, start(desk.host, theirs=theirs) as run:
                time.sleep(delay)  # any moment will do
                run.signal(number)
                if number == signal.SIGSTOP:
                    run.signal(signal.SIGCONT)
                status = run.wait(DEADLINE)
                theirs.close()
                _, fd = receive(ours)
                assert status in (0, -number), (status, run.said())
                assert fd is not None or status
                if fd is not None:
                    os.close(fd)
            desk.release()


# ---- surroundings
def test_hostile_environment(world):
    desk = Desk(world)
    desk.host.write("/tmp/evil.c", "")
    big = "X=" + "x" * 120000
    environment = [
        "LD_PRELOAD=/tmp/evil.so", "LD_LIBRARY_PATH=/tmp", "LD_AUDIT=/tmp/evil.so", "LD_DEBUG=all",
        "LD_DEBUG_OUTPUT=/tmp/debug", "LD_BIND_NOT=1", "LD_PROFILE=libc.so.6", "LD_SHOW_AUXV=1",
        "GLIBC_TUNABLES=glibc.malloc.check=3:glibc.malloc.perturb=255:glibc.malloc.mmap_max=0",
        "LOCPATH=/tmp", "LC_ALL=tr_TR.UTF-8", "LANG=../../tmp/x", "LANGUAGE=%n", "NLSPATH=/tmp/%N",
        "TZ=:/tmp/zone", "MALLOC_TRACE=/tmp/trace", "HOSTALIASES=/tmp/x", "RES_OPTIONS=debug",
        "BASILISK_TAP_HELPER=/tmp/x", "PATH=/tmp", "IFS=/", "BASH_ENV=/tmp/x", "no equals", "=",
        *[big] * 8,
    ]  # fmt: skip
    check(desk, "ok", environment=environment, what="environment")
    check(desk, "bridge-refused", words=["--slot=0", "--br=x"], environment=environment)
    assert set(desk.host.inside(lambda: os.listdir("/tmp"))) <= {"evil.c", ".X11-unix"}


def test_deleted_working_directory_and_strange_umask(world):
    desk = Desk(world)

    def deleted():
        os.mkdir("/tmp/gone")
        os.chdir("/tmp/gone")
        os.rmdir("/tmp/gone")
        os.umask(0o777)

    check(desk, "ok", prepare=deleted)


def test_lowest_priority_and_one_processor(world):
    desk = Desk(world)

    def prepare():
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    check(desk, "ok", prepare=prepare)


def test_timers_may_not_be_made_late(world):
    """A process may ask for its timers to be late; the next program inherits that."""
    desk = Desk(world)
    ours, theirs = pair(desk.host, "mac")
    with ours, theirs:
        fill(theirs)

        def prepare():
            _libc.prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(1 << 62))

        with start(desk.host, theirs=theirs, prepare=prepare) as run:
            wait_until(lambda: taps(desk.host), what="the TAP")
            with open(f"/proc/{run.pid}/timerslack_ns") as file:
                assert int(file.read()) < 10**7
            assert run.wait(DEADLINE) == CODES["handover"]
    desk.release()


def test_start_that_may_not_gain_privileges_is_told(world):
    desk = Desk(world)
    check(desk, "no-privilege", prepare=lambda: _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def test_strange_personality(world):
    desk = Desk(world)
    every = 0x0020000 | 0x0040000 | 0x0080000 | 0x0100000 | 0x0200000 | 0x0400000 | 0x4000000
    check(desk, "ok", prepare=lambda: _libc.personality(every))


CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS = 0x10000000, 0x40000000, 0x00020000


def unshare(flags):
    uid, gid = os.getuid(), os.getgid()
    _libc.prctl(PR_SET_DUMPABLE, 1)  # a change of user took it away, and with it its own /proc
    if _libc.unshare(flags) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def test_user_namespace_of_the_callers_own_is_refused(world):
    """There the helper is not setuid, and what privilege it has is not worth anything."""
    desk = Desk(world)
    ways = "no-privilege", "foreign-namespace", "drop", "bad-descriptor", "no-tun"
    for flags in (0, CLONE_NEWNS):
        check(desk, *ways, prepare=lambda: unshare(CLONE_NEWUSER | flags), what=f"user {flags:x}")


def test_network_of_the_callers_own_user_namespace_is_refused(world):
    desk = Desk(world)
    ways = "no-privilege", "foreign-namespace", "drop", "bad-descriptor", "no-tun"
    check(desk, *ways, prepare=lambda: unshare(CLONE_NEWUSER | CLONE_NEWNET), what="user and net")


def test_network_of_a_user_namespace_is_refused_from_outside_too(world):
    """The setuid helper, really root, in a network that belongs to somebody's user namespace."""
    desk = Desk(world)
    ready, done = os.pipe()
    holder = os.fork()
    if holder == 0:
        try:
            starter.become(desk.host.identity("mac"))
            unshare(CLONE_NEWUSER | CLONE_NEWNET)
            os.write(done, b"x")
            signal.pause()
        except BaseException as error:
            os.write(done, repr(error).encode())
        finally:
            os._exit(1)
    os.close(done)
    said = os.read(ready, 1000)
    assert said == b"x", said
    network = os.open(f"/proc/{holder}/ns/net", os.O_RDONLY)
    kept = desk.host.namespaces["net"]
    desk.host.namespaces["net"] = network
    try:
        ours, theirs = pair(desk.host, "mac")
        with ours, theirs, start(desk.host, theirs=theirs) as run:
            assert run.wait(DEADLINE) == CODES["foreign-namespace"], run.said()
            theirs.close()
            message, fd = receive(ours)
            assert fd is None and parse_reply(message).code == "foreign-namespace"
            left = desk.host.run(["ip", "-o", "link"]).stdout.splitlines()
            assert len(left) == 1, left  # lo
            released = desk.host.run([HELPER, "--release"])
            assert released.returncode == CODES["foreign-namespace"], released
    finally:
        desk.host.namespaces["net"] = kept
        os.close(network)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)


def test_network_of_the_administrators_passes(world):
    """`ip netns`: a network namespace of its own, in the machine's user namespace."""
    check(Desk(world), "ok")  # every host of these tests is one


# ---- others
def test_descriptors_on_their_way_of_one_user_do_not_stop_another(world):
    """A hand-over that is not received counts, in the kernel, for the helper's own user."""
    desk = Desk(world, policy=ALLOW + "max-taps 16\nmax-total 64\n")
    waiting = []
    for slot in range(16):
        ours, theirs = pair(desk.host, "mac")
        waiting.append(ours)
        with theirs, start(desk.host, theirs=theirs, words=[f"--slot={slot}"]) as run:
            assert run.wait(DEADLINE) == 0, (slot, run.said())
    ours, theirs = pair(desk.host, "lisa")
    with ours, theirs, start(desk.host, theirs=theirs, user="lisa") as run:
        assert run.wait(DEADLINE) == 0, run.said()
    for ours in waiting:
        ours.close()


@limit(90)
def test_reader_that_never_reads_leaves_no_process_behind(world):
    """Between the look whether stderr can take a line and the line, someone else fills it."""
    from tracer import At, Tracer

    desk = Desk(world)
    with Tracer(desk.host) as tracer:
        tracer.start(HELPER, "--fd=9", "--frobnicate")
        at = tracer.until("write", 2)
        assert isinstance(at, At)
        stderr = os.open(f"/proc/{at.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(stderr, bytes(4096))
        end = tracer.go()
        os.close(stderr)
        assert not end.stuck, end
