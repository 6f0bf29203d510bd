"""The checks: SEED has an effect, one seed gives the same bits twice, no two runs share a file.

Programs without torch are compared by what they print, programs that train by their final weights.
"""

from pathlib import Path
from typing import Any

import pytest

from .support import program, result, sweep

pytestmark = pytest.mark.slow

LOOPING = """
import random, time

print("started at", time.time())
for epoch in range(3):
    print("loss", epoch, random.random())
print("took", time.time(), "s")
"""


def checked(python: Path, place: Path, source: str, *words: str, **options: Any) -> dict[str, Any]:
    """What the checks of a sweep of a program say."""
    program(place, source)
    done = sweep(python, place, *words, **options)
    assert done.returncode in (0, 1), done.stderr
    checks: dict[str, Any] = result(place)["checks"] | {"told": done.stdout}
    checks["status"] = done.returncode
    return checks


def test_times_are_no_effect_of_the_seed(python: Path, tmp_path: Path) -> None:
    """What differs between two runs of one seed says nothing about SEED."""
    source = "import random; random.seed(3)\n" + LOOPING
    found = checked(python, tmp_path, source, "--seeds", "3")
    effect = found["seed_has_effect"]["run"]
    assert effect["verdict"] == "no"
    assert effect["compared"] == ["standard output"]
    assert effect["identical"] == [[0, 1, 2]]
    assert effect["places"] == [{"function": "random.seed", "place": "train.py:1", "given": "3"}]
    assert found["status"] == 1
    assert "SEED has no effect: 3 seeds gave the same results" in found["told"]
    assert "random.seed(3) at train.py:1 seeds by itself" in found["told"]
    assert "SEED_INIT_RESEED=mix mixes that seed with SEED" in found["told"]


def test_the_remedy_that_is_told_helps(python: Path, tmp_path: Path) -> None:
    source = "import random; random.seed(3)\n" + LOOPING
    env: dict[str, str | None] = {"SEED_INIT_RESEED": "mix"}
    found = checked(python, tmp_path, source, "--seeds", "3", env=env)
    assert found["seed_has_effect"]["run"]["verdict"] == "yes"
    assert found["status"] == 0


def test_noise_is_told_as_a_share_of_the_variance(python: Path, tmp_path: Path) -> None:
    source = "import os; print('acc', int.from_bytes(os.urandom(4), 'big') / 2**32)"
    found = checked(python, tmp_path, source, "--seeds", "5", "--metric", "acc (.*)")
    # Other results are no effect of SEED where they are noise.
    effect = found["seed_has_effect"]["run"]
    assert effect["verdict"] == "unproven"
    assert "so did two runs of one seed: this may be noise" in effect["text"]
    repeats = found["repeats"]
    assert repeats["verdict"] == "differs"
    noise = repeats["noise"]["acc"]
    assert noise["first"] != noise["again"]
    assert 0 < noise["share"] <= 1
    assert "seed 0 did not give the same bits twice" in found["told"]
    assert "of the variance" in found["told"]
    assert repeats["remedies"][-1]["remedy"].startswith("seed-init verify -- CMD finds")
    # The hash seed is 0 in this environment, and is not suspected.
    assert "PYTHONHASHSEED" not in str(repeats["remedies"])


def test_an_order_of_sets_is_suspected_where_no_hash_seed_is_set(
    python: Path, tmp_path: Path
) -> None:
    source = "print('acc', ''.join([*{str(n) for n in range(1000)}][:4]))"
    words = ("--seeds", "3", "--metric", "acc (.*)")
    found = checked(python, tmp_path, source, *words, env={"PYTHONHASHSEED": None})
    assert found["repeats"]["verdict"] == "differs"
    assert "PYTHONHASHSEED is not set" in found["repeats"]["remedies"][0]["cause"]


def test_a_python_without_the_hook_is_named(python: Path, bare: Path, tmp_path: Path) -> None:
    source = "print('one')\nprint('acc', 2)"
    words = ("--seeds", "3", "--metric", "acc (.*)")
    found = checked(python, tmp_path, source, *words, command=(bare, "train.py"))
    assert found["seed_has_effect"]["run"]["verdict"] == "no"
    assert "the hook is not installed in that Python" in found["told"]
    assert "run 'seed-init install' with that Python" in found["told"]
    assert found["shared_files"]["verdict"] == "unproven"


def test_noise_of_a_python_without_the_hook_is_no_effect_of_the_seed(
    python: Path, bare: Path, tmp_path: Path
) -> None:
    source = "import random; print('acc', random.random())"
    words = ("--seeds", "3", "--metric", "acc (.*)")
    found = checked(python, tmp_path, source, *words, command=(bare, "train.py"))
    assert found["seed_has_effect"]["run"]["verdict"] == "unproven"
    assert "the hook is not installed" in found["repeats"]["remedies"][0]["cause"]


def test_some_of_the_randomness_is_the_programs_own(python: Path, tmp_path: Path) -> None:
    source = "import random; random.seed(3)\nprint(random.Random().random(), random.random())"
    found = checked(python, tmp_path, source, "--seeds", "3")
    effect = found["seed_has_effect"]["run"]
    assert effect["verdict"] == "yes"
    assert [place["place"] for place in effect["places"]] == ["train.py:1"]
    assert "SEED does not decide what is drawn from there" in found["told"]


def test_a_seed_that_follows_SEED_is_no_seed_of_its_own(python: Path, tmp_path: Path) -> None:
    source = "import os, random; random.seed(int(os.environ['SEED']))\nprint(random.random())"
    found = checked(python, tmp_path, source, "--seeds", "3")
    effect = found["seed_has_effect"]["run"]
    assert (effect["verdict"], effect["places"]) == ("yes", [])


def test_a_file_that_several_runs_write_is_named(python: Path, tmp_path: Path) -> None:
    source = (
        "import pathlib, random, sys\n"
        "pathlib.Path('model.txt').write_text(str(random.random()))\n"
        "pathlib.Path(sys.argv[1], 'model.txt').write_text('x')\n"
    )
    command = (python, "train.py", "{dir}")
    found = checked(python, tmp_path, source, "--seeds", "3", command=command)
    shared = found["shared_files"]
    assert shared["files"] == [{"path": "model.txt", "runs": 4}]
    assert "4 runs wrote to model.txt: only what the last one wrote is left" in found["told"]
    assert "write below {dir}" in found["told"]


TRAINING = """
import sys, torch
from torch import nn

{seeding}
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(5):
    optimizer.zero_grad()
    loss = (model(torch.ones(4, 4)) - 1).square().mean(){noise}
    loss.backward()
    optimizer.step()
print("accuracy", 1.0)
"""
"""Trains, and prints nothing that differs: the final weights alone can tell runs apart."""


@pytest.mark.torch
def test_a_training_is_compared_by_its_weights_and_not_by_its_metrics(
    python: Path, tmp_path: Path
) -> None:
    source = TRAINING.format(seeding="", noise="")
    words = ("--seeds", "2", "--metric", "accuracy (.*)")
    found = checked(python, tmp_path, source, *words)
    effect = found["seed_has_effect"]["run"]
    assert (effect["verdict"], effect["compared"]) == ("yes", ["training", "metrics"])
    assert found["repeats"]["verdict"] == "same"
    assert found["repeats"]["text"].startswith("seed 0 gave the same results twice, bit for bit")


@pytest.mark.torch
def test_a_training_that_seeds_by_itself_and_one_with_noise(python: Path, tmp_path: Path) -> None:
    source = TRAINING.format(seeding="torch.manual_seed(42)", noise="")
    found = checked(python, tmp_path, source, "--seeds", "2", "--no-repeat", "--no-records")
    effect = found["seed_has_effect"]["run"]
    assert (effect["verdict"], effect["compared"]) == ("no", ["training"])
    assert "torch.manual_seed(42) at train.py:5 seeds by itself" in found["told"]
    noise = " * (1 + int.from_bytes(__import__('os').urandom(2), 'big') / 2**20)"
    source = TRAINING.format(seeding="", noise=noise)
    words = ("--seeds", "1", "--name", "noisy", "--steps", "--metric", "accuracy (.*)")
    program(tmp_path, source)
    done = sweep(python, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    repeats = result(tmp_path, "noisy")["checks"]["repeats"]
    assert repeats["verdict"] == "differs"
    assert repeats["difference"].startswith("first observed at step 0: ")
    assert "the metrics are the same all the same" in repeats["text"]
