# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host never notices: its own traffic, settings, filters and firewall, while helpers come and
go beside them.
"""
import contextlib
import json
import os
import socket
import struct
import threading
import time

import nft
from case import limit
from desk import Ping, check_ip, release, tc, two, unchanged
from guest import Guest
from helper import ask, close, refused
from proc import Timeout, wait_until
from stand import OTHER
from tracer import At, Tracer
from wire import BROADCAST, Wire
from world import ALLOW

TOTAL_RETRANS, DSACK_DUPS = 100, 216  # in struct tcp_info of <linux/tcp.h>


# ---- what is going on on the host
class Stream:
    """A TCP connection of the host to the LAN, numbers in sequence, all the time."""

    def __init__(self, host, machine):
        def serve():
            return socket.create_server((machine.address, 7000))

        def connect():
            return socket.create_connection((machine.address, 7000))

        server = machine.inside(serve)
        self.out = host.inside(connect)
        self.end, _ = server.accept()
        server.close()
        self.stopped = threading.Event()
        self.wrong = None
        self.received = 0
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        number = 0
        while not self.stopped.is_set():
            self.out.sendall(b"".join((number + i).to_bytes(4, "big") for i in range(300)))
            number += 300
            time.sleep(0.001)  # its pace; nothing waits for it
        self.out.shutdown(socket.SHUT_WR)

    def receive(self):
        rest = b""
        while data := self.end.recv(65536):
            rest += data
            for at in range(0, len(rest) - 3, 4):
                if int.from_bytes(rest[at : at + 4], "big") != self.received:
                    self.wrong = self.wrong or self.received
                self.received += 1
            rest = rest[len(rest) - len(rest) % 4 :]

    def lost(self):
        """How many segments were sent again because they had been lost. TCP also sends again what is
        only late, on a busy machine after some milliseconds; of that the other end says that it came
        twice."""
        info = self.out.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 220)
        again, twice = (struct.unpack_from("=I", info, at)[0] for at in (TOTAL_RETRANS, DSACK_DUPS))
        return again - twice

    def finish(self):
        """The number of segments that were lost."""
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        with contextlib.suppress(Timeout):
            wait_until(lambda: not self.lost(), what="the last word of the other end")
        lost = self.lost()
        self.out.close()
        self.end.close()
        assert self.wrong is None, f"wrong from number {self.wrong} on"
        return lost


class Traffic:
    """Both, all the time; finish() says what was lost."""

    def __init__(self, host, machine):
        self.pings = Ping(host, machine.address), Ping(machine, host.address)
        self.stream = Stream(host, machine)

    def finish(self):
        """(pings, segments) that were lost, of enough of them."""
        wait_until(lambda: self.stream.received > 100000, what="enough of the stream", step=0.1)
        for ping in self.pings:
            wait_until(lambda p=ping: len(p.answered()) > 1000, what="enough pings", step=0.1)
        pings = sum(ping.finish()[1] for ping in self.pings)
        return pings, self.stream.finish()


@limit(150)
def test_stream_and_pings_lose_nothing_while_guests_come_and_go(world):
    machine, desk = two(world)
    with unchanged(desk):
        close(ask(desk))
        traffic = Traffic(desk, machine)
        for cycle in range(200):
            answer = ask(desk, slot=cycle % 8)
            assert answer.status == 0, answer
            close(answer)
        assert traffic.finish() == (0, 0)
        release(desk)


@limit(150)
def test_stream_and_pings_lose_nothing_while_all_is_taken_down_and_up(world):
    """On a card that has a clsact: grafting one is itself an interruption, see below."""
    machine, desk = two(world)
    tc(desk, "qdisc add dev nic clsact")
    with unchanged(desk):
        traffic = Traffic(desk, machine)
        for cycle in range(200):
            answer = ask(desk, slot=cycle % 8)
            assert answer.status == 0, answer
            close(answer)
            release(desk)
        assert traffic.finish() == (0, 0)


@limit(60)
def test_first_attach_and_release_cost_no_more_than_the_kernels_own_graft(world):
    """The kernel stops a card's queues for about a millisecond when any qdisc is put on it or taken
    off, and drops what the host sends in that time; there is no other way to have filters."""
    machine, desk = two(world)
    cycles = 40
    with unchanged(desk):
        traffic = Traffic(desk, machine)
        for _ in range(cycles):
            answer = ask(desk)
            assert answer.status == 0, answer
            close(answer)
            release(desk)
        lost, _ = traffic.finish()
        assert lost <= 2 * cycles * 2, lost  # at most 2 of each ping for each graft


def dumps(host):
    """As iproute2 tells it, without what counts."""
    found = {}
    for words in (
        "ip -j -d link", "ip -j addr", "ip -j route show table all", "ip -j -6 route",
        "ip -j rule", "ip -j -6 rule", "ip -j neigh show nud permanent", "tc -j qdisc",
        "tc filter show dev nic ingress", "tc filter show dev nic egress", "bridge -j fdb",
    ):  # fmt: skip
        done = host.run(words.split())
        assert done.returncode == 0, done
        found[words] = json.loads(done.stdout or "[]") if "-j" in words else done.stdout
    return found


def own(entries):
    """Addresses, rules and routes that are not of devices of ours."""
    found = []
    for entry in entries:
        device = entry.get("ifname", entry.get("dev", ""))
        if not device.startswith("bt"):
            found.append((device, entry.get("addr_info", entry)))
    return found


def test_dumps_of_iproute2_are_the_same_after_release(world):
    machine, desk = two(world)
    with unchanged(desk):
        before = dumps(desk)
        guests = [Guest(desk, slot=slot) for slot in range(3)]
        during = dumps(desk)
        # of what is the host's own, nothing is different while guests are there
        for words in ("ip -j addr", "ip -j rule", "ip -j -6 rule", "ip -j route show table all"):
            assert own(during[words]) == own(before[words]), words
        for guest in guests:
            guest.close()
        release(desk)
        assert dumps(desk) == before


# ---- others' filters and firewalls
ALL = "1,6 0 0 4294967295"
FORWARD = 2  # NF_INET_FORWARD and NF_BR_FORWARD


def add_filter(host, direction, preference, action, program=ALL):
    base = f"filter add dev nic {direction} pref {preference} handle 1 protocol all bpf bytecode"
    done = host.run(["tc", *base.split(), program, *action.split()])
    assert done.returncode == 0, done


def test_filters_of_others_survive_and_see_what_is_only_copied(world):
    machine, desk = two(world)
    desk.ip("link add spy type veth peer name spied", "link set spy up", "link set spied up")
    tc(desk, "qdisc add dev nic clsact")
    for direction in ("ingress", "egress"):
        add_filter(desk, direction, 5, "action mirred egress mirror dev lo continue", "1,6 0 0 0")
        # after ours: it gets what ours have let pass
        add_filter(desk, direction, 30000, "action mirred egress mirror dev spy continue")
    with unchanged(desk, ("nic", "spy", "spied")):
        guest = Guest(desk)
        with Wire(machine) as lan, Wire(desk, "spied", everything=True) as spy, Wire(desk) as host:
            for sender, target in ((lan, BROADCAST), (lan, host.mac), (host, BROADCAST),
                                   (host, lan.mac)):  # fmt: skip
                frame = target + sender.mac + b"\x88\xb5" + os.urandom(46)
                sender.send(frame)
                spy.expect(lambda got: got == frame, what="what passes the card")
        guest.close()
        release(desk)


def test_empty_clsact_of_the_administrators_stays(world):
    machine, desk = two(world)
    tc(desk, "qdisc add dev nic clsact")
    with unchanged(desk):
        guest = Guest(desk)
        assert guest.reply.attach == "patch"
        guest.close()
        release(desk)


def test_allmulti_and_promiscuity_of_the_administrators_stay(world):
    machine, desk = two(world)
    desk.ip("link set nic allmulticast on promisc on")
    with unchanged(desk):
        guest = Guest(desk)
        guest.close()
        release(desk)


def test_ingress_qdisc_in_the_way_means_less_with_the_reason(world):
    machine, desk = two(world)
    tc(desk, "qdisc add dev nic ingress")
    base = "filter add dev nic parent ffff: pref 5 handle 1 protocol all bpf bytecode"
    words = [*base.split(), "1,6 0 0 0", *"action mirred egress mirror dev lo".split()]
    assert desk.run(["tc", *words]).returncode == 0
    with unchanged(desk):
        guest = Guest(desk)
        assert guest.reply.attach == "none" and "ingress" in guest.reply.text, guest.reply
        guest.close()
        release(desk)


def test_ingress_qdisc_where_the_policy_insists_is_a_refusal(world):
    machine, desk = two(world, policy=ALLOW + "attach patch\n")
    tc(desk, "qdisc add dev nic ingress")
    with unchanged(desk):
        line = refused(ask(desk), "uplink-unfit")
        assert "ingress" in line, line
        release(desk)


def test_clsact_with_a_shared_block_means_less_with_the_reason(world):
    machine, desk = two(world)
    desk.ip("link add other type bridge")
    for card in ("nic", "other"):
        tc(desk, f"qdisc add dev {card} ingress_block 7 egress_block 8 clsact")
    with unchanged(desk):
        guest = Guest(desk)
        assert guest.reply.attach == "none" and "nic" in guest.reply.text, guest.reply
        guest.close()
        release(desk)


def check_stays_behind_nothing(world, qdisc):
    """Not for a moment, which a helper that is stopped makes long, do frames of a guest go out by a
    card that cannot be connected, while others start."""
    machine, desk = two(world)
    tc(desk, f"qdisc add dev nic {qdisc}")
    with Guest(desk) as guest, Wire(machine) as lan, Wire(desk) as host:
        assert guest.reply.attach == "none", guest.reply
        with Tracer(desk, "lisa") as tracer:
            at, sent = tracer.start(*OTHER), set()
            while isinstance(at, At):
                if at.name == "sendto":
                    frame = BROADCAST + guest.mac + b"\x88\xb5" + os.urandom(46)
                    guest.send(frame)
                    sent.add(frame)
                at = tracer.to(at.index + 1)
            assert at.status == 0 and len(sent) > 20, (at, len(sent))
            os.close(at.fd)
        for sender, receiver in ((host, lan), (lan, host)):
            marker = BROADCAST + sender.mac + b"\x88\xb5" + os.urandom(46)
            sender.send(marker)
            heard = []
            receiver.expect(lambda got: heard.append(got) or got == marker, what="marker")
            assert not sent & set(heard), (receiver.card, len(sent & set(heard)))


def test_guest_stays_behind_an_ingress_qdisc(world):
    check_stays_behind_nothing(world, "ingress")


def test_guest_stays_behind_a_shared_block(world):
    check_stays_behind_nothing(world, "ingress_block 7 egress_block 8 clsact")


def test_firewall_that_forwards_nothing_is_no_hindrance(world):
    """As Docker makes it: bridged frames go through FORWARD, whose policy is drop."""
    machine, desk = two(world)
    for name in ("iptables", "ip6tables", "arptables"):
        desk.sysctl(f"net/bridge/bridge-nf-call-{name}", "1")
    for family in ("ip", "inet", "bridge"):
        nft.chain(desk, family, FORWARD, nft.DROP)
    desk.sysctl("net/ipv4/ip_forward", "1")
    guest = Guest(desk)
    check_ip(machine, desk, guest)
    guest.close()


def test_firewall_at_the_cards_ingress_goes_on_seeing_the_host(world):
    machine, desk = two(world)
    nft.chain(desk, "netdev", 0, nft.ACCEPT, device="nic")
    guest = Guest(desk)
    check_ip(machine, desk, guest)
    guest.close()
    release(desk)
    assert desk.run(["ping", "-c1", "-W2", machine.address]).returncode == 0


def test_strict_source_checks_are_no_hindrance(world):
    machine, desk = two(world)
    for scope in ("all", "default", "nic"):
        for name, value in (("rp_filter", 1), ("arp_filter", 1), ("arp_ignore", 1),
                            ("arp_announce", 2), ("accept_local", 0)):  # fmt: skip
            desk.sysctl(f"net/ipv4/conf/{scope}/{name}", str(value))
    guest = Guest(desk)
    check_ip(machine, desk, guest)
    guest.close()


def test_release_takes_all_accepted_addresses_off_the_card(world):
    """More than there can be TAPs at a time: each user who ever had one has left some."""
    machine, desk = two(world)
    with unchanged(desk):
        with Guest(desk) as guest:
            macs = [guest.mac[:4] + number.to_bytes(2, "big") for number in range(600)]
        lines = "".join(f"fdb replace {mac.hex(':')} dev nic self permanent\n" for mac in macs)
        desk.write("/run/addresses", lines)
        done = desk.run(["bridge", "-batch", "/run/addresses"])
        assert done.returncode == 0, done
        release(desk)
