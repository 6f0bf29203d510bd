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
    for one, other in zip_longest(_fine(a), _fine(b)):
        if one is None or other is None or _essence(one) != _essence(other):
            return _difference(one, other)
    return None


def _fine(process: Process) -> list[Event]:
    return [event for event in process.events if event.get("fine")]


def _essence(event: Event) -> Event:
    # A notebook's cells lie in a directory with the number of the process in its name.
    return {**event, "file": Path(event["file"]).name} if "file" in event else event


def _difference(one: Event | None, other: Event | None) -> Difference:
    if one is None or other is None or not _same_place(one, other):
        return _paths(one, other)
    kind = one["event"]
    if kind == "operator":
        return _operator(one, other)
    if kind == "draw":
        text = f"draws from {one['generator']} that leave it elsewhere"
        return Difference("draw", text, generator=one["generator"], source=source_of(one))
    if kind == "batch":
        text = f"batch {one['number']} of a DataLoader differs"
        return Difference("batch", text, batch=one["number"], source=source_of(one))
    if kind == "module":
        ends = one["phase"] == "output" and one.get("keywords") == other.get("keywords")
        text = (
            f"the module {one['name']} gives another output for an equal input"
            if ends
            else f"the module {one['name']} gets another input"
        )
        return Difference("module", text, module=one["name"])
    return Difference("loss", "the loss differs", source=source_of(one))


def _same_place(one: Event, other: Event) -> bool:
    """True where both runs do the same thing at the same line."""
    keys = ("event", "name", "line", "function", "phase", "number", "generator")
    return all(one.get(key) == other.get(key) for key in keys)


def _paths(one: Event | None, other: Event | None) -> Difference:
    """The runs do not do the same thing here: what only one of them does."""
    for event in (one, other):
        if event is not None and _draws_from(event) is not None:
            text = f"a draw from {_draws_from(event)} in one run only"
            return Difference("draw", text, generator=_draws_from(event), **_context(event))
    event = one or other
    assert event is not None
    what = [_named(each) for each in (one, other)]
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


def _operator(one: Event, other: Event) -> Difference:
    name = one["name"] + (f" (called by {one['node']})" if "node" in one else "")
    pairs = list(zip_longest(one["operands"], other["operands"]))
    unequal = [number for number, pair in enumerate(pairs) if pair[0] != pair[1]]
    if not unequal:
        text = f"{name} gives unequal results for equal operands"
        return Difference("operator", text, **_context(one))
    first = pairs[unequal[0]]
    if all(str(operand).startswith("generator=") for operand in first):
        text = f"{name} draws from a generator that stands elsewhere"
        return Difference("draw", text, generator="torch", **_context(one))
    values = [str(operand) for operand in first]
    if any(" " in value for value in values):
        text = (
            f"operand {unequal[0]} of {name} differs, and no operator made it so: it comes from "
            "outside PyTorch (Python, NumPy, another thread or process)"
        )
        return Difference("line", text, **_context(one))
    text = f"operand {unequal[0]} of {name} is {values[0]} and {values[1]}"
    return Difference("line", text, values=values, **_context(one))
