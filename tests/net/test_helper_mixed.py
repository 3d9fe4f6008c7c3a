# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attaches, repairs and releases of several users, all stopped and resumed at random calls, some
killed, guests coming and going, in an order that follows from one number.  Whoever was told that he
has a TAP has it at any moment, on the LAN that he asked for; there are never more than the quota; and
in the end one --release leaves the host as it was.

BASILISK_TAP_MIXED=SECONDS goes on for that long, with one number after the other, from
BASILISK_TAP_SEED on.
"""
import os
import random
import time

import helper
from asked import POLICY, UPLINK, Desk, asking
from case import limit
from stand import ATTACH, RELEASE
from tracer import At, Tracer

SECONDS = int(os.environ.get("BASILISK_TAP_MIXED", "0"))
SEED = int(os.environ.get("BASILISK_TAP_SEED", "1"))
STEPS = 150  # for each number
TOTAL = 3  # TAPs, where four want one
LIMITS = f"max-total {TOTAL}\n"
FAR = 60  # calls that one goes on at a time, at most
REFUSALS = {"other-attachment", "system", "quota", "slot-busy", "not-alive", "in-use", "handover"}


class Runner:
    """One who asks the helper, again and again; a user for a TAP in that slot, or root."""

    def __init__(self, desk, user, slot=None):
        self.desk, self.user, self.slot = desk, user, slot
        self.tracer = Tracer(desk.host, user)
        self.at = self.fd = None
        self.words = "nothing"

    def close(self):
        self.drop()
        self.tracer.close()

    def drop(self):
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None

    def begin(self, chance):
        if self.slot is None:
            self.br, argv = None, RELEASE
        elif self.fd is not None:
            argv = [*asking(ATTACH, self.br), "--repair"]
        else:
            self.br = chance.choice(("auto", "auto", "br0"))
            argv = asking(ATTACH, self.br)
        if self.slot is not None:
            argv = [argv[0], argv[1], f"--slot={self.slot}", *argv[3:]]
        self.words = " ".join(argv[1:])
        self.took(self.tracer.start(*argv))

    def go_on(self, chance):
        draw = chance.random()
        if draw < 0.1:
            self.took(self.tracer.kill())
        elif draw < 0.3:
            self.took(self.tracer.go())
        else:
            self.took(self.tracer.to(self.at.index + chance.randint(1, FAR)))

    def took(self, event):
        self.at = event if isinstance(event, At) else None
        if self.at:
            return
        name = helper.NAMES.get(event.status)
        assert event.signal == 9 or name == "ok" or name in REFUSALS, (self, event)
        if event.signal == 9 and event.fd is not None:  # it was handed over before
            os.close(event.fd)
        elif event.fd is not None:
            assert self.fd is None
            self.fd, self.mac = event.fd, helper.parse_reply(event.message).mac
            os.set_blocking(self.fd, False)

    def __repr__(self):
        return f"{self.user} {self.words}{f' at {self.at.index}' if self.at else ''}"


# What the policy may say; "second" is a port of br0, "spare" of nothing
PLANS = {
    "patch": UPLINK,
    "patch by another card": "uplink spare\n",
    "host": UPLINK + "attach host\n",
    "none": "attach none\n",
    "join": "uplink second\n",
    "bridge": "uplink spare\nattach bridge\n",
}


def play(desk, chance, changes=False):
    runners = [Runner(desk, user, slot) for user in ("mac", "lisa") for slot in (0, 1)]
    runners += [Runner(desk, None), Runner(desk, None)]
    try:
        for _ in range(STEPS):
            one = chance.choice(runners)
            if changes and chance.random() < 0.1:
                desk.host.policy(POLICY + LIMITS + PLANS[chance.choice(list(PLANS))])
            if one.at:
                one.go_on(chance)
            elif one.fd is not None and chance.random() < 0.4:
                one.drop()
            else:
                one.begin(chance)
            guests = [runner for runner in runners if runner.fd is not None]
            assert len(guests) <= TOTAL, guests
            if guests and not changes and chance.random() < 0.3:
                guest = chance.choice(guests)
                desk.check_guest(guest.fd, guest.mac, guest.br, f"{guest} of {runners}")
        for one in runners:
            while one.at:
                one.took(one.tracer.go())
        desk.host.policy(POLICY + LIMITS + UPLINK)
        for guest in runners:
            if changes and guest.fd is not None and guest.br == "br0":
                guest.drop()  # or the others would not be given back what nobody asks for
        for guest in runners:
            if changes and guest.fd is not None:
                answer = helper.ask(desk.host, "--repair", f"--slot={guest.slot}", "--br=auto", user=guest.user)
                assert answer.status == 0, answer
        for guest in runners:
            if guest.fd is not None:
                desk.check_guest(guest.fd, guest.mac, guest.br, f"{guest} in the end")
    finally:
        for one in runners:
            one.close()
    desk.release("all")


def play_all(desk, **how):
    seed, end = SEED, time.monotonic() + SECONDS
    while seed == SEED or time.monotonic() < end:
        try:
            play(desk, random.Random(seed), **how)
        except Exception as error:
            raise AssertionError(f"with BASILISK_TAP_SEED={seed}: {error}") from error
        seed += 1
    print(f"{seed - SEED} numbers were played")
    desk.close()


@limit(120 + SECONDS)
def test_runs_that_are_stopped_and_resumed_at_random_disturb_nobody(world):
    play_all(Desk(world, UPLINK + LIMITS))


@limit(120 + SECONDS)
def test_policy_that_changes_while_runs_are_stopped_and_resumed_leaves_nothing(world):
    desk = Desk(world, UPLINK + LIMITS)
    desk.host.plug(world.lan(), "spare", address=0)
    desk.net.settle("spare")
    desk.before = desk.net.snapshot()
    play_all(desk, changes=True)
