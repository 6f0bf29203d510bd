# SPDX-License-Identifier: Apache-2.0
"""The runs of a sweep as an array job of Slurm.

The folder of the sweep lies on a file system that the nodes share. The array outlives whoever waits
for it: the plan notes its number, and the same command waits again for what is in the queue, and
submits only what is neither over nor in the queue.
"""

import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seed_init.proof.comparing.values import counted
from seed_init.proof.sweeping import engines, metrics
from seed_init.proof.sweeping.engines import EngineError, Options, Waiting, Watch
from seed_init.proof.sweeping.ledger import Folder
from seed_init.proof.sweeping.plan import Task
from seed_init.system import writing

LOGS = "slurm"
"""The directory below the sweep's folder with the script of each array and what its jobs print."""

MAX_ARRAY_SIZE = 1001
"""How many jobs an array may have at most where Slurm does not say (man 5 slurm.conf)."""

FINAL = frozenset(
    {
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"),
        *("OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"),
    }
)
"""States of a job that will not run any more (man squeue, JOB STATE CODES)."""

OWN = re.compile(r"--array\b|-a|--wrap\b|--test-only$|--wait$|-W$")
"""Options of sbatch that the sweep gives, or that leave nothing to wait for."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds between two questions to Slurm: at first, and after some minutes."""

PATIENCE = 60.0
"""Seconds that Slurm has to answer a question."""

GRACE = 10.0
"""Seconds that the end of a run needs to be seen here: file systems of a network lag behind."""

SCRIPT = """\
#!/bin/sh
# The runs of this array, by their index from 0.
set -- {names}
shift "$SLURM_ARRAY_TASK_ID"
exec {words} "$1"
"""


def run(folder: Folder, tasks: Sequence[Task], options: Options, watch: Watch) -> None:
    """Make runs, and wait until each of them is over.

    Args:
        folder: the folder of the sweep, which the nodes see at the same path.
        tasks: the runs that have not ended well.
        options: `jobs`, `gpus_per_run` and `slurm` are used.
        watch: told which arrays there are, and what the queue says.

    Raises:
        EngineError: Slurm is not there, does not answer, or has refused the runs.
        OSError: the folder cannot be written.
    """
    # Before the question to the queue: what ends after that question is seen to end.
    waiting = Waiting(folder, tasks, watch)
    queue = Queue(folder)
    queue.look()
    if not queue.answered:
        raise EngineError(
            "squeue does not answer, so that nobody knows which runs are in the queue already; "
            "try again when Slurm is back"
        )
    queued = queue.waiting()
    if queued:
        watch.say(f"waiting for {_runs(len(queued))} that Slurm has in its queue already")
    submit(folder, [task for task in tasks if task.name not in queued], options, watch)
    _wait(folder, waiting, watch)


def left_behind(folder: Folder) -> str | None:
    """Return what Slurm goes on with when nobody waits, in one clause; None for nothing."""
    queue = Queue(folder)
    queue.look()
    jobs = queue.jobs_waiting()
    if not jobs:
        return None
    number = _runs(len(queue.waiting()))
    return f"Slurm goes on with {number}, unless 'scancel {' '.join(jobs)}' ends the job"


def refuse(options: Options) -> None:
    """Refuse what Slurm cannot do here.

    Raises:
        EngineError: Slurm is not there, or an option is the sweep's own.
    """
    for command in ("sbatch", "squeue"):
        if shutil.which(command) is None:
            raise EngineError(
                f"{command} is not there: --on slurm needs the commands of Slurm on PATH; "
                "start the sweep on a login node of the cluster"
            )
    for word in options.slurm:
        if OWN.match(word):
            raise EngineError(
                f"{word} cannot be given behind --slurm, because the sweep makes the array; "
                "--jobs says how many of its jobs run at once"
            )


def submit(folder: Folder, tasks: Sequence[Task], options: Options, watch: Watch) -> None:
    """Submit runs, in as many arrays as Slurm needs for them; the plan notes the arrays.

    Args:
        folder: the folder of the sweep.
        tasks: the runs.
        options: as in `run`.
        watch: as in `run`.

    Raises:
        EngineError: Slurm has refused the runs.
        OSError: the folder cannot be written.
    """
    most = _max_array_size() if tasks else 1
    for first in range(0, len(tasks), most):
        part = tasks[first : first + most]
        noted = noted_jobs(folder)
        job = _submitted(folder, part, options, len(noted) + 1)
        noted.append({"id": job, "tasks": [task.name for task in part]})
        plan = folder.plan()
        folder.write_plan(replace(plan, engine={**plan.engine, engines.SLURM: {"jobs": noted}}))
        watch.say(f"array job {job}: {_runs(len(part))}")


def noted_jobs(folder: Folder) -> list[dict[str, Any]]:
    """Return the arrays of a sweep: `id`, the number of the job, and `tasks`, the runs' names."""
    return list(folder.plan().engine.get(engines.SLURM, {}).get("jobs", []))


def _runs(number: int) -> str:
    return counted(number, "run")


def _submitted(folder: Folder, tasks: Sequence[Task], options: Options, number: int) -> str:
    logs = folder.path / LOGS
    logs.mkdir(exist_ok=True)
    script = logs / f"array-{number}.sh"
    writing.replace(script, script_of(folder, tasks))
    command = sbatch(folder, len(tasks), options, str(script))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    # --parsable: the number, and in a federation the name of the cluster behind a semicolon.
    job = done.stdout.strip().partition(";")[0]
    if done.returncode != 0 or not job.isdecimal():
        told = engines.last_line(done.stderr, f"exit status {done.returncode}")
        told = told.removeprefix("sbatch: error: ")
        raise EngineError(
            f"sbatch has refused the array of {_runs(len(tasks))}: {told}; change the options "
            "behind --slurm"
        )
    return job


def script_of(folder: Folder, tasks: Sequence[Task]) -> str:
    """Return the batch script of an array, whose job n makes the n-th of the runs."""
    words = engines.words_of(folder, "")[:-1]
    names = engines.quoted([task.name for task in tasks])
    return SCRIPT.format(names=names, words=engines.quoted(words))


def sbatch(folder: Folder, size: int, options: Options, script: str) -> list[str]:
    """Return the words that submit an array.

    The user's options come last but for those that the sweep needs, so that they hold.

    Args:
        folder: the folder of the sweep.
        size: how many jobs the array has.
        options: as in `run`.
        script: the path of the batch script.
    """
    together = f"%{options.jobs}" if options.jobs is not None else ""
    words = [
        "sbatch",
        f"--job-name=sweep-{folder.path.name}",
        f"--output={str(folder.path / LOGS).replace('%', '%%')}/%A_%a.txt",
        # Nothing in the user's directory can stand in for a module of seed-init.
        f"--chdir={folder.path}",
    ]
    if options.gpus_per_run:
        words.append(f"--gpus={options.gpus_per_run}")
    return [*words, *options.slurm, "--parsable", f"--array=0-{size - 1}{together}", script]


def _max_array_size() -> int:
    done = _asked("scontrol", "show", "config")
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", done, re.MULTILINE)
    return max(1, int(found[1])) if found else MAX_ARRAY_SIZE


def _asked(*words: str) -> str:
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout


class Queue:
    """What Slurm says of the arrays of one sweep.

    Attributes:
        states: name of a run -> the last state of its newest job, such as "RUNNING".
        reasons: name of a run -> why the job has that state, such as "Resources".
        answered: whether Slurm answered the last question.
    """

    def __init__(self, folder: Folder) -> None:
        self.states: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.answered = False
        self._jobs = {job["id"]: job["tasks"] for job in noted_jobs(folder)}
        self._seen: dict[str, str] = {}

    def look(self) -> None:
        """Ask Slurm for the state of each run."""
        told = self._told() if self._jobs else []
        self.answered = told is not None
        if told is None:
            return
        self._seen = {}
        for job, name, state, reason in sorted(told, key=lambda row: self._age(row[0])):
            self._seen[name] = job
            self.states[name], self.reasons[name] = state, reason

    def _age(self, job: str) -> int:
        """Return the place of an array among those of this sweep: the newest is the last."""
        return list(self._jobs).index(job)

    def waiting(self) -> set[str]:
        """Return the names of the runs that wait in the queue or are being made."""
        return {name for name in self._seen if self.states[name] not in FINAL}

    def jobs_waiting(self) -> list[str]:
        """Return the numbers of the arrays that have such runs."""
        return sorted({self._seen[name] for name in self.waiting()}, key=self._age)

    def text(self) -> str:
        """Return how many runs are in which state, and why those wait that wait."""
        if not self.answered:
            return "Slurm does not answer"
        waiting = self.waiting()
        counts = Counter(self.states[name].lower() for name in waiting)
        reasons = sorted(
            {self.reasons[name] for name in waiting if self.states[name] == "PENDING"}
            - {"None", "JobArrayTaskLimit"}
        )
        parts = [f"{number} {state}" for state, number in sorted(counts.items(), reverse=True)]
        why = f" ({', '.join(reasons)})" if reasons else ""
        return f"Slurm: {', '.join(parts) or 'nothing in the queue'}{why}"

    def _told(self) -> list[tuple[str, str, str, str]] | None:
        """Return array, run, state and reason of what the queue has; None without an answer."""
        words = ("squeue", "--noheader", "--array", "--states=all", "--format=%F|%K|%T|%r")
        numbers = f"--jobs={','.join(self._jobs)}"
        try:
            done = subprocess.run(
                [*words, numbers],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode != 0:
            return [] if "Invalid job id" in done.stderr else None
        return list(self._read(done.stdout))

    def _read(self, text: str) -> Iterator[tuple[str, str, str, str]]:
        for line in text.splitlines():
            job, index, state, reason = (*line.split("|", 3), "", "", "")[:4]
            names = self._jobs.get(job, [])
            if index.isdecimal() and int(index) < len(names):
                yield job, names[int(index)], state, reason


def _wait(folder: Folder, waiting: Waiting, watch: Watch) -> None:
    """Wait until runs are over, or until Slurm has lost them; each of these gets a row."""
    queue = Queue(folder)
    gone: dict[Task, float] = {}
    pause = FIRST_PAUSE
    while waiting.left:
        # In this order: a run that ends between the two questions is not taken for a lost one.
        queue.look()
        waiting.look()
        in_queue = queue.waiting() if queue.answered else {task.name for task in waiting.left}
        now = time.monotonic()
        gone = {task: gone.get(task, now) for task in waiting.left if task.name not in in_queue}
        late = [task for task, since in gone.items() if now - since >= GRACE]
        waiting.lose({task: _why(folder, task, queue.states.get(task.name)) for task in late})
        if waiting.left:
            _pause(FIRST_PAUSE if gone else pause, f"{waiting.text()}; {queue.text()}", watch)
        pause = min(pause * 1.2, LONGEST_PAUSE)


def _why(folder: Folder, task: Task, state: str | None) -> str:
    told = next((last for last in map(_last, _logs(folder, task)) if last), "")
    if state is None:
        why = "the job is not in Slurm's queue any more, and the run has not told its end"
    else:
        why = f"Slurm has ended the job: {state}"
    return f"{why} ({told})" if told else why


def _logs(folder: Folder, task: Task) -> Iterator[Path]:
    """Yield the files of what the jobs of a run have printed, the newest first."""
    for job in reversed(noted_jobs(folder)):
        if task.name in job["tasks"]:
            yield folder.path / LOGS / f"{job['id']}_{job['tasks'].index(task.name)}.txt"


def _last(log: Path) -> str:
    return "".join(metrics.tail(log, 1))


def _pause(seconds: float, text: str, watch: Watch) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        watch.tell(text)
        time.sleep(min(left, 0.25))
