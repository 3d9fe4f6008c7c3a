# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other packagings, as far as a Debian can try them: RPM and Arch."""
import glob
import os
import shutil

import debian
import emulator
from case import needs
from debian import EMULATOR, HELPER, NETDEV_USERS, desk_on_a_lan
from emulator import Emulator
from helper import taps
from proc import wait_until
from world import BUILD, TREE

# Debian's rpm knows nothing of what dpkg has installed
RPM = "rpm", "--nodeps", "--dbpath", "/root/rpm"
ARCH = os.path.join(BUILD, "arch", "pkg")
LOGIN = "bash", "-lc", 'shift; exec BasiliskII "$@"', "bash"


def rpms():
    found = glob.glob(glob.escape(os.path.join(BUILD, "rpm")) + "/basilisk-tap-[0-9]*.rpm")
    return [rpm for rpm in found if not rpm.endswith(".src.rpm")]


def no_rpm():
    return None if rpms() else "no RPM (make rpm)"


def no_arch():
    return None if os.path.exists(ARCH) else "nothing of PKGBUILD's (make arch)"


def check_from_a_login_shell(desk, wire):
    """The emulator is not diverted here: what comes first in PATH starts it."""
    mac = Emulator(desk, run=LOGIN)
    mac.hello(wire)
    line = mac.opened()
    assert "bridged to nic" in line, line
    program = desk.inside(lambda: os.readlink(f"/proc/{mac.process.pid}/exe"))
    assert program == "/usr/bin/BasiliskII-nojit", program
    return mac


@needs(debian.missing, emulator.missing, no_rpm)
def test_rpm_serves_an_ordinary_user_and_goes_without_a_trace(world):
    desk, wire = desk_on_a_lan(world)
    desk.install(EMULATOR)
    desk.do("mkdir", "/root/rpm")
    files = desk.files()
    [rpm] = rpms()
    desk.do(*RPM, "--install", debian.copied(world, rpm))
    assert desk.mode_of() == NETDEV_USERS
    assert desk.mode_of(HELPER + "-by-socket") == "755"
    assert desk.do(*RPM, "--verify", "basilisk-tap") == ""
    mac = check_from_a_login_shell(desk, wire)
    said = desk.do(*RPM, "--erase", "basilisk-tap", status=1)
    assert "quit the emulators" in said, said
    assert desk.mode_of() == NETDEV_USERS
    mac.quit(wire)
    wait_until(lambda: not taps(desk), what="the end of the TAP")
    assert "bthub" in desk.links()
    desk.do(*RPM, "--erase", "basilisk-tap")
    assert "bthub" not in desk.links()
    left = {line for line in desk.files() - files if " /root/rpm" not in line}
    assert not [line for line in left if "basilisk" in line], left


@needs(debian.missing, emulator.missing, no_arch)
def test_what_pkgbuild_makes_serves_an_ordinary_user(world):
    desk, wire = desk_on_a_lan(world)
    desk.install(EMULATOR)
    shutil.copytree(ARCH, world.path("pkg"), symlinks=True)
    shutil.copy(os.path.join(TREE, "packaging/arch/basilisk-tap.install"), world.path())
    # as pacman does it: the files, then the script, in the root
    desk.do("cp", "-r", "--preserve=mode,links", world.path("pkg") + "/.", "/")
    script = f"cd / && . {world.path()}/basilisk-tap.install && "
    desk.do("useradd", "--system", "_basilisk-tap")
    desk.do("bash", "-c", script + "post_install")
    assert desk.mode_of("/usr/bin/basilisk-tap-helper") == NETDEV_USERS
    mac = check_from_a_login_shell(desk, wire)
    mac.quit(wire)
    wait_until(lambda: not taps(desk), what="the end of the TAP")
    assert "bthub" in desk.links()
    assert desk.do("bash", "-c", script + "pre_remove") == ""
    assert "bthub" not in desk.links()
