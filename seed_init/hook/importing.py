# SPDX-License-Identifier: Apache-2.0
"""Run a function once, right after a module's import, without importing the module.

The module `startup` sits first in `sys.meta_path` and asks here for the names that it waits for.
The answer is that of the finders behind it, with the loader wrapped in a proxy. The proxy
puts the true loader back *before* the module's body runs, so that the module, its spec and
everything that looks at them (importlib.resources, inspect, pickle, reload) see what they
would see without us, and it calls the function while the import lock is still held: no
other thread gets the module before the function has run.

No `importlib.util` (it is slow to load, and its `find_spec` imports the parent package of a
dotted name, which can deadlock with a thread that is importing it), no `threading` (it
breaks gevent when loaded early), no locks.
"""

import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Protocol

    class Finder(Protocol):
        """What is in `sys.meta_path` and is told of imports: the module `startup`."""

        def imported(self, name: str) -> None: ...


_asking: "set[tuple[str, int]]" = set()


def find_spec(
    finder: "Finder",
    name: str,
    path: "Sequence[str] | None",
    target: "ModuleType | None",
) -> "ModuleSpec | None":
    """The spec of a module that is waited for, with its loader wrapped.

    Args:
        finder: who waits for it.
        name: the full name of the module.
        path: its parent's `__path__`, or None, as the import system passes it.
        target: the module that is reloaded, or None.

    Returns:
        None where no other finder knows the module, or where this very thread is asking for
        it already: another hook behind ours may ask the whole meta path again, us included.
    """
    # Per thread: two threads may look up the same name without holding its import lock.
    key = (name, get_ident())
    if key in _asking:
        return None
    _asking.add(key)
    try:
        spec = _ask_others(finder, name, path, target)
    finally:
        _asking.discard(key)
    # Namespace packages and old loaders without exec_module have nothing to run after.
    if spec is not None and hasattr(spec.loader, "exec_module"):
        spec.loader = Proxy(spec.loader, finder, name)  # type: ignore[assignment, arg-type]
    return spec


def _ask_others(
    finder: "Finder",
    name: str,
    path: "Sequence[str] | None",
    target: "ModuleType | None",
) -> "ModuleSpec | None":
    finders: list[Any] = list(sys.meta_path)
    if finder in finders:
        del finders[: finders.index(finder) + 1]
    for later_finder in finders:
        ask = getattr(later_finder, "find_spec", None)
        spec: ModuleSpec | None = ask(name, path, target) if ask else None
        if spec is not None:
            return spec
    return None


class Proxy:
    """Stands in for a loader until the module's body runs.

    Everything but `exec_module` is the true loader's own, through `__getattr__`; setting an
    attribute sets it on the proxy only, so that other hooks that patch loaders in place do
    not write through to a loader they did not mean.
    """

    def __init__(self, loader: "Loader", finder: "Finder", name: str) -> None:
        self.loader = loader
        self.finder = finder
        self.module_name = name

    def __getattr__(self, name: str) -> object:
        if name == "loader":  # copy and pickle look before __init__ has run
            raise AttributeError(name)
        return getattr(self.loader, name)

    def exec_module(self, module: "ModuleType") -> None:
        """Put the true loader back, run the module's body, then call the function."""
        for owner, name in ((module.__spec__, "loader"), (module, "__loader__")):
            if getattr(owner, name, None) is self:
                setattr(owner, name, self.loader)
        self.loader.exec_module(module)
        self.finder.imported(self.module_name)


# A frame of ours between the user's import statement and the module's body would show in
# every traceback of a failing body, and would take the blame for a warning that the body
# raises with stacklevel=2. The interpreter leaves its own import frames out of both; it
# knows them by their file name (Python/import.c, remove_importlib_frames; Lib/warnings.py,
# _is_internal_frame).
Proxy.exec_module.__code__ = Proxy.exec_module.__code__.replace(
    co_filename="<frozen importlib._bootstrap>"
)
