"""The interval of a mean against scipy's, by the same resamples, and its own generator."""

from random import Random

import pytest

from seed_init.proof.statistics.bootstrap import (
    BCA,
    STUDENT,
    bca,
    interval,
    method_of,
    quantile,
    resampled_means,
    student,
)

numpy = pytest.importorskip("numpy")
stats = pytest.importorskip("scipy.stats")


def skewed(count: int, seed: int = 1) -> list[float]:
    draw = Random(seed)
    return [draw.expovariate(1.0) for _ in range(count)]


def of_scipy(values: list[float], means: list[float], level: float) -> tuple[float, float]:
    """What scipy makes of the same values and the same resampled means."""
    given = stats._resampling.BootstrapResult(None, numpy.array(means), 0.0)
    found = stats.bootstrap(
        (values,),
        numpy.mean,
        method="BCa",
        confidence_level=level,
        n_resamples=0,
        bootstrap_result=given,
    ).confidence_interval
    return found.low, found.high


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("count", [3, 5, 10, 40])
def test_the_plain_interval_is_that_of_scipy(count: int, level: float) -> None:
    values = skewed(count)
    means = resampled_means(values, 2_000)
    assert bca(values, means, level, is_expanded=False) == pytest.approx(
        of_scipy(values, means, level), rel=1e-9
    )


def test_values_with_ties_have_the_interval_of_scipy() -> None:
    values = [0.5, 0.5, 0.5625, 0.75, 0.5, 0.5625]  # their sums are not rounded
    means = resampled_means(values, 2_000)
    assert bca(values, means, is_expanded=False) == pytest.approx(
        of_scipy(values, means, 0.95), rel=1e-9
    )


def test_the_expanded_interval_of_many_values_is_the_plain_one_and_of_few_longer() -> None:
    few, many = skewed(6), skewed(1_000)
    for values, least, most in ((few, 1.1, 3.0), (many, 1.0, 1.01)):
        means = resampled_means(values, 2_000)
        wide, plain = (
            high - low
            for low, high in (bca(values, means, is_expanded=each) for each in (True, False))
        )
        assert least <= wide / plain <= most


def test_the_interval_is_expanded_as_hesterberg_says() -> None:
    """Values that are symmetric have neither a bias nor an acceleration."""
    values = [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]
    means = [number / 1000 for number in range(-1000, 1001)]
    outer = stats.t.ppf(0.975, 5) * (6 / 5) ** 0.5
    ends = [numpy.quantile(means, stats.norm.cdf(end)) for end in (-outer, outer)]
    assert bca(values, means) == pytest.approx(ends, rel=1e-9)


def test_an_end_beyond_the_pole_of_the_formula_is_the_largest_value() -> None:
    values = [0.0, 0.0, 1.0]
    assert bca(values, resampled_means(values, 2_000), 0.999) == (0.0, 1.0)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_interval_of_few_values_is_students_as_scipy_has_it(count: int) -> None:
    values = skewed(count)
    given = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert method_of(count) == STUDENT
    assert interval(values) == pytest.approx((given.low, given.high), rel=1e-9)


def test_from_six_values_on_the_interval_is_that_of_the_bootstrap() -> None:
    values = skewed(6)
    assert method_of(6) == BCA
    assert interval(values) == bca(values, resampled_means(values)) != student(values)


@pytest.mark.parametrize("seed", range(20))
def test_the_ends_stay_in_order_and_within_the_values(seed: int) -> None:
    for count in (2, 3, 4, 7):
        values = [each**4 for each in skewed(count, seed)]
        low, high = bca(values, resampled_means(values, 500))
        assert min(values) <= low <= high <= max(values)


def test_the_same_values_have_the_same_resamples_in_every_python() -> None:
    means = resampled_means([3.0, 1.0, 2.0], 5)
    assert means == resampled_means([1.0, 2.0, 3.0], 5)
    assert [round(3 * mean) for mean in means] == PINNED


PINNED = [5, 6, 6, 7, 8]
"""Three times the means, in order of size. Who changes them changes the interval of every sweep."""


def test_ten_accuracies_have_the_interval_that_they_always_had() -> None:
    values = [0.91, 0.93, 0.88, 0.95, 0.92, 0.9, 0.97, 0.85, 0.94, 0.93]
    assert interval(values) == pytest.approx((0.889, 0.94), rel=1e-12)


def test_a_resampled_mean_is_that_of_as_many_values() -> None:
    means = resampled_means([0.0, 1.0], 4_000)
    assert set(means) == {0.0, 0.5, 1.0}
    assert means.count(0.5) == pytest.approx(2_000, abs=130)  # 4 standard deviations


@pytest.mark.parametrize("probability", [0.0, 0.025, 0.31, 0.975, 1.0])
def test_a_quantile_is_that_of_numpy(probability: float) -> None:
    ordered = sorted(skewed(13))
    assert quantile(ordered, probability) == pytest.approx(
        numpy.quantile(ordered, probability), rel=1e-14
    )
