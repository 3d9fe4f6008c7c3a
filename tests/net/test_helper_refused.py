# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, with the kernel refusing one of its netlink requests, each in turn and with each of
some errors; what may come of that is in lib/disturb.py.
"""
import errno

from case import limit
from disturb import refuse_everywhere
from stand import ATTACH, RELEASE

SOME = errno.EPERM, errno.ENOMEM, errno.EBUSY, errno.EINTR, errno.ENODEV


@limit(120)
def test_attach_by_patch_with_any_request_refused(world):
    ends = refuse_everywhere(world, "patch", ATTACH)
    assert {"ok", "system"} <= ends, ends


@limit(120)
def test_release_of_patch_with_any_request_refused(world):
    ends = refuse_everywhere(world, "patch", RELEASE)
    assert {"ok", "system"} <= ends, ends


@limit(120)
def test_attach_by_host_with_any_request_refused(world):
    refuse_everywhere(world, "host", ATTACH, SOME)


@limit(120)
def test_attach_by_none_with_any_request_refused(world):
    refuse_everywhere(world, "none", ATTACH, SOME)


@limit(120)
def test_attach_by_join_with_any_request_refused(world):
    refuse_everywhere(world, "join", ATTACH, SOME)


@limit(120)
def test_attach_by_bridge_with_any_request_refused(world):
    refuse_everywhere(world, "bridge", ATTACH, SOME)


@limit(120)
def test_release_of_bridge_with_any_request_refused(world):
    refuse_everywhere(world, "bridge", RELEASE, SOME)
