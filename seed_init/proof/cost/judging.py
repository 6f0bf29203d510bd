# SPDX-License-Identifier: Apache-2.0
"""This module judges measurements: it gives the figures of each choice, and advice."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from seed_init.proof.cost.choices import REFERENCE, Choice
from seed_init.proof.cost.measuring import Measured, Measurements, Measurer, Sample
from seed_init.proof.redaction import redaction

FORMAT = 1
"""Of the JSON. Another number: another meaning of what is in it."""

VISIBLE = 0.005
"""A cost below half a percent is called none, however little the noise."""

UNCERTAIN = 0.03
"""Where two measurements or two rounds differ by more, an invisible cost is not called none."""

WORTH_A_LOOK = 0.02
"""Of the cost of `warn`, from which on the operators behind it are looked for."""

MOST_OPERATORS = 3
"""Operators that are named for a cost."""

WORTH_NAMING = 0.2
"""Of the cost: what an operator must at least explain of it to be named."""


@dataclass(frozen=True)
class Row:
    """The figures of one choice.

    Attributes:
        choice: that.
        step: seconds, the median over runs of their median steps; None where nothing was timed.
        spread: the smallest and the largest of those medians.
        ratio: to `off` in the same round, the median over rounds; None where that is not known.
        ratios: the smallest and the largest of them.
        memory: bytes at most, of any run: on CUDA where that is used, else of the process.
        identical: whether all runs gave the same bits; None where that is not known.
        different: how many different results, of how many runs.
        problem: why there is less than was asked for, one line; None for nothing.
        raised: the operator for which PyTorch raised; None for none.
    """

    choice: Choice
    step: float | None
    spread: tuple[float, float] | None
    ratio: float | None
    ratios: tuple[float, float] | None
    memory: int | None
    identical: bool | None
    different: tuple[int, int]
    problem: str | None
    raised: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.choice.name,
            "variables": self.choice.variables,
            "over": self.choice.over,
            "step_seconds": self.step,
            "step_spread": self.spread,
            "ratio": self.ratio,
            "ratio_spread": self.ratios,
            "peak_bytes": self.memory,
            "identical": self.identical,
            "different_results": self.different[0],
            "runs": self.different[1],
            "problem": self.problem,
            "raised": self.raised,
        }


@dataclass(frozen=True)
class Growth:
    """An operator that takes longer under `warn` than under `off`.

    Attributes:
        operator: its name.
        off: seconds a step.
        warn: likewise.
        share: the difference, as a fraction of a step under `off`.
    """

    operator: str
    off: float
    warn: float
    share: float

    def to_json(self) -> dict[str, Any]:
        return {"operator": self.operator, "off_seconds": self.off, "warn_seconds": self.warn}


@dataclass(frozen=True)
class Judgement:
    """What the measurements say, and what is shown of them.

    Attributes:
        measurements: that it is of.
        rows: of every choice that was run, in order.
        noise: by how much two equal measurements differ, as a fraction; None where not known.
        whole_run: no step was seen, and the time of a step is that of the whole run.
        recommendation: one sentence or two.
    """

    measurements: Measurements
    rows: tuple[Row, ...]
    noise: float | None
    whole_run: bool
    recommendation: str

    def row(self, name: str) -> Row | None:
        """Return the row of a choice; None where the choice was not run."""
        return next((row for row in self.rows if row.choice.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Return what `seed-init cost --json` prints."""
        measured = self.measurements
        request = measured.request
        content = {
            "format": FORMAT,
            "command": list(request.command),
            "seed": measured.seed,
            "machine": measured.machine,
            "steps": request.steps,
            "warmup": request.warmup,
            "repeats": request.repeats,
            "timed": "whole run" if self.whole_run else "step",
            "noise": self.noise,
            "rows": [row.to_json() for row in self.rows],
            "left_out": measured.left_out,
            "operators": {
                name: [operator.to_json() for operator in operators]
                for name, operators in measured.operators.items()
            },
            "slower_operators": [growth.to_json() for growth in growths(measured)],
            "notes": measured.notes,
            "recommendation": self.recommendation,
            "samples": {
                name: [_sample_json(sample) for sample in (*of_choice.samples, *of_choice.again)]
                for name, of_choice in measured.measured.items()
            },
        }
        shown: dict[str, Any] = redaction.deep(content, names=False)
        return shown


def _sample_json(sample: Sample) -> dict[str, Any]:
    return {
        "round": sample.round,
        "step_seconds": [round(seconds, 9) for seconds in sample.seconds],
        "steps_made": sample.calls,
        "run_seconds": round(sample.whole, 3),
        "memory": dict(sample.memory),
        "digest": sample.digest,
        "clock": sample.clock,
        "flags": dict(sample.flags),
        "failed": sample.failed,
    }


def measure(measurer: Measurer) -> Judgement:
    """Measure, look for the operators behind the cost of `warn` where it is high, and judge.

    Raises:
        measuring.CannotMeasure: no run under `off` gives anything.
    """
    judgement = judge(measurer.measure())
    if not is_worth_a_look(judgement):
        return judgement
    for name in (REFERENCE, "warn"):
        measurer.profile(name)
    return judge(measurer.result)


def judge(measured: Measurements) -> Judgement:
    """Return the figures of all choices, and the advice.

    Args:
        measured: by `Measurer.measure`, with or without profiles.
    """
    reference = measured.measured[REFERENCE]
    whole_run = not any(sample.calls for sample in reference.samples)
    rows = tuple(
        _row(of_choice, reference, measured, whole_run) for of_choice in measured.measured.values()
    )
    noise = _noise(reference, whole_run)
    return Judgement(measured, rows, noise, whole_run, _advice(rows, noise, measured, whole_run))


def _time(sample: Sample, whole_run: bool) -> float | None:
    """Return the time that a run counts with: its median step."""
    if whole_run:
        return None if sample.failed else sample.whole
    return statistics.median(sample.seconds) if sample.seconds else None


def _row(
    measured: Measured, reference: Measured, measurements: Measurements, whole_run: bool
) -> Row:
    samples = [*measured.samples, *measured.again]
    times = [time for sample in samples if (time := _time(sample, whole_run)) is not None]
    ratios = list(_ratios(measured, reference, whole_run))
    digests = [sample.digest for sample in samples if sample.seconds and sample.digest]
    memory = [used for sample in samples if (used := _memory_of(sample)) is not None]
    return Row(
        choice=measured.choice,
        step=statistics.median(times) if times else None,
        spread=(min(times), max(times)) if times else None,
        ratio=statistics.median(ratios) if ratios else None,
        ratios=(min(ratios), max(ratios)) if ratios else None,
        memory=max(memory, default=None),
        identical=len(set(digests)) == 1 if len(digests) > 1 else None,
        different=(len(set(digests)), len(digests)),
        problem=_problem(samples, measurements, whole_run),
        raised=next((sample.raised for sample in samples if sample.raised), None),
    )


def _ratios(measured: Measured, reference: Measured, whole_run: bool) -> Iterator[float]:
    """Yield the ratio to `off` in each round in which both were timed; for `off` itself, 1."""
    of_round: dict[int, list[float]] = {}
    for sample in (*reference.samples, *reference.again):
        time = _time(sample, whole_run)
        if time:
            of_round.setdefault(sample.round, []).append(time)
    for sample in measured.samples:
        time = _time(sample, whole_run)
        if time is not None and sample.round in of_round:
            is_reference = measured is reference
            yield 1.0 if is_reference else time / statistics.mean(of_round[sample.round])


def _noise(reference: Measured, whole_run: bool) -> float | None:
    """Return by how much the two runs under `off` differ: the median over rounds."""
    second = {sample.round: _time(sample, whole_run) for sample in reference.again}
    differences = []
    for sample in reference.samples:
        first_time, second_time = _time(sample, whole_run), second.get(sample.round)
        if first_time and second_time:
            differences.append(abs(first_time - second_time) / min(first_time, second_time))
    return statistics.median(differences) if differences else None


def _memory_of(sample: Sample) -> int | None:
    allocated = sample.memory.get("allocated")
    return allocated if allocated is not None else sample.memory.get("resident")


def _problem(samples: Sequence[Sample], measured: Measurements, whole_run: bool) -> str | None:
    failed = [sample.failed for sample in samples if sample.failed]
    raised = next((sample.raised for sample in samples if sample.raised), None)
    if raised:
        return f"raises for {raised}, which has no deterministic version"
    if failed:
        how = (
            "fails" if len(failed) == len(samples) else f"fails in {len(failed)} of {len(samples)}"
        )
        return f"{how}: {failed[0]}"
    if whole_run:
        return "no optimizer makes a step: the whole run is timed"
    request = measured.request
    fewest = min((sample.calls for sample in samples), default=0)
    if fewest >= request.warmup + request.steps:
        return None
    if any(not sample.seconds for sample in samples):
        return f"ends after {fewest} steps, too few to be timed after {request.warmup} of warm-up"
    timed = min(len(sample.seconds) for sample in samples)
    return f"ends after {fewest} steps, of which {timed} are timed"


def growths(measured: Measurements) -> list[Growth]:
    """Return the operators that take longer under `warn`, the largest difference first.

    Args:
        measured: with profiles of both; without, none are found.
    """
    off, warn = measured.profiles.get(REFERENCE), measured.profiles.get("warn")
    if off is None or warn is None:
        return []
    on_device = any(figures["device"] for figures in warn.values())
    where = "device" if on_device else "cpu"
    steps = _profiled_steps(off)
    whole = sum(figures[where] for figures in off.values()) or 1.0
    slower = []
    for name, figures in warn.items():
        before, after = off.get(name, {}).get(where, 0.0), figures[where]
        grown = after - before > max(0.005 * whole, 0.1 * before)
        if grown and not name.startswith(("Optimizer.", "ProfilerStep")):
            slower.append(Growth(name, before / steps, after / steps, (after - before) / whole))
    slower.sort(key=lambda growth: growth.off - growth.warn)
    return slower[:MOST_OPERATORS]


def _profiled_steps(operators: dict[str, dict[str, float]]) -> float:
    """Return how many steps a profile has: the calls of the optimizer's own range in it."""
    own = [
        figures["calls"]
        for name, figures in operators.items()
        if name.startswith("Optimizer.step#")
    ]
    return max(own, default=1) or 1


def is_visible(row: "Row | None", noise: float | None) -> bool:
    """Return whether a choice is slower or faster than `off` by more than the noise."""
    if row is None or row.ratio is None or row.ratios is None:
        return False
    low, high = row.ratios
    all_agree = low > 1 or high < 1
    return all_agree and abs(row.ratio - 1) > max(VISIBLE, noise or 0.0)


def is_worth_a_look(judgement: Judgement) -> bool:
    """Return whether `warn` costs so much that its operators should be looked for."""
    row, noise = judgement.row("warn"), judgement.noise
    costs = row is not None and row.ratio is not None and row.ratio > 1 + WORTH_A_LOOK
    return costs and is_visible(row, noise) and not judgement.whole_run


def percent(fraction: float) -> str:
    """Return a fraction as a reader has it: "2 %", "0.7 %"."""
    value = abs(fraction) * 100
    return (
        f"{value:.0f} %" if value >= 9.5 else f"{value:.2g} %" if value >= 1 else f"{value:.1f} %"
    )


def _advice(
    rows: Sequence[Row], noise: float | None, measured: Measurements, whole_run: bool
) -> str:
    by_name = {row.choice.name: row for row in rows}
    off, warn, strict = (by_name.get(name) for name in (REFERENCE, "warn", "strict"))
    assert off is not None
    if off.ratio is None:
        return f"off gives nothing to compare with: it {off.problem}."
    if warn is None or warn.ratio is None:
        why = "was not asked for" if warn is None else warn.problem
        return f"warn gives nothing to compare: it {why}."
    parts = [_of_warn(warn, off, noise, "run" if whole_run else "step")]
    if measured.seed is None:
        parts.append("SEED is not set, so that no run repeats another: set it.")
    elif warn.identical is False:
        parts.append(
            "Something differs under warn as well: seed-init verify says where the runs part."
        )
    cheaper = _cheapest(rows, noise)
    if cheaper is not None:
        parts.append(
            f"{cheaper.choice.name} takes {percent(1 - _ratio(cheaper) / _ratio(warn))} less time "
            "than warn, and its runs are identical as well."
        )
    if strict is not None and strict.raised:
        parts.append(f"strict stops at {strict.raised}, which has no deterministic version.")
    if is_visible(warn, noise) and _ratio(warn) > 1 + WORTH_A_LOOK:
        parts += _culprit(rows, measured)
    return " ".join(parts)


def _ratio(row: Row) -> float:
    assert row.ratio is not None
    return row.ratio


def _of_warn(warn: Row, off: Row, noise: float | None, unit: str) -> str:
    ratio = _ratio(warn)
    same = {True: "your runs are identical", False: "your runs are not identical", None: ""}
    if not is_visible(warn, noise):
        what = _invisible(warn, noise or 0.0)
    elif ratio > 1:
        what = f"warn costs you {percent(ratio - 1)}"
    else:
        what = f"a {unit} under warn takes {percent(1 - ratio)} less time than under off"
    if warn.identical is None:
        return f"{what}; whether runs are identical was not seen: seed-init verify compares them."
    sentence = f"{what}, and {same[warn.identical]}"
    if off.identical is None or not warn.identical:
        return f"{sentence}."
    if not off.identical:
        return f"{sentence}; those of off are not."
    runs = off.different[1]
    return f"{sentence}; so are the {runs} of off here, which is no promise: nothing makes them so."


def _invisible(warn: Row, noise: float) -> str:
    assert warn.ratios is not None
    low, high = warn.ratios
    most = max(VISIBLE, noise, high - 1, 1 - low)
    if most <= UNCERTAIN:
        return f"warn costs nothing that shows (less than {percent(most)})"
    return (
        f"what warn costs cannot be told here (the rounds give {low:.2f} to {high:.2f} of off, and "
        f"two equal measurements differ by {percent(noise)}; on a quiet machine, with more "
        "--repeats or --steps, it can)"
    )


def _cheapest(rows: Sequence[Row], noise: float | None) -> Row | None:
    """Return a choice whose runs are identical and that is visibly faster than `warn`.

    None where those of `off` are as well: then nothing was seen that would have to be bought.
    """
    by_name = {row.choice.name: row for row in rows}
    warn, off = by_name["warn"], by_name[REFERENCE]
    if off.identical or not warn.identical or len(rows) < 3:
        return None
    least = max(VISIBLE, noise or 0.0)
    candidates = [
        row
        for row in rows
        if row.identical and row.ratio is not None and row.ratio < _ratio(warn) - least
    ]
    return min(candidates, key=_ratio, default=None)


def _culprit(rows: Sequence[Row], measured: Measurements) -> list[str]:
    """Say which switch costs most, and which operators."""
    by_name = {row.choice.name: row for row in rows}
    switches = [row for row in rows if row.choice.over == REFERENCE and row.ratio is not None]
    parts = []
    largest = max(switches, key=_ratio, default=None)
    if largest is not None and _ratio(largest) > 1 + WORTH_A_LOOK:
        parts.append(f"Most of it is {largest.choice.name} ({percent(_ratio(largest) - 1)} alone).")
    cost = _ratio(by_name["warn"]) - 1
    slower = [growth for growth in growths(measured) if growth.share >= WORTH_NAMING * cost]
    if slower:
        listed = "; ".join(
            f"{growth.operator} from {growth.off * 1e3:.2f} to {growth.warn * 1e3:.2f} ms"
            for growth in slower
        )
        parts.append(f"Slower in each step: {listed}.")
    return parts
