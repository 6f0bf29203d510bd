"""On a GPU: the operators that PyTorch documents as nondeterministic, under each level.

Under `off` the product sets no flag. What does not vary there is told as an expected failure, with
the GPU's name: the tests of `warn` and `strict` prove little about it. Enough must have varied.
"""

from pathlib import Path

import pytest

from . import differences, levels
from .operators import OPERATORS
from .running import ON_GPU, Launched, gpu, release
from .states import Kind, State

pytestmark = ON_GPU

STATES = {
    name: differences.state(name, each.state, release())
    for name, each in OPERATORS.items()
    if each.device == "cuda"
}
VARYING = [
    name for name in STATES if OPERATORS[name].varies and differences.varies(name, release())
]
MUST_VARY = ("index_add", "scatter_add")
"""Sums of 300,000 numbers of very different sizes at 16 places: on any GPU."""
AT_LEAST = 10
"""Operators that have to vary under `off`, or the suite fails: it would prove too little."""


def of_kind(*kinds: Kind) -> list[str]:
    return [name for name, state in STATES.items() if state.kind in kinds]


def launched(kept: Path, python: Path, name: str, level: str) -> Launched:
    """What an operator gave; skips where it needs what this GPU has not."""
    off = levels.operators(kept, python, "off").get(name)
    assert off is not None, f"the process that launched it died before {name} under off"
    if off.errors and OPERATORS[name].needs:
        pytest.skip(f"{OPERATORS[name].needs}, not on {gpu()}: {off.errors[0].splitlines()[0]}")
    found = levels.operators(kept, python, level).get(name)
    assert found is not None, f"the process that launched it died before {name} under {level}"
    return found


def equal(found: Launched, level: str) -> bool:
    """Whether all launches were made, and all gave the same bits."""
    whole = levels.PROCESSES * levels.LAUNCHES[level]
    return not found.errors and len(found.digests) == whole and not found.varied


@pytest.mark.parametrize("name", STATES)
def test_under_off_nothing_warns_or_raises(kept: Path, python: Path, name: str) -> None:
    found = launched(kept, python, name, "off")
    assert not found.errors and not found.complaints()


@pytest.mark.parametrize("name", VARYING)
def test_bits_vary_under_off(kept: Path, python: Path, name: str) -> None:
    found = launched(kept, python, name, "off")
    if not found.varied and name not in MUST_VARY:
        pytest.xfail(f"{name} did not vary in {len(found.digests)} launches on {gpu()}")
    assert found.varied


def test_enough_operators_vary_under_off(kept: Path, python: Path) -> None:
    found = levels.operators(kept, python, "off")
    varied = [name for name in VARYING if name in found and found[name].varied]
    assert len(varied) >= AT_LEAST, f"only {varied} varied on {gpu()}"


@pytest.mark.parametrize("level", ["warn", "strict"])
@pytest.mark.parametrize("name", of_kind(Kind.DETERMINISTIC))
def test_bits_are_equal_where_there_is_a_deterministic_version(
    kept: Path, python: Path, name: str, level: str
) -> None:
    found = launched(kept, python, name, level)
    assert equal(found, level) and not found.complaints()


@pytest.mark.parametrize("level", ["warn", "strict"])
@pytest.mark.parametrize("name", of_kind(Kind.SILENT))
def test_nothing_is_said_where_pytorch_is_silent(
    kept: Path, python: Path, name: str, level: str
) -> None:
    found = launched(kept, python, name, level)
    assert not found.errors and not found.complaints()


@pytest.mark.parametrize("name", of_kind(Kind.NONE))
def test_it_warns_under_warn_where_there_is_none(kept: Path, python: Path, name: str) -> None:
    alert = STATES[name].alert
    found = launched(kept, python, name, "warn")
    assert alert and found.warned(alert) and not found.errors


@pytest.mark.parametrize("name", of_kind(Kind.NONE))
def test_it_raises_under_strict_where_there_is_none(kept: Path, python: Path, name: str) -> None:
    found = launched(kept, python, name, "strict")
    assert len(found.errors) == levels.PROCESSES
    assert all(is_refusal(each, STATES[name]) for each in found.errors)


def is_refusal(error: str, state: State) -> bool:
    return error.startswith(f"RuntimeError: {state.error}")
