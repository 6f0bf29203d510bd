"""`seed-init verify` catches what differs, says where, and raises no false alarm.

Each case starts torch three to ten times. With the operator and the rank that
tests/proof/test_verify.py has at each commit, every level of location has been in sixteen of them.
"""

from pathlib import Path

import pytest

from harness.divergence import bit_flips
from harness.divergence.catalogue import CAUGHT, CLEAN, LATENT, Case, mistakes
from harness.divergence.running import verify
from seed_init.proof.comparing import steps
from seed_init.proof.trace import journal

pytestmark = pytest.mark.torch


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.rotating(every=16)
@pytest.mark.parametrize("case", CAUGHT, ids=name_of)
def test_catches_and_locates(case: Case, python: Path) -> None:
    verdict = verify(case, python)
    if case.is_chance and verdict["verdict"] == "different" and mistakes(case, verdict):
        verdict = verify(case, python)
    assert verdict["verdict"] == "different", verdict["reason"]
    assert mistakes(case, verdict) == [], verdict["difference"]


@pytest.mark.rotating(every=16)
@pytest.mark.parametrize("case", CLEAN, ids=name_of)
def test_raises_no_false_alarm(case: Case, python: Path) -> None:
    verdict = verify(case, python)
    assert verdict["verdict"] == "identical", verdict["difference"] or verdict["reason"]
    # It would be no proof if nothing had been looked at.
    assert verdict["compared"]["steps"] > 0


@pytest.mark.rotating(every=6)
@pytest.mark.parametrize("case", LATENT, ids=name_of)
def test_finds_by_a_perturbation_what_repeating_misses(case: Case, python: Path) -> None:
    # The run without hooks has other addresses in any case.
    if case.expected.perturbation != "address layout":
        plain = verify(case, python, "--no-perturb")
        assert plain["verdict"] == "identical", plain["difference"] or plain["reason"]
    perturbed = verify(case, python)
    assert perturbed["verdict"] == "different", perturbed["reason"]
    assert mistakes(case, perturbed) == [], perturbed["difference"]


@pytest.fixture(scope="module")
def base(python: Path) -> list[journal.Process]:
    return bit_flips.clean(python)


@pytest.mark.parametrize("flip", bit_flips.flips(8), ids=lambda flip: f"bit {flip.bit}")
def test_finds_a_flipped_bit_in_its_gradient_at_its_step(
    python: Path, base: list[journal.Process], flip: bit_flips.Flip
) -> None:
    ((_, difference),) = bit_flips.found(python, base, [flip])
    assert bit_flips.is_exact(flip, difference), difference


def test_finds_nothing_where_no_bit_flipped(python: Path, base: list[journal.Process]) -> None:
    assert steps.first_difference(base, bit_flips.clean(python)) is None
