"""One arm of a sweep: each estimator against scipy or a published value, and degenerate cases."""

import math
from random import Random

import pytest

from seed_init.proof.statistics.summary import Extreme, deviation, interquartile_mean, mean, summary

stats = pytest.importorskip("scipy.stats")


def some(count: int, seed: int = 1) -> list[float]:
    """Values that are skewed, as accuracies near 1 are."""
    draw = Random(seed)
    return [1 - 0.1 * draw.random() ** 3 for _ in range(count)]


NIST = {
    # NumAcc3 and NumAcc4 of NIST's Statistical Reference Datasets: 1,001 values, certified.
    "NumAcc3": ([1000000.2, *[1000000.1, 1000000.3] * 500], 1000000.2, 0.1),
    "NumAcc4": ([10000000.2, *[10000000.1, 10000000.3] * 500], 10000000.2, 0.1),
}


@pytest.mark.parametrize("name", NIST)
def test_mean_and_deviation_have_the_certified_values(name: str) -> None:
    values, certified_mean, certified_deviation = NIST[name]
    assert mean(values) == pytest.approx(certified_mean, rel=1e-15)
    # The data themselves are rounded: 10000000.1 is no float.
    assert deviation(values) == pytest.approx(certified_deviation, rel=1e-7)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 10, 101])
def test_the_interquartile_mean_is_that_of_scipy(count: int) -> None:
    values = some(count)
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-14)


def test_a_summary_has_what_scipy_says() -> None:
    values = some(11)
    found = summary(dict(enumerate(values)))
    described = stats.describe(values)
    assert found.n == 11
    assert found.mean == pytest.approx(described.mean, rel=1e-14)
    assert found.sd == pytest.approx(described.variance**0.5, rel=1e-12)
    assert found.median == sorted(values)[5]
    assert found.minimum == Extreme(min(values), values.index(min(values)))
    assert found.maximum == Extreme(max(values), values.index(max(values)))
    low, high = found.interval or (0, 0)
    assert min(values) <= low < described.mean < high <= max(values)
    assert found.interval_method == "BCa"


def test_no_value_gives_no_number() -> None:
    found = summary({})
    assert found.n == 0
    assert {found.mean, found.sd, found.median, found.iqm, found.interval} == {None}
    assert (found.minimum, found.maximum) == (None, None)


def test_one_value_has_no_spread_and_no_interval() -> None:
    found = summary({7: 0.9})
    assert (found.n, found.mean, found.median, found.iqm) == (1, 0.9, 0.9, 0.9)
    assert (found.sd, found.interval) == (None, None)
    assert found.minimum == found.maximum == Extreme(0.9, 7)


@pytest.mark.parametrize("count", [2, 3, 10, 49, 1000])
@pytest.mark.parametrize("value", [0.1, -7.3, 0.0, 1e-300])
def test_equal_values_have_no_spread_at_all(count: int, value: float) -> None:
    found = summary(dict.fromkeys(range(count), value))
    assert (found.mean, found.median, found.iqm) == (value, value, value)
    assert (found.sd, found.interval) == (0.0, (value, value))


def test_what_is_no_finite_number_is_left_out_and_named() -> None:
    values = {0: 0.5, 1: math.nan, 2: None, 3: -math.inf, 4: 0.7}
    found = summary(values)
    assert (found.n, found.left_out) == (2, (1, 2, 3))
    assert found == summary({0: 0.5, 4: 0.7}).__class__(
        **{**vars(summary({0: 0.5, 4: 0.7})), "left_out": (1, 2, 3)}
    )


def test_of_equal_extremes_the_first_seed_is_named() -> None:
    found = summary({5: 1.0, 3: 1.0, 4: 0.5})
    assert (found.maximum, found.minimum) == (Extreme(1.0, 5), Extreme(0.5, 4))


@pytest.mark.parametrize("factor", [2.0**1000, 2.0**-1000])
def test_numbers_whose_squares_leave_the_range_of_a_float_are_summarized_alike(
    factor: float,
) -> None:
    values = some(9)
    near, far = (summary({n: v * by for n, v in enumerate(values)}) for by in (1.0, factor))
    for name in ("mean", "sd", "median", "iqm"):
        assert getattr(far, name) == getattr(near, name) * factor
    assert far.interval == tuple(end * factor for end in near.interval or ())


def test_the_largest_floats_are_summarized() -> None:
    found = summary({0: 1.7e308, 1: 1.7e308, 2: -1.7e308})
    assert found.mean == pytest.approx(1.7e308 / 3)
    assert found.sd is not None


def test_the_order_of_the_seeds_changes_nothing() -> None:
    values = dict(enumerate(some(12)))
    turned = dict(reversed(values.items()))
    assert summary(values).to_json() == summary(turned).to_json()
