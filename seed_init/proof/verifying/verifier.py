# SPDX-License-Identifier: Apache-2.0
"""Run a command several times and prove that the runs are the same, or find where they part.

The first run is the base. One has no training hooks, so that the observer itself is checked. The
others differ from the base in what must not matter (`arms`). Where a run is not the same, more runs
say whether plain repetition or one of the perturbations broke equality, and then the step is looked
at closely (`locating`).
"""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seed_init.hook import settings
from seed_init.proof.comparing import causes, output_lines, written_files
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.steps import first_difference
from seed_init.proof.redaction import redaction
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.running import arms, commands, runner, workspace
from seed_init.proof.running.arms import Arm
from seed_init.proof.trace import journal, record_parts, records
from seed_init.proof.trace.journal import Process
from seed_init.proof.verifying.locating import locate

FORMAT = 1

IDENTICAL, DIFFERENT, FAILED, UNPROVEN = "identical", "different", "failed", "unproven"


@dataclass(frozen=True)
class Request:
    """What is to be proven.

    Attributes:
        command: the user's command.
        runs: how many observed runs are compared, at least 2.
        perturb: change what must not matter in the runs after the first.
        ignore_output: regular expressions of lines of standard output that are not compared.
        files: patterns of files that the command writes and that are compared.
        locate: rerun the step at which the runs part.
        stdin: a file that every run reads; /dev/null if None.
        timeout: seconds for each run.
        environment: of the runs; this process's if None.
        place: their working directory; this process's if None.
        records: a directory that gets the record of each run, with the verdict in it; it is made.
    """

    command: tuple[str, ...]
    runs: int = 2
    perturb: bool = True
    ignore_output: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    locate: bool = True
    stdin: Path | None = None
    timeout: float | None = None
    environment: Mapping[str, str] | None = None
    place: Path | None = None
    records: Path | None = None


@dataclass
class Outcome:
    """One run, what it left behind, and when it ended, in seconds since the epoch."""

    name: str
    run: runner.Run
    processes: list[Process]
    files: written_files.Digests
    ended: float
    closer: bool  # a closer look at one step

    def to_json(self) -> dict[str, Any]:
        arm = self.run.arm
        return {
            "name": self.name,
            "arm": arm.name,
            "changed": list(arm.changed),
            "observed": arm.observed,
            "status": self.run.status,
            "seconds": round(self.run.seconds, 3),
        }


@dataclass
class Failure:
    """Something of ours that failed, so that what it should have seen was not seen.

    Attributes:
        what: what failed, with the error and where it arose.
        runs: the names of the runs in which it did.
        ranks: the ranks in which it did; empty where there are none.
    """

    what: str
    runs: list[str] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        ranks = f", rank {', '.join(map(str, self.ranks))}" if self.ranks else ""
        return f"{self.what}, in {', '.join(self.runs)}{ranks}"


@dataclass
class Verification:
    """The result.

    Attributes:
        verdict: "identical", "different", "failed" (the command itself failed) or "unproven"
            (nothing that was seen differs, but an instrument failed, or nothing was seen).
        command: its words.
        seed: SEED as it was given; None where it was not.
        runs: every run, in order.
        compared: what was compared, as counts and names.
        not_compared: what could not be, one line each.
        broke_equality: the perturbation without which the runs are equal; None otherwise.
        difference: where they part; None where they do not.
        reason: why the command failed, or nothing is proven; None otherwise.
        failures: what failed of what should have looked, and where.
        lost: why a record that was asked for is not there; None where all are.
    """

    verdict: str
    command: tuple[str, ...]
    seed: str | None
    runs: list[Outcome]
    compared: dict[str, Any] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)
    broke_equality: str | None = None
    difference: Difference | None = None
    reason: str | None = None
    failures: list[Failure] = field(default_factory=list)
    lost: str | None = None

    @property
    def identical(self) -> bool:
        return self.verdict == IDENTICAL

    def to_json(self) -> dict[str, Any]:
        """What `seed-init verify --json` prints: without secrets of the command and its output."""
        found = {
            "format": FORMAT,
            "verdict": self.verdict,
            "command": list(self.command),
            "seed": self.seed,
            "runs": [outcome.to_json() for outcome in self.runs],
            "compared": self.compared,
            "not_compared": self.not_compared,
            "broke_equality": self.broke_equality,
            "difference": self.difference.to_json() if self.difference else None,
            "reason": self.reason,
            "failures": [asdict(each) for each in self.failures],
            "lost": self.lost,
        }
        shown: dict[str, Any] = redaction.deep(found, names=False)
        return shown


Progress = Callable[[str], None]
"""Told what is being done, a few times a second."""


def verify(
    request: Request, progress: Progress | None = None, keep: Path | None = None
) -> Verification:
    """Run the command and compare the runs.

    Args:
        request: what to run and to compare.
        progress: told what is being done.
        keep: a directory that gets the runs' traces and outputs; a temporary one if None.

    Raises:
        commands.CannotStart: there is no such command.
        output_lines.BadPattern: `ignore_output` has one that is no regular expression.
        runner.Ended: a signal came.
        OSError: there is no place for traces.
    """
    output_lines.patterns(request.ignore_output)
    with workspace.results("verify") as own:
        return _Verifier(request, progress, keep or own).result()


NOTHING_PROVEN = "nothing that was seen differs, but not everything was seen"
NOTHING_SEEN = (
    "nothing was seen of the command but its exit status; let it print what must be the same, or "
    "name a file that it writes with --file"
)

EVIDENCE = ("steps", "tensors", "generators", "stdout_lines", "files")
"""What of `compared` can say that two runs are the same: their exit status alone cannot."""


class _Parted(Exception):
    """Two runs are not the same."""

    def __init__(self, first: Outcome, second: Outcome, difference: Difference) -> None:
        super().__init__(difference.text)
        self.first, self.second, self.difference = first, second, difference


class _Failed(Exception):
    """The command itself failed. The text says how."""


class _Verifier:
    def __init__(self, request: Request, progress: Progress | None, directory: Path) -> None:
        self.request = request
        self.progress = progress
        self.directory = directory
        self.place = request.place or Path.cwd()
        self.environment = record_parts.environment_of_runs("verify", request.environment)
        self.outcomes: list[Outcome] = []
        self.snapshots: list[tuple[written_files.Snapshot, written_files.Snapshot]] = []
        self.planned = request.runs + 1
        self.broke: str | None = None

    def result(self) -> Verification:
        made = Verification(IDENTICAL, self.request.command, self._seed(), self.outcomes)
        try:
            self._prove()
        except _Parted as parted:
            made.verdict = DIFFERENT
            try:
                made.difference = self._explained(parted)
            except (OSError, journal.Unreadable, runner.CannotStart) as error:
                # That they differ is known, and may have taken hours: a full disk changes nothing.
                made.difference = parted.difference
                made.difference.trail.append(f"no closer look: {_reason(error)}")
            made.broke_equality = self.broke
        except _Failed as failed:
            made.verdict, made.reason = FAILED, str(failed)
        made.failures = _failures(self.outcomes)
        if made.verdict == IDENTICAL and made.failures:
            made.verdict, made.reason = UNPROVEN, NOTHING_PROVEN
        base = self.outcomes[0]
        made.compared = self._compared(base)
        if made.verdict == IDENTICAL and not any(made.compared[kind] for kind in EVIDENCE):
            made.verdict, made.reason = UNPROVEN, NOTHING_SEEN
        made.not_compared = _not_compared(self.outcomes, self.request, self.environment)
        if self.request.records is not None:
            try:
                self._write_records(self.request.records, made)
            except (OSError, ValueError, journal.Unreadable) as error:
                # Hours may have led to the verdict: what becomes of the records changes nothing.
                made.lost = f"not all records are in {self.request.records}: {_reason(error)}"
        return made

    def _write_records(self, directory: Path, made: Verification) -> None:
        """The record of each run that was observed from its beginning to its end."""
        directory.mkdir(parents=True, exist_ok=True)
        for outcome in self.outcomes:
            if not outcome.run.arm.observed or outcome.closer:
                continue
            records.begin(
                outcome.run.trace,
                self.request.command,
                "verify",
                whole=True,
                started=outcome.ended - outcome.run.seconds,
            )
            record = records.assemble(
                outcome.run.trace,
                ended=outcome.ended,
                status=outcome.run.status,
                how="exit",
                here=True,
                seconds=outcome.run.seconds,
            )
            record["verdict"] = redaction.deep(made.to_json())
            records.write_new(directory / f"{outcome.name.replace(' ', '-')}.json", record)

    def _seed(self) -> str | None:
        """The seed of the runs: what the environment says, or the defaults file."""
        seed = self.environment.get("SEED", "").strip()
        current = settings.current()
        return seed or (current.values.get("SEED") if current is not None else None)

    def _prove(self) -> None:
        base = self._run(arms.base_arm())
        if base.run.status:
            raise _Failed(_how_failed(base.run))
        self._compare(base, self._run(arms.hook_free_arm()))
        for number in range(1, self.request.runs):
            arm = arms.base_arm()
            if self.request.perturb:
                arm = arms.perturbed_arm(variant=number)
            self._compare(base, self._run(arm))

    def _run(self, arm: Arm, plan: dict[str, Any] | None = None, why: str = "") -> Outcome:
        number = len(self.outcomes) + 1
        name = f"run {number}"
        task = why or f"{arms.words(arm)} changed" if arm.changed else why or arm.name
        self.planned = max(self.planned, number)
        told = f"{name} of {self.planned} ({task})"
        directory = self.directory / f"run-{number}"
        before = written_files.snapshot(self.place)
        run = runner.run(
            self.request.command,
            arm,
            directory,
            plan=plan or (records.PLAN if self.request.records else journal.DEFAULT_PLAN),
            stdin=self.request.stdin,
            environment=self.environment,
            place=self.place,
            timeout=self.request.timeout,
            progress=self._teller(told),
        )
        ended = time.time()
        self.snapshots.append((before, written_files.snapshot(self.place)))
        files = written_files.digest_files(
            self.request.files,
            self.place,
            python=commands.interpreter_of(self.request.command, self.environment, self.place),
            keep=self.directory / "files",
        )
        outcome = Outcome(name, run, run.processes(), files, ended, plan is not None)
        self.outcomes.append(outcome)
        return outcome

    def _teller(self, told: str) -> "Callable[[float, Path], None] | None":
        if self.progress is None:
            return None
        progress = self.progress

        def tell(seconds: float, trace: Path) -> None:
            step = journal.latest_step(trace)
            at = f", step {step}" if step is not None else ""
            progress(f"{told}{at}, {seconds:.0f} s")

        return tell

    def _compare(self, first: Outcome, second: Outcome) -> None:
        difference = self._difference(first, second)
        if difference is not None:
            raise _Parted(first, second, difference)

    def _difference(self, first: Outcome, second: Outcome) -> Difference | None:
        both = first.run.arm.observed and second.run.arm.observed
        processes = [outcome.processes for outcome in (first, second)]
        if not both:
            processes = [_without_steps(each) for each in processes]
        difference = first_difference(*processes)
        if difference is not None and difference.level == "trace" and _failures([first, second]):
            difference = None  # a step that is missing in a trace may only not have been seen
        names = [first.name, second.name]
        if difference is None or difference.step is None:
            statuses = [first.run.status, second.run.status]
            if statuses[0] != statuses[1]:
                text = f"the exit status is {statuses[0]} and {statuses[1]}"
                difference = Difference("status", text, values=statuses)
        difference = difference or self._output(first, second) or self._files(first, second)
        if difference is not None:
            difference.runs = names
        return difference

    def _output(self, first: Outcome, second: Outcome) -> Difference | None:
        found = output_lines.compare(
            first.run.stdout_file,
            second.run.stdout_file,
            self.request.ignore_output,
            unordered=_has_ranks(first.processes),
        )
        if found.first is None:
            return None
        values = [line and without_secrets(line.text) for line in found.first]
        told = without_secrets(found.told((first.name, second.name)))
        return Difference("output", told, values=values)

    def _files(self, first: Outcome, second: Outcome) -> Difference | None:
        found = written_files.first_difference(first.files, second.files, self.directory / "files")
        if found is None:
            return None
        return Difference(
            "file",
            found.told((first.name, second.name)),
            tensor=found.entry or None,
            values=list(found.values),
        )

    def _explained(self, parted: _Parted) -> Difference:
        """Which perturbation broke equality, where, and what to do about it."""
        first, second, difference = self._attributed(parted)
        if self.request.locate and not self._is_observers(first, second):
            runs = [first, second]

            def rerun(which: int, plan: dict[str, Any]) -> list[Process]:
                arm = runs[which].run.arm
                observed = Arm(arm.name, arm.changed, True, arm.variant)
                look = self._run(observed, plan, "a closer look").run
                statuses = [runs[which].run.status, look.status]
                if statuses[0] != statuses[1]:
                    look.notes.append(
                        f"a closer look ended with exit status {statuses[1]}, not {statuses[0]}: "
                        "what it shows may not be what the run did"
                    )
                return self.outcomes[-1].processes

            if difference.level not in ("status", "trace") or difference.step is not None:
                difference = locate(difference, [first.processes, second.processes], rerun)
        difference.runs = [first.name, second.name]
        difference.trail += self._inherited(second)
        difference.remedies = causes.remedies(difference, self.broke)
        if self._seed() in (None, "off"):
            difference.remedies.insert(0, causes.NOT_SEEDED)
        return difference

    def _inherited(self, second: Outcome) -> list[str]:
        """Files that the second run may have read, and that the runs before it have written."""
        number = self.outcomes.index(second)
        before, after = zip(*self.snapshots[: number + 1])
        found = written_files.inherited(before, after)
        if not found:
            return []
        name, writer = next(iter(found.items()))
        more = f" and {len(found) - 1} other file(s)" if len(found) > 1 else ""
        return [
            f"{second.name} found {name}{more}, written by run {writer + 1}: if it was read (a "
            "checkpoint to resume from), remove it before each run"
        ]

    def _is_observers(self, first: Outcome, second: Outcome) -> bool:
        """True where only the training hooks tell the two runs apart."""
        return first.run.arm.observed != second.run.arm.observed

    def _attributed(self, parted: _Parted) -> tuple[Outcome, Outcome, Difference]:
        """The two runs to look at closely: as few things changed between them as possible."""
        first, second, difference = parted.first, parted.second, parted.difference
        again = self._run(first.run.arm, why="the base again")
        plain = self._difference(first, again)
        if plain is not None:
            return first, again, plain
        if not second.run.arm.observed:
            return self._without_hooks(first, second, difference)
        singles = arms.single_arms(second.run.arm)
        for arm in singles:
            alone = self._run(arm, why=f"{arm.name} alone")
            found = self._difference(first, alone)
            if found is not None:
                self.broke = arm.name
                return first, alone, found
        once_more = self._run(second.run.arm, why="all changed again")
        found = self._difference(first, once_more)
        if found is not None and singles:
            self.broke = "several perturbations together"
            return first, once_more, found
        difference.trail.append(
            f"seen in one of {len(self.outcomes)} runs: what differs depends on timing or chance"
        )
        return first, second, difference

    def _without_hooks(
        self, first: Outcome, second: Outcome, difference: Difference
    ) -> tuple[Outcome, Outcome, Difference]:
        again = self._run(second.run.arm, why="without hooks again")
        plain = self._difference(second, again)
        if plain is not None:
            return second, again, plain
        # Without hooks objects lie elsewhere as well.
        elsewhere = Arm(arms.LAYOUT, (arms.LAYOUT,))
        moved = self._run(elsewhere, why=f"{arms.LAYOUT} alone")
        found = self._difference(first, moved)
        if found is not None:
            self.broke = arms.LAYOUT
            return first, moved, found
        difference.text += (
            "; runs with training hooks are equal to each other, and so are those without: the "
            "observer changes this program, which is a defect of seed-init"
        )
        return first, second, difference

    def _compared(self, base: Outcome) -> dict[str, Any]:
        steps = [event for process in base.processes for event in process.of("step")]
        per_process = [len(process.of("step")) for process in base.processes]
        generators = {
            name
            for process in base.processes
            for end in process.of("end")
            for name in end["generators"]
        }
        ranks = {process.rank for process in base.processes if process.of("step")}
        lines = output_lines.compare(
            base.run.stdout_file, base.run.stdout_file, self.request.ignore_output
        )
        return {
            "runs": len(self.outcomes),
            "steps": max(per_process, default=0),
            "ranks": len(ranks - {None}),
            "processes": len(base.processes),
            "tensors": sum(_tensors(process) for process in base.processes),
            "optimizers": len({(event["optimizer"]) for event in steps}),
            "stdout_lines": lines.lines,
            "files": sorted(base.files),
            "generators": sorted(generators),
        }


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _without_steps(processes: list[Process]) -> list[Process]:
    made = []
    for process in processes:
        shallow = copy.copy(process)
        # The tables are for the names of final parameters.
        shallow.events = process.of("end", "tensors")
        made.append(shallow)
    return made


def _has_ranks(processes: list[Process]) -> bool:
    return len({process.rank for process in processes} - {None}) > 1


def _tensors(process: Process) -> int:
    """How many parameters and gradients of a process were compared, in steps or at the end.

    Their names alone are no evidence: they are written before the numbers, which may still be on
    a device when the process is killed.
    """
    seen = {event["optimizer"] for event in process.of("start", "step")}
    names = {
        (event["optimizer"], name)
        for event in process.of("tensors")
        if event["optimizer"] in seen
        for name in event["names"]
    }
    # No step is seen where a graph of CUDA's replays them all.
    unseen = {
        each["optimizer"]: len([digest for digest in each["digests"] if digest])
        for end in process.of("end")
        for each in end["final"]
        if each["optimizer"] not in seen
    }
    return len(names) + sum(unseen.values())


def _is_cut(process: Process) -> bool:
    """True where a process trained and did not come to write its end.

    Steps on a device are written in batches, so a killed process may have left none of them, but
    the names of its parameters.
    """
    return bool(process.of("tensors", "step")) and not process.of("end")


def _failures(outcomes: list[Outcome]) -> list[Failure]:
    """What failed of what should have looked, each once, with where it did."""
    found: dict[str, Failure] = {}

    def failed(what: str, outcome: Outcome, rank: int | None) -> None:
        failure = found.setdefault(what, Failure(what))
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
    return list(found.values())


def _how_failed(run: runner.Run) -> str:
    how = run.cut_short() or f"exit status {run.status}"
    last = [line for line in run.last_errors() if line.strip()][-1:]
    said = without_secrets(last[0]) if last else ""
    return f"the command failed: {how}" + (f"; its last line on stderr: {said}" if said else "")


def _why_nothing(base: Outcome, given: Mapping[str, str]) -> str:
    """Why there is nothing that a process of a run wrote; `given` is its environment."""
    if given.get("SEED_INIT", "").strip() == "0":
        return "SEED_INIT=0 switches the hook off"
    cut = base.run.cut_short()
    if cut is not None:
        return f"no Python of this command had written any: {cut}"
    if _failures([base]):
        return "what was written of them is lost"
    return (
        "no Python of this command ran the hook; run 'seed-init install' with it (one that ends "
        "by os._exit or exec before its first step writes nothing either)"
    )


def _not_compared(outcomes: list[Outcome], request: Request, given: Mapping[str, str]) -> list[str]:
    """What could not be compared, one line each; `given` is the environment of the runs."""
    base, lines = outcomes[0], []
    if not base.processes:
        lines.append(f"training steps and generators: {_why_nothing(base, given)}")
    elif not any(process.of("tensors", "step") for process in base.processes):
        lines.append("training steps: no optimizer of torch.optim made a step")
    if any(_is_cut(process) for outcome in outcomes for process in outcome.processes):
        lines.append(
            "how a process that trained has ended (os._exit, exec, a signal, or a trace that could "
            "not be written): its final weights and generators, and perhaps its last steps"
        )
    missing = written_files.unmatched(request.files, request.place or Path.cwd())
    lines += [f"files: none matches {pattern}" for pattern in missing]
    # Each once, of whichever run.
    for outcome in outcomes:
        for line in (*arms.limits(outcome.run.arm), *outcome.run.notes):
            if line not in lines:
                lines.append(line)
    if not request.perturb:
        lines.append("what must not matter: nothing was changed between the runs (--no-perturb)")
    return lines
