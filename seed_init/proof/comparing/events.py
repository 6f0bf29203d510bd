# SPDX-License-Identifier: Apache-2.0
"""The first difference between two fine looks at one step."""

from itertools import zip_longest
from pathlib import Path
from typing import Any

from seed_init.proof.comparing.difference import Difference, source_of
from seed_init.proof.trace.journal import Process

Event = dict[str, Any]


def first_in_window(a: Process, b: Process) -> Difference | None:
    """Compare what two processes wrote while their windows were open.

    Args:
        a: a process whose plan had the instrument `window`.
        b: the same process of another run.

    Returns:
        The first event that differs, as a difference without a step; None where all are equal.
    """
    for first, second in zip_longest(fine_events(a), fine_events(b)):
        if first is None or second is None or _essence(first) != _essence(second):
            return unequal(first, second)
    return None


def fine_events(process: Process) -> list[Event]:
    """What a process wrote while its window was open."""
    return [event for event in process.events if event.get("fine")]


def _essence(event: Event) -> Event:
    # A notebook's cells lie in a directory with the number of the process in its name.
    return {**event, "file": Path(event["file"]).name} if "file" in event else event


def unequal(first: Event | None, second: Event | None) -> Difference:
    """The difference of two events that are not equal.

    Args:
        first: of one run; None where it did nothing more.
        second: of the other run, likewise.
    """
    if first is None or second is None or not _is_same_action(first, second):
        return _paths(first, second)
    kind = first["event"]
    if kind == "operator":
        return _operator(first, second)
    if kind == "draw":
        text = f"draws from {first['generator']} that leave it elsewhere"
        return Difference("draw", text, generator=first["generator"], source=source_of(first))
    if kind == "batch":
        text = f"batch {first['number']} of a DataLoader differs"
        return Difference("batch", text, batch=first["number"], source=source_of(first))
    if kind == "module":
        ends = first["phase"] == "output" and first.get("keywords") == second.get("keywords")
        text = (
            f"the module {first['name']} gives another output for an equal input"
            if ends
            else f"the module {first['name']} gets another input"
        )
        return Difference("module", text, module=first["name"])
    return Difference("loss", "the loss differs", source=source_of(first))


def _is_same_action(first: Event, second: Event) -> bool:
    """Return whether both runs do the same thing at the same line."""
    keys = ("event", "name", "line", "function", "phase", "number", "generator")
    return all(first.get(key) == second.get(key) for key in keys)


def _paths(first: Event | None, second: Event | None) -> Difference:
    """Return the difference of two runs that do not do the same thing here."""
    for event in (first, second):
        if event is not None and _draws_from(event) is not None:
            text = f"a draw from {_draws_from(event)} in one run only"
            return Difference("draw", text, generator=_draws_from(event), **_context(event))
    event = first or second
    assert event is not None
    what = [_named(side) for side in (first, second)]
    text = f"the runs take different paths: {what[0]} and {what[1]}"
    return Difference("line", text, **_context(event))


def _draws_from(event: Event) -> str | None:
    if event["event"] == "draw":
        generator: str = event["generator"]
        return generator
    drawn = any(operand.startswith("generator=") for operand in event.get("operands", ()))
    return "torch" if drawn else None


def _named(event: Event | None) -> str:
    if event is None:
        return "nothing more"
    what = event["name"] if "name" in event else event["event"]
    return f"{what} at {Path(event['file']).name}:{event['line']}" if "file" in event else str(what)


def _context(event: Event) -> dict[str, Any]:
    return {
        "operator": event["name"] if event["event"] == "operator" else None,
        "module": event["name"] if event["event"] == "module" else event.get("module"),
        "node": event.get("node"),
        "batch": event["number"] if event["event"] == "batch" else event.get("batch"),
        "source": source_of(event),
    }


def _operator(first: Event, second: Event) -> Difference:
    name = first["name"] + (f" (called by {first['node']})" if "node" in first else "")
    pairs = list(zip_longest(first["operands"], second["operands"]))
    unequal = [number for number, pair in enumerate(pairs) if pair[0] != pair[1]]
    if not unequal:
        text = f"{name} gives unequal results for equal operands"
        return Difference("operator", text, **_context(first))
    operands = pairs[unequal[0]]
    if all(str(operand).startswith("generator=") for operand in operands):
        text = f"{name} draws from a generator that stands elsewhere"
        return Difference("draw", text, generator="torch", **_context(first))
    values = [str(operand) for operand in operands]
    if any(" " in value for value in values):
        text = (
            f"operand {unequal[0]} of {name} differs, and no operator made it so: it comes from "
            "outside PyTorch (Python, NumPy, another thread or process)"
        )
        return Difference("line", text, **_context(first))
    text = f"operand {unequal[0]} of {name} is {values[0]} and {values[1]}"
    return Difference("line", text, values=values, **_context(first))
