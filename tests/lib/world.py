# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small world for one test: LANs, and hosts on them, made of namespaces.

The test program itself already runs in private pid, mount, network, UTS and IPC namespaces
(command() below starts it so).  Everything here is made inside these: whatever ends the program,
kill -9 included, the kernel then ends every process, device, mount and file with it.

A Host has its own network, /etc (users, machine-id, policy), /tmp, /run, /sys, /dev/net/tun and
name.  The project's programs are in it as they are after `make install`, the helper setuid root.
A Lan is a switch.  Hosts get a card `nic` on it; a machine of the LAN is a host without emulator.

Must never touch the machine outside: no mount without settle(), no device in its namespace.
"""
import itertools
import os
import shutil
import stat
import subprocess
import sys

import ns
import sanitize
from proc import Process, enter, wait_until

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.join(TREE, os.environ.get("BASILISK_TAP_BUILD", "build"))
# Which the builds of `make coverage` and `make check-asan` have, for what processes leave there.
SHARED = [os.path.join(BUILD, name) for name in ("counters", "reports")]
ROM = os.path.join(BUILD, "tests", "netrom.rom")

NETDEV = 7101
USERS = {  # name: uid, groups beside its own
    "mac": (7001, [NETDEV]),  # whom the packaged policy allows
    "guest": (7002, []),
    "lisa": (7003, [NETDEV]),
}
SYSTEM_USERS = {"root": 0, "nobody": 65534, "_basilisk-tap": 7201, "avahi": 7202}
ALLOW = "allow group netdev\n"
REFUSE = "deny user mac\n"


def command(argv):
    """The command line that runs argv in namespaces which end with it, and with the caller."""
    return [
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *("unshare", "--mount", "--net", "--uts", "--ipc"),
        *("--pid", "--fork", "--kill-child", "--mount-proc", "--"),
        *argv,
    ]


class Place:
    """Where the files of all this live: a tmpfs that only this program and its children see."""

    def __init__(self):
        if os.getpid() != 1:
            sys.exit("world: not in namespaces of its own (start it by tests/run)")
        if ns.is_chroot():
            sys.exit("world: in a chroot, out of which a host's mount namespace leads: use pivot_root")
        self.root = next(d for d in ("/mnt", "/srv", "/media") if not TREE.startswith(d + "/"))
        ns.mount("tmpfs", self.root, "tmpfs", data="mode=755")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.tun = self.path("tun")
        os.mknod(self.tun, stat.S_IFCHR, os.makedev(10, 200))
        os.chmod(self.tun, 0o666)  # as udev has it, whatever this machine's is
        self.x11 = self.path("x11")
        os.makedirs(os.path.join(self.x11, ".X11-unix"))
        os.chmod(self.x11, 0o1777)
        os.chmod(os.path.join(self.x11, ".X11-unix"), 0o1777)
        self.local = self.path("local")
        self.install()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def install(self):
        """`make install` into what hosts see as /usr/local."""
        make = ["make", "-s", "-C", TREE, "-o", "all", "install"]  # as built: nothing is built here
        make += ["prefix=/usr/local", f"DESTDIR={self.path('dest')}", f"B={os.path.relpath(BUILD, TREE)}"]
        done = subprocess.run(make, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"world: make install failed:\n{done.stdout}{done.stderr}")
        os.rename(self.path("dest", "usr", "local"), self.local)
        sanitize.settle(BUILD, self.root)
        self.helper = os.path.join(self.local, "lib/basilisk-tap/basilisk-tap-helper")
        os.chown(self.helper, 0, 0)
        os.chmod(self.helper, 0o4755)


class Lan:
    """A switch, with addresses 10.9.NUMBER.0/24."""

    def __init__(self, world, number):
        self.world = world
        self.number = number
        self.ports = itertools.count(1)
        self.namespaces = ns.in_new(("net",), lambda: None)
        mac = f"02:00:00:09:{number:02x}:00"
        bridge = f"link add lan address {mac} type bridge stp_state 0 mcast_snooping 0"
        self.ip(bridge, "link set lan up")

    def ip(self, *lines):
        self.world.ip(self.namespaces, *lines)


class Host:
    def __init__(self, world, name, policy=ALLOW, machine_id=None):
        self.world = world
        self.name = name
        self.folder = world.path(name)
        self.etc = os.path.join(self.folder, "etc")
        os.makedirs(self.etc)
        os.makedirs(os.path.join(self.folder, "work"))
        self.write_etc(machine_id)
        self.namespaces = ns.in_new(("mnt", "net", "uts"), self.furnish)
        self.clock = {}  # the time namespace of its programs, if it has one: see up_for()
        self.cards = {}
        self.ip("link set lo up")
        # An address that is still being checked for duplicates answers nobody; nobody is here.
        self.sysctl("net/ipv6/conf/default/accept_dad", "0")
        self.policy(policy)

    def write_etc(self, machine_id):
        uids = dict(SYSTEM_USERS)
        uids.update({name: uid for name, (uid, _) in USERS.items()})
        members = ",".join(name for name, (_, groups) in USERS.items() if NETDEV in groups)
        files = {
            "passwd": "".join(f"{n}:x:{u}:{u}::/nonexistent:/bin/sh\n" for n, u in uids.items()),
            "group": "".join(f"{n}:x:{u}:\n" for n, u in uids.items())
            + f"netdev:x:{NETDEV}:{members}\n",
            "hostname": self.name + "\n",
            "hosts": f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n::1 localhost\n",
            "machine-id": (machine_id or os.urandom(16).hex()) + "\n",
            "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
            "resolv.conf": "",
            "avahi/avahi-daemon.conf": "",  # which may forbid stacks of our own on this machine
        }
        os.mkdir(os.path.join(self.etc, "avahi"))
        for name, content in files.items():
            with open(os.path.join(self.etc, name), "w") as file:
                file.write(content)

    def furnish(self):
        """In the new namespaces: what makes it a host of its own."""
        own_etc = f"lowerdir=/etc,upperdir={self.etc},workdir={self.folder}/work"
        ns.mount("etc", "/etc", "overlay", data=own_etc)
        installed = f"lowerdir={self.world.place.local}:/usr/local"
        ns.mount("local", "/usr/local", "overlay", data=installed)
        ns.mount("sysfs", "/sys", "sysfs")
        ns.mount("tmpfs", "/run", "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=755")
        for name in filter(os.path.isdir, SHARED):
            os.mkdir("/run/basilisk-tap-" + os.path.basename(name))
            ns.bind(name, "/run/basilisk-tap-" + os.path.basename(name))
        ns.mount("tmpfs", "/tmp", "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=1777")
        os.mkdir("/tmp/.X11-unix")
        ns.bind(self.world.place.x11 + "/.X11-unix", "/tmp/.X11-unix")
        ns.bind(self.world.place.tun, "/dev/net/tun")
        ns.sethostname(self.name)

    # ---- files
    def inside(self, function):
        """Run function in this host's namespaces."""
        return ns.in_ns(self.namespaces, function)

    def write(self, path, content, mode=0o644):
        def body():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(content)
            if mode is not None:
                os.chmod(path, mode)

        self.inside(body)

    def policy(self, text):
        """Write the helper's policy; None: there is none."""
        path = "/etc/basilisk-tap/helper.conf"
        if text is None:
            self.inside(lambda: os.path.exists(path) and os.unlink(path))
        else:
            self.write(path, text)

    def sysctl(self, name, value):
        self.write("/proc/sys/" + name, value + "\n", mode=None)

    # ---- network
    def ip(self, *lines):
        self.world.ip(self.namespaces, *lines)

    def plug(self, lan, card="nic", address=None, default_route=True):
        """A card on the LAN, with an address of it, up, and the default route over it."""
        port = next(lan.ports)
        # Not the kernel's random ones: of those, some look like a guest's.
        macs = [f"02:00:{end:02x}:09:{lan.number:02x}:{port:02x}" for end in (1, 2)]
        number = len(lan.world.hosts) if address is None else address
        net = f"10.9.{lan.number}"
        fd = self.namespaces["net"]
        lan.world.ip(
            lan.namespaces,
            f"link add p{port} address {macs[0]} type veth"
            f" peer name {card} address {macs[1]} netns /proc/self/fd/{fd}",
            f"link set p{port} master lan up",
            pass_fds=(fd,),
        )
        lines = [f"link set {card} up"]
        if number:
            self.cards[card] = f"{net}.{number}"
            lines.append(f"addr add {net}.{number}/24 dev {card}")
            if default_route:
                lines.append(f"route add default via {net}.254 dev {card}")
        self.ip(*lines)
        for namespaces, name in ((self.namespaces, card), (lan.namespaces, f"p{port}")):
            net = {"net": namespaces["net"]}
            wait_until(lambda: ns.in_ns(net, lambda: ns.passes_frames(name)), what=f"{name} to be up")
        return self

    @property
    def address(self):
        return self.cards["nic"]

    def mac_of(self, card):
        text = self.inside(lambda: open(f"/sys/class/net/{card}/address").read())
        return bytes.fromhex(text.strip().replace(":", ""))

    def links(self):
        """Names of all its network devices."""

        def body():  # a file of bonding's stands among them
            folder = "/sys/class/net"
            return {name for name in os.listdir(folder) if os.path.isdir(f"{folder}/{name}")}

        return self.inside(body)

    # ---- processes
    def environment(self, user, extra=None):
        home = self.home(user)
        env = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin", "HOME": home}
        env.update({"LANG": "C.UTF-8", "USER": user or "root"})
        env.update(sanitize.environment(user))
        env.update(extra or {})
        return {key: value for key, value in env.items() if value is not None}

    def home(self, user):
        home = os.path.join(self.folder, "home-" + (user or "root"))
        if not os.path.isdir(home):
            os.makedirs(home, exist_ok=True)  # another thread may need it as well
            uid = USERS[user][0] if user else 0
            os.chown(home, uid, uid)
        return home

    def identity(self, user):
        if not user:
            return None
        uid, groups = USERS[user]
        return uid, uid, groups

    def up_for(self, seconds):
        """What is started from now on sees a machine that was itself started so long ago."""
        self.clock = {"time": ns.up_for(seconds)}

    def start(self, argv, *, user=None, name=None, env=None, pass_fds=()):
        """Start a program in this host, in the background."""
        name = name or os.path.basename(argv[0])
        process = Process(
            argv,
            name=f"{self.name}.{next(self.world.serial)}.{name}",
            folder=self.world.path(),
            env=self.environment(user, env),
            namespaces={**self.namespaces, **self.clock},
            user=self.identity(user),
            pass_fds=pass_fds,
        )
        self.world.processes.append(process)
        return process

    def run(self, argv, *, user=None, env=None, seconds=20, pass_fds=()):
        """Run a program in this host to its end."""
        return subprocess.run(
            enter(self.namespaces, argv, self.identity(user)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env=self.environment(user, env),
            pass_fds=(*self.namespaces.values(), *pass_fds),
        )


class World:
    """All of one test; close() ends it."""

    place = None
    number = itertools.count(1)

    def __init__(self):
        if not World.place:
            World.place = Place()
        self.folder = World.place.path(f"world{next(World.number)}")
        os.mkdir(self.folder)
        self.serial = itertools.count(1)
        self.hosts = []
        self.lans = []
        self.processes = []

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def ip(self, namespaces, *lines, pass_fds=()):
        """Run `ip` command lines in one go."""
        net = {"net": namespaces["net"]}
        done = subprocess.run(
            enter(net, ["ip", "-batch", "-"]),
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            pass_fds=(*net.values(), *pass_fds),
        )
        if done.returncode:
            raise AssertionError(f"ip {'; '.join(lines)}: {done.stderr}")

    def lan(self):
        self.lans.append(Lan(self, len(self.lans)))
        return self.lans[-1]

    def host(self, name, lan=None, **options):
        host = Host(self, name, **options)
        self.hosts.append(host)
        if lan:
            host.plug(lan)
        return host

    def story(self):
        return "".join(process.story() for process in self.processes)

    def close(self):
        for process in reversed(self.processes):
            process.kill()
        clocks = [host.clock for host in self.hosts]
        for namespaces in (*clocks, *(owner.namespaces for owner in (*self.hosts, *self.lans))):
            for descriptor in namespaces.values():
                os.close(descriptor)
        shutil.rmtree(self.folder, ignore_errors=True)
