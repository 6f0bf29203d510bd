# SPDX-License-Identifier: Apache-2.0
"""Metrics of runs as they come out: distributions whose mean is known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draw:
    """A distribution.

    Attributes:
        name: in the tables.
        mean: the true one.
        rows: (generator, rows, columns) -> an array of that shape.
    """

    name: str
    mean: float
    rows: Callable[[np.random.Generator, int, int], np.ndarray]


def _failing(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Most runs are near 0.9, and one in ten has not learned."""
    learned = generator.random((rows, columns)) >= 0.1
    around = np.where(learned, 0.9, 0.1)
    return around + 0.02 * generator.standard_normal((rows, columns))


NORMAL = Draw("normal", 0.0, lambda g, rows, columns: g.standard_normal((rows, columns)))
SKEWED = Draw(
    "accuracy near 1 (beta 30, 2)", 30 / 32, lambda g, rows, columns: g.beta(30, 2, (rows, columns))
)
HEAVY = Draw("heavy tails (t, 3)", 0.0, lambda g, rows, columns: g.standard_t(3, (rows, columns)))
ROUNDED = Draw(
    "rounded to a tenth of sd",
    0.0,
    lambda g, rows, columns: np.round(g.standard_normal((rows, columns)), 1),
)
FAILING = Draw("one run in ten fails", 0.9 * 0.9 + 0.1 * 0.1, _failing)

ALL = (NORMAL, SKEWED, HEAVY, ROUNDED, FAILING)
