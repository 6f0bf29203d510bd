"""Real sweeps of small programs."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.processes import Completed, environment_of, run

DRAWING = """
import random, sys

print("seeds are fun")
print("loss", random.random())
print("test accuracy:", random.random())
"""
"""Draws from the generator that the hook seeds."""

ACCURACY = ("--metric", "test accuracy: ([0-9.]+)")


def program(place: Path, source: str = DRAWING, name: str = "train.py") -> Path:
    file = place / name
    file.write_text(source)
    return file


def sweep(
    python: Path,
    place: Path,
    *words: Path | str,
    env: dict[str, str | None] | None = None,
    command: tuple[Path | str, ...] | None = None,
) -> Completed:
    """Run `seed-init sweep words -- command` in a place; the command is python train.py if None."""
    ran = (python, "train.py") if command is None else command
    return run(python, "-m", "seed_init", "sweep", *words, "--", *ran, cwd=place, env=env or {})


def result(place: Path, name: str = "train") -> dict[str, Any]:
    """What `sweep.json` has."""
    content: dict[str, Any] = json.loads((place / "sweeps" / name / "sweep.json").read_text())
    return content


def started(
    python: Path, place: Path, *words: Path | str, **options: Any
) -> "subprocess.Popen[str]":
    """Start `seed-init sweep words -- python train.py`."""
    command = (python, "-m", "seed_init", "sweep", *words, "--", python, "train.py")
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=place,
        env=environment_of(python, {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(there: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until, "what was waited for did not come"
        time.sleep(0.02)


def ended(process: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str]:
    """Send a signal to a sweep; its exit status and what it said."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def runs_of(place: Path) -> list[str]:
    """The lines that runs have appended to the file `log` of a place, in order."""
    log = place / "log"
    return log.read_text().split() if log.exists() else []
