# SPDX-License-Identifier: Apache-2.0
"""Find the program that is started for the words which the user wrote after `--`."""

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


NOT_GIVEN = "no command is given; put it after --, for example: -- python train.py"


class CannotStart(Exception):
    """The command cannot be started. The text is one line for the user."""


def _shown(word: str) -> str:
    """Return a word of the command for a message: `PGPASSWORD=x python` has a secret."""
    return without_secrets(word, is_word=True)


@dataclass(frozen=True)
class Command:
    """A command that can be started.

    Attributes:
        program: the path of the file that is executed.
        words: the program's name and its arguments.
        note: one line if this is not what the user wrote; None otherwise.
        notebook: the path that the executed notebook is written to; None for another command.
    """

    program: str
    words: tuple[str, ...]
    note: str | None = None
    notebook: Path | None = None


def resolve(
    words: Sequence[str], environment: Mapping[str, str], cwd: Path, directory: Path
) -> Command:
    """Find out what to start.

    A notebook is executed by `jupyter execute`. A Python file that is not executable is run by
    the `python` of PATH. Everything else is started as it is given.

    Args:
        words: the words of the user.
        environment: the environment of the run, in whose PATH programs are looked for.
        cwd: the working directory of the run.
        directory: the directory of this run alone, which gets the executed notebook.

    Raises:
        CannotStart: there is no such command, or it cannot be executed.
    """
    if not words or not words[0]:
        raise CannotStart(NOT_GIVEN)
    try:
        return _resolved(words, environment, cwd, directory)
    except OSError as error:  # it is in a directory that the user may not look into
        raise not_executed(words[0], error.errno or 0) from None


def _resolved(
    words: Sequence[str], environment: Mapping[str, str], cwd: Path, directory: Path
) -> Command:
    first = words[0]
    if first.endswith(".ipynb"):
        return _notebook(words, environment, cwd, directory)
    if first.endswith(".py") and _is_plain_file(cwd / first):
        python = python_of(environment)
        note = f"{_shown(first)} is not executable: running it with {python}"
        return Command(python, (python, *words), note)
    return Command(program_of(first, environment, cwd), tuple(words))


def python_of(environment: Mapping[str, str]) -> str:
    """Return the interpreter that `python` means to the user; ours if PATH has none.

    Args:
        environment: the environment of the run, with its PATH.
    """
    path = environment.get("PATH", os.defpath)
    return shutil.which("python", path=path) or shutil.which("python3", path=path) or sys.executable


def is_python(word: str) -> bool:
    """Return whether the first word of a command names a Python by its file's name."""
    return bool(_PYTHON.fullmatch(Path(word).name))


def interpreter_of(words: Sequence[str], environment: Mapping[str, str], cwd: Path) -> str:
    """Return the interpreter whose packages a command uses, as far as its words say.

    Args:
        words: the command's words. If the first one is a Python, that interpreter is returned.
        environment: the environment of the run, whose PATH has the interpreter otherwise.
        cwd: the working directory of the run.
    """
    if words and is_python(words[0]):
        try:
            return program_of(words[0], environment, cwd)
        except CannotStart:
            pass
    return python_of(environment)


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not os.access(path, os.X_OK)


def _notebook(
    words: Sequence[str], environment: Mapping[str, str], cwd: Path, directory: Path
) -> Command:
    path = cwd / words[0]
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "there is no such file"
        raise CannotStart(f"{_shown(words[0])}: {what}; give the path of a notebook")
    jupyter = shutil.which("jupyter", path=environment.get("PATH", os.defpath))
    if jupyter is None or shutil.which("jupyter-execute", path=environment.get("PATH")) is None:
        raise CannotStart(
            f"{_shown(words[0])}: a notebook is run by `jupyter execute`, which PATH does not "
            "have; install nbclient"
        )
    executed = directory / "executed.ipynb"
    # nbclient joins it to the notebook's directory, which an absolute path survives, and
    # formats it, for which braces have to be doubled (nbclient/cli.py).
    output = str(executed.absolute()).replace("{", "{{").replace("}", "}}")
    jupyter_words = ("jupyter", "execute", *words, f"--output={output}")
    note = f"{_shown(words[0])} is a notebook: running it with jupyter execute"
    return Command(jupyter, jupyter_words, note, executed)


def program_of(word: str, environment: Mapping[str, str], cwd: Path) -> str:
    """Return the path of the program that the first word of a command names.

    Args:
        word: the first word.
        environment: the environment of the run, with its PATH.
        cwd: the working directory of the run.

    Raises:
        CannotStart: there is no such program, or it is not executable.
        OSError: it is in a directory that the user may not look into.
    """
    shown = _shown(word)
    if "/" in word:
        program = cwd / word
        if program.is_dir():
            raise CannotStart(f"{shown} is a directory; give a program, or python -m for a package")
        if not program.exists():
            where = "" if Path(word).is_absolute() else f" in {cwd}"
            raise CannotStart(f"{shown}: there is no such file{where}; give an existing program")
        if not os.access(program, os.X_OK):
            raise CannotStart(
                f"{shown} is not executable; put its interpreter before it, or chmod +x it"
            )
        return str(program)
    path = environment.get("PATH", os.defpath)
    for entry in path.split(os.pathsep):
        # A relative entry is relative to where the run begins.
        candidate = cwd / entry / word
        # Asked first, because `is_file` raises in a directory that the user may not look into. A
        # shell passes over such an entry.
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return str(candidate)
    hint = f"write ./{shown}" if (cwd / word).exists() else "check its spelling, or give its path"
    raise CannotStart(f"{shown}: no such command in PATH; {hint}")


def not_executed(word: str, number: int) -> CannotStart:
    """Return why the kernel did not execute a program that was found.

    Args:
        word: the first word of the command that was tried.
        number: the errno of the attempt.
    """
    word = _shown(word)
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
