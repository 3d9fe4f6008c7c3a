# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways for the installed helper to come by its privilege other than setuid root, for a while."""
import contextlib
import errno
import os
import shutil
import struct

import ns
from case import Skip
from helper import HELPER
from world import World

NET_ADMIN = 1 << 12


def give_capability(path):
    # struct vfs_cap_data, revision 2, effective: permitted 0x1000, no inheritable
    value = struct.pack("<IIIII", 0x02000001, NET_ADMIN, 0, 0, 0)
    try:
        os.setxattr(path, "security.capability", value)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise Skip("no file capabilities on this file system") from error
        raise


def private_helper(host, way):
    """That host has a helper of its own from now on: "capability", or "socket", without privilege."""
    path = host.world.path("helper-" + host.name)
    shutil.copyfile(World.place.helper, path)
    os.chmod(path, 0o755)
    if way == "capability":
        give_capability(path)
    host.inside(lambda: ns.bind(path, HELPER))


@contextlib.contextmanager
def by_capability():
    """The installed helper, for a while, with a file capability in place of setuid."""
    path = World.place.helper
    os.chmod(path, 0o755)
    try:
        give_capability(path)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.removexattr(path, "security.capability")
        os.chmod(path, 0o4755)


@contextlib.contextmanager
def without_privilege():
    """The installed helper, for a while, as it lies on a nosuid disk."""
    path = World.place.helper
    os.chmod(path, 0o755)
    try:
        yield
    finally:
        os.chmod(path, 0o4755)
