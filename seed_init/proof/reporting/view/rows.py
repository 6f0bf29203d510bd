# SPDX-License-Identifier: Apache-2.0
"""Records are read for a report, and their processes and optimizers are put side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed_init.proof.comparing import align
from seed_init.proof.redaction import redaction
from seed_init.proof.trace import records
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.records import Record
from seed_init.proof.trace.steps import End, Step, Trained
from seed_init.proof.verifying.verdict import Verification

ALL = "all steps"
"""What a series is called where there is no other."""


@dataclass
class Loaded:
    """A record, as it was read.

    Attributes:
        name: of it in this report.
        file: its path as given.
        record: as it is in the file.
        content: its sections, without secrets.
        own: what the verification found that this was a run of; None where there was none.
        failed: an instrument failed, in this run or in another one of its verification.
    """

    name: str
    file: str
    record: Record
    content: dict[str, Any]
    own: Verification | None
    failed: bool


def load(files: Sequence[Path]) -> list[Loaded]:
    """Read records.

    Args:
        files: at least one.

    Raises:
        records.NotARecord: one of them is none; the text is one line for the user.
    """
    return [_load(file, name) for file, name in zip(files, _names(files))]


def _load(file: Path, name: str) -> Loaded:
    record = records.read(file)
    content = redaction.record(record.content)
    verdict = content["verdict"]
    own = None if verdict is None else Verification.from_json(verdict)
    failed = any(process.of("failed") for process in record.processes)
    failed |= own is not None and bool(own.failures)
    return Loaded(name, str(file), record, content, own, failed)


def _names(files: Sequence[Path]) -> list[str]:
    """Return the names of the records on the page: letters, and enough of each path to differ."""
    if len(files) == 1:
        return [files[0].name]
    parts = 1
    while parts < 4 and len({file.parts[-parts:] for file in files}) < len(files):
        parts += 1
    return [f"{_letter(i)} ({'/'.join(file.parts[-parts:])})" for i, file in enumerate(files)]


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else str(index + 1)


@dataclass
class Row:
    """Processes that belong together, one of each record.

    Attributes:
        members: of each record; None where it has none.
        steps: of each record, optimizer -> call -> step.
    """

    members: list[Trained | None]
    steps: list[dict[int, dict[int, Step]]]

    @property
    def ends(self) -> list[End | None]:
        """Of each record; None where the process was killed."""
        return [None if process is None else process.end for process in self.members]

    @property
    def rank(self) -> int:
        """-1 where there are no ranks."""
        rank = self._first.rank
        return -1 if rank is None else rank

    @property
    def path(self) -> tuple[str, ...]:
        """The place in the process tree."""
        return tuple(map(str, self._first.header["path"]))

    @property
    def _first(self) -> Process:
        return next(member.process for member in self.members if member is not None)


def rows_of(loaded: Sequence[Loaded]) -> list[Row]:
    """The processes of all records, those that belong together in one row."""
    rows = align.in_rows([record.record.processes for record in loaded])
    trained = [[None if process is None else Trained(process) for process in row] for row in rows]
    return [Row(row, [_by_optimizer(process) for process in row]) for row in trained]


def _by_optimizer(process: Trained | None) -> dict[int, dict[int, Step]]:
    by_optimizer: dict[int, dict[int, Step]] = {}
    for step in process.moments if process is not None else ():
        if isinstance(step, Step):
            by_optimizer.setdefault(step.optimizer, {})[step.call] = step
    return by_optimizer


def names_of(rows: Sequence[Row]) -> list[str]:
    """What a reader calls each process: by rank and path, and by turn where those are equal."""
    names = []
    for row, turn in zip(rows, turns_of(rows)):
        parts = [f"rank {row.rank}"] if row.rank >= 0 else []
        parts += [f"child {'.'.join(row.path)}"] if row.path else []
        parts += [f"process {turn + 1}"] if turn else []
        names.append(", ".join(parts) or "main process")
    return names


def turns_of(rows: Sequence[Row]) -> list[int]:
    """0 for the first of the rows with its rank and path, 1 for the second, ..."""
    turns: dict[tuple[int, tuple[str, ...]], int] = {}
    numbers = []
    for row in rows:
        turn = turns.get((row.rank, row.path), 0)
        turns[row.rank, row.path] = turn + 1
        numbers.append(turn)
    return numbers


@dataclass
class Series:
    """The steps of one optimizer of one row.

    Attributes:
        row: its row.
        number: of the row among all.
        turn: of the row among those that train (`turns_of`).
        optimizer: its number in its process.
        label: what a reader calls it: nothing more than tells it from the others.
        steps: of each record, call -> step.
    """

    row: Row
    number: int
    turn: int
    optimizer: int
    label: str
    steps: list[dict[int, Step]]

    @property
    def process(self) -> tuple[int, tuple[str, ...], int]:
        """Rank, path and turn: what orders rows for a reader."""
        return self.row.rank, self.row.path, self.turn

    def calls(self, *records: int) -> list[int]:
        """The calls that at least one of some records has, in order."""
        return sorted(set().union(*(self.steps[record] for record in records)))


def series_of(rows: Sequence[Row]) -> list[Series]:
    """The steps of all records, ranks in order; first those that the first record has."""
    # Only rows that train: a launcher, say, takes no turn.
    training = [(number, row) for number, row in enumerate(rows) if any(row.steps)]
    turns = turns_of([row for _, row in training])
    series = [
        Series(row, number, turn, optimizer, "", [steps.get(optimizer, {}) for steps in row.steps])
        for (number, row), turn in zip(training, turns)
        for optimizer in sorted({optimizer for steps in row.steps for optimizer in steps})
    ]
    series.sort(
        key=lambda one_series: (_first_record(one_series), one_series.process, one_series.optimizer)
    )
    for one_series, label in zip(series, _labels(series)):
        one_series.label = label
    return series


def _first_record(series: Series) -> int:
    return next(number for number, steps in enumerate(series.steps) if steps)


def _labels(series: Sequence[Series]) -> Iterator[str]:
    paths: dict[int, set[tuple[str, ...]]] = {}
    beside: dict[tuple[int, tuple[str, ...]], list[Series]] = {}
    for one_series in series:
        paths.setdefault(one_series.row.rank, set()).add(one_series.row.path)
        beside.setdefault((one_series.row.rank, one_series.row.path), []).append(one_series)
    for one_series in series:
        rank, path = one_series.row.rank, one_series.row.path
        parts = [f"rank {rank}"] if rank >= 0 else []
        if len(paths[rank]) > 1:
            parts.append(f"child {'.'.join(path)}" if path else "main process")
        if any(sibling.turn for sibling in beside[rank, path]):
            parts.append(f"process {one_series.turn + 1}")
        if any(sibling.optimizer for sibling in beside[rank, path]):
            parts.append(f"optimizer {one_series.optimizer}")
        yield ", ".join(parts) or ALL
