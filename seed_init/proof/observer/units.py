# SPDX-License-Identifier: Apache-2.0
"""This module writes which units of work of engines this process runs, and how each of them ends.

A unit draws the same in whichever worker it runs. So what a unit does is written down as the
unit's, and whoever reads the trace lines units up by their paths (`proof.trace.units`).

Events:

    {"event": "unit", "unit": 3, "engine": "Dask", "path": ["dask", "f-1"], "alone": true}
    {"event": "unit_end", "unit": 3, "rank": null, "generators": {"random": "...", ...},
     "final": [...]}
    {"event": "units", "sent": {"Ray": 40}}

`unit` numbers the units of this process; the starts and steps of a unit have it as well. A unit is
not `alone` where other threads draw from the global generators meanwhile: then nobody can tell what
it has drawn. `final` is of optimizers that are gone by then, as in the event `end`, which has the
others. `units`, at the end, says how many units the process has submitted.
"""

import os
from collections.abc import Callable

from seed_init.hook import state, units
from seed_init.hook.units import Unit
from seed_init.proof.observer import callbacks, core
from seed_init.proof.observer.tensors import generators

END_TORCH = "seed_init.proof.observer.instruments.end_torch"
"""Digests the final parameters, where an instrument has loaded it."""

MOST = 20_000
"""Units of one process that are written down."""

_numbers: dict[Unit, int] = {}  # of units that have begun and not returned
_count = 0
_taken = False

begun: list[Callable[[Unit, int], None]] = []
"""Called with each unit that has begun, and its number."""

returning: list[Callable[[Unit, int], None]] = []
"""Called with each unit whose code has returned, and its number, before its streams go.

With a unit that is its process, again and again: the last call counts."""


def start() -> None:
    """Watch the units of this process. May be called again."""
    if units.watch is None:
        units.watch = _watch
        os.register_at_fork(after_in_child=_forget)
        callbacks.at_end(_finish)


def are_left_by_units() -> bool:
    """Return whether the generators stand where a unit has left them.

    Then where they stand depends on which units this worker has run, and says nothing about it.
    """
    return _taken


def number() -> int | None:
    """Return the number of the unit that this thread runs; None for no unit."""
    unit = units.current() if _numbers else None
    return None if unit is None else _numbers.get(unit)


def _watch(what: str, unit: Unit) -> None:
    if what == units.BEGUN:
        _begin(unit)
    else:
        _end(unit)


@core.guarded
def _begin(unit: Unit) -> None:
    global _count, _taken
    _taken = _taken or not (unit.has_company or unit.is_aside)
    if not is_traced():
        return
    _count += 1
    if _count > MOST:
        if _count == MOST + 1:
            core.journal.write("failed", what=f"only the first {MOST} units of work were seen")
        return
    _numbers[unit] = _count
    core.journal.write(
        "unit",
        unit=_count,
        engine=unit.engine,
        path=list(unit.path),
        alone=not unit.has_company,
    )
    for call in begun:
        call(unit, _count)


@core.guarded
def _end(unit: Unit) -> None:
    mine = _numbers.get(unit)
    if unit is not units.lasting():
        _numbers.pop(unit, None)
    if mine is None or not is_traced():
        return
    for call in returning:
        call(unit, mine)
    half = callbacks.loaded(END_TORCH)
    core.journal.write(
        "unit_end",
        unit=mine,
        rank=rank_of(unit),
        generators={} if unit.has_company else generators.positions(),
        final=half.take_final(mine) if half is not None else [],
    )


def rank_of(unit: Unit | None) -> int | None:
    """Return the rank of a unit in a training job, or that of this process; None for no rank.

    Args:
        unit: the unit; None for the process itself.
    """
    if unit is not None and unit.rank is not None:
        return unit.rank
    rank = state.rank()
    return rank[0] if rank else None


def is_traced() -> bool:
    """Return whether the run is still under way: a worker of a cluster may outlive it."""
    return core.journal.directory.is_dir()


def _finish() -> None:
    """Write how many units this process has submitted."""
    if units.sent:
        core.journal.write("units", sent=dict(units.sent))


def _forget() -> None:
    """In a forked child: it runs none of its parent's units, and starts at a place of its own."""
    global _count, _taken
    _numbers.clear()
    _count, _taken = 0, False
