# SPDX-License-Identifier: Apache-2.0
"""Compare the results of two machines, and print what differs, case by case.

Nothing is equal because nothing was looked at: a case that one of the two lacks, an error on one
side only, and fewer digests than a run has to have are findings, as differences are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.portability import results
from benchmarks.portability.results import Digests

Results = dict[str, Digests]


@dataclass(frozen=True)
class Comparison:
    """What two machines have computed.

    Attributes:
        cases: how many cases both have.
        digests: how many digests of these both have.
        differs: each case with a part that differs: its name, and the parts.
        missing: each case, or part of a case, that one of the two lacks.
        one_error: each case that raised an exception on one of the two.
        refused: each part of a case that raised the same exception on both.
        too_few: how many digests there have to be at least, if there are fewer; 0 if not.
    """

    cases: int
    digests: int
    differs: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    one_error: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    too_few: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether all that had to be looked at is equal."""
        return not (self.differs or self.missing or self.one_error or self.too_few)

    @property
    def count(self) -> int:
        """How many digests differ."""
        return sum(map(len, self.differs.values()))


def compare(reference: Results, other: Results, least: int) -> Comparison:
    """Compare the results of two machines.

    Args:
        reference: of the one.
        other: of the other one.
        least: how many cases there have to be at least.
    """
    missing = sorted(reference.keys() ^ other.keys())
    both = [case for case in reference if case in other]
    found = Comparison(len(both), 0, missing=missing, too_few=least if len(both) < least else 0)
    digests = 0
    for case in both:
        digests += _compare_case(case, reference[case], other[case], found)
    return Comparison(**{**vars(found), "digests": digests})


def _compare_case(case: str, one: Digests, other: Digests, found: Comparison) -> int:
    """Add what is to be said about a case to `found`; returns how many digests both have."""
    if whole_error(one) != whole_error(other):
        found.one_error.append(case)
        return 0
    for part in sorted(one.keys() ^ other.keys()):
        # Where forward is refused on one machine only, the name of the part is another one.
        (found.one_error if _has_error(one, other, part) else found.missing).append(
            named(case, part)
        )
    shared = [part for part in one if part in other]
    differing = [part for part in shared if one[part] != other[part]]
    for part in differing:
        if results.ERROR in one[part][: len(results.ERROR)] + other[part][: len(results.ERROR)]:
            found.one_error.append(named(case, part))
        else:
            found.differs.setdefault(case, []).append(part)
    found.refused.extend(
        named(case, part)
        for part in shared
        if one[part] == other[part] and one[part].startswith(results.ERROR)
    )
    return len(shared)


def whole_error(digests: Digests) -> str:
    """The error of a case that has nothing else; "" for another one."""
    text = digests.get("", "") if len(digests) == 1 else ""
    return text if text.startswith(results.ERROR) else ""


def _has_error(one: Digests, other: Digests, part: str) -> bool:
    """Whether the sample to which a part belongs raised an exception on either side."""
    sample = part.rpartition(".")[0]
    return any(
        text.startswith(results.ERROR)
        for digests in (one, other)
        for name, text in digests.items()
        if name.rpartition(".")[0] == sample
    )


def named(case: str, part: str) -> str:
    """How a part of a case is called; "" is the whole case."""
    return f"{case} ({part})" if part else case


def refused(level: Results, default: Results) -> list[str]:
    """The cases with a part that raises an exception under the level and none by default."""
    return [
        case for case, digests in level.items() if _errors(digests) - _errors(default.get(case, {}))
    ]


def _errors(digests: Digests) -> set[str]:
    """The samples of a case that raise an exception; "" for a case without samples."""
    return {
        part.rpartition(".")[0] for part, text in digests.items() if text.startswith(results.ERROR)
    }


# --- Markdown -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        machine: the name of what was compared.
        reference: the name of what it was compared with.
        comparison: None where one of the two has not computed all its cases.
    """

    machine: str
    reference: str
    comparison: Comparison | None


def markdown(title: str, unit: str, rows: Sequence[Row], most: int = 10_000) -> str:
    """A table, and below it the name of each case that differs.

    Args:
        title: what was computed, and how.
        unit: "digests", or "cases" where a case counts once however many of its digests differ.
        rows: of the table.
        most: names of a row that are printed; the others are counted.
    """
    lines = [f"### {title}", "", f"| machine | compared with | {unit} that differ | other |"]
    lines.append("|---|---|---|---|")
    for row in rows:
        lines.append(
            f"| {row.machine} | {row.reference} | {verdict(row.comparison, unit)} "
            f"| {others(row.comparison)} |"
        )
    return "\n".join([*lines, "", *_details(rows, most)])


def verdict(comparison: Comparison | None, unit: str) -> str:
    """The cell that says how many differ of how many."""
    if comparison is None:
        return "not measured"
    if unit == "digests":
        return f"{comparison.count} of {comparison.digests}"
    return f"{len(comparison.differs)} of {comparison.cases}"


def others(comparison: Comparison | None) -> str:
    """The cell with every other finding, and with what both machines refuse."""
    if comparison is None:
        return ""
    told = (
        (len(comparison.missing), "missing on one of the two"),
        (len(comparison.one_error), "an error on one of the two"),
        (len(comparison.refused), "the same error on both"),
    )
    cells = [f"{count} {text}" for count, text in told if count]
    if comparison.too_few:
        cells.append(f"TOO FEW: {comparison.cases} cases of at least {comparison.too_few}")
    return ", ".join(cells)


def _details(rows: Sequence[Row], most: int) -> Iterable[str]:
    for row in rows:
        found = row.comparison
        if found is None or found.is_equal:
            continue
        for head, names in (
            ("differ", [_parts(*each) for each in found.differs.items()]),
            ("are missing on one of the two", found.missing),
            ("raise an exception on one of the two", found.one_error),
        ):
            if names:
                told = ", ".join(f"`{name}`" for name in names[:most])
                more = f" and {len(names) - most} more" if len(names) > most else ""
                yield f"- {row.machine}: these {head}: {told}{more}"


def _parts(case: str, parts: list[str]) -> str:
    kinds = sorted({part.rpartition(".")[2] for part in parts} - {""})
    return f"{case} ({', '.join(kinds)})" if kinds else case
