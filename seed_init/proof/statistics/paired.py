# SPDX-License-Identifier: Apache-2.0
"""Two arms of a sweep, paired by seed: is the other one better, or was it luckier?"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seed_init.proof.statistics import power
from seed_init.proof.statistics.bootstrap import interval, method_of
from seed_init.proof.statistics.flips import sign_flip_test
from seed_init.proof.statistics.scaling import as_json, ends_as_json, exponent_of, scaled
from seed_init.proof.statistics.summary import Values, deviation, finite, mean

HIGHER = "higher"
LOWER = "lower"


@dataclass(frozen=True)
class Difference:
    """The values of one metric in two arms, seed by seed. A difference is against minus run.

    Attributes:
        n: how many seeds have a finite value in both arms. Everything else is about these.
        unpaired: the seeds that have a finite value in one arm only.
        mean: of the differences; None without a pair.
        sd: their standard deviation; None for fewer than two pairs.
        interval: the 95 % interval of their mean; None for fewer than two pairs.
        interval_method: "BCa" or "Student's t"; None where there is no interval.
        p: of the sign-flip test, two-sided; None without a pair.
        method: "exact" or "Monte Carlo"; None without a pair.
        flips: how many were looked at.
        error: the standard error of `p`; 0 where the test is exact.
        wins: the share of the pairs in which `against` is better; larger, where nothing says what
            is better.
        ties: the share of the pairs with equal values.
        correlation: Pearson's, of the two arms; None for fewer than two pairs, and where one arm
            does not vary.
        gain: how many times as many runs two arms with seeds of their own would need for the same
            precision. Above 1, pairing helped. None where the differences do not vary.
        smallest_effect: the smallest mean difference that so many pairs with such a spread show
            four times out of five, in the unit of the metric; None if they can show none.
        more_seeds: how many more pairs would show a mean difference as large as this one four times
            out of five; None if there is no difference to be shown.
    """

    n: int
    unpaired: tuple[int, ...]
    mean: float | None = None
    sd: float | None = None
    interval: tuple[float, float] | None = None
    interval_method: str | None = None
    p: float | None = None
    method: str | None = None
    flips: int = 0
    error: float | None = None
    wins: float | None = None
    ties: float | None = None
    correlation: float | None = None
    gain: float | None = None
    smallest_effect: float | None = None
    more_seeds: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what a sweep's file has of it."""
        content = {
            name: as_json(value) if isinstance(value, float) else value
            for name, value in vars(self).items()
        }
        ends = ends_as_json(self.interval)
        return {**content, "unpaired": list(self.unpaired), "interval": ends}


def difference(run: Values, against: Values, better: str | None = None) -> Difference:
    """Return what the pairs of two arms say.

    Args:
        run: seed to value, of the one arm.
        against: likewise, of the other.
        better: `HIGHER`, `LOWER`, or None where nothing says so.
    """
    one, other = finite(run), finite(against)
    seeds = [seed for seed in one if seed in other]
    every = dict.fromkeys((*one, *other))
    unpaired = tuple(seed for seed in every if (seed in one) != (seed in other))
    if not seeds:
        return Difference(0, unpaired)
    before, after = [one[seed] for seed in seeds], [other[seed] for seed in seeds]
    exponent = exponent_of((*before, *after))
    before = [scaled(value, -exponent) for value in before]
    after = [scaled(value, -exponent) for value in after]
    differences = [second - first for first, second in zip(before, after)]
    rounding = _rounding(before, after)
    test = sign_flip_test(differences, rounding)
    sign = -1 if better == LOWER else 1
    several = len(seeds) > 1
    sd = deviation(differences) if several else None
    if sd is not None and sd <= rounding:
        sd = 0.0
    ends = interval(differences) if several else None
    smallest, more = _seeds(mean(differences), sd, len(seeds))
    return Difference(
        n=len(seeds),
        unpaired=unpaired,
        mean=scaled(mean(differences), exponent),
        sd=None if sd is None else scaled(sd, exponent),
        interval=(scaled(ends[0], exponent), scaled(ends[1], exponent)) if ends else None,
        interval_method=method_of(len(seeds)) if several else None,
        p=test.p,
        method=test.method,
        flips=test.flips,
        error=test.error,
        wins=sum(sign * each > 0 for each in differences) / len(seeds),
        ties=differences.count(0) / len(seeds),
        correlation=correlation(before, after) if several else None,
        gain=_gain(before, after, sd),
        smallest_effect=None if smallest is None else scaled(smallest, exponent),
        more_seeds=more,
    )


def _rounding(before: Sequence[float], after: Sequence[float]) -> float:
    """Return by how much sums that are equal on paper may differ.

    0.92 - 0.91 is not 0.91 - 0.9 for a float. Each value is rounded by half an epsilon, and so is
    each difference and each sum.
    """
    return 4 * sys.float_info.epsilon * math.fsum(map(abs, (*before, *after)))


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Pearson's correlation; None where one of both does not vary.

    Args:
        one: at least two values.
        other: as many.
    """
    first, second = _centered(one), _centered(other)
    size = math.sqrt(math.fsum(each**2 for each in first)) * math.sqrt(
        math.fsum(each**2 for each in second)
    )
    if size == 0:
        return None
    product = math.fsum(a * b for a, b in zip(first, second))
    return max(-1.0, min(1.0, product / size))


def _centered(values: Sequence[float]) -> list[float]:
    center = mean(values)
    return [value - center for value in values]


def _gain(before: Sequence[float], after: Sequence[float], sd: float | None) -> float | None:
    """Return the variance of a difference of unpaired runs, as a multiple of that of a pair."""
    if not sd:
        return None
    return (deviation(before) ** 2 + deviation(after) ** 2) / sd**2


def _seeds(center: float, sd: float | None, pairs: int) -> tuple[float | None, int | None]:
    """Return the smallest mean difference that the pairs can show, and how many are missing."""
    if sd is None:
        return None, None
    smallest = power.smallest_effect(pairs)
    if sd == 0:
        # Each pair shows the same difference, and only their number counts.
        missing = max(0, power.FEWEST - pairs) if center else None
        return (0.0 if smallest is not None else None), missing
    needed = power.pairs_needed(center / sd)
    missing = None if needed is None else max(0, needed - pairs)
    return (None if smallest is None else smallest * sd), missing
