# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands as it should is left alone; anything else is put right by the next run."""
import contextlib
import json
import os
import re
import signal
import socket
import struct

import starter
from desk import release, repair, tc, two, unchanged
from guest import Guest
from helper import CODES, HELPER, taps
from netstate import NetState
from proc import wait_until
from world import ALLOW

WAYS = {"in": "ingress", "out": "egress"}


class Filter:
    """One line of NetState's, as words for tc(8)."""

    def __init__(self, net, line):
        _, self.card, way, preference, handle, kind, code, flags, *actions = line.split()
        index = {name: number for number, name in net.names.items()}
        handle = index.get(handle) or int(handle, 16)
        self.place = f"dev {self.card} {WAYS[way]} protocol all pref {preference} handle {handle} {kind}"
        ops = [struct.unpack("=HBBI", bytes.fromhex(code)[at : at + 8]) for at in range(0, len(code) // 2, 8)]
        self.code = [f"{len(ops)}", *(f"{c} {jt} {jf} {k}" for c, jt, jf, k in ops)]
        self.verdict = flags != "0"
        self.actions = [action.split(":") for action in actions]

    def replace(self, host, code, rest):
        words = ["tc", "filter", "replace", *self.place.split(), "bytecode", ",".join(code)]
        done = host.run([*words, *rest.split()])
        assert done.returncode == 0, done


def filters(net):
    """All of the desk's, each as one line; not the kernel's line for the preference as a whole."""
    list(net.links())
    list(net.qdiscs())
    return sorted(line for line in net.filters() if line.split()[4] != "0")


def damages(host, each):
    """Ways to change one filter and leave it in its place, or to take it away."""
    action = "action mirred egress redirect dev lo"
    kept, other = ("direct-action", action) if each.verdict else (action, "direct-action")
    count, *most, last = each.code
    word = last.split()
    near = [count, *most, " ".join([*word[:3], str(int(word[3]) ^ 1)])]
    longer = [str(int(each.code[0]) + 1), *each.code[1:], "6 0 0 0"]
    yield "another program", lambda: each.replace(host, ["1", "6 0 0 0"], kept)
    yield "another constant", lambda: each.replace(host, near, kept)
    yield "one instruction more", lambda: each.replace(host, longer, kept)
    yield "verdict and action swapped", lambda: each.replace(host, each.code, other)
    if not each.verdict:
        more = f"action mirred egress mirror dev {each.card} {action}"
        yield "no action", lambda: each.replace(host, each.code, "")
        yield "another interface", lambda: each.replace(host, each.code, action)
        if len(each.actions) == 1:
            _, way, verdict, target = each.actions[0]
            out, take = way in "12", way in "13"
            turned = f"{'ingress' if out else 'egress'} {'redirect' if take else 'mirror'} dev {target}"
            kept_way = f"{'egress' if out else 'ingress'} {'redirect' if take else 'mirror'} dev {target}"
            control = {"-1": "continue", "0": "pass", "4": "stolen"}[verdict]
            yield "the other way", lambda: each.replace(
                host, each.code, f"action mirred {turned}" + ("" if take else f" {control}")
            )
            if not take:
                yield "another end", lambda: each.replace(host, each.code, f"action mirred {kept_way} drop")
        yield "one action more", lambda: each.replace(host, each.code, more)
    yield "gone", lambda: tc(host, f"filter del {each.place}")


def check_put_right(desk):
    with NetState(desk) as net:
        right = filters(net)
        assert len(right) > 8, right
        # bthub's on the way out only remember what was done to the card: that they stand is all
        for line in (line for line in right if not line.startswith("filter bthub out")):
            for what, damage in damages(desk, Filter(net, line)):
                damage()
                assert filters(net) != right, (line, what)
                answer = repair(desk)
                assert answer.status == 0, (line, what, answer)
                assert filters(net) == right, (line, what, set(right) ^ set(filters(net)))


def test_any_filter_that_was_changed_is_put_right(world):
    _, desk = two(world)
    guest = Guest(desk)
    check_put_right(desk)
    guest.close()
    release(desk)


def test_filters_of_a_joined_bridge_that_were_changed_are_put_right(world):
    desk = world.host("desk", world.lan(), policy="allow all\njoin br0\n")
    desk.ip("link add br0 type bridge", "link set br0 up", "link set nic master br0")
    guest = Guest(desk)
    assert guest.reply.attach == "join", guest.reply
    check_put_right(desk)
    guest.close()
    release(desk)


def ends(host):
    """What is set of bthub and btlan."""
    done = host.run(["ip", "-json", "-details", "link", "show"])
    links = {link["ifname"]: link for link in json.loads(done.stdout)}
    keys = ("address", "inet6_addr_gen_mode", "ifalias", "master")
    return {
        name: [sorted({"NOARP", "UP"} & set(links[name]["flags"]))]
        + [links[name].get(key) for key in keys]
        for name in ("bthub", "btlan")
    }


def test_anything_of_the_pair_that_was_changed_is_put_right(world):
    _, desk = two(world)
    guest = Guest(desk)
    right = ends(desk)
    alias = right["bthub"][3]
    other = re.sub("uplink=[0-9]+", "uplink=0", alias)
    assert other != alias, alias
    changes = ["dev btlan address 02:00:00:00:00:99", f"dev bthub alias '{other}'"]
    for end in right:
        changes += [f"dev {end} arp on", f"dev {end} addrgenmode eui64", f"dev {end} down"]
    for change in changes:
        desk.ip(f"link set {change}")
        assert ends(desk) != right, change
        answer = repair(desk)
        assert answer.status == 0, (change, answer)
        assert ends(desk) == right, (change, ends(desk))
    guest.close()
    release(desk)


RTM_GETTFILTER, NLM_F_REQUEST, TCA_KIND = 46, 1, 1
INGRESS, ETH_P_ALL = 0xFFFFFFF2, 0x0300


@contextlib.contextmanager
def asking_for_filters(host, card, processes, user="guest"):
    """Somebody without any privilege asks for a filter of the card, as fast as he can."""
    index = host.inside(lambda: socket.if_nametoindex(card))
    place = struct.pack("=BxxxiIII", 0, index, 1, INGRESS, 24700 << 16 | ETH_P_ALL)
    body = place + struct.pack("=HH4s", 8, TCA_KIND, b"bpf")
    request = struct.pack("=IHHII", 16 + len(body), RTM_GETTFILTER, NLM_F_REQUEST, 1, 0) + body
    children = []
    try:
        for _ in range(processes):
            child = os.fork()
            if child == 0:
                with contextlib.suppress(BaseException):
                    starter.enter(host)
                    starter.become(host.identity(user))
                    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
                        while True:
                            sock.send(request)
                            sock.recv(65536)
                os._exit(1)
            children.append(child)
        yield
        ended = [child for child in children if os.waitpid(child, os.WNOHANG)[0]]
        assert not ended, "nobody asked any more"
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def test_who_asks_for_filters_all_the_time_blocks_nobody(world):
    """Each who asks keeps clsact in use until he has his answer, and the kernel then refuses to remove
    it.  A release may have to be tried again when that is over, and says so; a start goes on."""
    _, desk = two(world, policy=ALLOW + "uplink nic\n")
    spare = world.lan()
    desk.plug(spare, "spare", address=0)
    said = "basilisk-tap-helper: somebody keeps the card's clsact in use"
    with unchanged(desk, ("nic", "spare")):
        with asking_for_filters(desk, "nic", 4):
            for _ in range(20):
                Guest(desk).close()
                wait_until(lambda: not taps(desk), what="the end of the TAP")
                done = desk.run([HELPER, "--release"])
                busy = done.returncode == CODES["system"] and done.stderr.startswith(said)
                assert done.returncode == 0 or busy, done
        Guest(desk).close()
        release(desk)
    with asking_for_filters(desk, "nic", 4):
        for card in ("nic", "spare") * 5:
            desk.policy(ALLOW + f"uplink {card}\n")
            guest = Guest(desk)
            assert guest.reply.uplink == card, guest.reply
            guest.close()
    release(desk)
