# SPDX-License-Identifier: Apache-2.0
"""How a subcommand prints its result, and writes that result to the file that the user named.

The result is what the subcommand was run for. It is not lost because the reader of a pipe stops
reading, a disk is full, or a file cannot be written.
"""

import os
import sys
from pathlib import Path

from seed_init.cli.errors import LOST, CommandError
from seed_init.system import writing


def tell(text: str, status: int) -> int:
    """Print a result.

    Args:
        text: the result.
        status: the exit status that the result stands for.

    Returns:
        The exit status. If the output cannot be written and `status` is 0, it is `LOST`, because
        nobody could read the success; otherwise it is `status`.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # `seed-init compare ... | head`: the reader has what it wanted.
        sys.stdout = None
    except OSError as error:
        sys.stdout = None
        print(f"seed-init: cannot write the output: {error.strerror}", file=sys.stderr)
        return status or LOST
    return status


def check(
    file: Path,
    force: bool,
    *,
    another: str = "give another FILE, or --force to overwrite it",
    a_file: str = "give a file",
    may_be_stream: bool = True,
    needs_folder: bool = True,
) -> None:
    """Refuse a file that the result cannot, or must not, be written to.

    A subcommand asks before its work: nobody wants to hear of it after hours.

    Args:
        file: the file that the user named.
        force: whether a file that is there may be replaced.
        another: the advice if something is there.
        a_file: the advice if a directory is there.
        may_be_stream: whether a device or a pipe may be written to without `force`.
        needs_folder: whether the file's directory has to be there already.

    Raises:
        CommandError: the file cannot be written, or something is there that must stay.
    """
    if file.is_dir():
        raise CommandError(f"{file} is a directory; {a_file}")
    is_free = force or (may_be_stream and writing.is_stream(file))
    if os.path.lexists(file) and not is_free:
        raise CommandError(f"{file} is there already; {another}")
    if needs_folder and not file.parent.is_dir():
        raise CommandError(
            f"{file} cannot be written: there is no directory {file.parent}; make it first"
        )


def check_folder(folder: Path) -> str | None:
    """Make a directory for several results, and say why it can hold no file; None if it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return None if os.access(folder, os.W_OK | os.X_OK) else f"{folder} cannot be written"


def put(file: Path, text: str, force: bool) -> None:
    """Write a result, as a whole or not at all.

    Args:
        file: the file that the user named.
        text: the result.
        force: whether a file that is there is replaced.

    Raises:
        OSError: the file cannot be written. Without `force` it is a FileExistsError if something
            has come to be there since `check`.
    """
    write = writing.replace if force or writing.is_stream(file) else writing.create
    write(file, text, durable=not writing.is_stream(file))
