# SPDX-License-Identifier: Apache-2.0
"""Student's t distribution for whole degrees of freedom, central and not central.

The standard library has the normal distribution only.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

NORMAL = NormalDist()

_EXPANDED_FROM = 1_000
"""Degrees of freedom, beyond which the expansion of the quantile is exact to 1e-7."""

_POINTS = 400
"""Of the numerical integral; an even number."""

_DEVIATIONS = 9.0
"""How far from its middle the integral goes, in standard deviations."""


def student_below(value: float, freedom: int) -> float:
    """Return the probability that Student's t is below a value.

    The finite sums are 26.7.3 and 26.7.4 of Abramowitz and Stegun, Handbook of Mathematical
    Functions.

    Args:
        value: any finite number.
        freedom: degrees of freedom, at least 1.
    """
    hypotenuse = math.hypot(value, math.sqrt(freedom))
    sine, cosine = value / hypotenuse, math.sqrt(freedom) / hypotenuse
    is_odd = freedom % 2 == 1
    total, term = 0.0, 1.0
    # cos^0, cos^2, ... of the even sum; cos^1, cos^3, ... of the odd one, the cosine taken out.
    for power in range(is_odd, freedom - 1, 2):
        total += term
        term *= cosine * cosine * (power + 1) / (power + 2)
    if is_odd:
        within = 2 / math.pi * (math.atan2(sine, cosine) + sine * cosine * total)
    else:
        within = sine * total
    return 0.5 + within / 2


@lru_cache(maxsize=256)
def student_quantile(probability: float, freedom: int) -> float:
    """Return the value below which Student's t is with a probability.

    Args:
        probability: between 0 and 1, both excluded.
        freedom: degrees of freedom, at least 1.
    """
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    if freedom > _EXPANDED_FROM:
        # 26.7.5 of Abramowitz and Stegun.
        normal = NORMAL.inv_cdf(probability)
        first = (normal**3 + normal) / 4
        second = (5 * normal**5 + 16 * normal**3 + 3 * normal) / 96
        return normal + first / freedom + second / freedom**2
    low, high = 0.0, 1.0
    while student_below(high, freedom) < probability:
        low, high = high, high * 2
    return bisected(lambda value: student_below(value, freedom) < probability, low, high)


def rejected_by_t(effect: float, pairs: int, level: float) -> float:
    """Return how often a two-sided paired t test finds a difference: its power.

    The test's statistic is (Z + delta) / S with Z normal and S the root of a chi-square over its
    degrees of freedom. The probability is integrated over S by Simpson's rule.

    Args:
        effect: the true mean of the differences, in standard deviations of the differences.
        pairs: at least 2.
        level: of the test, such as 0.05.
    """
    freedom = pairs - 1
    delta = abs(effect) * math.sqrt(pairs)
    critical = student_quantile(1 - level / 2, freedom)
    half = freedom / 2
    constant = math.log(2) + half * math.log(half) - math.lgamma(half)
    spread = _DEVIATIONS / math.sqrt(2 * freedom)
    low, high = max(0.0, 1 - spread), 1 + spread
    width = (high - low) / _POINTS
    total = 0.0
    for number in range(_POINTS + 1):
        root = low + number * width
        if root == 0 and freedom > 1:
            continue
        density = math.exp(
            constant + ((freedom - 1) * math.log(root) if root else 0) - half * root * root
        )
        rejected = NORMAL.cdf(delta - critical * root) + NORMAL.cdf(-delta - critical * root)
        weight = 1 if number in (0, _POINTS) else 4 if number % 2 else 2
        total += weight * density * rejected
    return min(1.0, total * width / 3)


def bisected(is_too_low: Callable[[float], bool], low: float, high: float) -> float:
    """Return where a condition that holds at `low` and not at `high` ends."""
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return high
        if is_too_low(middle):
            low = middle
        else:
            high = middle
