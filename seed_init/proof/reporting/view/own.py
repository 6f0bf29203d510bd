# SPDX-License-Identifier: Apache-2.0
"""A record may hold a verification's result: this module shows it."""

from collections.abc import Iterator, Sequence
from typing import Any

from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.values import counted, shown
from seed_init.proof.reporting.model import DifferenceView, Strip, StripStep, Verdict
from seed_init.proof.reporting.view.rows import Series
from seed_init.proof.verifying.verdict import (
    DIFFERENT,
    IDENTICAL,
    Failure,
    Verification,
    VerifiedRun,
)

_PLACE = (
    *("level", "step", "rank", "who", "optimizer", "batch", "generator", "tensor", "module"),
    *("operator", "node"),
)
"""What is told of a difference, coarse to fine."""


def verdict(own: Verification) -> Verdict:
    """The verdict of a verification."""
    compared = [
        (name.replace("_", " "), shown(value))
        for name, value in own.compared.items()
        if value or (value == 0 and name != "moved")
    ]
    failures = [_failure(failure) for failure in own.failures]
    return Verdict(
        own.verdict,
        _sentence(own),
        tuple(compared),
        (*failures, *own.not_compared),
        tuple(_arm(run) for run in own.runs),
    )


def _sentence(own: Verification) -> str:
    runs = f"{counted(len(own.runs), 'run')} of the command"
    if own.verdict == IDENTICAL:
        sentence = f"{runs} did the same, bit for bit."
    elif own.difference is not None:
        sentence = f"{runs}: {own.difference.first_observed}."
    else:
        sentence = f"{own.reason or 'The command failed'}."
    broke = f" What broke equality: {own.broke_equality}." if own.broke_equality else ""
    return sentence + broke


def _failure(failure: Failure) -> str:
    where = (*failure.runs, *(f"rank {rank}" for rank in failure.ranks))
    return f"failed: {failure.what}, in {', '.join(where)}"


def _arm(run: VerifiedRun) -> tuple[str, str, str]:
    changed = [*run.changed, *([] if run.observed else ["not observed in its steps"])]
    changed += [] if run.machine is None else [f"as with {run.machine}"]
    took = "" if run.seconds is None else f", {run.seconds:.1f} s"
    return run.name, ", ".join(changed) or "nothing", f"status {run.status}{took}"


def strips(own: Verification | None, series: Sequence[Series]) -> Iterator[Strip]:
    """The steps of a record that is shown alone, and what the verification says of them.

    Args:
        own: None where there was none.
        series: the record's steps.
    """
    for one_series in series:
        steps = [_step(own, call, one_series) for call in one_series.calls(0)]
        first = next((i for i, step in enumerate(steps) if step.state == "differs"), None)
        yield Strip(one_series.label, tuple(steps), first)


def _step(own: Verification | None, call: int, series: Series) -> StripStep:
    if own is not None and own.verdict == IDENTICAL:
        return StripStep(call, "same")
    difference = own.difference if own is not None and own.verdict == DIFFERENT else None
    if difference is not None and difference.step is not None:
        if call < difference.step:
            return StripStep(call, "same")
        if call == difference.step and _is_at(difference, series):
            return StripStep(call, "differs", difference.level)
    return StripStep(call, "unknown")


def _is_at(difference: Difference, series: Series) -> bool:
    mine = difference.rank in (None, series.row.rank)
    return mine and difference.optimizer in (None, series.optimizer)


def differences(own: Verification | None) -> list[DifferenceView]:
    """The first difference that the verification found: at most one."""
    difference = own.difference if own is not None else None
    if difference is None:
        return []
    known: dict[str, Any] = {name: getattr(difference, name) for name in _PLACE}
    values = zip(difference.runs, difference.values or ())
    return [
        DifferenceView(
            difference.first_observed,
            tuple((name, shown(value)) for name, value in known.items() if value is not None),
            tuple(difference.trail),
            _source(difference),
            tuple((run, shown(value)) for run, value in values),
            tuple((remedy["cause"], remedy["remedy"]) for remedy in difference.remedies),
        )
    ]


def _source(difference: Difference) -> tuple[str, str] | None:
    source = difference.source
    if source is None:
        return None
    inside = f", in {source.function}" if source.function else ""
    return f"{source.file}:{source.line}{inside}", source.text.strip()
