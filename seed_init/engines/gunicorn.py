# SPDX-License-Identifier: Apache-2.0
"""Gunicorn: a worker has the streams of its place, and one in the place of another new ones.

Without this, a worker would go by the number of the fork that made it: which one was replaced
first would decide what all that come later draw.

Gunicorn seeds `random` in each worker from the operating system (gunicorn/util.py, `seed`), which
would leave one library out of what SEED asks for. If nobody but the image asks for a seed, it does.
"""

from _thread import get_ident

from seed_init.engines import Engine
from seed_init.engines.slots import Slots
from seed_init.hook import callers, children, startup, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class Gunicorn(Engine):
    """Workers of every class: the arbiter forks them all in one function."""

    name = "gunicorn"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach` (gunicorn/arbiter.py)."""
        arbiter: Any = module.Arbiter
        spawn, util = arbiter.spawn_worker, module.util
        seed = util.seed
        if not isinstance(arbiter.WORKERS, dict):
            raise LookupError("its workers are not known by their process numbers")

        @callers.like(spawn)
        def spawn_worker(self):  # type: ignore[no-untyped-def]
            if state.job_seed() is None or state.inherits:
                return spawn(self)
            slots = self.__dict__.setdefault("_seed_init_slots", Slots())
            place = slots.next_place(set(self.WORKERS))
            thread = get_ident()
            children.starting[thread] = (*state.path, "gunicorn", *place)
            try:
                # In the child it returns by SystemExit alone.
                pid = spawn(self)
            finally:
                children.starting.pop(thread, None)
            slots.take(pid)
            return pid

        @callers.like(seed)
        def seed_unless_asked() -> None:
            if state.job_seed() is None or state.inherits or not _is_asked_for():
                seed()

        arbiter.spawn_worker, util.seed = spawn_worker, seed_unless_asked


def _is_asked_for() -> bool:
    """Whether somebody has asked for this seed, and not only the image's defaults file."""
    return state.reseeded is not None or startup.origins.get("SEED") == "environment"


engine = Gunicorn()
