# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel tells of a process that stands still: /proc, read by root."""
import importlib.util
import os

from tracer import At
from world import TREE


def neighbour(name):
    """The module of another test file."""
    path = os.path.join(TREE, "tests", "net", name + ".py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def desk(world, **options):
    return world.host("desk", world.lan(), **options)


def status_of(pid):
    """{line: words} of /proc/PID/status."""
    with open(f"/proc/{pid}/status") as file:
        return {line.split(":")[0]: line.split(":")[1].split() for line in file}


def ids(found):
    return {int(n) for key in ("Uid", "Gid") for n in found[key]}


def capabilities(found):
    return {key: int(words[0], 16) for key, words in found.items() if key.startswith("Cap")}


def descriptors(pid):
    """{number: what it leads to}."""
    folder = f"/proc/{pid}/fd"
    return {int(fd): os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)}


def steps(tracer, argv):
    """Stop before each call; yields At, and at last End."""
    event = tracer.start(*argv)
    while isinstance(event, At):
        yield event
        event = tracer.to(event.index + 1)
    yield event


def close(end):
    if end.fd is not None:
        os.close(end.fd)
