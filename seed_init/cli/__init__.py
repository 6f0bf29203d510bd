# SPDX-License-Identifier: Apache-2.0
"""The command `seed-init`: its parser, and which module serves which subcommand.

argparse and not click: the command has to run in interpreters that have nothing but the
standard library (`PYTHON PATH/seed_init install`, any virtual environment in the image).
A new subcommand is a module here and a line in `SUBCOMMANDS`. That module is imported when its
subcommand is asked for, so that `seed-init --help` and `seed-init install` load no other one.
"""

import argparse
import importlib
import io
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import seed_init
from seed_init.cli import printing
from seed_init.cli.errors import USAGE, CommandError
from seed_init.system.terminal import one_line


class Subcommand(NamedTuple):
    """Where a subcommand is, and what the list of all subcommands says about it.

    Attributes:
        function: `module:function` in this package. The function adds the subcommand's arguments
            to a parser, and sets `run`, which takes the parsed options and returns the exit status.
        summary: one line for `seed-init --help`.
    """

    function: str
    summary: str

    def load(self) -> Callable[[argparse.ArgumentParser], None]:
        """Import the subcommand's module; return the function that adds its arguments."""
        module, _, name = self.function.partition(":")
        add: Callable[[argparse.ArgumentParser], None] = getattr(
            importlib.import_module(f"{__name__}.{module}"), name
        )
        return add


SUBCOMMANDS = {
    "install": Subcommand("installing:add_install", "seed every process of a Python from now on"),
    "uninstall": Subcommand(
        "installing:add_uninstall", "take the hook out again and put back what install kept"
    ),
    "set-default": Subcommand(
        "set_default:add", "set what holds where a job says nothing, such as SEED=1234"
    ),
    "status": Subcommand(
        "status:add", "the settings in effect, the origin of each, and what is not covered"
    ),
    "doctor": Subcommand(
        "doctor:add", "check the hook, the versions, the GPU, /dev/shm and the entrypoint"
    ),
    "verify": Subcommand(
        "verify:add", "run a command several times and compare every training step, bit for bit"
    ),
    "record": Subcommand(
        "record:add",
        "run a command and write its run record: what ran, where, with what, and each step",
    ),
    "compare": Subcommand(
        "compare:add", "compare two records step by step, and what could explain a difference"
    ),
    "rerun": Subcommand(
        "rerun:add", "make a recorded run again, from its commit and patch, and compare"
    ),
    "portability": Subcommand(
        "portability:add", "one hash of what this machine computes, and whether another one agrees"
    ),
    "audit": Subcommand("audit:add", "run a command once and list what another run may not repeat"),
    "cost": Subcommand(
        "cost:add", "measure what each determinism level, and each switch, costs a program"
    ),
    "sweep": Subcommand(
        "sweep:add", "run a command once a seed, and say what the runs show together"
    ),
    "report": Subcommand(
        "report:add",
        "one HTML page about records: verdict, environment, losses, steps, difference, audit",
    ),
}


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that says where help is."""

    def error(self, message: str) -> NoReturn:
        # The message repeats words of the command line, which may be those of the user's program.
        from seed_init.proof.redaction.secret_texts import without_secrets

        shown = one_line(without_secrets(message))
        self.exit(USAGE, f"{self.prog}: {shown}; see {self.prog} --help\n")


def parser(words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command.

    Args:
        words: the words that will be parsed: only the arguments of their subcommand are added.
            That is the first word that is no option, because no option before it takes a value.
            If None, the arguments of every subcommand are added.
    """
    top = _Parser(
        prog="seed-init",
        description="Every Python process seeded from SEED before user code runs.",
    )
    top.add_argument("--version", action="version", version=f"seed-init {seed_init.__version__}")
    # Typed by hand: add_subparsers() promises parsers of the class that it is called on.
    parsers: Any = top.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    asked_for = next((word for word in words or () if not word.startswith("-")), None)
    for name, subcommand in SUBCOMMANDS.items():
        own = parsers.add_parser(name, help=subcommand.summary)
        own.set_defaults(refuse=own.error)
        if words is None or name == asked_for:
            subcommand.load()(own)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the words after `seed-init`; None takes them from `sys.argv`.

    Returns:
        The exit status: 0 done, 1 a check failed or it could not be done, 2 bad usage,
        78 a setting is refused.
    """
    words = sys.argv[1:] if arguments is None else arguments
    options, unknown = parser(words).parse_known_args(words)
    if unknown:
        # By the subcommand: its help has the options that there are.
        options.refuse(f"unrecognized arguments: {' '.join(unknown)}")
    # A path that no UTF-8 can hold is shown as well as it can be.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(options)
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
        return _failed_system_call(error)


def _run(options: argparse.Namespace) -> int:
    try:
        status: int = options.run(options)
        return status
    except CommandError as error:
        speaker = error.speaker or f"seed-init {options.subcommand}"
        for line in error.lines:
            printing.error(line, speaker)
        return error.status


def _failed_system_call(error: OSError) -> int:
    if error.filename is not None:
        from seed_init.proof.redaction.secret_texts import without_secrets

        # A name that is too long, or a directory that nobody may look into.
        name = without_secrets(str(error.filename), is_word=True)
        printing.error(f"cannot use {name}: {error.strerror}; give another name")
        return USAGE
    sys.stdout = None
    printing.error(f"cannot write the output: {error.strerror}")
    return 1
