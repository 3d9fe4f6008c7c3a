# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each way in which the helper can end, brought about for real: its code, which is exit status and
name, what it says, and its remedy.  The manual and --help list the same.
"""
import errno
import os
import re
import resource
import shutil
import stat

import ns
import starter
from case import limit
from helper import CODES, HELPER, close, pair, parse_reply
from hostile import foreign_network, set_limit
from modes import by_capability, without_privilege
from stand import ATTACH
from tracer import End, Tracer
from ways import SETUID
from world import ALLOW, TREE

# code: where it is brought about, what is said of it, the value included, and what to do
ENDS = {}


def ends(code, said, remedy):
    def decorate(function):
        ENDS[code] = function, said, remedy
        return function

    return decorate


def asked(host, *words, **options):
    """(status, line) of the shim's call."""
    answer = SETUID.ask(host, *words, **options)
    close(answer)
    return answer.status, answer.reply.text if answer.reply else answer.stderr


def run(host, *words, user="mac"):
    done = host.run([HELPER, *words], user=user)
    return done.returncode, done.stderr


def of(end):
    """The same of a Tracer's End."""
    assert isinstance(end, End), end
    close(end)
    return end.status, parse_reply(end.message).text if end.message else end.stderr


@ends("ok", "", "")
def all_is_well(host):
    return asked(host)


@ends("system", "Cannot allocate memory", "--status', and report this")
def kernel_refuses(host):
    with Tracer(host) as tracer:
        tracer.start(*ATTACH)
        tracer.until("ioctl", 6)  # it makes the TAP, and counts
        tracer.until("sendto", 4)
        return of(tracer.refuse(errno.ENOMEM))


@ends("usage", "unknown word --frob", "--help")
def word_is_unknown(host):
    return run(host, "--frob")


@ends("denied", "helper.conf:1 denies user 7001", "'allow' line")
def policy_denies(host):
    host.policy("deny user mac\n")
    return asked(host)


@ends("no-policy", "there is no /etc/basilisk-tap/helper.conf", "create /etc/basilisk-tap/helper")
def policy_is_missing(host):
    host.policy(None)
    return asked(host)


@ends("bad-policy", "helper.conf:2: ", "correct it as root; 'basilisk-tap-helper --check'")
def policy_is_wrong(host):
    host.policy(ALLOW + "uplink a/b\n")
    return asked(host)


@ends("no-privilege", "CAP_NET_ADMIN", "chmod 4755")
def privilege_is_missing(host):
    with without_privilege():
        return asked(host)


@ends("no-tun", "/dev/net/tun: No such file or directory", "modprobe tun")
def tun_is_missing(host):
    host.inside(lambda: ns.mount("none", "/dev/net", "tmpfs"))
    return asked(host)


@ends("bad-name", "--br=a:b cannot name an interface", "1 to 15 printable characters")
def name_is_impossible(host):
    return asked(host, br="a:b")


@ends("bad-descriptor", "descriptor 77 is not open", "AF_UNIX stream socket pair")
def descriptor_is_closed(host):
    return run(host, "--fd=77", "--slot=0")


@ends("no-uplink", "'uplink eth9' in /etc/basilisk-tap/helper.conf: no such", "'attach auto'")
def uplink_is_missing(host):
    host.policy(ALLOW + "uplink eth9\n")
    return asked(host)


@ends("uplink-unfit", "nic has addresses", "name another 'uplink' or 'attach'")
def uplink_is_in_use(host):
    host.policy(ALLOW + "attach bridge\nuplink nic\n")
    return asked(host)


@ends("bridge-refused", "bridge br7: No such device", "'join' line")
def bridge_is_missing(host):
    return asked(host, br="br7")


@ends("other-attachment", "1 TAPs of this host are attached by patch", "--br=auto")
def guests_are_elsewhere(host):
    host.policy(ALLOW + "join br0\n")
    host.ip("link add br0 type bridge")
    with SETUID.guest(host):
        return asked(host, br="br0", slot=1)


@ends("quota", "all 1 TAPs of 'max-total' are in use", "raise that number")
def quota_is_reached(host):
    host.policy(ALLOW + "max-total 1\n")
    with SETUID.guest(host):
        return asked(host, slot=1)


@ends("slot-busy", "btap1b59-0 is in use", "ask for another slot")
def slot_is_in_use(host):
    with SETUID.guest(host):
        return asked(host)


@ends("foreign-device", "btap1b59-0 is no TAP of ours", "rename or remove it")
def device_is_foreign(host):
    host.ip("link add btap1b59-0 type bridge")
    return asked(host)


@ends("foreign-namespace", "belongs to user namespace", "outside of the container or sandbox")
def network_is_foreign(host):
    with foreign_network(host):
        return asked(host)


@ends("not-alive", "btap1b59-3: No such device", "start the emulator again")
def tap_is_not_there(host):
    return asked(host, "--repair", "--slot=3", "--br=auto")


@ends("in-use", "still alive: btap1b59-0 of user 7001", "end their emulators first")
def taps_are_alive(host):
    with SETUID.guest(host):
        return run(host, "--release", user=None)


@ends("not-root", "root's alone, not user 7001's", "sudo")
def releaser_is_not_root(host):
    return run(host, "--release")


@ends("handover", "the reply could not be sent: Broken pipe", "keep the socket open")
def caller_is_gone(host):
    ours, theirs = pair(host, "mac")
    ours.close()
    with theirs, starter.start(host, HELPER, ATTACH, descriptors={9: theirs.fileno()}) as run:
        return run.wait(), run.said()


@ends("hostile-start", "fewer than 64 descriptors", "free descriptors and the usual limits")
def descriptors_are_few(host):
    """Setuid root it would raise the limit."""
    ours, theirs = pair(host, "mac")
    few = set_limit(resource.RLIMIT_NOFILE, 20)
    with by_capability(), ours, theirs:
        descriptors = {9: theirs.fileno()}
        with starter.start(host, HELPER, ATTACH, descriptors=descriptors, prepare=few) as run:
            return run.wait(), run.said()


@ends("drop", "privileges could not be given up", "report this with the kernel's version")
def privilege_stays(host):
    with Tracer(host) as tracer:
        tracer.start(*ATTACH)
        tracer.until("setresuid")
        return of(tracer.fail(errno.EPERM))


@ends("tun-denied", "/dev/net/tun: Permission denied", "--device /dev/net/tun")
def tun_is_not_allowed(host):
    """As in a container, where the file system that has the node allows no devices."""
    host.inside(lambda: ns.mount("none", "/dev/net", "tmpfs", ns.MS_NODEV))
    host.inside(lambda: os.mknod("/dev/net/tun", 0o666 | stat.S_IFCHR, os.makedev(10, 200)))
    return asked(host)


@ends("no-report", "/basilisk-tap-report: No such file or directory", "basilisk-tap as a whole")
def report_was_left_behind(host):
    def leave_behind():
        shutil.copy(HELPER, "/tmp/helper")
        os.chmod("/tmp/helper", 0o755)
        ns.mount("tmpfs", os.path.dirname(HELPER), "tmpfs")

    host.inside(leave_behind)
    done = host.run(["/tmp/helper", "--status"], user="mac")
    return done.returncode, done.stderr


@limit(120)
def test_each_code_has_its_sentence_and_its_remedy(world):
    assert list(ENDS) == list(CODES), set(CODES) ^ set(ENDS)
    lan = world.lan()
    for number, (code, (bring_about, said, remedy)) in enumerate(ENDS.items()):
        host = world.host(f"desk{number}", lan)
        status, line = bring_about(host)
        assert status == CODES[code], (code, status, line)
        if code == "ok":
            assert line == ""
            continue
        assert len(line.splitlines()) == 1, (code, line)
        assert said in line and remedy in line[line.index(said) + len(said) :], (code, line)


def test_manual_and_help_list_the_codes_as_they_are(world):
    with open(os.path.join(TREE, "man", "basilisk-tap-helper.8")) as file:
        listed = re.findall(r"^\.It (\d+)\n\.Sy ([a-z-]+) :$", file.read(), re.MULTILINE)
    assert listed == [(str(number), name) for name, number in CODES.items()], listed
    helped = world.host("desk").run([HELPER, "--help"]).stdout
    assert re.findall(r"^  exit (\d+) +([a-z-]+): .", helped, re.MULTILINE) == listed, helped
