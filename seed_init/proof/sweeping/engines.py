# SPDX-License-Identifier: Apache-2.0
"""What the engines have in common that make the runs of a sweep: Slurm, Ray and Kubernetes.

Each of them starts `seed-init sweep one FOLDER RUN` for each run. So a run is the same on an engine
and on this machine, and `run.json` says that it is over.
"""

import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seed_init.proof.sweeping import local, metrics, one
from seed_init.proof.sweeping import plan as plans
from seed_init.proof.sweeping.ledger import PATIENCE, Busy, Folder, Row
from seed_init.proof.sweeping.plan import NotASweep, Plan, Task

SLURM, RAY, KUBERNETES = "slurm", "ray", "kubernetes"
NAMES = (SLURM, RAY, KUBERNETES)
"""What `--on` accepts."""


@dataclass(frozen=True)
class Watch:
    """Who is told how far the runs are.

    Attributes:
        tell: told what is being done, a few times a second.
        say: told once what a user should know, such as the number of a job.
        ended: told each run that is over.
    """

    tell: Callable[[str], None]
    say: Callable[[str], None]
    ended: Callable[[Row], None]


class EngineError(Exception):
    """An engine is not there, or has refused the runs. The text is one line for the user."""


@dataclass(frozen=True)
class Options:
    """What the user asked of an engine.

    Attributes:
        jobs: how many runs go on at once; None for as many as the engine has room for.
        gpus_per_run: how many GPUs each run gets; None where the user did not say.
        slurm: options of `sbatch`.
        image: the image of the pods.
        claim: the name of the PersistentVolumeClaim that holds the results.
        namespace: the namespace of the job; None for the one that kubectl uses.
        apply: whether kubectl gets the manifest.
    """

    jobs: int | None = None
    gpus_per_run: int | None = None
    slurm: tuple[str, ...] = ()
    image: str | None = None
    claim: str | None = None
    namespace: str | None = None
    apply: bool = False


class Waiting:
    """Which of some runs are over, as seen from a machine that shares the folder.

    A run that has failed before has a `run.json` already. So a run counts as over when that file is
    another one than at first.

    Attributes:
        left: the runs that are not over.
    """

    def __init__(self, folder: Folder, tasks: Iterable[Task], watch: Watch) -> None:
        self.left = list(tasks)
        self._folder = folder
        self._watch = watch
        self._began = time.monotonic()
        self._total = len(self.left)
        self._at_first = {task: self._sign(task) for task in self.left}

    def look(self) -> None:
        """Leave out of `left` what is over by now."""
        for task in list(self.left):
            if self._sign(task) not in (None, self._at_first[task]):
                self.drop(task)

    def lose(self, lost: Mapping[Task, str]) -> None:
        """Leave runs out of `left` of which nobody will hear any more, and write a row for each.

        Args:
            lost: run -> what its engine says, in one line.

        Raises:
            OSError: a row cannot be written.
        """
        for task, why in lost.items():
            self._lose(task, why)
            self.drop(task)

    def _lose(self, task: Task, why: str) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                one.lost(self._folder.path, task.index, f"{why}{self._last_line(task)}")
            except Busy:
                # The program of the run is about to end; or somebody else makes the run.
                if time.monotonic() > until:
                    return
                time.sleep(0.2)
            else:
                return

    def drop(self, task: Task) -> None:
        """Leave a run out of `left` that is over."""
        self.left.remove(task)
        row = self._folder.row(task)
        if row is not None:
            self._watch.ended(row)

    def text(self) -> str:
        """Return how many runs are over, and about how long the others take."""
        over = self._total - len(self.left)
        text = f"{over} of {self._total} runs over"
        if over and self.left:
            seconds = (time.monotonic() - self._began) / over * len(self.left)
            text += f", about {local.duration(seconds)} left"
        return text

    def _last_line(self, task: Task) -> str:
        directory = self._folder.directory(task)
        names = ("stderr.txt", "stdout.txt")
        lines = (line for name in names for line in metrics.tail(directory / name, 1))
        last = next(lines, None)
        return f"; its last line: {last}" if last is not None else ""

    def _sign(self, task: Task) -> tuple[int, int] | None:
        directory = self._folder.directory(task)
        try:
            # A network file system asks its server again for a directory that is opened.
            next(directory.iterdir(), None)
            found = (directory / "run.json").stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


def words_of(folder: Folder, task: Task | str) -> list[str]:
    """Return the words of the program that makes one run, on any machine that has this Python.

    Args:
        folder: the folder of the sweep.
        task: the run, or a shell's word for the name of the run.
    """
    name = task.name if isinstance(task, Task) else task
    return [sys.executable, "-m", "seed_init", "sweep", "one", str(folder.path), name]


def put_plan(folder: Folder, source: Path) -> None:
    """Write a plan into the folder of a sweep, unless the folder has it already.

    Args:
        folder: the folder.
        source: another folder, which has the plan.

    Raises:
        NotASweep: the file has no plan, or the folder has another one.
        OSError: the folder cannot be written.
    """
    plan = plans.read(source)
    if folder.state() == "sweep":
        before = folder.plan()
        if before == plan:
            return
        if why := plans.differences(before, plan):
            raise NotASweep(f"{folder.path} has runs of another plan: {'; '.join(why)}")
    folder.write_plan(plan)


def index_of(plan: Plan, name: str | None, of_the_array: int | None) -> int:
    """Return the place of a run in the plan.

    Args:
        plan: the plan.
        name: the place as a text, or the name of the run, such as "run/seed-7"; None for the index
            that a job array or an Indexed Job has given this process.
        of_the_array: that index; None where there is none.

    Raises:
        NotASweep: the plan has no such run.
    """
    tasks = plan.tasks()
    if name is None and of_the_array is None:
        raise NotASweep("no run is given, and this is no job of an array; give the run")
    text = str(of_the_array) if name is None else name
    for task in tasks:
        if text in (task.name, str(task.index)):
            return task.index
    raise NotASweep(
        f"{text!r} is no run of this sweep; give a number from 0 to {len(tasks) - 1}, or a name "
        f"such as {tasks[0].name}"
    )


def last_line(text: str, otherwise: str) -> str:
    """Return the last line of what a program has printed that says something.

    Args:
        text: what the program has printed.
        otherwise: what is returned where the program has printed nothing.
    """
    told = [line.strip() for line in text.splitlines() if line.strip()]
    return told[-1] if told else otherwise


def quoted(words: Sequence[str]) -> str:
    """Return words as a shell reads them."""
    return shlex.join(words)
