# SPDX-License-Identifier: Apache-2.0
"""The interval of a mean: by the bootstrap (BCa), and of very few values by Student's t.

Only `random.Random.random` and `math.fsum` are used: the first is the one method for which Python
promises the same numbers in every version, and the second rounds once. So the same values have the
same interval everywhere.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from random import Random

from seed_init.proof.statistics.distributions import NORMAL, student_quantile

RESAMPLES = 10_000
"""How many samples are drawn from the values."""

SEED = 0
"""Of the generator that draws them. It has nothing to do with `SEED` of a run."""

LEVEL = 0.95

FEWEST = 6
"""Values, from which on the interval is that of the bootstrap. Of fewer values no resample can be
far enough away: of three, such an interval contains the true mean 7 times out of 10."""

BCA, STUDENT = "BCa", "Student's t"
"""How an interval was found."""


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of at least two values; `method_of` says which it is."""
    if min(values) == max(values):
        return values[0], values[0]
    if method_of(len(values)) == STUDENT:
        return student(values)
    return bca(values, resampled_means(values))


def method_of(count: int) -> str:
    """Return how the interval of the mean of so many values is found: `BCA` or `STUDENT`."""
    return BCA if count >= FEWEST else STUDENT


def student(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return Student's interval of the mean of at least two values, which takes them as normal."""
    count = len(values)
    center = math.fsum(values) / count
    variance = math.fsum((value - center) ** 2 for value in values) / (count - 1)
    half = student_quantile((1 + level) / 2, count - 1) * math.sqrt(variance / count)
    return center - half, center + half


def resampled_means(
    values: Sequence[float], resamples: int = RESAMPLES, seed: int = SEED
) -> list[float]:
    """Return the means of samples that are drawn from values, with replacement, in order of size.

    Args:
        values: at least one; their order does not matter.
        resamples: how many samples of as many values.
        seed: of the generator.
    """
    count = len(values)
    value_at = sorted(values).__getitem__
    rows = _drawn(count, resamples, seed)
    return sorted(math.fsum(map(value_at, row)) / count for row in rows)


@lru_cache(maxsize=1)
def _drawn(count: int, resamples: int, seed: int) -> list["array[int]"]:
    """Return the places that each sample is drawn from. Both arms and all metrics share them."""
    draw = Random(seed).random
    every = range(count)
    code = "H" if count <= 2**16 else "L"
    return [array(code, [int(draw() * count) for _ in every]) for _ in range(resamples)]


def bca(
    values: Sequence[float],
    means: Sequence[float],
    level: float = LEVEL,
    is_expanded: bool = True,
) -> tuple[float, float]:
    """Return the BCa interval of the mean.

    The method is that of Efron, Better bootstrap confidence intervals, 1987. Where the interval is
    expanded, the normal quantile in the method is replaced by Student's, times the root of
    n / (n - 1), as Hesterberg does for the percentile interval (What teachers should know about the
    bootstrap, 2015, section 3.3): with few values the plain interval is too short.

    Args:
        values: at least two.
        means: those of samples of the values, in order of size.
        level: how often such intervals are to contain the true mean.
        is_expanded: whether the interval is made longer for few values.
    """
    count = len(values)
    center = math.fsum(values) / count
    deviations = [value - center for value in values]
    squares = math.fsum(each**2 for each in deviations)
    least, most = min(values), max(values)
    if squares == 0 or means[0] == means[-1]:
        return least, most
    acceleration = math.fsum(each**3 for each in deviations) / (6 * squares**1.5)
    # A mean that is equal counts half.
    below = (bisect_left(means, center) + bisect_right(means, center)) / 2
    bias = _normal_quantile(below / len(means))
    if is_expanded:
        outer = student_quantile((1 + level) / 2, count - 1) * math.sqrt(count / (count - 1))
    else:
        outer = NORMAL.inv_cdf((1 + level) / 2)
    shares = (_corrected(end, bias, acceleration) for end in (-outer, outer))
    # The mean of equal values is rounded and may be beyond them.
    low, high = (min(max(quantile(means, share), least), most) for share in shares)
    return low, high


def _corrected(end: float, bias: float, acceleration: float) -> float:
    """Return which share of the resampled means is below an end of the interval."""
    shifted = bias + end
    slope = 1 - acceleration * shifted
    if slope <= 0 or math.isinf(shifted):
        # The formula has its pole between the middle of the interval and this end.
        return 1.0 if shifted > 0 else 0.0
    return NORMAL.cdf(bias + shifted / slope)


def _normal_quantile(probability: float) -> float:
    """Return the quantile of the normal distribution, infinite for 0 and 1."""
    if 0 < probability < 1:
        return NORMAL.inv_cdf(probability)
    return math.inf if probability else -math.inf


def quantile(ordered: Sequence[float], probability: float) -> float:
    """Return a quantile, between two values by a straight line, as numpy does.

    Args:
        ordered: at least one value, in order of size.
        probability: from 0 to 1.
    """
    place = probability * (len(ordered) - 1)
    low = min(int(place), len(ordered) - 1)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
