"""Run programs as `verify` does, in an environment that says everything."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.processes import environment_of
from harness.repository import REPOSITORY
from seed_init.proof.running import conditions, runner
from seed_init.proof.running.conditions import Condition

_numbers = itertools.count()


def run(
    folder: Path,
    *command: Path | str,
    condition: Condition | None = None,
    env: dict[str, str | None] | None = None,
    **options: Any,
) -> runner.Run:
    """One run, with its own directory below `folder`, which is its working directory as well.

    Args:
        folder: a directory of the test's.
        command: its words; a first one that is a path to an interpreter gets what that needs.
        condition: the base condition if None.
        env: on top of a minimal environment with SEED=7.
        options: of `runner.run`.
    """
    options.setdefault("plan", {"instruments": []})
    options.setdefault("cwd", folder)
    return runner.run(
        [str(word) for word in command],
        condition or conditions.base(),
        folder / f"run-{next(_numbers)}",
        environment=environment_of(command[0], {"SEED": "7", **(env or {})}),
        **options,
    )


def stdout(done: runner.Run) -> bytes:
    return done.stdout_file.read_bytes()


def starting(source: str, place: Path, **options: Any) -> "subprocess.Popen[str]":
    """Start a Python that uses the package as it is here, and has `place` as temporary directory.

    Args:
        source: what it runs.
        place: its working directory, too.
        options: of Popen.
    """
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "SEED_INIT": "0"}
    return subprocess.Popen(
        [sys.executable, "-c", source],
        cwd=place,
        env=environment | {"TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def with_variable(text: str) -> list[int]:
    """The living processes whose environment or arguments have a text in them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in told and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def are_gone(pids: Iterable[int]) -> bool:
    """Whether none of some processes is left but perhaps as a zombie."""
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            return False
    return True


def kill(pids: Iterable[int]) -> None:
    """End what a failing test would leave."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
