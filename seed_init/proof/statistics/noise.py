# SPDX-License-Identifier: Apache-2.0
"""How much of the variance over seeds is there without another seed.

One seed was run twice. If its two runs differ, so would the others', and what the seeds are said to
change is partly noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seed_init.proof.statistics.distributions import student_quantile
from seed_init.proof.statistics.scaling import exponent_of, scaled

CONFIDENCE = 0.95
"""Of the bound."""


@dataclass(frozen=True)
class Noise:
    """What a repeated run says.

    Attributes:
        sd: the standard deviation of runs with the same seed, from two runs.
        share: the variance of such runs, as a share of the variance over seeds, at most 1. It is a
            rough figure, because two runs say little about a variance.
        least: what the share is at least, with a confidence of 95 %.
    """

    sd: float
    share: float
    least: float

    def to_json(self) -> dict[str, Any]:
        return {"sd": self.sd, "share": self.share, "least": self.least}


def noise(values: Sequence[float], first: float, again: float) -> Noise | None:
    """Return how much of the variance of the values is noise.

    The estimate of the noise's variance has one degree of freedom. The bound is that of the ratio
    of two variances, and the quantile of F with one degree of freedom is the square of Student's t.

    Args:
        values: one of each seed, that of the repeated one among them.
        first: of the seed that was repeated.
        again: of its other run.

    Returns:
        None if there are fewer than two values, or a number is not finite.
    """
    if len(values) < 2 or not all(map(math.isfinite, (*values, first, again))):
        return None
    exponent = exponent_of((*values, first, again))
    near_one = [scaled(value, -exponent) for value in values]
    center = math.fsum(near_one) / len(near_one)
    freedom = len(near_one) - 1
    total = math.fsum((value - center) ** 2 for value in near_one) / freedom
    apart = scaled(first, -exponent) - scaled(again, -exponent)
    of_noise = apart**2 / 2
    sd = scaled(math.sqrt(of_noise), exponent)
    if of_noise == 0:
        return Noise(0.0, 0.0, 0.0)
    if total == 0:
        return Noise(sd, 1.0, 1.0)
    ratio = of_noise / total
    bound = student_quantile((1 + CONFIDENCE) / 2, freedom) ** 2
    return Noise(sd, min(1.0, ratio), min(1.0, ratio / bound))
