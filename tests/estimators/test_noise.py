"""How much of the variance a repeated seed explains."""

import math

import pytest

from seed_init.proof.statistics.noise import Noise, noise

VALUES = [0.90, 0.92, 0.95, 0.91, 0.97]


def test_a_repeat_that_is_equal_leaves_no_noise() -> None:
    assert noise(VALUES, 0.9, 0.9) == Noise(0.0, 0.0, 0.0)


def test_the_share_is_that_of_the_variances() -> None:
    stats = pytest.importorskip("scipy.stats")
    found = noise(VALUES, 0.90, 0.92)
    assert found is not None
    ratio = (0.02**2 / 2) / stats.tvar(VALUES)
    assert found.sd == pytest.approx(0.02 / math.sqrt(2))
    assert found.share == pytest.approx(ratio)
    assert found.least == pytest.approx(ratio / stats.f.ppf(0.95, 1, 4))


def test_all_of_the_variance_is_the_most() -> None:
    assert noise(VALUES, 0.9, 5.0) == Noise(pytest.approx(4.1 / math.sqrt(2)), 1.0, 1.0)


def test_a_repeat_that_differs_where_no_seed_does_is_all_noise() -> None:
    found = noise([0.5, 0.5, 0.5], 0.5, 0.6)
    assert found is not None and (found.share, found.least) == (1.0, 1.0)


@pytest.mark.parametrize(
    "values, again", [([0.9], 0.8), ([], 0.8), (VALUES, math.nan), ([0.9, math.inf], 0.9)]
)
def test_there_is_no_answer_without_two_finite_values(values: list[float], again: float) -> None:
    assert noise(values, 0.9, again) is None


@pytest.mark.parametrize("factor", [2.0**900, 2.0**-900])
def test_the_share_does_not_depend_on_the_unit(factor: float) -> None:
    found = noise([each * factor for each in VALUES], 0.9 * factor, 0.92 * factor)
    here = noise(VALUES, 0.9, 0.92)
    assert found is not None and here is not None
    assert (found.share, found.least) == (here.share, here.least)
    assert found.sd == here.sd * factor
