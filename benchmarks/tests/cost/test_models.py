"""The models of the benchmark train, and are random where nobody seeds them."""

import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cost.__main__ import MODELS
from harness.processes import answer
from harness.repository import REPOSITORY
from harness.sharing import once

PROGRAM = Path(__file__).parent / "programs/all_models.py"
COST = REPOSITORY / "benchmarks/cost"

pytestmark = pytest.mark.torch


@pytest.fixture
def unseeded(bare: Path, kept: Path) -> list[Any]:
    """Two runs without the hook."""
    return [once(kept, train, str(bare), None, number) for number in (1, 2)]


@pytest.fixture
def seeded(python: Path, kept: Path) -> list[Any]:
    """Two runs with the hook and one seed."""
    return [once(kept, train, str(python), "7", number) for number in (1, 2)]


def train(python: str, seed: str | None, number: int) -> Any:
    """The number only tells one run from the next."""
    return answer(python, PROGRAM, COST, env={"SEED": seed, "DETERMINISM": seed and "warn"})


def test_the_command_line_offers_every_model(unseeded: list[Any]) -> None:
    assert set(MODELS) == set(unseeded[0])


@pytest.mark.parametrize("model", MODELS)
def test_the_loss_falls(model: str, unseeded: list[Any]) -> None:
    losses = unseeded[0][model]["losses"]
    assert all(map(math.isfinite, losses))
    # The four batches come round three times.
    assert statistics.mean(losses[-4:]) < statistics.mean(losses[:4])


@pytest.mark.parametrize("model", MODELS)
def test_unseeded_runs_differ(model: str, unseeded: list[Any]) -> None:
    one, two = unseeded
    assert one[model]["digest"] != two[model]["digest"]
    assert one[model]["losses"] != two[model]["losses"]


@pytest.mark.parametrize("model", MODELS)
def test_runs_with_one_seed_are_identical(model: str, seeded: list[Any]) -> None:
    one, two = seeded
    assert one[model] == two[model]
