# SPDX-License-Identifier: LGPL-2.1-or-later
"""The documents: each command they show is run by a test as it stands there, or says that it is not;
files that they name are there; manual pages are well made.

A test runs a shown command by shown("…"), which is how it is known here; those of tests/vm, which are
no tests of `make check`, have it word for word.
"""
import glob
import os
import re
import shutil
import subprocess

import documents
import emulator
from case import limit, needs
from documents import all_commands, shown, typed
from emulator import Emulator
from helper import taps
from proc import wait_until
from station import Station
from wire import Wire
from world import BUILD, TREE, USERS

SEARCH = ["Makefile"]
for pattern in ("packaging/*.mk", "tests/*.mk", "tests/*/*.mk"):
    SEARCH += sorted(glob.glob(pattern, root_dir=TREE))


def read(*path):
    with open(os.path.join(TREE, *path)) as file:
        return file.read()


# ---- what shows that a command was tried
RUN_BY = {  # goals of make that are run by something else than .ci/run itself
    "deb": "packaging/rules.mk",
    "rpm": "packaging/rules.mk",
    "arch": "packaging/rules.mk",
    "unit": "tests/rules.mk",
    "install": "tests/lib/world.py",
    "install-more": "packaging/debian/rules",
}


def goals(text):
    words = text.removeprefix("sudo ").split()[1:]
    return [w for w in words if "=" not in w and not w.startswith("-") and w != "all"]


def made_by_ci(text, marked):
    """A call of make whose goals are each run by the CI, or said not to be."""
    for goal in goals(text):
        known = re.compile(rf"(?<![-\w]){re.escape(goal)}(?![-\w])")
        if not re.search(rf"^{re.escape(goal)}:", "".join(map(read, SEARCH)), re.MULTILINE):
            return False  # there is no such goal
        if goal in marked or known.search(read(".ci/run")):
            continue
        if goal not in RUN_BY or not known.search(read(RUN_BY[goal])):
            return False
    return True


def installed_by_ci(text):
    """packaging/deps.sh GROUP...: each group is one that the CI or a goal of make installs."""
    groups = set(text.split("deps.sh ")[1].split())
    lines = re.findall(r"deps\.sh ([a-z ]+)", "".join(map(read, (*SEARCH, ".ci/run"))))
    return groups <= {group for line in lines for group in line.split()}


def is_test_run(text):
    """tests/run FILE...: as the CI runs it, and this test as well."""
    names = text.split("tests/run")[1].split()
    return all(glob.glob(os.path.join(TREE, name.partition("::")[0])) for name in names)


def typed_in_vm():
    """What `make check-vm` does in a Debian with its own kernel and systemd."""
    return "".join(map(read, glob.glob("tests/vm/*.py", root_dir=TREE)))


def is_tried(command, run, marked):
    text = command.text.removeprefix("sudo ")
    if command.not_run or command.text in run:
        return True
    if text.startswith("systemctl "):
        return text in typed_in_vm()
    if command.inline and any((known + " ").startswith(text + " ") for known in run):
        return True
    if re.match(r"make( |$)", text) and "&&" not in text:
        return made_by_ci(text, marked)
    if text.startswith("packaging/deps.sh "):
        return installed_by_ci(text)
    if command.inline and os.path.exists(os.path.join(TREE, text.split()[0])):
        return text.split()[0] in "".join(map(read, (*SEARCH, ".ci/run")))  # what a goal calls
    if re.match(r"(make unit && )?tests/run ", text):
        return is_test_run(text)
    return text == ".ci/run"


def test_every_command_that_is_shown_is_run_by_a_test_or_says_that_it_is_not(world):
    commands = all_commands()
    run = documents.commands_that_tests_run()
    run |= {text.removeprefix("sudo ") for text in run}
    marked = {
        goal for c in commands if c.not_run and " make " in f" {c.text}" for goal in goals(c.text)
    }
    untried = [c for c in commands if not is_tried(c, run, marked)]
    assert not untried, "\n".join(
        f"{c.document}:{c.line}: `{c.text}`: run it in a test by shown(\"…\"), or write"
        f' "# {documents.NOT_RUN}" behind it'
        for c in untried
    )
    # the reader of documents.py has not gone blind
    texts = {c.text for c in commands}
    assert {"make", "sudo make check", "basilisk-tap doctor"} <= texts and len(texts) > 40, texts


# ---- the commands
HELPER = "/usr/local/lib/basilisk-tap/basilisk-tap-helper"


def test_what_is_shown_for_looking_at_it_works(world):
    lan = world.lan()
    host, other = world.host("desk", lan), world.host("attic", lan)
    other.run(["true"])
    with Station(host) as mac, Station(other, "auto-p2p") as peer:
        mac.await_peer(peer.mac)
        own, theirs = mac.mac.hex(":"), peer.mac.hex(":")
        for text, word in (
            (shown("basilisk-tap peers"), theirs),
            (shown("basilisk-tap status"), f"bridged, MAC {own}"),
            (shown("basilisk-tap doctor"), "`ether auto` here: bridged to "),
            (shown("basilisk-tap mac"), own[:-1]),
            (shown("basilisk-tap-helper --status"), own),
            (shown("basilisk-tap --version"), "basilisk-tap 0."),
            (shown("/usr/local/lib/basilisk-tap/basilisk-tap-helper --status"), own),
            (shown("basilisk-tap-helper --check"), "allowed by /etc/basilisk-tap/helper.conf:1"),
        ):
            done = typed(host, text)
            assert done.returncode == 0 and word in done.stdout, (text, done)
        check = shown("basilisk-tap-helper --check [--user NAME]")
        done = typed(host, check.replace("[--user NAME]", "--user guest"))
        assert done.returncode == 3 and "user 7002: denied" in done.stdout, done
        done = typed(host, shown("basilisk-tap chooser"))
        assert done.returncode == 3 and "joined AppleTalk as" in done.stderr, done
        done = typed(host, shown("sudo basilisk-tap-helper --release"))
        assert done.returncode == 19 and "btap" in done.stderr, done
    wait_until(lambda: not taps(host), what="the end of the TAP")
    assert typed(host, shown("sudo basilisk-tap-helper --release")).returncode == 0
    assert "bthub" not in host.links()


def as_typed(*lines):
    """For Emulator(run=): the last of what a user types starts the emulator, however it is named."""
    return "sh", "-c", "shift; " + "; ".join(lines) + ' "$@"', "sh"


@needs(emulator.missing)
def test_emulator_is_started_as_shown_with_its_prefs_as_shown(world):
    lan = world.lan()
    host = world.host("desk", lan)
    prefs = shown("echo 'ether auto' >> ~/.basilisk_ii_prefs")
    with Wire(world.host("machine", lan)) as wire:
        start = shown("basilisk-tap run -- BasiliskII")
        mac = Emulator(host, ether="none", run=as_typed(prefs, start))
        mac.hello(wire)
        assert "bridged to nic" in mac.opened(), mac.stderr
        mac.quit(wire)
        # one that the user has built, in the folder where he is
        start = shown("basilisk-tap run -- ./BasiliskII")
        own = f'cp {emulator.BINARY} "$HOME/BasiliskII"; cd "$HOME"'
        mac = Emulator(host, run=as_typed(own, start))
        mac.hello(wire)
        assert "bridged to nic" in mac.opened(), mac.stderr
        mac.quit(wire)


def copy_of_tree(world, *built):
    """The sources where a host sees them; as build/, of what is tested, its files and these folders."""
    copy = world.path("tree")
    leave = shutil.ignore_patterns("build", ".git")
    shutil.copytree(TREE, copy, ignore=leave, symlinks=True)
    os.mkdir(copy + "/build")
    for path in glob.glob(glob.escape(BUILD) + "/*") if built else ():
        name = os.path.basename(path)
        if os.path.isfile(path):
            shutil.copy2(path, copy + "/build")
        elif name in built:
            shutil.copytree(path, f"{copy}/build/{name}")
    subprocess.run(["chown", "-R", str(USERS["mac"][0]), copy], check=True)  # who types "make"
    return copy


def stranger_to_us(world):
    """A machine that has nothing of ours yet: no /usr/local, no policy, no group, no user."""
    host = world.host("fresh", world.lan(), policy=None)

    def strip():
        import ns

        ns.mount("tmpfs", "/usr/local", "tmpfs", data="mode=755")
        for name in ("passwd", "group"):
            with open("/etc/" + name) as file:
                lines = [x for x in file if not re.match("netdev:|_basilisk-tap:", x)]
            with open("/etc/" + name, "w") as file:
                file.writelines(lines)

    host.inside(strip)
    return host


@limit(180)
def test_installation_from_the_source_works_as_shown_and_is_undone_as_shown(world):
    host = stranger_to_us(world)

    tree = copy_of_tree(world, "proto", "host", "helper", "shim", "gen")

    def do(text, folder=tree):
        done = typed(host, text, folder=folder, seconds=500)
        assert done.returncode == 0, (text, done)
        return done.stdout

    before = do("find /usr/local ! -type d")
    for text in (
        shown("make"),
        shown("sudo make install"),
        shown("sudo groupadd --system --force netdev"),
        shown('sudo usermod -aG netdev "$USER"'),
        shown(
            "sudo useradd --system --user-group --no-create-home --shell /usr/sbin/nologin"
            " _basilisk-tap"
        ),
    ):
        do(text)
    group = do("getent group netdev")
    assert group.strip().endswith(":mac"), group
    gid = int(group.split(":")[2])
    assert do("stat -c %a-%u " + HELPER) == "4755-0\n"
    login = ["setpriv", f"--reuid={USERS['mac'][0]}", f"--regid={USERS['mac'][0]}"]
    login += [f"--groups={gid}", "--"]
    done = host.run([*login, "basilisk-tap-helper", "--check"])
    assert done.returncode == 0, done
    completion = "/usr/local/share/bash-completion/completions/basilisk-tap"
    words = "COMP_WORDS=(basilisk-tap do); COMP_CWORD=1; _basilisk_tap; echo $COMPREPLY"
    assert do(f"bash -c '. {completion}; {words}'") == "doctor\n"
    do(shown("setcap cap_net_admin+ep /usr/local/lib/basilisk-tap/basilisk-tap-helper").replace(
        "setcap", "sudo setcap"))  # fmt: skip
    assert "cap_net_admin=ep" in do("/usr/sbin/getcap " + HELPER)
    # an emulator's author
    work = world.path("work")
    shutil.copytree(os.path.join(TREE, "shim/example"), work)
    os.chown(work, USERS["mac"][0], -1)
    do(shown("cc echo.c -o echo $(pkg-config --cflags --libs libbasilisk-tap)"), folder=work)
    do("LD_LIBRARY_PATH=/usr/local/lib ldd ./echo | grep libbasilisk-tap.so.0", folder=work)
    # a reader of the tree; groff's troff is no business of a sanitizer that others have preloaded
    assert "THE WAY OF A FRAME" in do("unset LD_PRELOAD; " + shown("man man/basilisk-tap-how.7"))
    # and back
    for text in (
        shown("sudo basilisk-tap-helper --release"),
        shown("sudo make uninstall"),
        shown("sudo rm -r /etc/basilisk-tap"),
        shown("sudo userdel _basilisk-tap"),
    ):
        do(text)
    assert do("find /usr/local ! -type d") == before
    assert host.run(["test", "-e", "/etc/basilisk-tap"]).returncode == 1
    assert "_basilisk-tap" not in do("getent passwd; getent group")


def test_clean_leaves_the_sources_alone(world):
    copy = copy_of_tree(world)
    files = set(glob.glob(copy + "/**", recursive=True)) - {copy + "/build"}
    done = subprocess.run(["sh", "-c", shown("make clean")], cwd=copy, capture_output=True)
    assert done.returncode == 0, done
    assert set(glob.glob(copy + "/**", recursive=True)) == files


# ---- the rest of the words
def test_files_that_documents_name_are_there(world):
    top = "helper|shim|proto|man|tests|packaging"
    named = re.compile(rf"(?:`|\.Pa )((?:{top})/[\w./@*-]*[\w*])")
    missing = []
    for path in documents.documents():
        for name in named.findall(read(path).replace("test_NAME", "test_*")):
            if not glob.glob(os.path.join(TREE, name)) and "NAME" not in name:
                missing.append(f"{os.path.relpath(path, TREE)}: {name}")
    assert not missing, missing


def pages_missing():
    return next((f"no {p}" for p in ("mandoc", "man") if not shutil.which(p)), None)


@needs(pages_missing)
def test_manual_pages_are_well_made(world):
    pages = sorted(glob.glob(glob.escape(TREE) + "/man/*.[1-8]"))
    assert len(pages) >= 9, pages
    for page in pages:
        done = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True
        )
        assert done.returncode == 0 and not done.stdout + done.stderr, done
        env = {**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
        argv = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page]
        done = subprocess.run(argv, capture_output=True, text=True, env=env)
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_manual_pages_that_are_referred_to_are_there(world):
    own = {os.path.basename(p) for p in glob.glob(glob.escape(TREE) + "/man/*.[1-8]")}
    for path in documents.documents():
        text = read(path)
        found = re.findall(r"\b((?:lib)?basilisk-tap[a-z-]*|helper\.conf)\((\d)\)", text)
        found += re.findall(r"^\.Xr ((?:lib)?basilisk-tap[a-z-]*|helper\.conf) (\d)", text, re.M)
        for name, section in found:
            assert f"{name}.{section}" in own, (path, name, section)
    readme = read("README.md")
    for page in own:
        name, _, section = page.rpartition(".")
        assert f"{name}({section})" in readme, f"README.md does not name {page}"
