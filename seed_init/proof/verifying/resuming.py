# SPDX-License-Identifier: Apache-2.0
"""Prove that a run which was stopped and resumed gives what the whole run gives.

    whole     the command, from its start to its end
    stopped   the command again, and after some optimizer steps a signal
    resumed   the command once more (or the one that resumes), where the stopped run has worked

The whole run works in a place of its own, and the other two share one (`places`). Where the resumed
run draws from streams of its own, because its job counts restarts (SEED_INIT_RESTART), it is to
give other numbers than the whole run. Then the stopped and the resumed run are made once more, and
are to give the same bits again.
"""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from seed_init.proof.comparing import causes, resuming, steps, written_files
from seed_init.proof.comparing.causes import remedies_of_resuming
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.values import counted
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.running import commands, conditions, places, requests, runner, workspace
from seed_init.proof.running.places import Place
from seed_init.proof.trace import journal, record_parts
from seed_init.proof.trace.steps import Start, training_of
from seed_init.proof.verifying import coverage
from seed_init.proof.verifying.imitating import first_step, most_steps
from seed_init.proof.verifying.runs import Outcome, Progress, Request
from seed_init.proof.verifying.verdict import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    UNPROVEN,
    Resumption,
    Verification,
)

PLAN: dict[str, Any] = {"instruments": ["steps", "resuming", "end", "files"]}
"""What is observed in every run."""

STOPPED = "stopped"
"""The file of the trace that says that the signal was sent (instruments.stopping)."""

GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL, as Slurm (KillWait) and Kubernetes
(terminationGracePeriodSeconds) have it by default."""

NO_CHECKPOINT = (
    "the resumed run began from the beginning, so that nothing was resumed: there was no "
    "checkpoint yet, or it was not looked for"
)
SHARED = (
    "the run that was to be stopped found a checkpoint of the whole run: both write to one place "
    f"outside of this directory; {places.HOW}"
)
UNREADABLE = (
    "UnpicklingError",
    "PytorchStreamReader",
    "EOFError",
    "BadZipFile",
    "JSONDecodeError",
    "SafetensorError",
    "central directory",
    "Ran out of input",
    "unexpected EOF",
    "torch/serialization.py",
    "pickle.py",
)
"""Words of an error, or files in its traceback, by which a file is known not to be whole.

`torch.load` of a file that was cut says "Invalid argument", or whatever the bytes lead to."""


UNREPEATED = {
    "cause": "two runs of the command are not the same, resumed or not",
    "remedy": "seed-init verify -- CMD says where they part, and what it may be",
}


class _Failed(Exception):
    """Nothing could be compared. The text says why, and what to do."""


def verify(request: Request, progress: Progress | None = None) -> Verification:
    """Make the runs and compare them.

    Args:
        request: what to run; its `resume_after` is a number.
        progress: told what is being done.

    Raises:
        commands.CannotStart: there is no such command, or no place where it could run.
        signals.Ended: a signal came.
        OSError: there is no place for traces.
    """
    with (
        workspace.results("verify") as directory,
        workspace.RunDirectory() as run_directory,
        workspace.RunDirectory() as place_directory,
    ):
        attempts = Attempts(request, progress, directory, run_directory, place_directory)
        verification = Verification(
            IDENTICAL, request.command, requests.seed_of(attempts.environment)
        )
        try:
            _judge(attempts, verification)
        except _Failed as failed:
            verification.verdict, verification.reason = FAILED, str(failed)
        _cover(verification, attempts)
        return verification


class Attempts:
    """Makes the runs of one verification.

    Attributes:
        request: what is to be proven.
        environment: of the runs.
        directory: for their traces and outputs, when a run is over.
        outcomes: every run so far, in order.
        notes: one line each about what a reader should know.
        unmatched: the patterns that name no file of the last run.
        is_copied: whether the runs work in copies of the working directory.
    """

    def __init__(
        self,
        request: Request,
        progress: Progress | None,
        directory: Path,
        run_directory: workspace.RunDirectory,
        place_directory: workspace.RunDirectory,
    ) -> None:
        self.request = request
        self.directory = directory
        self.environment = record_parts.environment_of_runs("verify", request.environment)
        self.outcomes: list[Outcome] = []
        self.notes: list[str] = []
        self.unmatched: list[str] = []
        self.is_copied = not places.is_named(request.command, request.resume_command)
        self._progress = progress
        self._cwd = (request.cwd or Path.cwd()).absolute()
        self._run_directory = run_directory
        self._place_directory = place_directory
        self._planned = 3

    def plan_for(self, more: int) -> None:
        """Count more runs as planned, for the line of progress."""
        self._planned += more

    @contextlib.contextmanager
    def place(self) -> Iterator[Place]:
        """Make the place of a run, which is at the same path for every run, and clear it away.

        Raises:
            commands.CannotStart: the working directory cannot be copied.
        """
        with self._place_directory.emptied() as own:
            place = places.made(own, self._cwd, self.is_copied)
            self.notes += [note for note in place.notes if note not in self.notes]
            yield place

    def whole(self) -> Outcome:
        """Make the run that is never stopped."""
        with self.place() as place:
            return self._run(place, self.request.command, "the whole run", PLAN)

    def stopped_and_resumed(self) -> tuple[Outcome, Outcome | None]:
        """Make the run that is stopped, and the one that goes on; None where the first failed."""
        number = int(signal.Signals[f"SIG{self.request.kill}"])
        stop = {"calls": self.request.resume_after, "optimizer": None, "signal": number}
        plan = {**PLAN, "instruments": [*PLAN["instruments"], "stopping"], "stop": stop}
        with self.place() as place:
            what = f"stopped after {counted(self.request.resume_after or 0, 'step')}"
            is_over = Watch(self.request.kill).is_over
            stopped = self._run(place, self.request.command, what, plan, is_over)
            if not was_stopped(stopped):
                return stopped, None
            if self.request.kill == "TERM" and stopped.run.signal == signal.SIGKILL:
                self.notes.append(
                    f"{stopped.name} did not end within {GRACE:g} s after SIGTERM, and was killed"
                )
            command = self.request.resume_command or self.request.command
            return stopped, self._run(place, command, "resumed", PLAN)

    def _run(
        self,
        place: Place,
        command: tuple[str, ...],
        what: str,
        plan: dict[str, Any],
        until: Callable[[Path], bool] | None = None,
    ) -> Outcome:
        number = len(self.outcomes) + 1
        words = place.words(command)
        run = runner.run(
            words,
            replace(conditions.base(), name=what),
            self.directory / f"run-{number}",
            plan=plan,
            stdin=self.request.stdin,
            environment=place.environment(self.environment),
            cwd=place.cwd,
            timeout=self.request.timeout,
            progress=self._teller(number, what),
            run_directory=self._run_directory,
            until=until,
        )
        patterns = place.words(self.request.files)
        self.unmatched = [
            given
            for given, pattern in zip(self.request.files, patterns)
            if written_files.unmatched([pattern], place.cwd)
        ]
        files = written_files.digest_files(
            patterns,
            place.cwd,
            python=commands.interpreter_of(words, self.environment, place.cwd),
            keep=self.directory / "files",
        )
        outcome = Outcome(f"run {number}", run, run.processes(), files, time.time(), False)
        self.outcomes.append(outcome)
        _check_place(outcome, place)
        return outcome

    def _teller(self, number: int, what: str) -> Callable[[float, Path], None] | None:
        if self._progress is None:
            return None
        progress = self._progress

        def tell(seconds: float, trace: Path) -> None:
            step = journal.latest_step(trace)
            at = f", step {step}" if step is not None else ""
            progress(f"run {number} of {self._planned} ({what}){at}, {seconds:.0f} s")

        return tell


def _check_place(outcome: Outcome, place: Place) -> None:
    """Raise _Failed where a run has written to the user's own files: other runs find those."""
    events = (event for process in outcome.processes for event in process.of("file"))
    written = (Path(event["path"]) for event in events if event["mode"] == "written")
    overwritten = next(filter(place.is_shared, written), None)
    if overwritten is not None:
        name = without_secrets(str(overwritten), is_word=True)
        raise _Failed(
            f"{outcome.name} has written {name}, which is not in the copy of this directory in "
            f"which it worked, so that another run would find it; {places.HOW}"
        )


class Watch:
    """Says when the processes of a run that is stopped are to be killed.

    Args:
        kill: "KILL", where all go at once, or "TERM", where they have time to end by themselves.
    """

    def __init__(self, kill: str) -> None:
        self._grace = GRACE if kill == "TERM" else 0.0
        self._since: float | None = None

    def is_over(self, trace: Path) -> bool:
        """Return whether they are to be killed now.

        Args:
            trace: the directory in which the trace is being written.
        """
        if not (trace / STOPPED).exists():
            return False
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since >= self._grace


def was_stopped(outcome: Outcome) -> bool:
    """Return whether the signal was sent in a run."""
    return (outcome.run.trace / STOPPED).exists()


def _judge(attempts: Attempts, verification: Verification) -> None:
    """Make the runs, and put what came of them into the result.

    Raises:
        _Failed: nothing could be compared.
    """
    request = attempts.request
    assert request.resume_after is not None
    places.refuse_half_named(request.command, request.resume_command)
    whole = attempts.whole()
    _check_whole(whole, attempts)
    stopped, resumed = attempts.stopped_and_resumed()
    before = _before_the_stop(whole, stopped)
    if before is not None:
        if verification.seed in (None, "off"):
            before.remedies.insert(0, causes.NOT_SEEDED)
        verification.verdict, verification.difference = DIFFERENT, before
        return
    if resumed is None and not stopped.run.status and not most_steps(stopped.processes):
        raise _Failed(SHARED)
    if resumed is None:
        raise _Failed(f"the run that was to be stopped ended before: {_how(stopped)}")
    made = most_steps(stopped.processes)
    if made >= most_steps(whole.processes):
        raise _Failed(
            f"SIG{request.kill} did not stop the command, which went on to its end; give "
            "--kill KILL, or stop it earlier"
        )
    verification.resumed = Resumption(request.resume_after, request.kill, made)
    if not most_steps(resumed.processes):
        verification.verdict, verification.difference = DIFFERENT, _no_step(whole, resumed)
        return
    _compare(attempts, verification, whole, stopped, resumed)


def _compare(
    attempts: Attempts,
    verification: Verification,
    whole: Outcome,
    stopped: Outcome,
    resumed: Outcome,
) -> None:
    about = verification.resumed
    assert about is not None
    failed = bool(coverage.failures_of([whole, resumed]))
    restart = resuming.restart_of(resumed.processes)
    is_own = restart != resuming.restart_of(whole.processes)
    compared = resuming.compare(whole.processes, resumed.processes, failed, is_own)
    verification.resumed = about = replace(
        about,
        goes_on_after=compared.after,
        restart=".".join(map(str, restart)) or None,
        compared=compared.steps,
    )
    difference = compared.difference
    if difference is None:
        difference = _at_the_end(attempts, whole, resumed, is_own)
    if difference is not None:
        if not is_own and (noise := _noise(attempts, whole, difference)) is not None:
            verification.verdict, verification.difference = DIFFERENT, noise
            return
        difference.runs = [whole.name, resumed.name]
        if resumed.run.status and difference.level != "status":
            difference.trail.append(f"the resumed run failed: {_how(resumed)}")
        if compared.after == -1:
            difference.trail.insert(0, NO_CHECKPOINT)
            difference.remedies = [*remedies_of_resuming(["none"]), *difference.remedies]
        verification.verdict, verification.difference = DIFFERENT, difference
    elif compared.after is None or compared.after < 0:
        verification.verdict, verification.reason = UNPROVEN, NO_CHECKPOINT
    elif is_own:
        _repeat(attempts, verification, stopped, resumed)


def _noise(attempts: Attempts, whole: Outcome, found: Difference) -> Difference | None:
    """Make the whole run once more, and return what differs as early as in the resumed run.

    Then no checkpoint is to blame. With parameters that the whole run never had, a resumed run goes
    wrong before anything else can.
    """
    if found.level == "parameter" and found.step is None:
        return None
    attempts.plan_for(1)
    again = attempts.whole()
    difference = steps.first_difference(whole.processes, again.processes)
    if difference is None or _step_of(difference) > _step_of(found):
        return None
    difference.runs = [whole.name, again.name]
    difference.text += " (in two runs that were never stopped: the command does not repeat itself)"
    difference.remedies = [UNREPEATED]
    return difference


def _step_of(difference: Difference) -> float:
    """Return the step of a difference; what is seen at the end comes after every step."""
    return math.inf if difference.step is None else difference.step


def _repeat(
    attempts: Attempts, verification: Verification, stopped: Outcome, resumed: Outcome
) -> None:
    """Make the stopped and the resumed run once more, and compare: they are to repeat."""
    attempts.plan_for(2)
    again = attempts.stopped_and_resumed()
    pairs = [(stopped, again[0]), *([] if again[1] is None else [(resumed, again[1])])]
    for one, two in pairs:
        difference = steps.first_difference(one.processes, two.processes)
        if difference is None and one.run.status != two.run.status:
            difference = _status(one, two)
        if difference is not None:
            difference.runs = [one.name, two.name]
            difference.trail.append(
                "the runs of this pair were made in the same way: the command does not repeat "
                "itself; look for the cause with: seed-init verify -- CMD"
            )
            verification.verdict, verification.difference = DIFFERENT, difference
            return


def _check_whole(whole: Outcome, attempts: Attempts) -> None:
    """Raise _Failed where the whole run failed, or is too short to be stopped."""
    if whole.run.status:
        raise _Failed(f"the command failed: {_how(whole)}")
    if not whole.processes:
        why = coverage.why_nothing(whole, attempts.environment)
        raise _Failed(f"nothing was seen of the command: {why}")
    made = most_steps(whole.processes)
    if not made:
        raise _Failed(
            "the whole run made no optimizer step: there is nothing to resume; if it found a "
            "finished checkpoint in this directory, move that away"
        )
    if made <= (attempts.request.resume_after or 0):
        raise _Failed(
            f"the whole run made {counted(made, 'optimizer step')}; give --resume-after a smaller "
            f"number than {made}"
        )


def _before_the_stop(whole: Outcome, stopped: Outcome) -> Difference | None:
    """What differs before the stop already, where nothing was resumed yet.

    Raises:
        _Failed: the second run began where the first one had come to: both use one checkpoint.
    """
    difference = first_step(whole, stopped)
    if difference is None:
        return None
    if _begins_later(whole, stopped):
        raise _Failed(SHARED)
    difference.runs = [whole.name, stopped.name]
    difference.text += " (before the stop: the command does not repeat itself)"
    difference.remedies = [UNREPEATED]
    return difference


def _begins_later(whole: Outcome, stopped: Outcome) -> bool:
    """Return whether a run begins with parameters that the whole run came to only later."""
    later = {
        moment.parameters.vector
        for process in whole.processes
        for moment in training_of(process)
        if not isinstance(moment, Start) and moment.parameters is not None
    }
    return any(
        isinstance(moment, Start)
        and moment.parameters is not None
        and moment.parameters.vector in later
        for process in stopped.processes
        for moment in training_of(process)
    )


def _no_step(whole: Outcome, resumed: Outcome) -> Difference:
    """What is told of a resumed run that made no step."""
    if resumed.run.status:
        text = f"the resumed run failed: {_how(resumed)}"
        errors = "\n".join(resumed.run.last_errors(40))
        is_cut = any(word in errors for word in UNREADABLE)
        remedies = remedies_of_resuming(["unreadable"] if is_cut else [])
        difference = _status(whole, resumed)
        difference.text, difference.remedies = text, remedies
    else:
        text = "the resumed run made no step, and ended as if nothing was left to do"
        difference = Difference("trace", text, remedies=remedies_of_resuming(["length"]))
    difference.runs = [whole.name, resumed.name]
    return difference


def _at_the_end(
    attempts: Attempts, whole: Outcome, resumed: Outcome, is_own: bool
) -> Difference | None:
    """Compare what the runs left behind: their exit status, and files that follow from SEED.

    Args:
        attempts: where the files are kept.
        whole: the run that was never stopped.
        resumed: the run that went on.
        is_own: whether the resumed run has streams of its own.
    """
    if whole.run.status != resumed.run.status:
        difference = _status(whole, resumed)
        if resumed.run.status:
            difference.text += f": the resumed run failed: {_how(resumed)}"
        return difference
    if is_own:
        return None
    kept = attempts.directory / "files"
    files = written_files.first_difference(whole.files, resumed.files, kept)
    if files is None:
        return None
    return Difference(
        "file",
        files.as_line((whole.name, resumed.name)),
        tensor=files.entry or None,
        values=list(files.values),
    )


def _status(one: Outcome, two: Outcome) -> Difference:
    statuses = [one.run.status, two.run.status]
    text = f"the exit status is {statuses[0]} and {statuses[1]}"
    return Difference("status", text, values=list(statuses))


def _how(outcome: Outcome) -> str:
    """How a run ended, with its last line on stderr."""
    how = outcome.run.cut_short() or f"exit status {outcome.run.status}"
    last = [line for line in outcome.run.last_errors() if line.strip()][-1:]
    said = without_secrets(last[0]) if last else ""
    return how + (f"; its last line on stderr: {said}" if said else "")


def _cover(verification: Verification, attempts: Attempts) -> None:
    """Add what was looked at; where an instrument failed, nothing is called identical."""
    outcomes = attempts.outcomes
    verification.runs = [outcome.summary() for outcome in outcomes]
    verification.failures = coverage.failures_of(outcomes)
    verification.not_compared = _not_compared(verification, attempts)
    verification.compared = {
        "runs": len(outcomes),
        "steps": verification.resumed.compared if verification.resumed is not None else 0,
        "files": sorted(outcomes[0].files) if outcomes else [],
    }
    if verification.verdict == IDENTICAL and verification.failures:
        verification.verdict = UNPROVEN
        verification.reason = "nothing that was seen differs, but not everything was seen"


def _not_compared(verification: Verification, attempts: Attempts) -> list[str]:
    lines = ["standard output: a resumed run prints what is left"]
    about = verification.resumed
    if about is not None and about.restart is not None:
        lines.append("draws and batches, which are to be other ones after a restart")
    lines += attempts.notes
    if attempts.is_copied:
        lines.append(
            "what is written elsewhere than in the working directory: each run worked in a copy of "
            "that directory"
        )
    lines += [f"files: none matches {pattern}" for pattern in attempts.unmatched]
    for outcome in attempts.outcomes:
        lines += [note for note in outcome.run.notes if note not in lines]
    return lines
