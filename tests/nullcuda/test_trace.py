"""A traced step neither waits for the device nor keeps much memory on it."""

from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer
from harness.sharing import once
from seed_init.proof.trace import journal

from .running import PROGRAMS, NullCuda

MOST_BYTES = 64
"""That a tensor and step may keep on a device until its numbers are copied (docs/why/cost.md)."""

SLOW = 1_000_000
"""Nanoseconds of a kernel: the device is seconds behind when the loop has ended."""

pytestmark = pytest.mark.torch


def trained(python: str, place: str, directory: str, *words: str) -> Any:
    """What `training.py` says while it is traced on a device that lags behind, with its trace."""
    trace = Path(directory, "-".join(["trace", *words]))
    env = NullCuda(Path(place)).env(log=trace.with_suffix(".log"), kernel_ns=SLOW)
    env |= {"SEED": "7", "SEED_INIT_TRACE": str(trace)}
    told = answer(python, PROGRAMS / "training.py", *words, env=env)
    [process] = journal.read(trace)
    told["traced"] = len(process.of("step"))
    told["failed"] = process.of("failed")
    told["final"] = [each for end in process.of("end") for each in end["final"]]
    return told


@pytest.fixture
def told(python: Path, kept: Path, null_cuda: NullCuda) -> Any:
    return once(kept, trained, str(python), str(null_cuda.place), str(kept))


def test_every_step_is_traced_though_the_device_lags_behind(told: Any) -> None:
    assert told["traced"] == 55 and told["failed"] == []


def test_a_traced_step_never_waits_for_the_device(told: Any) -> None:
    assert told["steps"] == 50 and told["waits"] == 0


def test_a_step_that_waits_is_seen(python: Path, kept: Path, null_cuda: NullCuda) -> None:
    """What the test above would show if a step asked the device for a number."""
    told = once(kept, trained, str(python), str(null_cuda.place), str(kept), "item")
    assert told["waits"] >= told["steps"]


def test_a_traced_step_keeps_little_memory_on_the_device(told: Any) -> None:
    assert 0 < told["bytes"] <= MOST_BYTES * told["tensors"] * told["steps"]
