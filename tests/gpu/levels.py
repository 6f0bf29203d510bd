"""The operators and models under each level, in several fresh processes; kept for all tests."""

from pathlib import Path

from harness.sharing import once

from .running import MODELS, Launched, gathered, lines, run_program

LEVELS = ("off", "warn", "strict")
PROCESSES = 3
LAUNCHES = {"off": 20, "warn": 5, "strict": 5}
"""Launches in each process; a kernel that may vary does not in every pair of launches."""

STEPS = 5


def operators(kept: Path, python: Path, level: str, device: str = "cuda") -> dict[str, Launched]:
    """What the catalogue's operators gave under a level, by name.

    A process launches all of them, because starting CUDA takes longer than most of them.
    """
    what = ("--device", device, "--launches", LAUNCHES[level])
    return repeated(kept, python, "launch", *what, level=level)


def models(kept: Path, python: Path, level: str, device: str = "cuda") -> dict[str, Launched]:
    """What the models of benchmarks/cost came to under a level, by name."""
    what = (MODELS, "--device", device, "--steps", STEPS)
    return repeated(kept, python, "train_models", *what, level=level)


def repeated(
    kept: Path, python: Path, program: str, *arguments: object, level: str
) -> dict[str, Launched]:
    words = [str(argument) for argument in arguments]
    found = [
        once(kept, of_process, str(python), program, words, level, repeat)
        for repeat in range(PROCESSES)
    ]
    return gathered(found)


def of_process(
    python: str, program: str, arguments: list[str], level: str, repeat: int
) -> list[dict[str, object]]:
    """One process's lines. `repeat` tells the runs apart for `once`."""
    return lines(run_program(python, program, *arguments, DETERMINISM=level))
