# SPDX-License-Identifier: Apache-2.0
"""Compare the fingerprints of two machines, and say what their differences mean."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from seed_init.proof.arithmetic.fingerprint import Fingerprint, Row

SAME, DIFFERENT = "same", "different"
NOTHING, UNPROVEN = "nothing in common", "unproven"
"""Verdicts, as those of `seed-init compare`."""

PORTABLE = "portable"
"""The level under which the libraries compute the same bits."""


class Meaning(NamedTuple):
    """What a difference of one kind says.

    Attributes:
        words: what the rows of the kind are about.
        why: what differs between the machines.
        cure: what to do where the level portable does not help; None if that level does.
    """

    words: str
    why: str
    cure: str | None = None


MEANINGS = {
    "version": Meaning("versions", "another release", "install the same release on both"),
    "libm": Meaning(
        "libm",
        "another C library, or its functions for a CPU with or without FMA",
        "use the same image, and CPUs that all have FMA",
    ),
    "sum": Meaning("sums", "another number of threads, or another instruction set"),
    "vector": Meaning("vector functions", "another instruction set"),
    "complex": Meaning("complex numbers", "another instruction set"),
    "BLAS": Meaning("BLAS", "another kernel for matrix products"),
    "LAPACK": Meaning("LAPACK", "another kernel, or another number of threads"),
    "FFT": Meaning("FFT", "another instruction set"),
    "convolution": Meaning("convolutions", "another kernel, or another size of the caches"),
    "layer": Meaning("layers", "another kernel, or another number of threads"),
}
"""Kind of a row -> its meaning, what explains the others first."""

OTHER = Meaning("other functions", "another kernel")
"""Of a kind that a later version has."""


def meaning(kind: str) -> Meaning:
    """Return the meaning of a kind of rows."""
    return MEANINGS.get(kind, OTHER)


@dataclass(frozen=True)
class Agreement:
    """How far two fingerprints agree.

    Attributes:
        equal: the rows that have the same result.
        differ: the rows of the first fingerprint that have another result in the second.
        not_compared: the rows that only one of them has, as rows name themselves.
    """

    equal: tuple[Row, ...]
    differ: tuple[Row, ...]
    not_compared: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One of the verdicts above. A row that only one machine has is never equal."""
        if self.differ:
            return DIFFERENT
        if not self.equal:
            return NOTHING
        return UNPROVEN if self.not_compared else SAME

    @property
    def kinds(self) -> dict[str, list[Row]]:
        """Kind -> the rows of that kind that differ, kinds in the order of `MEANINGS`."""
        order = list(dict.fromkeys([*MEANINGS, *(row.kind for row in self.differ)]))
        found = {kind: [row for row in self.differ if row.kind == kind] for kind in order}
        return {kind: rows for kind, rows in found.items() if rows}


def compare(first: Fingerprint, second: Fingerprint) -> Agreement:
    """Compare two fingerprints row by row."""
    ones, others = ({str(row): row for row in fingerprint.rows} for fingerprint in (first, second))
    both = [name for name in ones if name in others]
    return Agreement(
        tuple(ones[name] for name in both if ones[name].result == others[name].result),
        tuple(ones[name] for name in both if ones[name].result != others[name].result),
        tuple(name for name in dict.fromkeys([*ones, *others]) if name not in both),
    )


def cures(kinds: Iterable[str], levels: Iterable[str | None]) -> list[str]:
    """What to do about rows that differ, one line each.

    Args:
        kinds: of the rows.
        levels: DETERMINISM of both machines; None where it is not known.
    """
    meanings = [meaning(kind) for kind in kinds]
    lines = [f"{each.words}: {each.cure}" for each in meanings if each.cure]
    others = ", ".join(dict.fromkeys(each.words for each in meanings if not each.cure))
    if others and all(level == PORTABLE for level in levels):
        lines.append(
            f"{others}: DETERMINISM=portable does not make these equal here; use one kind of CPU "
            "and one SEED_INIT_THREADS"
        )
    elif others:
        lines.append(f"{others}: set DETERMINISM=portable on both machines")
    return lines
