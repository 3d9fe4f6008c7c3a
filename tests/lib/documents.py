# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the documents show a reader to type: the commands in the blocks of Markdown files and manual
pages, and in their running text.

A block is one of commands if its first line begins with a program.  A command goes on in the next
line after a backslash.  What stands behind " #" is a comment, which may say NOT_RUN.
"""
import ast
import collections
import glob
import os
import re
import shutil

from world import TREE

NOT_RUN = "no test runs this"
Command = collections.namedtuple("Command", "text document line not_run inline")

# Programs that this machine need not have; any that it has is known by PATH.
PROGRAMS = set(
    "sudo make basilisk-tap basilisk-tap-helper BasiliskII SheepShaver apt adduser docker iptables"
    " dpkg-reconfigure systemctl setcap rmmod qemu-system-x86_64 cc clang lintian".split()
)
IN_TREE = ("tests/", "packaging/", ".ci/", "./")
INLINE = r"(sudo )?(man|make|basilisk-tap|basilisk-tap-helper|(tests|packaging|\.ci)/[\w./-]+) "
NO_PROGRAMS = {"join"}  # a word of the policy's, and of coreutils


def documents():
    found = [os.path.join(TREE, n) for n in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    found += [os.path.join(TREE, "packaging/README.md")]
    found += [os.path.join(TREE, "packaging/debian/basilisk-tap.README.Debian")]
    return found + sorted(glob.glob(glob.escape(TREE) + "/man/*.[1-8]"))


def is_command(line):
    words = line.split()
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    if not words or words[0] in NO_PROGRAMS:
        return False
    if words[0].startswith(IN_TREE) or words[0].startswith("/usr/"):
        return True
    return words[0] in PROGRAMS or bool(re.fullmatch(r"[a-z][\w.-]*", words[0])) and bool(
        shutil.which(words[0])
    )


def unroff(line):
    """A line of a manual page as it is read."""
    for code, sign in (("\\-", "-"), ("\\e", "\\"), ("\\(aq", "'"), ("\\(ti", "~"), ("\\&", "")):
        line = line.replace(code, sign)
    return line


def blocks_of_page(lines):
    """[[(number, line)]] of .Bd and .Dl; lines of .Dl that follow each other are one block."""
    block, literal = [], False
    for number, line in enumerate(lines, 1):
        if line.startswith(".Bd"):
            literal = True
        elif line.startswith(".Ed"):
            yield block
            block, literal = [], False
        elif literal or line.startswith(".Dl "):
            block.append((number, unroff(line if literal else line[4:])))
        elif block:
            yield block
            block = []


def blocks_of_text(lines):
    """Lines that are indented by four, after an empty line."""
    block, before = [], ""
    for number, line in enumerate([*lines, "."], 1):
        if line.startswith("    ") and (block or not before):
            block.append((number, line[4:]))
        elif block:
            yield block
            block = []
        before = line.strip()


def commands_of_block(block):
    if not is_command(block[0][1]):
        return
    text = start = None
    for number, line in block:
        if not line.strip():
            continue
        text, start = (text + " " + line.strip(), start) if text else (line.strip(), number)
        if text.endswith("\\"):
            text = text[:-1].rstrip()
            continue
        text, _, comment = text.partition("  #") if "  #" in text else text.partition(" # ")
        yield start, text.strip(), NOT_RUN in comment
        text = None


def inline_commands(lines, is_page):
    """In running text, where a command often is without its last words."""
    for number, line in enumerate(lines, 1):
        if is_page:
            codes = [unroff(re.sub(r"( [.,:;)])+$", "", line[4:]))] if line[:4] == ".Ql " else []
        else:
            codes = [] if line.startswith("    ") else re.findall(r"`([^`]+)`", line)
        for code in codes:
            if re.match(INLINE, code) and "…" not in code:
                yield number, code


def commands(path):
    """All Commands of a document."""
    with open(path) as file:
        lines = file.read().split("\n")
    name = os.path.relpath(path, TREE)
    is_page = bool(re.search(r"\.[1-8]$", path))
    for block in (blocks_of_page if is_page else blocks_of_text)(lines):
        for number, text, not_run in commands_of_block(block):
            yield Command(text, name, number, not_run, False)
    for number, text in inline_commands(lines, is_page):
        yield Command(text, name, number, False, True)


def all_commands():
    return [command for path in documents() for command in commands(path)]


def shown(text):
    """That command, which some document must show; for a test that runs it as it stands there."""
    assert any(command.text == text for command in all_commands()), f"no document shows: {text}"
    return text


def commands_that_tests_run():
    """What tests get by shown("…")."""
    found = set()
    for path in glob.glob(glob.escape(TREE) + "/tests/*/test_*.py"):
        with open(path) as file:
            tree = ast.parse(file.read())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "shown":
                found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return found


def typed(host, text, user="mac", folder=None, **options):
    """Type that into a shell of the user's; what sudo would do is done, as sudo is not there."""
    root = text.startswith("sudo ")
    text = text.removeprefix("sudo ")
    env = {"USER": user, **options.pop("env", {})}
    script = f'cd "$0" && {text}' if folder else text
    argv = ["sh", "-c", script, *([folder] if folder else [])]
    return host.run(argv, user=None if root else user, env=env, **options)
