# SPDX-License-Identifier: Apache-2.0
"""This module holds a measured cost against a limit: `seed-init cost --fail-above RATIO`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seed_init.proof.cost.choices import REFERENCE
from seed_init.proof.cost.judging import Judgement, Row

WITHIN, ABOVE, UNPROVEN = "within", "above", "unproven"
"""Verdicts, of one choice and of all."""

DEFAULT = "warn"
"""The level that is held against the limit where the user names no choice."""


@dataclass(frozen=True)
class Held:
    """One choice, held against the limit.

    Attributes:
        name: of the choice.
        verdict: one of the verdicts above.
        told: the reason, as one clause.
    """

    name: str
    verdict: str
    told: str


@dataclass(frozen=True)
class Limit:
    """What came of a limit.

    Attributes:
        ratio: the limit, as a ratio to `off`.
        held: one entry for each choice that was asked for.
    """

    ratio: float
    held: tuple[Held, ...]

    @property
    def verdict(self) -> str:
        """The verdict of all choices: `ABOVE` where one is, else `UNPROVEN` where one is."""
        found = {each.verdict for each in self.held}
        return next((each for each in (ABOVE, UNPROVEN) if each in found), WITHIN)

    def to_json(self) -> dict[str, Any]:
        """Return what `seed-init cost --json` prints of the limit."""
        return {
            "ratio": self.ratio,
            "verdict": self.verdict,
            "choices": {
                each.name: {"verdict": each.verdict, "told": each.told} for each in self.held
            },
        }


def held_to(judgement: Judgement, ratio: float, names: Sequence[str]) -> Limit:
    """Hold the cost of some choices against a limit.

    A choice is above the limit if the median of its ratios is, and the ratio of every round. If
    the median is above the limit and the ratio of one round is not, noise may have decided, and
    nothing is proven. Nothing is proven either for a choice that was not timed.

    Args:
        judgement: of the measurements.
        ratio: how many times as long as under `off` a step may take.
        names: of the choices, of which `off` is none.
    """
    return Limit(ratio, tuple(_held(judgement, ratio, name) for name in names))


def names_of(choices: Sequence[str] | None) -> tuple[str, ...]:
    """Return the choices that are held against the limit.

    Args:
        choices: those that the user has named; None if the user has named none.
    """
    return (DEFAULT,) if choices is None else tuple(n for n in choices if n != REFERENCE)


def _held(judgement: Judgement, ratio: float, name: str) -> Held:
    row = judgement.row(name)
    if row is None or row.ratio is None or row.ratios is None or _has_failed(judgement, name):
        return Held(name, UNPROVEN, _why_not_timed(judgement, name, row))
    low, high = row.ratios
    told = f"{row.ratio:.3f} times off, {low:.3f} to {high:.3f} in the rounds"
    if row.ratio <= ratio:
        return Held(name, WITHIN, told)
    if low > ratio:
        return Held(name, ABOVE, told)
    advice = "not every round is above it: more --steps or --repeats, or a quiet machine, tell"
    return Held(name, UNPROVEN, f"{told}; {advice}")


def _has_failed(judgement: Judgement, name: str) -> bool:
    """Return whether a run with this choice has failed: the others may be those that were fast."""
    return any(sample.failed for sample in judgement.measurements.measured[name].samples)


def _why_not_timed(judgement: Judgement, name: str, row: Row | None) -> str:
    if row is None:
        why = judgement.measurements.left_out.get(name, "it was not measured")
        return f"not run ({why})"
    if row.problem is not None:
        return f"not timed: {row.problem}"
    return "not timed: off gives nothing to compare with"
