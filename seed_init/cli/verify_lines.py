# SPDX-License-Identifier: Apache-2.0
"""What the kinds of `seed-init verify` print alike: a difference, and exit statuses."""

from typing import Any

from seed_init.proof.comparing.difference import Difference
from seed_init.proof.verifying import verdict

STATUSES = {
    verdict.IDENTICAL: 0,
    verdict.DIFFERENT: 1,
    verdict.FAILED: 2,
    verdict.UNPROVEN: 4,  # 3 is `compare`'s, for records with nothing in common
}
"""Verdict to exit status."""


def difference_lines(difference: Difference, broke: str | None = None) -> list[str]:
    """Return a difference as a person reads it.

    Args:
        difference: where two runs part.
        broke: the change that broke their equality; None where that is not known.
    """
    lines = [difference.first_observed]
    if broke:
        lines.append(f"  equality broke with: {broke}")
    known: list[tuple[str, Any]] = [
        ("level", difference.level),
        ("rank", difference.rank),
        ("process", difference.who),
        ("batch", difference.batch),
        ("generator", difference.generator),
        ("torch.compile", _rung(difference.rung)),
        ("tensor", difference.tensor),
        ("module", difference.module),
        ("operator", difference.operator),
        ("line", difference.source),
        ("values", " and ".join(map(str, difference.values)) if difference.values else None),
    ]
    lines += [f"  {name}: {value}" for name, value in known if value is not None]
    lines += [f"  seen: {line}" for line in difference.trail]
    for remedy in difference.remedies:
        lines.append(f"  may be: {remedy['cause']}")
        lines.append(f"    then: {remedy['remedy']}")
    return lines


def _rung(name: str | None) -> str | None:
    return None if name is None else f"the first backend that differs is {name}"
