# SPDX-License-Identifier: Apache-2.0
"""Executors of concurrent.futures and loky: each submission has streams of its own, on request.

With SEED_INIT_POOLS=item a submission goes by its number, and an item of `map` by the number of the
call and its index, whatever the chunks are (Lib/concurrent/futures/process.py). The threads of a
ThreadPoolExecutor share the default generators; only generators without a seed follow a submission.
"""

from itertools import count

from seed_init.engines import Engine, expect, items
from seed_init.hook import callers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


OF_ENGINES = ("dask", "distributed")
"""Packages with executors of their own, for tasks that another adapter numbers. Around a unit that
shares the default generators with other threads, a task could not have them to itself."""


class Executors(Engine):
    """`submit` is what everything goes through; `map` of processes makes chunks before."""

    name = "concurrent.futures"
    otherwise = "submissions have no streams of their own, as with SEED_INIT_POOLS=worker"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach` (concurrent/futures/process.py and thread.py; loky's executor)."""
        names = vars(module)
        package = module.__name__.rpartition(".")[0]
        if "ThreadPoolExecutor" in names:
            executor: Any = names["ThreadPoolExecutor"]
            expect(executor.submit, "self", "fn")
        else:
            executor = names["ProcessPoolExecutor"]
            expect(executor.submit, "self", "fn")
            expect(executor.map, "self", "fn")
            _number_items(executor, package)
        _number_submissions(executor, package)


def _number_submissions(executor: "Any", package: str) -> None:
    submit = executor.submit

    @callers.like(submit)
    def numbered(self: "Any", /, *arguments: "Any", **keywords: "Any") -> "Any":
        # Without a function the executor says what is wrong.
        if arguments and callable(arguments[0]) and _has_items(self, arguments[0]):
            item = items.number(items.Item, package, "submit", arguments[0])
            arguments = arguments if item is None else (item, *arguments[1:])
        return submit(self, *arguments, **keywords)

    executor.submit = numbered


def _has_items(executor: "Any", function: "Any") -> bool:
    """Whether what is submitted to an executor is an item that nobody else numbers."""
    package = type(executor).__module__.partition(".")[0]
    return package not in OF_ENGINES and not items.is_numbered(function)


def _number_items(executor: "Any", package: str) -> None:
    map_items = executor.map

    @callers.like(map_items)
    def numbered(self: "Any", /, *arguments: "Any", **keywords: "Any") -> "Any":
        # Of no iterables there are no items, but infinitely many indices.
        if len(arguments) > 1:
            item = items.number(items.Indexed, package, "map", arguments[0])
            if item is not None:
                arguments = (item, count(), *arguments[1:])
        return map_items(self, *arguments, **keywords)

    executor.map = numbered


engine = Executors()
