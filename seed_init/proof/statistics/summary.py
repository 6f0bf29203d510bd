# SPDX-License-Identifier: Apache-2.0
"""One arm of a sweep: what the metric of several runs is, and how much it spreads."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seed_init.proof.statistics.bootstrap import interval, method_of
from seed_init.proof.statistics.scaling import as_json, ends_as_json, exponent_of, scaled

TRIMMED = 0.25
"""Of the values, at each end, what the interquartile mean leaves out."""

Values = Mapping[int, "float | None"]
"""Seed to the metric of its run; None, NaN and infinity where there is no number."""


@dataclass(frozen=True)
class Extreme:
    """The smallest or the largest value.

    Attributes:
        value: that.
        seed: the first seed, in the order of the values, that has this value.
    """

    value: float
    seed: int

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "seed": self.seed}


@dataclass(frozen=True)
class Summary:
    """The values of one metric in the runs of one arm.

    Attributes:
        n: how many runs have a finite value. Everything else is about these.
        left_out: the seeds of the runs whose value is missing, NaN or infinite.
        mean: None without a value.
        sd: the standard deviation, by n - 1; None for fewer than two values.
        median: None without a value.
        iqm: the interquartile mean: a quarter of the values, rounded down, is left out at each end.
        interval: the 95 % interval of the mean; None for fewer than two values.
        interval_method: "BCa" or "Student's t"; None where there is no interval.
        minimum: None without a value.
        maximum: likewise.
    """

    n: int
    left_out: tuple[int, ...]
    mean: float | None
    sd: float | None
    median: float | None
    iqm: float | None
    interval: tuple[float, float] | None
    interval_method: str | None
    minimum: Extreme | None
    maximum: Extreme | None

    def to_json(self) -> dict[str, Any]:
        """Return what a sweep's file has of it."""
        return {
            "n": self.n,
            "left_out": list(self.left_out),
            "mean": as_json(self.mean),
            "sd": as_json(self.sd),
            "median": as_json(self.median),
            "iqm": as_json(self.iqm),
            "interval": ends_as_json(self.interval),
            "interval_method": self.interval_method,
            "minimum": self.minimum.to_json() if self.minimum else None,
            "maximum": self.maximum.to_json() if self.maximum else None,
        }


def summary(values: Values) -> Summary:
    """Return what the values of one metric say.

    Args:
        values: of each seed. What is no finite number is left out and named.
    """
    kept = finite(values)
    left_out = tuple(seed for seed in values if seed not in kept)
    if not kept:
        return Summary(0, left_out, None, None, None, None, None, None, None, None)
    numbers = list(kept.values())
    exponent = exponent_of(numbers)
    near_one = [scaled(number, -exponent) for number in numbers]

    def back(value: float) -> float:
        return scaled(value, exponent)

    several = len(near_one) > 1
    ends = interval(near_one) if several else None
    lowest = min(kept, key=lambda seed: kept[seed])
    highest = max(kept, key=lambda seed: kept[seed])
    return Summary(
        n=len(numbers),
        left_out=left_out,
        mean=back(mean(near_one)),
        sd=back(deviation(near_one)) if several else None,
        median=back(statistics.median(near_one)),
        iqm=back(interquartile_mean(near_one)),
        interval=(back(ends[0]), back(ends[1])) if ends else None,
        interval_method=method_of(len(numbers)) if several else None,
        minimum=Extreme(kept[lowest], lowest),
        maximum=Extreme(kept[highest], highest),
    )


def finite(values: Values) -> dict[int, float]:
    """Return the seeds that have a finite value, with that."""
    return {
        seed: float(value)
        for seed, value in values.items()
        if value is not None and math.isfinite(value)
    }


def mean(values: Sequence[float]) -> float:
    """Return the mean of at least one value."""
    # The sum and the quotient are rounded, and so the mean of equal values could be another one.
    return min(max(math.fsum(values) / len(values), min(values)), max(values))


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of at least two values, by n - 1."""
    center = mean(values)
    return math.sqrt(math.fsum((value - center) ** 2 for value in values) / (len(values) - 1))


def interquartile_mean(values: Sequence[float]) -> float:
    """Return the mean without the smallest and the largest quarter of at least one value.

    It is what `scipy.stats.trim_mean(values, 0.25)` gives, and Agarwal et al. recommend for few
    runs (Deep reinforcement learning at the edge of the statistical precipice, 2021).
    """
    cut = int(TRIMMED * len(values))
    return mean(sorted(values)[cut : len(values) - cut])
