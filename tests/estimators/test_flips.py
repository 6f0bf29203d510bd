"""The sign-flip test against every flip, against scipy, and against Fisher's own figure."""

from itertools import product
from math import fsum
from random import Random

import pytest

from seed_init.proof.statistics import flips
from seed_init.proof.statistics.flips import EXACT, MONTE_CARLO, sign_flip_test

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Heights of cross-fertilized minus self-fertilized maize, in eighths of an inch."""


def normal(count: int, shift: float = 0.0, seed: int = 1) -> list[float]:
    draw = Random(seed)
    return [draw.gauss(shift, 1) for _ in range(count)]


def one_by_one(differences: list[float]) -> float:
    """The share of flips whose sum is as far from 0, each flip made."""
    limit = abs(fsum(differences))
    sums = [
        abs(fsum(sign * each for sign, each in zip(signs, differences)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(each >= limit - 1e-12 for each in sums) / len(sums)


def test_darwins_maize_has_the_share_that_fisher_counted() -> None:
    """Fisher, The Design of Experiments, 1935, section 21: 1,726 of 32,768."""
    found = sign_flip_test([float(each) for each in DARWIN])
    assert (found.p, found.method, found.flips) == (1726 / 32768, EXACT, 32768)
    assert found.error == 0


@pytest.mark.parametrize("count", range(1, 13))
def test_the_count_is_that_of_every_flip(count: int) -> None:
    differences = normal(count, 0.4, seed=count)
    found = sign_flip_test(differences, 1e-12)
    assert (found.p, found.flips) == (one_by_one(differences), 2**count)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_the_share_is_that_of_scipy(shift: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    differences = normal(9, shift)
    given = stats.permutation_test(
        (differences,), fsum_of, permutation_type="samples", n_resamples=float("inf")
    )
    assert sign_flip_test(differences, 1e-12).p == pytest.approx(given.pvalue)


def fsum_of(values: list[float]) -> float:
    return fsum(values)


def test_twenty_differences_are_counted_whole() -> None:
    found = sign_flip_test([1.0] * 20)
    assert (found.p, found.method, found.flips) == (2 / 2**20, EXACT, 2**20)


def test_a_sum_that_is_as_far_on_paper_counts() -> None:
    """0.3 - 0.2 and 0.2 - 0.1 are two floats, and without a tolerance 1 of 4 flips is lost."""
    differences = [0.3 - 0.2, -(0.2 - 0.1)]
    assert differences[0] != -differences[1]
    assert sign_flip_test(differences, 1e-14).p == 1.0


def test_differences_of_zero_change_nothing() -> None:
    differences = [0.3, -0.1, 0.5, 0.2, 0.4, 0.6]
    with_zeros = sign_flip_test([0.0, *differences, 0.0, 0.0])
    assert with_zeros == sign_flip_test(differences)
    assert sign_flip_test([0.0] * 30).p == 1.0


def test_one_difference_says_nothing() -> None:
    assert sign_flip_test([3.0]).p == 1.0


def test_more_differences_are_drawn_and_the_error_is_stated() -> None:
    differences = normal(24, 0.35)
    exact = flips._count_all(sorted(differences), abs(fsum(differences)) - 1e-12) / 2**24
    found = sign_flip_test(differences, 1e-12)
    assert (found.method, found.flips) == (MONTE_CARLO, flips.RANDOM_FLIPS + 1)
    assert 0 < found.error < 0.002
    assert abs(found.p - exact) < 4 * found.error
    assert found.p != exact


def test_the_same_differences_have_the_same_drawn_share_in_every_python() -> None:
    differences = [((number * 7919) % 41 - 15) / 8 for number in range(30)]
    assert sign_flip_test(differences).p == 11690 / 100_001


def test_a_drawn_share_is_never_zero() -> None:
    found = sign_flip_test([1.0] * 1000)
    assert found.p == 1 / (flips.RANDOM_FLIPS + 1)
    assert found.error > 0


def test_the_order_of_the_differences_changes_nothing() -> None:
    for count in (9, 33):
        differences = normal(count, 0.2)
        assert sign_flip_test(differences) == sign_flip_test(differences[::-1])


def test_each_flip_of_a_drawn_byte_has_its_own_signs() -> None:
    sums = flips._sums([1.0, 2.0, 4.0])
    assert sorted(sums) == [-7, -5, -3, -1, 1, 3, 5, 7]
