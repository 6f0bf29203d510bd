# SPDX-License-Identifier: Apache-2.0
"""Arguments that several subcommands take, and types for the values of options."""

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seed_init.cli.errors import CommandError


def add_examples(parser: argparse.ArgumentParser, text: str) -> None:
    """Show examples at the end of a subcommand's help, with the lines as they are."""
    parser.epilog = text
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def add_command(parser: argparse.ArgumentParser) -> None:
    """Add CMD, the user's command: the words after `--`, or from the first that is no option."""
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD", action=_Command)


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the options of subcommands that run the user's command several times."""
    parser.add_argument("--stdin", type=Path, metavar="FILE", help="what every run reads")
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="for each run; none by default"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def refuse_unquoted(option: str, other: Sequence[str] | None, options: argparse.Namespace) -> None:
    """Refuse an option that got the first word of a command, where all words were meant.

    The words behind the first are then taken for the user's command, and `--` stands among them.

    Args:
        option: the option, which wants a command in one word.
        other: the words that the option got; None where it was not given.
        options: with the user's command.

    Raises:
        CommandError: the other command is not quoted.
    """
    command: Sequence[str] = options.command
    if other is not None and len(other) == 1 and "--" in command and not options.is_separated:
        meant = shlex.join([*other, *command[: command.index("--")]])
        raise CommandError(
            f"{option} has got the word {other[0]!r} alone; put the other command in quotation "
            f"marks: {option} {meant!r}"
        )


def here() -> Path:
    """Return the working directory, in which the user's command runs.

    Raises:
        CommandError: somebody has removed it, or the user may not look into it.
    """
    try:
        return Path.cwd()
    except OSError as error:
        raise CommandError(
            f"this directory cannot be used: {error.strerror}; change to one that is there"
        ) from None


class _Command(argparse.Action):
    """Takes the words as they are, without the `--` before them."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        words = list(values)
        namespace.is_separated = words[:1] == ["--"]
        if namespace.is_separated:
            del words[0]
        setattr(namespace, self.dest, words)


def at_least(least: int) -> Callable[[str], int]:
    """Return a type for argparse that accepts whole numbers from `least` on."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    return number


def seconds(text: str) -> float:
    """Return a positive number of seconds; a type for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value
