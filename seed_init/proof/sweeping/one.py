# SPDX-License-Identifier: Apache-2.0
"""Make one run of a sweep: on this machine or on another one that sees the same folder.

    run_one(Path("sweeps/train"), 3)

The command runs as it would by itself, with SEED set: in the user's directory, with the user's
environment and temporary directory. Nothing is fixed that decides bits, because the second run of
the first seed is to show what the user's own runs would show.
"""

import functools
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from seed_init.hook import settings
from seed_init.proof.running import commands, notebooks, runner, signals
from seed_init.proof.running.jobs import Job, Start
from seed_init.proof.sweeping import code_state, given, metrics, words
from seed_init.proof.sweeping import plan as plans
from seed_init.proof.sweeping.ledger import Folder, Row
from seed_init.proof.sweeping.plan import Plan, Task
from seed_init.proof.trace import journal, machine, record_parts, records
from seed_init.proof.trace.local_facts import LocalFacts
from seed_init.system import writing

INSTRUMENTS = ("facts", "flags", "end", "files")
"""What is observed for the record of a run. Steps are not: of a small model they take a third of
the time (docs/why/cost.md), and the final weights say whether two runs trained the same."""

WITHOUT_RECORD = ("facts", "end")
"""What is observed where no record is kept: what the two checks need."""

STEPS = "steps"

OUT, KEPT, TRACE, SUFFIX = "out", "kept", "trace", ".txt"

Tell = Callable[[float, Path], None]
"""Told the seconds since the start, and the directory in which the trace is being written."""


class CodeChanged(Exception):
    """The code is not the one that the sweep began with. The text is one line for the user."""


def run_one(
    folder: Path,
    index: int,
    *,
    gpus: str | None = None,
    tell: Tell | None = None,
    asked: LocalFacts | None = None,
    here: bool = False,
) -> Row:
    """Make a run of a sweep, unless it has ended well before.

    Args:
        folder: the folder of the sweep.
        index: the place of the run in the plan.
        gpus: what CUDA_VISIBLE_DEVICES is; None leaves it as it is.
        tell: told how far the run is.
        asked: answers of this machine that hold for several runs.
        here: whether the run has this process's working directory, and not that of the plan: a
            container has paths of its own.

    Raises:
        plans.NotASweep: the folder has no plan, or the plan has no such run.
        ledger.Busy: another process makes this run.
        CodeChanged: the code is not the one that the sweep began with.
        signals.Ended: a signal came. The run is to be made again.
        OSError: the folder cannot be written.
    """
    ledger = Folder(folder)
    plan = ledger.plan()
    if here:
        plan = plans.moved(plan, Path.cwd())
    task = task_of(ledger, plan, index)
    with signals.ending_on_signals(), ledger.locked_run(task) as lock:
        done = ledger.row(task)
        if done is not None and done.is_well:
            return done
        _refuse_changed_code(ledger, plan, task)
        ledger.set_aside(task)
        run = _Run(ledger, plan, task, gpus, asked or LocalFacts())
        return ledger.write_row(task, run.made(lock, tell))


def task_of(ledger: Folder, plan: Plan, index: int) -> Task:
    """Return a run of a plan by its place.

    Raises:
        plans.NotASweep: the plan has no such run.
    """
    tasks = plan.tasks()
    if not 0 <= index < len(tasks):
        raise plans.NotASweep(
            f"{ledger.path} has the runs 0 to {len(tasks) - 1}, and no run {index}; give one of "
            "these"
        )
    return tasks[index]


def lost(folder: Path, index: int, reason: str) -> Row:
    """Write down that a run will not come to its end, unless it has; return what is there of it.

    Args:
        folder: the folder of the sweep.
        index: the place of the run in the plan.
        reason: what its engine says, in one clause.

    Raises:
        plans.NotASweep: the folder has no plan, or the plan has no such run.
        ledger.Busy: the run goes on.
        OSError: the folder cannot be written.
    """
    ledger = Folder(folder)
    task = task_of(ledger, ledger.plan(), index)
    with ledger.locked_run(task, patience=0.0):
        row = ledger.row(task)
        if row is not None:
            return row
        content: dict[str, Any]
        content = {"status": None, "how": "lost", "seconds": 0.0, "last_line": reason}
        content |= {"started": None, "ended": _utc(time.time()), "notes": [], "modules": {}}
        return ledger.write_row(task, content | given.facts([]))


def _refuse_changed_code(ledger: Folder, plan: Plan, task: Task) -> None:
    known = {**plan.code.get("changed", {}), **plan.code.get("files", {})}
    # The modules of one run stand for those of all: there may be thousands of runs.
    first = ledger.row(next(each for each in plan.tasks() if each.arm == task.arm))
    if first is not None and first.is_well:
        known |= first.content.get("modules", {})
    if not code_state.changed_since(known, ()):
        return
    # Only now, for the same reason: what runs have written is no code.
    changed = code_state.changed_since(known, ledger.written(plan))
    if changed:
        raise CodeChanged(
            f"{changed[0]} since the sweep began; put the former state back, or begin again with "
            "--fresh"
        )


@functools.lru_cache(maxsize=1)
def _code(cwd: Path) -> dict[str, Any] | None:
    """What git says of a directory; asked once, because each run checks that no file changed."""
    return machine.code(cwd)


class _Run:
    """One run, from its first file to its last.

    Args:
        ledger: the folder of the sweep.
        plan: the plan of the sweep.
        task: which run this is.
        gpus: as in `run_one`.
        asked: likewise.
    """

    def __init__(
        self, ledger: Folder, plan: Plan, task: Task, gpus: str | None, asked: LocalFacts
    ) -> None:
        self._plan = plan
        self._task = task
        self._asked = asked
        self._directory = ledger.directory(task)
        self._cwd = Path(plan.cwd)
        self._words = self._filled(plan.words_of(task.arm))
        self._environment = environment_of(plan, task.seed, self._directory / TRACE, gpus)
        self._notes: list[str] = []

    def _filled(self, of: tuple[str, ...], again: bool | None = None) -> tuple[str, ...]:
        return words.filled(
            of,
            self._task.seed,
            self._directory / OUT,
            again=self._task.again if again is None else again,
            inputs=self._plan.inputs,
        )

    def made(self, lock: int, tell: Tell | None) -> dict[str, Any]:
        """Make the run; return what `run.json` says of it.

        Args:
            lock: a descriptor that is held open until the last process of the run has ended.
            tell: told how far the run is.
        """
        (self._directory / OUT).mkdir()
        instruments = INSTRUMENTS if self._plan.records else WITHOUT_RECORD
        if self._plan.steps and self._plan.records:
            instruments = (*instruments, STEPS)
        trace = self._directory / TRACE
        journal.write_plan(trace, {"instruments": instruments})
        before = {path: _state(path) for paths in self._metric_files().values() for path in paths}
        started = time.time()
        if self._plan.records:
            records.begin(
                trace,
                self._words,
                "sweep",
                started=started,
                environment=self._environment,
                cwd=self._cwd,
                code=_code(self._cwd),
            )
        content = self._run(lock, tell)
        ended = time.time()
        content["not_kept"] = self._keep(before)
        self._sync()
        content |= {"started": _utc(started), "ended": _utc(ended)}
        content |= self._observed(trace, content, ended)
        return {**content, "notes": self._notes}

    def _run(self, lock: int, tell: Tell | None) -> dict[str, Any]:
        plan, trace = self._plan, self._directory / TRACE
        stdin = None if plan.stdin is None else self._cwd / plan.stdin
        try:
            command = commands.resolve(self._words, self._environment, self._cwd, self._directory)
            start = Start(
                command,
                "any",
                self._environment,
                self._cwd,
                stdin,
                self._directory,
                suffix=SUFFIX,
                held=(lock,),
            )
            with signals.held():
                job = Job(start)
            try:
                job.started()
                is_late = job.wait(plan.timeout, tell and (lambda passed: tell(passed, trace)))
                if not is_late:
                    job.let_linger(runner.LINGER)
            finally:
                job.end()
        except commands.CannotStart as error:
            return {"status": None, "how": "not started", "seconds": 0.0, "last_line": str(error)}
        self._take_outputs(command)
        # What a notebook is run by, or a script that is not executable, is no news in every row.
        self._notes += [note for note in job.notes if note != command.note]
        if job.lost and not (is_late or job.status):
            # Its metrics may be among what is lost: it is to be made again.
            lost = {"status": None, "how": "lost", "last_line": job.lost[0]}
            return {**lost, "seconds": round(job.seconds, 3)}
        self._notes += job.lost
        how = "timeout" if is_late else "exit" if job.signal is None else "signal"
        return {
            "status": runner.TIMED_OUT if is_late else job.status,
            "how": how,
            "seconds": round(job.seconds, 3),
            "last_line": self._last_line(),
        }

    def _take_outputs(self, command: commands.Command) -> None:
        if command.notebook is not None and command.notebook.is_file():
            writing.replace(self._directory / "stdout.txt", notebooks.outputs(command.notebook))

    def _last_line(self) -> str | None:
        for name in ("stderr.txt", "stdout.txt"):
            lines = metrics.tail(self._directory / name, 1)
            if lines:
                return lines[0]
        return None

    def _metric_files(self) -> dict[str, list[Path]]:
        """Return the file of each metric, as the user named it, and where this run may have it.

        A second run writes to the name that its words have, or to that of the first run, if the
        program itself makes the name of SEED.
        """
        named = dict.fromkeys(metric.file for metric in self._plan.metrics if metric.file)
        return {file: self._places_of(file) for file in named}

    def _places_of(self, file: str) -> list[Path]:
        names = [self._filled((file,))[0]]
        if self._task.again:
            names.append(self._filled((file,), again=False)[0])
        return [self._cwd / name for name in dict.fromkeys(names)]

    def _keep(self, before: "Mapping[Path, _State | None]") -> dict[str, str]:
        """Keep the files that metrics are read from: the next run may write to the same place.

        Returns:
            File that is not kept, as the user named it -> why.
        """
        not_kept = {}
        for file, paths in self._metric_files().items():
            written = next((path for path in paths if before[path] != _state(path)), paths[0])
            reason = self._keep_file(file, written, before[written])
            if reason is not None:
                not_kept[file] = reason
        return not_kept

    def _keep_file(self, file: str, path: Path, before: "_State | None") -> str | None:
        """Keep one file; return why it is not kept, and None if it is."""
        now = _state(path)
        if now is None:
            return f"this run has written no {path}"
        if now == before:
            return f"{path} was there before, and this run has not written it"
        copy = self._directory / KEPT / metrics.kept_name(file)
        try:
            copy.parent.mkdir(exist_ok=True)
            with path.open("rb") as source, copy.open("wb") as target:
                if before is not None and before.is_begun_by(source):
                    source.seek(before.size)
                shutil.copyfileobj(source, target)
        except OSError as error:
            return f"{path} cannot be copied: {error.strerror}"
        return None

    def _sync(self) -> None:
        """Wait until the disk has what `run.json` stands for, in case the machine fails."""
        for name in ("stdout.txt", "stderr.txt"):
            _sync(self._directory / name)
        for file in (self._directory / KEPT).glob("*"):
            _sync(file)

    def _observed(self, trace: Path, content: Mapping[str, Any], ended: float) -> dict[str, Any]:
        """Return what was observed, write the record, and remove the trace."""
        try:
            processes = journal.read(trace)
        except journal.Unreadable as error:
            self._notes.append(f"nothing is known of its processes: {error}")
            processes = []
        facts = given.facts(processes)
        own = f"{self._directory}{os.sep}"
        facts["wrote"] = [path for path in facts["wrote"] if not path.startswith(own)]
        # The code of an image is not that of the directory in which the sweep goes on.
        own_modules = given.modules(processes) if self._cwd.is_absolute() else []
        facts["modules"] = code_state.digests(map(Path, own_modules))
        if self._plan.records:
            self._write_record(trace, processes, content, ended)
        shutil.rmtree(trace, ignore_errors=True)
        return facts

    def _write_record(
        self,
        trace: Path,
        processes: list[journal.Process],
        content: Mapping[str, Any],
        ended: float,
    ) -> None:
        try:
            record = records.assemble(
                trace,
                processes,
                ended=ended,
                status=content["status"],
                how="signal" if content["how"] == "signal" else "exit",
                here=True,
                seconds=content["seconds"],
                asked=self._asked,
            )
            records.write(self._directory / "record.json", record)
        except (OSError, ValueError, journal.Unreadable) as error:
            self._notes.append(f"there is no record: {getattr(error, 'strerror', None) or error}")


def environment_of(plan: Plan, seed: int, trace: Path, gpus: str | None) -> dict[str, str]:
    """Return the environment of a run: the user's, with SEED and what the plan wants.

    Args:
        plan: the plan. Another machine may have other variables of the contract, or none.
        seed: SEED of the run.
        trace: the directory that the run writes its trace to.
        gpus: as in `run_one`.
    """
    environment = record_parts.environment_of_runs("sweep", {**os.environ, "SEED": str(seed)})
    now = plans.contract(environment)
    for name in now.keys() - plan.environment.keys():
        environment.pop(name, None)
    # The plan has values without secrets: what is the same but for these stays as it is.
    environment |= {name: v for name, v in plan.environment.items() if now.get(name) != v}
    # A job that an engine has started again makes its run afresh, from the first stream.
    for name in (settings.DRAWN, settings.REQUEUED, settings.ELASTIC):
        environment.pop(name, None)
    environment["SEED_INIT_TRACE"] = str(trace)
    if gpus is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpus
    return environment


@dataclass(frozen=True)
class _State:
    """A file as it was at a moment.

    Attributes:
        inode: of the file.
        size: bytes.
        modified: nanoseconds.
        content: SHA-256 of a file of lines, to which a program may append; None of others.
    """

    inode: int
    size: int
    modified: int
    content: str | None

    def is_begun_by(self, now: "IO[bytes]") -> bool:
        """Return whether a file of today begins with what it was: then lines were appended.

        The lines of another run may have what this run has not written.
        """
        if self.content is None or os.fstat(now.fileno()).st_size <= self.size:
            return False
        is_same = sha256(now.read(self.size)).hexdigest() == self.content
        now.seek(0)
        return is_same


def _state(path: Path) -> _State | None:
    try:
        now = path.stat()
        is_read = path.suffix in metrics.OF_LINES and now.st_size <= metrics.FILE_MOST
        content = sha256(path.read_bytes()).hexdigest() if is_read else None
    except OSError:
        return None
    return _State(now.st_ino, now.st_size, now.st_mtime_ns, content)


def _sync(file: Path) -> None:
    with suppress(OSError), file.open("rb") as content:
        os.fsync(content.fileno())


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def why(row: Row) -> str:
    """Return how a run ended that did not end well, in one clause."""
    last = f"; its last line: {row.content['last_line']}" if row.content.get("last_line") else ""
    if row.how == "not started":
        return f"could not be started: {row.content.get('last_line')}"
    if row.how == "lost":
        return f"was lost: {row.content.get('last_line')}"
    if row.how == "timeout":
        return f"took longer than --timeout, and was ended{last}"
    if row.how == "signal" and row.status is not None:
        return f"was killed by signal {row.status - 128} ({_name(row.status - 128)}){last}"
    return f"ended with exit status {row.status}{last}"


def _name(number: int) -> str:
    known = {each.value: each.name for each in signal.Signals}
    return known.get(number, "a real-time signal")
