# SPDX-License-Identifier: Apache-2.0
"""`seed-init install` puts the hook into a Python, and `seed-init uninstall` takes it out again."""

import argparse
import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from seed_init.cli import printing
from seed_init.cli.errors import CommandError
from seed_init.installing import placement

Act = Callable[[placement.Placement], placement.Report]


def add_install(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `install` to its parser."""
    parser.description = (
        "Put the hook into the Python that runs this command: the stdlib directory of a base "
        "interpreter (which its virtual environments share), site-packages of a virtual "
        "environment. A sitecustomize that is there is kept and still runs."
    )
    _add(parser, placement.install, "in place already")


def add_uninstall(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `uninstall` to its parser."""
    parser.description = (
        "Take the hook out of the Python that runs this command and put back what install kept."
    )
    _add(parser, placement.uninstall, "not installed")


def _add(parser: argparse.ArgumentParser, act: Act, unchanged: str) -> None:
    parser.add_argument(
        "--python",
        metavar="PYTHON",
        help="another Python to do it for, such as that of a conda environment",
    )
    parser.set_defaults(run=lambda options: _run(act, unchanged, options))


def _run(act: Act, unchanged: str, options: argparse.Namespace) -> int:
    """Change this Python, and print each step; `unchanged` says the state if there is none."""
    if options.python is not None:
        _hand_over(options.python, options.subcommand)
    try:
        report = act(placement.here())
    except placement.PlacementError as error:
        raise CommandError(str(error), status=1) from None
    nothing = f"nothing to do: the hook is {unchanged} in {sys.prefix}"
    printing.lines(report.lines or [nothing])
    return 0


OLDEST = (3, 10)
"""The oldest Python that the package runs in: `requires-python` in pyproject.toml."""

_ASK = "import sys; print('Python', sys.version_info[0], sys.version_info[1])"
"""In the language of every Python."""


def _hand_over(python: str, subcommand: str) -> NoReturn:
    """Become `python` running this same package by its path."""
    try:
        if not python:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        _check(python)
        os.execvp(python, [python, str(placement.PACKAGE), subcommand])
    except OSError as error:
        raise CommandError(
            f"cannot run --python {python!r}: {error.strerror}; give the path of a Python", status=1
        ) from None


def _check(python: str) -> None:
    """Refuse what is no Python, or too old: it would do nothing, or end with a traceback.

    Raises:
        CommandError: it is one of these.
        OSError: it cannot be run.
    """
    import subprocess

    # Without the hook, which may be damaged: this is to repair it.
    words = [python, "-I", "-S", "-c", _ASK]
    environment = {**os.environ, "SEED_INIT": "0"}
    done = subprocess.run(
        words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    answer = done.stdout.split()
    if done.returncode or answer[:1] != [b"Python"]:
        raise CommandError(
            f"--python {python!r} is no Python; give the path of a Python",
            status=1,
        )
    version = tuple(map(int, answer[1:]))
    if version < OLDEST:
        raise CommandError(
            f"--python {python!r} is Python {'.'.join(map(str, version))}; seed_init needs "
            f"{'.'.join(map(str, OLDEST))} or newer",
            status=1,
        )
