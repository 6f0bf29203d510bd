# SPDX-License-Identifier: Apache-2.0
"""Ask git about a repository, and have git do something in one.

In a container the files often belong to another user, and git refuses to look at them because their
configuration could name programs to run. The user is running that very code anyway.
"""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

PATIENCE = 20.0
"""Seconds for one question, which git answers in milliseconds."""

SETTINGS = (
    *("-c", "safe.directory=*"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.quotePath=false"),
)

EXACT = (
    *("-c", "diff.noprefix=false"),
    *("-c", "diff.mnemonicPrefix=false"),
    *("-c", "diff.relative=false"),
    *("-c", "diff.context=3"),
    *("-c", "diff.interHunkContext=0"),
    *("-c", "diff.submodule=short"),
)
"""Whatever the user has configured, a patch is one that `git apply` takes (git-diff(1))."""

OF_ONE_REPOSITORY = frozenset(
    {
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIR"),
        *("GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE"),
        *("GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE"),
        "GIT_WORK_TREE",
    }
)
"""What `git rev-parse --local-env-vars` names. A hook of git's has these variables set, and then
git looks at the repository of that hook, wherever it is started."""


class Failed(Exception):
    """Git did not do what it was told to. The text is the last line of what git said."""


def answer(directory: Path, *words: str) -> bytes | None:
    """Return what git prints; None if git is not there, fails, or does not answer in time.

    Args:
        directory: where git is asked.
        words: the command and its arguments.
    """
    try:
        done = subprocess.run(
            command(directory, words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            env=environment(),
        )
    except (OSError, subprocess.SubprocessError, RuntimeError):
        return None
    return done.stdout if done.returncode == 0 else None


def text(directory: Path, *words: str) -> str | None:
    """Return what `answer` does, as text."""
    answered = answer(directory, *words)
    return None if answered is None else answered.decode(errors="replace")


def do(directory: Path, *words: str, given: bytes = b"") -> None:
    """Have git do something, for as long as that takes.

    Args:
        directory: where git is started.
        words: the command and its arguments.
        given: what git reads from its standard input.

    Raises:
        Failed: git did not do it, or is not there.
    """
    try:
        done = subprocess.run(
            command(directory, words),
            input=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(),
        )
    except OSError as error:
        raise Failed(f"git cannot be started: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Failed(said[-1] if said else f"git ended with status {done.returncode}")


def command(directory: Path, words: Iterable[str]) -> list[str]:
    """Return the words by which git is started in a directory."""
    return ["git", "-C", str(directory), *SETTINGS, *words]


def environment() -> dict[str, str]:
    """Return the environment in which git is started."""
    mine = {name: value for name, value in os.environ.items() if name not in OF_ONE_REPOSITORY}
    # Without the first, git status would write to the user's repository.
    return {**mine, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "SEED_INIT": "0"}
