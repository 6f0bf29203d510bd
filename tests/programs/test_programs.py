"""Programs without a line about seeds give the same bits for the same SEED."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness import interpreters
from harness.programs.catalogue import PROGRAMS, Program
from harness.programs.running import Answer, run
from harness.sharing import once

ABLE = [program for program in PROGRAMS if not program.exception]
EXCEPTIONS = [program for program in PROGRAMS if program.exception]


pytestmark = [pytest.mark.torch, pytest.mark.rotating(every=6)]


@pytest.fixture
def answer(python: Path, kept: Path) -> Callable[..., Answer]:
    """Runs a program with a seed; the same seed with another number is another run."""

    def of(program: Program, seed: str, number: int = 1) -> Answer:
        return Answer(**once(kept, answered, program.name, str(python), seed, number))

    return of


def answered(name: str, python: str, seed: str, number: int) -> dict[str, Any]:
    (program,) = (each for each in PROGRAMS if each.name == name)
    return asdict(run(program, Path(python), interpreters.environment(Path(python), SEED=seed)))


@pytest.mark.parametrize("program", ABLE, ids=lambda program: program.name)
def test_repeats_under_one_seed_and_only_there(
    program: Program, answer: Callable[..., Answer]
) -> None:
    # Two runs here; `python -m benchmarks programs` makes three.
    one, two, other = answer(program, "7"), answer(program, "7", 2), answer(program, "8")
    assert one.result == two.result
    assert bool(one.workers) == program.workers
    assert not one.has_clones
    assert (other.result != one.result) == program.depends_on_seed


# Each says of a program, not of the hook, that the test above could fail.
@pytest.mark.rotating(every=18)
@pytest.mark.parametrize("program", ABLE, ids=lambda program: program.name)
def test_does_not_repeat_by_itself(program: Program, answer: Callable[..., Answer]) -> None:
    differs = answer(program, "off").result != answer(program, "7").result
    assert differs == program.depends_on_seed


@pytest.mark.parametrize("program", EXCEPTIONS, ids=lambda program: program.name)
def test_of_an_exception_repeats_what_the_seed_decides(
    program: Program, answer: Callable[..., Answer], record_property
) -> None:
    one, two, other = (answer(program, *run) for run in (("7",), ("7", 2), ("8",)))
    assert set(one.repeats) & set(two.repeats)
    assert not set(one.repeats) & set(other.repeats)
    told = f"{program.name}: {program.exception}; {program.instead}"
    record_property("documented exception", told)
