# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames with a number in them, between Stations: who got which, how often, and by which way."""
import time

from proc import late, wait_until
from wire import BROADCAST

ETYPE = b"\x88\xb5"
OTHER = 1 << 24  # from this number on: frames that check_all_pairs() does not count
SETTLED = 0.4  # seconds without a frame: nothing more is on its way that nobody waits for
ARRIVED = 15  # seconds for what is waited for


def frame(target, source, number):
    return target + source + ETYPE + b"TEST" + number.to_bytes(4, "big") + bytes(42)


def number_of(received, source):
    if received[6:12] == source and received[12:18] == ETYPE + b"TEST":
        return int.from_bytes(received[18:22], "big")
    return None


def numbers_until(last, to, source, seconds=ARRIVED):
    """The numbers of the frames from that MAC in the order in which they come, until the last one
    has, and those behind it."""
    got, start = [], time.monotonic()
    while last not in got and not late(start, seconds):
        got += [number_of(received, source) for received in to.frames(0.1)]
    got += [number_of(received, source) for received in to.frames(SETTLED)]
    return [number for number in got if number is not None]


def collect(stations, seconds=SETTLED):
    """{(receiver, sender, number): how often} of all test frames, until nothing comes any more."""
    seen = {}
    for to in stations:
        for got in to.frames(seconds):
            for source in stations:
                number = number_of(got, source.mac)
                if number is not None and number < OTHER:
                    key = (to.card, source.card, number)
                    seen[key] = seen.get(key, 0) + 1
    return seen


def pairs(stations):
    return [(a, b) for a in stations for b in stations if a is not b]


def await_all_know_all(stations, seconds=10):
    """Every way between two that have no common TAP is confirmed; every TAP way is measured."""

    def known():
        for a in stations:
            peers = a.status()["peer"]
            for b in stations:
                if b is not a and peers.get(b.mac, {"proven": "0"})["proven"] != "1":
                    return False
        return True

    wait_until(known, seconds, "all know all", step=0.05)


def check_none_gone(station, others):
    """It never gave one of them up."""
    alive = [other.mac.hex(":") for other in others]
    for line in station.said():
        assert "gone" not in line or not any(mac in line for mac in alive), line


def await_ways(stations, ways, seconds=10):
    """ways(a, b) is "tap" or "tunnel": await that each has found out."""

    def settled():
        for a in stations:
            peers = a.status()["peer"]
            for b in stations:
                if b is not a and peers.get(b.mac, {"way": ""})["way"] != ways(a, b):
                    return False
        return True

    wait_until(settled, seconds, "the ways between all", step=0.05)


def collect_all(stations, expected, seconds):
    """The same; what is expected is waited for, and then for what is not."""
    got, start = {}, time.monotonic()
    while True:
        for key, times in collect(stations).items():
            got[key] = got.get(key, 0) + times
        if not set(expected) - set(got) or late(start, seconds):
            return got


def check_all_pairs(stations, seconds=ARRIVED):
    """Unicast and broadcast between all: each frame exactly once, and to no one else."""
    for to in stations:
        to.drain()
    for number, (source, to) in enumerate(pairs(stations)):
        source.send(frame(to.mac, source.mac, number))
    expected = {(b.card, a.card, n): 1 for n, (a, b) in enumerate(pairs(stations))}
    got = collect_all(stations, expected, seconds)
    assert got == expected, difference(got, expected)
    for number, source in enumerate(stations):
        source.send(frame(BROADCAST, source.mac, 1000 + number))
    expected = {
        (b.card, a.card, 1000 + n): 1
        for n, a in enumerate(stations)
        for b in stations
        if a is not b
    }
    got = collect_all(stations, expected, seconds)
    assert got == expected, difference(got, expected)


def difference(got, expected):
    lines = [f"{key}: {got.get(key, 0)} times, not {expected.get(key, 0)}"
             for key in sorted({*got, *expected}) if got.get(key) != expected.get(key)]  # fmt: skip
    return "; ".join(lines)
