# SPDX-License-Identifier: Apache-2.0
"""Units of work in a trace: what a worker did for each of them, apart from what it did for itself.

A unit's streams start at its own path, in whichever worker it runs. So two runs are compared unit
by unit, and a worker by what it did between units.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seed_init.proof.trace.journal import Process

Event = dict[str, Any]

ENGINE = "engine"
"""In the header of a unit that is looked at like a process: the engine."""


RANDOM_LEAST = 2**32
"""What is counted has no such number, and a number for want of an identity has
(`hook.random_number`)."""


def is_random(path: Sequence[str | int]) -> bool:
    """Return whether a part of a path is another number in each run."""
    return any(isinstance(part, int) and part >= RANDOM_LEAST for part in path)


def engine_of(process: Process) -> str | None:
    """Return whose unit this is; None for a process."""
    engine: str | None = process.header.get(ENGINE)
    return engine


def parted(processes: Sequence[Process]) -> list[Process]:
    """Return the processes without what they did for units, and after them each unit like one.

    If a unit was cut short, because its worker was killed, and has run again to its end, only the
    latter is there.

    Args:
        processes: as `journal.read` gives them, or a record's.
    """
    return [process for process, _ in _placed(processes)]


def placed(processes: Sequence[Process]) -> list[tuple[Process, int]]:
    """Return each unit, as `parted` does, with the place of its worker among the processes.

    Args:
        processes: as in `parted`.
    """
    return [(part, place) for part, place in _placed(processes) if engine_of(part) is not None]


def _placed(processes: Sequence[Process]) -> list[tuple[Process, int]]:
    own: list[tuple[Process, int]] = []
    of_units: list[tuple[Process, int]] = []
    for place, process in enumerate(processes):
        numbers = {event["unit"]: event for event in process.of("unit")}
        if not numbers:
            own.append((process, place))
            continue
        rest, parts = _split(process, numbers)
        own.append((rest, place))
        of_units += [(part, place) for part in parts]
    ended = {_identity(part) for part, _ in of_units if part.of("end")}
    return own + [
        (part, place) for part, place in of_units if part.of("end") or _identity(part) not in ended
    ]


def _identity(unit: Process) -> tuple[Any, ...]:
    return unit.header[ENGINE], tuple(unit.header["path"])


def _split(process: Process, numbers: Mapping[int, Event]) -> tuple[Process, list[Process]]:
    """Return a process without its units, and its units.

    Args:
        process: one that has units.
        numbers: number -> the event with which the unit begins.
    """
    rest: list[Event] = []
    events: dict[int, list[Event]] = {number: [] for number in numbers}
    ends: dict[int, Event] = {}
    owners: dict[int, int] = {}  # optimizer -> the unit that it belongs to
    for event in process.events:
        number = event.get("unit")
        kind = event["event"]
        if number not in events:
            rest.append(event)
        elif kind == "unit_end":
            ends[number] = event
        elif kind in ("start", "step", "tensors"):
            owners.setdefault(event["optimizer"], number)
            events[number].append(event)
        elif kind != "unit":
            rest.append(event)
    finals = [final for event in process.of("end", "unit_end") for final in event["final"]]
    owners |= {final["optimizer"]: final["unit"] for final in finals if "unit" in final}
    units = [
        _unit(process, begin, events[number], ends.get(number), finals, owners)
        for number, begin in numbers.items()
    ]
    for position, event in enumerate(rest):
        if event["event"] == "end":
            left = [final for final in event["final"] if final["optimizer"] not in owners]
            rest[position] = {**event, "final": left}
    return replace(process, events=rest), units


def _unit(
    process: Process,
    begin: Event,
    events: list[Event],
    end: Event | None,
    finals: list[Event],
    owners: Mapping[int, int],
) -> Process:
    # In another worker the same optimizer may be the first one, or the third.
    own_optimizers = sorted(of for of, owner in owners.items() if owner == begin["unit"])
    turns = {of: turn for turn, of in enumerate(own_optimizers)}
    events = [{**event, "optimizer": turns[event["optimizer"]]} for event in events]
    if end is not None:
        own = [
            {**final, "optimizer": turns[final["optimizer"]]}
            for final in finals
            if final["optimizer"] in turns
        ]
        compiled = any(event.get("compiled") for event in process.of("end"))
        generators = end["generators"]
        events.append(
            {"event": "end", "generators": generators, "final": own, "compiled": compiled}
        )
    rank = process.header["rank"] if end is None else end["rank"]
    header = {
        **process.header,
        ENGINE: begin["engine"],
        "path": begin["path"],
        "rank": rank,
        "argv": [],
    }
    return replace(process, header=header, events=events)


def count(processes: Sequence[Process]) -> dict[str, int]:
    """Return engine -> how many units of it were seen.

    Args:
        processes: as in `parted`.
    """
    return dict(Counter(part.header[ENGINE] for part, _ in placed(processes)))


def unseen(processes: Sequence[Process]) -> list[str]:
    """Return what was not seen of the units of a run, a line each.

    Args:
        processes: as in `parted`.
    """
    sent: Counter[str] = Counter()
    for process in processes:
        for event in process.of("units"):
            sent.update(event["sent"])
    begun = Counter(
        event["engine"]
        for process in processes
        for event in process.of("unit")
        if event["path"][-3:-2] != ["call"]  # of an actor of Ray's, which nobody has counted
    )
    lines = [_not_seen(engine, sent[engine], begun[engine]) for engine in sent]
    shared = Counter(
        event["engine"]
        for process in processes
        for event in process.of("unit")
        if not event["alone"]
    )
    lines += [
        f"what {_several(number, engine)} drew: other threads of the process drew meanwhile"
        for engine, number in shared.items()
    ]
    cut = Counter(part.header[ENGINE] for part, _ in placed(processes) if not part.of("end"))
    lines += [
        f"how {_several(number, engine)} ended: the end was not seen"
        for engine, number in cut.items()
    ]
    return [line for line in lines if line]


def _not_seen(engine: str, sent: int, begun: int) -> str:
    if begun >= max(sent, 1):
        return ""
    return (
        f"units of work of {engine}: of {sent or 'those'} that the program submitted, "
        f"{begun or 'none'} ran where it is observed; workers are not that were started before, "
        "run on another machine, or have no hook"
    )


def _several(number: int, engine: str) -> str:
    return f"{number} unit{'s' if number > 1 else ''} of {engine}"
