# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper with something going wrong at one of its calls, and what may come of it.

It says no in one of its documented ways, or it succeeds; and then the descriptor that it hands over
is a TAP through which frames pass.  It never ends by a signal, and never goes on for ever.  What it
leaves is no more than a kill leaves (test_helper_killed.py): a rerun completes it, and one
--release leaves the host as it was.
"""
import errno
import itertools
import os

from helper import NAMES, parse_reply
from netstate import difference
from shares import share_out
from stand import RELEASE, Stand
from tracer import At

ERRORS = errno.EPERM, errno.ENOMEM, errno.EBUSY, errno.EINTR, errno.ENODEV
REFUSALS = *ERRORS, errno.EOPNOTSUPP, errno.EEXIST, errno.ENOENT, errno.EINVAL
# What ends it before it can be sure of its streams, or that it is not root any more
SILENT = "hostile-start", "drop"
RTM_GETTFILTER = 46
GONE = errno.ENODEV, errno.ENOENT, errno.EINVAL  # the kernel's words for: there is none
# What the kernel never refuses, and memory, whose lack is libc's affair
NEVER_FAILS = {
    "exit_group", "getuid", "geteuid", "getgid", "getegid", "getppid", "gettid", "getpid", "umask",
    "brk", "mmap", "munmap", "mprotect", "close",
}  # fmt: skip


def check_end(end, what, is_release, check_guest):
    """That it is one that is allowed; returns its name. Closes what was handed over."""
    try:
        assert not end.stuck, "it did not end"
        assert end.signal is None and end.status in NAMES
        if end.status == 0 and not is_release:
            check_guest(end)
        else:
            assert end.fd is None, "a descriptor with a refusal"
            if end.message:
                assert parse_reply(end.message).code == NAMES[end.status]
            elif end.status and is_release:
                lines = len(end.stderr.splitlines())
                assert lines == 1 or not lines and NAMES[end.status] in SILENT
    except Exception as error:
        raise AssertionError(f"{what}: {error!r}: {end}") from error
    finally:
        if end.fd is not None:
            os.close(end.fd)
    return NAMES[end.status]


class Disturbed:
    """Runs of the helper with something going wrong, and what came of each."""

    def __init__(self, stand, argv):
        self.stand, self.argv = stand, argv
        self.tracer = stand.root if argv is RELEASE else stand.user
        self.known = []
        self.ends = set()
        self.acting = 0  # the number of the call where the network is first looked at
        self.own = 0
        self.usual = None  # what a run with nothing wrong leaves
        self.prepared = None  # what there was before it

    def close(self):
        self.stand.close()

    def begin(self):
        """A --release begins with an attachment; what did not get so far has left it there."""
        if self.argv is RELEASE and (not self.prepared or self.stand.state() != self.prepared):
            os.close(self.stand.attach().fd)

    def prepare(self):
        """The calls of a run with nothing wrong."""
        self.begin()
        self.prepared = self.stand.state()
        self.tracer.start(*self.argv)
        end = self.tracer.go()
        assert end.status == 0, end
        if end.fd is not None:
            os.close(end.fd)
        self.own, self.acting = first_own(end.calls), acting(end.calls)
        self.usual = self.stand.state()
        self.stand.check_released("a run with nothing wrong")
        return end.calls

    def run(self, index, disturb, what, gone=False):
        """disturb() is told the tracer when it stands before that call; gone: the helper is made to
        believe that something is not there any more, so that it does not take it down."""
        what = f"{self.argv[-1]}, call {index}, {what}"
        self.begin()
        self.tracer.start(*self.argv)
        at = self.tracer.to(index)
        assert isinstance(at, At), (what, at)
        end = disturb(self.tracer)
        if index < self.own and end.status not in NAMES:  # it was never the helper's turn
            assert end.fd is None and not end.message and not end.stuck, f"{what}: {end}"
            self.ends.add("not loaded")
        else:
            self.ends.add(check_end(end, what, self.argv is RELEASE, self.stand.check_guest))
        # before it acts it cannot know what there is, so that need not be taken down each time
        self.check_leftovers(end, what, index < self.acting, gone and index >= self.acting)

    def check_leftovers(self, end, what, may_stay, gone):
        stand = self.stand
        if self.argv is RELEASE and end.status == 0 and not gone:
            stand.check_as_before(what)
            return
        state = stand.state()
        if self.argv is RELEASE and may_stay:
            assert state == self.prepared, f"{what}:\n{difference(self.prepared, state)}"
            return
        if state not in self.known:
            self.known.append(state)
            stand.check_host_kept(state, what)
            end = stand.attach()
            stand.check_guest(end)
            os.close(end.fd)
        if state != stand.before and not (may_stay and state == self.usual):
            stand.check_released(what)


def disturb_all(world, attachment, argv, disturbances, way=None):
    """disturbances(calls) gives the arguments of Disturbed.run() for each run.  Returns how the runs
    ended."""

    def make():
        return Disturbed(Stand(world, attachment, way), argv)

    def jobs(calls, *others):
        for other in others:
            check_alike(other, calls)
        return disturbances(calls)

    return share_out(make, jobs)


def fail_everywhere(world, attachment, argv, begin, end=len, errors=ERRORS, way=None):
    """Each call from number begin(calls) to before end(calls) fails with each error; and those
    with which it acts once for all with EINTR."""

    def disturbances(calls):
        for index in range(begin(calls), end(calls)):
            if calls[index].name in NEVER_FAILS:
                continue
            ways = [(number, False) for number in errors]
            if index >= acting(calls):
                ways.append((errno.EINTR, True))
            for number, always in ways:
                what = f"{calls[index]}: {os.strerror(number)}{' from then on' * always}"
                yield index, failing(number, always), what, number == errno.ENODEV

    return disturb_all(world, attachment, argv, disturbances, way)


def failing(number, always):
    return lambda tracer: tracer.fail(number, always)


def refusing(number):
    return lambda tracer: tracer.refuse(number)


def refuse_everywhere(world, attachment, argv, errors=REFUSALS):
    """Each netlink request is answered by each error."""

    def disturbances(calls):
        for index, call in enumerate(calls):
            for number in errors if call.nl_type else ():
                if call.nl_type == RTM_GETTFILTER and number in (errno.ENOENT, errno.EINVAL):
                    continue  # which is no failure
                what = f"request {call.nl_type} refused: {os.strerror(number)}"
                yield index, refusing(number), what, number in GONE

    return disturb_all(world, attachment, argv, disturbances)


def check_alike(some, others):
    pairs = itertools.zip_longest(shape(some), shape(others))
    different = [(i, *pair) for i, pair in enumerate(pairs) if pair[0] != pair[1]]
    assert not different, different[:5]


def shape(calls):
    """What is the same of them in each run: most first arguments are addresses in memory, or
    descriptors whose numbers follow from how many it was started with."""
    return [(c.name, c.nl_type, c.path, (c.nl_type or c.name == "prctl") and c.fd) for c in calls]


def first(calls):
    return 0


def first_own(calls):
    """Where the helper's main() begins: it looks at its standard streams; the loader has done so
    before, if the program is setuid, and so has libcap-ng looked at its privileges."""
    last = max(i for i, call in enumerate(calls) if call.name == "prctl" and call.fd == 4)
    return max(i for i, c in enumerate(calls[: last + 1]) if (c.name, c.fd) == ("fcntl", 0))


def acting(calls):
    """Where the network is first looked at: what is before is the same for all attachments."""
    return next(i for i, call in enumerate(calls) if call.nl_type)


def moments(calls):
    """The calls with which it acts, but for those that read the first of an answer: the kernel has
    answered when it was asked, so before that is as before the next question."""
    return [
        index
        for index in range(acting(calls), len(calls))
        if calls[index].name != "recvmsg" or calls[index - 1].name == "recvmsg"
    ]
