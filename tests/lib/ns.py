# SPDX-License-Identifier: LGPL-2.1-or-later
"""Linux namespaces for one thread, and the few calls that Python 3.11 has no name for.

Relies on root.  A thread changes its own namespaces only: in_new() and in_ns() run a function in a
thread of its own that ends with it, so the program's other threads never move.
"""
import ctypes
import fcntl
import os
import socket
import struct
import threading
import time

CLONE_NEWTIME = 0x00000080
CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWNET = 0x40000000

SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_RUNNING = 0x40

MS_NOSUID = 2
MS_NODEV = 4
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)
_FILES = {"mnt": CLONE_NEWNS, "net": CLONE_NEWNET, "uts": CLONE_NEWUTS}


def _call(name, *args):
    if getattr(_libc, name)(*args) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{args}: {os.strerror(number)}")


def mount(source, target, kind=None, flags=0, data=None):
    def encoded(text):
        return text.encode() if text is not None else None

    _call("mount", encoded(source), encoded(target), encoded(kind), flags, encoded(data))


def bind(source, target):
    mount(source, target, flags=MS_BIND)


def sethostname(name):
    _call("sethostname", name.encode(), len(name.encode()))


def _in_thread(function):
    outcome = []

    def body():
        try:
            outcome.append((function(), None))
        except BaseException as error:  # handed to the caller whole
            outcome.append((None, error))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error:
        raise error
    return value


def in_new(kinds, function):
    """Make new namespaces ("net", "mnt", "uts"), run function in them; return their descriptors."""

    def body():
        flags = 0
        for kind in kinds:
            flags |= _FILES[kind]
        _call("unshare", flags)
        if "mnt" in kinds:
            mount(None, "/", flags=MS_REC | MS_PRIVATE)
        function()
        return {k: os.open(f"/proc/thread-self/ns/{k}", os.O_RDONLY | os.O_CLOEXEC) for k in kinds}

    return _in_thread(body)


def in_ns(descriptors, function):
    """Run function in the namespaces {kind: descriptor}; return what it returns."""

    def body():
        if "mnt" in descriptors:
            _call("unshare", CLONE_FS)  # a root and a working directory of its own
        for kind, descriptor in descriptors.items():
            _call("setns", descriptor, _FILES[kind])
        return function()

    return _in_thread(body)


def up_for(seconds):
    """The descriptor of a time namespace in which the machine was started so long ago.  For programs:
    this one has threads, which the kernel does not let in."""

    def body():
        _call("unshare", CLONE_NEWTIME)
        with open(f"/proc/{threading.get_native_id()}/timens_offsets", "w") as file:
            file.write(f"monotonic {int(seconds - time.monotonic())} 0")
        return os.open("/proc/thread-self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)

    return _in_thread(body)


def passes_frames(card):
    """True once the kernel has done what a card that is up needs, which it does when it finds time:
    until then a frame is dropped, as by a bridge that does not know yet that its port has a carrier."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = bytearray(struct.pack("16s24x", card.encode()))
        fcntl.ioctl(sock, SIOCGIFFLAGS, request)
        if not struct.unpack_from("H", request, 16)[0] & IFF_RUNNING:
            return False
        fcntl.ioctl(sock, SIOCSIFFLAGS, request)  # changes nothing, but waits for who is changing it
        return True


def is_chroot():
    """True where "/" is not that of the mount namespace: to enter one is then to leave the chroot, and
    what was meant for a file in it would be written into the machine's own."""

    def place():
        root = os.open("/", os.O_PATH)
        try:
            status = os.fstat(root)
            with open(f"/proc/thread-self/fdinfo/{root}") as file:
                mount = next(line for line in file if line.startswith("mnt_id:"))
            return mount, status.st_dev, status.st_ino
        finally:
            os.close(root)

    fd = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return in_ns({"mnt": fd}, place) != place()
    finally:
        os.close(fd)
