# SPDX-License-Identifier: Apache-2.0
"""Numbers are brought near 1 by a power of two, which changes no digit of them.

The square of a loss of 1e200 is beyond what a float can hold, and that of 1e-200 is 0.
"""

import math
from collections.abc import Iterable


def exponent_of(values: Iterable[float]) -> int:
    """Return the power of two by which all values, divided by two to it, are below 1.

    Args:
        values: finite numbers.
    """
    return math.frexp(max((abs(value) for value in values), default=0.0))[1]


def scaled(value: float, exponent: int) -> float:
    """Return a value times two to the power of an exponent; infinity where that is too large."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def as_json(value: float | None) -> float | None:
    """Return a value as JSON has it, which knows no infinity: None for what is no finite number."""
    return value if value is not None and math.isfinite(value) else None


def ends_as_json(ends: tuple[float, float] | None) -> list[float] | None:
    """Return an interval as JSON has it; None also where an end is beyond what a float can hold."""
    return list(ends) if ends and all(map(math.isfinite, ends)) else None
