# SPDX-License-Identifier: Apache-2.0
"""What the user wrote after `--`, and what is started for it."""

import errno
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seed_init.proof.redaction.secret_texts import without_secrets

_PYTHON = re.compile(r"python[\d.]*")


class CannotStart(Exception):
    """The command cannot be started. The text is one line for the user."""


def _shown(word: str) -> str:
    """A word of the command in a line: `PGPASSWORD=x python` is no program, and has a secret."""
    return without_secrets(word, is_word=True)


@dataclass(frozen=True)
class Command:
    """What is started.

    Attributes:
        program: the path of the file that is executed.
        words: its name and its arguments.
        note: one line where this is not what the user wrote; else None.
        notebook: where the executed notebook is written; None where it is no notebook.
    """

    program: str
    words: tuple[str, ...]
    note: str | None = None
    notebook: Path | None = None


def resolve(
    given: Sequence[str], environment: Mapping[str, str], place: Path, directory: Path
) -> Command:
    """Find out what to start.

    A notebook is executed by `jupyter execute`. A Python file that is not executable is run by
    the `python` of PATH. Everything else is started as it is given.

    Args:
        given: the words.
        environment: whose PATH counts.
        place: the working directory of the run.
        directory: the run's own, where the executed notebook is written.

    Raises:
        CannotStart: there is no such command, or it cannot be executed.
    """
    if not given or not given[0]:
        raise CannotStart("no command is given; put it after --, for example: -- python train.py")
    first = given[0]
    if first.endswith(".ipynb"):
        return _notebook(given, environment, place, directory)
    if first.endswith(".py") and _is_plain_file(place / first):
        python = python_of(environment)
        note = f"{_shown(first)} is not executable: running it with {python}"
        return Command(python, (python, *given), note)
    return Command(_find(first, environment, place), tuple(given))


def python_of(environment: Mapping[str, str]) -> str:
    """The interpreter that `python` means to the user; ours where PATH has none.

    Args:
        environment: whose PATH counts.
    """
    path = environment.get("PATH", os.defpath)
    return shutil.which("python", path=path) or shutil.which("python3", path=path) or sys.executable


def interpreter_of(given: Sequence[str], environment: Mapping[str, str], place: Path) -> str:
    """The interpreter whose packages a command uses, as far as its words say.

    Args:
        given: the command's words; a Python that is the first one counts.
        environment: whose PATH counts otherwise.
        place: the working directory of the run.
    """
    if given and _PYTHON.fullmatch(Path(given[0]).name):
        try:
            return _find(given[0], environment, place)
        except CannotStart:
            pass
    return python_of(environment)


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not os.access(path, os.X_OK)


def _notebook(
    given: Sequence[str], environment: Mapping[str, str], place: Path, directory: Path
) -> Command:
    path = place / given[0]
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "there is no such file"
        raise CannotStart(f"{_shown(given[0])}: {what}; give the path of a notebook")
    jupyter = shutil.which("jupyter", path=environment.get("PATH", os.defpath))
    if jupyter is None or shutil.which("jupyter-execute", path=environment.get("PATH")) is None:
        raise CannotStart(
            f"{_shown(given[0])}: a notebook is run by `jupyter execute`, which PATH does not "
            "have; install nbclient"
        )
    executed = directory / "executed.ipynb"
    # nbclient joins it to the notebook's directory, which an absolute path survives, and
    # formats it, for which braces have to be doubled (nbclient/cli.py).
    output = str(executed.absolute()).replace("{", "{{").replace("}", "}}")
    words = ("jupyter", "execute", *given, f"--output={output}")
    note = f"{_shown(given[0])} is a notebook: running it with jupyter execute"
    return Command(jupyter, words, note, executed)


def _find(word: str, environment: Mapping[str, str], place: Path) -> str:
    shown = _shown(word)
    if "/" in word:
        found = place / word
        if found.is_dir():
            raise CannotStart(f"{shown} is a directory; give a program, or python -m for a package")
        if not found.exists():
            raise CannotStart(
                f"{shown}: there is no such file in {place}; give an existing program"
            )
        if not os.access(found, os.X_OK):
            raise CannotStart(
                f"{shown} is not executable; put its interpreter before it, or chmod +x it"
            )
        return str(found)
    path = environment.get("PATH", os.defpath)
    for entry in path.split(os.pathsep):
        # A relative entry is relative to where the run begins.
        candidate = place / entry / word
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    hint = f"write ./{shown}" if (place / word).exists() else "check its spelling, or give its path"
    raise CannotStart(f"{shown}: no such command in PATH; {hint}")


def not_executed(command: Command, number: int) -> CannotStart:
    """Why the kernel did not execute a program that was found.

    Args:
        command: what was tried.
        number: the errno.
    """
    word = _shown(command.words[0])
    if number == errno.ENOEXEC:
        return CannotStart(
            f"{word} is no program and has no #! line; put its interpreter before it: sh {word}"
        )
    if number == errno.ENOENT:
        return CannotStart(
            f"{word}: the interpreter that its #! line names does not exist; put one before it"
        )
    if number == errno.E2BIG:
        return CannotStart(f"{word}: the arguments and the environment are too long together")
    return CannotStart(f"{word} cannot be executed: {os.strerror(number)}; check the file")
