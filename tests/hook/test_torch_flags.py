"""DETERMINISM and its overrides, as torch itself sees them; the lines on stderr."""

import json
from pathlib import Path

import pytest

from harness.processes import answer, output, run

from .support import program

LINE = "seed_init: SEED=7 (environment), DETERMINISM={level}\n"
# cuDNN's flags, TF32 in matmul, (deterministic algorithms, warn only), fill, cuBLAS workspace.
TORCH = {
    "cudnn.deterministic": False,
    "cudnn.benchmark": False,
    "cudnn.allow_tf32": True,
    "matmul.allow_tf32": False,
    "algorithms": [False, False],
    "fill": True,
    "workspace": None,
}
WARN = {
    **TORCH,
    "cudnn.deterministic": True,
    "algorithms": [True, True],
    "fill": False,
    "workspace": ":4096:8",
}
LEVELS = {
    "off": TORCH,
    "fast": {**TORCH, "cudnn.benchmark": True},
    "warn": WARN,
    "strict": {**WARN, "algorithms": [True, False]},
}


def flags(python: Path, **env: str) -> dict[str, object]:
    return answer(python, program("flags"), env=env)


pytestmark = pytest.mark.torch


def test_torch_is_as_we_expect_it_without_us(bare: Path) -> None:
    assert flags(bare) == TORCH


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_sets_its_flags_and_is_told_in_one_line(python: Path, level: str) -> None:
    done = run(python, program("flags"), env={"SEED": "7", "DETERMINISM": level})
    assert json.loads(done.stdout) == LEVELS[level]
    assert done.stderr == LINE.format(level=level)


def test_the_level_is_warn_where_only_a_seed_is_given_and_quiet_is_quiet(python: Path) -> None:
    done = run(python, program("flags"), env={"SEED": "7", "SEED_INIT_LOG": "quiet"})
    assert json.loads(done.stdout) == WARN
    assert done.stderr == ""


def test_a_level_holds_without_a_seed(python: Path) -> None:
    done = run(python, program("flags"), env={"SEED": "off", "DETERMINISM": "strict"})
    assert json.loads(done.stdout) == LEVELS["strict"]
    assert done.stderr == "seed_init: SEED=off (environment), DETERMINISM=strict\n"


def test_overrides_win_over_off(python: Path) -> None:
    """Each is set to what neither torch nor the level has."""
    told = flags(
        python,
        SEED="7",
        DETERMINISM="off",
        CUDNN_DETERMINISTIC="1",
        CUDNN_BENCHMARK="1",
        CUDNN_ALLOW_TF32="0",
        TORCH_ALLOW_TF32="1",
        TORCH_DETERMINISTIC_ALGORITHMS="1",
        TORCH_FILL_UNINITIALIZED_MEMORY="0",
    )
    assert told == {
        "cudnn.deterministic": True,
        "cudnn.benchmark": True,
        "cudnn.allow_tf32": False,
        "matmul.allow_tf32": True,
        "algorithms": [True, False],
        "fill": False,
        "workspace": ":4096:8",
    }


def test_overrides_win_over_strict(python: Path) -> None:
    told = flags(
        python,
        SEED="7",
        DETERMINISM="strict",
        CUDNN_DETERMINISTIC="0",
        CUDNN_BENCHMARK="1",
        CUDNN_ALLOW_TF32="1",
        TORCH_ALLOW_TF32="0",
        TORCH_DETERMINISTIC_ALGORITHMS="warn",
        TORCH_FILL_UNINITIALIZED_MEMORY="1",
        CUBLAS_WORKSPACE_CONFIG=":16:8",
    )
    assert told == {
        "cudnn.deterministic": False,
        "cudnn.benchmark": True,
        "cudnn.allow_tf32": True,
        "matmul.allow_tf32": False,
        "algorithms": [True, True],
        "fill": True,
        "workspace": ":16:8",
    }


def test_algorithms_0_needs_no_workspace_and_says_nothing_of_it(python: Path) -> None:
    env = {"SEED": "7", "TORCH_DETERMINISTIC_ALGORITHMS": "0"}
    done = run(python, program("flags"), env=env)
    told = json.loads(done.stdout)
    assert told["algorithms"] == [False, False]
    assert told["workspace"] is None
    assert done.stderr == LINE.format(level="warn")


def test_a_workspace_that_is_not_deterministic_is_warned_of_once(python: Path) -> None:
    """At level warn, once for all libraries as the line before it; strict refuses it."""
    env = {"SEED": "7", "CUBLAS_WORKSPACE_CONFIG": ":1:1"}
    done = run(python, "-c", "import random, numpy.random, torch", env=env)
    assert (done.stdout, done.returncode) == ("", 0)
    assert done.stderr == LINE.format(level="warn") + (
        "seed_init: CUBLAS_WORKSPACE_CONFIG=':1:1' is kept, but cuBLAS is deterministic only "
        "with :4096:8 or :16:8\n"
    )


def test_details_are_told_at_debug(python: Path) -> None:
    env = {"SEED": "7", "SEED_INIT_LOG": "debug", "CUDNN_BENCHMARK": "1"}
    done = run(python, "-c", "import torch", env=env)
    lines = done.stderr.splitlines()
    assert "seed_init: torch seeded with 7" in lines
    assert "seed_init: CUDNN_BENCHMARK=1 (environment)" in lines
    assert "seed_init: CUDNN_DETERMINISTIC=1 (DETERMINISM=warn)" in lines
    assert LINE.format(level="warn").strip() in lines
    assert all(line.startswith("seed_init: ") for line in lines)


def test_strict_raises_where_torch_has_no_deterministic_way(python: Path) -> None:
    """What the level is for. warn says it and goes on."""
    code = "import torch; print(torch.zeros(3).put_(torch.tensor([0]), torch.ones(1)).sum())"
    env = {"SEED": "7", "SEED_INIT_LOG": "quiet"}
    strict = run(python, "-c", code, env={**env, "DETERMINISM": "strict"})
    assert strict.returncode == 1
    assert "does not have a deterministic implementation" in strict.stderr
    warn = run(python, "-c", code, env={**env, "DETERMINISM": "warn"})
    assert (warn.stdout, warn.returncode) == ("tensor(1.)\n", 0)
    assert "does not have a deterministic implementation" in warn.stderr


def test_a_failure_to_seed_torch_ends_the_process(python: Path) -> None:
    """An exception would leave a torch that cannot be imported again."""
    code = """
import sys
from seed_init.hook import seeding
load = seeding.load
def fail(name):
    if name == "torch":
        raise RuntimeError("boom")
    return load(name)
seeding.load = fail
try:
    import torch
except BaseException:
    pass
print("user code ran")
"""
    done = run(python, "-c", code, env={"SEED": "7", "SEED_INIT_LOG": "quiet"})
    assert (done.stdout, done.returncode) == ("", 78)
    assert done.stderr == (
        "seed_init: seeding failed with RuntimeError: 'boom'; "
        "set SEED_INIT=0 to run without seeding\n"
    )


def test_the_workspace_is_set_before_torch_is_imported(python: Path) -> None:
    """cuBLAS reads it when torch makes its first handle; a subprocess inherits it."""
    code = (
        "import os, sys; print(os.environ.get('CUBLAS_WORKSPACE_CONFIG'), 'torch' in sys.modules)"
    )
    assert output(python, "-c", code, env={"SEED": "7"}) == ":4096:8 False"
    assert output(python, "-c", code, env={"SEED": "7", "DETERMINISM": "off"}) == "None False"
