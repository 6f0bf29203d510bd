"""Run `seed-init verify`, as a command and as a function."""

import json
from pathlib import Path
from typing import Any

from harness.processes import Completed, environment_of, run
from seed_init.proof import verify
from seed_init.proof.verifying.verdict import Verification

PROGRAMS = Path(__file__).parent / "programs"


def by_command(
    python: Path, place: Path, *words: Path | str, env: dict[str, str | None] | None = None
) -> Completed:
    """Run `seed-init verify` with options and a command.

    Args:
        python: runs `verify`.
        place: its working directory.
        words: what follows.
        env: on top of a minimal environment with SEED=7; None takes a variable away.
    """
    return run(
        python,
        *("-m", "seed_init", "verify", *words),
        env={"SEED": "7", "OMP_NUM_THREADS": "1", "HOME": str(place), **(env or {})},
        cwd=place,
        timeout=600,
    )


def told(done: Completed) -> dict[str, Any]:
    """The one JSON object on standard output, with the exit status that belongs to it."""
    result: dict[str, Any] = json.loads(done.stdout)
    statuses = {"identical": 0, "different": 1, "failed": 2, "unproven": 4}
    assert done.returncode == statuses[result["verdict"]]
    return result


def by_function(python: Path, place: Path, *words: Path | str, **options: Any) -> Verification:
    """`verify(...)` of a program of `python`.

    Args:
        python: runs the program.
        place: its working directory.
        words: its file, or -c and code, and arguments.
        options: of `verify`; `env` on top of a minimal environment with SEED=7.
    """
    env = {"SEED": "7", **options.pop("env", {})}
    return verify(
        [str(python), *map(str, words)],
        environment=environment_of(python, env),
        cwd=place,
        **options,
    )


def conditions_of(result: Verification) -> list[str]:
    """What was run, in order."""
    return [run.arm for run in result.runs]
