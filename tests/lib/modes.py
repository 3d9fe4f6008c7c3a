# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways for the installed helper to come by its privilege other than setuid root, for a while."""
import contextlib
import errno
import os
import struct

from case import Skip
from world import World

NET_ADMIN = 1 << 12


@contextlib.contextmanager
def by_capability():
    """The installed helper, for a while, with a file capability in place of setuid."""
    path = World.place.helper
    os.chmod(path, 0o755)
    # struct vfs_cap_data, revision 2, effective: permitted 0x1000, no inheritable
    value = struct.pack("<IIIII", 0x02000001, NET_ADMIN, 0, 0, 0)
    try:
        os.setxattr(path, "security.capability", value)
        yield
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise Skip("no file capabilities on this file system") from error
        raise
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
