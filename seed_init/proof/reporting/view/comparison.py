# SPDX-License-Identifier: Apache-2.0
"""A record is compared with the first one of a report: where they part, and each step."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from seed_init.proof.comparing.align import in_common
from seed_init.proof.comparing.comparison import status_difference, status_of
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.steps import (
    Parting,
    Unequal,
    first_of,
    first_proven,
    has_failed,
    partings,
)
from seed_init.proof.comparing.values import counted
from seed_init.proof.reporting.model import DifferenceView, Strip, StripStep
from seed_init.proof.reporting.view.rows import ALL, Loaded, Row, Series, names_of
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import Trained

_NAMED = 2  # tensors or generators of a step that differ; the others are counted


@dataclass
class Unlike:
    """What is not equal in the steps of one series.

    Attributes:
        differing: call -> what differs, the first first.
        absent: call -> the name of the record that alone has the step.
        failed: an instrument failed in one of the runs: what is absent may only not have been seen.
    """

    differing: dict[int, list[Unequal]] = field(default_factory=dict)
    absent: dict[int, str] = field(default_factory=dict)
    failed: bool = False

    def first(self) -> int | None:
        """The first call at which the two are not equal."""
        return min((*self.differing, *(() if self.failed else self.absent)), default=None)


@dataclass
class Comparison:
    """A record beside the first one.

    Attributes:
        base: the first record.
        candidate: the record that is compared with the base.
        number: the candidate's position in the report.
        series: of all records of the report.
        unlike: of each series, what is not equal.
        difference: what was first observed to differ: as `seed-init compare` says.
        in_common: whether there is anything in both that could be compared.
    """

    base: Loaded
    candidate: Loaded
    number: int
    series: Sequence[Series]
    unlike: list[Unlike]
    difference: Difference | None
    in_common: bool


def compared(
    loaded: Sequence[Loaded], number: int, rows: Sequence[Row], series: Sequence[Series]
) -> Comparison:
    """Compare a record with the first one.

    Args:
        loaded: all records of the report.
        number: of the one to compare, from 1.
        rows: the processes of all records, side by side.
        series: their steps.
    """
    base, candidate = loaded[0], loaded[number]
    pairs = _pairs(rows, number)
    parted = [list(partings(*pair)) for pair in pairs]
    alone = [lone for row in rows if (lone := _alone(row, number)) is not None]
    failed = has_failed(base.record.processes) or has_failed(candidate.record.processes)
    firsts = [first_proven(of_pair, failed) for of_pair in parted]
    difference = first_of(pairs, firsts, alone, failed)
    proven = [
        [shown for parting in of_pair if (shown := _shown(parting, failed))] for of_pair in parted
    ]
    unlike = _unlike(rows, proven, base, candidate, number, failed)
    return Comparison(
        base,
        candidate,
        number,
        series,
        [unlike[one_series.number].get(one_series.optimizer, Unlike()) for one_series in series],
        difference or status_difference(base.record, candidate.record),
        bool(in_common(base.record.processes, candidate.record.processes)),
    )


def _shown(parting: Parting, failed: bool) -> Parting | None:
    """Return what the strips show: what is proven, and each step that only one record has."""
    if parting.beside.first is None or parting.beside.second is None:
        return parting
    return parting.proven(failed)


def _pairs(rows: Sequence[Row], number: int) -> list[tuple[Trained, Trained]]:
    """Return the processes of two records that stand side by side in a row."""
    both = ((row.members[0], row.members[number]) for row in rows)
    return [(first, second) for first, second in both if first is not None and second is not None]


def _alone(row: Row, number: int) -> Process | None:
    """Return the process of a row that only one of the two records has; None for another row."""
    first, second = row.members[0], row.members[number]
    lone = (first or second) if first is None or second is None else None
    return None if lone is None else lone.process


def _unlike(
    rows: Sequence[Row],
    parted: Sequence[Sequence[Parting]],
    base: Loaded,
    candidate: Loaded,
    number: int,
    failed: bool,
) -> list[dict[int, Unlike]]:
    """Return, for each row, optimizer -> what is not equal in the steps."""
    unlike_by_row: list[dict[int, Unlike]] = [
        defaultdict(lambda: Unlike(failed=failed)) for _ in rows
    ]
    pairs = iter(parted)
    for row, unlike in zip(rows, unlike_by_row):
        first, second = row.members[0], row.members[number]
        if first is None or second is None:
            who = base.name if second is None else candidate.name
            for optimizer, steps in (row.steps[0] or row.steps[number]).items():
                unlike[optimizer].absent = dict.fromkeys(steps, who)
            continue
        for parting in next(pairs):
            _note(parting, unlike[parting.beside.moment.optimizer], base.name, candidate.name)
    return unlike_by_row


def _note(parting: Parting, unlike: Unlike, base: str, candidate: str) -> None:
    beside, call = parting.beside, parting.beside.moment.call
    if beside.first is None or beside.second is None:
        unlike.absent[call] = candidate if beside.first is None else base
    else:
        unlike.differing.setdefault(call, []).extend(parting.unequal)


def first_step(comparison: Comparison) -> int | None:
    """The first step at which the two are not equal; None where they part at the end, or not."""
    if comparison.difference is None:
        return None
    if comparison.difference.step is not None:
        return comparison.difference.step
    firsts = (unlike.first() for unlike in comparison.unlike)
    return min((first for first in firsts if first is not None), default=None)


def words(unequal: Unequal) -> str:
    """What differs at a step, in a few words."""
    if unequal.level in ("loss", "trace"):
        return {"loss": "loss", "trace": "order of the steps"}[unequal.level]
    what = {"draw": "draws of", "gradient": "gradient of", "parameter": "parameter"}
    more = len(unequal.names) - _NAMED
    names = ", ".join(unequal.names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return (f"{what[unequal.level]} {names}" if names else unequal.level) + unequal.when


def strips(comparison: Comparison, several: bool) -> Iterator[Strip]:
    """A strip for each series.

    Args:
        comparison: of two records.
        several: name the records, because others are compared too.
    """
    base, candidate = comparison.base.name, comparison.candidate.name
    for series, unlike in zip(comparison.series, comparison.unlike):
        shown = [_step(unlike, call) for call in series.calls(0, comparison.number)]
        at = unlike.first()
        first = next((i for i, step in enumerate(shown) if step.number == at), None)
        label = f"{series.label}, {base} and {candidate}" if several else series.label
        if shown:
            yield Strip(label, tuple(shown), first)


def _step(unlike: Unlike, call: int) -> StripStep:
    if call in unlike.absent:
        return StripStep(call, "absent", f"only in {unlike.absent[call]}")
    if call in unlike.differing:
        what = ", ".join(map(words, unlike.differing[call]))
        return StripStep(call, "differs", what)
    return StripStep(call, "same")


def difference_view(comparison: Comparison, rows: Sequence[Row]) -> DifferenceView | None:
    """The first difference of the two, as far as their records tell."""
    difference = comparison.difference
    if difference is None:
        return None
    index = _index_of_series(comparison, rows)
    if difference.step is None or index is None:
        return _at_the_end(comparison, difference, rows)
    series, unlike = comparison.series[index], comparison.unlike[index]
    call = difference.step
    where = [("records", _pair(comparison)), ("step", f"{call:,}")]
    if series.label != ALL:
        where.append(("where", series.label))
    parts = unlike.differing.get(call)
    if not parts:
        trail = f"Up to there all steps are equal; only {unlike.absent[call]} has this step."
        return DifferenceView(difference.first_observed, tuple(where), (trail,))
    where.append(("what", words(parts[0])))
    return DifferenceView(
        difference.first_observed,
        tuple(where),
        (
            _before(unlike, call),
            *(_sentence(comparison, series, call, part) for part in parts),
        ),
        values=_values(comparison, parts[0].exact),
    )


def _before(unlike: Unlike, call: int) -> str:
    if not call:
        return "It is the first step."
    if any(absent < call for absent in unlike.absent):
        return "Before, all steps that both have are equal."
    return f"All {call:,} steps before are equal."


def _index_of_series(comparison: Comparison, rows: Sequence[Row]) -> int | None:
    """Return the index of the series that has the difference; None if the series is not known."""
    difference = comparison.difference
    assert difference is not None
    # Differences number the pairs of processes, and rows begin with the first record's.
    number = comparison.number
    pairs = [i for i, row in enumerate(rows) if None not in (row.members[0], row.members[number])]
    if difference.process >= len(pairs):
        return None
    here = pairs[difference.process], difference.optimizer
    places = [(series.number, series.optimizer) for series in comparison.series]
    return places.index(here) if here in places else None


def _pair(comparison: Comparison) -> str:
    return f"{comparison.base.name} and {comparison.candidate.name}"


def _values(comparison: Comparison, exact: tuple[str, str] | None) -> tuple[tuple[str, str], ...]:
    if exact is None:
        return ()
    return (comparison.base.name, exact[0]), (comparison.candidate.name, exact[1])


def _sentence(comparison: Comparison, series: Series, call: int, unequal: Unequal) -> str:
    """One thing that differs at a step, as a sentence."""
    if unequal.level == "loss":
        return f"The loss differs, by {_distance(comparison, series, call)}."
    if unequal.level == "draw":
        return f"The generators stand elsewhere: {', '.join(unequal.names)}."
    if not unequal.names:
        return f"{unequal.text[:1].upper()}{unequal.text[1:]}."
    of = counted(unequal.count, unequal.level)
    return f"{len(unequal.names):,} of {of} differ: {words(unequal)}."


def _distance(comparison: Comparison, series: Series, call: int) -> str:
    first, second = (series.steps[record].get(call) for record in (0, comparison.number))
    losses = [None if step is None else step.loss for step in (first, second)]
    if losses[0] is None or losses[1] is None:
        return "what cannot be told"
    return f"{abs(losses[0] - losses[1]):.3g}"


# --- the end ----------------------------------------------------------------------------


def _at_the_end(
    comparison: Comparison, difference: Difference, rows: Sequence[Row]
) -> DifferenceView:
    endings = _endings(comparison, rows)
    return DifferenceView(
        difference.first_observed,
        (("records", _pair(comparison)),),
        tuple(what for what, _, _ in endings),
        values=_values(comparison, (endings[0][1], endings[0][2]) if endings else None),
    )


def _endings(comparison: Comparison, rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Return what differs at the ends of two runs: what, and the value of each run."""
    first, second = finals(rows, (0, comparison.number))
    unlike = [name for name in first if name in second and first[name] != second[name]]
    # As they are compared: weights, generators, and the exit status last.
    unlike.sort(key=lambda name: name.startswith("generator"))
    endings = [(f"final {name}", first[name], second[name]) for name in unlike]
    statuses = [status_of(loaded.record) for loaded in (comparison.base, comparison.candidate)]
    if None not in statuses and statuses[0] != statuses[1]:
        endings.append(("exit status", str(statuses[0]), str(statuses[1])))
    return endings


def finals(rows: Sequence[Row], numbers: Sequence[int]) -> list[dict[str, str]]:
    """What the processes of some records left: of each record, name and digest.

    Args:
        rows: the processes of all records.
        numbers: of the records.
    """
    ended = [row for row in rows if any(row.ends[number] for number in numbers)]
    # With the same names in all of them.
    several = any(sum(row.ends[n] is not None for row in ended) > 1 for n in numbers)
    names = names_of(ended) if several else [""] * len(ended)
    return [
        {
            name: value
            for row, of in zip(ended, names)
            for name, value in _finals(row, number, f", {of}" if of else "")
        }
        for number in numbers
    ]


def _finals(row: Row, number: int, of: str) -> Iterator[tuple[str, str]]:
    end = row.ends[number]
    if end is None:
        return
    for generator, position in end.generators.items():
        yield f"generator {generator}{of}", position
    for optimizer, digests in end.finals.items():
        which = f" of optimizer {optimizer}" if optimizer else ""
        if any(digests):
            yield f"parameters{which}{of}", ", ".join(digests)
