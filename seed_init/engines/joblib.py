# SPDX-License-Identifier: Apache-2.0
"""joblib: each item of a `Parallel` call has streams of its own, with SEED_INIT_POOLS=item.

The path of an item is the number of the call and the index of the item in it, whichever backend
runs it, in batches of whatever size (joblib/parallel.py). Items of one call that run one after the
other in the program (`n_jobs=1`) have the same streams.
"""

from seed_init.engines import Engine, expect, items
from seed_init.hook import callers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType
    from typing import Any


class Joblib(Engine):
    """Items are numbered where joblib takes them from the iterable, before it makes batches."""

    name = "joblib"
    otherwise = "its items have no streams of their own, as with SEED_INIT_POOLS=worker"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach` (joblib/parallel.py)."""
        parallel: Any = vars(module)["Parallel"]
        call = parallel.__call__
        expect(call, "self", "iterable")

        @callers.like(call)
        def __call__(self: "Any", iterable: "Any") -> "Any":
            item = items.number(items.Item, "joblib", "call", _nothing)
            if item is not None:
                kind = _Sized if hasattr(iterable, "__len__") else _Numbered
                iterable = kind(iterable, item)
            return call(self, iterable)

        parallel.__call__ = __call__


def _nothing() -> None:
    """Stands for the functions of a call, which its items bring along."""


class _Numbered:
    """An iterable of what `joblib.delayed` makes, with the functions wrapped."""

    def __init__(self, iterable: "Iterable[Any]", item: "items.Item") -> None:
        self._iterable, self._item = iterable, item

    def __iter__(self) -> "Iterator[Any]":
        for index, task in enumerate(self._iterable):
            if isinstance(task, tuple) and len(task) == 3:
                function, arguments, keywords = task
                yield self._item.at(index, function), arguments, keywords
            else:
                yield task  # joblib says what is wrong


class _Sized(_Numbered):
    """An iterable whose length joblib can tell as well."""

    def __len__(self) -> int:
        return len(self._iterable)  # type: ignore[arg-type]


engine = Joblib()
