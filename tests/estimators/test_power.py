"""Student's t, the power of a paired test, and how many seeds are needed."""

import pytest

from seed_init.proof.statistics import power
from seed_init.proof.statistics.distributions import (
    rejected_by_t,
    student_below,
    student_quantile,
)

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 30, 101, 1000])
@pytest.mark.parametrize("value", [-8.0, -1.0, 0.0, 0.3, 2.0, 12.7])
def test_the_probability_is_that_of_scipy(value: float, freedom: int) -> None:
    assert student_below(value, freedom) == pytest.approx(stats.t.cdf(value, freedom), abs=1e-13)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 29, 500, 1001, 20_000])
@pytest.mark.parametrize("probability", [0.01, 0.4, 0.5, 0.8, 0.975, 0.9995])
def test_the_quantile_is_that_of_scipy(probability: float, freedom: int) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(
        stats.t.ppf(probability, freedom), rel=1e-7, abs=1e-12
    )


def test_the_quantiles_are_those_of_the_printed_table() -> None:
    """Of Fisher and Yates, as every textbook has them."""
    printed = {1: 12.706, 2: 4.303, 5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980}
    assert {nu: round(student_quantile(0.975, nu), 3) for nu in printed} == printed


@pytest.mark.parametrize("pairs", [2, 3, 6, 10, 34, 100])
@pytest.mark.parametrize("effect", [0.0, 0.1, 0.25, 0.5])  # scipy has NaN for larger ones
def test_the_power_of_the_t_test_is_that_of_scipy(effect: float, pairs: int) -> None:
    critical = stats.t.ppf(0.975, pairs - 1)
    delta = effect * pairs**0.5
    given = stats.nct.sf(critical, pairs - 1, delta) + stats.nct.cdf(-critical, pairs - 1, delta)
    assert rejected_by_t(effect, pairs, 0.05) == pytest.approx(given, abs=1e-6)


@pytest.mark.parametrize("effect, pairs", [(0.2, 199), (0.3, 90), (0.5, 34)])
def test_the_number_of_pairs_is_the_published_one(effect: float, pairs: int) -> None:
    """What G*Power (Faul et al., 2007) gives for two dependent means, alpha 0.05, power 0.8."""
    assert power.pairs_needed(effect) == pairs
    assert power.pairs_needed(-effect) == pairs


def test_fewer_than_six_pairs_show_no_effect_however_large() -> None:
    assert power.smallest_effect(5) is None
    assert power.smallest_effect(6) is not None
    assert power.pairs_needed(1e6) == 6


def test_more_pairs_show_a_smaller_effect() -> None:
    every = (*range(6, 16), *range(96, 106), 1_000, 10**6)
    effects = [power.smallest_effect(pairs) or 0 for pairs in every]
    assert effects == sorted(effects, reverse=True)
    assert effects[-1] > 0


@pytest.mark.parametrize("pairs", [*range(6, 30), 99, 100, 101, 102, 5_000])
def test_the_effect_of_a_number_of_pairs_needs_that_number(pairs: int) -> None:
    effect = power.smallest_effect(pairs)
    assert effect is not None
    assert power.pairs_needed(effect * (1 + 1e-9)) == pairs
    assert power.pairs_needed(effect * (1 - 1e-9)) == pairs + 1


def test_no_effect_needs_no_number_of_pairs() -> None:
    assert power.pairs_needed(0.0) is None
    assert power.pairs_needed(1e-30) is None
    assert power.pairs_needed(0.001) == pytest.approx(7.85e6, rel=0.001)
