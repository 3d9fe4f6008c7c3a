# SPDX-License-Identifier: LGPL-2.1-or-later
"""Emulators in containers, as basilisk-tap-docker(7) tells of them.

Docker itself cannot be had here. A stand-in has what matters to us of what Docker makes: namespaces of
the container's own, its card as one end of a pair whose other end is a port of docker0, and the
capabilities that Docker leaves. Its filter of system calls is not there.
"""
import json
import os

from helper import taps
from proc import wait_until
from station import Station
from wire import BROADCAST, Wire
from world import ALLOW, Host

LEFT = (
    "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw"
    " sys_chroot mknod audit_write setfcap"
).split()


class Container(Host):
    """network: None for one of its own on docker0 of the engine, or the engine, to be in its."""

    def __init__(self, world, engine, name, *more, own_network=True, machine_id=None):
        super().__init__(world, name, policy=ALLOW, machine_id=machine_id)
        world.hosts.append(self)
        self.capabilities = [*LEFT, *more]
        if not own_network:
            os.close(self.namespaces["net"])
            self.namespaces["net"] = os.dup(engine.namespaces["net"])
            return
        fd, number = self.namespaces["net"], len(engine.containers) + 2
        engine.containers.append(self)
        world.ip(
            engine.namespaces,
            f"link add veth{number} type veth peer name eth0 address 02:42:ac:11:00:{number:02x}"
            f" netns /proc/self/fd/{fd}",
            f"link set veth{number} master docker0 up",
            pass_fds=(fd,),
        )
        self.cards["nic"] = f"172.17.0.{number}"
        self.ip(
            "link set eth0 up",
            f"addr add {self.address}/16 dev eth0",
            "route add default via 172.17.0.1",
        )

    def contained(self, argv, user):
        bounds = ",".join(["-all", *(f"+{name}" for name in self.capabilities)])
        words = ["setpriv", f"--bounding-set={bounds}", "--inh-caps=-all"]
        if user:
            uid, gid, groups = self.identity(user)
            words += [f"--reuid={uid}", f"--regid={gid}"]
            words += [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]
        return [*words, "--", *argv]

    def start(self, argv, *, user=None, **options):
        return super().start(self.contained(argv, user), **options)

    def run(self, argv, *, user=None, **options):
        return super().run(self.contained(argv, user), **options)


def engine_on(world, lan):
    engine = world.host("engine", lan)
    engine.containers = []
    engine.ip(
        "link add docker0 type bridge", "addr add 172.17.0.1/16 dev docker0", "link set docker0 up"
    )
    return engine


def a_frame(mac):
    return BROADCAST + mac + b"\x88\xb5" + mac.ljust(46, b"\0")


def check_passes(sender, receiver):
    sender.send(a_frame(sender.mac))
    receiver.expect(lambda frame: frame == a_frame(sender.mac), what="frame")


def test_container_without_the_capability_is_peer_to_peer_and_says_so(world):
    engine = engine_on(world, world.lan())
    box = Container(world, engine, "box")
    with Station(box, debug=False) as mac:
        [line] = mac.said()
        assert "peer to peer only" in line and "CAP_NET_ADMIN" in line, line
    told = json.loads(box.run(["basilisk-tap", "doctor", "--json"], user="mac").stdout)
    assert "no-privilege" in {f["check"] for f in told["findings"] if f["problem"]}, told


def test_containers_are_together_on_dockers_bridge_and_not_on_the_lan(world):
    lan = world.lan()
    engine = engine_on(world, lan)
    boxes = [Container(world, engine, name, "net_admin") for name in ("box", "chest")]
    outside = Wire(world.host("machine", lan), everything=True)
    with Station(boxes[0]) as one, Station(boxes[1]) as two, Wire(engine, "docker0") as host:
        assert {s.status()["mode"] for s in (one, two)} == {"bridge"}, one.status()
        one.await_peer(two.mac)
        check_passes(one, two)
        check_passes(two, one)
        check_passes(one, host)
        assert not [f for f in outside.frames(0.5) if f[6:12] == one.mac]
    outside.close()


def test_container_in_the_hosts_network_is_on_the_lan_beside_its_emulators(world):
    """With the host's machine-id; the slot that is taken there is seen, though /tmp is not shared."""
    lan = world.lan()
    engine = engine_on(world, lan)
    shared = engine.inside(lambda: open("/etc/machine-id").read()).strip()
    box = Container(world, engine, "box", "net_admin", own_network=False, machine_id=shared)
    with Wire(world.host("machine", lan)) as wire, Station(engine) as own, Station(box) as mac:
        assert mac.status()["mode"] == own.status()["mode"] == "bridge", mac.status()
        assert (mac.mac[:5], mac.mac[5]) == (own.mac[:5], own.mac[5] + 1)
        check_passes(mac, wire)
        check_passes(mac, own)
        check_passes(own, mac)


def test_container_in_the_hosts_network_with_another_machine_id_is_told(world):
    engine = engine_on(world, world.lan())
    box = Container(world, engine, "box", "net_admin", own_network=False)
    with Station(box) as alone:
        assert alone.status()["mode"] == "bridge", alone.status()
    wait_until(lambda: not taps(engine), what="the end of the TAP")
    with Station(engine), Station(box, debug=False) as mac:
        [line] = mac.said()
        assert "peer to peer only" in line and "another machine-id" in line, line
