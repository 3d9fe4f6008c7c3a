# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper with something going wrong at one of its calls, and what may come of it.

It says no in one of its documented ways, or it succeeds; and then the descriptor that it hands over
is a TAP through which frames pass.  It never ends by a signal, and never goes on for ever.  What it
leaves is no more than a kill leaves (test_helper_killed.py): a rerun completes it, and one
--release leaves the host as it was.
"""
import errno
import os

from helper import NAMES, parse_reply
from stand import RELEASE, Stand
from tracer import At

ERRORS = errno.EPERM, errno.ENOMEM, errno.EBUSY, errno.EINTR, errno.ENODEV
REFUSALS = *ERRORS, errno.EOPNOTSUPP, errno.EEXIST, errno.ENOENT, errno.EINVAL
# What ends it before it can be sure of its streams, or that it is not root any more
SILENT = "hostile-start", "drop"
WRONG_MAX = 20
RTM_GETTFILTER = 46
# What the kernel never refuses, and memory, whose lack is libc's affair
NEVER_FAILS = {
    "exit_group", "getuid", "geteuid", "getgid", "getegid", "getppid", "gettid", "getpid", "umask",
    "brk", "mmap", "munmap", "mprotect", "close",
}  # fmt: skip


class Disturbed:
    """Runs of the helper with something going wrong, and what came of each."""

    def __init__(self, stand, argv):
        self.stand, self.argv = stand, argv
        self.tracer = stand.root if argv is RELEASE else stand.user
        self.known = []
        self.ends = set()
        self.acting = 0  # the number of the call where the network is first looked at
        self.usual = None  # what a run with nothing wrong leaves

    def prepare(self):
        if self.argv is RELEASE:
            end = self.stand.attach()
            os.close(end.fd)

    def calls(self):
        """Of a run with nothing wrong."""
        self.prepare()
        self.tracer.start(*self.argv)
        end = self.tracer.go()
        assert end.status == 0, end
        if end.fd is not None:
            os.close(end.fd)
        self.acting, self.usual = acting(end.calls), self.stand.state()
        self.stand.check_released("a run with nothing wrong")
        return end.calls

    def run(self, index, disturb, what):
        """disturb() is told the tracer when it stands before that call."""
        self.prepare()
        self.tracer.start(*self.argv)
        at = self.tracer.to(index)
        assert isinstance(at, At), (what, at)
        end = disturb(self.tracer)
        self.check_end(end, what)
        # before it acts it cannot know what there is, so that need not be taken down each time
        self.check_leftovers(what, index < self.acting)

    def check_end(self, end, what):
        assert not end.stuck, f"{what}: it did not end: {end}"
        assert end.signal is None, f"{what}: {end}"
        assert end.status in NAMES, f"{what}: {end}"
        self.ends.add(NAMES[end.status])
        try:
            if self.argv is not RELEASE and end.status == 0:
                self.stand.check_guest(end)
            else:
                assert end.fd is None, f"{what}: a descriptor with a refusal: {end}"
                if end.message:
                    assert parse_reply(end.message).code == NAMES[end.status], (what, end)
                elif end.status and self.argv is RELEASE:
                    lines = len(end.stderr.splitlines())
                    assert lines == 1 or not lines and NAMES[end.status] in SILENT, (what, end)
        except Exception as error:
            raise AssertionError(f"{what}: {end}") from error
        finally:
            if end.fd is not None:
                os.close(end.fd)

    def check_leftovers(self, what, may_stay):
        stand = self.stand
        state = stand.state()
        if state not in self.known:
            self.known.append(state)
            stand.check_host_kept(state, what)
            end = stand.attach()
            stand.check_guest(end)
            os.close(end.fd)
        if state != stand.before and not (may_stay and state == self.usual):
            stand.check_released(what)


def disturb_all(world, attachment, argv, disturbances, way=None):
    """disturbances(calls) gives (index, function of the tracer, what it is) for each run.  Returns
    how the runs ended; what went wrong is collected, and told in the end."""
    stand, wrong = Stand(world, attachment, way), []
    disturbed = Disturbed(stand, argv)
    ends = disturbed.ends
    for index, disturb, what in disturbances(disturbed.calls()):
        what = f"{argv[-1]}, call {index}, {what}"
        try:
            disturbed.run(index, disturb, what)
        except Exception as error:
            wrong.append(f"{what}: {error}")
            stand.close()
            stand = Stand(world, attachment, way)  # the other one is no longer as it was
            disturbed = Disturbed(stand, argv)
        if len(wrong) == WRONG_MAX:
            break
    stand.close()
    assert not wrong, "\n".join(wrong)
    return ends


def fail_everywhere(world, attachment, argv, first, last=len, errors=ERRORS, way=None):
    """Each call from number first(calls) to before last(calls) fails with each error; and those
    with which it acts once for all with EINTR."""

    def disturbances(calls):
        for index in range(first(calls), last(calls)):
            if calls[index].name in NEVER_FAILS:
                continue
            ways = [(number, False) for number in errors]
            if index >= acting(calls):
                ways.append((errno.EINTR, True))
            for number, always in ways:
                what = f"{calls[index]}: {os.strerror(number)}{' from then on' * always}"
                yield index, lambda tracer: tracer.fail(number, always), what

    return disturb_all(world, attachment, argv, disturbances, way)


def refuse_everywhere(world, attachment, argv, errors=REFUSALS):
    """Each netlink request is answered by each error."""

    def disturbances(calls):
        for index, call in enumerate(calls):
            for number in errors if call.nl_type else ():
                if call.nl_type == RTM_GETTFILTER and number in (errno.ENOENT, errno.EINVAL):
                    continue  # the kernel's word for: there is none, which is no failure
                what = f"request {call.nl_type} refused: {os.strerror(number)}"
                yield index, lambda tracer: tracer.refuse(number), what

    return disturb_all(world, attachment, argv, disturbances)


def first_own(calls):
    """Where the helper's main() begins: it looks at its standard streams; the loader has done so
    before, if the program is setuid, and so has libcap-ng looked at its privileges."""
    last = max(i for i, call in enumerate(calls) if call.name == "prctl" and call.fd == 4)
    return max(i for i, c in enumerate(calls[: last + 1]) if (c.name, c.fd) == ("fcntl", 0))


def acting(calls):
    """Where the network is first looked at: what is before is the same for all attachments."""
    return next(i for i, call in enumerate(calls) if call.nl_type)
