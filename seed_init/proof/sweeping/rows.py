# SPDX-License-Identifier: Apache-2.0
"""The runs of a sweep with what was read from them: metrics, and their standard output."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

from seed_init.proof.redaction import redaction
from seed_init.proof.sweeping import metrics, words
from seed_init.proof.sweeping.given import Lines
from seed_init.proof.sweeping.ledger import Folder, Row
from seed_init.proof.sweeping.metrics import Value
from seed_init.proof.sweeping.one import KEPT, OUT, why
from seed_init.proof.sweeping.plan import AGAINST, RUN, Plan, Task

UNEQUAL_MOST = 100_000
"""So many lines that differ are counted; then two outputs have nothing in common."""


@dataclass(frozen=True)
class Shown:
    """One run of a sweep, as its result shows it.

    Attributes:
        task: which run it is.
        row: what is there of it; None where it has not run.
        values: metric -> what was read; empty unless the run has ended well.
        problems: what is wrong with it, one line each.
    """

    task: Task
    row: Row | None
    values: dict[str, Value] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """True where the run has ended well."""
        return self.row is not None and self.row.is_well

    @property
    def digest(self) -> str | None:
        """What stands for everything that the run has trained; None where nothing was seen."""
        results = self.row.content.get("results") if self.row is not None else None
        return results["digest"] if results else None

    def numbers(self) -> tuple[float | None, ...]:
        """Return the value of each metric."""
        return tuple(value.number for value in self.values.values())

    def readings(self) -> dict[str, float | str]:
        """Return what was read of each metric: a number, NaN or infinity by name."""
        read = {name: value.not_finite or value.number for name, value in self.values.items()}
        return {name: found for name, found in read.items() if found is not None}


@dataclass(frozen=True)
class Sweep:
    """A sweep with all its runs.

    Attributes:
        folder: its folder.
        plan: its plan.
        runs: every run of the plan, in order.
    """

    folder: Folder
    plan: Plan
    runs: tuple[Shown, ...]

    def of(self, arm: str) -> list[Shown]:
        """Return the runs of an arm that have ended well, without the second run of a seed."""
        return [
            run for run in self.runs if run.task.arm == arm and not run.task.again and run.is_well
        ]

    def repeated(self) -> tuple[Shown, Shown] | None:
        """Return the two runs of the first seed; None where the plan has no second one."""
        again = next((run for run in self.runs if run.task.again), None)
        if again is None:
            return None
        first = next(
            run
            for run in self.runs
            if (run.task.arm, run.task.seed) == (again.task.arm, again.task.seed)
            and not run.task.again
        )
        return first, again

    @property
    def arms(self) -> list[str]:
        """The arms that the plan has."""
        return [RUN] if self.plan.against is None else [RUN, AGAINST]

    def lines(self, run: Shown) -> Iterator[str]:
        """Yield the standard output of a run as it is compared with others."""
        assert run.row is not None
        of = self.plan.words_of(run.task.arm)
        names = [str(run.row.directory / OUT)]
        for name in words.names(of):
            (filled,) = words.filled(
                (name,), run.task.seed, Path(), again=run.task.again, inputs=self.plan.inputs
            )
            names.append(filled.partition("=")[2] or filled)
        return Lines(run.task.seed, names).of(run.row.directory / "stdout.txt")


def read(folder: Folder) -> Sweep:
    """Read a sweep: its plan, and what there is of its runs.

    Raises:
        plan.NotASweep: the folder has no plan that can be read.
    """
    plan = folder.plan()
    plan = replace(plan, metrics=metrics.distinct(list(map(_without_secrets, plan.metrics))))
    return Sweep(folder, plan, tuple(_shown(plan, task, row) for task, row in folder.rows(plan)))


def _without_secrets(metric: metrics.Metric) -> metrics.Metric:
    """Return a metric whose name may be shown; results find its values by that name."""
    return replace(metric, name=redaction.text(metric.name))


def _shown(plan: Plan, task: Task, row: Row | None) -> Shown:
    if row is None:
        return Shown(task, None, problems=("has not run to its end",))
    row.content.pop("modules", None)  # of thousands of runs, these are what needs the room
    notes = tuple(row.content.get("notes", ()))
    notes += tuple(row.content.get("failures", ()))
    if not row.is_well:
        return Shown(task, row, problems=(why(row), *notes))
    values = {metric.name: _value(plan, task, row, metric) for metric in plan.metrics}
    problems = tuple(
        f"{name}: {value.problem}{_last(value.tail)}"
        for name, value in values.items()
        if value.problem is not None
    )
    return Shown(task, row, values, (*problems, *notes))


def _value(plan: Plan, task: Task, row: Row, metric: metrics.Metric) -> Value:
    directory = row.directory
    file = None
    if metric.file is not None:
        file = directory / KEPT / metrics.kept_name(metric.file)
        reason = row.content.get("not_kept", {}).get(metric.file)
        if reason is not None:
            return Value(None, reason)
        if not file.is_file():
            # A metric that was added later: what has a name of its own is still the run's.
            (name,) = words.filled(
                (metric.file,), task.seed, directory / OUT, again=task.again, inputs=plan.inputs
            )
            file = Path(plan.cwd, name) if name != metric.file else None
    return metrics.read(metric, directory / "stdout.txt", directory / "stderr.txt", file)


def _last(lines: tuple[str, ...]) -> str:
    return f"; it ends with {' | '.join(lines)}" if lines else ""


@dataclass(frozen=True)
class Unequal:
    """How the standard output of two runs of one seed differs.

    Attributes:
        lines: how many lines the longer one has.
        numbers: which lines are not equal, from 0.
        first: the first such line of each run; None where the run has no such line.
        as_many: whether both have equally many lines.
    """

    lines: int
    numbers: frozenset[int]
    first: tuple[str | None, str | None] | None
    as_many: bool


def compare_lines(sweep: Sweep, first: Shown, second: Shown) -> Unequal:
    """Compare the standard output of two runs, line by line.

    Raises:
        OSError: an output cannot be read.
    """
    numbers: set[int] = set()
    at, count, as_many = None, 0, True
    for number, (here, there) in enumerate(zip_longest(sweep.lines(first), sweep.lines(second))):
        count += 1
        as_many = as_many and None not in (here, there)
        if here != there:
            numbers.add(number)
            at = at or (here, there)
            if len(numbers) == UNEQUAL_MOST:
                as_many = False
                break
    return Unequal(count, frozenset(numbers), at, as_many)


def stable_lines(sweep: Sweep, run: Shown, without: frozenset[int]) -> tuple[str, int]:
    """Return the digest of the lines of a run that two runs of one seed have in common.

    Args:
        sweep: the sweep.
        run: the run.
        without: the numbers of lines that differ between two runs of one seed, such as times.

    Returns:
        The digest, and how many lines it is made of.

    Raises:
        OSError: the output cannot be read.
    """
    content, count, number = sha256(), 0, -1
    for number, line in enumerate(sweep.lines(run)):
        if number not in without:
            content.update(line.encode())
            count += 1
    content.update(f"{number}".encode())
    return content.hexdigest(), count
