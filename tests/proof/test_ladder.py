"""Where a compiled program differs from run to run, the first rung of torch.compile is named."""

import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.processes import environment_of
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.running import conditions, workspace
from seed_init.proof.verifying import ladder
from seed_init.proof.verifying.attribution import Attributed
from seed_init.proof.verifying.runs import Request, Runs

from .verified import PROGRAMS, by_command, told

PROGRAM = PROGRAMS / "compiled_rungs.py"

# The interpreter of the tests has no headers of its own, which what inductor writes includes.
COMPILING = {"TORCHINDUCTOR_COMPILE_THREADS": "1", "CPATH": sysconfig.get_path("include")}

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None or not Path(COMPILING["CPATH"], "Python.h").is_file(),
    reason="inductor compiles C++, and there is no g++ or no Python.h",
)


@contextmanager
def runs_of(python: Path, place: Path, *words: str) -> Iterator[Runs]:
    """What makes the runs of the program.

    Args:
        python: runs the program.
        place: the working directory.
        words: the arguments of the program.
    """
    variables = {"SEED": "7", "OMP_NUM_THREADS": "1", "HOME": str(place), **COMPILING}
    request = Request(
        (str(python), str(PROGRAM), *words),
        environment=environment_of(python, variables),
        cwd=place,
    )
    (place / "results").mkdir()
    with workspace.RunDirectory() as directory:
        yield Runs(request, None, place / "results", directory)


def rung_of(python: Path, place: Path, *words: str) -> tuple[ladder.Rung, Runs]:
    """Go down the ladder as `verify` does where two runs of the program have differed."""
    with runs_of(python, place, *words) as runs:
        # That the runs with the program's own backend differ is what `verify` knows before.
        first = runs.run(conditions.base(), plan={"instruments": []})
        assert first.run.status == 0, first.run.last_errors()
        attributed = Attributed(first, first, Difference("loss", "the loss differs"))
        return ladder.first_rung(runs, attributed), runs


@needs_compiler
@pytest.mark.torch
@pytest.mark.rotating(every=12)
@pytest.mark.parametrize("rung", ["eager", "aot_eager", "inductor"])
def test_the_rung_with_the_fault_is_named(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rung: str
) -> None:
    monkeypatch.setattr(ladder, "PAIRS", 1)
    found, _ = rung_of(python, tmp_path, rung)
    assert found.name == rung
    names = ["eager", "aot_eager"][: ["eager", "aot_eager", "inductor"].index(rung) + 1]
    assert [line.partition(":")[0] for line in found.trail] == [
        f"torch.compile with {name}" for name in names
    ]
    for line in found.trail[: -1 if rung != "inductor" else None]:
        assert line.endswith(": 2 runs, all equal")
    if rung != "inductor":
        assert "first observed at step 0" in found.trail[-1]


@pytest.mark.torch
def test_a_backend_that_the_program_names_itself_stays(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "PAIRS", 1)
    found, runs = rung_of(python, tmp_path, "eager", "aot_eager")
    assert (found.name, len(runs.outcomes)) == (None, 3)
    assert found.trail == [
        "torch.compile with eager: the program gives torch.compile the backend aot_eager itself, "
        "which stays"
    ]


@needs_compiler
@pytest.mark.torch
@pytest.mark.rotating(every=12)
def test_verify_names_the_rung_and_looks_at_operators_below_it(
    python: Path, tmp_path: Path
) -> None:
    done = by_command(
        *(python, tmp_path, "--json", "--no-perturb", "--", python, PROGRAM, "eager"),
        env={**COMPILING},
    )
    difference = told(done)["difference"]
    assert difference["rung"] == "eager"
    assert difference["operator"] == "seed_init_case::noisy"
    assert difference["source"]["text"].endswith("# HERE")
    assert "not the compiler" in difference["remedies"][0]["cause"]
