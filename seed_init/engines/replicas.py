# SPDX-License-Identifier: Apache-2.0
"""Servers under a seed that nobody has given: gunicorn, uvicorn.

A server is started several times, behind something that shares the requests out, and a replica
knows nothing of the others. With the SEED of the image each would answer as all the others do. So a
server draws a seed, as with SEED=random, where SEED comes from a defaults file; and says which.
"""

import os
import sys
from _thread import get_ident

from seed_init.engines import Engine
from seed_init.hook import callers, say, startup, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

BEGINNINGS = {
    "gunicorn.app.base": ("BaseApplication", "run"),
    "uvicorn.main": ("", "run"),
    "uvicorn.server": ("Server", "serve"),
}
"""Module -> class, "" for none, and function by which a server begins: before it has workers."""


class Replicas(Engine):
    """Servers, of which nobody knows how many there are."""

    name = "the server"
    has_units = False
    otherwise = "with the image's SEED its replicas answer alike"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach`."""
        owner_name, function = BEGINNINGS[module.__name__]
        owner: Any = getattr(module, owner_name) if owner_name else module
        original = getattr(owner, function)
        name = module.__name__.partition(".")[0]

        @callers.like(original)
        def begin(*arguments: "Any", **keywords: "Any") -> "Any":
            startup.guarded("engines.replicas", "draw", name)
            return original(*arguments, **keywords)

        setattr(owner, function, begin)


def draw(server: str) -> None:
    """Draw a seed, unless somebody has given one.

    A server in another thread than the main one is part of a program that does other things.

    Args:
        server: its name.
    """
    threading, here = sys.modules.get("threading"), state.settings
    origin = here.origins.get("SEED", "")
    if (
        here.tasks == "same"
        or not origin.startswith("/")
        or state.reseeded is not None
        or state.job_seed() is None
        or (threading is not None and threading.main_thread().ident != get_ident())
    ):
        return
    from seed_init.hook import reseeding, rounds, seeding

    seed = int.from_bytes(os.urandom(4), "little")
    keep = reseeding.by_program()
    seeding.see_to_missed()
    rounds.take_seed(seed)
    rounds.move(state.path, keep)
    say(
        f"{server}: nobody has asked for the SEED={here.seed} of {origin}, with which all replicas "
        f"would answer alike; drew {seed}, and SEED={seed} runs the same again"
    )


engine = Replicas()
