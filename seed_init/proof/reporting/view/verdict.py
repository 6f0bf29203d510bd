# SPDX-License-Identifier: Apache-2.0
"""The verdict on several records, or on one record alone, is put into words here."""

from collections.abc import Iterator, Sequence

from seed_init.proof.comparing.values import counted
from seed_init.proof.reporting.model import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    ONE_RUN,
    UNPROVEN,
    Verdict,
)
from seed_init.proof.reporting.view.comparison import Comparison, finals, first_step
from seed_init.proof.reporting.view.rows import Loaded, Row, Series


def of_several(
    loaded: Sequence[Loaded], rows: Sequence[Row], comparisons: Sequence[Comparison]
) -> Verdict:
    """The verdict on records that are compared with the first one.

    Args:
        loaded: at least two records.
        rows: their processes.
        comparisons: of each but the first with the first one.
    """
    word, sentence = _judged(loaded, comparisons)
    compared = _compared(loaded, rows, comparisons[0].series)
    return Verdict(word, sentence, tuple(compared), tuple(_gaps(loaded, comparisons)))


def _judged(loaded: Sequence[Loaded], comparisons: Sequence[Comparison]) -> tuple[str, str]:
    parted = [comparison for comparison in comparisons if comparison.difference is not None]
    strangers = [comparison for comparison in comparisons if not comparison.in_common]
    if any(trouble(record) for record in loaded):
        return FAILED, _failed(loaded, bool(parted), bool(strangers))
    if parted:
        return DIFFERENT, _parted(parted)
    if strangers:
        return ONE_RUN, _nothing_in_common(strangers, len(comparisons))
    if any(record.failed for record in loaded):
        return (
            UNPROVEN,
            "Nothing that was seen differs, but an instrument failed: not all was seen.",
        )
    return IDENTICAL, f"The {len(loaded)} records are equal, bit for bit, in all that they share."


def _failed(loaded: Sequence[Loaded], parted: bool, strangers: bool) -> str:
    badly = [(record.name, how) for record in loaded if (how := trouble(record))]
    rest = " The records differ all the same." if parted else " Nothing else differs."
    # Of what was not compared nothing is said.
    rest = "" if strangers and not parted else rest
    return "; ".join(f"{name} ended with {how}" for name, how in badly) + "." + rest


def _parted(parted: Sequence[Comparison]) -> str:
    names = " and ".join(comparison.candidate.name for comparison in parted)
    verb = "differs" if len(parted) == 1 else "differ"
    steps = [step for comparison in parted if (step := first_step(comparison)) is not None]
    when = f"first at step {min(steps):,}" if steps else "at the end"
    return f"{names} {verb} from {parted[0].base.name}, {when}."


def _nothing_in_common(strangers: Sequence[Comparison], number: int) -> str:
    if len(strangers) == number:
        return "The records have nothing in common that could be compared."
    names = " and ".join(comparison.candidate.name for comparison in strangers)
    verb = "has" if len(strangers) == 1 else "have"
    base = strangers[0].base.name
    return f"{names} {verb} nothing in common with {base} that could be compared."


def _compared(
    loaded: Sequence[Loaded], rows: Sequence[Row], series: Sequence[Series]
) -> Iterator[tuple[str, str]]:
    """What all of the records have: name and count."""
    common = [one_series for one_series in series if all(one_series.steps)]
    steps = [step for one_series in common for step in one_series.steps[0].values()]
    if steps:
        ranks = {one_series.row.rank for one_series in common if one_series.row.rank >= 0}
        kinds = (kind for step in steps for kind in (step.gradients, step.parameters))
        tensors = {name for kind in kinds if kind is not None for name in kind.names}
        generators = sorted({name for step in steps for name in step.generators})
        yield "steps", f"{len(steps):,}"
        if ranks:
            yield "ranks", f"{len(ranks):,}"
        yield "tensors in each", f"{len(tensors):,}"
        if generators:
            yield "generators", ", ".join(generators)
    left = set.intersection(*map(set, finals(rows, range(len(loaded)))))
    if left:
        names = sorted({name.partition(", ")[0] for name in left})
        processes = sum(row.ends[0] is not None for row in rows)
        yield "at the end", f"{', '.join(names)}, of {counted(processes, 'process', 'es')}"


def _gaps(loaded: Sequence[Loaded], comparisons: Sequence[Comparison]) -> Iterator[str]:
    """What could not be compared, a line each."""
    series = comparisons[0].series
    without = [
        record.name
        for number, record in enumerate(loaded)
        if not any(s.steps[number] for s in series)
    ]
    if without:
        yield f"training steps: none were seen in {' and '.join(without)}"
    for comparison in comparisons:
        base_generators, other_generators = (
            _generators(series, number) for number in (0, comparison.number)
        )
        for name in sorted(base_generators ^ other_generators):
            has = comparison.base if name in base_generators else comparison.candidate
            yield f"generator {name}: only {has.name} has it"
    for record in loaded:
        for line in record.content["incomplete"]:
            yield f"{record.name}: {line}"


def _generators(series: Sequence[Series], record: int) -> set[str]:
    steps = (step for one_series in series for step in one_series.steps[record].values())
    return {name for step in steps for name in step.generators}


def of_one(loaded: Loaded) -> Verdict:
    """The verdict on a record that was compared with none, and that no verification made."""
    cause = trouble(loaded)
    if cause:
        return Verdict(FAILED, f"The command ended with {cause}.")
    return Verdict(
        ONE_RUN,
        "This is the record of one run, and was compared with none. "
        "seed-init verify runs a command twice; seed-init report takes several records.",
        (),
        tuple(loaded.content["incomplete"]),
    )


def trouble(loaded: Loaded) -> str | None:
    """How a run ended that did not end well; None for one that did, or where it is not known."""
    ended = loaded.content["exit"]
    status, raised = ended["status"], ended["raised"]
    if status:
        return f"status {status}" + (f", {raised}" if raised else "")
    # With SEED_INIT_RECORD a process cannot see its own status.
    return str(raised or ended["how"]) if ended["how"] in ("exception", "signal") else None
