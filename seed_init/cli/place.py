# SPDX-License-Identifier: Apache-2.0
"""`seed-init install` and `seed-init uninstall`."""

import argparse
import errno
import os
import sys
from collections.abc import Callable

from seed_init.cli import printing
from seed_init.installing import placement


def add_install(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `install` to the parser."""
    _add(
        commands,
        "install",
        "seed every process of a Python from now on",
        "Put the hook into the Python that runs this command: the stdlib directory of a base "
        "interpreter (which its virtual environments share), site-packages of a virtual "
        "environment. A sitecustomize that is there is kept and still runs.",
        placement.install,
    )


def add_uninstall(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `uninstall` to the parser."""
    _add(
        commands,
        "uninstall",
        "take the hook out again and put back what install kept",
        "Take the hook out of the Python that runs this command and put back what install kept.",
        placement.uninstall,
    )


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    description: str,
    act: Callable[[placement.Placement], placement.Report],
) -> None:
    command = commands.add_parser(name, help=summary, description=description)
    command.add_argument(
        "--python",
        metavar="PYTHON",
        help="another Python to do it for, such as that of a conda environment",
    )
    command.set_defaults(run=lambda options: _run(name, act, options.python))


def _run(
    name: str, act: Callable[[placement.Placement], placement.Report], python: str | None
) -> int:
    if python is not None:
        return _hand_over(python, name)
    try:
        report = act(placement.here())
    except placement.PlacementError as error:
        printing.error(str(error), name)
        return 1
    if report.lines:
        printing.lines(report.lines)
    else:
        state = "in place already" if name == "install" else "not installed"
        printing.lines([f"nothing to do: the hook is {state} in {sys.prefix}"])
    return 0


def _hand_over(python: str, name: str) -> int:
    """Become PYTHON running this same package by its path."""
    try:
        if not python:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        os.execvp(python, [python, str(placement.PACKAGE), name])
    except OSError as error:
        printing.error(f"cannot run --python {python!r}: {error.strerror}", name)
        return 1
