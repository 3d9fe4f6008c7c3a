# SPDX-License-Identifier: LGPL-2.1-or-later
"""Discovery with the real avahi-daemon: there, not there, restarted, wanting to be alone."""
import glob
import json
import os
import socket
import time

import avahi
from avahi import Avahi
from case import needs
from ns import sethostname
from numbered import await_all_know_all, check_none_gone, frame, number_of
from peer import Peer, await_goodbyes_believed
from proc import late, wait_until
from station import Station
from wire import mac_text
from world import REFUSE

DAEMON = "discovery by avahi-daemon"
OWN = "discovery by multicast DNS of our own: no avahi-daemon"
CONFIG = "/etc/avahi/avahi-daemon.conf"
MDNS = f":{5353:04X}"
POLL = 7  # the number of that call on x86-64


def mdns_sockets(host):
    """How many sockets of that host are bound to the port of multicast DNS, IPv4 and IPv6."""

    def body():
        count = 0
        for table in ("udp", "udp6"):
            with open(f"/proc/thread-self/net/{table}") as file:
                count += sum(line.split()[1].endswith(MDNS) for line in file)
        return count

    return host.inside(body)


def await_discovery(station, line, seconds=5):
    def told():
        return station.status()["discovery"] == line

    wait_until(told, seconds, f"{line!r} at {station.card}", step=0.02)


def peers(host, user="guest"):
    """What `basilisk-tap peers --json` lists: {MAC: facts}."""
    done = host.run(["basilisk-tap", "peers", "--json"], user=user)
    assert done.returncode == 0, done
    return {bytes.fromhex(p["mac"].replace(":", "")): p for p in json.loads(done.stdout)["peers"]}


@needs(avahi.missing)
def test_both_ways_of_discovery_know_each_other(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("desk", "attic", "cellar")]
    for host in hosts[1:]:
        Avahi(host)
    stations = [Station(host) for host in hosts]
    await_all_know_all(stations)
    for station, line in zip(stations, (OWN, DAEMON, DAEMON)):
        assert station.status()["discovery"] == line
    assert [mdns_sockets(host) for host in hosts] == [2, 2, 2]


def known_after(lan, hosts, idle):
    """Seconds from the second station's start until both know each other, the LAN having been idle
    for that long after the first one's."""
    first = Station(hosts[0])
    time.sleep(idle)  # the LAN is to be idle: there is nothing to await
    start = time.monotonic()
    second = Station(hosts[1], wait=False)
    second.joined()
    joined = time.monotonic()
    first.await_peer(second.mac, proven="1")
    second.await_peer(first.mac, proven="1")
    end = time.monotonic()
    print(f"card after {joined - start:.2f} s, all known {end - joined:.2f} s later")
    for station in (first, second):
        station.close()
    return end - joined


@needs(avahi.missing)
def test_newcomer_knows_and_is_known_within_half_a_second(world):
    """By either way of discovery, and no matter how long ago the other one announced itself."""
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("desk", "attic", "cellar")]
    Avahi(hosts[2])
    for pair in (hosts[:2], hosts[1:], hosts[:0:-1]):
        spent = sorted(known_after(lan, pair, idle) for idle in (0.2, 0.6, 5))
        assert spent[1] <= 0.5, spent  # one of them may have met a busy machine


@needs(avahi.missing)
def test_restart_of_the_daemon_loses_no_peer_and_no_frame(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("desk", "attic")]
    daemon = Avahi(hosts[0])
    one, two = (Station(host) for host in hosts)
    await_all_know_all([one, two])
    number = 0

    def exchange(seconds):
        """Frames both ways, all the while."""
        nonlocal number
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            number += 1
            for a, b in ((one, two), (two, one)):
                a.send(frame(b.mac, a.mac, number))
                assert b.expect(lambda f, a=a: number_of(f, a.mac)) == number
                assert a.mac in b.status()["peer"]
            time.sleep(0.01)

    daemon.stop()
    await_discovery(one, "avahi-daemon has gone, waiting for it: Daemon connection failed")
    exchange(3)
    assert mdns_sockets(hosts[0]) == 0, "its port was taken while it was down"
    daemon.start()
    await_discovery(one, DAEMON)
    exchange(2)
    # and who comes now finds everyone
    three = Station(world.host("cellar", lan, policy=REFUSE))
    await_all_know_all([one, two, three])


@needs(avahi.missing)
def test_daemon_that_comes_later_is_used(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("desk", "attic")]
    daemon = Avahi(hosts[0])
    daemon.stop()
    one, two = (Station(host) for host in hosts)
    await_all_know_all([one, two])
    await_discovery(one, OWN)
    daemon.start()
    await_discovery(one, DAEMON, 10)
    assert mdns_sockets(hosts[0]) == 2  # the daemon's
    await_goodbyes_believed(world.host("witness", lan, policy=None), [one, two])
    await_all_know_all([one, two])
    check_none_gone(two, [one])


@needs(avahi.missing)
def test_daemon_that_wants_to_be_alone_is_left_alone(world):
    lan = world.lan()
    host = world.host("desk", lan, policy=REFUSE)
    host.write(CONFIG, "[server]\n disallow-other-stacks = yes\n")
    daemon = Avahi(host, server="disallow-other-stacks=yes")
    one = Station(host)
    await_discovery(one, DAEMON)
    daemon.stop()
    wait_until(lambda: "has gone" in one.status()["discovery"], what="the daemon's end")
    two = Station(host, user="lisa")  # who never saw a daemon here
    wait_until(lambda: CONFIG in two.status()["discovery"], what="the reason")
    assert mdns_sockets(host) == 0
    daemon.start()  # it says so when it cannot
    await_discovery(one, DAEMON)
    await_discovery(two, DAEMON)


@needs(avahi.missing)
def test_daemon_without_message_bus_keeps_its_port(world):
    """We cannot ask it, and it lets nobody else have the port: said, and nothing else happens."""
    lan = world.lan()
    host = world.host("desk", lan, policy=REFUSE)
    daemon = Avahi(host, server="enable-dbus=no\ndisallow-other-stacks=yes")
    station = Station(host)
    wait_until(lambda: "no discovery" in station.status()["discovery"], what="the reason")
    assert daemon.daemon.running() and mdns_sockets(host) == 2


@needs(avahi.missing)
def test_daemon_that_publishes_nothing_is_told(world):
    lan = world.lan()
    host = world.host("desk", lan, policy=REFUSE)
    Avahi(host, server="[publish]\ndisable-user-service-publishing=yes\n[server]")
    other = Station(world.host("attic", lan, policy=REFUSE))
    station = Station(host)
    station.await_peer(other.mac, proven="1")  # it finds, and is known by its confirmation
    other.await_peer(station.mac, proven="1")
    line = station.status()["discovery"]
    assert "announce" in line
    await_discovery(Station(host), line + ", by another emulator of this user")  # all of it


@needs(avahi.missing)
def test_hosts_of_one_name_are_told_apart(world):
    """Two daemons called desk meet: one renames itself, and its Mac is still found."""
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("desk", "other")]
    hosts[1].ip("link set nic down")
    daemons = [Avahi(host) for host in hosts]
    daemons[1].stop()
    hosts[1].write("/etc/avahi-test/daemon.conf", avahi.DAEMON.format(name="desk", server=""))
    daemons[1].start()
    stations = [Station(host) for host in hosts]
    for station in stations:
        await_discovery(station, DAEMON)
    hosts[1].ip("link set nic up")
    names = [d.daemon for d in daemons]
    wait_until(lambda: any("name is desk-2" in d.stderr for d in names), 10, "another name")
    renamed = stations["name is desk-2" not in names[0].stderr]
    await_all_know_all(stations)
    stations.append(Station(world.host("cellar", lan, policy=REFUSE)))
    await_all_know_all(stations)

    def announced():
        entries = daemons[0].browse().get(f"Basilisk\\032{renamed.mac.hex()}", [])
        return any(host == "desk-2.local" for host, *_ in entries)

    wait_until(announced, 10, "the Mac's new host name", step=0.3)


@needs(avahi.missing)
def test_daemon_that_is_stopped_holds_up_nobody(world):
    """It answers no call for 25 seconds, and Avahi's library waits for that: frames, the answers to
    peers and to status, and goodbyes do not."""
    lan = world.lan()
    desk, attic = (world.host(name, lan, policy=REFUSE) for name in ("desk", "attic"))
    daemon = Avahi(desk)
    one, other = Station(desk), Station(attic)
    await_all_know_all([one, other])
    await_discovery(one, DAEMON)
    daemon.daemon.stop()
    start = time.monotonic()
    two = Station(desk)  # whom the first one is now to announce
    third = Station(desk, user="lisa")  # who asks the daemon itself
    await_all_know_all([one, two])
    wait_until(lambda: waits_for_daemon(one) and waits_for_daemon(third), what="that call")
    asker = attic.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    asker.settimeout(5)
    for number in range(1, 101):
        for a, b in ((one, other), (other, one)):
            a.send(frame(b.mac, a.mac, number))
            assert b.expect(lambda f, a=a: number_of(f, a.mac)) == number
        hello = one.mac + b"\xb2\1\2\3\4\5" + b"\x88\xb6BTAP\1\1"
        asker.sendto(hello.ljust(60, b"\0"), (desk.address, 6066))
        assert asker.recv(100)[19] == 2, "no answer"
        assert one.status()["discovery"] == DAEMON
    assert waits_for_daemon(one) and not late(start, 20)
    for station in (one, third, two):
        start = time.monotonic()
        if station is two:
            assert station.exit() == 0
        else:
            station.close()
        assert not late(start, 1)
    wait_until(lambda: not other.status()["peer"], 1, "the end of all")
    daemon.daemon.go_on()


@needs(avahi.missing)
def test_child_of_the_moment_of_connecting_keeps_nobody_announced(world):
    """While Avahi's library connects, its descriptor is not known; a child has a copy of it."""
    desk = world.host("desk", world.lan(), policy=REFUSE)
    daemon = Avahi(desk)
    daemon.bus.stop()
    station = Station(desk)
    wait_until(lambda: waits_for_daemon(station), 5, "the connecting")
    station.leave_child()
    daemon.bus.go_on()
    name = f"Basilisk\\032{station.mac.hex()}"
    await_discovery(station, DAEMON)
    wait_until(lambda: name in daemon.browse(), 10, "the announcement")
    station.process.kill()
    wait_until(lambda: name not in daemon.browse(), 5, "its end")


def waits_for_daemon(station):
    """A thread of it is in the middle of a call to the daemon: it polls one descriptor, for 25 s."""
    for task in glob.glob(f"/proc/{station.process.pid}/task/*/syscall"):
        with open(task) as file:
            number, *arguments = file.read().split()
        if number == str(POLL) and int(arguments[1], 16) == 1 and int(arguments[2], 16) > 20000:
            return True
    return False


def test_name_of_a_host_may_be_any_text(world):
    """A host name of UTF-8, and one as long as the kernel has them."""
    lan = world.lan()
    names = ["Größe-東京", "x" * 64]
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("desk", "attic")]
    stations = []
    for host, name in zip(hosts, names):
        host.inside(lambda name=name: sethostname(name))
        stations.append(Station(host))
    await_all_know_all(stations)
    found = peers(world.host("machine", lan))
    assert found[stations[0].mac]["hostname"] == names[0], found
    assert found[stations[1].mac]["hostname"] == names[1][:63], found


def test_announcement_under_our_own_name_disturbs_nothing(world):
    """Someone announces a service of our Mac's very name, at another address, again and again."""
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("desk", "attic")]
    stations = [Station(host) for host in hosts]
    await_all_know_all(stations)
    with Peer(world.host("forger", lan), mac=stations[0].mac, confirms=False) as forger:
        for _ in range(20):
            forger.receive(0.1)
    await_all_know_all(stations)
    third = Station(world.host("cellar", lan, policy=REFUSE))
    await_all_know_all([*stations, third])


def test_announcements_that_make_no_sense_are_passed_over(world):
    class Odd(Peer):
        """text replaces its TXT record's strings."""

        text = ()

        def announcement(self):
            good = super().announcement()
            start = good.index(b"\x11mac=") if b"\x11mac=" in good else good.index(b"mac=") - 1
            end = good.index(b"attach=no") + len(b"attach=no")
            strings = b"".join(bytes((len(t),)) + t for t in self.text)
            length = len(strings).to_bytes(2, "big")
            return good[: start - 2] + length + strings + good[end:]

    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    station = Station(attic)
    forger = world.host("forger", lan)
    own, far = b"\xb2" + os.urandom(5), b"\x00" + os.urandom(5)
    odd = {
        "no mac": [b"port=6066", b"version=1.0"],
        "not a guest's mac": [b"mac=" + far.hex().encode(), b"version=1.0"],
        "another version": [b"mac=" + own.hex().encode(), b"version=2.0"],
        "a key twice": [b"mac=" + own.hex().encode()] * 2 + [b"version=1.0"],
        "no port": [b"mac=" + own.hex().encode(), b"port=99999", b"version=1.0"],
        "a port of the system's": [b"mac=" + own.hex().encode(), b"port=53", b"version=1.0"],
        "too long": [b"mac=" + own.hex().encode(), b"version=1.0", *[b"x" * 250] * 5, b"y" * 100],
    }
    for why, text in odd.items():
        with Odd(forger, mac=own, confirms=False) as peer:
            peer.text = text
            for _ in range(4):
                peer.receive(0.1)
        known = set(station.status()["peer"])
        assert not known, (why, [mac_text(mac) for mac in known])
    with Odd(forger, mac=own) as peer:
        peer.text = [b"mac=" + own.hex().encode(), f"port={peer.port}".encode(), b"version=1.0",
                     b"mode=p2p", b"hostname=" + b"\xff\x01" * 50, b"more=1", b"flag"]  # fmt: skip
        wait_until(lambda: peer.receive(0.1) or own in station.status()["peer"], 5, "a good one")
