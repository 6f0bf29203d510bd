# SPDX-License-Identifier: Apache-2.0
"""Compare the training of two versions of a program, of which one may have more than the other.

`steps` and `events` compare runs of one program: tensors by their number, and what happens in a
step by its place in the sequence. Between two versions a layer may have been added, lines have
moved, and modules have other names. So tensors that both have are compared by name here, and what
happens in a step is lined up by where it comes from: the operator, the module, the function and the
text of the line.
"""

import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any

from seed_init.proof.comparing import steps
from seed_init.proof.comparing.align import matched, paired
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.events import fine_events, unequal
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import Trained

Event = dict[str, Any]
Pair = tuple[Event | None, Event | None]

PLACE = ("file", "line", "function", "module", "node", "batch", "name")
"""What an event says of the place that it comes from, and not of the values there."""

MANY = 4000
"""Events between which common ones (`autojunk` of difflib) tell no places any more."""


@dataclass
class Alone:
    """What only one of two versions has.

    Attributes:
        first: of the first version, one line each.
        second: of the second one.
    """

    first: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.first or self.second)


# --- Steps ------------------------------------------------------------------------------------


def first_difference(
    a: Sequence[Process], b: Sequence[Process], failed: bool = False
) -> tuple[Difference | None, Alone]:
    """Compare the steps and the ends of two versions.

    If one of them has more parameters, or has them in another order, those that both have are
    compared by name. If both have as many, and under other names, they are compared in order.

    Args:
        a: the processes of a run of the first version.
        b: those of a run of the second one.
        failed: as in `steps.first_difference`.

    Returns:
        What was first observed to differ of what both have, and the parameters that only one has.
    """
    first, second, alone = list(a), list(b), Alone()
    for number, counterpart in matched(first, second).items():
        pair = _shared(first[number], second[counterpart], alone)
        first[number], second[counterpart] = pair
    difference = steps.first_difference(first, second, failed=failed)
    if difference is not None and difference.tensor is None:
        difference.tensor = _tensor_at(difference, first, second)
    return difference, alone


def _tensor_at(difference: Difference, a: Sequence[Process], b: Sequence[Process]) -> str | None:
    """Return the first tensor that differs at the step of a difference; None where none does."""
    pairs, _ = paired(a, b)
    if difference.step is None or difference.process >= len(pairs):
        return None
    for parting in steps.partings(*map(Trained, pairs[difference.process])):
        moment = parting.beside.moment
        if (moment.optimizer, moment.call) == (difference.optimizer, difference.step):
            return next((each.tensor for each in parting.unequal if each.tensor), None)
    return None


def _shared(first: Process, second: Process, alone: Alone) -> tuple[Process, Process]:
    """Return two processes with the tensors that both have, in the order of the first."""
    tables = [_tables(process) for process in (first, second)]
    chosen: dict[tuple[int, str], list[str]] = {}
    for key in tables[0].keys() & tables[1].keys():
        names, other_names = tables[0][key], tables[1][key]
        both = [name for name in names if name in set(other_names)]
        is_renamed = len(names) == len(other_names) and len(both) < len(names)
        if names != other_names and both and not is_renamed:
            chosen[key] = both
            if key[1] == "parameters":
                alone.first += [f"parameter {name}" for name in names if name not in set(both)]
                alone.second += [
                    f"parameter {name}" for name in other_names if name not in set(both)
                ]
    if not chosen:
        return first, second
    return _reduced(first, tables[0], chosen), _reduced(second, tables[1], chosen)


def _tables(process: Process) -> dict[tuple[int, str], list[str]]:
    """Return the names of tensors by optimizer and kind, where these do not change in the run."""
    found: dict[tuple[int, str], list[str]] = {}
    changing = set()
    for table in process.of("tensors"):
        key = table["optimizer"], table["kind"]
        if found.setdefault(key, table["names"]) != table["names"]:
            changing.add(key)
    return {key: names for key, names in found.items() if key not in changing}


def _reduced(
    process: Process,
    tables: dict[tuple[int, str], list[str]],
    chosen: dict[tuple[int, str], list[str]],
) -> Process:
    places = {
        key: [tables[key].index(name) for name in names]
        for key, names in chosen.items()
        if len(set(tables[key])) == len(tables[key])
    }
    events = [_reduced_event(event, chosen, places) for event in process.events]
    return Process(process.header, process.file, events)


def _reduced_event(
    event: Event,
    chosen: dict[tuple[int, str], list[str]],
    places: dict[tuple[int, str], list[int]],
) -> Event:
    kind = event["event"]
    if kind == "tensors" and (event["optimizer"], event["kind"]) in places:
        return {**event, "names": chosen[event["optimizer"], event["kind"]]}
    if kind in ("start", "step"):
        vectors = {
            name: _picked(event[name], places[event["optimizer"], name])
            for name in ("gradients", "parameters")
            if isinstance(event.get(name), str) and (event["optimizer"], name) in places
        }
        return {**event, **vectors}
    if kind == "end":
        finals = [
            _reduced_final(final, places.get((final["optimizer"], "parameters")))
            for final in event["final"]
        ]
        return {**event, "final": finals}
    return event


def _reduced_final(final: Event, places: Sequence[int] | None) -> Event:
    if places is None:
        return final
    digests = final["digests"]
    return {**final, "digests": [digests[place] for place in places if place < len(digests)]}


def _picked(vector: str, places: Sequence[int]) -> str:
    """Return those of the numbers of a vector that stand at some places."""
    raw = b64decode(vector)
    numbers = struct.unpack(f"<{len(raw) // 8}q", raw)
    picked = [numbers[place] for place in places if place < len(numbers)]
    return b64encode(struct.pack(f"<{len(picked)}q", *picked)).decode()


# --- Within a step ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """What one version did in the step that was looked at.

    Attributes:
        process: that did it.
        root: the directory of the version's code.
    """

    process: Process
    root: Path

    def place(self, event: Event) -> str:
        """Return what an event is, with its line and module, for a reader."""
        name = event.get("name") or event.get("generator") or event["event"]
        words = [f"{event['event']} {name}" if event["event"] != "operator" else str(name)]
        if "file" in event:
            words.append(f"at {self.file(event)}:{event['line']}")
        if event.get("module"):
            words.append(f"in module {event['module']}")
        return " ".join(words)

    def file(self, event: Event) -> str:
        """Return the file of an event, relative where it is below the root."""
        path = Path(event["file"])
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def text(self, event: Event) -> str:
        """Return the line of code of an event, without the spaces around it."""
        lines = _lines(event["file"]) if "file" in event else ()
        number = event.get("line", 0) - 1
        return lines[number] if 0 <= number < len(lines) else ""


@cache
def _lines(file: str) -> tuple[str, ...]:
    try:
        text = Path(file).read_text(errors="replace") if Path(file).is_file() else ""
    except OSError:
        text = ""
    return tuple(line.strip() for line in text.splitlines())


def first_in_step(a: Look, b: Look) -> tuple[Difference | None, Alone]:
    """Compare what two versions did in one step, lined up by where it comes from.

    Args:
        a: of the first version.
        b: of the second one.

    Returns:
        The first event that both have and that has other values, as a difference without a step;
        and what only one of them did before that, the last of it first.
    """
    alone = Alone()
    for first, second in lined_up(a, b):
        if first is not None and second is not None:
            if _values(first) != _values(second):
                # Where it stands in the other version is no difference.
                there = {name: first[name] for name in PLACE if name in first}
                rest = {name: value for name, value in second.items() if name not in PLACE}
                difference = unequal(first, {**rest, **there})
                # Something else may have made it so: what only one of the versions does.
                difference.text = difference.text.partition(", and no operator made it so")[0]
                return difference, _last_first(alone)
        elif first is not None:
            alone.first.append(a.place(first))
        elif second is not None:
            alone.second.append(b.place(second))
    return None, _last_first(alone)


def _last_first(alone: Alone) -> Alone:
    sides = [list(dict.fromkeys(reversed(side))) for side in (alone.first, alone.second)]
    return Alone(*sides)


def _values(event: Event) -> Event:
    return {name: value for name, value in event.items() if name not in PLACE}


def lined_up(a: Look, b: Look) -> Iterator[Pair]:
    """Yield the events of two versions, those side by side that come from the same place.

    Between two events that are lined up by all that is known of their places, the others are lined
    up by less and less: without the names of modules, then by their values, and at last by what
    they are.

    Args:
        a: of the first version.
        b: of the second one.
    """
    keys: tuple[Callable[[Look, Event], Hashable], ...] = (_place, _line, _result, _kind)
    yield from _aligned((a, fine_events(a.process)), (b, fine_events(b.process)), keys)


def _aligned(
    a: tuple[Look, Sequence[Event]],
    b: tuple[Look, Sequence[Event]],
    keys: Sequence[Callable[[Look, Event], Hashable]],
) -> Iterator[Pair]:
    first, second = a[1], b[1]
    if not keys or not first or not second:
        yield from ((event, None) for event in first)
        yield from ((None, event) for event in second)
        return
    key, *rest = keys
    sides = [[key(look, event) for event in events] for look, events in (a, b)]
    at, counterpart = 0, 0
    for start, there, length in _blocks(*sides):
        yield from _aligned((a[0], first[at:start]), (b[0], second[counterpart:there]), rest)
        yield from zip(first[start : start + length], second[there : there + length])
        at, counterpart = start + length, there + length


def _blocks(a: list[Hashable], b: list[Hashable]) -> Iterator[tuple[int, int, int]]:
    """Yield equal runs of two lists as (index in a, index in b, length); the last has length 0."""
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    end = 0
    while end < min(len(a), len(b)) - same and a[-1 - end] == b[-1 - end]:
        end += 1
    yield 0, 0, same
    middle = a[same : len(a) - end], b[same : len(b) - end]
    matcher = SequenceMatcher(None, *middle, autojunk=max(map(len, middle)) > MANY)
    for block in matcher.get_matching_blocks():
        if block.size:
            yield block.a + same, block.b + same, block.size
    yield len(a) - end, len(b) - end, end
    yield len(a), len(b), 0


def _what(event: Event) -> tuple[Any, ...]:
    name = event["name"] if event["event"] == "operator" else None
    return event["event"], name, event.get("phase"), event.get("generator"), event.get("node")


def _place(look: Look, event: Event) -> Hashable:
    module = event["name"] if event["event"] == "module" else event.get("module")
    return *_what(event), module, event.get("function"), look.text(event)


def _line(look: Look, event: Event) -> Hashable:
    return *_what(event), event.get("function"), look.text(event)


def _result(look: Look, event: Event) -> Hashable:
    return *_what(event), repr(sorted(_values(event).items()))


def _kind(look: Look, event: Event) -> Hashable:
    return _what(event)
