"""The simulation of sweeps sees a wrong interval, a test that finds too much, and a bound."""

import numpy as np
import pytest

from benchmarks.sweeps import draws, simulation
from seed_init.proof.statistics import bootstrap, power
from seed_init.proof.statistics.distributions import NORMAL


def test_the_resamples_are_those_of_the_package() -> None:
    values = draws.SKEWED.rows(np.random.default_rng(1), 1, 7)[0]
    assert simulation.same_resamples(values)
    simulation.drawn.cache_clear()


@pytest.mark.parametrize("draw", draws.ALL, ids=lambda draw: draw.name)
def test_the_mean_of_a_distribution_is_the_true_one(draw: draws.Draw) -> None:
    values = draw.rows(np.random.default_rng(1), 100, 1000)
    error = values.std() / values.size**0.5
    assert abs(values.mean() - draw.mean) < 4 * error


def test_the_share_of_intervals_with_the_mean_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = simulation.covered(draws.NORMAL, 5, 200, 1)
    assert found["plain"] < found["expanded"] <= found["printed"] == found["t"]
    assert 0.88 < found["t"] < 0.99
    monkeypatch.setattr(bootstrap, "student", lambda values: (1.0, 0.0))
    assert simulation.covered(draws.NORMAL, 5, 20, 1)["t"] == 0


def test_the_share_of_tests_that_find_something_is_counted() -> None:
    assert simulation.level_kept(draws.NORMAL, 5, 50, 1) == 0
    assert simulation.level_kept(draws.SKEWED, 10, 400, 1) < 0.09
    assert simulation.found_at(9.0, 8, 50, 1) == 1


def test_the_smallest_effect_of_six_pairs_is_that_of_equal_signs() -> None:
    """With six pairs p is below 0.05 where all signs are equal, which is no simulation."""
    exact = float(np.float64(0.8) ** (1 / 6))
    by_signs = NORMAL.inv_cdf(exact)
    assert simulation.smallest_effect(6, 20_000, 1) == pytest.approx(by_signs, abs=0.03)
    assert power.BY_FLIPS[6] == pytest.approx(by_signs, abs=0.01)


def test_the_bound_of_the_noise_holds_nearly_always() -> None:
    assert simulation.bound_holds(0.3, 10, 400, 1) > 0.9
