# SPDX-License-Identifier: Apache-2.0
"""Two runs are compared step by step, and what differs first is named."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from seed_init.proof.comparing.align import Beside, lined_up, named, paired
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.values import counted
from seed_init.proof.trace import units
from seed_init.proof.trace.columns import coarsened, coarsened_bits
from seed_init.proof.trace.journal import UNREADABLE, Process
from seed_init.proof.trace.steps import End, Loss, Step, Tensors, Trained

ORDER = ("draw", "loss", "gradient", "parameter")
"""Levels of what differs at one step: each can only be a consequence of those before it."""


SHOWN_MAX = 60
"""Characters of a command line that tell a process from others."""


@dataclass(frozen=True)
class Unequal:
    """One kind of thing that differs at a start or a step.

    Attributes:
        level: "draw", "loss", "gradient", "parameter", or "trace" where only one of the runs has
            the step, or they step in another order.
        text: what differs, in one clause.
        names: the generators or tensors that differ, in order; empty where that is not known.
        count: how many there are of the kind, equal ones as well; 0 where that is not known.
        tensor: the first of `names`, where it stands for one tensor.
        values: what each run has, where that says something to a person.
        exact: what each run has, bit for bit, as text.
        when: " before the first step" for a start, else empty.
        is_absence: True where one of the runs lacks what the other one has. Where an instrument
            failed, that may only not have been seen, and proves no difference.
    """

    level: str
    text: str
    names: tuple[str, ...] = ()
    count: int = 0
    tensor: str | None = None
    values: tuple[float | str | int | None, float | str | int | None] | None = None
    exact: tuple[str, str] | None = None
    when: str = ""
    is_absence: bool = False


@dataclass(frozen=True)
class Parting:
    """A start or a step at which two runs are not equal.

    Attributes:
        beside: what each run has there.
        unequal: what differs, in `ORDER`; at least one.
    """

    beside: Beside
    unequal: tuple[Unequal, ...]

    def proven(self, failed: bool) -> "Parting | None":
        """Return what of this is a difference for certain; None where nothing is.

        Args:
            failed: an instrument failed in one of the runs.
        """
        if not failed:
            return self
        unequal = tuple(each for each in self.unequal if not each.is_absence)
        return Parting(self.beside, unequal) if unequal else None

    def difference(self) -> Difference:
        """What differs first."""
        first, moment = self.unequal[0], self.beside.moment
        return Difference(
            first.level,
            first.text,
            step=moment.call,
            optimizer=moment.optimizer,
            tensor=first.tensor,
            generator=first.names[0] if first.level == "draw" else None,
            values=None if first.values is None else list(first.values),
        )


def has_failed(processes: Sequence[Process]) -> bool:
    """Return whether an instrument failed in one of some processes."""
    return any(process.of("failed") for process in processes)


def first_difference(
    a: Sequence[Process], b: Sequence[Process], steps: bool = True, failed: bool = False
) -> Difference | None:
    """Compare the traces of two runs.

    Args:
        a: the processes of one run, as `journal.read` gives them, or a record's.
        b: those of the other one.
        steps: compare the starts and the steps, too, and not the ends only.
        failed: something of ours failed in one of the runs that no process has written down.

    Returns:
        What was first observed to differ: the earliest step of all processes, and there what
        comes first in `ORDER`. None where everything that both have is equal.
    """
    pairs, alone = paired(a, b)
    failed = failed or has_failed(a) or has_failed(b)
    trained = [(Trained(first), Trained(second)) for first, second in pairs]
    firsts = [first_proven(partings(*pair), failed) if steps else None for pair in trained]
    return first_of(trained, firsts, alone if steps else [], failed)


def moved_workers(a: Sequence[Process], b: Sequence[Process]) -> list[Process]:
    """Return workers of one pool whose generators stand elsewhere at the end, if no more differs.

    Then a task has gone to another worker: each worker draws from a stream of its own.

    Args:
        a: as in `first_difference`.
        b: likewise.

    Returns:
        At least two processes of `a` with one parent; none where anything else differs.
    """
    pairs, _ = paired(a, b)
    found: list[Process] = []
    for first, second in pairs:
        pair = Trained(first), Trained(second)
        if any(partings(*pair)):
            return []
        difference = _at_end(pair[0].end, pair[1].end, True)
        if difference is not None and (difference.level != "generator" or not _is_worker(first)):
            return []
        found += [first] * (difference is not None)
    pools = {tuple(process.header["path"][:-1]) for process in found}
    return found if len(found) > 1 and len(pools) == 1 else []


def _is_worker(process: Process) -> bool:
    """Return whether a process is a child by multiprocessing, or a copy of it (`hook.copies`)."""
    path = process.header["path"]
    return units.engine_of(process) is None and "process" in path[-2:-1]


def first_proven(parted: Iterable[Parting], failed: bool) -> Parting | None:
    """Return where two processes part for certain; None where they do not.

    Args:
        parted: what `partings` gives.
        failed: as in `Parting.proven`.
    """
    return next((proven for parting in parted if (proven := parting.proven(failed))), None)


def first_of(
    pairs: Sequence[tuple[Trained, Trained]],
    firsts: Sequence[Parting | None],
    alone: Sequence[Process],
    failed: bool,
) -> Difference | None:
    """What was first observed to differ between two runs whose steps have been compared.

    Args:
        pairs: the processes that belong together.
        firsts: of each pair, where its steps part first; None where they do not.
        alone: the processes that only one of the runs has.
        failed: an instrument failed in one of the runs: what only one of them has is none then.
    """
    differences = []
    for number, ((first, second), parting) in enumerate(zip(pairs, firsts)):
        # A worker that is killed has not told the final weights of each of its units.
        is_unit = units.engine_of(first.process) is not None
        at_end = _at_end(first.end, second.end, failed or is_unit) if parting is None else None
        difference = parting.difference() if parting else at_end
        if difference is not None:
            difference.rank, difference.process = first.process.rank, number
            difference.who = _who(first.process, len(pairs))
            difference.is_in_a_unit = is_unit
            differences.append(difference)
    if not differences and not failed and any(process.of("step") for process in alone):
        processes = counted(len(alone), "process", "es")
        return Difference("trace", f"{processes} trained in one run and not in the other one")
    return min(differences, key=precedence, default=None)


def _who(process: Process, number: int) -> str | None:
    """Return what a reader calls a process or unit of work; None where there is only one process.

    Args:
        process: of one of the runs.
        number: of all that were compared.
    """
    path = " ".join(map(str, process.header["path"]))
    engine = units.engine_of(process)
    if engine is not None:
        return f"{engine}'s unit {path}"
    if number < 2:
        return None
    words = process.header["argv"]
    command = " ".join(Path(word).name for word in words)[:SHOWN_MAX]
    return f"{path} ({command})" if path else command


def precedence(difference: Difference) -> tuple[float, int, int]:
    """Where a difference stands among others: the smallest is named first."""
    step = difference.step if difference.step is not None else float("inf")
    order = ORDER.index(difference.level) if difference.level in ORDER else len(ORDER)
    return step, order, difference.rank or 0


def partings(a: Trained, b: Trained) -> Iterator[Parting]:
    """Each start and step at which two processes are not equal, in order.

    Args:
        a: a process of one run.
        b: the process of the other run that belongs to it (`align.paired`).
    """
    cut_short = b.end is None, a.end is None
    for beside in lined_up(a.moments, b.moments):
        unequal = tuple(_unequal(beside, cut_short))
        if unequal:
            yield Parting(beside, unequal)


def _unequal(beside: Beside, cut_short: tuple[bool, bool]) -> Iterator[Unequal]:
    first, second = beside.first, beside.second
    if beside.instead is not None:
        order = f"{named(beside.moment)} and {named(beside.instead)}"
        yield Unequal("trace", f"the runs step in another order: {order}", is_absence=True)
    if first is None or second is None:
        text = f"only one of the runs (the {'second' if first is None else 'first'}) has this step"
        if cut_short[first is None]:
            text += (
                "; the process of the other one did not come to its end, and steps that were "
                "on a device then are lost"
            )
        yield Unequal("trace", text, is_absence=True)
    elif isinstance(first, Step) and isinstance(second, Step):
        yield from _in_step(first, second)
    else:
        when = " before the first step"
        yield from _tensors("parameters", first.parameters, second.parameters, when)


def _in_step(first: Step, second: Step) -> Iterator[Unequal]:
    if first.is_surely(second):
        return iter(())
    return chain(
        _generators(first, second),
        _losses(first.losses, second.losses),
        _tensors("gradients", first.gradients, second.gradients),
        _tensors("parameters", first.parameters, second.parameters),
    )


def _generators(first: Step, second: Step) -> Iterator[Unequal]:
    if first.generators == second.generators:
        return
    # A library that only one run has imported by now is seen when it is drawn from.
    shared = sorted(first.generators.keys() & second.generators.keys())
    moved = tuple(name for name in shared if first.generators[name] != second.generators[name])
    if moved:
        yield Unequal(
            "draw",
            f"the generator of {moved[0]} stands elsewhere: draws in one run only, or others",
            moved,
            len(shared),
            exact=(first.generators[moved[0]], second.generators[moved[0]]),
        )


def _losses(first: Sequence[Loss], second: Sequence[Loss]) -> Iterator[Unequal]:
    if [loss.bits for loss in first] == [loss.bits for loss in second]:
        return
    exact = exact_losses(first), exact_losses(second)
    if len(first) != len(second):
        text = f"{len(first)} and {len(second)} backward passes"
        yield Unequal("loss", text, exact=exact, is_absence=True)
        return
    first_loss, second_loss = next((x, y) for x, y in zip(first, second) if x.bits != y.bits)
    values = (first_loss.value, second_loss.value)
    if values[0] == values[1] and values[0] is not None:
        # There is more than one nan.
        values = (
            f"{first_loss.value} (bits {first_loss.bits})",
            f"{second_loss.value} (bits {second_loss.bits})",
        )
    text = f"the loss is {values[0]} and {values[1]}" if None not in values else "the loss differs"
    yield Unequal("loss", text, values=values, exact=exact)


def exact_losses(losses: Sequence[Loss]) -> str:
    """Losses with their bits, because two may look the same and not be."""
    return (
        ", ".join(
            f"fingerprint {loss.bits}"
            if loss.value is None
            else f"{float(loss.value)!r} (bits {loss.bits})"
            for loss in losses
        )
        or "none"
    )


def _tensors(
    kind: str, first: Tensors | None, second: Tensors | None, when: str = ""
) -> Iterator[Unequal]:
    level = kind.removesuffix("s")
    if first is None or second is None:
        if first is not second:
            text = f"only one of the runs has {kind}{when}"
            yield Unequal(level, text, when=when, is_absence=True)
        return
    if first.vector is None or second.vector is None:
        first, second = first.shortened(), second.shortened()
    if (first.vector, first.total) == (second.vector, second.total):
        return
    sums = f"all {kind}: {first.total}", f"all {kind}: {second.total}"
    exact = sums if first.vector is None else None
    counts = first.count(), second.count()
    if counts[0] != counts[1]:
        yield Unequal(level, f"{counts[0]} and {counts[1]} {kind}{when}", exact=exact, when=when)
        return
    group = max(first.group, second.group)
    numbers = _unequal_numbers(first, second, group)
    names = tuple(_member(first.names, number, group) for number in numbers)
    if names:
        text = _sentence(level, names, counts[0] if group == 1 else None) + when
        alone = group == 1 or len(first.names[numbers[0] * group :][:group]) == 1
        tensor = names[0] if alone else None
        yield Unequal(level, text, names, counts[0], tensor, exact=exact, when=when)
    elif first.vector is None and not (first.unreadable or second.unreadable):
        # Within a column two tensors may change by the same bits, in the sum they do not.
        text = f"the {kind} differ{when}"
        yield Unequal(level, text, (), counts[0], exact=exact, when=when)


def _unequal_numbers(first: Tensors, second: Tensors, group: int) -> list[int]:
    """Return which tensors differ; of records, which columns of `group` tensors each differ.

    What could not be read is no difference: the trace names it as a failure.
    """
    if first.vector is not None:
        pairs = zip(first.numbers(), second.numbers())
        return [n for n, pair in enumerate(pairs) if pair[0] != pair[1] and UNREADABLE not in pair]
    columns = [
        coarsened(list(tensors.columns), group // tensors.group) for tensors in (first, second)
    ]
    unknown = 0
    for tensors in (first, second):
        unknown |= coarsened_bits(tensors.unreadable, group // tensors.group)
    pairs = zip(*columns)
    return [n for n, pair in enumerate(pairs) if pair[0] != pair[1] and not unknown >> n & 1]


def _member(names: Sequence[str], number: int, group: int) -> str:
    """Return the name of a tensor, or the names behind a column that stands for several tensors."""
    members = names[number * group : (number + 1) * group]
    if not members:
        return f"number {number * group}"
    return members[0] if len(members) == 1 else f"one of {members[0]} to {members[-1]}"


def _sentence(level: str, names: Sequence[str], count: int | None) -> str:
    if len(names) == 1:
        return f"the {level} {names[0]} differs"
    of = "" if count is None else f"of {count - 1} "
    return f"the {level} {names[0]} and {len(names) - 1} {of}others differ"


def _at_end(first: End | None, second: End | None, failed: bool) -> Difference | None:
    """What differs after the last step: the final weights, and where the generators stand."""
    if first is None or second is None:
        return None
    for optimizer in sorted({*first.finals, *second.finals}):
        x, y = first.finals.get(optimizer), second.finals.get(optimizer)
        if x is None or y is None:
            if failed:
                continue
            return Difference("trace", f"only one of the runs made optimizer {optimizer}")
        # An empty digest is of what has no contents, or could not be read, which is reported.
        unequal = [i for i, pair in enumerate(zip(x, y)) if pair[0] != pair[1] and "" not in pair]
        if unequal or len(x) != len(y):
            number = unequal[0] if unequal else min(len(x), len(y))
            name = _member(first.names.get(optimizer, ()), number, 1)
            text = f"the final parameter {name} differs"
            return Difference("parameter", text, tensor=name, optimizer=optimizer)
    for name in sorted(first.generators.keys() & second.generators.keys()):
        if first.generators[name] != second.generators[name]:
            text = f"the generator of {name} stands elsewhere at the end"
            return Difference("generator", text, generator=name)
    return None
