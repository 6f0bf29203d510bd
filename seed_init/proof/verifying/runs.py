# SPDX-License-Identifier: Apache-2.0
"""This module makes the runs of a verification, and keeps what each of them left."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed_init.proof.comparing import written_files
from seed_init.proof.running import (
    commands,
    conditions,
    emulator,
    requests,
    runner,
    workspace,
)
from seed_init.proof.running.conditions import Condition
from seed_init.proof.trace import journal, record_parts, records
from seed_init.proof.trace.journal import Process
from seed_init.proof.verifying.verdict import VerifiedRun

Progress = Callable[[str], None]
"""Told what is being done, a few times a second."""


@dataclass(frozen=True)
class Request(requests.Request):
    """What is to be proven.

    Attributes:
        runs: how many observed runs are compared, at least 2.
        perturb: change what must not matter in the runs after the first.
        ignore_output: regular expressions of lines of standard output that are not compared.
        files: patterns of files that the command writes and that are compared.
        locate: rerun the step at which the runs part.
        records: a directory that gets the record of each run, with the verdict in it; it is made.
        portable: imitate other machines in more runs.
        emulate: models of CPUs that qemu emulates in more runs; with one, `portable` holds too.
        emulate_steps: how many training steps are emulated; None for as many as the time allows.
        emulate_seconds: seconds after which an emulated run is ended.
        resume_after: stop a run after that many optimizer steps, and compare the run that goes on
            with a whole one (`verifying.resuming`); None where runs are compared with each other.
        kill: how it is stopped: "TERM" or "KILL".
        resume_command: the words of the command that goes on; those of `command` if empty.
        facts: observe the environment of the runs as well, as for records.
    """

    runs: int = 2
    perturb: bool = True
    ignore_output: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    locate: bool = True
    records: Path | None = None
    portable: bool = False
    emulate: tuple[str, ...] = ()
    emulate_steps: int | None = None
    emulate_seconds: float = 600.0
    resume_after: int | None = None
    kill: str = "TERM"
    resume_command: tuple[str, ...] = ()
    facts: bool = False

    @property
    def imitates(self) -> bool:
        """True where runs as on other machines are asked for."""
        return self.portable or bool(self.emulate)


@dataclass
class Outcome:
    """One run, and what it left behind.

    Attributes:
        name: "run 1", "run 2", ...
        run: how it was run, and how it ended.
        processes: its trace.
        files: the digests of the files that are compared.
        ended: when, in seconds since the epoch.
        closer: whether it was a closer look at one step.
    """

    name: str
    run: runner.Run
    processes: list[Process]
    files: written_files.Digests
    ended: float
    closer: bool

    def summary(self) -> VerifiedRun:
        """What the result of the verification has of it."""
        condition = self.run.condition
        return VerifiedRun(
            self.name,
            condition.name,
            condition.changed,
            condition.observed,
            self.run.status,
            self.run.seconds,
            condition.machine.name if condition.machine is not None else None,
        )


class Runs:
    """Makes the runs of one verification.

    Attributes:
        request: what is to be proven.
        environment: of the runs.
        directory: for their traces and outputs, when a run is over.
        run_directory: for the temporary directory and the trace of a run under way: all at one
            path.
        outcomes: every run so far, in order.
        emulator: what emulates other CPUs; None where that is not asked for.
        python: the interpreter that it runs; "" likewise.
    """

    def __init__(
        self,
        request: Request,
        progress: Progress | None,
        directory: Path,
        run_directory: workspace.RunDirectory,
    ) -> None:
        self.request = request
        self.directory = directory
        self.run_directory = run_directory
        self.environment = record_parts.environment_of_runs("verify", request.environment)
        self.outcomes: list[Outcome] = []
        self.emulator: emulator.Emulator | None = None
        self.python = ""
        self._progress = progress
        self._cwd = request.cwd or Path.cwd()
        self._snapshots: list[tuple[written_files.Snapshot, written_files.Snapshot]] = []
        self._planned = request.runs + 1

    @property
    def kept_files(self) -> Path:
        """The directory with copies of text files that the runs have written."""
        return self.directory / "files"

    def plan_for(self, more: int) -> None:
        """Count more runs as planned, for the line of progress.

        Args:
            more: how many.
        """
        self._planned = max(self._planned, len(self.outcomes)) + more

    def tell(self, text: str) -> None:
        """Show what is being done."""
        if self._progress is not None:
            self._progress(text)

    def find_emulator(self) -> None:
        """Find the emulator and the Python that it will run.

        Raises:
            emulator.CannotEmulate: there is none, it does not know a CPU, or the command is no
                Python.
            commands.CannotStart: there is no such command.
        """
        self.emulator = emulator.find(self.request.emulate, self.environment)
        command = commands.resolve(
            self.request.command, self.environment, self._cwd, self.directory
        )
        self.python = emulator.python_of(command, self.environment, self._cwd)[0]

    @property
    def plan(self) -> dict[str, Any]:
        """What is observed in a run that is no closer look."""
        whole = self.request.records or self.request.facts
        return records.PLAN if whole else journal.DEFAULT_PLAN

    def run(
        self,
        condition: Condition,
        plan: dict[str, Any] | None = None,
        why: str = "",
        closer: bool = False,
        timeout: float | None = None,
        steps: int | None = None,
    ) -> Outcome:
        """Run the command once more.

        Args:
            condition: how.
            plan: what is observed; what the other runs observe if None.
            why: what it is for, for the user; what the condition changes if empty.
            closer: whether it is a closer look at one step.
            timeout: seconds after which the run is ended; those of the request if None.
            steps: how many training steps are expected, for the line of progress.

        Raises:
            commands.CannotStart: there is no such command.
            journal.Unreadable: its trace is damaged.
            OSError: there is no place for its trace.
        """
        number = len(self.outcomes) + 1
        before = written_files.snapshot(self._cwd)
        run = runner.run(
            self.request.command,
            condition,
            self.directory / f"run-{number}",
            plan=plan or self.plan,
            stdin=self.request.stdin,
            environment=self.environment,
            cwd=self._cwd,
            timeout=self.request.timeout if timeout is None else timeout,
            progress=self._teller(number, condition, why, steps),
            run_directory=self.run_directory,
        )
        ended = time.time()
        self._snapshots.append((before, written_files.snapshot(self._cwd)))
        files = written_files.digest_files(
            self.request.files,
            self._cwd,
            python=commands.interpreter_of(self.request.command, self.environment, self._cwd),
            keep=self.kept_files,
        )
        outcome = Outcome(f"run {number}", run, run.processes(), files, ended, closer)
        self.outcomes.append(outcome)
        return outcome

    def _teller(
        self, number: int, condition: Condition, why: str, steps: int | None
    ) -> "Callable[[float, Path], None] | None":
        if self._progress is None:
            return None
        progress = self._progress
        self._planned = max(self._planned, number)
        task = (
            why or f"{conditions.words(condition)} changed"
            if condition.changed
            else why or condition.name
        )
        doing = f"run {number} of {self._planned} ({task})"

        def tell(seconds: float, trace: Path) -> None:
            step = journal.latest_step(trace)
            at = f", step {step}" if step is not None else ""
            if step is not None and steps is not None:
                at = f", step {step + 1} of {steps}"
            progress(f"{doing}{at}, {seconds:.0f} s")

        return tell

    def inherited(self, outcome: Outcome) -> list[str]:
        """Files that a run may have read, and that the runs before it have written: a line."""
        number = self.outcomes.index(outcome)
        before, after = zip(*self._snapshots[: number + 1])
        writers = written_files.inherited(before, after)
        if not writers:
            return []
        name, writer = next(iter(writers.items()))
        more = f" and {len(writers) - 1} other file(s)" if len(writers) > 1 else ""
        return [
            f"{outcome.name} found {name}{more}, written by run {writer + 1}: if it was read (a "
            "checkpoint to resume from), remove it before each run"
        ]
