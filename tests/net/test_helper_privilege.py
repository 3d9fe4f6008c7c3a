# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the helper may do at each moment of its life, as the kernel tells it, and what others may do
to it: setuid root, by file capability, and behind a service manager's socket.
"""
import contextlib
import ctypes
import errno
import os
import re
import signal
import stat
import struct
import subprocess

import helper
import starter
from activation import DYNAMIC_USER
from case import limit
from helper import CODES, HELPER, pair
from hostile import fill, full_pipe
from modes import NET_ADMIN, by_capability, without_privilege
from observe import capabilities, close, descriptors, desk, ids, status_of, steps
from proc import wait_until
from stand import ATTACH
from tracer import At, End, Tracer
from ways import SOCKET
from world import USERS, World

UID = USERS["mac"][0]
OWN = 7201  # _basilisk-tap
PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 24, 28, 38
# NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE of <linux/securebits.h>, each with its lock
ALL_LOCKED = 0xCF
FIXED = set(range(8))  # FD_END of helper/early.h
SAYS = {"write", "writev", "sendto", "sendmsg", "sendmmsg"}

_libc = ctypes.CDLL(None, use_errno=True)


# ---- setuid root
def test_privileges_of_the_setuid_helper_at_each_call(world):
    """Until it drops them it says nothing and allocates what it likes; from then on it is a user
    of its own with one capability; from the filter on it neither opens nor allocates anything."""
    host = desk(world)
    seen = {"root": 0, "dropped": 0, "filtered": 0}
    with Tracer(host) as tracer:
        for event in steps(tracer, ATTACH):
            if isinstance(event, End):
                break
            found = status_of(event.pid)
            if found["Seccomp"] == ["2"]:
                seen["filtered"] += 1
                assert event.name in {"sendto", "recvmsg", "sendmsg", "ioctl", "ppoll", "write",
                                      "exit_group"}, event  # fmt: skip
                assert set(descriptors(event.pid)) <= FIXED, (event, descriptors(event.pid))
                check_dropped(event, found)
            elif int(found["Uid"][1]) == OWN and found["NoNewPrivs"] == ["1"]:
                seen["dropped"] += 1
                check_dropped(event, found)
            else:
                assert not seen["dropped"] and not seen["filtered"], (event, found)
                seen["root"] += 1
                assert event.name not in SAYS, event
        close(event)
        assert event.status == 0, event
        # a change of user makes it dumpable again, if sysctl fs.suid_dumpable says so
        calls = [(call.name, call.fd, call.argument) for call in event.calls]
        changes = [i for i, call in enumerate(calls) if call[0] == "setresuid"]
        assert ("prctl", 4, 0) in calls[changes[0] :], calls
        # which no file in /proc tells of
        assert ("prctl", PR_SET_SECUREBITS, ALL_LOCKED) in calls[: changes[0]], calls
    assert all(count > 20 for count in seen.values()), seen


def check_dropped(event, found):
    assert ids(found) == {OWN}, (event, found)
    assert found["Groups"] == [], (event, found)
    only = {"CapInh": 0, "CapPrm": NET_ADMIN, "CapEff": NET_ADMIN, "CapBnd": 0, "CapAmb": 0}
    assert capabilities(found) == only, (event, capabilities(found))
    assert found["NoNewPrivs"] == ["1"], (event, found)
    # what is not dumpable belongs to root in /proc
    assert os.stat(f"/proc/{event.pid}/status").st_uid == 0, event


def test_privilege_that_is_only_said_to_be_gone_is_noticed(world):
    """Each call that gives something up is not made, though the kernel says that it was."""
    host = desk(world)
    with Tracer(host) as tracer:
        tracer.start(*ATTACH)
        end = tracer.go()
        close(end)
        own = [(call.name, call.fd, call.argument) for call in end.calls]
        gives_up = [i for i, call in enumerate(own) if call[0] in ("setgroups", "setresgid")]
        gives_up.append(own.index(("setresuid", OWN, OWN)))
        gives_up.append(own.index(("setresuid", 0, 0)))  # an attempt, which must be in vain
        gives_up.append(own.index(("prctl", PR_SET_NO_NEW_PRIVS, 1)))
        gives_up.append(max(i for i, call in enumerate(own) if call[0] == "capset"))
        # the last of them is for one that the kernel does not know
        bounding = [i for i, call in enumerate(own) if call[:2] == ("prctl", PR_CAPBSET_DROP)][:-1]
        assert len(gives_up) == 6 and len(bounding) > 36, own
        for index in (*gives_up, bounding[0], bounding[12], bounding[-1]):
            tracer.start(*ATTACH)
            assert isinstance(tracer.to(index), At)
            end = tracer.fail(0)
            assert end.status == CODES["drop"] and end.fd is None, (own[index], end)
            assert "privileges could not be given up" in end.stderr, (own[index], end)
        # and the last capability, by who only tells
        tracer.start(HELPER, "--check")
        calls = tracer.go().calls
        last = max(i for i, call in enumerate(calls) if call.name == "capset")
        for error in (0, errno.EPERM):
            tracer.start(HELPER, "--check")
            assert isinstance(tracer.to(last), At)
            end = tracer.fail(error)
            assert end.status == CODES["drop"] and "CAP_NET_ADMIN" in end.stderr, end


def test_privileges_of_status_and_check(world):
    """What only reads gives up the last capability too, before it says a word."""
    host = desk(world)
    for verb in ("--status", "--check", "--help", "--version"):
        with Tracer(host) as tracer:
            said = 0
            for event in steps(tracer, [HELPER, verb]):
                if isinstance(event, At) and event.name == "write":
                    said += 1
                    found = status_of(event.pid)
                    assert ids(found) == {OWN} and not any(capabilities(found).values()), found
            assert said and event.status == 0, (verb, event)


def test_policy_is_not_read_before_privileges_are_gone(world):
    """The one capability stays for who asks for a TAP; --check and --status have none by then."""
    host = desk(world)
    for argv, left in ((ATTACH, NET_ADMIN), ([HELPER, "--check"], 0), ([HELPER, "--status"], 0)):
        read = 0
        with Tracer(host) as tracer:
            for event in steps(tracer, argv):
                if not isinstance(event, At) or event.name not in ("read", "pread64"):
                    continue
                if os.readlink(f"/proc/{event.pid}/fd/{event.fd}").endswith("/helper.conf"):
                    read += 1
                    found = status_of(event.pid)
                    have = capabilities(found)
                    assert ids(found) == {OWN} and found["NoNewPrivs"] == ["1"], found
                    assert (have["CapPrm"], have["CapEff"]) == (left, left), (argv, have)
            close(event)
            assert read and event.status == 0, (argv, event)


OPENED = {
    "/etc/basilisk-tap/helper.conf", "/etc/passwd", "/etc/group", "/etc/machine-id", "/dev/net/tun",
    "/proc/sys/kernel/cap_last_cap",
}  # fmt: skip


def test_only_fixed_paths_are_opened(world):
    host = desk(world)
    with Tracer(host) as tracer:
        for argv in (
            ATTACH,
            [*ATTACH[:3], "--br=nosuchbridge"],
            [HELPER, "--status"],
            [HELPER, "--check", "--user=../../etc/shadow"],
            [HELPER, "--frobnicate"],
        ):
            tracer.start(*argv)
            end = tracer.go()
            close(end)
            paths = [call.path for call in end.calls if call.name == "openat"]
            loaded = [p for p in paths if re.match(r"/etc/ld\.so\.cache$|/(usr/)?lib", p)]
            own = [p for p in paths if re.match(r"/proc/\d+/status$", p)]  # libcap-ng's
            assert set(paths) - set(loaded) - set(own) <= OPENED, (argv, paths)
            assert not [c for c in end.calls if c.name == "open"], argv


def own_group(host, uid, gid):
    """The host's passwd with _basilisk-tap as that."""
    text = host.inside(lambda: open("/etc/passwd").read())
    line = f"_basilisk-tap:x:{uid}:{gid}::/nonexistent:/bin/sh"
    host.write("/etc/passwd", re.sub("(?m)^_basilisk-tap:.*$", line, text))


def user_at_the_end(host):
    with Tracer(host) as tracer:
        tracer.start(*ATTACH)
        at = tracer.until("exit_group")
        found = status_of(at.pid)
        close(tracer.go())
        return found["Uid"], found["Gid"]


def test_user_and_group_are_those_of_its_passwd_line(world):
    host = desk(world)
    own_group(host, 7201, 7333)
    assert user_at_the_end(host) == (["7201"] * 4, ["7333"] * 4)
    for wrong in ((0, 7333), (7201, 0), (4294967295, 7333), (7201, 4294967295)):
        own_group(host, *wrong)
        assert user_at_the_end(host) == (["65534"] * 4, ["65534"] * 4), wrong
    host.write("/etc/passwd", "root:x:0:0::/:/bin/sh\n")
    assert user_at_the_end(host) == (["65534"] * 4, ["65534"] * 4)


def test_setuid_helper_without_the_capability_does_not_stay_root(world):
    """As in a container, whose bounding set has no CAP_NET_ADMIN."""
    host = desk(world)
    ours, theirs = pair(host, "mac")

    def prepare():
        _libc.prctl(24, 12)  # PR_CAPBSET_DROP, CAP_NET_ADMIN
        starter.become(host.identity("mac"))

    with ours, theirs, full_pipe() as writer:
        descriptors = {9: theirs.fileno(), 2: writer}
        argv = [HELPER, "--frob"]
        with starter.start(
            host, HELPER, argv, user=None, prepare=prepare, descriptors=descriptors
        ) as run:
            wait_until(lambda: "poll" in wchan(run.pid), what="its waiting")
            found = status_of(run.pid)
            assert 0 not in ids(found), found
            assert not any(capabilities(found)[key] for key in ("CapPrm", "CapEff", "CapInh"))
            assert run.wait() == CODES["usage"]


def wchan(pid):
    with open(f"/proc/{pid}/wchan") as file:
        return file.read()


# ---- what its caller can do to it
@contextlib.contextmanager
def waiting(host, path=HELPER):
    """A helper that has done all, and waits for its caller to make room for the reply."""
    ours, theirs = pair(host, "mac")
    fill(theirs)
    with ours, theirs:
        argv = [path, *ATTACH[1:]]
        with starter.start(host, path, argv, descriptors={9: theirs.fileno()}) as run:
            wait_until(lambda: helper.taps(host) and "poll" in wchan(run.pid), what="its waiting")
            yield run


def as_mac(host, function):
    """What function() returns or raises, when mac does it; as (error number, or 0)."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        number = 0
        try:
            starter.become(host.identity("mac"))
            function()
        except OSError as error:
            number = error.errno
        finally:
            os.write(writer, bytes([number]))
            os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as file:
        os.close(writer)
        return file.read(1)[0]


def called(name, *args):
    if getattr(_libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), name)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def attacks(pid):
    """What one process may try to do to another: {name: function}."""

    def read_memory():
        here = ctypes.create_string_buffer(8)
        mine, its = Iovec(ctypes.addressof(here), 8), Iovec(0x400000, 8)
        called("process_vm_readv", pid, ctypes.byref(mine), 1, ctypes.byref(its), 1, 0)

    def take_descriptor():
        watch = os.pidfd_open(pid)
        called("syscall", 438, watch, 6, 0)  # pidfd_getfd

    def set_limit():
        called("prlimit64", pid, 7, struct.pack("=QQ", 0, 0), None)

    found = {
        "ptrace": lambda: called("ptrace", 16, pid, 0, 0),
        "seize": lambda: called("ptrace", 0x4206, pid, 0, 0),
        "process_vm_readv": read_memory,
        "pidfd_getfd": take_descriptor,
        "prlimit": set_limit,
        "fd": lambda: os.listdir(f"/proc/{pid}/fd"),
        "cwd": lambda: os.readlink(f"/proc/{pid}/cwd"),
        "ns": lambda: os.readlink(f"/proc/{pid}/ns/net"),
    }
    for name in ("mem", "environ", "maps", "auxv", "syscall", "stack", "fd/6", "exe", "root"):
        found[name] = lambda name=name: os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
    for name in ("oom_score_adj", "coredump_filter", "timerslack_ns", "clear_refs"):
        found[name] = lambda name=name: write_one(f"/proc/{pid}/{name}")
    return found


def write_one(path):
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, b"1")
    finally:
        os.close(file)


SIGNALS = {
    "SIG 0": lambda pid: os.kill(pid, 0),
    "SIGSTOP": lambda pid: os.kill(pid, signal.SIGSTOP),
    "SIGKILL": lambda pid: os.kill(pid, signal.SIGKILL),
    "pidfd": lambda pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGKILL),
    "priority": lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 19),
    "affinity": lambda pid: os.sched_setaffinity(pid, {0}),
}


def check_attacks(host, run, found):
    run.signal(signal.SIGSTOP)  # by root: it is there as long as the attacks take
    for name, attack in found.items():
        assert as_mac(host, attack) in (errno.EPERM, errno.EACCES), name
    run.signal(signal.SIGCONT)
    # one of its own deadlines, whichever comes first now
    assert run.wait() in (CODES["handover"], -signal.SIGALRM)


def test_caller_can_neither_look_into_nor_stop_the_setuid_helper(world):
    host = desk(world)
    with waiting(host) as run:
        found = attacks(run.pid)
        found.update({name: lambda f=f: f(run.pid) for name, f in SIGNALS.items()})
        check_attacks(host, run, found)


def test_these_attacks_succeed_on_a_process_of_the_callers_own(world):
    """Or else the tests here would show nothing."""
    host = desk(world)
    with starter.start(host, "/usr/bin/sleep", ["sleep", "50"]) as run:
        wait_until(lambda: "sleep" in wchan(run.pid), what="its sleep")
        found = attacks(run.pid)
        for name in ("ptrace", "mem", "fd", "environ", "maps", "oom_score_adj", "prlimit"):
            assert as_mac(host, found[name]) == 0, name
        run.signal(signal.SIGCONT)
        assert as_mac(host, lambda: SIGNALS["SIGSTOP"](run.pid)) == 0
        assert as_mac(host, lambda: SIGNALS["SIGKILL"](run.pid)) == 0


# ---- file capability
def test_privileges_of_the_helper_with_a_file_capability(world):
    """It stays the caller's user, with the one capability that the file gives it; the bounding
    set cannot be emptied without another one, and no_new_privs makes it worthless."""
    host = desk(world)
    with by_capability(), Tracer(host) as tracer:
        filtered = 0
        for event in steps(tracer, ATTACH):
            if isinstance(event, End):
                break
            found = status_of(event.pid)
            assert {int(n) for n in found["Uid"]} == {UID}, found
            if found["Seccomp"] == ["2"]:
                filtered += 1
                have = capabilities(found)
                assert (have["CapPrm"], have["CapEff"]) == (NET_ADMIN, NET_ADMIN), have
                assert not have["CapInh"] and not have["CapAmb"], have
                assert found["NoNewPrivs"] == ["1"], found
                assert os.stat(f"/proc/{event.pid}/status").st_uid == 0, event
        close(event)
        assert event.status == 0 and filtered > 20, event


def test_caller_cannot_look_into_the_helper_with_a_file_capability(world):
    """Signals reach it: it is his own user's process.  That is harmless: test_helper_killed.py."""
    host = desk(world)
    with by_capability(), waiting(host) as run:
        found = attacks(run.pid)
        del found["prlimit"]  # harmless, too: nothing is opened any more
        check_attacks(host, run, found)


@limit(60)
def test_file_capability_is_no_help_to_anyone_else(world):
    """The same file, made over to another's bounding set or with no_new_privs, says that it has no
    privilege."""
    host = desk(world)
    with by_capability():
        ours, theirs = pair(host, "mac")
        with ours, theirs:

            def prepare():
                _libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS

            with starter.start(
                host, HELPER, ATTACH, descriptors={9: theirs.fileno()}, prepare=prepare
            ) as run:
                assert run.wait() == CODES["no-privilege"], run.said()


# ---- a service manager's socket
def test_privileges_of_the_helper_behind_a_socket(world):
    """It is the user that the service manager made it, with the capability that it was given."""
    host = desk(world)
    with without_privilege(), SOCKET.connect(host) as caller:
        # it has dropped what it drops when it waits for the request, which does not come
        pid = wait_until(waiting_helper, what="a helper that waits")
        found = status_of(pid)
        assert ids(found) == {DYNAMIC_USER} and found["Groups"] == [], found
        have = capabilities(found)
        assert (have["CapPrm"], have["CapEff"]) == (NET_ADMIN, NET_ADMIN), have
        assert (have["CapInh"], have["CapAmb"]) == (0, 0), have
        assert have["CapBnd"] == NET_ADMIN, have  # the service manager's doing
        assert found["NoNewPrivs"] == ["1"], found
        assert os.stat(f"/proc/{pid}/status").st_uid == 0
        SOCKET.refused(SOCKET.answer(caller), "handover")


def waiting_helper():
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(name)
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"--socket" in file.read().split(b"\0") and "poll" in wchan(pid):
                    if DYNAMIC_USER in ids(status_of(pid)):
                        return pid
    return None


def test_program_on_disk_is_hardened(world):
    """Position independent, no lazy binding, no executable stack."""
    with open(World.place.helper, "rb") as file:
        data = file.read()
    assert data[:4] == b"\x7fELF" and struct.unpack_from("<H", data, 16)[0] == 3  # ET_DYN
    offset, size, count = (
        struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    )  # fmt: skip
    kinds = {}
    for i in range(count):
        kind, flags = struct.unpack_from("<II", data, offset + i * size)
        kinds[kind] = flags
    assert 0x6474E552 in kinds, "no RELRO"
    assert kinds[0x6474E551] & 1 == 0, "the stack is executable"
    assert stat.S_IMODE(os.stat(World.place.helper).st_mode) == 0o4755


MEMORY = "malloc calloc realloc reallocarray memalign aligned_alloc posix_memalign mmap brk sbrk strdup asprintf"
NAMES = "getpwnam getpwuid getgrnam getgrgid getgrouplist initgroups getaddrinfo dlopen"
PROGRAMS = "system popen fork vfork clone posix_spawn execv execvp execl execlp"


def test_program_has_no_call_for_memory_names_or_other_programs(world):
    """What it links says so for all of its code; that libc and the libraries take none either once
    the filter is there, see test_privileges_of_the_setuid_helper_at_each_call."""
    argv = ["nm", "-D", "--undefined-only", World.place.helper]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    called = {line.split()[-1].partition("@")[0] for line in done.stdout.splitlines()}
    assert {"open", "socket", "execve", "sendmsg"} <= called, called
    unwanted = {*MEMORY.split(), *NAMES.split(), *PROGRAMS.split()}
    wrong = {name for name in called if name.strip("_").removesuffix("_r") in unwanted}
    assert not wrong, wrong
