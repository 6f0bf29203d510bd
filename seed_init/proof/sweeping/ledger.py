# SPDX-License-Identifier: Apache-2.0
"""The folder of a sweep: where everything lies, which runs are over, and who is at work.

    plan.json                        the plan
    run/seed-7/                      a run: run.json, stdout.txt, stderr.txt, record.json, kept/
    run/seed-7/out/                  the program's own, which `{dir}` stands for
    run/seed-0-again/                the second run of the first seed
    against/seed-7/                  the same seed with the other command
    unfinished/run-seed-7-1/         a run that was killed or has failed, before it is made again
    sweep.json                       the result

`run.json` is written last and in one step. It is the one sign that a run is over, so that whatever
kills a sweep leaves each run either whole or to be made again.
"""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed_init.proof.running import signals
from seed_init.proof.sweeping import plan as plans
from seed_init.proof.sweeping.plan import Plan, Task
from seed_init.system import writing

FORMAT = 1

RESULT, LOCK, UNFINISHED = "sweep.json", "lock", "unfinished"

PATIENCE = 30.0
"""Seconds in which the processes of a sweep that was killed end: they get SIGTERM, and 10 s."""


class Busy(Exception):
    """Another process is at work on this sweep, or on this run. The text is one line."""


@dataclass(frozen=True)
class Row:
    """A run that is over.

    Attributes:
        task: which run it is.
        directory: the run's own.
        content: what `run.json` has.
    """

    task: Task
    directory: Path
    content: dict[str, Any]

    @property
    def arm(self) -> str:
        """The arm of the run."""
        return self.task.arm

    @property
    def seed(self) -> int:
        """SEED of the run."""
        return self.task.seed

    @property
    def again(self) -> bool:
        """True for the second run of the first seed."""
        return self.task.again

    @property
    def index(self) -> int:
        """The place of the run in the plan."""
        return self.task.index

    @property
    def status(self) -> int | None:
        """The exit status; None where the command could not be started."""
        status: int | None = self.content["status"]
        return status

    @property
    def how(self) -> str:
        """How the run ended: "exit", "signal", "timeout", "not started" or "lost"."""
        how: str = self.content["how"]
        return how

    @property
    def seconds(self) -> float:
        """Seconds that the run took."""
        seconds: float = self.content["seconds"]
        return seconds

    @property
    def is_well(self) -> bool:
        """True where the run ended with exit status 0: it is kept, and not made again."""
        return self.status == 0


class Folder:
    """The folder of one sweep.

    Attributes:
        path: the folder, an absolute path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def plan(self) -> Plan:
        """Return the plan.

        Raises:
            plans.NotASweep: the folder has none that can be read.
        """
        return plans.read(self.path)

    def write_plan(self, plan: Plan) -> None:
        """Write the plan, and make the folder.

        Raises:
            OSError: it cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        plans.write(self.path, plan)

    def state(self) -> str:
        """Return what the folder is: "empty" (or not there), "sweep", or "other"."""
        if plans.is_plan(self.path / plans.FILE):
            return "sweep"
        try:
            names = {entry.name for entry in self.path.iterdir()}
        except FileNotFoundError:
            return "empty"
        except NotADirectoryError:
            return "other"
        # A sweep that was killed before it had a plan leaves its lock.
        return "empty" if names <= {LOCK} else "other"

    def directory(self, task: Task) -> Path:
        """Return the directory of a run."""
        return self.path / task.name

    def row(self, task: Task) -> Row | None:
        """Return a run that is over; None where it has not run, or was killed before its end."""
        directory = self.directory(task)
        try:
            content = json.loads((directory / "run.json").read_bytes())
        except (OSError, ValueError):
            return None
        if not _is_run(content, task):
            return None
        return Row(task, directory, content)

    def rows(self, plan: Plan) -> Iterator[tuple[Task, Row | None]]:
        """Yield every run of a plan, one at a time: a sweep may have thousands."""
        for task in plan.tasks():
            yield task, self.row(task)

    def written(self, plan: Plan) -> set[str]:
        """Return the files that runs have written, so far as that was observed."""
        rows = (row for _, row in self.rows(plan) if row is not None)
        observed = {path for row in rows for path in row.content.get("wrote", ())}
        return observed | {str(Path(plan.cwd, file)) for file in plans.one_for_all(plan)}

    def missing(self, plan: Plan) -> list[Task]:
        """Return the runs that are still to be made: those that have not ended well."""
        return [task for task, row in self.rows(plan) if row is None or not row.is_well]

    def set_aside(self, task: Task) -> None:
        """Move what a run has left that was killed or has failed; the next one finds nothing.

        Raises:
            OSError: it cannot be moved.
        """
        directory = self.directory(task)
        if not any(entry.name != LOCK for entry in directory.iterdir()):
            return
        unfinished = self.path / UNFINISHED
        unfinished.mkdir(exist_ok=True)
        number = 1
        while True:
            target = unfinished / f"{task.name.replace('/', '-')}-{number}"
            try:
                target.mkdir()
                break
            except FileExistsError:
                number += 1
        for entry in directory.iterdir():
            if entry.name != LOCK:  # whoever holds the lock goes on to hold it
                entry.rename(target / entry.name)

    def set_all_aside(self) -> Path:
        """Rename the folder, so that the sweep can begin afresh; return the new name.

        Raises:
            OSError: it cannot be renamed.
        """
        number = 1
        while (target := self.path.with_name(f"{self.path.name}.before-{number}")).exists():
            number += 1
        return self.path.rename(target)

    def write_row(self, task: Task, content: dict[str, Any]) -> Row:
        """Write `run.json`, after everything else of the run.

        Raises:
            OSError: it cannot be written.
        """
        directory = self.directory(task)
        whole = {"format": FORMAT, **_of(task), **content}
        text = json.dumps(whole, indent=1, allow_nan=False) + "\n"
        writing.replace(directory / "run.json", text, durable=True)
        return Row(task, directory, whole)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: no two sweeps work on one folder at once.

        Raises:
            Busy: another one does.
            OSError: the file system has no locks, or the folder cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with _lock(
            self.path / LOCK, 0.0, f"another sweep is at work in {self.path}; wait for its end"
        ):
            yield

    @contextlib.contextmanager
    def locked_run(self, task: Task, patience: float = PATIENCE) -> Iterator[int]:
        """Hold one run, and make its directory; yield the descriptor of the lock.

        If a sweep was killed a moment ago, the processes of its runs need some seconds to end. The
        keeper of these processes has the descriptor as well, and this waits for the keeper's end.

        Args:
            task: the run.
            patience: seconds that are waited.

        Raises:
            Busy: another process makes this run.
            OSError: as in `locked`.
        """
        directory = self.directory(task)
        directory.mkdir(parents=True, exist_ok=True)
        who = f"another process is making the run of {task} in {self.path}; wait for its end"
        with _lock(directory / LOCK, patience, who) as handle:
            yield handle


def _of(task: Task) -> dict[str, Any]:
    return {"arm": task.arm, "seed": task.seed, "again": task.again, "index": task.index}


def _is_run(content: Any, task: Task) -> bool:
    """Return whether a `run.json` is that of a run. Its index may be another: seeds were added."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return False
    expected = _of(task)
    del expected["index"]
    status, seconds = content.get("status", ""), content.get("seconds")
    return (
        all(content.get(name) == value for name, value in expected.items())
        and (status is None or isinstance(status, int))
        and isinstance(seconds, (int, float))
        and isinstance(content.get("how"), str)
    )


@contextlib.contextmanager
def _lock(file: Path, patience: float, busy: str) -> Iterator[int]:
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        _acquire(handle, patience, busy)
        yield handle
    finally:
        os.close(handle)


def _acquire(handle: int, patience: float, busy: str) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise OSError(
                    error.errno, "its file system has no locks; give another --to"
                ) from None
        if time.monotonic() >= until:
            raise Busy(busy)
        signals.check()
        time.sleep(0.1)
