"""DataLoader workers that draw from generators in the same state, told from what each held."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from seed_init.proof.journal import Process

Event = dict[str, Any]


def find(processes: "Sequence[Process]") -> "Iterator[tuple[Process, Event]]":
    """A finding for each generator that several workers of one loader hold in one state.

    Only where at least one of them drew from it: a generator that has served when the dataset was
    made does no harm. It is counted once for each start of the workers.

    Args:
        processes: of a run.

    Yields:
        A worker's process and the finding, for each worker; the first one has the count.
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
                    finding = _finding(name, alike, _place(name, alike, processes))
                    for number, (process, _) in enumerate(alike):
                        yield process, {**finding, "count": int(number == 0)}


def _alike(
    name: str, workers: "list[tuple[Process, Event]]"
) -> "Iterator[list[tuple[Process, Event]]]":
    """The workers that hold a generator in the same state, in groups of two and more."""
    groups: dict[str, list[tuple[Process, Event]]] = defaultdict(list)
    for process, event in workers:
        if name in event["states"]:
            groups[event["states"][name]].append((process, event))
    return (group for group in groups.values() if len(group) > 1)


def _finding(name: str, alike: "list[tuple[Process, Event]]", place: Event) -> Event:
    of = alike[0][1]["workers"]
    detail = f"the same state in {len(alike)} of {of} workers"
    return {"kind": "clones", "what": name, "detail": detail, **place}


def _place(
    name: str, alike: "list[tuple[Process, Event]]", processes: "Sequence[Process]"
) -> Event:
    """Where the generator is put into the dataset; else where the loader is iterated over."""
    places = [event["places"].get(name) for _, event in alike]
    parent, base_seed, _ = alike[0][1]["loader"]
    places += [
        one["place"]
        for process in processes
        if process.header["pid"] == parent
        for one in process.of("loader")
        if one["base_seed"] == base_seed
    ]
    unknown = {"file": "?", "line": 0, "function": "", "text": ""}
    return next((place for place in places if place is not None), unknown)
