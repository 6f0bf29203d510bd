"""Run a function once, right after a module's import, without importing the module.

One finder sits first in `sys.meta_path`. For a name it waits for, it asks the finders
behind it and hands their answer on with the loader wrapped in a proxy. The proxy puts the
true loader back *before* the module's body runs, so that the module, its spec and
everything that looks at them (importlib.resources, inspect, pickle, reload) see what they
would see without us, and it calls the function while the import lock is still held: no
other thread gets the module before the function has run.

No `importlib.util` (it costs 4 ms, and its `find_spec` imports the parent package of a
dotted name, which can deadlock with a thread that is importing it), no `threading` (it
breaks gevent when loaded early), no locks.
"""

import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Finder:
    """The meta path finder: knows which imports are waited for, finds nothing itself.

    Args:
        waiting: full module name to the function to call once after its import. A name
            leaves the mapping when its function is called; a failed import keeps it.
            The function must not raise: raising would fail the user's import.
    """

    def __init__(self, waiting: "dict[str, Callable[[], None]]") -> None:
        self.waiting = waiting
        self._asking: set[tuple[str, int]] = set()

    def find_spec(
        self,
        name: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        """Answer for a name that is waited for; None for every other one."""
        if name not in self.waiting:
            return None
        # Another hook behind us may ask the whole meta path again, us included. The guard
        # is per thread: two threads may look up the same name without its import lock.
        key = (name, get_ident())
        if key in self._asking:
            return None
        self._asking.add(key)
        try:
            spec = self._ask_others(name, path, target)
        finally:
            self._asking.discard(key)
        # Namespace packages and old loaders without exec_module have nothing to run after.
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = Proxy(spec.loader, self, name)  # type: ignore[assignment, arg-type]
        return spec

    def _ask_others(
        self,
        name: str,
        path: "Sequence[str] | None",
        target: "ModuleType | None",
    ) -> "ModuleSpec | None":
        finders = list(sys.meta_path)
        behind = finders[finders.index(self) + 1 :] if self in finders else finders
        for finder in behind:
            find_spec = getattr(finder, "find_spec", None)
            spec = find_spec(name, path, target) if find_spec else None
            if spec is not None:
                return spec
        return None

    def imported(self, name: str) -> None:
        """Call the function that waits for `name`, if it has not been called yet."""
        function = self.waiting.pop(name, None)
        if function is not None:
            function()


class Proxy:
    """Stands in for a loader until the module's body runs.

    Everything but `exec_module` is the true loader's own, through `__getattr__`; setting an
    attribute sets it on the proxy only, so that other hooks that patch loaders in place do
    not write through to a loader they did not mean.
    """

    def __init__(self, loader: "Loader", finder: Finder, name: str) -> None:
        self.loader = loader
        self.finder = finder
        self.module_name = name

    def __getattr__(self, name: str) -> object:
        if name == "loader":  # copy and pickle look before __init__ has run
            raise AttributeError(name)
        return getattr(self.loader, name)

    def exec_module(self, module: "ModuleType") -> None:
        """Put the true loader back, run the module's body, then call the function."""
        spec = module.__spec__
        if spec is not None and spec.loader is self:
            spec.loader = self.loader
        if module.__loader__ is self:  # type: ignore[comparison-overlap]
            module.__loader__ = self.loader
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


def after_import(waiting: "dict[str, Callable[[], None]]") -> Finder:
    """Call each function once, right after the import of its module.

    A module that is imported already gets its call at once.

    Args:
        waiting: full module name to function. The mapping is taken over, not copied.

    Returns:
        The finder; what is left in `finder.waiting` has not been imported yet.
    """
    finder = Finder(waiting)
    sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
    for name in list(waiting):
        if name in sys.modules:
            finder.imported(name)
    return finder
