# SPDX-License-Identifier: Apache-2.0
"""What a report shows: plain data, without a record's layout (view) or looks (page)."""

import math
from dataclasses import asdict, dataclass
from typing import Any

IDENTICAL, DIFFERENT, FAILED, ONE_RUN = "identical", "different", "failed", "not compared"
UNPROVEN = "unproven"
"""Nothing that was seen differs, but an instrument failed."""


@dataclass(frozen=True)
class Run:
    """One record, as the page names it.

    Attributes:
        name: of the record in this report.
        file: the record's path as given.
        facts: what is worth knowing first: command, seed, time; name and text.
    """

    name: str
    file: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class EnvironmentRow:
    """A row of the environment: one value a record, None where it has none."""

    section: str
    name: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


@dataclass(frozen=True)
class Curve:
    """Values of a run over steps; not finite where the run's were not."""

    run: int
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Mark:
    """A step that a chart points at."""

    step: int
    text: str


@dataclass(frozen=True)
class Chart:
    """Curves laid over each other.

    Attributes:
        title: what they are of.
        unit: of the values.
        curves: one a run.
        logarithmic: True or False, or None: as the values ask for.
        mark: the first different step, if there is one.
        prominent: False: of a rank that shows nothing that the first one does not.
    """

    title: str
    unit: str
    curves: tuple[Curve, ...]
    logarithmic: bool | None = None
    mark: Mark | None = None
    prominent: bool = True


@dataclass(frozen=True)
class StripStep:
    """A step of a strip.

    Attributes:
        number: the optimizer's call, from 0.
        state: "same", "differs", "absent" (one run has no such step) or "unknown".
        what: of what is not the same, in words.
    """

    number: int
    state: str
    what: str = ""


@dataclass(frozen=True)
class Strip:
    """The steps of one rank and optimizer, compared.

    Attributes:
        label: rank, optimizer, and the runs that are compared.
        steps: in order.
        first: index of the first that differs or is absent; None where there is none.
    """

    label: str
    steps: tuple[StripStep, ...]
    first: int | None


@dataclass(frozen=True)
class DifferenceView:
    """The first difference.

    Attributes:
        first_observed: one line.
        where: what is known of its place: name and text, coarse to fine.
        trail: lines, coarse to fine.
        source: the user's line that led there, as "file:line" and its text; None: not known.
        values: what each run had: name of the run and value.
        remedies: cause and remedy.
    """

    first_observed: str
    where: tuple[tuple[str, str], ...] = ()
    trail: tuple[str, ...] = ()
    source: tuple[str, str] | None = None
    values: tuple[tuple[str, str], ...] = ()
    remedies: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class FindingView:
    """Something that the audit of one record has found.

    Attributes:
        run: index of the record.
        kind: what findings are gathered by.
        place: file and line.
        count: how often.
        text: what was called or set, in words.
        source: the user's line; empty where it is not known.
    """

    run: int
    kind: str
    place: str
    count: int
    text: str
    source: str = ""


@dataclass(frozen=True)
class Verdict:
    """The outcome.

    Attributes:
        word: one of this module's constants.
        sentence: what it says of what.
        compared: name and count or text.
        not_compared: a line each.
        arms: of a verification, its runs: name, what was changed, outcome.
    """

    word: str
    sentence: str
    compared: tuple[tuple[str, str], ...] = ()
    not_compared: tuple[str, ...] = ()
    arms: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Report:
    """All that a page shows.

    Attributes:
        audited: an audit was made of at least one of the runs.
        own_verdicts: of each record that has one and is compared here with others.
    """

    verdict: Verdict
    runs: tuple[Run, ...]
    environment: tuple[EnvironmentRow, ...]
    charts: tuple[Chart, ...]
    strips: tuple[Strip, ...]
    differences: tuple[DifferenceView, ...]
    findings: tuple[FindingView, ...]
    audited: bool = True
    own_verdicts: tuple[tuple[str, Verdict], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What JSON can hold: a value that is not finite is its name."""
        content: dict[str, Any] = _plain(asdict(self))
        return {"format": 1, **content}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
