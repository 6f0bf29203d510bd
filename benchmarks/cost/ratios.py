"""The arithmetic of the tables: medians, ratios within a round, geometric means, repeats."""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """An arm against the base.

    Attributes:
        median: of the rounds' ratios.
        low: the smallest of them.
        high: the largest.
    """

    median: float
    low: float
    high: float


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ratio(values: Sequence[float], base: Sequence[float]) -> Ratio:
    """Compare an arm with the base, round by round: what slows a whole round cancels out.

    Args:
        values: one figure a round.
        base: the base's, of the same rounds.

    Raises:
        ValueError: not the same number of rounds, or none.
    """
    if len(values) != len(base) or not values:
        raise ValueError(f"{len(values)} rounds of an arm, {len(base)} of the base")
    quotients = [one / two for one, two in zip(values, base)]
    return Ratio(median(quotients), min(quotients), max(quotients))


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean of ratios: twice as slow and twice as fast make 1.

    Raises:
        ValueError: there are none, or one is not positive.
    """
    if not ratios or min(ratios) <= 0:
        raise ValueError(f"no geometric mean of {list(ratios)}")
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios))


def repeats(digests: Sequence[str]) -> int:
    """How many runs gave what most of them gave; 1 where no two did."""
    return max(Counter(digests).values(), default=0)
