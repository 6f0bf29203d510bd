# SPDX-License-Identifier: Apache-2.0
"""How often intervals, tests and bounds are right where the truth is known.

The estimators are those of the package, with their own settings. Only the means of the resamples
are computed by numpy, from the same draws of the same generator, because ten thousand sweeps take
hours otherwise; `same_resamples` checks that they are the same.
"""

from collections.abc import Callable
from functools import lru_cache
from random import Random

import numpy as np

from benchmarks.sweeps.draws import Draw
from seed_init.proof.statistics import bootstrap, flips, noise, power

LEVEL = 0.05


@lru_cache(maxsize=1)
def drawn(count: int) -> np.ndarray:
    """Which values each resample has: an array of resamples x values."""
    draw = Random(bootstrap.SEED).random
    flat = [int(draw() * count) for _ in range(bootstrap.RESAMPLES * count)]
    return np.array(flat, dtype=np.int32).reshape(bootstrap.RESAMPLES, count)


def means_of(values: np.ndarray) -> list[float]:
    """The means of the resamples, in order of size."""
    resamples = np.sort(values)[drawn(len(values))]
    means: list[float] = np.sort(resamples.mean(axis=1)).tolist()
    return means


def same_resamples(values: np.ndarray) -> bool:
    """Whether numpy's means are those of the package, but for the rounding of sums."""
    own = bootstrap.resampled_means(values.tolist())
    return bool(np.allclose(own, means_of(values), rtol=1e-12, atol=1e-12))


def covered(draw: Draw, count: int, sweeps: int, seed: int) -> dict[str, float]:
    """Of many sweeps, the share whose interval contains the true mean, by kind of interval."""
    rows = draw.rows(np.random.default_rng(seed), sweeps, count)
    assert same_resamples(rows[0])
    hits = {"printed": 0, "expanded": 0, "plain": 0, "t": 0}
    for values in rows:
        numbers, means = values.tolist(), means_of(values)
        intervals = {
            "expanded": bootstrap.bca(numbers, means),
            "plain": bootstrap.bca(numbers, means, is_expanded=False),
            "t": bootstrap.student(numbers),
        }
        is_t = bootstrap.method_of(count) == bootstrap.STUDENT
        intervals["printed"] = intervals["t" if is_t else "expanded"]
        for name, (low, high) in intervals.items():
            hits[name] += low <= draw.mean <= high
    return {name: hit / sweeps for name, hit in hits.items()}


def rejected(
    differences: Callable[[np.random.Generator], np.ndarray], sweeps: int, seed: int
) -> float:
    """Of many sweeps, the share whose sign-flip test has p below the level."""
    generator = np.random.default_rng(seed)
    found = 0
    for _ in range(sweeps):
        values = differences(generator)
        tolerance = 1e-12 * float(np.abs(values).sum())
        found += flips.sign_flip_test(values.tolist(), tolerance).p <= LEVEL
    return found / sweeps


def level_kept(draw: Draw, pairs: int, sweeps: int, seed: int) -> float:
    """How often the test finds a difference of two arms that have none."""

    def differences(generator: np.random.Generator) -> np.ndarray:
        both = draw.rows(generator, 2, pairs)
        return both[1] - both[0]

    return rejected(differences, sweeps, seed)


def found_at(effect: float, pairs: int, sweeps: int, seed: int) -> float:
    """How often the test finds a mean difference of so many standard deviations."""
    return rejected(lambda g: effect + g.standard_normal(pairs), sweeps, seed)


def bound_holds(share: float, seeds: int, sweeps: int, seed: int) -> float:
    """How often the true share of the noise is at least the bound of one repeated seed."""
    generator = np.random.default_rng(seed)
    held = 0
    for _ in range(sweeps):
        of_seeds = (1 - share) ** 0.5 * generator.standard_normal(seeds)
        of_noise = share**0.5 * generator.standard_normal(seeds + 1)
        values = of_seeds + of_noise[:seeds]
        again = of_seeds[0] + of_noise[seeds]
        found = noise.noise(values.tolist(), float(values[0]), float(again))
        held += found is not None and found.least <= share
    return held / sweeps


# --- the smallest effect, by the test itself -----------------------------------------------------


def smallest_effect(pairs: int, sweeps: int, seed: int) -> float:
    """The mean difference, in standard deviations, that the sign-flip test finds by `POWER`."""
    generator = np.random.default_rng(seed)
    around = generator.standard_normal((sweeps, pairs))
    # Of two flips that are opposite, one is enough.
    numbers = np.arange(2 ** (pairs - 1))
    signs = 1.0 - 2.0 * ((numbers[:, None] >> np.arange(pairs)) & 1)
    low, high = 0.0, 4.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        if _power(around + middle, signs) < power.POWER:
            low = middle
        else:
            high = middle
    return high


def _power(differences: np.ndarray, signs: np.ndarray) -> float:
    found = 0
    block = max(1, 4_000_000 // len(signs))
    for first in range(0, len(differences), block):
        part = differences[first : first + block]
        limit = np.abs(part.sum(axis=1)) - 1e-9
        shares = (np.abs(part @ signs.T) >= limit[:, None]).mean(axis=1)
        found += int((shares <= LEVEL).sum())
    return found / len(differences)
