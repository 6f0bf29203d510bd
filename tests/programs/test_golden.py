# SPDX-License-Identifier: Apache-2.0
"""Trainings give the bits that are kept in the repository, on whatever machine this runs."""

import os
from pathlib import Path

import pytest

from harness import golden

pytestmark = pytest.mark.torch


@pytest.mark.rotating(every=1)
def test_trainings_give_the_golden_digests_on_this_machine(python: Path) -> None:
    why = golden.unsupported()
    if why:
        pytest.skip(why)
    kept = golden.read()["digests"]
    assert len(kept) >= 13
    told = golden.differing(kept, golden.measure(python))
    assert not told, told


@pytest.mark.rotating(every=2)
def test_they_are_the_same_on_one_cpu(python: Path) -> None:
    """The threads share the CPU; `taskset` does what a container's `--cpuset-cpus` does."""
    why = golden.unsupported()
    if why:
        pytest.skip(why)
    cpu = str(min(os.sched_getaffinity(0)))
    told = golden.differing(
        golden.read()["digests"], golden.measure(python, ("taskset", "-c", cpu))
    )
    assert not told, told
