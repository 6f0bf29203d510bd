# SPDX-License-Identifier: Apache-2.0
"""What `verify`, `compare` and `report` say of two runs, in one form."""

import re
from pathlib import Path
from typing import NamedTuple

from seed_init.proof.comparing import comparison
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.reporting import model
from seed_init.proof.reporting.view.report import report
from seed_init.proof.running import conditions, workspace
from seed_init.proof.running.runner import Run
from seed_init.proof.trace import journal
from seed_init.proof.verifying import differing
from seed_init.proof.verifying.runs import Outcome, Request, Runs


class Answer(NamedTuple):
    """What is said of two runs that are not the same.

    Attributes:
        line: the whole line.
        step: the number of the step; None for the end.
        first: the tensor or generator that is named first.
        others: how many others differ, too.
    """

    line: str
    step: int | None
    first: str | None
    others: int


def of_difference(found: Difference | None) -> Answer | None:
    if found is None:
        return None
    others = re.search(r" and (\d+) of \d+ others", found.text)
    # Of generators the first one alone is in the sentence.
    first = found.tensor if found.step is not None else None
    return Answer(found.first_observed, found.step, first, int(others[1]) if others else 0)


def by_verify(a: Path, b: Path, folder: Path) -> Answer | None:
    """What `verify` finds between two runs that left these traces and no output."""
    runs = Runs(Request(("true",)), None, folder, workspace.RunDirectory())
    outcomes = []
    for number, trace in enumerate((a, b), 1):
        directory = folder / f"run-{number}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "stdout").touch()
        run = Run(conditions.base(), ("true",), 0, 1.0, directory, "random")
        outcomes.append(Outcome(f"run {number}", run, journal.read(trace), {}, 0.0, False))
    return of_difference(differing.first_difference(runs, *outcomes))


def by_compare(a: Path, b: Path) -> Answer | None:
    return of_difference(comparison.compare(a, b).difference)


def by_report(a: Path, b: Path) -> Answer | None:
    """What the page shows; its strips and its verdict must agree with the first difference."""
    made = report([a, b])
    if not made.differences:
        assert made.verdict.word in (model.IDENTICAL, model.ONE_RUN, model.UNPROVEN)
        assert all(strip.first is None for strip in made.strips)
        return None
    [found] = made.differences
    assert made.verdict.word == model.DIFFERENT
    where = dict(found.where)
    step = int(where["step"].replace(",", "")) if "step" in where else None
    if step is None:
        return Answer(found.first_observed, None, None, 0)
    at = {strip.steps[strip.first].number for strip in made.strips if strip.first is not None}
    assert min(at) == step
    assert f"first at step {step:,}." in made.verdict.sentence
    what = where.get("what", "").removesuffix(" before the first step")
    named = re.match(r"(?:gradient of|parameter) ([^,]+?)(, .*?)?(?: and (\d+) more)?$", what)
    if named is None:
        return Answer(found.first_observed, step, None, 0)
    others = (named[2] or "").count(", ") + int(named[3] or 0)
    return Answer(found.first_observed, step, named[1], others)
