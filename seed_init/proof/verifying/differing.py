# SPDX-License-Identifier: Apache-2.0
"""Two runs of a verification are compared: their steps, exit status, output and files."""

from pathlib import Path

from seed_init.proof.comparing import output_lines, steps, written_files
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.trace.journal import Process
from seed_init.proof.verifying.coverage import failures_of
from seed_init.proof.verifying.runs import Outcome, Runs


def first_difference(runs: Runs, first: Outcome, second: Outcome) -> Difference | None:
    """What was first observed to differ between two runs; None where they are the same.

    Args:
        runs: of the verification.
        first: one of them.
        second: another one.
    """
    difference = (
        _in_traces(first, second)
        or _in_output(runs, first, second)
        or _in_files(runs.kept_files, first, second)
    )
    if difference is not None:
        difference.runs = [first.name, second.name]
    return difference


def only_workers_moved(runs: Runs, first: Outcome, second: Outcome) -> int:
    """Return how many workers of a pool drew otherwise, if nothing else differs; 0 if it does.

    Args:
        runs: of the verification.
        first: one of two runs that are not the same.
        second: the other one.
    """
    is_all = (
        first.run.status == second.run.status
        and _in_output(runs, first, second) is None
        and _in_files(runs.kept_files, first, second) is None
    )
    return len(steps.moved_workers(first.processes, second.processes)) if is_all else 0


def _in_traces(first: Outcome, second: Outcome) -> Difference | None:
    both = first.run.condition.observed and second.run.condition.observed
    failed = bool(failures_of([first, second]))
    difference = steps.first_difference(first.processes, second.processes, both, failed)
    statuses = [first.run.status, second.run.status]
    if (difference is None or difference.step is None) and statuses[0] != statuses[1]:
        text = f"the exit status is {statuses[0]} and {statuses[1]}"
        return Difference("status", text, values=statuses)
    return difference


def _in_output(runs: Runs, first: Outcome, second: Outcome) -> Difference | None:
    compared = output_lines.compare(
        first.run.stdout_file,
        second.run.stdout_file,
        (*runs.request.ignore_output, *output_lines.of_engines(first.processes)),
        unordered=are_several(first.processes),
    )
    if compared.first is None:
        return None
    values = [line and without_secrets(line.text) for line in compared.first]
    line = without_secrets(compared.as_line((first.name, second.name)))
    return Difference("output", line, values=values)


def are_several(processes: list[Process]) -> bool:
    """Return whether several processes may write the output: ranks, or workers of an engine."""
    ranks = {process.rank for process in processes} - {None}
    return len(ranks) > 1 or sum(bool(process.of("unit")) for process in processes) > 1


def _in_files(kept: Path, first: Outcome, second: Outcome) -> Difference | None:
    difference = written_files.first_difference(first.files, second.files, kept)
    if difference is None:
        return None
    return Difference(
        "file",
        difference.as_line((first.name, second.name)),
        tensor=difference.entry or None,
        values=list(difference.values),
    )
