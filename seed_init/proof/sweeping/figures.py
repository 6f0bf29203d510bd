# SPDX-License-Identifier: Apache-2.0
"""Numbers of a sweep as a reader wants them: with as many digits as their spread makes sense of."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

_DIGITS = 2  # of the spread that are shown

_MOST_DECIMALS = 6
"""Beyond this, and from `_LARGE` on, a number is written with a power of ten."""

_LARGE = 1e7


class Digits:
    """How numbers that belong together are written: with the same number of decimals."""

    def __init__(self, values: Iterable[float | None], spread: float | None) -> None:
        """Find how many digits have a meaning.

        Args:
            values: the numbers that will be written; None for what is not there.
            spread: such as a standard deviation. Without it, or if it is 0, four digits are shown.
        """
        largest = max((abs(value) for value in values if value is not None), default=0.0)
        if not spread or not math.isfinite(spread):
            spread = largest / 100
        self._decimals = (_DIGITS - 1) - math.floor(math.log10(spread)) if spread else 0
        self._is_plain = largest < _LARGE and self._decimals <= _MOST_DECIMALS
        if not self._is_plain:
            self._digits = self._decimals + (math.floor(math.log10(largest)) if largest else 0)

    def __call__(self, value: float | None) -> str:
        """Return the number as text; "-" for None."""
        if value is None:
            return "-"
        if self._is_plain:
            return _without_minus_zero(f"{value:.{max(0, self._decimals)}f}")
        return f"{value:.{min(15, max(0, self._digits))}e}"

    def signed(self, value: float | None) -> str:
        """Return the number with its sign; "-" for None."""
        text = self(value)
        return f"+{text}" if value is not None and value > 0 else text


def digits_of(found: Mapping[str, Any]) -> Digits:
    """Return how the numbers of one arm, or of a difference, are written.

    The interval of the mean says how much of the mean is known; the standard deviation says so
    where there is no interval.

    Args:
        found: `run`, `against` or `difference` of a metric in `sweep.json`.
    """
    low, high = found["interval"] or (None, None)
    half = None if low is None or high is None else high / 2 - low / 2
    return Digits((found["mean"], low, high), half or found["sd"])


def _without_minus_zero(text: str) -> str:
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def probability(p: float, error: float | None = None) -> str:
    """Return a p with two digits, or as many as its error leaves a meaning."""
    if p >= 0.1:
        return f"{p:.2f}"
    if error:
        decimals = max(2, 1 - math.floor(math.log10(error)))
        return f"{p:.{decimals - 1}f}" if p >= 10**-decimals else f"{p:.1g}"
    decimals = 1 - math.floor(math.log10(p)) if p else 1
    return f"{p:.{decimals}f}" if decimals <= 7 else f"{p:.1e}"


def percent(share: float) -> str:
    """Return a share in percent, without decimals except below 1 %."""
    number = 100 * share
    return f"{number:.0f} %" if number >= 1 or number == 0 else f"{number:.1g} %"


def seeds(numbers: Iterable[int]) -> str:
    """Return seeds with their ranges: "0 to 9", "0 to 4 and 7", "3, 8 and 12"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = []
    for run in runs:
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else list(map(str, run))
    if len(parts) > _MOST_PARTS:
        parts = [*parts[:_MOST_PARTS], f"{len(parts) - _MOST_PARTS:,} more"]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


_MOST_PARTS = 12
"""Seeds, or ranges of seeds, that are named."""
