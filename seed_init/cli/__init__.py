# SPDX-License-Identifier: Apache-2.0
"""The command `seed-init`: its parser, and which function serves which subcommand.

argparse and not click: the command has to run in interpreters that have nothing but the
standard library (`PYTHON PATH/seed_init install`, any virtual environment in the image).
A new subcommand is a file here and a line in `COMMANDS`.
"""

import argparse
import io
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import seed_init
from seed_init.cli import (
    audit,
    compare,
    cost,
    doctor,
    place,
    printing,
    record,
    report,
    set_default,
    status,
    verify,
)
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.system.terminal import one_line

COMMANDS = (
    place.add_install,
    place.add_uninstall,
    set_default.add,
    status.add,
    doctor.add,
    verify.add,
    record.add,
    compare.add,
    audit.add,
    cost.add,
    report.add,
)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that says where help is."""

    def error(self, message: str) -> NoReturn:
        # It repeats words of the command line, which may be those of the user's program.
        shown = one_line(without_secrets(message))
        self.exit(2, f"{self.prog}: {shown}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command; `run` of a parsed namespace serves it."""
    top = _Parser(
        prog="seed-init",
        description="Every Python process seeded from SEED before user code runs.",
    )
    top.add_argument("--version", action="version", version=f"seed-init {seed_init.__version__}")
    # Typed by hand: add_subparsers() promises parsers of the class that it is called on.
    commands: Any = top.add_subparsers(metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the words after `seed-init`; None takes them from `sys.argv`.

    Returns:
        The exit status: 0 done, 1 a check failed or it could not be done, 2 bad usage,
        78 a setting is refused.
    """
    options = parser().parse_args(arguments)
    # A path that no UTF-8 can hold is shown as well as it can be.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status: int = options.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        printing.error("interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # `seed-init status | head`: the reader has what it wanted. Python would complain
        # again when it flushes at exit.
        sys.stdout = None
        return 0
    except OSError as error:
        if error.filename is not None:
            # A name that is too long, or a directory that nobody may look into.
            name = without_secrets(str(error.filename), is_word=True)
            printing.error(f"cannot use {name}: {error.strerror}; give another name")
            return 2
        sys.stdout = None
        printing.error(f"cannot write the output: {error.strerror}")
        return 1
