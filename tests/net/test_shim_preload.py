# SPDX-License-Identifier: LGPL-2.1-or-later
"""The preload library under programs that use their descriptors in all the ways there are."""
import glob
import os
import shutil
import signal
import subprocess

import avahi
import sanitize
from avahi import Avahi
from case import Skip, needs
from numbered import frame, number_of
from peer import Peer
from proc import wait_until
from station import Station
from world import REFUSE

HERE = os.path.dirname(os.path.realpath(__file__))


def traps_program(world, *more):
    """The traps, built once; the hosts' users may execute it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise Skip("no C compiler")
    program = os.path.join(world.place.path("".join(("built", *more))), "traps")
    sources = sorted(glob.glob(os.path.join(glob.escape(HERE), "..", "lib", "traps", "*.c")))
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]
    if not os.path.exists(program):
        os.makedirs(os.path.dirname(program), exist_ok=True)
        subprocess.run([compiler, *flags, *more, "-o", program, *sources], check=True)
    return program


def host_for(world, policy=REFUSE):
    return world.host("desk", world.lan(), policy=policy)


def loaded(*argv, **env):
    """The command line under the preload library; not in the environment: nsenter has none."""
    return ["env", f"LD_PRELOAD={sanitize.preload()}", *(f"{k}={v}" for k, v in env.items()), *argv]


def run_trap(world, name, host=None, **env):
    host = host or host_for(world)
    argv = loaded(traps_program(world), name, BASILISK_TAP_LOG="error", **env)
    done = host.run(argv, user="mac", seconds=160)
    assert done.returncode == 0, f"{name}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert not done.stderr or name == "errors", done.stderr


def test_card_is_found_by_every_way_to_open(world):
    run_trap(world, "variants")


def test_card_is_the_same_by_the_names_for_large_files(world):
    run_trap(world, "large_files")


def symbols(path, *words):
    argv = ["nm", "-D", *words, path]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return {line.split()[-1].partition("@")[0] for line in done.stdout.splitlines()}


def test_traps_use_each_call_that_the_library_answers(world):
    """Or one of them would be tried by nobody."""
    library = world.place.local + sanitize.PRELOAD.removeprefix("/usr/local")
    answered = symbols(library, "--defined-only")
    assert len(answered) > 20, answered
    assert not answered - symbols(traps_program(world), "--undefined-only"), answered


def test_errors_are_those_of_the_driver(world):
    run_trap(world, "errors")


def test_signals_do_not_end_a_wait_for_the_card(world):
    run_trap(world, "interrupted")


def test_card_is_always_writable(world):
    run_trap(world, "writable")


def test_card_is_writable_among_more_than_an_fd_set_has_room_for(world):
    run_trap(world, "writable_among_many")


def test_what_the_kernel_refuses_is_refused(world):
    run_trap(world, "odd_words")


def test_descriptor_never_shows_an_error(world):
    run_trap(world, "quiet")


def test_thread_may_be_cancelled_in_poll(world):
    run_trap(world, "cancelled")


def test_who_waits_for_the_card_does_not_keep_it_from_closing(world):
    run_trap(world, "closed_while_awaited")


def check_waits(world, waits):
    """poll() for the card alone, which is the library's, in turns with another way, the kernel's."""
    station = Station(host_for(world), waits=waits)
    with Peer(world.host("machine", world.lans[0])) as peer:
        wait_until(lambda: peer.receive(0.05) or station.mac in peer.peers, 5, "the station")
        for number in range(20):
            peer.send(frame(station.mac, peer.mac, number))
            station.expect(lambda f, n=number: number_of(f, peer.mac) == n, 3, f"frame {number}")
    station.close()


def test_poll_and_select_see_each_frame(world):
    check_waits(world, "select")


def test_poll_and_epoll_see_each_frame(world):
    check_waits(world, "epoll")


def test_duplicates_are_the_card_until_the_last_is_closed(world):
    run_trap(world, "duplicates")


def test_reused_number_is_not_the_card(world):
    run_trap(world, "numbers_reused")


def test_ranges_are_closed_with_the_card_in_them(world):
    run_trap(world, "closed_by_range")


def test_high_numbers(world):
    run_trap(world, "high_number")


def test_threads_share_the_card(world):
    run_trap(world, "threads")


def test_forked_child_leaves_the_card_alone(world):
    run_trap(world, "forked")


def test_child_that_outlives_the_card_holds_nothing_of_it(world):
    run_trap(world, "outlived")


def test_vforked_child_leaves_the_card_alone(world):
    run_trap(world, "vforked")


def test_executed_program_sees_none_of_our_descriptors(world):
    run_trap(world, "executed")


def test_signal_mask_is_as_before(world):
    run_trap(world, "signal_masks")


def test_closed_standard_descriptors_stay_closed(world):
    run_trap(world, "without_standard")


@needs(avahi.missing)
def test_nothing_opened_later_takes_a_standard_number(world):
    """Discovery begins, another instance links to it, status is asked, the daemon goes and comes."""
    host = host_for(world)
    argv = loaded(traps_program(world), "without_standard_for_long", BASILISK_TAP_LOG="error")
    daemon = Avahi(host)
    program = host.start(argv, user="mac")
    program.expect("ready", stream="stdout")

    def asks():
        return "by avahi-daemon" in host.run(["basilisk-tap", "status"], user="mac").stdout

    wait_until(asks, what="its discovery")  # else the other one might be the one to link to
    other = Station(host)
    wait_until(lambda: "by another" in other.status()["discovery"], what="the link")
    daemon.stop()
    wait_until(lambda: "gone" in other.status()["discovery"], what="its end")
    daemon.start()
    wait_until(lambda: "by avahi-daemon" in other.status()["discovery"], what="its return")
    done = host.run(["basilisk-tap", "status"], user="mac")
    assert done.returncode == 0 and done.stdout.count("by avahi-daemon") == 2, done
    program.signal(signal.SIGUSR1)
    assert program.wait() == 0, program.stdout


@needs(avahi.missing)
def test_child_has_none_of_what_discovery_opened(world):
    """By the daemon and without it; with another instance linked to this one."""
    for host in (host_for(world), world.host("attic", world.lans[0], policy=REFUSE)):
        way = "by multicast DNS of our own"
        if host.name == "desk":
            Avahi(host)
            way = "by avahi-daemon"
        argv = loaded(traps_program(world), "forked_for_long", BASILISK_TAP_LOG="error")
        program = host.start(argv, user="mac")
        program.expect("ready", stream="stdout")
        other = Station(host)
        wait_until(lambda o=other, w=way: w in o.status()["discovery"], what="the link")
        assert "by another" in other.status()["discovery"] and program.running()
        program.signal(signal.SIGUSR1)
        assert program.wait() == 0, program.stdout


def test_exit_in_a_signal_handler_is_an_exit(world):
    host = host_for(world)
    argv = loaded(traps_program(world), "exits_in_handler", BASILISK_TAP_LOG="error")
    for _ in range(20):
        done = host.run(argv, user="mac")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done


def test_helper_raises_no_sigchld_and_leaves_no_child(world):
    run_trap(world, "no_child")


def test_helper_that_hangs_raises_no_sigchld_and_leaves_no_child(world):
    host = host_for(world)
    host.write("/etc/helper", "#!/bin/sh\nexec sleep 600\n", 0o755)
    run_trap(world, "no_child", host, BASILISK_TAP_HELPER="/etc/helper")
    assert not host.run(["pgrep", "-x", "sleep"]).stdout


def test_read_waits_where_nobody_asked_not_to(world):
    host = host_for(world)
    with Peer(world.host("machine", host.world.lans[0])) as peer:
        argv = loaded(traps_program(world), "blocking", BASILISK_TAP_LOG="debug")
        program = host.start(argv, user="mac")

        def sent():
            peer.receive(0.05)
            for mac in peer.peers:
                peer.send(mac + peer.mac + b"\x88\xb5" + bytes(86))
            return not program.running()

        wait_until(sent, 20, "the end of the program")
        assert program.wait() == 0, program.stdout


def test_program_without_a_card_notices_nothing(world):
    """The same output, exit status, descriptors and threads, with and without."""
    host = host_for(world)
    for argv in (["ls", "-la", "/etc/basilisk-tap"], ["cat", "/etc/passwd"], ["false"]):
        plain = host.run(["env", *argv], user="mac")
        other = host.run(loaded(*argv), user="mac")
        assert (plain.returncode, plain.stdout, plain.stderr) == (
            other.returncode,
            other.stdout,
            other.stderr,
        )
    count = "import os; print(os.listdir('/proc/self/fd'), len(os.listdir('/proc/self/task')))"
    argv = ["python3", "-c", count]
    assert host.run(["env", *argv]).stdout == host.run(loaded(*argv)).stdout


def test_path_that_cannot_be_read_is_the_kernels_to_refuse(world):
    run_trap(world, "unreadable_path")


def test_wrappers_pass_the_library_on(world):
    host = host_for(world)
    argv = ["timeout", "20", "env", "A=B", "nice", "sh", "-c", 'exec "$0" "$@"']
    argv += [traps_program(world), "writable"]
    done = host.run(loaded(*argv, BASILISK_TAP_LOG="error"), user="mac")
    assert (done.returncode, done.stderr) == (0, ""), done
