# SPDX-License-Identifier: Apache-2.0
"""This module writes from which streams this process, and each of its units of work, has drawn.

Two processes of a run with one seed and one path draw the same numbers. Whoever reads the trace
finds them (`seed_init.proof.auditing.alike`).

    {"event": "drew", "unit": 3, "seed": 7, "path": [], "rank": null, "generators": ["random"],
     "sent": ["Celery"], "began": 1.5, "ended": 2.5}

`unit` is absent for the process itself. A library that the program has seeded by itself is left
out: there the program's own seed holds. Submitting units of work to an engine counts as drawing:
two programs with one path number theirs alike.
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

from seed_init.hook import state, units
from seed_init.proof.observer import callbacks, core, drawing, user_code
from seed_init.proof.observer import units as observed

_began = time.time()
_at_begin: dict[int, tuple[float, dict[str, int]]] = {}
"""Number of a unit -> when it began, and how often the program had seeded each package by then."""


def start() -> None:
    """Look when a unit has begun and when its code has returned, and at the end of the process."""
    observed.begun.append(_begin)
    observed.returning.append(_write_of_unit)
    callbacks.at_end(_write_of_process)


def _begin(unit: units.Unit, number: int) -> None:
    _at_begin[number] = time.time(), drawing.seeded_by_program()


def _write_of_unit(unit: units.Unit, number: int) -> None:
    began, seeded = _at_begin.pop(number, (_began, {}))
    if unit is units.lasting():
        _at_begin[number] = began, seeded
    drawn = [] if unit.has_company else list(drawing.drawn(seeded))
    _write(drawn, [], began, {"unit": number, "rank": observed.rank_of(unit)})


def _write_of_process() -> None:
    if state.inherits and not state.is_main():
        return  # it goes on with the streams of its parent, as it was asked to
    drawn = [] if observed.are_left_by_units() else list(drawing.drawn({}))
    _write(drawn, sorted(units.sent), _began, {"rank": observed.rank_of(None)})


def _write(drawn: list[str], sent: list[str], began: float, who: dict[str, Any]) -> None:
    path, _ = state.origin()
    seed = state.job_seed()
    drawn += [f"{library} without a seed" for library in _unseeded()]
    if seed is None or state.ends_in_random or not (drawn or sent):
        return
    core.journal.write(
        "drew",
        **who,
        seed=seed,
        path=list(path),
        generators=drawn,
        sent=sent,
        began=began,
        ended=time.time(),
    )


def _unseeded() -> Iterator[str]:
    """Yield each library of which the program itself has made generators without a seed."""
    numbering: Any = sys.modules.get("seed_init.hook.numbering")
    made = [] if numbering is None else numbering.labels_here("unseeded")
    yield from sorted({label[0] for label in made if len(label) == 2 and _is_users(label[1])})


def _is_users(module: str) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None)
    return module == "__main__" or (isinstance(file, str) and user_code.is_user_file(file))
