# SPDX-License-Identifier: Apache-2.0
"""Run a command several times and prove that the runs are the same, or find where they part.

The first run is the base. One has no training hooks, so that the observer itself is checked. The
others differ from the base in what must not matter (`conditions`). Where a run is not the same,
more runs say whether plain repetition or one of the perturbations broke equality (`attribution`),
and then the step is looked at closely (`locating`). Runs that are the same are compared with runs
as on other machines, if that is asked for (`imitating`).
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from seed_init.proof.comparing import causes, output_lines
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.redaction import redaction
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.running import (
    commands,
    conditions,
    machines,
    requests,
    runner,
    workspace,
)
from seed_init.proof.trace import journal, records
from seed_init.proof.trace.journal import Process
from seed_init.proof.verifying import coverage, ladder
from seed_init.proof.verifying.attribution import Attributed, Parted, attribute
from seed_init.proof.verifying.differing import first_difference, only_workers_moved
from seed_init.proof.verifying.imitating import Imitations, stopped, watched
from seed_init.proof.verifying.ladder import Rung
from seed_init.proof.verifying.locating import is_compiled, locate
from seed_init.proof.verifying.runs import Outcome, Progress, Request, Runs
from seed_init.proof.verifying.verdict import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    UNPROVEN,
    Verification,
)

NOTHING_PROVEN = "nothing that was seen differs, but not everything was seen"
NOTHING_SEEN = (
    "nothing was seen of the command but its exit status; let it print what must be the same, or "
    "name a file that it writes with --file"
)


class _Failed(Exception):
    """The command itself failed. The text says how."""


def verify(
    request: Request,
    progress: Progress | None = None,
    then: Callable[[Runs, Verification], None] | None = None,
) -> Verification:
    """Run the command and compare the runs.

    Args:
        request: what to run and to compare.
        progress: told what is being done.
        then: called with the runs and the result, while what the runs have left is still there.

    Raises:
        commands.CannotStart: there is no such command, or it cannot be emulated.
        output_lines.BadPattern: `ignore_output` has one that is no regular expression.
        signals.Ended: a signal came.
        OSError: there is no place for traces.
    """
    output_lines.patterns(request.ignore_output)
    with workspace.results("verify") as directory, workspace.RunDirectory() as run_directory:
        runs = Runs(request, progress, directory, run_directory)
        if request.emulate:
            # Now: nobody wants to hear of it after the other runs only.
            runs.find_emulator()
        verification = _judged(runs)
        _cover(verification, runs)
        if request.records is not None:
            verification.lost = _write_records(request.records, runs, verification)
        if then is not None:
            then(runs, verification)
        return verification


def _judged(runs: Runs) -> Verification:
    """Make the runs; return the verdict, and the difference if the runs are not the same."""
    verification = Verification(IDENTICAL, runs.request.command, requests.seed_of(runs.environment))
    try:
        base = _prove(runs)
        if runs.request.imitates:
            _imitate(runs, base, verification)
    except Parted as parted:
        verification.verdict, verification.difference = DIFFERENT, parted.difference
        try:
            attributed = attribute(runs, parted)
            verification.broke_equality = attributed.broke
            verification.difference = _explained(runs, attributed)
        except (OSError, journal.Unreadable, commands.CannotStart) as error:
            # That they differ is known, and may have taken hours: a full disk changes nothing.
            verification.difference.trail.append(f"no closer look: {_reason(error)}")
    except _Failed as failed:
        verification.verdict, verification.reason = FAILED, str(failed)
    return verification


def _imitate(runs: Runs, base: Outcome, verification: Verification) -> None:
    """Compare the base with runs as on other machines, and add what came of them."""
    imitations = Imitations(runs, base)
    verification.machines = imitations.seen
    imitations.run(machines.imitated(runs.environment))
    if runs.emulator is not None:
        imitations.emulate(runs.emulator, runs.python)
    verification.not_compared += imitations.left_out
    parted = imitations.parted
    if parted is None and imitations.unproven is not None:
        verification.verdict, verification.reason = UNPROVEN, imitations.unproven
    if parted is not None:
        verification.verdict, verification.broke_equality = DIFFERENT, parted.broke
        verification.difference = parted.difference
        try:
            verification.difference = _explained(runs, parted)
        except (OSError, journal.Unreadable, commands.CannotStart) as error:
            parted.difference.trail.append(f"no closer look: {_reason(error)}")


def _prove(runs: Runs) -> Outcome:
    """Make the planned runs, and return the base.

    Raises:
        Parted: two of them are not the same.
        _Failed: the first one failed.
    """
    base = runs.run(conditions.base())
    if base.run.status:
        raise _Failed(failure_text(base.run))
    _compare(runs, base, runs.run(conditions.without_hooks()))
    for number in range(1, runs.request.runs):
        perturbed = runs.request.perturb
        condition = conditions.perturbed(number) if perturbed else conditions.base()
        _compare(runs, base, runs.run(condition))
    return base


def _compare(runs: Runs, first: Outcome, second: Outcome) -> None:
    difference = first_difference(runs, first, second)
    if difference is not None:
        raise Parted(first, second, difference)


def _explained(runs: Runs, attributed: Attributed) -> Difference:
    """Return the difference of two runs, located as finely as possible, with its remedies."""
    first, second, difference = attributed.first, attributed.second, attributed.difference
    machine = second.run.condition.machine
    is_in_a_step = difference.level not in ("status", "trace") or difference.step is not None
    if difference.is_in_a_unit:
        difference.trail.append(
            "no closer look: the reruns look at a step of a process, and not of a unit of work"
        )
    elif moved := only_workers_moved(runs, first, second):
        difference.level = "worker"
        difference.text = (
            f"the task went to another worker: the generators of {moved} workers of one pool stand "
            "elsewhere at the end, and nothing else differs"
        )
    elif runs.request.locate and not attributed.is_observers and is_in_a_step:
        looked_at = [first, second]

        def rerun(which: int, plan: dict[str, Any]) -> list[Process]:
            if second.run.condition.is_emulated:
                # The rest of the program would be emulated as well.
                window = plan["window"]
                plan = stopped(plan, window["call"] + 1, window["optimizer"])
            return _look(runs, looked_at[which], plan)

        rung = Rung()
        if is_compiled(first.processes) and not second.run.condition.is_emulated:
            rung = ladder.first_rung(runs, attributed)
        who = difference.who
        seen = [first.processes, second.processes]
        difference = locate(difference, seen, rerun, uncompiled=rung.name == ladder.EAGER)
        difference.who = difference.who or who
        difference.rung = rung.name
        difference.trail += rung.trail
    difference.runs = [first.name, second.name]
    difference.trail += runs.inherited(second)
    if machine is not None:
        level = machines.is_portable(runs.environment)
        difference.remedies = causes.remedies_of_machine(machine.kind, level)
        return difference
    difference.remedies = causes.remedies(difference, attributed.broke)
    if requests.seed_of(runs.environment) in (None, "off"):
        difference.remedies.insert(0, causes.NOT_SEEDED)
    return difference


def _look(runs: Runs, outcome: Outcome, plan: dict[str, Any]) -> list[Process]:
    """Make a run again and look closely; return what its processes wrote."""
    condition = replace(outcome.run.condition, observed=True)
    look = runs.run(
        condition,
        watched(plan) if condition.is_emulated else plan,
        "a closer look",
        closer=True,
        timeout=runs.request.emulate_seconds if condition.is_emulated else None,
    )
    if condition.is_emulated or "stop" in plan:
        return look.processes
    statuses = [outcome.run.status, look.run.status]
    if statuses[0] != statuses[1]:
        look.run.notes.append(
            f"a closer look ended with exit status {statuses[1]}, not {statuses[0]}: "
            "what it shows may not be what the run did"
        )
    return look.processes


def failure_text(run: runner.Run) -> str:
    """Return how the command failed in a run, in one line."""
    how = run.cut_short() or f"exit status {run.status}"
    last = [line for line in run.last_errors() if line.strip()][-1:]
    said = without_secrets(last[0]) if last else ""
    return f"the command failed: {how}" + (f"; its last line on stderr: {said}" if said else "")


def _cover(verification: Verification, runs: Runs) -> None:
    """Add what was looked at. If that is not enough, the runs are not called identical."""
    verification.runs = [outcome.summary() for outcome in runs.outcomes]
    verification.failures = coverage.failures_of(runs.outcomes)
    verification.compared = coverage.compared(runs)
    verification.not_compared = [*coverage.not_compared(runs), *verification.not_compared]
    if verification.verdict == IDENTICAL and verification.failures:
        verification.verdict, verification.reason = UNPROVEN, NOTHING_PROVEN
    if verification.verdict == IDENTICAL and not any(
        verification.compared[kind] for kind in coverage.EVIDENCE
    ):
        verification.verdict, verification.reason = UNPROVEN, NOTHING_SEEN


def _write_records(directory: Path, runs: Runs, verification: Verification) -> str | None:
    """Write the record of each run that was observed from its beginning to its end.

    Returns:
        Why not all of them are there; None where they are.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for outcome in runs.outcomes:
            condition = outcome.run.condition
            if condition.observed and not outcome.closer and not condition.is_emulated:
                _write_record(directory, runs.request, outcome, verification)
    except (OSError, ValueError, journal.Unreadable) as error:
        # Hours may have led to the verdict: what becomes of the records changes nothing.
        return f"not all records are in {directory}: {_reason(error)}"
    return None


def _write_record(
    directory: Path, request: Request, outcome: Outcome, verification: Verification
) -> None:
    run = outcome.run
    started = outcome.ended - run.seconds
    records.begin(run.trace, request.command, "verify", whole=True, started=started)
    record = records.assemble(
        run.trace,
        outcome.processes,
        ended=outcome.ended,
        status=run.status,
        how="exit",
        here=True,
        seconds=run.seconds,
    )
    record["verdict"] = redaction.deep(verification.to_json())
    records.write_new(directory / f"{outcome.name.replace(' ', '-')}.json", record)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
