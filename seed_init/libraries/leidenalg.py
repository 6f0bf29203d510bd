# SPDX-License-Identifier: Apache-2.0
"""leidenalg, each of whose optimisers has a generator that it seeds from the clock."""

import sys

from seed_init.hook import callers, unseeded
from seed_init.libraries import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_watching = False


def _is_seeded_next(frame: "FrameType | None") -> bool:
    """True for a function of leidenalg's that was given a seed, which it passes on at once."""
    ours = callers.module_of(frame).partition(".")[0] == "leidenalg"
    return frame is not None and ours and frame.f_locals.get("seed") is not None


class Leidenalg(Library):
    """The generators of leidenalg's optimisers, which have no default one."""

    def watch(self) -> None:
        """Have each optimiser that is made without a seed ask us.

        All functions that find partitions make one (leidenalg/functions.py); the compiled class
        seeds it from the time in seconds (src/Optimiser.cpp of libleidenalg).
        """
        global _watching
        if _watching:
            return
        kind: Any = sys.modules["leidenalg"].Optimiser
        original, give = kind.__init__, kind.set_rng_seed

        @callers.like(original)
        def __init__(self: "Any", *arguments: "Any", **keywords: "Any") -> None:
            original(self, *arguments, **keywords)
            if not _is_seeded_next(callers.above()):
                frame = callers.caller("leidenalg")
                value = unseeded.entropy("leidenalg", "leidenalg.Optimiser()", frame)
                if value is not None:
                    give(self, value % 2**32)

        kind.__init__ = __init__
        _watching = True


library = Leidenalg()
