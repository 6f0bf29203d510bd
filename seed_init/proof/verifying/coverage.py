# SPDX-License-Identifier: Apache-2.0
"""This module counts what a verification looked at, and names what it could not see."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seed_init.proof.comparing import output_lines, written_files
from seed_init.proof.comparing.align import moved
from seed_init.proof.comparing.values import counted
from seed_init.proof.running import conditions
from seed_init.proof.trace import journal, units
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import end_of, steps_of, training_of
from seed_init.proof.verifying.runs import Outcome, Runs
from seed_init.proof.verifying.verdict import Failure

EVIDENCE = ("steps", "tensors", "generators", "stdout_lines", "files")
"""What of `compared` can say that two runs are the same: their exit status alone cannot."""


def compared(runs: Runs) -> dict[str, Any]:
    """What was compared, as counts and names: what the first run has."""
    base = runs.outcomes[0]
    parts = units.parted(base.processes)
    steps = [steps_of(process) for process in parts]
    ends = [end for process in parts if (end := end_of(process)) is not None]
    ranks = {process.rank for process, own in zip(parts, steps) if own}
    return {
        "runs": len(runs.outcomes),
        "steps": max(map(len, steps), default=0),
        "ranks": len(ranks - {None}),
        "processes": len(base.processes),
        "units": units.count(base.processes),
        "moved": max(moved(base.processes, outcome.processes) for outcome in runs.outcomes),
        "tensors": sum(_tensors(process) for process in parts),
        "optimizers": len({step.optimizer for own in steps for step in own}),
        "stdout_lines": _lines(runs, output_lines.of_engines(base.processes)),
        "files": sorted(base.files),
        "generators": sorted({name for end in ends for name in end.generators}),
    }


def _lines(runs: Runs, more: Sequence[str]) -> int:
    """Return how many lines of output the first run has, but for those that are left out.

    Args:
        runs: of the verification.
        more: patterns of lines that are left out beside those of the request.
    """
    stdout = runs.outcomes[0].run.stdout_file
    return output_lines.compare(stdout, stdout, (*runs.request.ignore_output, *more)).lines


def _tensors(process: Process) -> int:
    """How many parameters and gradients of a process were compared, in steps or at the end.

    Their names alone are no evidence: they are written before the numbers, which may still be on
    a device when the process is killed.
    """
    seen = {moment.optimizer for moment in training_of(process)}
    names = {
        (event["optimizer"], name)
        for event in process.of("tensors")
        if event["optimizer"] in seen
        for name in event["names"]
    }
    end = end_of(process)
    # No step is seen where a graph of CUDA's replays them all.
    unseen = [
        digest
        for optimizer, digests in (end.finals if end is not None else {}).items()
        if optimizer not in seen
        for digest in digests
        if digest
    ]
    return len(names) + len(unseen)


def not_compared(runs: Runs) -> list[str]:
    """What could not be compared, one line each."""
    request, base, lines = runs.request, runs.outcomes[0], []
    if not base.processes:
        lines.append(f"training steps and generators: {why_nothing(base, runs.environment)}")
    elif not any(process.of("tensors", "step") for process in base.processes):
        lines.append("training steps: no optimizer of torch.optim made a step")
    whole = [outcome for outcome in runs.outcomes if not outcome.run.condition.is_emulated]
    parts = [part for outcome in whole for part in units.parted(outcome.processes)]
    if any(map(_is_cut, parts)):
        lines.append(
            "how a process that trained has ended (os._exit, exec, a signal, or a trace that could "
            "not be written): its final weights and generators, and perhaps its last steps"
        )
    lines += list(
        dict.fromkeys(line for outcome in runs.outcomes for line in units.unseen(outcome.processes))
    )
    if left_out := _lines(runs, ()) - _lines(runs, output_lines.of_engines(base.processes)):
        lines.append(
            f"{counted(left_out, 'line')} of output that workers of Ray have printed, which Ray "
            "marks with the numbers of processes; let the program print what must be the same"
        )
    missing = written_files.unmatched(request.files, request.cwd or Path.cwd())
    lines += [f"files: none matches {pattern}" for pattern in missing]
    for outcome in runs.outcomes:
        for line in (*conditions.limits(outcome.run.condition), *outcome.run.notes):
            # Each once, of whichever run.
            if line not in lines:
                lines.append(line)
    if not request.perturb:
        lines.append("what must not matter: nothing was changed between the runs (--no-perturb)")
    return lines


def why_nothing(base: Outcome, environment: Mapping[str, str]) -> str:
    """Return why there is nothing that a process of a run wrote.

    Args:
        base: the run.
        environment: the environment of the run.
    """
    if environment.get("SEED_INIT", "").strip() == "0":
        return "SEED_INIT=0 switches the hook off"
    cut = base.run.cut_short()
    if cut is not None:
        return f"no Python of this command had written any: {cut}"
    if failures_of([base]):
        return "what was written of them is lost"
    return (
        "no Python of this command ran the hook; run 'seed-init install' with it (one that ends "
        "by os._exit or exec before its first step writes nothing either)"
    )


def _is_cut(process: Process) -> bool:
    """True where a process trained and did not come to write its end.

    Steps on a device are written in batches, so a killed process may have left none of them, but
    the names of its parameters.
    """
    return bool(process.of("tensors", "step")) and not process.of("end")


def failures_of(outcomes: Sequence[Outcome]) -> list[Failure]:
    """What failed of what should have looked, each once, with where it did."""
    failures: dict[str, Failure] = {}

    def failed(what: str, outcome: Outcome, rank: int | None) -> None:
        failure = failures.setdefault(what, Failure(what))
        if outcome.name not in failure.runs:
            failure.runs.append(outcome.name)
        if rank is not None and rank not in failure.ranks:
            failure.ranks.append(rank)

    for outcome in outcomes:
        for what in (*outcome.run.failures, *journal.lost(outcome.run.trace)):
            failed(what, outcome, None)
        for process in outcome.processes:
            for event in process.of("failed"):
                failed(event["what"], outcome, process.rank)
    return list(failures.values())
