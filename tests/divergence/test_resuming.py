"""`seed-init verify --resume-after`: a resumed run is lined up, and what it lacks is named.

Each case starts torch three times, so that of all of them two run at each commit.
"""

import importlib.util
import json
import shlex
import shutil
from pathlib import Path

import pytest

from harness.processes import Completed, run
from harness.repository import REPOSITORY
from harness.resuming.catalogue import FAULTS, LIBRARIES, RIGHT, Case, mistakes
from harness.resuming.running import verify

pytestmark = [pytest.mark.torch, pytest.mark.rotating(every=15)]


def by_command(python: Path, place: Path, *words: str) -> Completed:
    """Run `seed-init verify` with options and a command, in a directory."""
    env = {"SEED": "7", "OMP_NUM_THREADS": "1", "HOME": str(place.parent)}
    command = (python, "-m", "seed_init", "verify", *words)
    return run(*command, env=env, cwd=place, timeout=600)


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", RIGHT, ids=name_of)
def test_a_run_that_is_resumed_rightly_is_identical_to_its_end(
    case: Case, python: Path, tmp_path: Path
) -> None:
    result = verify(case, python, tmp_path)
    assert mistakes(case, result) == [], result["difference"]
    # It would be no proof if nothing had been compared.
    assert result["resumed"]["compared"] > 0


@pytest.mark.parametrize("case", FAULTS, ids=name_of)
def test_what_a_checkpoint_lacks_is_named_with_its_remedy(
    case: Case, python: Path, tmp_path: Path
) -> None:
    result = verify(case, python, tmp_path)
    assert mistakes(case, result) == [], result["difference"]
    assert result["difference"]["remedies"]


@pytest.mark.parametrize("case", LIBRARIES, ids=name_of)
def test_what_people_resume_with_is_judged_as_it_is(
    case: Case, python: Path, tmp_path: Path
) -> None:
    if importlib.util.find_spec(case.needs) is None:
        pytest.skip(f"needs {case.needs}")
    result = verify(case, python, tmp_path)
    assert mistakes(case, result) == [], result["difference"]


def test_two_runs_that_would_use_one_checkpoint_are_told_what_to_do(
    python: Path, tmp_path: Path
) -> None:
    """The command names a directory that is the same for every run: nothing is compared."""
    place, shared = tmp_path / "place", tmp_path / "shared"
    place.mkdir()
    case = Case("shared", "", words=("training.py", "--directory", str(shared)))
    result = verify(case, python, place)
    assert result["verdict"] == "failed"
    assert "found a checkpoint of the whole run" in result["reason"]
    assert "write {dir} in the command" in result["reason"]
    # What the command has written there is left alone.
    assert (shared / "last.pt").is_file()


def test_a_run_that_writes_to_the_directory_itself_is_told_what_to_do(
    python: Path, tmp_path: Path
) -> None:
    """The command names a directory by its absolute path, and each run works in a copy."""
    case = Case("absolute", "", words=("training.py", "--directory", str(tmp_path / "out")))
    result = verify(case, python, tmp_path)
    assert result["verdict"] == "failed"
    assert f"run 1 has written {tmp_path}/out/last.tmp" in result["reason"]
    assert "write {dir} in the command" in result["reason"]


def test_an_attempt_with_streams_of_its_own_is_compared_with_itself(
    python: Path, tmp_path: Path
) -> None:
    """The second of the two ways in examples/resume."""
    example = REPOSITORY / "examples/resume/train.py"
    words = (str(example), "--epochs", "3", "--no-rng-states", "--checkpoint", "{dir}/c.pt")
    command = [str(python), *words]
    resume = shlex.join(["env", "SEED_INIT_RESTART=1", *command])
    options = ("--resume-after", "30", "--resume-command", resume, "--file", "{dir}/c.pt")
    done = by_command(python, tmp_path, *options, "--json", "--", *command)
    result = json.loads(done.stdout)
    assert (done.returncode, result["verdict"]) == (0, "identical"), result
    assert result["resumed"]["restart"] == "1"
    assert [run["arm"] for run in result["runs"]] == [
        "the whole run",
        *["stopped after 30 steps", "resumed"] * 2,
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_keeps_the_generators_gives_the_files_of_the_whole_run(
    python: Path, tmp_path: Path
) -> None:
    """The first of the two ways in examples/resume."""
    shutil.copy(REPOSITORY / "examples/resume/train.py", tmp_path)
    words = ("--file", "checkpoint.pt", "--", str(python), "train.py", "--epochs", "3")
    done = by_command(python, tmp_path, "--resume-after", "30", *words)
    assert done.returncode == 0, done.stdout
    assert "resumed behind step 22: the same as the whole run" in done.stdout
    assert "compared: 46 steps of the resumed run; exit status; file checkpoint.pt" in done.stdout
    # Each run worked in a copy.
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


def test_a_run_without_a_checkpoint_proves_nothing(python: Path, tmp_path: Path) -> None:
    case = Case("early", "stopped before the first checkpoint", after=2)
    result = verify(case, python, tmp_path)
    assert result["verdict"] == "unproven"
    assert "began from the beginning" in result["reason"]
