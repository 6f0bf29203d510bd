# SPDX-License-Identifier: Apache-2.0
"""This module finds workers that draw from generators in the same state."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from seed_init.proof.trace.journal import Process

Event = dict[str, Any]


UNKNOWN = {"file": "?", "line": 0, "function": "", "text": ""}
"""The place of what is nowhere in the user's code."""


def find(processes: "Sequence[Process]") -> "Iterator[tuple[Process, Event]]":
    """Yield the findings of DataLoaders (`_of_loaders`) and of other children (`_of_children`).

    Args:
        processes: of a run.

    Yields:
        A worker's process and the finding, for each worker; the first one has the count.
    """
    yield from _of_loaders(processes)
    yield from _of_children(processes)


def _of_children(processes: "Sequence[Process]") -> "Iterator[tuple[Process, Event]]":
    """Yield a finding for each generator that siblings have drawn from, beginning in one state.

    Siblings have one parent. After an initializer they have one pool as well: two pools, one after
    the other, may be seeded alike on purpose.
    """
    siblings: dict[tuple[Any, ...], list[tuple[Process, Event]]] = defaultdict(list)
    for process in processes:
        drawn = {item for event in process.of("child_drawn") for item in event["states"].items()}
        for event in process.of("child"):
            states = {
                name: state for name, state in event["states"].items() if (name, state) in drawn
            }
            pool = event["pool"] if event["initialized"] else None
            key = event["parent"], event["initialized"], pool
            siblings[key].append((process, {**event, "states": states}))
    for group in siblings.values():
        for name in dict.fromkeys(name for _, event in group for name in event["states"]):
            for alike in _alike(name, group):
                yield from _by_line(name, alike)


def _by_line(name: str, alike: "list[tuple[Process, Event]]") -> "Iterator[tuple[Process, Event]]":
    """Yield a finding for each line that has started some of the siblings."""
    packages = ", ".join(sorted({event["package"] for _, event in alike}))
    detail = f"the same state in {len(alike)} children of {packages}"
    counted = set()
    for process, event in alike:
        source = event["place"] or next(
            (sibling["place"] for _, sibling in alike if sibling["place"]), UNKNOWN
        )
        spot = source["file"], source["line"]
        count = int(spot not in counted)
        counted.add(spot)
        yield process, {"kind": "clones", "what": name, "detail": detail, **source, "count": count}


def _of_loaders(processes: "Sequence[Process]") -> "Iterator[tuple[Process, Event]]":
    """Yield a finding for each generator that several workers of one loader hold in one state.

    At least one worker must have drawn from the generator: a generator that has served when the
    dataset was made does no harm. A finding counts once for each start of the workers.
    """
    loaders: dict[tuple[int, ...], list[tuple[Process, Event]]] = defaultdict(list)
    drawn: set[tuple[Any, ...]] = set()
    for process in processes:
        for event in process.of("worker"):
            loaders[tuple(event["loader"])].append((process, event))
        for event in process.of("drawn"):
            drawn.update((*event["loader"], event["worker"], name) for name in event["generators"])
    for loader, workers in loaders.items():
        for name in dict.fromkeys(name for _, event in workers for name in event["states"]):
            for alike in _alike(name, workers):
                if any((*loader, event["worker"], name) in drawn for _, event in alike):
                    finding = _finding(name, alike, _source_of(name, alike, processes))
                    for number, (process, _) in enumerate(alike):
                        yield process, {**finding, "count": int(number == 0)}


def _alike(
    name: str, workers: "list[tuple[Process, Event]]"
) -> "Iterator[list[tuple[Process, Event]]]":
    """Return the workers that hold a generator in the same state, in groups of two and more."""
    groups: dict[str, list[tuple[Process, Event]]] = defaultdict(list)
    for process, event in workers:
        if name in event["states"]:
            groups[event["states"][name]].append((process, event))
    return (group for group in groups.values() if len(group) > 1)


def _finding(name: str, alike: "list[tuple[Process, Event]]", source: Event) -> Event:
    of = alike[0][1]["workers"]
    detail = f"the same state in {len(alike)} of {of} workers"
    return {"kind": "clones", "what": name, "detail": detail, **source}


def _source_of(
    name: str, alike: "list[tuple[Process, Event]]", processes: "Sequence[Process]"
) -> Event:
    """Return where the dataset gets the generator; else where the loader is iterated over."""
    sources = [event["places"].get(name) for _, event in alike]
    parent, base_seed, _ = alike[0][1]["loader"]
    sources += [
        event["place"]
        for process in processes
        if process.header["pid"] == parent
        for event in process.of("loader")
        if event["base_seed"] == base_seed
    ]
    return next((source for source in sources if source is not None), UNKNOWN)
