# SPDX-License-Identifier: Apache-2.0
"""Uvicorn with several workers: each has the streams of its place, a later one there new ones."""

from seed_init.engines import Engine
from seed_init.engines.slots import Slots
from seed_init.hook import callers, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class Uvicorn(Engine):
    """Workers of `uvicorn --workers`, which multiprocessing spawns."""

    name = "uvicorn"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach` (uvicorn/supervisors/multiprocess.py)."""
        process: Any = module.Process
        parent_start = process.start
        slots = Slots()
        started: list[Any] = []

        @callers.like(parent_start)
        def start(self):  # type: ignore[no-untyped-def]
            if state.job_seed() is not None and not state.inherits:
                started[:] = [each for each in started if each.exitcode is None]
                place = slots.next_place(set(map(id, started)))
                slots.take(id(self))
                started.append(self)
                self.process._seed_init_place = ("uvicorn", *place)
            return parent_start(self)

        process.start = start


engine = Uvicorn()
