"""`seed-init verify` catches what differs, says where, and raises no false alarm."""

from pathlib import Path

import pytest

from . import bit_flips
from .catalogue import CAUGHT, CLEAN, LATENT, Case, mistakes
from .running import verify

pytestmark = pytest.mark.torch


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", CAUGHT, ids=name_of)
def test_catches_and_locates(case: Case, python: Path) -> None:
    verdict = verify(case, python)
    assert verdict["verdict"] == "different", verdict["reason"]
    assert mistakes(case, verdict) == [], verdict["difference"]


@pytest.mark.parametrize("case", CLEAN, ids=name_of)
def test_raises_no_false_alarm(case: Case, python: Path) -> None:
    verdict = verify(case, python)
    assert verdict["verdict"] == "identical", verdict["difference"] or verdict["reason"]
    # It would be no proof if nothing had been looked at.
    assert verdict["compared"]["steps"] > 0


@pytest.mark.parametrize("case", LATENT, ids=name_of)
def test_finds_by_a_perturbation_what_repeating_misses(case: Case, python: Path) -> None:
    plain = verify(case, python, "--no-perturb")
    assert plain["verdict"] == "identical", plain["difference"] or plain["reason"]
    perturbed = verify(case, python)
    assert perturbed["verdict"] == "different", perturbed["reason"]
    assert mistakes(case, perturbed) == [], perturbed["difference"]


def test_finds_each_flipped_bit_in_its_gradient_at_its_step(python: Path) -> None:
    base = bit_flips.clean(python)
    seen = list(bit_flips.found(python, base, bit_flips.flips(8)))
    assert [flip for flip, difference in seen if not bit_flips.is_exact(flip, difference)] == []


def test_finds_nothing_where_no_bit_flipped(python: Path) -> None:
    base = bit_flips.clean(python)
    assert bit_flips.comparing.first_difference(base, bit_flips.clean(python)) is None
