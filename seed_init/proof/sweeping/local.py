# SPDX-License-Identifier: Apache-2.0
"""Make the runs of a sweep on this machine, several at a time."""

import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seed_init.proof.running import signals
from seed_init.proof.sweeping.ledger import Row
from seed_init.proof.sweeping.one import run_one
from seed_init.proof.sweeping.plan import Task
from seed_init.proof.trace import journal, machine
from seed_init.proof.trace.local_facts import LocalFacts

TICK = 0.25
"""Seconds between two changes of the line of progress."""


class TooFewGPUs(Exception):
    """There are fewer GPUs than the runs need. The text is one line for the user."""


def deal(jobs: int, per_run: int | None) -> list[str | None]:
    """Return what CUDA_VISIBLE_DEVICES is for each of the runs that go on at one time.

    Args:
        jobs: how many runs go on at one time.
        per_run: how many GPUs a run gets; None for one each where several runs go on at one time,
            which then share GPUs if there are too few of them. 0 leaves the variable as it is.

    Raises:
        TooFewGPUs: `per_run` is given, and there are not that many for all runs together.
    """
    if per_run == 0 or (per_run is None and jobs == 1):
        return [None] * jobs
    devices = visible()
    if per_run is None:
        return [devices[number % len(devices)] if devices else None for number in range(jobs)]
    if len(devices) < jobs * per_run:
        raise TooFewGPUs(
            f"--jobs {jobs} with --gpus-per-run {per_run} need {jobs * per_run} GPUs, and there "
            f"{'is' if len(devices) == 1 else 'are'} {len(devices)}; give smaller numbers"
        )
    return [",".join(devices[number * per_run : (number + 1) * per_run]) for number in range(jobs)]


def visible() -> list[str]:
    """Return the names of the GPUs that this process may use."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return [str(number) for number in range(len(machine.gpus()))]
    names = [name.strip() for name in given.split(",") if name.strip()]
    # CUDA takes no device behind one that is not there, such as -1.
    return names[: names.index("-1")] if "-1" in names else names


@dataclass
class Progress:
    """How far a sweep is.

    Attributes:
        total: how many runs it has.
        done: how many of them are over, with those of former calls.
        seconds: how long the runs of this call took that are over.
        running: each run that goes on -> its seconds and its trace.
        jobs: how many runs go on at one time.
    """

    total: int
    done: int
    jobs: int
    seconds: list[float] = field(default_factory=list)
    running: dict[Task, tuple[float, Path]] = field(default_factory=dict)

    def line(self) -> str:
        """Return the line of progress."""
        parts = [f"{self.done} of {self.total} runs done"]
        running = sorted(self.running.items())
        if running:
            task, (seconds, trace) = running[0]
            step = journal.latest_step(trace)
            at = f", step {step}" if step is not None else ""
            more = f" and {len(running) - 1} more" if len(running) > 1 else ""
            parts.append(f"{task}{at}, {seconds:.0f} s{more}")
        left = self.left()
        if left is not None:
            parts.append(f"{duration(left)} left")
        return "; ".join(parts)

    def left(self) -> float | None:
        """Return how many seconds are left; None before the first run is over."""
        if not self.seconds:
            return None
        mean = sum(self.seconds) / len(self.seconds)
        to_do = (self.total - self.done) * mean
        to_do -= sum(min(seconds, mean) for seconds, _ in list(self.running.values()))
        return max(0.0, to_do) / self.jobs


def duration(seconds: float) -> str:
    """Return a time as a reader wants it: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def run_all(
    folder: Path,
    tasks: Sequence[Task],
    total: int,
    *,
    gpus: Sequence[str | None] = (None,),
    tell: Callable[[str], None] | None = None,
    ended: Callable[[Row], None] | None = None,
) -> None:
    """Make runs, and go on where one of them fails.

    Args:
        folder: the folder of the sweep.
        tasks: the runs to make, in order.
        total: how many runs the sweep has.
        gpus: CUDA_VISIBLE_DEVICES of each of the runs that go on at one time; as many as entries.
        tell: told the line of progress a few times a second.
        ended: told each run when it is over.

    Raises:
        signals.Ended, KeyboardInterrupt: a signal came. No process of a run is left.
        one.CodeChanged: the code is not the one that the sweep began with.
        ledger.Busy: another process makes one of the runs.
        OSError: the folder cannot be written.
    """
    with signals.ending_on_signals():
        crew = _Crew(folder, tasks, Progress(total, total - len(tasks), len(gpus)))
        try:
            for devices in gpus:
                crew.start(devices)
            while (row := crew.next_row(tell)) is not None:
                if ended is not None:
                    ended(row)
        finally:
            with signals.held():
                crew.stop()
        crew.raise_error()


class _Crew:
    """Threads, each of which makes one run after the other."""

    def __init__(self, folder: Path, tasks: Sequence[Task], progress: Progress) -> None:
        self._folder = folder
        self._waiting = list(reversed(tasks))
        self._progress = progress
        self._over: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._stopped = False
        self._asked = LocalFacts()
        self._errors: list[BaseException] = []
        self._ended = 0

    def start(self, devices: str | None) -> None:
        """Start a thread whose runs have some GPUs."""
        thread = threading.Thread(target=self._work, args=(devices,))
        with signals.held():
            thread.start()
            self._threads.append(thread)

    def _work(self, devices: str | None) -> None:
        try:
            while not self._stopped and not self._errors:
                try:
                    task = self._waiting.pop()
                except IndexError:
                    return
                self._over.put(self._made(task, devices))
        except BaseException as error:
            self._errors.append(error)
        finally:
            self._over.put(None)

    def _made(self, task: Task, devices: str | None) -> Row:
        running = self._progress.running

        def tell(seconds: float, trace: Path) -> None:
            signals.check()
            if self._stopped:
                raise _Stopped
            running[task] = seconds, trace

        try:
            return run_one(self._folder, task.index, gpus=devices, tell=tell, asked=self._asked)
        finally:
            running.pop(task, None)

    def next_row(self, tell: Callable[[str], None] | None) -> Row | None:
        """Wait for the end of a run; return None when every thread has ended."""
        while self._ended < len(self._threads):
            try:
                row = self._over.get(timeout=TICK)
            except queue.Empty:
                if tell is not None:
                    tell(self._progress.line())
                continue
            if row is not None:
                self._progress.done += 1
                self._progress.seconds.append(row.seconds)
                return row
            self._ended += 1
        return None

    def stop(self) -> None:
        """End the runs that go on, and wait for the threads."""
        self._stopped = True
        for thread in self._threads:
            thread.join()

    def raise_error(self) -> None:
        """Raise what ended a thread before its last run."""
        for error in self._errors:
            if not isinstance(error, _Stopped):
                raise error


class _Stopped(Exception):
    """The sweep ends before this run is over."""
