# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, started by someone who means ill in surroundings that he has made for it: limits,
signals, timers, environment, namespaces; what must come of that is in lib/hostile.py.
"""
import contextlib
import ctypes
import os
import re
import resource
import signal
import time

import sanitize
from case import limit, over
from hostile import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, DEADLINE
from hostile import Desk, check, fill, foreign_network, full_pipe, libc, set_limit, start, unshare
from helper import CODES, HELPER, pair, parse_reply, receive, taps
from observe import capabilities, status_of
from proc import wait_until
from tracer import At, Tracer
from ways import CAPABILITY, SETUID
from world import ALLOW

CAP_SYS_RESOURCE = 1 << 24
PR_SET_PDEATHSIG, PR_SET_TIMERSLACK, PR_SET_NO_NEW_PRIVS = 1, 29, 38

# ---- limits, signals, time
@over(SETUID, CAPABILITY)
def test_small_limits(world, way):
    desk = Desk(world)
    limits = {
        "descriptors 3": set_limit(resource.RLIMIT_NOFILE, 3),
        "descriptors 10": set_limit(resource.RLIMIT_NOFILE, 10),
        "descriptors 20": set_limit(resource.RLIMIT_NOFILE, 20),
        "descriptors 64": set_limit(resource.RLIMIT_NOFILE, 64),
        "file size 0": set_limit(resource.RLIMIT_FSIZE, 0),
        "cpu 1": set_limit(resource.RLIMIT_CPU, 1),
        "core unlimited": set_limit(resource.RLIMIT_CORE, resource.RLIM_INFINITY),
        "locked memory 0": set_limit(resource.RLIMIT_MEMLOCK, 0),
        "processes 0": set_limit(resource.RLIMIT_NPROC, 0),
        "signals 0": set_limit(resource.RLIMIT_SIGPENDING, 0),
    }
    for what, prepare in limits.items():
        check(desk, "ok", "hostile-start", "loader", prepare=prepare, what=what)
    assert check(desk, "ok", prepare=limits["file size 0"]) == "ok"
    assert check(desk, "ok", prepare=limits["cpu 1"]) == "ok"


def limits_of(pid):
    """{name: (soft, hard)} of /proc/PID/limits."""
    with open(f"/proc/{pid}/limits") as file:
        found = [re.match(r"Max (.*?) {2,}(\S+) +(\S+)", line) for line in list(file)[1:]]
    return {match[1]: (match[2], match[3]) for match in found}


def test_processes_of_other_callers_do_not_count_against_ones_limit(world):
    """They are all of the helper's own user, and over the limit nothing can be executed."""
    desk = Desk(world)
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    with full_pipe() as writer:
        options = {"user": "lisa", "descriptors": {1: writer}}
        with start(desk.host, argv=[HELPER, "--status"], **options) as other:
            exe = f"/proc/{other.pid}/exe"
            wait_until(lambda: os.readlink(exe).endswith("-report"), what="the other's report")
            prepare = set_limit(resource.RLIMIT_NPROC, 0, hard)
            with start(desk.host, argv=[HELPER, "--check"], prepare=prepare) as run:
                assert run.wait(DEADLINE) == 0, run.said()


@over(SETUID, CAPABILITY)
def test_limits_and_umask_of_the_caller_are_not_the_helpers(world, way):
    """What may be raised is raised, by root beyond the caller's hard limits; nothing is dumped."""
    desk = Desk(world)
    mine = {"cpu time": resource.RLIMIT_CPU, "file size": resource.RLIMIT_FSIZE}
    if not sanitize.RUNTIME:  # which needs more of it than there is
        mine["address space"] = resource.RLIMIT_AS
    # a container may have taken that from root
    may_raise = way is SETUID and capabilities(status_of("self"))["CapEff"] & CAP_SYS_RESOURCE
    ours, theirs = pair(desk.host, "mac")
    with ours, theirs:
        fill(theirs)  # or it would be gone before one can look

        def prepare():
            for which in mine.values():
                resource.setrlimit(which, (1 << 30, 1 << 40))
            unlimited = resource.RLIM_INFINITY, resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_CORE, unlimited)
            os.umask(0)

        with start(desk.host, theirs=theirs, prepare=prepare) as run:
            wait_until(lambda: taps(desk.host), what="the TAP")
            found, umask = limits_of(run.pid), status_of(run.pid)["Umask"]
            assert run.wait(DEADLINE) == CODES["handover"]
    raised = ("unlimited",) * 2 if may_raise else (str(1 << 40),) * 2
    for name in mine:
        assert found[name] == raised, (name, found)
    assert found["core file size"] == ("0", "0") and umask == ["0777"], (found, umask)
    desk.release()


@over(SETUID, CAPABILITY)
def test_small_memory(world, way):
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


@over(SETUID, CAPABILITY)
def test_armed_timers_and_waiting_signals(world, way):
    desk = Desk(world)

    def timers():
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(which, 0.001, 0.0001)

    def death():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    def ignored():
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            libc.signal(number, ctypes.c_void_p(1))

    def blocked():
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGXCPU, signal.SIGTSTP):
            os.kill(os.getpid(), number)

    for prepare in (timers, death, ignored, blocked):
        check(desk, "ok", prepare=prepare, what=prepare.__name__)


@over(SETUID, CAPABILITY)
def test_signals_and_stops_while_it_runs(world, way):
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
@over(SETUID, CAPABILITY)
def test_hostile_environment(world, way):
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


@over(SETUID, CAPABILITY)
def test_deleted_working_directory_and_strange_umask(world, way):
    desk = Desk(world)

    def deleted():
        os.mkdir("/tmp/gone")
        os.chdir("/tmp/gone")
        os.rmdir("/tmp/gone")
        os.umask(0o777)

    check(desk, "ok", prepare=deleted)


@over(SETUID, CAPABILITY)
def test_lowest_priority_and_one_processor(world, way):
    desk = Desk(world)

    def prepare():
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    check(desk, "ok", prepare=prepare)


@over(SETUID, CAPABILITY)
def test_timers_may_not_be_made_late(world, way):
    """A process may ask for its timers to be late; the next program inherits that."""
    desk = Desk(world)
    ours, theirs = pair(desk.host, "mac")
    with ours, theirs:
        fill(theirs)

        def prepare():
            libc.prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(1 << 62))

        with start(desk.host, theirs=theirs, prepare=prepare) as run:
            wait_until(lambda: taps(desk.host), what="the TAP")
            with open(f"/proc/{run.pid}/timerslack_ns") as file:
                assert int(file.read()) < 10**7
            assert run.wait(DEADLINE) == CODES["handover"]
    desk.release()


@over(SETUID, CAPABILITY)
def test_start_that_may_not_gain_privileges_is_told(world, way):
    desk = Desk(world)
    check(desk, "no-privilege", prepare=lambda: libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


@over(SETUID, CAPABILITY)
def test_strange_personality(world, way):
    desk = Desk(world)
    every = 0x0020000 | 0x0040000 | 0x0080000 | 0x0100000 | 0x0200000 | 0x0400000 | 0x4000000
    check(desk, "ok", prepare=lambda: libc.personality(every))


@over(SETUID, CAPABILITY)
def test_user_namespace_of_the_callers_own_is_refused(world, way):
    """There the helper is not setuid, and what privilege it has is not worth anything."""
    desk = Desk(world)
    for flags in (0, CLONE_NEWNS, CLONE_NEWNET):
        check(desk, "foreign-namespace", prepare=lambda: unshare(CLONE_NEWUSER | flags),
              what=f"user {flags:x}")  # fmt: skip


@over(SETUID, CAPABILITY)
def test_network_of_a_user_namespace_is_refused_from_outside_too(world, way):
    """The setuid helper, really root, in a network that belongs to somebody's user namespace."""
    desk = Desk(world)
    with foreign_network(desk.host):
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


@over(SETUID, CAPABILITY)
def test_network_of_the_administrators_passes(world, way):
    """`ip netns`: a network namespace of its own, in the machine's user namespace."""
    check(Desk(world), "ok")  # every host of these tests is one


# ---- others
@over(SETUID, CAPABILITY)
def test_descriptors_on_their_way_of_one_user_do_not_stop_another(world, way):
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
@over(SETUID, CAPABILITY)
def test_reader_that_never_reads_leaves_no_process_behind(world, way):
    """Between the look whether stderr can take a line and the line, someone else fills it."""
    desk = Desk(world)
    with Tracer(desk.host, mortal=True) as tracer:
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
