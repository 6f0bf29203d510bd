# SPDX-License-Identifier: Apache-2.0
"""Run the user's command once, under one condition, and keep what that run left behind.

    run("python train.py".split(), conditions.base(), Path("run-1"), plan=journal.DEFAULT_PLAN)

Each run is a fresh process in the user's working directory, with a session, a temporary directory
and a trace of its own. When a run is over, none of its processes is left.
"""

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seed_init.proof.running import (
    commands,
    conditions,
    emulator,
    notebooks,
    signals,
    workspace,
)
from seed_init.proof.running.busy_cpus import Load
from seed_init.proof.running.conditions import Condition
from seed_init.proof.running.jobs import Job, Start
from seed_init.proof.trace import journal
from seed_init.system import writing

TIMED_OUT = 124
"""The status of a run that took too long, as the command `timeout` gives it."""

LINGER = 5.0
"""Seconds that processes have which the command left running, to end by themselves."""


@dataclass
class Run:
    """What one run left behind.

    Attributes:
        condition: the condition under which the command was run.
        command: the words that were started.
        status: the exit status; 128 + n for signal n, as shells show it; 124 after the timeout.
        seconds: the time from the start to the end of the command's first process.
        directory: the run's own: `stdout`, `stderr`, `trace/`, and `executed.ipynb` of a notebook.
        layout: the addresses of the processes: "fixed" or "random".
        notes: one line each about what a reader should know of this run.
        failures: one line each about what should have been kept or seen, and was not.
        signal: the number of the signal that killed the first process; None if none did.
        timeout: the seconds after which the run was ended; None if it ended before.
    """

    condition: Condition
    command: tuple[str, ...]
    status: int
    seconds: float
    directory: Path
    layout: str
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    signal: int | None = None
    timeout: float | None = None

    @property
    def stdout_file(self) -> Path:
        """The file with the standard output; of a notebook, with the outputs of its cells."""
        return self.directory / "stdout"

    @property
    def stderr_file(self) -> Path:
        """The file with the standard error."""
        return self.directory / "stderr"

    @property
    def trace(self) -> Path:
        """The trace directory."""
        return self.directory / "trace"

    def processes(self) -> list[journal.Process]:
        """Return what the processes of the run wrote into the trace."""
        return journal.read(self.trace)

    def cut_short(self) -> str | None:
        """Return what ended the run before its own end, if that is known; None otherwise."""
        if self.timeout is not None:
            return f"it took longer than --timeout ({self.timeout:g} s), and was ended"
        if self.signal is not None:
            return f"it was killed by {_signal(self.signal)}"
        number = self.status - 128
        if number in signal.valid_signals():
            return (
                f"exit status {self.status}, which is a shell's word for a process that was "
                f"killed by {_signal(number)}"
            )
        return None

    def last_errors(self, most: int = 20) -> list[str]:
        """Return the last lines of the standard error.

        Args:
            most: how many lines at most.
        """
        with self.stderr_file.open("rb") as content:
            content.seek(max(0, content.seek(0, os.SEEK_END) - 65536))
            lines = content.read().decode(errors="backslashreplace").splitlines()
        return lines[-most:]


def run(
    command: Sequence[str],
    condition: Condition,
    directory: Path,
    *,
    plan: Mapping[str, Any],
    stdin: Path | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    layout: str | None = None,
    linger: float = LINGER,
    progress: Callable[[float, Path], None] | None = None,
    run_directory: workspace.RunDirectory | None = None,
    until: Callable[[Path], bool] | None = None,
) -> Run:
    """Run a command to its end.

    Several threads may call this at once. A signal to this process ends the run: at once if the
    main thread calls `run`, otherwise if the main thread is in `signals.ending_on_signals`.

    Args:
        command: the words, as the user gave them.
        condition: the condition under which the command is run.
        directory: a directory for this run alone. It is made, and gets what is kept of the run.
        plan: what is observed (`journal.write_plan`); without training hooks, only the end is.
        stdin: a file that the command reads, from its beginning; /dev/null if None.
        environment: the environment that the run's is made from; this process's if None.
        cwd: the working directory of the command; this process's if None.
        timeout: seconds after which the run is ended.
        layout: the addresses: `fixed`, `random` or `any`; those of the condition if None.
        linger: seconds that processes have which the command left running.
        progress: called a few times a second with the seconds since the start, and the directory in
            which the trace is being written.
        run_directory: has the temporary directory and the trace of the run, so that runs which
            follow each other have them at the same path; one for this run alone if None.
        until: asked a few times a second, with the directory in which the trace is being written,
            whether every process of the run is to be killed now; never if None.

    Raises:
        commands.CannotStart: there is no such command, or it cannot be executed.
        signals.Ended: a signal came.
        FileExistsError: another run has written into the directory.
    """
    user_environment = dict(os.environ if environment is None else environment)
    cwd = (cwd or Path.cwd()).absolute()
    directory = directory.absolute()
    resolved = commands.resolve(command, user_environment, cwd, directory)
    if condition.machine is not None:
        resolved = emulator.wrapped(resolved, condition.machine, user_environment, cwd)
    (directory / "trace").mkdir(parents=True)
    lost: list[str] = []
    with signals.ending_on_signals(), contextlib.ExitStack() as stack:
        root = run_directory or stack.enter_context(workspace.RunDirectory())
        own = stack.enter_context(_prepared(root, condition, plan, directory / "trace", lost))
        if conditions.LOAD in condition.changed:
            stack.enter_context(Load())
        start = Start(
            resolved,
            layout or conditions.layout_of(condition),
            conditions.environment_of(condition, user_environment, own),
            cwd,
            stdin,
            directory,
            conditions.affinity_of(condition),
        )
        with signals.held():
            job = Job(start)
            stack.callback(job.end)
        trace = conditions.trace_of(own)
        timed_out = _run_to_end(
            job,
            timeout,
            linger,
            progress and (lambda passed: progress(passed, trace)),
            until and (lambda: until(trace)),
        )
        result = _what_is_left(job, start, condition, timeout if timed_out else None)
    result.failures += lost
    return result


@contextlib.contextmanager
def _prepared(
    root: workspace.RunDirectory,
    condition: Condition,
    plan: Mapping[str, Any],
    kept: Path,
    lost: list[str],
) -> Iterator[Path]:
    """Put a temporary directory and a trace into the directory of a run, and empty it afterwards.

    Args:
        root: the directory.
        condition: the condition of the run.
        plan: what is observed.
        kept: a directory that the trace is moved to at the end.
        lost: gets a line if there is no trace to move.
    """
    with root.emptied() as own:
        conditions.temporary_of(condition, own).mkdir()
        trace = conditions.trace_of(own)
        journal.write_plan(trace, conditions.plan_of(condition, dict(plan)))
        try:
            yield own
        finally:
            _move_trace(trace, kept, lost)


def _move_trace(trace: Path, kept: Path, lost: list[str]) -> None:
    """Move a trace from the path that every run writes to, to the directory of this run."""
    with signals.held():
        try:
            for file in trace.iterdir():
                shutil.move(file, kept / file.name)
        except FileNotFoundError:
            lost.append("the trace is lost: the command removed the directory TMPDIR is in")


def _run_to_end(
    job: Job,
    timeout: float | None,
    linger: float,
    progress: Callable[[float], None] | None,
    until: Callable[[], bool] | None,
) -> bool:
    """Wait for the end of a job; True if that took too long, and it was ended."""
    job.started()
    timed_out = job.wait(timeout, progress, until)
    if not timed_out:
        job.let_linger(linger)
    job.end()
    return timed_out


def _what_is_left(job: Job, start: Start, condition: Condition, timeout: float | None) -> Run:
    """Return what a job left behind.

    Args:
        job: the job, which has ended.
        start: what the job was started with.
        condition: the condition under which the command was run.
        timeout: the seconds after which the job was ended; None if it ended before.
    """
    result = Run(
        condition,
        start.command.words,
        job.status if timeout is None else TIMED_OUT,
        job.seconds,
        start.directory,
        job.layout,
        job.notes,
        job.lost,
        job.signal if timeout is None else None,
        timeout,
    )
    notebook = start.command.notebook
    if notebook is not None and notebook.is_file():
        writing.replace(result.stdout_file, notebooks.outputs(notebook))
    elif notebook is not None and result.status == 0:
        result.failures.append(
            "jupyter execute wrote no notebook, so that the outputs of its cells are not "
            "compared; install nbclient 0.10 or later"
        )
    return result


def _signal(number: int) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else "a real-time signal"
    why = ", as the kernel does where memory runs out" if number == signal.SIGKILL else ""
    return f"signal {number} ({name}{why})"
