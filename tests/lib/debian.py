# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host that runs a fresh Debian of its own, into which packages are installed.

The system is build/debian-root (tests/packages/make-root), seen through an overlay: each test has
it as it was made, and nothing is left of what it does there.
"""
import glob
import os
import shutil
import subprocess

import ns
from wire import Wire
from world import NETDEV, TREE, USERS, Host

ROOT = os.path.join(TREE, "build", "debian-root")
DEBS = os.path.join(TREE, "build", "deb")
EMULATOR = "/srv/basilisk2.deb"
LIB = "/usr/lib/basilisk-tap"
HELPER = LIB + "/basilisk-tap-helper"
NETDEV_USERS = "755 cap_net_admin=ep"  # what mode_of() says where they may
MS_MOVE = 8192


def missing():
    if not os.path.exists(ROOT + "/srv/stamp"):
        return "no fresh Debian (tests/packages/make-root build/debian-root)"
    if not glob.glob(glob.escape(DEBS) + "/basilisk-tap_*.deb"):
        return "no packages (make deb)"
    return None


class Machine(Host):
    """netdev: whether the group is there already, with the users of USERS that belong to it."""

    def __init__(self, world, name="desk", netdev=True):
        self.netdev = netdev
        super().__init__(world, name, policy=None)
        world.hosts.append(self)

    def write_etc(self, machine_id):
        self.etc = os.path.join(self.folder, "upper", "etc")
        os.makedirs(self.etc)
        files = {"hostname": self.name + "\n", "machine-id": os.urandom(16).hex() + "\n"}
        files["hosts"] = f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n"
        for name in ("passwd", "group", "shadow", "gshadow"):
            with open(os.path.join(ROOT, "etc", name)) as file:
                files[name] = file.read()
        for name, (uid, _) in USERS.items():
            files["passwd"] += f"{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n"
            files["group"] += f"{name}:x:{uid}:\n"
        if self.netdev:
            members = ",".join(name for name, (_, groups) in USERS.items() if NETDEV in groups)
            files["group"] += f"netdev:x:{NETDEV}:{members}\n"
        for name, content in files.items():
            with open(os.path.join(self.etc, name), "w") as file:
                file.write(content)
        for name in ("shadow", "gshadow"):
            os.chmod(os.path.join(self.etc, name), 0o600)

    def furnish(self):
        root, lower = os.path.join(self.folder, "root"), os.path.join(self.folder, "lower")
        for folder in (root, lower):
            os.mkdir(folder)
        ns.bind(ROOT, lower)  # by a path without a colon or comma
        data = f"lowerdir={lower},upperdir={self.folder}/upper,workdir={self.folder}/work"
        ns.mount("root", root, "overlay", data=data)
        ns.mount("/dev", root + "/dev", flags=ns.MS_BIND | ns.MS_REC)
        ns.bind(self.world.place.tun, root + "/dev/net/tun")
        ns.mount("proc", root + "/proc", "proc")
        ns.mount("sysfs", root + "/sys", "sysfs")
        ns.mount("tmpfs", root + "/run", "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=755")
        ns.mount("tmpfs", root + "/tmp", "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=1777")
        os.mkdir(root + "/tmp/.X11-unix")
        ns.bind(self.world.place.x11 + "/.X11-unix", root + "/tmp/.X11-unix")
        ns.bind(self.world.place.root, root + self.world.place.root)
        ns.mount(root, "/", flags=MS_MOVE)
        ns.sethostname(self.name)

    def environment(self, user, extra=None):
        return super().environment(user, {"DEBIAN_FRONTEND": "noninteractive", **(extra or {})})

    # ---- packages
    def do(self, *argv, status=0, **options):
        """Run a program to its end, which must be as awaited; return all that it said."""
        done = self.run(argv, **options)
        said = done.stdout + done.stderr
        assert done.returncode == status, f"{argv} ended with {done.returncode}:\n{said}"
        return said

    def install(self, *debs):
        """Install or upgrade, as apt would have dpkg do it."""
        return self.do("dpkg", "--force-unsafe-io", "--force-confdef", "-i", *debs, seconds=60)

    def remove(self, *names, status=0, purge=False):
        how = "--purge" if purge else "--remove"
        return self.do("dpkg", "--force-unsafe-io", how, *names, status=status, seconds=60)

    def answer(self, netdev):
        """What the debconf question gets."""
        value = "true" if netdev else "false"
        line = f"basilisk-tap basilisk-tap/netdev boolean {value}"
        self.do("sh", "-c", 'echo "$0" | debconf-set-selections', line)

    def mode_of(self, path=HELPER):
        """Mode bits and capabilities of a file, as in "755 cap_net_admin=ep"."""
        path = self.do("readlink", "-f", path).strip()
        capabilities = self.do("getcap", path).strip().removeprefix(path).strip()
        mode = self.do("stat", "--format=%a", path).strip()
        return f"{mode} {capabilities}".strip()

    def files(self):
        """Every path of the system with its kind, mode and owner; logs and caches left out."""
        leave = "proc sys dev run tmp mnt srv var/log var/cache var/lib/dpkg var/lib/systemd"
        prune = " -o ".join(f"-path /{folder}" for folder in leave.split())
        find = f"find / -xdev \\( {prune} \\) -prune -o -printf '%y %m %u %p %l\\n'"
        lines = set(self.do("sh", "-c", find).splitlines())
        # backups that passwd, adduser and ldconfig keep of their own files
        return {line for line in lines if not line.rstrip().endswith(("-", "/etc/.pwd.lock"))}


def desk_on_a_lan(world, **options):
    """A Machine, and the wire of another one on its LAN."""
    lan = world.lan()
    machine = world.host("machine", lan, policy=None)
    desk = Machine(world, **options)
    desk.plug(lan)
    return desk, Wire(machine)


def ours(world, *names, version=None, change=None):
    """The packages as files that a Machine sees; with a version, each is remade with that one."""
    found = []
    for name in names or ("basilisk-tap",):
        [deb] = glob.glob(f"{glob.escape(DEBS)}/{name}_*.deb")
        found.append(remade(world, deb, version, change) if version else copied(world, deb))
    return found


def copied(world, deb):
    target = world.path(f"{next(world.serial)}.deb")
    shutil.copy(deb, target)
    return target


def remade(world, deb, version, change=None):
    """That package under another version; change(folder) may change what is in it."""
    folder = world.path(f"deb{next(world.serial)}")
    subprocess.run(["dpkg-deb", "-R", deb, folder], check=True)
    if change:
        change(folder)
    control = os.path.join(folder, "DEBIAN", "control")
    with open(control) as file:
        lines = [f"Version: {version}\n" if x.startswith("Version:") else x for x in file]
    with open(control, "w") as file:
        file.writelines(lines)
    return built(folder)


def built(folder):
    argv = ["dpkg-deb", "-Znone", "--root-owner-group", "-b", folder, folder + ".deb"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return folder + ".deb"


def stand_in(world, name, program, version="1", mode=0o755):
    """A package with one emulator that is not in Debian: a file of the test's, at /usr/bin/NAME."""
    folder = world.path(f"deb{next(world.serial)}")
    os.makedirs(folder + "/DEBIAN")
    os.makedirs(folder + "/usr/bin")
    with open(folder + "/DEBIAN/control", "w") as file:
        file.write(f"Package: {name.lower()}\nVersion: {version}\nArchitecture: all\n")
        file.write("Maintainer: test <test@localhost>\nDescription: stand-in\n")
    with open(f"{folder}/usr/bin/{name}", "w") as file:
        file.write(program)
    os.chmod(f"{folder}/usr/bin/{name}", mode)
    return built(folder)
