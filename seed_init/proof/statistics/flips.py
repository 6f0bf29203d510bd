# SPDX-License-Identifier: Apache-2.0
"""The sign-flip test: if neither arm is better, each difference may as well have the other sign.

The statistic is the sum of the differences, and both signs count. Nothing is assumed of how the
differences are distributed, except that without an effect they are so symmetrically.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import getitem
from random import Random

EXACT_UP_TO = 20
"""Differences, of which all flips are looked at."""

RANDOM_FLIPS = 100_000
"""How many are drawn where there are more differences."""

SEED = 0
"""Of the generator that draws them."""

EXACT = "exact"
MONTE_CARLO = "Monte Carlo"

_AT_ONCE = 8  # differences, whose signs are one byte
_BLOCK = 10_000  # flips, whose random bytes are drawn at once


@dataclass(frozen=True)
class FlipTest:
    """What the test says.

    Attributes:
        p: how often a flip has a sum that is at least as far from 0 as that of the differences.
        method: `EXACT` or `MONTE_CARLO`.
        flips: how many were looked at, that of the differences themselves among them.
        error: the standard error of `p` by the drawing of the flips; 0 where all were looked at.
    """

    p: float
    method: str
    flips: int
    error: float


def sign_flip_test(differences: Sequence[float], tolerance: float = 0.0) -> FlipTest:
    """Return how well the differences go together with no effect.

    Args:
        differences: finite numbers near 1; their order does not matter.
        tolerance: by how much a sum may be nearer to 0 than that of the differences and still
            counts as equally far, because numbers like 0.9 are rounded.
    """
    # A difference of 0 is the same with either sign, and changes no share of the flips.
    moved = sorted(each for each in differences if each != 0)
    limit = abs(math.fsum(moved)) - tolerance
    if len(moved) <= EXACT_UP_TO:
        flips = 2 ** len(moved)
        return FlipTest(_count_all(moved, limit) / flips, EXACT, flips, 0.0)
    # The differences as they are count as one of the flips, so that the level is kept: Phipson and
    # Smyth, Permutation p-values should never be zero, 2010.
    p = (1 + _count_drawn(moved, limit)) / (1 + RANDOM_FLIPS)
    error = math.sqrt(p * (1 - p) / RANDOM_FLIPS)
    return FlipTest(p, MONTE_CARLO, 1 + RANDOM_FLIPS, error)


def _count_all(moved: Sequence[float], limit: float) -> int:
    """Return how many of all flips have a sum at least as far from 0 as the limit.

    Each sum is one of the first half plus one of the second, and the latter are sorted: 20
    differences need 1,024 searches and not 1,048,576 sums.
    """
    if limit <= 0:
        return int(2 ** len(moved))
    half = len(moved) // 2
    others = sorted(_sums(moved[half:]))
    return sum(
        len(others) - bisect_left(others, limit - each) + bisect_right(others, -limit - each)
        for each in _sums(moved[:half])
    )


def _sums(values: Sequence[float]) -> list[float]:
    """Return the sum of the values for each choice of their signs."""
    sums = [0.0]
    for value in values:
        sums = [each + value for each in sums] + [each - value for each in sums]
    return sums


def _count_drawn(moved: Sequence[float], limit: float) -> int:
    """Return how many of `RANDOM_FLIPS` have a sum at least as far from 0 as the limit."""
    draw = Random(SEED).randbytes
    # A byte of signs leads to the sum of eight differences.
    tables = [_sums(moved[first : first + _AT_ONCE]) for first in range(0, len(moved), _AT_ONCE)]
    tables = [table * (2**_AT_ONCE // len(table)) for table in tables]
    length = len(tables)
    found = 0
    for first in range(0, RANDOM_FLIPS, _BLOCK):
        count = min(_BLOCK, RANDOM_FLIPS - first)
        signs = draw(count * length)
        for begin in range(0, count * length, length):
            total = sum(map(getitem, tables, signs[begin : begin + length]))
            found += not -limit < total < limit
    return found
