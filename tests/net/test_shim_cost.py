# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a card costs the program that has one: memory, and wake-ups while nothing happens.

The program is a stand-in for the emulator, "patient" of the traps, so small that it can be weighed.
"""
import glob
import re
import socket
import time

import avahi
from avahi import Avahi
from case import needs
from memory import kilobytes
from numbered import frame, number_of
from observe import neighbour
from proc import wait_until
from station import Station
from world import ALLOW, REFUSE, USERS

MEGABYTE = 1 << 20


class Patient:
    """The program in that host, without a card at first."""

    def __init__(self, host):
        preload = neighbour("test_shim_preload")
        program = preload.traps_program(host.world, "-DCOUNT_ALLOCATIONS")
        argv = preload.loaded(program, "patient", BASILISK_TAP_LOG="error")
        self.process = host.start(argv, user="mac", name="patient")
        self.process.expect("ready", stream="stdout")
        self.before = kilobytes(self.process.pid)

    def open(self):
        self.process.signal(10)
        found = self.process.expect("open ([0-9a-f]{12})", stream="stdout")
        self.mac = bytes.fromhex(found[1])

    def grown(self):
        return (kilobytes(self.process.pid) - self.before) * 1024

    def switches(self):
        """How often each of its threads has waited so far: {name: count}."""
        counts = {}
        for task in glob.glob(f"/proc/{self.process.pid}/task/*"):
            with open(task + "/comm") as file:
                name = file.read().strip()
            with open(task + "/status") as file:
                found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.MULTILINE)
            counts[name] = int(found[1])
        return counts


def asked(host):
    """What the status socket of the program there says."""

    def body():
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.connect(f"/tmp/basilisk-tap-{USERS['mac'][0]}/slot-0.sock")
            sock.send(b"status")
            return sock.recv(1 << 16).decode()

    return host.inside(body)


def echoes(patient, others, count):
    """So many frames, from each of them in turn, and back."""
    for number in range(1, count + 1):
        other = others[number % len(others)]
        other.send(frame(patient.mac, other.mac, number))
        assert other.expect(lambda f: number_of(f, patient.mac)) == number


def weigh(world, policy, daemon):
    lan = world.lan()
    desk, attic = world.host("desk", lan, policy=policy), world.host("attic", lan, policy=REFUSE)
    if daemon:
        Avahi(desk)
    others = [Station(attic, debug=False) for _ in range(3)]
    patient = Patient(desk)
    patient.open()
    for other in others:
        other.await_peer(patient.mac, proven="1")
    idle = patient.grown()
    echoes(patient, others, 3000)
    busy = patient.grown()
    print(f"{'daemon' if daemon else 'own'}: idle {idle >> 10} KiB, busy {busy >> 10} KiB")
    assert idle <= MEGABYTE and busy <= MEGABYTE, (idle, busy)


def test_memory_peer_to_peer(world):
    weigh(world, REFUSE, False)


def test_memory_bridged(world):
    weigh(world, ALLOW, False)


@needs(avahi.missing)
def test_memory_with_the_daemon(world):
    weigh(world, REFUSE, True)


def woken_in_ten_seconds(world, policy):
    """{thread: how often} of two on one LAN, the first exchange being over; one host has the daemon."""
    lan = world.lan()
    hosts = [world.host(name, lan, policy=policy) for name in ("desk", "attic")]
    Avahi(hosts[0])
    patients = [Patient(host) for host in hosts]
    for patient in patients:
        patient.open()
    way = "way=tap" if policy == ALLOW else "way=tunnel"
    for host in hosts:
        wait_until(lambda h=host: {"proven=1", way} <= set(asked(h).split()), 5, "the peer")
    time.sleep(6)  # multicast DNS repeats itself for some seconds: nothing to await
    before = [patient.switches() for patient in patients]
    time.sleep(10)
    woken = []
    for patient, then in zip(patients, before):
        now = patient.switches()
        woken.append({name: now[name] - then[name] for name in now})
    print(woken)
    return woken


def check_idle(woken):
    for threads in woken:
        assert threads["basilisk-tap"] == 0, woken
    assert woken[0]["btap-discovery"] <= 2, woken  # the daemon does the work
    assert woken[1]["btap-discovery"] <= 60, woken  # some packets


@needs(avahi.missing)
def test_nothing_wakes_an_idle_process_but_multicast_dns(world):
    woken = woken_in_ten_seconds(world, REFUSE)
    check_idle(woken)
    assert [threads["traps"] for threads in woken] == [0, 0], woken


@needs(avahi.missing)
def test_nothing_wakes_an_idle_bridged_process_but_multicast_dns(world):
    """What the hosts say of themselves to all reaches the guests by their TAPs, whose business that
    is: a guest's own thread is woken by it.  Ways that were measured are not measured again."""
    check_idle(woken_in_ten_seconds(world, ALLOW))


def test_frames_need_no_memory_and_no_thread_of_ours(world):
    """By the tunnel, by a way of its own there, and by the TAP."""
    for policy in (REFUSE, ALLOW):
        lan = world.lan()
        name = "desk" if policy == ALLOW else "shed"
        host = world.host(name, lan, policy=policy)
        other = world.host("at-" + name, lan, policy=policy)
        station = Station(other, debug=False)
        patient = Patient(host)
        patient.open()
        station.await_peer(patient.mac, proven="1", way="tap" if policy == ALLOW else "tunnel")
        wait_until(lambda h=host: "proven=1" in asked(h), 5, "the peer")
        before = patient.switches()
        echoes(patient, [station], 2000)
        woken = {name: now - before[name] for name, now in patient.switches().items()}
        patient.process.signal(12)
        said = patient.process.expect(r"(\d+) allocations in (\d+) frames", stream="stdout")
        print(name, said[0], woken)
        assert int(said[1]) == 0 and int(said[2]) >= 2000, said[0]
        assert woken["traps"] >= 1000  # it waited for each, more or less: this can be seen
        assert woken["basilisk-tap"] + woken["btap-discovery"] < 200, woken


def test_frames_to_many_need_no_memory(world):
    """To seventy peers at once, and to one of them, by turns."""
    sends = neighbour("test_shim_sends")
    with sends.program_and_peers(world, "hurried", "-DCOUNT_ALLOCATIONS") as (program, peers):
        peers[0].send_to(program.mac, frame(program.mac, peers[0].mac, 1))
        program.go_on()
        found = program.process.expect(r"\d+ writes: .*allocations (\d+)", 60, stream="stdout")
        assert int(found[1]) == 0, found[0]
