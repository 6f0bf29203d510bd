"""`verify`, `record` and `cost` of a training on a device."""

import json
from pathlib import Path
from typing import Any

import pytest
from proof import recorded

from harness.processes import Completed, run
from harness.sharing import once

from .running import PROGRAMS, NullCuda

pytestmark = pytest.mark.torch


def command(python: str, place: str, directory: Path, *words: Path | str) -> Completed:
    """Run a command of `seed-init` with two devices there, in a directory of its own."""
    directory.mkdir()
    env = {"SEED": "7", "OMP_NUM_THREADS": "1", "HOME": str(directory)}
    env |= {"PYTHONHASHSEED": "0", "TMPDIR": str(directory)}
    env |= NullCuda(Path(place)).env(name="Null GPU")
    words = ("-m", "seed_init", *words)
    return run(python, *words, env=env, cwd=directory, timeout=600)


def verified(python: str, place: str, directory: str, *words: str) -> dict[str, Any]:
    """Verify `repeating.py`; keep what is told and the first run's record."""
    here = Path(directory, "-".join(["verify", *words]))
    options = ["--records", "records", "--json", "--"]
    if words:
        options = ["--no-perturb", "--no-locate", *options]
    program = (python, PROGRAMS / "repeating.py", *words)
    done = command(python, place, here, "verify", *options, *program)
    return {
        "status": done.returncode,
        "stderr": done.stderr,
        "told": json.loads(done.stdout),
        "record": recorded.valid(min((here / "records").glob("*.json"))),
    }


@pytest.fixture
def same(python: Path, kept: Path, null_cuda: NullCuda) -> Any:
    return once(kept, verified, str(python), str(null_cuda.place), str(kept))


def test_a_training_on_a_device_is_identical(same: Any) -> None:
    assert same["told"]["verdict"] == "identical" and same["status"] == 0, same["stderr"]


def test_its_steps_weights_and_generators_were_compared(same: Any) -> None:
    told = same["told"]["compared"]
    assert (told["steps"], told["tensors"]) == (12, 4)
    assert {"torch", "cuda:0", "cuda:1"} <= set(told["generators"])


def test_its_record_names_the_devices(same: Any) -> None:
    used = same["record"]["gpu"]["used"]
    assert [each["name"] for each in used] == ["Null GPU"] * 2
    assert used[0]["uuid"] != used[1]["uuid"]


def test_weights_that_differ_on_the_device_are_different(
    python: Path, kept: Path, null_cuda: NullCuda
) -> None:
    """What the tests above would show if the hook did not seed."""
    found = once(kept, verified, str(python), str(null_cuda.place), str(kept), "noise")
    assert found["told"]["verdict"] == "different" and found["status"] == 1


def test_cost_measures_by_the_clock_of_the_device(
    python: Path, tmp_path: Path, null_cuda: NullCuda
) -> None:
    options = ("--steps", "3", "--warmup", "1", "--repeats", "2", "--only", "warn", "--json", "--")
    program = (python, PROGRAMS / "repeating.py")
    done = command(str(python), str(null_cuda.place), tmp_path / "cost", "cost", *options, *program)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["machine"]["gpus"] == ["Null GPU"] * 2
    assert [(row["name"], row["problem"], row["identical"]) for row in told["rows"]] == [
        ("off", None, True),
        ("warn", None, True),
    ]
    for sample in (each for samples in told["samples"].values() for each in samples):
        assert sample["clock"] == "cuda" and len(sample["step_seconds"]) == 3
        assert sample["memory"]["allocated"] > 0
