# SPDX-License-Identifier: LGPL-2.1-or-later
"""The LAN of the soak: a host for each way to be attached, and what is done to them while guests
talk.  Everything done here is an administrator's or an accident's, none of it an attack.
"""
import random
import signal
import time

import avahi
import helper
import modes
from avahi import Avahi
from guests import Chatter
from helper import HELPER, taps
from netstate import NetState
from stand import POLICY, into_bridge
from ways import SETUID, SOCKET
from world import ALLOW, REFUSE, USERS

OTHER_WAYS = "capability", "socket"  # of the helper to its privilege; attached as `patch` is
BRIDGED = "patch", "join", "bridge", *OTHER_WAYS
ATTACHED = *BRIDGED, "host", "none"
REFUSED = "refused"


class Town:
    def __init__(self, world):
        self.lan = world.lan()
        self.hosts, self.daemons, self.done = {}, {}, {}
        for mode in (*ATTACHED, REFUSED):
            policy = REFUSE if mode == REFUSED else ALLOW + POLICY.get(mode, "") + "max-taps 16\n"
            self.hosts[mode] = world.host(mode, self.lan, policy=policy)
        for mode in OTHER_WAYS:
            modes.private_helper(self.hosts[mode], mode)
        SOCKET.service(self.hosts["socket"])
        into_bridge(self.hosts["join"])
        self.hosts["bridge"].plug(self.lan, "spare", address=0)
        self.hosts["bridge"].ip("addr flush dev spare")
        if not avahi.missing():
            for mode in ("patch", REFUSED):
                self.daemons[mode] = Avahi(self.hosts[mode])
        self.nets = {mode: NetState(host) for mode, host in self.hosts.items()}
        for mode, net in self.nets.items():
            net.settle("br0" if mode == "join" else "nic")
        self.nic = self.hosts["patch"].mac_of("nic")

    def note(self, what):
        self.done[what] = self.done.get(what, 0) + 1

    # ---- what is done to a host
    def card(self, mode):
        return "br0" if mode == "join" else "nic"

    def route(self, mode):
        gateway = self.hosts[mode].address.rpartition(".")[0] + ".254"
        self.hosts[mode].ip(f"route replace default via {gateway} dev {self.card(mode)}")

    def delete_tap(self):
        mode = random.choice(ATTACHED)
        host = self.hosts[mode]
        names = sorted(taps(host))
        # it may be gone before `ip` comes to it
        if names and host.run(["ip", "link", "del", random.choice(names)]).returncode == 0:
            self.note("TAPs deleted")

    def flap(self):
        mode = random.choice(list(self.hosts))
        card = "spare" if mode == "bridge" and random.random() < 0.5 else "nic"
        self.hosts[mode].ip(f"link set {card} down")
        time.sleep(random.uniform(0.1, 1))
        self.hosts[mode].ip(f"link set {card} up")
        if card == self.card(mode):
            self.route(mode)
        self.note("uplinks flapped")

    def change_address(self):
        mode = random.choice(list(self.hosts))
        host, card = self.hosts[mode], self.card(mode)
        if random.random() < 0.5:
            host.ip(f"addr del {host.address}/24 dev {card}")
            time.sleep(random.uniform(0, 0.5))
            host.ip(f"addr add {host.address}/24 dev {card}")
            self.route(mode)
        else:
            other = f"10.9.{self.lan.number}.{random.randint(100, 200)}/24"
            host.ip(f"addr add {other} dev {card}")
            time.sleep(random.uniform(0, 1))
            host.ip(f"addr del {other} dev {card}")
        self.note("addresses changed")

    def change_mac(self):
        mac = bytes((2, 0, 7, 7, 7, random.randint(0, 255)))
        self.hosts["patch"].ip(f"link set nic address {mac.hex(':')}")
        self.note("card's MACs changed")

    def add_card(self):
        """As a container does: one that no packet can take, with an address."""
        host = self.hosts[random.choice(list(self.hosts))]
        host.ip("link add docker0 type bridge", "addr add 172.17.0.1/16 dev docker0")
        host.ip("link set docker0 up")
        time.sleep(random.uniform(0.1, 0.5))
        host.ip("link del docker0")
        self.note("cards come and gone")

    def restart_daemon(self):
        if not self.daemons:
            return
        daemon = random.choice(list(self.daemons.values()))
        daemon.stop()
        daemon.host.world.processes.remove(daemon.daemon)
        time.sleep(random.uniform(0, 1))
        daemon.start()
        self.note("daemons restarted")

    def kill_helper(self):
        """In the middle of its run; whom it might have served is gone as well."""
        mode = random.choice(ATTACHED)
        host, pause = self.hosts[mode], random.uniform(0, 0.05)
        if mode == "socket":
            with SOCKET.connect(host) as sock:
                SOCKET.send(sock, "--slot=14", "--br=auto")
                time.sleep(pause)
                SOCKET.service(host).kill_children()
        else:
            ours, theirs = helper.pair(host, "mac")
            with ours, theirs:
                argv = [HELPER, f"--fd={theirs.fileno()}", "--slot=14", "--br=auto"]
                process = host.start(argv, user="mac", name="helper", pass_fds=(theirs.fileno(),))
                time.sleep(pause)
                process.kill()
                host.world.processes.remove(process)
        self.note("helpers killed")

    def release(self):
        """Refused while there are TAPs, and harmless where there are none."""
        host = self.hosts[random.choice(ATTACHED)]
        done = host.run([HELPER, "--release"])
        assert helper.NAMES[done.returncode] in ("ok", "in-use", "system"), done
        self.note("releases asked for")

    def look(self):
        host = self.hosts[random.choice(list(self.hosts))]
        for words in (["basilisk-tap", "status"], [HELPER, "--status"]):
            host.run(words, user="mac")
        self.note("looked at")

    def freeze(self, guests):
        guest = random.choice(guests)
        if guest.running():
            guest.process.signal(signal.SIGSTOP)
            time.sleep(random.uniform(0.1, 1.5))
            guest.process.signal(signal.SIGCONT)
            self.note("guests frozen")

    def disturb(self, guests):
        some = (
            (self.delete_tap, 6), (self.flap, 3), (self.change_address, 3), (self.change_mac, 1),
            (self.add_card, 1), (self.restart_daemon, 2), (self.kill_helper, 4), (self.release, 1),
            (self.look, 1), (lambda: self.freeze(guests), 2),
        )  # fmt: skip
        random.choices([do for do, _ in some], [weight for _, weight in some])[0]()

    def calm(self):
        """As it was before, as far as we have changed it."""
        mac = self.nic.hex(":")  # and the IPv6 address that the kernel makes of it
        self.hosts["patch"].ip("link set nic down", f"link set nic address {mac}", "link set nic up")
        self.route("patch")
        self.nets["patch"].settle("nic")
        # the kernel gives one to each card that comes up; a bridge's port had none
        self.hosts["join"].ip("addr flush dev nic")
        self.hosts["bridge"].ip("addr flush dev spare")

    # ---- who lives there
    def newcomer(self, path):
        mode = random.choice(list(self.hosts))
        user = random.choice(list(USERS))
        values = ["auto", "auto", "auto", "auto-p2p"]
        if mode in BRIDGED and user != "guest":
            values.append("auto-bridge")
        return Chatter(self.hosts[mode], path, user, random.choice(values))

    # ---- how it is
    def snapshots(self):
        """{mode: lines}: what was learnt from others' packets, and not set, left out."""
        found = {}
        for mode, net in self.nets.items():
            lines = net.snapshot()
            found[mode] = [line for line in lines if not line.startswith("neighbour ")]
        return found

    def snapshots_after_repair(self):
        """After a run of the helper, which sweeps up, for each host with a guest in slot 0. The
        addresses that a card was told to accept are left out: they stay until release."""
        for mode in ATTACHED:
            way = SOCKET if mode == "socket" else SETUID
            answer = way.ask(self.hosts[mode], "--repair", "--slot=0", "--br=auto")
            assert answer.status == 0, (mode, answer)
        return {
            mode: [line for line in lines if not line.startswith("fdb nic b2")]
            for mode, lines in self.snapshots().items()
        }

    def take_down(self):
        for mode in ATTACHED:
            done = self.hosts[mode].run([HELPER, "--release"])
            assert done.returncode == 0, (mode, done)

    def close(self):
        for net in self.nets.values():
            net.close()
