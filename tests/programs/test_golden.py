# SPDX-License-Identifier: Apache-2.0
"""Trainings give the bits that are kept in the repository, on whatever machine this runs."""

from pathlib import Path

import pytest

from harness import golden

pytestmark = [pytest.mark.torch, pytest.mark.rotating(every=1)]


def test_trainings_give_the_golden_digests_on_this_machine(python: Path) -> None:
    why = golden.unsupported()
    if why:
        pytest.skip(why)
    kept = golden.read()["digests"]
    assert len(kept) >= 13
    told = golden.differing(kept, golden.measure(python))
    assert not told, told
