"""The interpreters of the hook's tests, as the benchmark takes them."""

from pathlib import Path

import pytest

from benchmarks.cost.pythons import Interpreters


@pytest.fixture
def pythons(bare: Path, python: Path, tmp_path: Path) -> Interpreters:
    return Interpreters(bare, python, tmp_path)
