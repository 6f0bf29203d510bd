# SPDX-License-Identifier: Apache-2.0
"""`seed-init set-default` changes the defaults file, but only as the contract allows."""

import argparse
import os
import stat
import sys
from pathlib import Path

from seed_init.cli import printing
from seed_init.cli.errors import CommandError
from seed_init.hook import refusals, startup, strictness
from seed_init.installing import placement
from seed_init.system import writing
from seed_init.system.terminal import one_line

Change = tuple[str, str, str]
"""A name, the old value and the new value of that name; "" stands for no value."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `set-default` to its parser."""
    parser.description = (
        "Set variables in the defaults file, which holds where a job's environment "
        "says nothing. Comments, order and other lines are kept. Exit status 78, and nothing is "
        f"written, for what is not in the contract. The file is the one that this Python reads: "
        f"PREFIX{startup.DEFAULTS} if it is there (PREFIX: sys.prefix), or else "
        f"{startup.DEFAULTS}. Where neither is there, a virtual environment gets the first and "
        "any other Python the second. To repair a file for which every Python is refused: "
        "SEED_INIT=0 seed-init set-default ..."
    )
    parser.add_argument(
        "assignments",
        nargs="+",
        type=assignment,
        metavar="NAME=VALUE",
        help="a variable of docs/reference/variables.md, except SEED_INIT; NAME= takes it out",
    )
    parser.add_argument(
        "--file",
        type=Path,
        metavar="PATH",
        help="another defaults file, such as that of one environment alone: "
        "PREFIX/etc/seed_init/defaults hides the image's",
    )
    parser.set_defaults(run=run)


def assignment(word: str) -> tuple[str, str]:
    """Split NAME=VALUE, as a line of the file is split.

    Raises:
        argparse.ArgumentTypeError: there is no `=`.
    """
    name, equals, value = word.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{refusals.shown(word)} has no =")
    return name.strip(), value.strip()


def run(options: argparse.Namespace) -> int:
    """Change the file and print each change.

    Raises:
        CommandError: the file cannot be written, or the contract does not have a change.
    """
    path = options.file or defaults_file()
    try:
        before = read(path)
        after, changes = changed(path, before, options.assignments)
    except refusals.Refusal as refusal:
        # As the hook says it in a Python that is refused.
        line = one_line(str(refusal)).encode("ascii", "backslashreplace").decode()
        raise CommandError(line, status=refusals.EX_CONFIG, speaker="seed_init") from None
    try:
        if after != before:
            write(path, text_of(after))
    except OSError as error:
        raise CommandError(cannot_write(path, error), status=1) from None
    printing.lines(
        f"{path}: {name} is {new or 'unset'} already"
        if old == new
        else f"{path}: {name} {old or 'unset'} -> {new or 'unset'}"
        for name, old, new in changes
    )
    return 0


def defaults_file() -> Path:
    """Return the defaults file that this Python reads, or would read if the file were there."""
    own, shared = Path(sys.prefix + startup.DEFAULTS), Path(startup.DEFAULTS)
    if os.access(own, os.F_OK):
        return own
    # What somebody sets for a virtual environment is not meant for the whole machine.
    is_virtual = sys.prefix != sys.base_prefix
    return own if is_virtual and not os.access(shared, os.F_OK) else shared


def changed(
    path: Path, lines: list[str], assignments: list[tuple[str, str]]
) -> tuple[list[str], list[Change]]:
    """The lines of the file as they would be, and what has changed.

    Args:
        path: the file, for refusals.
        lines: its lines.
        assignments: name and new value, "" to take the name out.

    Raises:
        Refusal: an assignment, another line of the file, or both together are not in the
            contract; or the file would be longer than it may be.
    """
    wanted: dict[str, str] = {}
    for name, value in assignments:
        if name in wanted:
            raise refusals.Refusal(f"{name} is given twice; give it once")
        wanted[name] = accepted(name, value)
    old: dict[str, str] = {}  # of the names that change: whatever they had, accepted or not
    kept: dict[str, str] = {}
    last: dict[str, int] = {}
    for index, line in enumerate(lines):
        name, value = setting(path, index + 1, line.strip(), wanted)
        if name in wanted:
            last[name] = index
        if value:
            (old if name in wanted else kept)[name] = value
    values = kept | {name: value for name, value in wanted.items() if value}
    if values.get("DETERMINISM") in ("strict", "portable"):
        strictness.check(values)
    changes = [(name, old.get(name, ""), value) for name, value in wanted.items()]
    result = replaced(lines, wanted, last)
    if len(os.fsencode(text_of(result))) > startup.DEFAULTS_MAX:
        raise refusals.Refusal(
            f"{path} would be longer than {startup.DEFAULTS_MAX} bytes; shorten it"
        )
    return result, changes


def accepted(name: str, value: str) -> str:
    """Return the value as the contract writes it; "" takes a variable out.

    Raises:
        Refusal: the contract has no such variable in a defaults file, or not this value.
    """
    if name == "SEED_INIT":
        raise refusals.Refusal(
            "SEED_INIT is not accepted in a defaults file, because it holds before one is read; "
            "set it in the environment"
        )
    if name not in startup.ACCEPTED:
        names = refusals.listed(tuple(startup.ACCEPTED))
        raise refusals.Refusal(f"{refusals.shown(name)} is not accepted as a name; use {names}")
    if "\n" in value:  # the file would get two lines
        raise refusals.not_accepted(name, value, ("a value of one line",))
    return startup.accept(name, value) if value else ""


def read(path: Path) -> list[str]:
    """Return the lines of a defaults file; no lines if there is no file.

    Raises:
        Refusal: the file cannot be read, so that every Python is refused.
    """
    try:
        # A device or a pipe may never end, and must not be replaced by a file: people mount
        # /dev/null over a file to hide it.
        if path.exists() and not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise OSError(0, "Not a regular file")
        text = path.read_bytes()
        if len(text) > startup.DEFAULTS_MAX:
            raise OSError(0, f"longer than {startup.DEFAULTS_MAX} bytes")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise refusals.unreadable(str(path), error) from None
    lines = os.fsdecode(text).split("\n")
    return lines if lines[-1] else lines[:-1]


def setting(path: Path, number: int, line: str, wanted: dict[str, str]) -> tuple[str, str]:
    """Return name and value of a line as `startup.read_defaults` reads it; ("", "") for a comment.

    Args:
        path: the file.
        number: the line's number, from 1.
        line: the text of the line, stripped.
        wanted: the names that get another value. Their present values need not be accepted.

    Raises:
        Refusal: the line is not in the contract.
    """
    if not line or line[0] == "#":
        return "", ""
    try:
        return startup.read_line(line, tuple(wanted))
    except Exception as error:
        raise refusals.bad_line(str(path), number, line, error) from None


def replaced(lines: list[str], wanted: dict[str, str], last: dict[str, int]) -> list[str]:
    """Return the lines with the new value of each name.

    If several lines have a name, the last one holds: only that line stays. If no line has a name,
    a line is added at the end.

    Args:
        lines: the lines of the file.
        wanted: name to new value; "" takes the name out.
        last: name to the index of the last line with that name.
    """
    result = []
    for index, line in enumerate(lines):
        name = line.partition("=")[0].strip()
        if name not in last:
            result.append(line)
        elif last[name] == index and wanted[name]:
            # The indentation stays, and so does the \r of an editor on Windows.
            result.append(line.replace(line.strip(), f"{name}={wanted[name]}", 1))
    return result + [
        f"{name}={value}" for name, value in wanted.items() if value and name not in last
    ]


def text_of(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def write(path: Path, text: str) -> None:
    """Write the text into the file, as a whole or not at all. Mode and owner of the file stay.

    Raises:
        OSError: the file cannot be written, and is unchanged.
    """
    # The target of a link is replaced, so that the link stays a link.
    target = Path(os.path.realpath(path))
    make_folder(target.parent)
    # The umask must not count: if a user cannot read the file, every Python of theirs is refused.
    writing.replace(target, os.fsencode(text), mode=placement.READABLE_FILE, durable=True)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents so that every user can search them, whatever the umask."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir()
        folder.chmod(placement.READABLE_DIRECTORY)


def cannot_write(path: Path, error: OSError) -> str:
    """Return one line for a file that cannot be written, with advice."""
    line = f"cannot write {path}: {error.strerror}"
    if isinstance(error, PermissionError):
        line += "; do it as root (USER root in a Dockerfile)"
    return line
