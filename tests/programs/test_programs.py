"""Programs without a line about seeds give the same bits for the same SEED."""

from pathlib import Path

import pytest

from harness import interpreters
from harness.programs.catalogue import PROGRAMS, Program
from harness.programs.running import Answer, run

ABLE = [program for program in PROGRAMS if not program.exception]
EXCEPTIONS = [program for program in PROGRAMS if program.exception]


@pytest.mark.parametrize("program", ABLE, ids=lambda program: program.name)
def test_repeats_under_one_seed_and_only_there(program: Program, python: Path) -> None:
    # Two runs here; `python -m benchmarks programs` makes three.
    answers = [answer(program, python, "7") for _ in range(2)]
    assert answers[0].result == answers[1].result
    assert bool(answers[0].workers) == program.workers
    assert not answers[0].has_clones

    other, unseeded = answer(program, python, "8"), answer(program, python, "off")
    if program.depends_on_seed:
        assert other.result != answers[0].result
        # Otherwise the program repeats by itself, and this test could not fail.
        assert unseeded.result != answers[0].result
    else:
        assert other.result == unseeded.result == answers[0].result


@pytest.mark.parametrize("program", EXCEPTIONS, ids=lambda program: program.name)
def test_exception_runs(program: Program, python: Path, record_property) -> None:
    answer(program, python, "7")
    told = f"{program.name}: {program.exception}; {program.instead}"
    record_property("documented exception", told)


def answer(program: Program, python: Path, seed: str) -> Answer:
    return run(program, python, interpreters.environment(python, SEED=seed))
