"""Attention under `warn`: deterministic where PyTorch has a deterministic backward.

Kernels compute nothing here. Which one is launched, and with which grid, tells one backward from
the other.
"""

import platform
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer
from harness.sharing import once
from seed_init.libraries.torch_operators import ALERTING, DETERMINISTIC

from .callers import Library
from .running import NullCuda

PROGRAMS = Path(__file__).parent / "programs"
FLASH = "Flash Attention defaults to a non-deterministic algorithm"
EFFICIENT = "Memory Efficient attention defaults to a non-deterministic algorithm"

NOT_SWITCHED = {
    "more_splits_than_one_are_asked_for": ["efficient varies"],
    "with_the_algorithms_off": ["flash varies"],
}
"""Settings in which the program itself asks for what varies."""

pytestmark = pytest.mark.torch


def told(
    kept: Path, python: Path, null_cuda: NullCuda, program: str, *arguments: str, **env: str
) -> Any:
    """What a program prints, run once for all tests."""
    log = kept / f"{program}-{'-'.join([*arguments, *env.values()]).replace(':', '-')}.log"
    words = [str(log), *arguments] if program == "attention_settings" else []
    environment = null_cuda.env(devices=2, log=log, capability=80)
    environment |= {"SEED": "7", "SEED_INIT_LOG": "quiet", **env}
    return once(kept, ran, str(python), program, words, environment)


def ran(python: str, program: str, arguments: list[str], env: dict[str, str]) -> Any:
    return answer(python, PROGRAMS / f"{program}.py", *arguments, env=env, timeout=180)


def settings(kept: Path, python: Path, null_cuda: NullCuda, *names: str, **env: str) -> Any:
    return told(kept, python, null_cuda, "attention_settings", *names, **env)


def test_the_backward_is_deterministic_in_every_setting(
    kept: Path, python: Path, null_cuda: NullCuda
) -> None:
    found = settings(kept, python, null_cuda)["settings"]
    assert len(found) > 15
    for name, (launched, warned) in found.items():
        expected = NOT_SWITCHED.get(name, ["efficient" if name == "efficient" else "flash"])
        assert (launched, warned) == (expected, []), name


@pytest.mark.parametrize(
    "env", [{"DETERMINISM": "off"}, {"CUBLAS_WORKSPACE_CONFIG": ":1:1"}], ids=["off", "workspace"]
)
def test_it_varies_and_warns_without_the_cure(
    kept: Path, python: Path, null_cuda: NullCuda, env: dict[str, str]
) -> None:
    """A program under `off` that asks PyTorch for its `warn` gets PyTorch's; with a workspace that
    is not deterministic, matrix products in other threads would raise."""
    found = settings(kept, python, null_cuda, "flash", "efficient", "threads", **env)
    assert found["settings"] == {
        "flash": [["flash varies"], [FLASH]],
        "efficient": [["efficient varies"], [EFFICIENT]],
        "threads": [["flash varies"], [FLASH]],
    }
    assert not found["after"]


def test_nothing_is_registered_before_cuda_starts(
    kept: Path, python: Path, null_cuda: NullCuda
) -> None:
    found = settings(kept, python, null_cuda)
    assert (found["started"], found["before"], found["after"]) == (False, False, True)


def test_a_start_that_the_program_made_fail_registers_nothing_twice(
    kept: Path, python: Path, null_cuda: NullCuda
) -> None:
    """The second registration would raise, and be told as if there were none."""
    assert settings(kept, python, null_cuda)["registrations"] == 1


def test_cudnn_is_taken_only_where_the_program_asks_for_it(
    kept: Path, python: Path, null_cuda: NullCuda
) -> None:
    found = settings(kept, python, null_cuda)
    assert found["cudnn"] is False
    assert found["choices"] == ["FLASH_ATTENTION", "CUDNN_ATTENTION"]


def test_the_level_does_not_change(kept: Path, python: Path, null_cuda: NullCuda) -> None:
    assert settings(kept, python, null_cuda)["warn only"] is True


def test_threads_children_and_signals_see_no_switch(
    kept: Path, python: Path, null_cuda: NullCuda
) -> None:
    found = told(kept, python, null_cuda, "attention_threads")
    assert len(found) > 8
    assert [name for name, value in found.items() if value not in (0, True)] == []


# What ATen does, from its binaries

CUDA, CPU = "libtorch_cuda.so", "libtorch_cpu.so"
SWITCH, ALERT = "31deterministicAlgorithmsWarnOnly", "21alertNotDeterministic"

CUDNN = ("_cudnn_attention_backward", "_scaled_dot_product_cudnn_attention_backward_cuda")
"""It only warns; the name in newer releases, and in 2.6."""

CHOICE = "check_cudnn_deterministic"

ALERTS = ("alertNotDeterministic", "alertCuBLASConfigNotDeterministic")

UNREACHED = {
    "scatter_add_cuda_kernel": "by index_put where the algorithms are deterministic",
    "scatter_cuda_kernel": "the same",
    "quantized_resize_cpu_": "the docstring of ALERTING has the reason",
}

IRREGULAR = {
    "embedding_bag_backward_cuda_max": "_embedding_bag_dense_backward",
    "index_reduce_func_cuda_impl": "index_reduce",
    "median_with_indices_impl": "median.dim",
    "max_unpooling2d_forward": "max_unpool2d",
    "max_unpooling3d_forward": "max_unpool3d",
    "scatter_reduce_cuda_kernel": "scatter.reduce",
    "scatter_reduce_two_cuda_kernel": "scatter_reduce",
}
"""Functions whose names do not tell the operator."""


def library(name: str) -> Library:
    if platform.machine() != "x86_64":
        pytest.skip(f"the code of {platform.machine()} is not read")
    torch = find_spec("torch")
    assert torch is not None and torch.origin is not None
    path = Path(torch.origin).parent / "lib" / name
    if not path.exists():
        pytest.skip(f"{name} is not there: PyTorch is built without CUDA")
    return Library(path)


def operator_of(function: str) -> str:
    """The operator that a function of ATen implements."""
    name = re.sub(r"^(structured_|launch_)|(_out)?(_cuda|_cpu|_gpu)(_template)?$", "", function)
    name = name.removesuffix("_kernel") if function.startswith("launch_") else name
    return IRREGULAR.get(name, name)


def test_only_attention_takes_its_deterministic_version_without_warn_only() -> None:
    """Fails where a release has another operator of that kind, which warn would leave varying."""
    found = library(CUDA).callers(SWITCH)
    assert found - {*CUDNN, CHOICE} == set(DETERMINISTIC)
    assert found & set(CUDNN) and CHOICE in found
    assert ALERTS[0] in library(CPU).callers(SWITCH) <= set(ALERTS)


@pytest.mark.parametrize("name", [CUDA, CPU])
def test_every_operator_that_alerts_waits_for_the_switch(name: str) -> None:
    """Fails where a release has another one, which might raise beside attention."""
    found = library(name).callers(ALERT) - set(UNREACHED)
    assert len(found) > (30 if name == CUDA else 2)
    known = {each.lstrip("_") for each in ALERTING}
    assert {operator_of(each).lstrip("_") for each in found} <= known
