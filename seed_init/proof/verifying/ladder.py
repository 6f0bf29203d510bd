# SPDX-License-Identifier: Apache-2.0
"""Where a compiled program differs from run to run: which part of torch.compile it is.

`torch.compile` is a ladder. Dynamo takes the operators of the program as a graph. AOTAutograd
traces that graph once more, with its backward pass. Inductor makes code of the outcome. The backend
`eager` stops after the first step, `aot_eager` after the second. So the program is run again with
each, and the first rung at which runs differ has the difference in it: the operators themselves and
what surrounds them, AOTAutograd, or inductor
(docs.pytorch.org/docs/stable/torch.compiler_troubleshooting.html).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.values import counted
from seed_init.proof.verifying.attribution import Attributed
from seed_init.proof.verifying.differing import first_difference
from seed_init.proof.verifying.runs import Outcome, Runs

EAGER, AOT_EAGER, INDUCTOR = "eager", "aot_eager", "inductor"

PAIRS = 2
"""Pairs of runs of each rung: a difference that comes from timing may not show in the first."""


@dataclass
class Rung:
    """The first rung that differs.

    Attributes:
        name: of its backend; None where it could not be found.
        trail: what was seen on each rung, one line each.
    """

    name: str | None = None
    trail: list[str] = field(default_factory=list)


def first_rung(runs: Runs, attributed: Attributed) -> Rung:
    """Run a compiled program again, with one backend after another, until runs differ.

    Args:
        runs: of the verification.
        attributed: two runs that differ; torch.compile has compiled something in both.

    Raises:
        OSError, journal.Unreadable, commands.CannotStart: a run could not be made.
    """
    found = Rung()
    for name in (EAGER, AOT_EAGER):
        told, differs = _on(runs, attributed, name)
        found.trail.append(f"torch.compile with {name}: {told}")
        if differs is None:
            return found
        if differs:
            found.name = name
            return found
    # The program itself has this backend, and its runs differ.
    found.name = INDUCTOR
    return found


def _on(runs: Runs, attributed: Attributed, name: str) -> tuple[str, bool | None]:
    """Make the runs of one rung.

    Returns:
        What was seen, in a few words, and whether the runs differ; None where they say nothing.
    """
    looks: list[Outcome] = []
    for _ in range(PAIRS):
        looks += [_run(runs, each, name) for each in (attributed.first, attributed.second)]
        refusal = _refusal(looks, attributed, name)
        if refusal is not None:
            return refusal, None
        difference = _difference(runs, looks)
        if difference is not None:
            return difference.first_observed, True
    return f"{counted(len(looks), 'run')}, all equal", False


def _run(runs: Runs, outcome: Outcome, backend: str) -> Outcome:
    """Make a run again, with another backend in the place of inductor."""
    plan = {**runs.plan, "instruments": ["backends", *runs.plan["instruments"]]}
    condition = replace(outcome.run.condition, observed=True)
    return runs.run(
        condition, {**plan, "backend": backend}, f"torch.compile with {backend}", closer=True
    )


def _refusal(looks: Sequence[Outcome], attributed: Attributed, rung: str) -> str | None:
    """Return why a rung says nothing; None where it does."""
    backends = _backends(looks)
    if (INDUCTOR, rung) not in backends:
        named = ", ".join(sorted({asked for asked, _ in backends}))
        if named:
            return f"the program gives torch.compile the backend {named} itself, which stays"
        return "which backend torch.compile asks was not seen"
    expected = {attributed.first.run.status, attributed.second.run.status}
    failed = next((look for look in looks if look.run.status not in expected), None)
    if failed is not None:
        return f"the program fails with this backend (exit status {failed.run.status})"
    return None


def _backends(looks: Iterable[Outcome]) -> set[tuple[str, str]]:
    """Return which backends were asked to compile, and which ones did."""
    return {
        (event["asked"], event["used"])
        for look in looks
        for process in look.processes
        for event in process.of("backend")
    }


def _difference(runs: Runs, looks: list[Outcome]) -> Difference | None:
    pairs = combinations(looks, 2)
    return next(
        (found for pair in pairs if (found := first_difference(runs, *pair)) is not None), None
    )
