# SPDX-License-Identifier: Apache-2.0
"""This module says which process and which step of two runs belong together.

`verify`, `compare` and `report` all ask here, so that they look at the same pairs.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import End, Moment, Step, end_of

Pair = tuple[Process, Process]


def paired(a: Sequence[Process], b: Sequence[Process]) -> tuple[list[Pair], list[Process]]:
    """Which processes of two runs belong together, and those that belong to none.

    Args:
        a: the processes of one run, as `journal.read` gives them, or a record's.
        b: those of the other one.

    Returns:
        The pairs, in the order of `a`, and the processes that only one of the runs has.
    """
    found = matched(a, b)
    taken = set(found.values())
    alone = [each for number, each in enumerate(a) if number not in found]
    alone += [each for number, each in enumerate(b) if number not in taken]
    return [(a[one], b[found[one]]) for one in sorted(found)], alone


def matched(a: Sequence[Process], b: Sequence[Process]) -> dict[int, int]:
    """Which processes of two runs belong together: index in `a` -> index in `b`.

    Processes belong together that have the same rank, place in the process tree and command line;
    of several such ones the first with the first. A command line may have the name of a temporary
    file in it (a notebook's kernel does), so what is left then is paired by how the command lines
    begin, and at last without them.
    """
    found: dict[int, int] = {}
    for words in (_words, _outline, _nothing):
        taken = set(found.values())
        # By key and not by a search: a foreign record may have a hundred thousand processes.
        waiting: dict[Hashable, deque[int]] = defaultdict(deque)
        for number, process in enumerate(b):
            if number not in taken:
                waiting[_key(process, words)].append(number)
        for number, process in enumerate(a):
            if number not in found and (queue := waiting.get(_key(process, words))):
                found[number] = queue.popleft()
    return found


def in_rows(runs: Sequence[Sequence[Process]]) -> list[list[Process | None]]:
    """The processes of several runs as rows, those that belong together in one row.

    Each run is matched with the first one; what is left of it, with what is left of those before.

    Args:
        runs: the processes of each run; at least one run.

    Returns:
        Rows with a process for each run, or None where a run has none. The rows of the first run's
        processes come first, in their order.
    """
    first = runs[0]
    rows: list[list[Process | None]] = [[process] for process in first]
    extra: list[Process] = []  # those that begin the rows after the first run's
    for number, processes in enumerate(runs[1:], 1):
        found = matched(first, processes)
        left = [each for each in range(len(processes)) if each not in set(found.values())]
        others = matched(extra, [processes[each] for each in left])
        found |= {len(first) + row: left[each] for row, each in others.items()}
        for row, members in enumerate(rows):
            members.append(processes[found[row]] if row in found else None)
        new = [processes[each] for each in left if each not in found.values()]
        rows += [[*[None] * number, process] for process in new]
        extra += new
    return rows


def _key(process: Process, words: Callable[[list[str]], list[str]]) -> Hashable:
    header = process.header
    return header["rank"], tuple(header["path"]), tuple(words(header["argv"][1:]))


def _words(given: list[str]) -> list[str]:
    return given


def _outline(given: list[str]) -> list[str]:
    # A kernel (-m ipykernel_launcher) that was killed before it wrote is not taken for the
    # process that started it.
    return ["" if "/" in word else word for word in given[:2]]


def _nothing(given: list[str]) -> list[str]:
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
        found = self.first or self.second
        assert found is not None
        return found


def lined_up(a: Sequence[Moment], b: Sequence[Moment]) -> Iterator[Beside]:
    """The starts and steps of two processes, those that belong together side by side.

    They belong together by optimizer and call. They come in the order of the first run; where the
    second one does the same in another order, the first such place says so.

    Args:
        a: what one process trained, as `training_of` gives it.
        b: what the other one did.
    """
    alike = 0
    for one, other in zip(a, b):
        if _place(one) != _place(other):
            break
        alike += 1
        yield Beside(one, other)
    waiting: dict[Hashable, deque[Moment]] = defaultdict(deque)
    for moment in b[alike:]:
        waiting[_place(moment)].append(moment)
    instead = b[alike] if alike < min(len(a), len(b)) else None
    for moment in a[alike:]:
        queue = waiting[_place(moment)]
        yield Beside(moment, queue.popleft() if queue else None, instead)
        instead = None
    for moment in b[alike:]:
        queue = waiting[_place(moment)]
        if queue and queue[0] is moment:
            yield Beside(None, queue.popleft())


def _place(moment: Moment) -> Hashable:
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
    """

    processes: int
    steps: int
    final_weights: int
    generators: tuple[str, ...]
    alone: int

    def __bool__(self) -> bool:
        """False where no comparison can say anything, because nothing was looked at."""
        return bool(self.steps or self.final_weights or self.generators)


def in_common(a: Sequence[Process], b: Sequence[Process]) -> InCommon:
    """What of two runs can be compared; the arguments are those of `paired`."""
    pairs, alone = paired(a, b)
    steps, weights, generators = 0, 0, set[str]()
    for one, other in pairs:
        steps = max(steps, min(len(one.of("step")), len(other.of("step"))))
        ends = end_of(one), end_of(other)
        if ends[0] is not None and ends[1] is not None:
            generators |= ends[0].generators.keys() & ends[1].generators.keys()
            weights += _weights_in_common(ends[0], ends[1])
    return InCommon(len(pairs), steps, weights, tuple(sorted(generators)), len(alone))


def _weights_in_common(one: End, other: End) -> int:
    return sum(
        # A tensor without contents has no digest.
        bool(digest and another)
        for optimizer in one.finals.keys() & other.finals.keys()
        for digest, another in zip(one.finals[optimizer], other.finals[optimizer])
    )


def named(moment: Moment) -> str:
    """A start or a step in words."""
    kind = "step" if isinstance(moment, Step) else "start"
    return f"{kind} {moment.call} of optimizer {moment.optimizer}"
