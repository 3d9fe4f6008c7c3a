# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test library itself: worlds are apart from each other, and nothing of them stays."""
import os
import signal
import subprocess

import world as world_module
from proc import wait_until
from wire import Wire

# A world with a LAN, two hosts and a process in each, which then waits to be killed.
VICTIM = """
import sys
sys.path.insert(0, sys.argv[1])
from world import World
w = World()
lan = w.lan()
for name in ("one", "two"):
    host = w.host(name, lan)
    host.start(["sleep", "7777"], user="mac")
    host.ip("tuntap add tap0 mode tap")
print("ready", flush=True)
import time
time.sleep(7777)
"""


def alive(pid):
    """Orphans of this namespace are its first process's children: dead, they stay as zombies."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes():
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and alive(name)}


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read().split("\0")
    except OSError:
        return []


def sleepers(pids):
    return [pid for pid in pids if "7777" in command_line(pid)]


def mounts():
    with open("/proc/self/mountinfo") as file:
        return [line.split()[3:5] for line in file]


def start_victim(tmp):
    path = os.path.join(tmp, "victim.py")
    with open(path, "w") as file:
        file.write(VICTIM)
    library = os.path.dirname(world_module.__file__)
    argv = world_module.command(["/usr/bin/python3", "-B", path, library])
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def test_killed_program_leaves_nothing(world):
    before = processes(), mounts(), os.listdir("/sys/class/net")
    victim = start_victim(world.folder)
    assert victim.stdout.readline() == "ready\n"
    wait_until(lambda: len(sleepers(processes() - before[0])) == 2, what="both hosts' processes")
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    wait_until(lambda: not processes() - before[0], what="the end of all its processes")
    assert (mounts(), os.listdir("/sys/class/net")) == before[1:]


def test_killed_starter_leaves_nothing(world):
    """Not the namespaces' first process is killed, but the one that started it."""
    before = processes()
    reader, writer = os.pipe()
    starter = os.fork()
    if starter == 0:
        victim = start_victim(world.folder)
        os.write(writer, victim.stdout.readline().encode())
        signal.pause()
        os._exit(1)
    assert os.read(reader, 6) == b"ready\n"
    assert len(processes() - before) >= 4
    os.kill(starter, signal.SIGKILL)
    os.waitpid(starter, 0)
    wait_until(lambda: not processes() - before, what="the end of all its processes")
    os.close(reader)
    os.close(writer)


def test_hosts_have_their_own_files_users_and_devices(world):
    lan = world.lan()
    one, two = world.host("one", lan), world.host("two", lan, policy="deny all\n")
    one.write("/tmp/mark", "one")
    assert two.run(["cat", "/tmp/mark"]).returncode != 0
    assert one.run(["cat", "/etc/basilisk-tap/helper.conf"]).stdout == world_module.ALLOW
    assert two.run(["cat", "/etc/basilisk-tap/helper.conf"]).stdout == "deny all\n"
    assert one.run(["hostname"]).stdout == "one\n"
    assert one.run(["cat", "/etc/machine-id"]).stdout != two.run(["cat", "/etc/machine-id"]).stdout
    assert one.run(["id", "-nG"], user="mac").stdout == "mac netdev\n"
    assert one.run(["id", "-nG"], user="guest").stdout == "guest\n"
    one.ip("tuntap add mine mode tap")
    assert one.links() == {"lo", "nic", "mine"} and two.links() == {"lo", "nic"}
    assert one.run(["ls", "/sys/class/net"]).stdout.split() == ["lo", "mine", "nic"]


def test_hosts_of_a_lan_hear_each_other_and_no_other_lan(world):
    lan, other = world.lan(), world.lan()
    one, two, apart = world.host("one", lan), world.host("two", lan), world.host("apart", other)
    assert one.run(["ping", "-c1", "-W2", two.address], user="mac").returncode == 0
    with Wire(one) as sender, Wire(two) as near, Wire(apart) as far:
        frame = b"\xff" * 6 + sender.mac + b"\x88\xb5" + b"a frame that nobody pads"
        sender.send(frame)
        near.expect(lambda got: got == frame, what="the broadcast")
        assert not [got for got in far.frames(0.3) if got == frame]


def test_helper_of_a_host_is_setuid_root_for_its_users(world):
    host = world.host("one")
    helper = "/usr/local/lib/basilisk-tap/basilisk-tap-helper"
    done = host.run(["stat", "-c", "%u %a", helper])
    assert done.stdout == "0 4755\n", done
    options = host.run(["findmnt", "-no", "OPTIONS", "/usr/local"]).stdout
    assert "nosuid" not in options, options


def test_no_world_is_made_in_a_chroot(world):
    """To enter a host's mount namespace is to leave it: files of the machine's own /etc would go.
    The check alone is called: what it stands before is not to be tried where it does not hold."""
    lib = os.path.dirname(world_module.__file__)
    root = world.path("root")
    os.mkdir(root)
    script = "import sys; sys.path.insert(0, sys.argv[1]); import ns; print(ns.is_chroot())"
    ask = ["/usr/bin/python3", "-B", "-c", script, lib]
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
    enter += ['mount --rbind / "$0" && exec chroot "$0" "$@"', root]
    for argv, word in ((ask, "False"), ([*enter, *ask], "True")):
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.stdout == word + "\n", done
