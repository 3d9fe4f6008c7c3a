# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the documents say of options, exit statuses, variables, the policy and `ether`, held against
the programs: neither has one that the other lacks."""
import glob
import math
import os
import re
import shutil
import subprocess

import stand
from documents import blocks_of_page, unroff
from helper import HELPER
from station import Station
from world import REFUSE, TREE

COMMANDS = "run", "peers", "status", "chooser", "doctor", "mac"


def read(*path):
    with open(os.path.join(TREE, *path)) as file:
        return file.read()


def section(page, title):
    return re.search(rf"^\.Sh {title}\n(.*?)^\.Sh ", read("man", page), re.M | re.S)[1]


def blocks(page):
    """What stands in blocks of a page, as it is read."""
    for block in blocks_of_page(read("man", page).split("\n")):
        yield "".join(line + "\n" for _, line in block)


def options_of(page):
    """The long options that a page marks as such."""
    return set(re.findall(r"(?:\bFl|\|) -([a-z][a-z0-9-]*)", read("man", page)))


def options_in(text):
    return set(re.findall(r"--([a-z][a-z0-9-]*)", text))


def test_manual_pages_have_the_options_that_the_programs_have(world):
    host = world.host("desk")
    told = options_in(host.run(["basilisk-tap", "--help"]).stdout) | {"version"}
    for name in COMMANDS:
        told |= options_in(host.run(["basilisk-tap", name, "--help"]).stdout)
    page = options_of("basilisk-tap.1")
    # of the programs that `run` starts, and of the helper
    foreign = {"dump-peers", "ether"}
    assert told - foreign == page - foreign, told ^ page
    told = options_in(host.run([HELPER, "--help"]).stdout) | {"help", "version"}
    assert told == options_of("basilisk-tap-helper.8"), told ^ options_of("basilisk-tap-helper.8")


def test_completion_offers_what_there_is_and_nothing_else(world):
    host = world.host("desk")
    script = shutil.copy(os.path.join(TREE, "packaging/bash-completion"), world.path())

    def offered(*words):
        line = f". {script}; COMP_WORDS=({' '.join(words)} ''); COMP_CWORD={len(words)}; _basilisk_tap"
        done = host.run(["bash", "-c", line + '; echo "${COMPREPLY[@]}"'])
        assert done.returncode == 0 and not done.stderr, done
        return set(done.stdout.split())

    assert offered("basilisk-tap") == {*COMMANDS, "--help", "--version"}
    options = {"--" + option for option in options_of("basilisk-tap-helper.8")}
    assert offered(HELPER) == options, offered(HELPER) ^ options
    for name in set(COMMANDS) - {"run"}:  # which takes a program's name
        told = host.run(["basilisk-tap", name, "--help"]).stdout
        words = set(re.findall(r"^  (--[a-z-]+)", told, re.M)) | {"ping"} & {*told.split()}
        assert offered("basilisk-tap", name) == words, (name, offered("basilisk-tap", name) ^ words)
    assert "--count" in offered("basilisk-tap", "chooser", "ping")
    assert offered("basilisk-tap", "chooser", "--ether") == {"auto", "auto-bridge", "auto-p2p"}
    assert not offered("basilisk-tap", "mac", "--slot")


def test_programs_say_nothing_that_a_plain_terminal_lacks(world):
    """Names from the network apart, which are shown as they are."""
    rooms = "host", "helper", "report", "proto", "shim/*"
    sources = [path for room in rooms for path in glob.glob(os.path.join(TREE, room, "*.c"))]
    assert len(sources) > 70, sources
    for path in sources:
        code = re.sub(r"/\*.*?\*/", "", read(path), flags=re.S)
        assert code.isascii(), (path, re.findall(r".*[^\x00-\x7f].*", code))


def test_helpers_exit_statuses_are_those_of_its_page(world):
    said = world.host("desk").run([HELPER, "--help"]).stdout
    program = dict(re.findall(r"^  exit (\d+) +([a-z-]+):", said, re.M))
    page = re.findall(r"^\.It (\d+)\n\.Sy ([a-z-]+) :", read("man/basilisk-tap-helper.8"), re.M)
    assert len(program) > 20 and dict(page) == program, dict(page).items() ^ program.items()


def test_commands_exit_statuses_are_those_of_its_page(world):
    host = world.host("desk", world.lan(), policy=REFUSE)
    ways = {
        0: ["peers"],
        1: ["doctor"],
        2: ["heal"],
        3: ["status"],
        126: ["run", "/etc/passwd"],
        127: ["run", "--", "nosuchprogram"],
    }
    for status, words in ways.items():
        done = host.run(["basilisk-tap", *words], user="mac")
        assert done.returncode == status, (status, words, done)
    page = re.findall(r"^\.It (\d+)$", section("basilisk-tap.1", "EXIT STATUS"), re.M)
    assert [int(number) for number in page] == list(ways), page


def test_variables_that_are_read_are_documented(world):
    sources = glob.glob(glob.escape(TREE) + "/shim/*/*.[ch]")
    found = set()
    for path in sources:
        found |= set(re.findall(r'getenv\("([A-Z_]+)"\)', read(path)))
    found -= {"HOME", "PATH", "LD_PRELOAD"}
    assert {"BASILISK_TAP_LOG", "NO_COLOR"} <= found, found
    page = set(re.findall(r"^\.It Ev ([A-Z_]+)$", read("man/basilisk-tap.1"), re.M))
    assert found == page, found ^ page


def test_reasons_for_drops_are_those_of_the_manual(world):
    with Station(world.host("desk", world.lan()), "auto-p2p", debug=False) as mac:
        keys = mac.status()
    lists = {"drop-": "which reason:", "ignored-": "may be ignored, too:"}
    for prefix, before in lists.items():
        told = {key.removeprefix(prefix) for key in keys if key.startswith(prefix)}
        text = read("man/basilisk-tap.1")
        [listed] = re.findall(rf"{before}\n(.*?)^\.El$", text, re.M | re.S)
        page = re.findall(r"^\.It Sy (.*)$", listed, re.M)
        assert told == {word for words in page for word in words.split(" , ")}, (told, page)


def number(file, name):
    """What a file of the library defines it as."""
    value = re.search(rf"^#define {name}\s+\(?([0-9 *]+)", read("shim/lib", file), re.M)[1]
    return math.prod(map(int, value.split("*")))


def test_bounds_that_are_told_are_those_of_the_library(world):
    text = read("SECURITY.md")
    [told] = re.findall(r"^The bounds, for each emulator: .*?\n\n", text, re.M | re.S)
    told = " ".join(told.split())
    asks, rounds = number("confirm.h", "CONFIRM_RATE"), read("shim/lib/confirm_rounds.c")
    unknown = re.search(r"kind == CONFIRM_TO_UNKNOWN \? CONFIRM_RATE / (\d+)", rounds)
    again = re.search(r"unproven\[\] = \{ .*, (\d+)000 \}", rounds)
    peers = number("peers.h", "PEERS_MAX"), number("peers.h", "PEERS_UNPROVEN")
    looks = number("discovery_directory.h", "DIRECTORY_RATE")
    cached = number("discovery_core.c", "CACHE_MAX")
    shares, burst = {4: "a quarter"}, {1000: "a second"}
    for sentence in (
        f"{peers[0]:,} peers, {peers[1]:,} of them that",
        f"{number('peers.h', 'PEERS_BY_ADDRESS')} behind one address and port",
        f"{number('discovery_directory.h', 'DIRECTORY_MAX')} announced instances",
        f"looked at {looks} a second once {number('discovery_directory.h', 'DIRECTORY_BURST')}",
        f"{number('discovery_question.h', 'QUESTION_BYTES') >> 20} MB of their records",
        f"keeps {cached:,} records for each card and protocol",
        f"gets {shares[number('discovery_guard.h', 'GUARD_SHARE')]} of one processor",
        f"and {burst[number('discovery_guard.h', 'GUARD_BURST_MS')]} at once",
        f"At most {asks} confirmation requests a second go to peers, {asks} to those",
        f"{asks // int(unknown[1])} to unknown senders",
        f"({number('confirm.h', 'CONFIRM_BURST')} at once)",
        f"then one each {again[1]} s, and {number('send.c', 'UNPROVEN_RATE')} of the guest's",
        f"{number('confirm.h', 'CONFIRM_CLAIMS')} such addresses are remembered",
    ):
        assert sentence in told, sentence


def policies():
    """Each policy that a document shows."""
    readme = read("README.md")
    yield "README.md", re.search(r"\n\n((?:    (?:allow|deny) .*\n)(?:    .*\n)+)", readme)[1]
    for block in blocks("helper.conf.5"):
        if re.match("allow|deny", block):
            yield "man/helper.conf.5", block
    with_all = re.sub(r"^#(?=\w)", "", read("packaging/helper.conf"), flags=re.M)
    yield "packaging/helper.conf", with_all


def test_policies_that_are_shown_are_valid(world):
    host = world.host("desk")
    shown = list(policies())
    assert len(shown) == 4, shown
    for name, text in shown:
        host.policy("".join(line.strip() + "\n" for line in text.splitlines()))
        done = host.run([HELPER, "--check"], user="mac")
        assert done.returncode == 0 and "allowed" in done.stdout, (name, text, done)
    keywords = {line.split()[0] for _, text in shown for line in text.splitlines() if line.strip()}
    page = set(re.findall(r"^\.It Ic ([a-z-]+)", read("man/helper.conf.5"), re.M))
    assert page <= keywords, page - keywords


def test_bugs_that_fuzzers_found_have_the_tests_that_are_named(world):
    rows = [row.split(" | ") for row in read("tests/fuzz/bugs").splitlines() if row[:1] not in "#"]
    assert len(rows) > 5, rows
    for target, _, named in rows:
        path, _, test = named.partition("::")
        assert os.path.exists(os.path.join(TREE, f"tests/fuzz/fuzz_{target}.c")), target
        assert re.search(rf"^(START_TEST\(|def ){test}\(?[)w]", read(path), re.M), named


def test_table_of_modes_is_what_the_stands_are_held_to(world):
    """tests/lib/stand.py has whom each attachment reaches, and many tests try it."""
    readme = read("README.md")
    rows = re.findall(r"^\| `(\w+)` \|[^|\n]*" + 3 * r"\|([^|\n]*)" + r"\|$", readme, re.M)
    assert {row[0] for row in rows} == {*stand.POLICY, "no"}, rows
    for attach, others, host, lan in rows:
        assert (lan.strip() != "no") == (attach in stand.REACHES_LAN), (attach, lan)
        reached = host.strip() not in ("no", "by way of the LAN")
        assert reached == (attach in stand.REACHES_HOST), (attach, host)
        assert "UDP" in others or attach in stand.REACHES_LAN, (attach, others)


def test_values_of_ether_that_are_shown_are_understood(world):
    host = world.host("desk", world.lan())
    readme = read("README.md")
    shown = re.findall(r"`ether (auto[^`… ]*)`", readme)
    shown += re.findall(r"^\| `(auto[^`]*)`", readme, re.M)
    shown += re.findall(r"\bether (auto[a-z0-9/=,-]*)", unroff(read("man/basilisk-tap.1")))
    assert {"auto", "auto-p2p", "auto-bridge", "auto/slot=2,port=7000"} <= set(shown), shown
    for value in sorted(set(shown)):
        with Station(host, value, debug=False) as mac:
            [line] = mac.said()
            way = "peer to peer only" if "p2p" in value else "bridged to nic"
            # as README shows the line
            assert re.fullmatch(rf"basilisk-tap: {way}, MAC b2(:[0-9a-f]{{2}}){{5}}(: .*)?", line)


def test_page_of_the_library_has_the_functions_of_its_header(world):
    header = set(re.findall(r"\b(bt_\w+)\(", read("shim/lib/basilisk-tap.h")))
    synopsis = re.findall(r"^\.F[no] (bt_\w+)", section("libbasilisk-tap.3", "SYNOPSIS"), re.M)
    names = re.findall(r"^\.Nm (bt_\w+)", section("libbasilisk-tap.3", "NAME"), re.M)
    assert len(header) > 5 and header == set(synopsis) == set(names), (header, synopsis, names)


def test_example_in_the_librarys_page_is_built(world):
    [code] = [block for block in blocks("libbasilisk-tap.3") if block.startswith("#include")]
    source = world.path("example.c")
    with open(source, "w") as file:
        file.write(code)
    include = os.path.join(TREE, "shim/lib")
    argv = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", include, "-c", source]
    done = subprocess.run([*argv, "-o", world.path("example.o")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
