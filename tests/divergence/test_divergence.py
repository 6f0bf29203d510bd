"""`seed-init verify` catches what differs, says where, and raises no false alarm.

Each case starts torch three to ten times. A sample is run here: with the operator and the rank
that tests/proof/test_verify.py has, every level of location is. SEED_INIT_DIVERGENCE=all runs every
case, and so does `python -m benchmarks divergence`.
"""

import os
from pathlib import Path

import pytest

from harness.divergence import bit_flips
from harness.divergence.catalogue import CAUGHT, CLEAN, LATENT, Case, mistakes
from harness.divergence.running import verify

pytestmark = pytest.mark.torch


SAMPLE = frozenset(
    {
        *("extra_draw", "generator_in_workers", "clock_rate", "rounded_gradient"),
        *("file_content", "notebook", "set_of_objects", "listing"),
        *("char_gpt", "two_ranks", "notebook_clean"),
    }
)


def chosen(cases: tuple[Case, ...]) -> list[Case]:
    everything = os.environ.get("SEED_INIT_DIVERGENCE") == "all"
    return [case for case in cases if everything or case.name in SAMPLE]


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", chosen(CAUGHT), ids=name_of)
def test_catches_and_locates(case: Case, python: Path) -> None:
    verdict = verify(case, python)
    assert verdict["verdict"] == "different", verdict["reason"]
    assert mistakes(case, verdict) == [], verdict["difference"]


@pytest.mark.parametrize("case", chosen(CLEAN), ids=name_of)
def test_raises_no_false_alarm(case: Case, python: Path) -> None:
    verdict = verify(case, python)
    assert verdict["verdict"] == "identical", verdict["difference"] or verdict["reason"]
    # It would be no proof if nothing had been looked at.
    assert verdict["compared"]["steps"] > 0


@pytest.mark.parametrize("case", chosen(LATENT), ids=name_of)
def test_finds_by_a_perturbation_what_repeating_misses(case: Case, python: Path) -> None:
    # The run without hooks has other addresses in any case.
    if case.expected.perturbation != "address layout":
        plain = verify(case, python, "--no-perturb")
        assert plain["verdict"] == "identical", plain["difference"] or plain["reason"]
    perturbed = verify(case, python)
    assert perturbed["verdict"] == "different", perturbed["reason"]
    assert mistakes(case, perturbed) == [], perturbed["difference"]


def test_finds_each_flipped_bit_in_its_gradient_at_its_step(python: Path) -> None:
    base = bit_flips.clean(python)
    seen = list(bit_flips.found(python, base, bit_flips.flips(4)))
    assert [flip for flip, difference in seen if not bit_flips.is_exact(flip, difference)] == []


def test_finds_nothing_where_no_bit_flipped(python: Path) -> None:
    base = bit_flips.clean(python)
    assert bit_flips.comparing.first_difference(base, bit_flips.clean(python)) is None
