"""Sweeps of a small program, as a user starts them."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.processes import Completed, environment_of

PROGRAM = Path(__file__).parent / "programs/sweep_value.py"


@dataclass
class Sweeps:
    """Starts `seed-init sweep` in a directory.

    Attributes:
        python: the interpreter, which has the hook.
        place: the working directory.
        variables: what the environment has beside the minimal one.
    """

    python: Path
    place: Path
    variables: Mapping[str, str | None] = field(default_factory=dict)

    def words(self, name: str, *options: str, more: tuple[str, ...] = ()) -> list[str]:
        """The words of a sweep over the seeds 0 to 2.

        Args:
            name: of the sweep.
            options: of the sweep; the last of them may be `--slurm` with its words.
            more: words of the program.
        """
        sweep = [str(self.python), "-m", "seed_init", "sweep", "--name", name]
        given = () if "--seeds" in options else ("--seeds", "3")
        metric = ("--metric", "value: ([0-9.]+)")
        program = ("--", str(self.python), str(PROGRAM), *more)
        return [*sweep, *given, *metric, *options, *program]

    def environment(self) -> dict[str, str]:
        """The environment of a sweep."""
        return environment_of(self.python, {"PATH": os.environ["PATH"], **self.variables})

    def run(self, words: list[str], timeout: float = 240) -> Completed:
        """Run a command to its end."""
        return subprocess.run(
            words,
            cwd=self.place,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def well(self, name: str, *options: str, more: tuple[str, ...] = ()) -> dict[str, Any]:
        """Make a sweep that must end well; what `sweep.json` has."""
        done = self.run(self.words(name, *options, more=more))
        assert done.returncode == 0, done.stdout + done.stderr
        return self.result(name)

    def result(self, name: str) -> dict[str, Any]:
        """What `sweep.json` has."""
        content: dict[str, Any] = json.loads((self.folder(name) / "sweep.json").read_text())
        return content

    def plan(self, name: str) -> dict[str, Any]:
        """What `plan.json` has."""
        content: dict[str, Any] = json.loads((self.folder(name) / "plan.json").read_text())
        return content

    def folder(self, name: str) -> Path:
        """The folder of a sweep."""
        return self.place / "sweeps" / name

    def shown(self, name: str, run: str) -> str:
        """What a run has printed."""
        return (self.folder(name) / run / "stdout.txt").read_text()


def values(result: dict[str, Any]) -> dict[str, float | None]:
    """Name of a run -> its value."""
    return {run["directory"]: run["metrics"]["value"] for run in result["runs"]}


def statuses(result: dict[str, Any]) -> dict[str, int | None]:
    """Name of a run -> its exit status."""
    return {run["directory"]: run["status"] for run in result["runs"]}
