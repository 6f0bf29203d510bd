"""On a GPU: the models of benchmarks/cost, trained in fresh processes under each level."""

from pathlib import Path

import pytest

from . import levels
from .models import MODELS, VARY
from .running import ON_GPU, Launched, gpu
from .states import Kind

pytestmark = ON_GPU


def of_kind(*kinds: Kind) -> list[str]:
    return [name for name, state in MODELS.items() if state.kind in kinds]


def trained(kept: Path, python: Path, name: str, level: str) -> Launched:
    found = levels.models(kept, python, level).get(name)
    assert found is not None, f"the process that trained it died before {name} under {level}"
    return found


def equal(found: Launched) -> bool:
    return not found.errors and len(found.digests) == levels.PROCESSES and not found.varied


@pytest.mark.parametrize("name", MODELS)
def test_a_model_trains_under_off(kept: Path, python: Path, name: str) -> None:
    found = trained(kept, python, name, "off")
    assert not found.errors and not found.complaints()


def test_some_model_varies_under_off(kept: Path, python: Path) -> None:
    varied = [name for name in MODELS if trained(kept, python, name, "off").varied]
    assert set(varied) & set(VARY), f"only {varied} varied on {gpu()}"


@pytest.mark.parametrize("level", ["warn", "strict"])
@pytest.mark.parametrize("name", of_kind(Kind.DETERMINISTIC))
def test_bits_are_equal(kept: Path, python: Path, name: str, level: str) -> None:
    found = trained(kept, python, name, level)
    assert equal(found) and not found.complaints()


@pytest.mark.parametrize("name", of_kind(Kind.NONE))
def test_it_names_its_operator_under_warn(kept: Path, python: Path, name: str) -> None:
    alert = MODELS[name].alert
    found = trained(kept, python, name, "warn")
    assert alert and found.warned(alert) and not found.errors


@pytest.mark.parametrize("name", of_kind(Kind.NONE))
def test_it_raises_under_strict(kept: Path, python: Path, name: str) -> None:
    found = trained(kept, python, name, "strict")
    error = f"RuntimeError: {MODELS[name].error}"
    assert len(found.errors) == levels.PROCESSES
    assert all(each.startswith(error) for each in found.errors)
