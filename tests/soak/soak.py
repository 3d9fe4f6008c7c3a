# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests start and are killed, a thousand times in a quarter of an hour, on hosts attached in every
way, while frames fly and TAPs, hubs, addresses, cards and daemons are pulled from under them.  In
the end nothing is left that was not there in the beginning, and all who survived reach each other.

On each host an elder lives from the beginning to the end; what it holds is what is compared, of
memory each byte that it has asked for and not given back (held.c).  Whom it knows is part of that,
and multicast DNS remembers who was killed for up to 75 minutes.  So all who ever were come back
once before the end, and leave as one should.
"""
import collections
import os
import random
import time

import avahi
import emulator
import held
import measure
from guests import Chatter, Mac, await_echoes, await_gone, program
from helper import taps
from netstate import difference
from proc import Timeout, wait_until
from town import ATTACHED, REFUSED, Town
from world import USERS

KILLS_A_SECOND = 1.12  # a little over a thousand in a quarter of an hour
DISTURBANCES_A_SECOND = 0.7
LONGEST = 1.5  # times the seconds asked for, where the machine is too slow for so many
YOUNG = 18  # at a time
MACS = 2  # of them the real emulator
SETTLE = 90  # seconds that all may take to find each other again when it is calm
FORGET = 150  # seconds; an address that nobody has says goodbye for is remembered for 120
STEADY = 15  # seconds without a change, after which an elder knows all there is to know
# Bytes that an elder may hold more, of what libraries keep however many came and went: libavahi 256
# for each question and card, of a guest who has been there for some minutes, until the question's
# turn would have come once more, within an hour (13 kB were seen); libdbus messages to be used
# again, and the buffers of its connection (11 kB).
THEIR_BYTES = {"libavahi": 32768, "libdbus": 16384}
# Of pages that it may have more, each with a byte in use: libavahi has a megabyte and more at a time
# while all talk at once, and what is left of that lies scattered. 836 were seen.
KILOBYTES = 2048


class Soak:
    def __init__(self, world, seconds, tell):
        self.world, self.seconds, self.tell = world, seconds, tell
        self.path = program(world)
        self.town = Town(world)
        self.young, self.macs = [], []
        self.kills, self.early = 0, 0
        self.most = collections.Counter()  # of (host, user) at a time: so many slots were taken

    # ---- the elders, and how it is with them alone
    def settle_elders(self):
        hosts = self.town.hosts
        self.empty = self.town.snapshots()
        self.no_sockets = {mode: measure.sockets(host) for mode, host in hosts.items()}
        self.elders = {
            mode: Chatter(host, self.path, "mac", "auto", "held") for mode, host in hosts.items()
        }
        pairs = await_echoes(list(self.elders.values()), SETTLE)
        for mode, host in hosts.items():
            assert bool(taps(host)) == (mode in ATTACHED), (mode, host.links())
        self.tell(f"{len(self.elders)} hosts, {pairs} pairs of elders echo")
        self.alone = self.town.snapshots_after_repair()
        self.held = self.holdings()
        self.bytes = self.steady_bytes()
        self.pages = self.memory()

    def holdings(self):
        return {
            mode: (measure.descriptors(elder.process.pid), measure.threads(elder.process.pid))
            for mode, elder in self.elders.items()
        }

    def bytes_held(self):
        return {mode: held.read(elder) for mode, elder in self.elders.items()}

    def steady_bytes(self):
        """What each of them holds, once that does not change any more."""
        now, since = self.bytes_held(), time.monotonic()
        while time.monotonic() - since < STEADY:
            time.sleep(1)
            before, now = now, self.bytes_held()
            if any(held.amounts(now[mode]) != held.amounts(before[mode]) for mode in now):
                since = time.monotonic()
        return now

    def memory(self):
        return {mode: held.pages(elder) for mode, elder in self.elders.items()}

    # ---- those who come and go
    def populate(self):
        while len(self.young) < YOUNG - len(self.macs):
            self.young.append(self.town.newcomer(self.path))
        wanted = 0 if emulator.missing() else MACS
        for mode in ("patch", REFUSED)[len(self.macs) : wanted]:
            self.macs.append(Mac(self.town.hosts[mode]))
        self.count()

    def everybody(self):
        return [*self.elders.values(), *self.young, *self.macs]

    def count(self):
        self.most |= collections.Counter((g.host, g.user) for g in self.everybody())

    def replace_mac(self):
        """Every so often; it takes a second to start, and is to be seen whole now and then."""
        mac = self.macs.pop(0)
        mac.kill()
        self.macs.append(Mac(mac.host, mac.home))

    def replace(self):
        if self.macs and random.random() < 0.15:
            self.replace_mac()
        elif random.random() < 0.2:  # while it opens its device
            self.young.append(self.town.newcomer(self.path))
            self.count()
            time.sleep(random.uniform(0, 0.15))
            self.young.pop().kill()
            self.early += 1
        else:
            self.young.pop(random.randrange(len(self.young))).kill()
            self.young.append(self.town.newcomer(self.path))
        self.kills += 1

    def bury(self):
        """Those who ended by themselves: `auto-bridge` where there was no way at that moment."""
        for guest in [guest for guest in self.young if not guest.running()]:
            line = guest.process.stderr
            assert guest.process.popen.returncode == 1, guest.process.story()
            assert "no network: " in line, guest.process.story()
            self.young.remove(guest)
            guest.forget()
            self.town.note("guests that got no network")
        for guest in (*self.elders.values(), *self.macs):
            assert guest.running(), guest.process.story()

    def storm(self):
        """Kills and disturbances, each at its own pace, in turn where the machine does not keep
        up; and then it takes longer, but not for ever."""
        begin = time.monotonic()
        wanted = self.seconds * KILLS_A_SECOND
        disturbed, spent = 0, 0
        while spent < self.seconds or self.kills < wanted and spent < LONGEST * self.seconds:
            self.populate()
            if self.kills < spent * KILLS_A_SECOND:
                self.replace()
            if disturbed < spent * DISTURBANCES_A_SECOND:
                self.town.disturb([*self.young, *self.elders.values()])
                disturbed += 1
            self.bury()
            spent = time.monotonic() - begin
            time.sleep(0.01)
        self.spent = spent

    # ---- the end
    def finish(self):
        self.town.calm()
        self.populate()
        self.bury()
        everybody = self.everybody()
        for guest in (*self.elders.values(), *self.young):
            guest.say("quiet")
        try:
            pairs = await_echoes([guest for guest in everybody if guest.running()], SETTLE)
        except Timeout:
            self.tell_status()
            raise
        self.tell(f"{len(everybody)} survivors, {pairs} pairs echo")
        for guest in (*self.young, *self.macs):
            guest.kill()
        self.young, self.macs = [], []
        self.see_off()
        self.check_memory()
        self.check_elders()
        for elder in self.elders.values():
            elder.end()
        self.check_empty()

    def tell_status(self):
        """What each of them has to say about the others, where somebody is not reached."""
        for host in self.town.hosts.values():
            for user in USERS:
                self.tell(f"---- {user} at {host.name}")
                self.tell(host.run(["basilisk-tap", "status"], user=user).stdout)

    def see_off(self):
        """Everybody comes back to the slot that was theirs, is met by all elders, and leaves."""
        count = 0
        for host in self.town.hosts.values():
            back = []
            for user in USERS:
                slots = self.most[host, user] - (user == "mac")  # the elder has one
                back += [Chatter(host, self.path, user) for _ in range(slots)]
            await_echoes([*self.elders.values(), *back], SETTLE)
            for guest in back:
                guest.end()
            count += len(back)
        self.tell(f"{count} came back and have left")

    def check_memory(self):
        """To the byte what it was; but for room, which arrays keep, and what libraries do.

        Of what libraries hold, the least that was seen: each question on the network that tells
        what is known costs those who hear it half a kilobyte for each such answer, for 0.7 s."""
        before = {mode: held.amounts(found) for mode, found in self.bytes.items()}
        wrong, more = list(before), {}
        end = time.monotonic() + FORGET
        while wrong and time.monotonic() < end:
            time.sleep(0.5)
            found = self.bytes_held()
            for m in wrong:
                now = held.amounts(found[m])
                now = {of: now[of] - before[m][of] for of in now}
                more[m] = {of: min(now[of], more.get(m, now)[of]) for of in now}
                more[m][held.OURS] = now[held.OURS]
            wrong = [
                m for m in wrong
                if more[m][held.OURS] or any(more[m][of] > THEIR_BYTES[of] for of in held.THEIRS)
            ]  # fmt: skip
        for mode in wrong:
            self.tell(f"{mode}: {more[mode]}\n{held.difference(self.bytes[mode], found[mode])}")
        assert not wrong, wrong
        for of in (held.OURS, held.ROOM, *held.THEIRS):
            self.tell(f"elders: bytes more, {of}: {[some[of] for some in more.values()]}")
        pages = self.memory()
        more = [now - self.pages[mode][1] for mode, (_, now) in pages.items()]
        kept = [everything - now for everything, now in pages.values()]
        self.tell(f"elders: kilobytes of pages more {more}, and kept by malloc() {kept}")
        assert max(more) <= KILOBYTES

    def check_elders(self):
        try:
            wait_until(lambda: self.holdings() == self.held, SETTLE, step=0.2)
        except Timeout:
            raise AssertionError(
                f"descriptors and threads: {self.held}, now {self.holdings()}"
            ) from None
        found = self.town.snapshots_after_repair()
        for mode, before in self.alone.items():
            assert found[mode] == before, f"{mode}:\n{difference(before, found[mode])}"
        self.tell("elders: 0 descriptors, 0 threads more")

    def check_empty(self):
        for host in self.town.hosts.values():
            await_gone(host)
        self.town.take_down()
        found = self.town.snapshots()
        for mode, before in self.empty.items():
            assert found[mode] == before, f"{mode}:\n{difference(before, found[mode])}"
        links = sum(len(host.links()) for host in self.town.hosts.values())
        filters = sum(line.startswith("filter ") for lines in found.values() for line in lines)
        for mode, host in self.town.hosts.items():
            left = measure.sockets(host)
            assert left == self.no_sockets[mode], (mode, self.no_sockets[mode], left)
            assert not measure.leftovers(host), measure.leftovers(host)
        running = measure.programs()
        for name in ("chatter", "basilisk-tap-he", "BasiliskII-nojit"):
            assert name not in running, running
        self.tell(f"hosts: as they were, {links} links and {filters} filters as before")

    def tell_figures(self):
        rate = self.kills / self.spent
        self.tell(f"{self.kills} guests killed in {self.spent:.0f} s ({rate:.2f} a second)")
        self.tell(f"  of these {self.early} within 150 ms of their start")
        for what, count in sorted(self.town.done.items()):
            self.tell(f"  {count:5} {what}")


def soak(world, seconds, tell):
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(1 << 32))
    random.seed(seed)
    tell(f"soak for {seconds} s, SOAK_SEED={seed}")
    for lack in filter(None, (emulator.missing(), avahi.missing())):
        assert os.environ.get("BASILISK_TAP_MUST_WORK") != "1", lack
        tell(f"soak: goes without: {lack}")
    it = Soak(world, seconds, tell)
    it.settle_elders()
    it.storm()
    it.tell_figures()
    it.finish()
    it.town.close()
    tell("soak: nothing left, nobody lost")
