# SPDX-License-Identifier: Apache-2.0
"""This module says which process and which step of two runs belong together.

`verify`, `compare` and `report` all ask here, so that they look at the same pairs.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from seed_init.proof.trace import units
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import End, Moment, Step, end_of

Pair = tuple[Process, Process]


def paired(a: Sequence[Process], b: Sequence[Process]) -> tuple[list[Pair], list[Process]]:
    """Return which processes of two runs belong together, and which have no partner.

    The units of work of an engine are among them, each like a process of its own (`trace.units`):
    which worker takes a unit is no difference.

    Args:
        a: the processes of one run, as `journal.read` gives them, or a record's.
        b: the processes of the other run.

    Returns:
        The pairs, in the order of `a`, and the processes that only one of the runs has.
    """
    a, b = units.parted(a), units.parted(b)
    partners = matched(a, b)
    taken = set(partners.values())
    alone = [process for number, process in enumerate(a) if number not in partners]
    alone += [process for number, process in enumerate(b) if number not in taken]
    return [(a[number], b[partners[number]]) for number in sorted(partners)], alone


def matched(a: Sequence[Process], b: Sequence[Process]) -> dict[int, int]:
    """Which processes of two runs belong together: index in `a` -> index in `b`.

    Processes belong together if they have the same rank, position in the process tree and command
    line. If several have, the first of `a` is paired with the first of `b`. A command line may have
    the name of a temporary file in it (a notebook's kernel does). So the processes that are left
    are paired by how their command lines begin, and at last without them.
    """
    partners: dict[int, int] = {}
    for words in (_words, _outline, _nothing):
        taken = set(partners.values())
        # By key and not by a search: a foreign record may have a hundred thousand processes.
        waiting: dict[Hashable, deque[int]] = defaultdict(deque)
        for number, process in enumerate(b):
            if number not in taken:
                waiting[_key(process, words)].append(number)
        for number, process in enumerate(a):
            if number not in partners and (queue := waiting.get(_key(process, words))):
                partners[number] = queue.popleft()
    return partners


def moved(a: Sequence[Process], b: Sequence[Process]) -> int:
    """Return how many units of work ran in another worker in the second one of two runs.

    Args:
        a: as in `paired`.
        b: likewise.
    """
    workers = matched(a, b)
    of_units = [units.placed(processes) for processes in (a, b)]
    partners = matched(*([unit for unit, _ in side] for side in of_units))
    return sum(
        workers.get(of_units[0][first][1]) != of_units[1][second][1]
        for first, second in partners.items()
    )


def in_rows(runs: Sequence[Sequence[Process]]) -> list[list[Process | None]]:
    """The processes of several runs as rows, those that belong together in one row.

    Each run is matched with the first one; what is left of it, with what is left of those before.

    Args:
        runs: the processes of each run; at least one run.

    Returns:
        Rows with a process for each run, or None where a run has none. The rows of the first run's
        processes come first, in their order.
    """
    runs = [units.parted(processes) for processes in runs]
    first = runs[0]
    rows: list[list[Process | None]] = [[process] for process in first]
    extra: list[Process] = []  # those that begin the rows after the first run's
    for number, processes in enumerate(runs[1:], 1):
        partners = matched(first, processes)
        left = [index for index in range(len(processes)) if index not in set(partners.values())]
        extra_partners = matched(extra, [processes[index] for index in left])
        partners |= {len(first) + row: left[index] for row, index in extra_partners.items()}
        for row, members in enumerate(rows):
            members.append(processes[partners[row]] if row in partners else None)
        new = [processes[index] for index in left if index not in partners.values()]
        rows += [[*[None] * number, process] for process in new]
        extra += new
    return rows


def _key(process: Process, words: Callable[[list[str]], list[str]]) -> Hashable:
    header = process.header
    path, engine = tuple(header["path"]), units.engine_of(process)
    if engine is None:
        path = tuple("random" if units.is_random((part,)) else part for part in path)
    return engine, header["rank"], path, tuple(words(header["argv"][1:]))


def _words(argv: list[str]) -> list[str]:
    return argv


def _outline(argv: list[str]) -> list[str]:
    # A kernel (-m ipykernel_launcher) that was killed before it wrote is not taken for the
    # process that started it.
    return ["" if "/" in word else word for word in argv[:2]]


def _nothing(argv: list[str]) -> list[str]:
    return []


@dataclass(slots=True)
class Beside:
    """A start or a step of one run, and what belongs to it in the other run.

    Attributes:
        first: of the one run; None where it has no such start or step.
        second: of the other run, likewise.
        instead: what the other run does in place of `first`, where from here on the runs step in
            another order; None otherwise.
    """

    first: Moment | None
    second: Moment | None
    instead: Moment | None = None

    @property
    def moment(self) -> Moment:
        """The start or step that is there: the first run's where both have it."""
        moment = self.first or self.second
        assert moment is not None
        return moment


def lined_up(a: Sequence[Moment], b: Sequence[Moment]) -> Iterator[Beside]:
    """The starts and steps of two processes, those that belong together side by side.

    They belong together by optimizer and call. They come in the order of the first run; where the
    second one does the same in another order, the first such place says so.

    Args:
        a: what one process trained, as `training_of` gives it.
        b: what the other one did.
    """
    alike = 0
    for first, second in zip(a, b):
        if _identity(first) != _identity(second):
            break
        alike += 1
        yield Beside(first, second)
    waiting: dict[Hashable, deque[Moment]] = defaultdict(deque)
    for moment in b[alike:]:
        waiting[_identity(moment)].append(moment)
    instead = b[alike] if alike < min(len(a), len(b)) else None
    for moment in a[alike:]:
        queue = waiting[_identity(moment)]
        yield Beside(moment, queue.popleft() if queue else None, instead)
        instead = None
    for moment in b[alike:]:
        queue = waiting[_identity(moment)]
        if queue and queue[0] is moment:
            yield Beside(None, queue.popleft())


def _identity(moment: Moment) -> Hashable:
    return moment.__class__, moment.optimizer, moment.call


@dataclass(frozen=True)
class InCommon:
    """What two runs both have, so that it can be compared.

    Attributes:
        processes: pairs of processes that belong together.
        steps: of the pair that has the most.
        final_weights: parameters whose final digests both have, of all pairs.
        generators: names of those whose last position both have, in some pair.
        alone: processes that only one of the runs has.
        units: pairs of units of work that belong together.
    """

    processes: int
    steps: int
    final_weights: int
    generators: tuple[str, ...]
    alone: int
    units: int = 0

    def __bool__(self) -> bool:
        """False where no comparison can say anything, because nothing was looked at."""
        return bool(self.steps or self.final_weights or self.generators)


def in_common(a: Sequence[Process], b: Sequence[Process]) -> InCommon:
    """What of two runs can be compared; the arguments are those of `paired`."""
    pairs, alone = paired(a, b)
    steps, weights, generators = 0, 0, set[str]()
    for first, second in pairs:
        steps = max(steps, min(len(first.of("step")), len(second.of("step"))))
        ends = end_of(first), end_of(second)
        if ends[0] is not None and ends[1] is not None:
            generators |= ends[0].generators.keys() & ends[1].generators.keys()
            weights += _weights_in_common(ends[0], ends[1])
    of_units = sum(units.engine_of(first) is not None for first, _ in pairs)
    names = tuple(sorted(generators))
    return InCommon(len(pairs) - of_units, steps, weights, names, len(alone), of_units)


def _weights_in_common(first: End, second: End) -> int:
    return sum(
        # A tensor without contents has no digest.
        bool(first_digest and second_digest)
        for optimizer in first.finals.keys() & second.finals.keys()
        for first_digest, second_digest in zip(first.finals[optimizer], second.finals[optimizer])
    )


def named(moment: Moment) -> str:
    """A start or a step in words."""
    kind = "step" if isinstance(moment, Step) else "start"
    return f"{kind} {moment.call} of optimizer {moment.optimizer}"
