"""The arithmetic of the tables, on numbers that can be checked by hand."""

import pytest

from benchmarks.cost.ratios import Ratio, geometric_mean, ratio, repeats


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    assert ratio([2.0, 9.0, 8.0], [1.0, 3.0, 2.0]) == Ratio(median=3.0, low=2.0, high=4.0)


def test_a_round_that_is_slow_for_all_changes_nothing() -> None:
    assert ratio([2.0, 200.0], [1.0, 100.0]) == Ratio(median=2.0, low=2.0, high=2.0)


def test_of_an_even_number_of_rounds_the_middle_two_are_averaged() -> None:
    assert ratio([1.0, 2.0, 3.0, 8.0], [1.0, 1.0, 1.0, 1.0]).median == 2.5


@pytest.mark.parametrize(("values", "base"), [([], []), ([1.0], [1.0, 2.0])])
def test_rounds_that_do_not_match_are_refused(values: list[float], base: list[float]) -> None:
    with pytest.raises(ValueError, match="rounds of an arm"):
        ratio(values, base)


def test_twice_as_slow_and_twice_as_fast_make_one() -> None:
    assert geometric_mean([2.0, 0.5]) == 1.0
    assert geometric_mean([1.0, 8.0]) == pytest.approx(8.0**0.5)
    assert geometric_mean([1.03]) == pytest.approx(1.03)


@pytest.mark.parametrize("ratios", [[], [1.0, 0.0], [-1.0]])
def test_there_is_no_mean_of_nothing_or_of_what_is_not_positive(ratios: list[float]) -> None:
    with pytest.raises(ValueError, match="no geometric mean"):
        geometric_mean(ratios)


@pytest.mark.parametrize(
    ("digests", "same"), [([], 0), (["a"], 1), (["a", "b"], 1), (["a", "b", "a"], 2)]
)
def test_repeats_are_the_runs_that_gave_what_most_gave(digests: list[str], same: int) -> None:
    assert repeats(digests) == same
