# SPDX-License-Identifier: Apache-2.0
"""This module finds processes and units of work of a run that draw the same numbers.

Two of them draw alike if they have one seed and one path, and have drawn from the same generators
or submitted units to the same engine. What is no finding, and why:

- Ranks that differ: under `SEED_INIT_RANKS=same` the ranks of a training job are to draw alike.
- Different programs one after the other: each program starts from SEED, and a pipeline of
  preparing, training and judging is to be as each of its programs by itself.
- A unit that ran again after the unit of that path had ended: the engine has tried it again, and
  it is to draw what it drew at first.

The same program one after the other is a finding. Nothing tells a repetition from one more sample
of an experiment, and samples that are all alike are a wrong result that looks right.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed_init.proof.trace.journal import Process

Event = dict[str, Any]

SHOWN_MAX = 4
"""Command lines that a finding names."""

SHOWN_WIDTH = 100
"""Characters of each."""

OPTIONS_WITH_WORDS = ("-X", "-W", "--check-hash-based-pycs")
"""Options of Python whose value is a word of its own."""


@dataclass
class _Drawer:
    """A process or a unit of work that has drawn.

    Attributes:
        process: the process, or where the unit ran.
        program: of the process, or of that which has started it.
        engine: of the unit; None for a process.
        event: what it has drawn, and when.
    """

    process: Process
    program: tuple[str, ...]
    engine: str | None
    event: Event

    @property
    def generators(self) -> set[str]:
        """What it has drawn from, and the engines to which it has submitted units."""
        sent = (f"the units submitted to {engine}" for engine in self.event["sent"])
        return {*self.event["generators"], *sent}

    def is_beside(self, other: "_Drawer") -> bool:
        """Return whether both were there at one time."""
        first, second = self.event, other.event
        return bool(first["began"] < second["ended"] and second["began"] < first["ended"])


def find(processes: "Sequence[Process]") -> "Iterator[tuple[Process, Event]]":
    """Yield a finding for each process or unit that draws what another one of the run draws.

    Args:
        processes: of a run, as `journal.read` gives them.

    Yields:
        The process, and the finding, which is the same for all that draw alike.
    """
    groups: dict[tuple[Any, ...], list[_Drawer]] = defaultdict(list)
    for drawer in _drawers(processes):
        event = drawer.event
        key = event["seed"], tuple(event["path"]), event["rank"], drawer.engine
        groups[key].append(drawer)
    for group in groups.values():
        alike = [one for one in group if any(_are_alike(one, other) for other in group)]
        if alike:
            finding = _finding(alike)
            yield from ((drawer.process, finding) for drawer in alike)


def _drawers(processes: "Sequence[Process]") -> "Iterator[_Drawer]":
    by_pid = {process.header["pid"]: process for process in processes}
    for process in processes:
        engines = {event["unit"]: event["engine"] for event in process.of("unit")}
        program = program_of(_starter(process, by_pid))
        last = {event.get("unit"): event for event in process.of("drew")}
        for event in last.values():
            yield _Drawer(process, program, engines.get(event.get("unit")), event)


def _starter(process: Process, by_pid: "dict[int, Process]") -> Process:
    """Return the observed process that has started a process and all between the two."""
    seen = set()
    while process.header["path"] and process.header["pid"] not in seen:
        seen.add(process.header["pid"])
        process = by_pid.get(process.header["parent"], process)
    return process


def program_of(process: Process) -> tuple[str, ...]:
    """Return what a Python was started with: a script, or an option and its word.

    Args:
        process: has the command line.
    """
    words = iter(process.header["argv"][1:])
    for word in words:
        if word in ("-c", "-m"):
            return word, next(words, "")
        if word in OPTIONS_WITH_WORDS:
            next(words, None)
        elif not word.startswith("-") or word == "-":
            return (word,)
    return ()


def _are_alike(one: _Drawer, other: _Drawer) -> bool:
    if one is other or not one.generators & other.generators:
        return False
    if one.engine is not None:
        return one.is_beside(other)
    return one.program == other.program or one.is_beside(other)


def _finding(alike: list[_Drawer]) -> Event:
    engine, path = alike[0].engine, alike[0].event["path"]
    shared = set.union(
        *(one.generators & other.generators for one in alike for other in alike if one is not other)
    )
    who = f"{len(alike)} processes" if engine is None else f"{len(alike)} units of {engine}"
    where = f" with the path {' '.join(map(str, path))}" if path else ""
    rank = alike[0].event["rank"]
    ranked = "" if rank is None else f" of rank {rank}"
    return {
        "kind": "alike",
        "what": ", ".join(sorted(shared)),
        "detail": f"{who}{ranked}{where} and the seed {alike[0].event['seed']}: {_named(alike)}",
        "file": " ".join(alike[0].program)[:SHOWN_WIDTH] or "?",
        "line": 0,
        "function": "",
        "text": "",
        "count": 1,
    }


def _named(alike: list[_Drawer]) -> str:
    """Return the command lines, each as a person would type it."""
    lines = sorted({_command(drawer.process) for drawer in alike})
    shown = [line[:SHOWN_WIDTH] for line in lines][:SHOWN_MAX]
    more = f"; and {len(lines) - SHOWN_MAX} more" if len(lines) > SHOWN_MAX else ""
    return "; ".join(shown) + more


def _command(process: Process) -> str:
    argv = process.header["argv"]
    return " ".join([Path(argv[0]).name, *argv[1:]]) if argv else "?"
