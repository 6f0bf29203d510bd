# SPDX-License-Identifier: Apache-2.0
"""Which difference a number of pairs can show, and how many pairs a difference needs.

An effect is the true mean of the differences, divided by their standard deviation. Differences are
taken as normal here, which the test itself does not ask for.
"""

import math
from functools import lru_cache

from seed_init.proof.statistics.distributions import NORMAL, bisected, rejected_by_t

LEVEL = 0.05
"""Of the two-sided test."""

POWER = 0.8
"""How often the effect is to be found."""

FEWEST = 6
"""Pairs, with which the sign-flip test can give p < 0.05 at all: 2 of 2^6 flips are 0.03."""

BY_FLIPS = {6: 1.80, 7: 1.33, 8: 1.19, 9: 1.09}
"""Pairs to the smallest effect, where the sign-flip test finds less than a t test does: the shares
of so few flips are coarse. `python -m benchmarks.sweeps effects` prints them, here with two
decimals."""

_LARGE = 100
"""Pairs, from which on a formula for many pairs is exact to less than a pair."""

_MOST = 10**9
"""Pairs; nobody makes more runs, and an effect that needs them is none."""


@lru_cache(maxsize=256)
def smallest_effect(pairs: int) -> float | None:
    """Return the smallest effect that the test finds four times out of five.

    Args:
        pairs: how many differences there are.

    Returns:
        The effect, or None if so few pairs find none, however large it is.
    """
    if pairs < FEWEST:
        return None
    if pairs > _LARGE:
        return _effect_of_many(pairs)
    if pairs in BY_FLIPS:
        return BY_FLIPS[pairs]
    return bisected(lambda effect: rejected_by_t(effect, pairs, LEVEL) < POWER, 0.0, 8.0)


def pairs_needed(effect: float) -> int | None:
    """Return with how many pairs the test finds an effect four times out of five.

    Args:
        effect: its sign does not matter.

    Returns:
        At least `FEWEST`, or None if there is no effect, or one so small that nobody makes as many
        runs.
    """
    size = abs(effect)
    if size < (_effect_of_many(_MOST) or 0):
        return None
    low, high = FEWEST - 1, FEWEST
    while (smallest_effect(high) or math.inf) > size:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if (smallest_effect(middle) or math.inf) > size:
            low = middle
        else:
            high = middle
    return high


def _effect_of_many(pairs: int) -> float:
    """Return the smallest effect by the normal distribution, with Guenther's correction.

    Guenther, Sample size formulas for normal theory t tests, 1981: the number of pairs is
    (z + w)^2 / effect^2 + z^2 / 2.
    """
    outer = NORMAL.inv_cdf(1 - LEVEL / 2)
    return (outer + NORMAL.inv_cdf(POWER)) / math.sqrt(pairs - outer**2 / 2)
