# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tells of the helper is another program, which the helper executes when it has no privilege
left: it gets none, and nobody but who builds it says which program that is.
"""
import errno
import os
import re
import shutil
import socket
import stat
import subprocess

import starter
from case import over
from helper import CODES, HELPER
from observe import capabilities, descriptors, desk, ids, status_of, steps
from tracer import At, Tracer
from ways import CAPABILITY, SETUID
from world import BUILD, USERS

REPORT = os.path.join(os.path.dirname(HELPER), "basilisk-tap-report")
VERBS = "--status", "--check", "--help", "--version"
FACTS = f"BASILISK_TAP_FACTS={{}} 0 0 {USERS['mac'][0]} {USERS['mac'][0]} {USERS['mac'][1][0]}"


def check_powerless(event, way):
    found = status_of(event.pid)
    have = capabilities(found)
    if way is SETUID:
        assert found["Groups"] == [], found
    else:
        del have["CapBnd"]  # which only who has CAP_SETPCAP can empty, and no_new_privs makes void
    assert ids(found) == {way.owner("mac")} and not any(have.values()), (event, found)
    assert found["NoNewPrivs"] == ["1"], (event, found)


@over(SETUID, CAPABILITY)
def test_program_that_tells_has_no_privilege_left(world, way):
    """From before its first instruction to its end; the descriptor that it was started with beside
    the standard streams is the policy's."""
    host = desk(world)
    for verb in VERBS:
        with Tracer(host) as tracer:
            executed = 0
            for event in steps(tracer, [HELPER, verb]):
                if not isinstance(event, At):
                    break
                if event.name == "execve":  # which the helper does once, with nothing in hand
                    check_powerless(event, way)
                    assert sorted(descriptors(event.pid)) == [0, 1, 2, 3], descriptors(event.pid)
                if os.readlink(f"/proc/{event.pid}/exe") != REPORT:
                    assert not executed, event
                    continue
                executed += 1
                check_powerless(event, way)
                if executed == 1:
                    check_start(event.pid, way)
            assert event.status == 0 and executed > 10, (verb, event)


def check_start(pid, way):
    held = descriptors(pid)
    assert sorted(held) == [0, 1, 2, 3], held
    assert held[3] == "/etc/basilisk-tap/helper.conf", held
    with open(f"/proc/{pid}/fdinfo/3") as file:
        flags = int(re.search(r"^flags:\s*(\d+)$", file.read(), re.MULTILINE)[1], 8)
    assert flags & os.O_ACCMODE == os.O_RDONLY, oct(flags)
    with open(f"/proc/{pid}/environ") as file:
        mode = "root" if way is SETUID else "capability"
        assert file.read() == FACTS.format(mode) + "\0"


def lay_traps(host):
    """Programs of the caller's in each place where one might look for ours."""
    def lay():
        os.mkdir("/tmp/traps", 0o755)
        with open("/tmp/traps/basilisk-tap-report", "w") as file:
            file.write("#!/bin/sh\necho trapped\n")
        os.chmod("/tmp/traps/basilisk-tap-report", 0o755)
        os.symlink(HELPER, "/tmp/traps/linked")
        shutil.copy(HELPER, "/tmp/traps/copied")
        os.chmod("/tmp/traps/copied", 0o755)

    host.inside(lay)


def test_caller_does_not_choose_which_program_tells(world):
    host = desk(world)
    lay_traps(host)
    traps = "/tmp/traps"
    environment = [f"PATH={traps}", f"LD_LIBRARY_PATH={traps}", f"HOME={traps}", f"PWD={traps}",
                   f"LD_PRELOAD={traps}/basilisk-tap-report", f"REPORT_PATH={traps}",
                   "BASILISK_TAP_FACTS=trapped 0 0 0 0",
                   f"BASILISK_TAP_REPORT={traps}/basilisk-tap-report"]  # fmt: skip
    for path in (HELPER, f"{traps}/linked", f"{traps}/copied"):
        for name in (f"{traps}/basilisk-tap-helper", "basilisk-tap-helper", "", "."):
            with starter.start(host, path, [name, "--status"], environment=environment,
                               prepare=lambda: os.chdir(traps)) as run:  # fmt: skip
                status, said = run.wait(), run.said("stdout")
            assert status == 0 and "trapped" not in said, (path, name, said)
            mode = "none" if path.endswith("copied") else "root"
            assert f"mode {mode}" in said or f"privilege    {mode}" in said, (path, said)


def test_callers_descriptors_do_not_come_along(world):
    host = desk(world)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        many = {number: theirs.fileno() for number in (3, 4, 7, 33, 500)}
        with starter.start(host, HELPER, [HELPER, "--check"], descriptors=many) as run:
            assert run.wait() == 0 and "allowed by" in run.said("stdout"), run.said()


def test_policy_that_only_root_may_read_is_told_of(world):
    host = desk(world)
    host.inside(lambda: os.chmod("/etc/basilisk-tap/helper.conf", 0o600))
    host.inside(lambda: os.chmod("/etc/basilisk-tap", 0o700))
    said = host.run([HELPER, "--status"], user="guest").stdout
    assert "state valid" in said and "group netdev" in said, said
    host.policy(None)
    said = host.run([HELPER, "--status"], user="guest").stdout
    assert "missing: only root is allowed" in said, said


def test_program_that_tells_is_for_the_helper_to_start(world):
    """And where somebody else starts it, he is told what he has said himself."""
    host = desk(world)
    done = host.run([REPORT, "--status"], user="mac")
    assert done.returncode == CODES["usage"] and "for the helper to start" in done.stderr, done
    for facts in ("", "root", "root 0 0 7001", "root 0 0 7001 x", "root 0 9999 7001 7001"):
        env = {"BASILISK_TAP_FACTS": facts}
        done = host.run([REPORT, "--check"], user="mac", env=env)
        assert done.returncode == CODES["usage"], (facts, done)
    env = {"BASILISK_TAP_FACTS": "root 2 0 0 0"}
    done = host.run([REPORT, "--check"], user="mac", env=env)
    assert done.returncode == 0 and "allowed as root" in done.stdout, done
    mode = os.stat(os.path.join(BUILD, "basilisk-tap-report")).st_mode
    assert not mode & (stat.S_ISUID | stat.S_ISGID), oct(mode)


def test_program_that_cannot_be_started_is_named(world):
    """And nothing is started with more than it is to have."""
    host = desk(world)
    with Tracer(host) as tracer:
        for call, number in (
            ("dup2", errno.EMFILE),
            ("close_range", errno.ENOSYS),
            ("execve", errno.EACCES),
            ("execve", errno.ENOMEM),
        ):
            tracer.start(HELPER, "--status")
            assert isinstance(tracer.until(call), At), call
            end = tracer.fail(number)
            assert end.status == CODES["no-report"], (call, end)
            assert f"{REPORT}: {os.strerror(number)}: install" in end.stderr, (call, end)
            calls = [made.name for made in end.calls]
            assert calls.count("execve") == (call == "execve"), (call, calls)


def functions(program):
    done = subprocess.run(["nm", "--defined-only", os.path.join(BUILD, program)],
                          capture_output=True, text=True, check=True)  # fmt: skip
    return {line.split()[2] for line in done.stdout.splitlines() if line.split()[1] in "tT"}


def test_helper_has_nothing_of_what_tells(world):
    helper, report = functions("basilisk-tap-helper"), functions("basilisk-tap-report")
    of_report = {"report_status", "report_check", "counters_read", "facts_parse", "mac_format"}
    of_helper = {"early_open", "drop_to_net_admin", "filter_load", "hand_over"}
    # of host/: whatever changes something
    of_helper |= {"link_set", "link_delete", "link_create_pair", "link_accept", "tc_put", "tc_remove"}
    assert of_report <= report and of_helper <= helper, (helper, report)
    assert not of_report & helper, of_report & helper
    assert not of_helper & report, of_helper & report
    with open(os.path.join(BUILD, "basilisk-tap-helper"), "rb") as file:
        program = file.read()
    for text in (b"usage: ", b"ether auto", b'{"version"', b"allowed as root"):
        assert text not in program, text


def test_what_cannot_be_written_is_no_success(world):
    host = desk(world)
    for words in (["--status"], ["--status", "--json"], ["--check"], ["--help"], ["--version"]):
        argv = ["sh", "-c", 'exec "$0" "$@" > /dev/full', HELPER, *words]
        done = host.run(argv, user="mac")
        assert done.returncode == CODES["system"], (words, done)
        assert "standard output: No space left on device" in done.stderr, (words, done)
