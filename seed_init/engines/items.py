# SPDX-License-Identifier: Apache-2.0
"""Items of pools, as units of work: what `SEED_INIT_POOLS=item` asks for.

Whoever submits numbers the calls and the items of each call. So the path of an item says nothing
of the worker that runs the item, of the number of workers, or of the chunk that the item is in.

The function that is submitted is wrapped, because a pool tells its workers nothing else. What wraps
it is pickled by its name in this module, and the function in it as it would be without us.
"""

from _thread import get_ident
from functools import partial

from seed_init.hook import numbering, state, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from seed_init.hook.streams import Path

    Made = TypeVar("Made", bound="Item")


class Item:
    """A function, each call of which is a unit of work.

    Its public attributes and its names are those of the function.

    If the object has been pickled, it is in a worker process, which is there for its items.
    Otherwise it is in the process that has submitted it. There a thread of a pool shares the
    default generators with all others, and the thread that has submitted it puts its streams aside
    meanwhile.
    """

    def __init__(
        self,
        engine: str,
        function: "Callable[..., Any]",
        path: "Path",
        seed: int | None,
        thread: int | None = None,
    ) -> None:
        """Wrap a function.

        Args:
            engine: whose items they are, as users know it.
            function: is called in the unit.
            path: of the unit.
            seed: the job's seed where the item was submitted.
            thread: that has submitted it; None where it has come by pickle.
        """
        self._engine, self._function, self._path = engine, function, path
        self._seed, self._thread = seed, thread

    def __call__(self, /, *arguments: "Any", **keywords: "Any") -> "Any":
        """Run the function as a unit of work."""
        return self._run(self._path, arguments, keywords)

    def _run(self, path: "Path", arguments: "Any", keywords: "Any") -> "Any":
        is_here = self._thread is not None
        is_in_pool = is_here and self._thread != get_ident()
        unit = units.begin(self._engine, path, seed=self._seed, aside=is_here, shared=is_in_pool)
        try:
            return self._function(*arguments, **keywords)
        finally:
            units.end(unit)

    def at(self, index: int, function: "Callable[..., Any] | None" = None) -> "Item":
        """What runs the item of an index, below the path.

        Args:
            index: of the item.
            function: of the item; None where all items of the call have one.
        """
        path = (*self._path, index)
        return Item(self._engine, function or self._function, path, self._seed, self._thread)

    def __reduce__(self) -> "tuple[Any, ...]":
        return type(self), (self._engine, self._function, self._path, self._seed)

    def __getattr__(self, name: str) -> "Any":
        # Not `_function`, before __init__ has run, nor what pickle asks for: a partial has
        # `__setstate__`, which would be given our state.
        if name.startswith("_") and name not in ("__name__", "__qualname__"):
            raise AttributeError(name)
        return getattr(self._function, name)

    def __repr__(self) -> str:
        return repr(self._function)


class Indexed(Item):
    """As `Item`; the first argument of each call is the index of the item, below the path."""

    def __call__(self, index: int, /, *arguments: "Any", **keywords: "Any") -> "Any":
        """Run the function, without the index, as a unit of work."""
        return self._run((*self._path, index), arguments, keywords)


class InOrder(Item):
    """As `Item`, for a batch: calls have the indices from `first` on, below the path."""

    first = 0

    def __call__(self, /, *arguments: "Any", **keywords: "Any") -> "Any":
        """Run the function for the next item of the batch."""
        index, self.first = self.first, self.first + 1
        return self._run((*self._path, index), arguments, keywords)

    def since(self, first: int) -> "InOrder":
        """The same function for a batch whose first item has this index."""
        batch = InOrder(self._engine, self._function, self._path, self._seed, self._thread)
        batch.first = first
        return batch

    def __reduce__(self) -> "tuple[Any, ...]":
        return (*super().__reduce__(), {"first": self.first})


def number(
    kind: "type[Made]", package: str, label: str, function: "Callable[..., Any]"
) -> "Made | None":
    """Number a call or a submission of this thread, and wrap its function.

    Args:
        kind: `Item` or a class below it.
        package: of the pool; the first part of the path, and the engine's name.
        label: which of the package's numberings.
        function: that is called or submitted.

    Returns:
        None where nothing is seeded.
    """
    seed = state.job_seed()
    if seed is None:
        return None
    return kind(package, function, numbering.next_path(package, label), seed, get_ident())


def is_numbered(function: "Any") -> bool:
    """Whether a function that is submitted is made of items that have been numbered already.

    Such is what `Executor.map` submits, and what joblib does, whose items have their own adapter.
    """
    if isinstance(function, Item) or type(function).__module__.partition(".")[0] == "joblib":
        return True
    # Of processes, `map` submits partial(_process_chunk, item).
    return isinstance(function, partial) and any(isinstance(part, Item) for part in function.args)
