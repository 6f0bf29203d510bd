# SPDX-License-Identifier: Apache-2.0
"""multiprocessing.Pool: each item has streams of its own, with SEED_INIT_POOLS=item.

The path of an item is the number of the call and the index of the item in it, whatever the chunks
are (Lib/multiprocessing/pool.py). multiprocess, which pathos and Hugging Face datasets build on,
has the same code. billiard's pool is made otherwise; Celery's adapter numbers what runs there.
"""

from seed_init.engines import Engine, expect, items
from seed_init.hook import callers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Any


class Pools(Engine):
    """Calls are numbered where they are made, and items where they are put into chunks."""

    name = "multiprocessing.Pool"
    otherwise = "its items have no streams of their own, as with SEED_INIT_POOLS=worker"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach` (`pool` of multiprocessing, or of a copy of it)."""
        pool: Any = vars(module)["Pool"]
        expect(pool._get_tasks, "func", "it", "size")
        expect(pool._guarded_task_generation, "self", "result_job", "func", "iterable")
        expect(pool.apply_async, "self", "func")
        package = module.__name__.rpartition(".")[0]
        _number_batches(pool, package)
        _number_single_items(pool, package)
        _number_submissions(pool, package)


def _number_batches(pool: "Any", package: str) -> None:
    """`map` and `starmap` of every kind, and `imap` with a chunksize, make their batches here."""
    get_tasks = pool._get_tasks

    @callers.like(get_tasks)
    def _get_tasks(func: "Any", it: "Any", size: "Any") -> "Any":
        batches = get_tasks(func, it, size)
        item = items.number(items.InOrder, package, "call", func)
        return batches if item is None else _Batches(batches, item)

    pool._get_tasks = staticmethod(_get_tasks)


class _Batches:
    """The batches of a call, each with the function for its items.

    The pool takes them in a thread of its own, as it takes those of the generator behind.
    """

    def __init__(self, batches: "Iterator[Any]", item: "items.InOrder") -> None:
        self._batches, self._item, self._number = batches, item, 0

    def __iter__(self) -> "_Batches":
        return self

    def __next__(self) -> "tuple[items.InOrder, Any]":
        _, batch = next(self._batches)
        item = self._item.since(self._number)
        self._number += len(batch)
        return item, batch


def _number_single_items(pool: "Any", package: str) -> None:
    """`imap` and `imap_unordered` without a chunksize make their items here."""
    generate = pool._guarded_task_generation

    @callers.like(generate)
    def _guarded_task_generation(
        self: "Any", result_job: "Any", func: "Any", iterable: "Any"
    ) -> "Any":
        tasks = generate(self, result_job, func, iterable)
        if isinstance(iterable, _Batches):
            return tasks
        item = items.number(items.Item, package, "call", func)
        return tasks if item is None else _single(tasks, func, item)

    pool._guarded_task_generation = _guarded_task_generation


def _single(tasks: "Iterator[Any]", function: "Any", item: "items.Item") -> "Iterator[Any]":
    for job, index, called, *rest in tasks:
        # The pool calls another function to raise what the iterable has raised.
        yield (job, index, item.at(index) if called is function else called, *rest)


def _number_submissions(pool: "Any", package: str) -> None:
    apply_async = pool.apply_async

    @callers.like(apply_async)
    def numbered(self: "Any", func: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        item = None
        if not items.is_numbered(func):
            item = items.number(items.Item, package, "apply", func)
        return apply_async(self, func if item is None else item, *arguments, **keywords)

    pool.apply_async = numbered


engine = Pools()
