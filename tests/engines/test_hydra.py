"""A job of Hydra draws the same alone and in a multirun, with whichever launcher."""

import json
from pathlib import Path

import pytest

from harness.processes import output, run

PROGRAM = Path(__file__).parent / "programs/hydra_job.py"
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")


def drawn(python: Path, folder: Path, *words: str, **env: str) -> dict[int, list[float]]:
    """What each job has drawn, by its parameter. The draw of the import is left out."""
    quiet = ("hydra.output_subdir=null", f"hydra.run.dir={folder}/run")
    given = {"SEED": "7", **env}
    arguments = (*words, *quiet, f"hydra.sweep.dir={folder}/sweep")
    shown = output(python, PROGRAM, *arguments, env=given, cwd=folder, timeout=120)
    # The joblib launcher's log begins with a bracket as well.
    jobs = [json.loads(line) for line in shown.splitlines() if line.endswith("]")]
    for _, at_import, *numbers in jobs:
        assert at_import not in numbers
    return {x: numbers for x, _, *numbers in jobs}


@pytest.mark.shows("Hydra", "runs", "seed", "workers", "control")
@pytest.mark.parametrize("launcher", [(), JOBLIB], ids=["basic", "joblib"])
def test_a_job_of_a_multirun_draws_what_it_draws_alone(
    python: Path, tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    alone = drawn(python, tmp_path, "+x=2")
    for _ in range(2):
        assert drawn(python, tmp_path, "-m", "+x=1,2,3", *launcher) == dict.fromkeys(
            (1, 2, 3), alone[2]
        )
    # Hydra shuffles with the generator of the program.
    assert drawn(python, tmp_path, "-m", "+x=shuffle(1,2)", *launcher)[2] == alone[2]
    assert not set(drawn(python, tmp_path, "-m", "+x=1,2", *launcher, SEED="8")[2]) & set(alone[2])
    free = drawn(python, tmp_path, "-m", "+x=1,2", *launcher, SEED_INIT="0")
    assert not set(free[1]) & set(free[2])


def test_same_goes_on_from_job_to_job(python: Path, tmp_path: Path) -> None:
    told = drawn(python, tmp_path, "-m", "+x=1,2", SEED_INIT_TASKS="same")
    assert not set(told[1]) & set(told[2])


def test_a_release_that_is_not_known_is_told_once(python: Path) -> None:
    code = """
import sys, types
from seed_init import engines
sys.modules["hydra.core.utils"] = types.ModuleType("hydra.core.utils")
engines.imported("hydra.core.utils")
"""
    done = run(python, "-c", code, env={"SEED": "7"})
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert line.startswith("seed_init: this release of Hydra is not known (KeyError: ")
