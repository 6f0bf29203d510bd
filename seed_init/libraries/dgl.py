# SPDX-License-Identifier: Apache-2.0
"""DGL, which keeps a generator for each OpenMP thread and seeds it from the operating system."""

import sys

from seed_init.hook import callers, reseeding
from seed_init.libraries import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_give: "Callable[[int], None] | None" = None  # what dgl.seed ends in
_pending: int | None = None  # the seed that the generators have still to be given


def _seeding(original: "Callable[..., Any]") -> "Callable[..., Any]":
    def draw(*arguments: "Any") -> "Any":
        global _pending
        if _pending is not None and _give is not None:
            value, _pending = _pending, None
            _give(value - 2**32 if value >= 2**31 else value)  # a C int
        return original(*arguments)

    return draw


class DGL(Library):
    """The generators of DGL, one for each OpenMP thread."""

    def seed(self, value: int) -> None:
        """Have the generators start from `value` when somebody draws from one of them.

        To seed them now would start the threads of OpenMP, and whoever forks a process that has
        some cannot use DGL in the child (libgomp is not made for it). A draw starts them anyway.

        Args:
            value: 0...4294967295.
        """
        global _pending
        _pending = value

    def watch(self) -> None:
        """Have all that draws seed the generators first, and `dgl.seed` ask us."""
        global _give
        if _give is not None:
            return
        modules: Any = sys.modules
        dgl = modules["dgl"]
        give, original = modules["dgl.random"]._CAPI_SetSeed, dgl.seed

        @callers.like(original)
        def seed(val: int) -> None:
            global _pending
            _pending = None
            original(val)

        dgl.seed = modules["dgl.random"].seed = reseeding.asking("dgl.seed", seed)
        for name in list(modules):
            if name == "dgl.random" or name.startswith("dgl.sampling."):
                here = vars(modules[name])
                for function in [key for key in here if key.startswith("_CAPI_")]:
                    if here[function] is not give:
                        here[function] = _seeding(here[function])
        _give = give


library = DGL()
