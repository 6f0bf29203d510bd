# SPDX-License-Identifier: Apache-2.0
"""The parts of a report are put together here.

Several records are compared with the first one, step by step. A single record shows the verdict
that it holds, if it was made by a verification.
"""

from collections.abc import Sequence
from pathlib import Path

from seed_init.proof.reporting.model import DifferenceView, Report, Strip, Verdict
from seed_init.proof.reporting.view import (
    audit,
    comparison,
    environment,
    losses,
    own,
    rows,
    runs,
    verdict,
)
from seed_init.proof.reporting.view.comparison import Comparison
from seed_init.proof.reporting.view.rows import Loaded, Row, Series


def report(files: Sequence[Path]) -> Report:
    """What the page about some records shows.

    Args:
        files: at least one record.

    Raises:
        records.NotARecord: one of them is none; the text is one line for the user.
    """
    loaded = rows.load(files)
    beside = rows.rows_of(loaded)
    series = rows.series_of(beside)
    numbers = range(1, len(loaded))
    comparisons = [comparison.compared(loaded, number, beside, series) for number in numbers]
    return Report(
        verdict=_verdict(loaded, beside, comparisons),
        runs=tuple(map(runs.run, loaded)),
        environment=tuple(environment.environment(loaded, beside)),
        charts=tuple(losses.charts(loaded, series, comparisons)),
        strips=tuple(_strips(loaded, series, comparisons)),
        differences=tuple(_differences(loaded, beside, comparisons)),
        findings=tuple(audit.findings(loaded)),
        audited=any(map(audit.was_audited, loaded)),
        own_verdicts=tuple(_own_verdicts(loaded) if comparisons else ()),
    )


def _verdict(
    loaded: Sequence[Loaded], beside: Sequence[Row], comparisons: Sequence[Comparison]
) -> Verdict:
    if comparisons:
        return verdict.of_several(loaded, beside, comparisons)
    verification = loaded[0].own
    return verdict.of_one(loaded[0]) if verification is None else own.verdict(verification)


def _strips(
    loaded: Sequence[Loaded], series: Sequence[Series], comparisons: Sequence[Comparison]
) -> list[Strip]:
    if not comparisons:
        return list(own.strips(loaded[0].own, series))
    several = len(comparisons) > 1
    return [strip for result in comparisons for strip in comparison.strips(result, several)]


def _differences(
    loaded: Sequence[Loaded], beside: Sequence[Row], comparisons: Sequence[Comparison]
) -> list[DifferenceView]:
    # A verification has looked closer than two records can be compared.
    own_differences = own.differences(loaded[0].own) if _is_one_verification(loaded) else []
    views = (comparison.difference_view(result, beside) for result in comparisons)
    return own_differences or [view for view in views if view is not None]


def _is_one_verification(loaded: Sequence[Loaded]) -> bool:
    """Return whether all records are of runs of one verification."""
    return all(record.own == loaded[0].own for record in loaded) and loaded[0].own is not None


def _own_verdicts(loaded: Sequence[Loaded]) -> list[tuple[str, Verdict]]:
    """Return name -> the verdict that the record with this name already has."""
    if _is_one_verification(loaded) and loaded[0].own is not None:
        return [("All records", own.verdict(loaded[0].own))]
    return [(record.name, own.verdict(record.own)) for record in loaded if record.own is not None]
