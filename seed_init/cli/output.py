# SPDX-License-Identifier: Apache-2.0
"""What a command says at its end, and the file that it leaves.

A verdict is what the command was run for: it is not lost because somebody reads no further, a disk
is full, or a file cannot be written.
"""

import sys
from pathlib import Path

from seed_init.system import writing

LOST = 5
"""Exit status of a command that did what it was to do, and could not write down all of it."""


def tell(text: str, status: int) -> int:
    """Print a result.

    Args:
        text: the result.
        status: what the result says.

    Returns:
        The exit status: the result's own where that is none of success; `LOST` where it is
        success, which nobody could read because the output cannot be written.
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


def problem(file: Path, force: bool) -> str | None:
    """Why a result cannot be written there, in one line; None where it seems that it can.

    Asked before the work: nobody wants to hear of it after hours.

    Args:
        file: that the user named.
        force: whether a file that is there may be replaced.
    """
    if file.is_dir():
        return f"{file} is a directory; give a file"
    if (file.exists() or file.is_symlink()) and not (force or writing.is_stream(file)):
        return f"{file} is there already; give another FILE, or --force to overwrite it"
    if not file.parent.is_dir():
        return f"{file} cannot be written: there is no directory {file.parent}; make it first"
    return None


def put(file: Path, text: str, force: bool) -> None:
    """Write a result, as a whole or not at all.

    Args:
        file: that the user named.
        text: the result.
        force: replace a file that is there.

    Raises:
        OSError: it cannot be written; without `force` also where something is there by now.
    """
    write = writing.replace if force or writing.is_stream(file) else writing.create
    write(file, text, durable=not writing.is_stream(file))
