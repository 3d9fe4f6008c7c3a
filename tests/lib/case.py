# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run the test functions of one file:  case.py FILE [BEGIN-OF-NAME...]   or   case.py --list FILE

Each test_*(world) gets a new World, which is closed after it.  One that is @over() some of
lib/ways.py is a test for each, as in test_NAME_by_setuid(world, way).

Prints `plan SECONDS NAME...`, how long all of them may take, and then one line for each test, which
tests/run counts: `ok NAME`, `FAIL NAME`, `skip NAME: reason`, then details, indented.
"""
import functools
import importlib.util
import os
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
LIMIT = 60  # seconds for one test function, unless @limit says otherwise
# Limits are for what hangs.  They are set on a machine with little else to do; any other has three
# times that.  How fast something has to be, where that is asked for, is said in the test.
PATIENCE = 3
SLOWER = int(os.environ.get("BASILISK_TAP_SLOWER", "1"))


class Skip(Exception):
    """This test cannot run here; the reason is the message."""


def needs(*checks):
    """Skip the test when one of the checks, functions as emulator.missing, gives a reason."""

    def decorate(function):
        @functools.wraps(function)
        def checked(world):
            for check in checks:
                reason = check()
                if reason:
                    raise Skip(reason)
            function(world)

        return checked

    return decorate


def limit(seconds):
    def decorate(function):
        function.limit = seconds
        return function

    return decorate


def load(path):
    name = os.path.basename(path)[:-3]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [value for name, value in vars(module).items() if name.startswith("test_")]
    return [test for function in found for test in variants(function)]


def over(*ways):
    def decorate(function):
        function.ways = ways
        return function

    return decorate


def variants(function):
    """The function itself, or where it is @over() some ways one for each."""

    def by(way):
        def test(world):
            with way.installed():
                function(world, way)

        test.__name__ = f"{function.__name__}_by_{way.name}"
        test.limit = getattr(function, "limit", LIMIT)
        return test

    return [by(way) for way in function.ways] if hasattr(function, "ways") else [function]


class TooLong(Exception):
    pass


def limit_of(function):
    return getattr(function, "limit", LIMIT) * PATIENCE * SLOWER


def too_long(*_):
    raise TooLong("over its time limit")


def run(function):
    """Run one test; return (word, reason, details)."""
    from world import World

    world = World()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit_of(function))
    try:
        function(world)
        return "ok", "", ""
    except Skip as skip:
        return "skip", f": {skip}", ""
    except Exception:
        signal.alarm(0)
        return "FAIL", "", traceback.format_exc() + world.story()
    finally:
        signal.alarm(0)
        world.close()


def main(path, names):
    failed = False
    tests = [t for t in load(path) if not names or t.__name__.startswith(tuple(names))]
    print("plan", sum(map(limit_of, tests)), *(test.__name__ for test in tests), flush=True)
    for function in tests:
        start = time.monotonic()
        word, reason, details = run(function)
        spent = f" ({time.monotonic() - start:.1f} s)" if word == "ok" else ""
        print(f"{word} {function.__name__}{reason}{spent}")
        for line in details.splitlines():
            print("    " + line)
        sys.stdout.flush()
        failed |= word == "FAIL"
    return 1 if failed else 0


if __name__ == "__main__":
    # Tests import this module by its name; they must get this one, not a second copy.
    sys.modules["case"] = sys.modules["__main__"]
    if sys.argv[1] == "--list":
        for test in load(sys.argv[2]):
            print(test.__name__)
    else:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
